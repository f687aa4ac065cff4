"""``server`` and ``default-server`` lines (HAProxy manual, sections 4.2 ``server`` and 5.2)."""

from __future__ import annotations

from fastlb.config import known
from fastlb.config.address import MAX_PORT, expand_address, parse_server
from fastlb.config.args import Args
from fastlb.config.checkaddress import parse_check_address
from fastlb.config.errors import ConfigError, NotSupported
from fastlb.config.hashline import hash_key
from fastlb.config.headerfields import proxy_field, proxy_v2_options
from fastlb.config.identity import parse_guid, parse_id
from fastlb.config.initaddr import init_addr
from fastlb.config.keywords import HTTP_ONLY, Keyword, KeywordTable
from fastlb.config.lineoptions import (
    OptionTable,
    action,
    congestion,
    flag,
    md5_key,
    number,
    parse_options,
    so_anyway,
    time,
)
from fastlb.config.names import check_name
from fastlb.config.source import server_source
from fastlb.config.tree import NO_OPTIONS, Endpoint, Said, ServerLine, ServerOptions, SlowStart

MAX_WEIGHT = 256
MAX_HYSTERESIS = 10000
ON_ERROR = ("fastinter", "fail-check", "sudden-death", "mark-down")
INIT_STATES = ("fully-up", "up", "down", "fully-down", "none")


def parse_server_line(args: Args, defaults: ServerOptions) -> ServerLine:
    """Read what follows ``server``: name, address, options. ``defaults`` is what ``default-server`` said so far."""
    name_word = args.need("a name and an address, such as 'server web1 10.0.0.1:80'")
    name = check_name(name_word, "server")
    word = args.need("an address after the name, such as '10.0.0.1:80'")
    try:
        address, offset = parse_server(expand_address(word, args.environ, args.report), word.location, args.report)
    except ConfigError:
        _options(args)  # whatever is wrong there is reported in the same go
        raise
    own = _options(args)
    return ServerLine(name, name_word.location, Said(address, word.location), offset, own, defaults)


def parse_default_server(args: Args) -> ServerOptions:
    """Read what follows ``default-server``."""
    if args.peek() is None:
        raise ConfigError(args.location, "'default-server' expects options, such as 'inter 3s rise 2 fall 3'")
    options = _options(args)
    for name in ("id", "guid"):
        said = getattr(options, name)
        if said is not None:
            raise ConfigError(said.location, f"'{name}' belongs to one server, not in 'default-server'")
    return options


def _options(args: Args) -> ServerOptions:
    said = parse_options(args, SERVER_OPTIONS)
    return ServerOptions(**said) if said else NO_OPTIONS


def _addr(args: Args) -> tuple[str, Endpoint]:
    """``addr``: where health checks go, without a port (that is ``port``)."""
    return "addr", parse_check_address(args)


def _init_state(args: Args) -> tuple[str, str]:
    """``none`` undoes what ``default-server`` says: it is the same as ``up``."""
    state = args.one_of(INIT_STATES, "state").text
    return "init_state", "up" if state == "none" else state


def _observe(args: Args) -> tuple[str, bool]:
    """``none`` undoes what ``default-server`` says."""
    word = args.one_of(("none", "layer4", "layer7"), "layer")
    if word.text == "layer7":
        raise NotSupported(word.location, "'observe layer7' is not supported", HTTP_ONLY)
    return "observe", word.text == "layer4"


def _on_error(args: Args) -> tuple[str, str]:
    return "on_error", args.one_of(ON_ERROR, "reaction").text


def _track(args: Args) -> tuple[str, str]:
    return "track", args.need("a server: 'backend/server', or 'server' of the same backend", "track").text


def _slowstart(args: Args) -> tuple[str, SlowStart]:
    """``slowstart t``; ``new-servers`` behind it is ours, not HAProxy's."""
    ms = args.time_ms()
    return "slowstart", SlowStart(ms, args.accept("new-servers"))


