"""``ring`` sections: log lines on their way to a server that is reached over TCP (HAProxy manual, section 3.9)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from fastlb.config.address import expand_address
from fastlb.config.args import Args
from fastlb.config.errors import ConfigError, Location, Report, quote
from fastlb.config.identity import parse_description
from fastlb.config.keywords import Keyword, KeywordTable
from fastlb.config.logline import FORMATS
from fastlb.config.logtarget import parse_target
from fastlb.config.names import check_name
from fastlb.config.tree import Endpoint, EndpointKind, RingLine, RingServer, StreamTarget

MIN_BYTES, MAX_BYTES = 4096, 1 << 30
PROTOCOLS = ("legacy", "octet-count")
MAX_SERVERS = 32
_REACHED = (EndpointKind.INET, EndpointKind.INET6, EndpointKind.NAME)


class RingSection:
    """Collects one section."""

    def __init__(self, name: str, location: Location) -> None:
        self.line = RingLine(name, location)

    def statement(self, args: Args) -> None:
        """Read one line. Raises ConfigError."""
        word = args.need("a keyword")
        parse = RING_KEYWORDS.find(word, args.report, args.peek())
        if parse is not None:
            self.line = parse(self.line, args)
            args.end()

    def finish(self, report: Report) -> RingLine:
        """What it says. A ring that nobody reads is reported."""
        if not self.line.servers:
            message = f"ring {quote(self.line.name)} has no 'server': nothing would ever read what goes into it"
            report.error(self.line.location, message)
        return self.line


Parse = Callable[[RingLine, Args], RingLine]


def _server(ring: RingLine, args: Args) -> RingLine:
    name = check_name(args.need("a name and an address"), "server")
    word = args.need("an address, such as '192.0.2.1:6514'", f"server {name}")
    target = parse_target(expand_address(word, args.environ, args.report), word.location)
    endpoint = target.endpoint if isinstance(target, StreamTarget) else target
    if not isinstance(endpoint, Endpoint) or endpoint.kind not in _REACHED:
        raise ConfigError(word.location, f"a server of a ring needs an address and a port, not {quote(word.text)}")
    counted = args.accept("log-proto") and args.one_of(PROTOCOLS, "protocol").text == "octet-count"
    if len(ring.servers) == MAX_SERVERS:
        raise ConfigError(args.location, f"a ring has at most {MAX_SERVERS} servers")
    return replace(ring, servers=(*ring.servers, RingServer(name, endpoint, word.location, octet_count=counted)))


def _timeout(ring: RingLine, args: Args) -> RingLine:
    name = args.one_of(("connect", "server"), "timeout").text
    time_ms = args.time_ms(low=1, name=args.said)
    return replace(ring, connect_ms=time_ms) if name == "connect" else replace(ring, server_ms=time_ms)


RING_KEYWORDS: KeywordTable[Parse] = KeywordTable(
    "keyword",
    {
        "description": Keyword(
            lambda ring, args: replace(ring, description=parse_description(args)), "text", "what it is for"
        ),
        "format": Keyword(
            lambda ring, args: replace(ring, format=args.one_of(FORMATS, "log format").text),
            "name",
            "for 'log' lines that do not say it (local)",
        ),
        "maxlen": Keyword(lambda ring, args: replace(ring, maxlen=args.integer(80, 65535)), "n", "longest line (1024)"),
        "server": Keyword(
            _server,
            "name address:port [log-proto legacy | octet-count]",
            "who gets the lines, each of several all of them",
        ),
        "size": Keyword(
            lambda ring, args: replace(ring, size=args.integer(MIN_BYTES, MAX_BYTES)),
            "bytes",
            "of lines that wait for each server (1048576); beyond, the newest are lost and counted",
        ),
        "timeout": Keyword(
            _timeout, "connect | server time", "an attempt to connect (5s), or a wait for the server to take more (10s)"
        ),
    },
    refused={"backing-file": "lines that wait are kept in memory"},
    within="in section 'ring'",
)
