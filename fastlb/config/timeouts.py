"""``timeout`` lines of proxies (HAProxy manual, section 4.2 ``timeout …``)."""

from __future__ import annotations

from fastlb.config import known
from fastlb.config.args import Args
from fastlb.config.errors import quote
from fastlb.config.keywords import Keyword, KeywordTable
from fastlb.config.proxysection import ProxySection, Side, warn_wrong_side

TIMEOUTS: KeywordTable[tuple[str, Side]] = KeywordTable(
    "timeout",
    {
        "connect": Keyword(("connect", Side.BACKEND), "time", "one attempt to reach a server"),
        "client": Keyword(("client", Side.FRONTEND), "time", "silence, as seen from the client's side"),
        "server": Keyword(("server", Side.BACKEND), "time", "silence, as seen from the server's side"),
        "check": Keyword(("check_timeout", Side.BACKEND), "time", "the answer to a health check"),
        "client-fin": Keyword(
            ("client_fin", Side.FRONTEND), "time", "replaces 'client' once a side has finished sending"
        ),
        "client-hs": Keyword(("client_hs", Side.FRONTEND), "time", "a client's whole PROXY header ('client')"),
        "server-fin": Keyword(
            ("server_fin", Side.BACKEND), "time", "replaces 'server' once a side has finished sending"
        ),
        "tunnel": Keyword(("tunnel", Side.BACKEND), "time", "replaces 'client' and 'server' once connected"),
        "queue": Keyword(("queue", Side.BACKEND), "time", "waiting for a server whose 'maxconn' is reached"),
    },
    ignored=known.TIMEOUT_IGNORED,
    prefix="timeout ",
)


def parse_timeout(section: ProxySection, args: Args) -> None:
    """Read ``timeout name time``. Raises ConfigError."""
    word = args.need(f"the name of a timeout: one of {', '.join(TIMEOUTS.supported)}")
    timeout = TIMEOUTS.find(word, args.report)
    if timeout is None:
        return
    name, side = timeout
    if not section.side & side:
        warn_wrong_side(section, side, quote(args.said), args)
        return
    section.set(name, args.time_ms(name=args.said), args)