SERVER_OPTIONS: OptionTable = KeywordTable(
    "option",
    {
        "check": Keyword(flag("check", True), "", "health checks"),
        "no-check": Keyword(flag("check", False), "", "undoes the 'check' of 'default-server'"),
        "inter": Keyword(time("inter"), "time", "from the end of a check to the start of the next (2s)"),
        "fastinter": Keyword(time("fastinter"), "time", "'inter' while the server is going up or down"),
        "downinter": Keyword(time("downinter"), "time", "'inter' while the server is down"),
        "rise": Keyword(number("rise", 1, MAX_HYSTERESIS), "n", "good checks until the server is up (2)"),
        "fall": Keyword(number("fall", 1, MAX_HYSTERESIS), "n", "failed checks until the server is down (3)"),
        "port": Keyword(number("port", 1, MAX_PORT), "n", "the port that checks go to, if not the server's"),
        "addr": Keyword(_addr, "address", "where checks go, if not to the server's address"),
        "init-state": Keyword(
            _init_state, "state", "what it is before its first check: fully-up, up, down or fully-down (up)"
        ),
        "init-addr": Keyword(
            init_addr,
            "method[,method…]",
            "where its address comes from: libc asks for the name, none or an IP address stand in for an answer",
        ),
        "observe": Keyword(
            _observe, "layer4|none", "connections of clients that fail count for its health, as 'on-error' says"
        ),
        "error-limit": Keyword(
            number("error_limit", 1), "n", "failed connections in a row that 'on-error' is about (10)"
        ),
        "on-error": Keyword(
            _on_error, "fastinter|fail-check|sudden-death|mark-down", "what they do to a server (fail-check)"
        ),
        "track": Keyword(
            _track,
            "[backend/]server",
            "takes over the state of another server, instead of checks of its own",
        ),
        "weight": Keyword(number("weight", 0, MAX_WEIGHT), "n", "share of the connections, 0 to 256; with 0 none (1)"),
        "backup": Keyword(flag("backup", True), "", "used only when no other server can be used"),
        "no-backup": Keyword(flag("backup", False), "", "undoes the 'backup' of 'default-server'"),
        "disabled": Keyword(flag("disabled", True), "", "starts in maintenance: no connections, no checks"),
        "enabled": Keyword(flag("disabled", False), "", "undoes the 'disabled' of 'default-server'"),
        "maxconn": Keyword(
            number("maxconn", 0), "n", "connections at a time; beyond, clients wait in the queue (0: any)"
        ),
        "source": Keyword(
            server_source,
            "address[:port[-port]] [interface name] [usesrc …]",
            "where connections to it and its checks come from",
        ),
        "tcp-ut": Keyword(
            lambda args: ("user_timeout", args.time_ms()), "time", "how long what was sent may stay unacknowledged"
        ),
        "cc": Keyword(congestion, "algorithm", "how TCP finds its speed towards the server, such as bbr"),
        "tcp-md5sig": Keyword(md5_key, "key", "what is sent to it is signed with this key, RFC 2385 (BGP)"),
        "no-tfo": Keyword(so_anyway, "", "no TCP Fast Open, as it is anyway"),
        "strict-maxconn": Keyword(so_anyway, "", "'maxconn' counts every connection, as it does anyway"),
        "id": Keyword(
            lambda args: ("id", parse_id(args)), "n", "its number among the servers of the backend (its place)"
        ),
        "guid": Keyword(lambda args: ("guid", parse_guid(args)), "name", "a name that nothing else has"),
        "minconn": Keyword(
            number("minconn", 0), "n", "'maxconn' under a light load; it grows with the backend's sessions"
        ),
        "maxqueue": Keyword(number("maxqueue", 0), "n", "how many may wait for this very server (0: any)"),
        "slowstart": Keyword(_slowstart, "time [new-servers]", "weight and maxconn grow that long after it came up"),
        "on-marked-down": Keyword(
            action("shutdown_when_down", "shutdown-sessions"),
            "shutdown-sessions",
            "its sessions end when the server goes down",
        ),
        "on-marked-up": Keyword(
            action("shutdown_backups_when_up", "shutdown-backup-sessions"),
            "shutdown-backup-sessions",
            "the sessions of the backup servers end when the server comes up",
        ),
        "non-stick": Keyword(flag("non_stick", True), "", "stick tables do not learn that a client is sent to it"),
        "stick": Keyword(flag("non_stick", False), "", "undoes the 'non-stick' of 'default-server'"),
        "hash-key": Keyword(hash_key, "id | addr | addr-port", "what its places in a hash table follow from"),
        "send-proxy": Keyword(flag("send_proxy", True), "", "it is told who connects, by a PROXY header of version 1"),
        "no-send-proxy": Keyword(flag("send_proxy", False), "", "undoes the 'send-proxy' of 'default-server'"),
        "send-proxy-v2": Keyword(flag("send_proxy_v2", True), "", "the same in version 2, which wins over version 1"),
        "no-send-proxy-v2": Keyword(flag("send_proxy_v2", False), "", "undoes the 'send-proxy-v2' of 'default-server'"),
        "proxy-v2-options": Keyword(
            proxy_v2_options,
            "crc32c,authority,unique-id",
            "what a PROXY header of version 2 has besides, some of these",
        ),
        "set-proxy-v2-tlv-fmt": Keyword(proxy_field, "(type) format", "a field of that header, of this type"),
        "check-send-proxy": Keyword(
            flag("check_send_proxy", True), "", "checks that go elsewhere begin with a PROXY header, too"
        ),
        "no-check-send-proxy": Keyword(
            flag("check_send_proxy", False), "", "undoes the 'check-send-proxy' of 'default-server'"
        ),
    },
    not_yet=known.SERVER_NOT_YET,
    called=frozenset({"set-proxy-v2-tlv-fmt"}),
    ignored=known.SERVER_IGNORED_FLAGS | known.SERVER_IGNORED_WITH_VALUE,
    refused=known.SERVER_REFUSED,
    within="of a server",
    takes_value=frozenset(known.SERVER_IGNORED_WITH_VALUE),
)
