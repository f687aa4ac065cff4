"""The keywords of ``defaults``, ``frontend``, ``backend`` and ``listen`` sections (HAProxy manual, section 4.2)."""

from __future__ import annotations

from collections.abc import Callable

from fastlb.config import known
from fastlb.config.args import Args
from fastlb.config.balanceline import parse_balance
from fastlb.config.bindline import parse_bind_line
from fastlb.config.errors import ConfigError, NotSupported, quote
from fastlb.config.globalsection import GLOBAL_KEYWORDS, log_field, metrics_path
from fastlb.config.hashline import parse_hash_affinity, parse_hash_factor, parse_hash_type, parse_persist
from fastlb.config.httpcheck import parse_http_check
from fastlb.config.identity import parse_description, parse_guid, parse_id
from fastlb.config.keepalive import probes, seconds
from fastlb.config.keywords import Keyword, KeywordTable, Tier
from fastlb.config.logformat import parse_format
from fastlb.config.logline import parse_log
from fastlb.config.monitorline import monitor, monitor_uri
from fastlb.config.proxyoptions import parse_negated_option, parse_option
from fastlb.config.proxysection import PLACES, ProxyKeyword, ProxySection, Side, warn_wrong_side
from fastlb.config.rulekeywords import RULE_KEYWORDS
from fastlb.config.serverline import parse_default_server, parse_server_line
from fastlb.config.source import source_statement
from fastlb.config.statistics import parse_statistics
from fastlb.config.summary import Topic
from fastlb.config.timeouts import parse_timeout
from fastlb.config.tree import Said
from fastlb.config.uniqueid import unique_id_format

MODES = ("tcp", "http")
_OTHER_MODES = ("haterm", "health", "log", "spop")
# With one of these a section in 'mode http' is more than a page of statistics, even if none of them is supported.
_ROUTES = ("default_backend", "server", "server-template", "use_backend")
_ANSWERS = ("return", "use-service")


def parse_proxy_statement(section: ProxySection, args: Args) -> None:
    """Read one line of a section. Raises ConfigError."""
    word = args.need("a keyword")
    if word.text in ("no", "default"):
        _negated(section, args)
        return
    within = f"in section '{section.kind}'"
    section.routes |= word.text in _ROUTES
    if not PROXY_KEYWORDS.knows(word.text) and GLOBAL_KEYWORDS.knows(word.text):
        raise ConfigError(word.location, f"{quote(word.text)} is not allowed {within}", "it belongs in 'global'")
    keyword = PROXY_KEYWORDS.find(word, args.report, args.peek(), within)
    if keyword is not None and _allowed(section, keyword, args):
        keyword.parse(section, args)


def _allowed(section: ProxySection, keyword: ProxyKeyword, args: Args) -> bool:
    """Whether the keyword makes sense in this kind of section."""
    name = quote(args.words[0].text)
    if section.kind == "defaults" and not keyword.in_defaults:
        raise ConfigError(
            args.location, f"{name} is not allowed in 'defaults'", f"it belongs in {PLACES[keyword.side]}"
        )
    if section.side & keyword.side:
        return True
    if keyword.strict:
        message = f"{name} is not allowed in {section.title}"
        raise ConfigError(args.location, message, f"it belongs in {PLACES[keyword.side]}")
    warn_wrong_side(section, keyword.side, name, args)
    return False


def _negated(section: ProxySection, args: Args) -> None:
    """``no option x``, ``default option x`` and ``no log``; nothing else can be negated."""
    prefix = args.words[0].text
    word = args.need("'option' or 'log'")
    if word.text == "option":
        parse_negated_option(section, args)
    elif word.text == "log" and prefix == "no":
        args.end()
        section.clear_logs()
    else:
        raise ConfigError(word.location, f"{quote(args.said)} is not possible", f"{quote(prefix)} goes before 'option'")


def _bind(section: ProxySection, args: Args) -> None:
    line = parse_bind_line(args)
    number = sum(
        address.last_port - address.endpoint.port + 1 if address.last_port else 1 for address in line.addresses
    )
    section.counts.add("listening addresses", number, line.location)
    section.binds.append(line)


def _server(section: ProxySection, args: Args) -> None:
    section.counts.add("servers", 1, args.location)
    section.servers.append(parse_server_line(args, section.server_options))


def _default_server(section: ProxySection, args: Args) -> None:
    section.add_server_options(parse_default_server(args))


def _default_backend(section: ProxySection, args: Args) -> None:
    section.set("default_backend", args.need("the name of a backend").text, args)


def _mode(section: ProxySection, args: Args) -> None:
    word = args.peek()
    if word is not None and word.text in _OTHER_MODES:
        raise ConfigError(
            word.location, f"'mode {word.text}' is not supported", "fastlb balances TCP: write 'mode tcp'"
        )
    section.set("mode", args.one_of(MODES, "mode").text, args)


def _description(section: ProxySection, args: Args) -> None:
    section.set("description", parse_description(args), args)


def _disabled(section: ProxySection, args: Args) -> None:
    section.set("disabled", True, args)


def _enabled(section: ProxySection, args: Args) -> None:
    section.set("disabled", False, args)


def _unpublished(section: ProxySection, args: Args) -> None:
    section.set("unpublished", True, args)


def _id(section: ProxySection, args: Args) -> None:
    section.set("id", parse_id(args), args)


def _guid(section: ProxySection, args: Args) -> None:
    section.set("guid", parse_guid(args), args)


def _maxconn(section: ProxySection, args: Args) -> None:
    section.set("maxconn", args.integer(0), args)


def _backlog(section: ProxySection, args: Args) -> None:
    section.set("backlog", args.integer(1), args)


def _fullconn(section: ProxySection, args: Args) -> None:
    section.set("fullconn", args.integer(0), args)


def _retries(section: ProxySection, args: Args) -> None:
    section.set("retries", args.integer(0), args)


def _rate_limit(section: ProxySection, args: Args) -> None:
    args.one_of(("sessions",), "rate")
    section.set("rate_limit", args.integer(0, name=args.said), args)


def _source(section: ProxySection, args: Args) -> None:
    section.set("source", source_statement(args), args)


def _log(section: ProxySection, args: Args) -> None:
    section.add_log(parse_log(args))


def _log_format(name: str) -> Callable[[ProxySection, Args], None]:
    """A line of pieces, in one word: its blanks are quoted or escaped."""

    def parse(section: ProxySection, args: Args) -> None:
        word = args.need("a log format, such as '\"%ci:%cp %b/%s %ts\"'")
        pieces = parse_format(word.text, word.location, args.report)
        args.end(f'a format is one word: write {args.words[0].text} "…"')
        section.set(name, pieces, args)

    return parse


def _log_tag(section: ProxySection, args: Args) -> None:
    section.set("log_tag", log_field(args.need("a word")), args)


def _http_request(section: ProxySection, args: Args) -> None:
    """The one rule that makes a metrics listener; any other works on HTTP, which fastlb does not look into."""
    wanted = ("use-service", "prometheus-exporter", "if", "{", "path")
    if not all(args.accept(text) for text in wanted):
        section.routes |= args.words[1].text in _ANSWERS if len(args.words) > 1 else False
        word = args.peek() or args.words[-1]
        hint = "the only rule is 'http-request use-service prometheus-exporter if { path /metrics }'"
        raise NotSupported(word.location, "this 'http-request' rule is not supported: fastlb balances TCP", hint)
    path = metrics_path(args)
    if not args.accept("}"):
        word = args.peek() or args.words[-1]
        raise ConfigError(word.location, "the condition must end with '}' after the path, with a blank before it")
    args.end()
    section.exporter = Said(path, args.location)


def _stats(section: ProxySection, args: Args) -> None:
    """The web page of HAProxy. What becomes of it depends on the mode, so the plan decides."""
    name = parse_statistics(args)
    if section.kind == "defaults":
        args.report.mention(Topic.NO_EFFECT, args.location, "'stats'")
    section.stats = section.stats or Said(name, args.location)


PROXY_KEYWORDS: KeywordTable[ProxyKeyword] = KeywordTable(
    "keyword",
    {
        "backlog": Keyword(
            ProxyKeyword(_backlog, Side.FRONTEND), "n", "for the 'bind' lines that do not say it (4096)"
        ),
        "balance": Keyword(ProxyKeyword(parse_balance, Side.BACKEND), "algorithm", "how a server is chosen"),
        "bind": Keyword(
            ProxyKeyword(_bind, Side.FRONTEND, in_defaults=False),
            "address[,address…] [options]",
            "addresses to listen on",
        ),
        "be-unpublished": Keyword(
            ProxyKeyword(_unpublished, Side.BACKEND, in_defaults=False),
            "",
            "'use_backend' and 'default_backend' pass it over; its servers are checked",
        ),
        "clitcpka-cnt": Keyword(
            ProxyKeyword(probes("client_keepalive_count"), Side.FRONTEND),
            "n",
            "unanswered keep-alive probes until a client is lost (4)",
        ),
        "clitcpka-idle": Keyword(
            ProxyKeyword(seconds("client_keepalive_idle"), Side.FRONTEND),
            "time",
            "silence until a client is probed (60s)",
        ),
        "clitcpka-intvl": Keyword(
            ProxyKeyword(seconds("client_keepalive_interval"), Side.FRONTEND),
            "time",
            "from one keep-alive probe of a client to the next (15s)",
        ),
        "default-server": Keyword(
            ProxyKeyword(_default_server, Side.BACKEND, strict=True),
            "options",
            "options for the 'server' lines below it",
        ),
        "default_backend": Keyword(
            ProxyKeyword(_default_backend, Side.FRONTEND), "name", "where connections go: a 'backend' or 'listen'"
        ),
        "description": Keyword(ProxyKeyword(_description, in_defaults=False), "text", "what '--explain' says of it"),
        "disabled": Keyword(
            ProxyKeyword(_disabled), "", "a frontend is not bound; a backend's servers get no connection"
        ),
        "enabled": Keyword(ProxyKeyword(_enabled), "", "undoes the 'disabled' of 'defaults'"),
        "guid": Keyword(ProxyKeyword(_guid, in_defaults=False), "name", "a name that nothing else has"),
        "fullconn": Keyword(
            ProxyKeyword(_fullconn, Side.BACKEND), "n", "sessions at which servers with a 'minconn' get their 'maxconn'"
        ),
        "hash-balance-factor": Keyword(
            ProxyKeyword(parse_hash_factor, Side.BACKEND),
            "percent",
            "what a server on a hash ring may have of the average load (0: any)",
        ),
        "hash-preserve-affinity": Keyword(
            ProxyKeyword(parse_hash_affinity, Side.BACKEND),
            "always|maxconn|maxqueue",
            "when a hashed client leaves its server: never, when it is full, or with its queue full",
        ),
        "hash-type": Keyword(
            ProxyKeyword(parse_hash_type, Side.BACKEND),
            "type [function] [avalanche]",
            "how a hash leads to a server, and the hash function (map-based sdbm)",
        ),
        "http-check": Keyword(
            ProxyKeyword(parse_http_check, Side.BACKEND), "expect|send|connect …", "what health checks over HTTP do"
        ),
        "http-request": Keyword(
            ProxyKeyword(_http_request, Side.FRONTEND, strict=True, in_defaults=False),
            "use-service prometheus-exporter if { path /metrics }",
            "makes a section in 'mode http' a metrics listener; no other rule is supported",
        ),
        "error-log-format": Keyword(
            ProxyKeyword(_log_format("error_log_format"), Side.FRONTEND),
            '"…"',
            "the log line of a connection with an error, a time-out, a retry or a redispatch",
        ),
        "id": Keyword(ProxyKeyword(_id, in_defaults=False), "n", "a number that no other proxy has"),
        "persist": Keyword(
            ProxyKeyword(parse_persist, Side.BACKEND),
            "rdp-cookie[(name)]",
            "the server whose address the cookie of a remote desktop's client names (msts)",
        ),
        "log": Keyword(ProxyKeyword(_log), "global | target facility [level]", "where log lines go; 'no log': nowhere"),
        "log-format": Keyword(
            ProxyKeyword(_log_format("log_format"), Side.FRONTEND), '"…"', "the log line of a connection, of variables"
        ),
        "log-format-sd": Keyword(
            ProxyKeyword(_log_format("log_format_sd"), Side.FRONTEND),
            '"…"',
            "structured data of the log line, in the format rfc5424",
        ),
        "log-tag": Keyword(ProxyKeyword(_log_tag), "tag", "name in the log lines of this proxy"),
        "maxconn": Keyword(
            ProxyKeyword(_maxconn, Side.FRONTEND),
            "n",
            "connections of this frontend at a time; beyond, clients wait in the kernel's queue",
        ),
        "mode": Keyword(ProxyKeyword(_mode), "tcp", "balance TCP connections ('http': only for a metrics listener)"),
        "monitor": Keyword(
            ProxyKeyword(monitor, Side.FRONTEND, in_defaults=False), "fail if condition", "when 'monitor-uri' says 503"
        ),
        "monitor-uri": Keyword(
            ProxyKeyword(monitor_uri, Side.FRONTEND), "path", "an answer to probes of the balancer, in 'mode http'"
        ),
        "option": Keyword(ProxyKeyword(parse_option), "name …", "switches an option on; 'no option name': off"),
        "rate-limit": Keyword(
            ProxyKeyword(_rate_limit, Side.FRONTEND),
            "sessions n",
            "sessions of this frontend in a second; beyond, clients wait in the kernel's queue",
        ),
        "retries": Keyword(
            ProxyKeyword(_retries, Side.BACKEND), "n", "attempts after the first one that could not connect (3)"
        ),
        "server": Keyword(
            ProxyKeyword(_server, Side.BACKEND, strict=True, in_defaults=False),
            "name address [options]",
            "a server, and how it is used and checked",
        ),
        "source": Keyword(
            ProxyKeyword(_source, Side.BACKEND),
            "address[:port] [interface name] [usesrc clientip|client|address]",
            "where connections to servers, and checks, come from",
        ),
        "srvtcpka-cnt": Keyword(
            ProxyKeyword(probes("server_keepalive_count"), Side.BACKEND),
            "n",
            "unanswered keep-alive probes until a server is lost (4)",
        ),
        "srvtcpka-idle": Keyword(
            ProxyKeyword(seconds("server_keepalive_idle"), Side.BACKEND),
            "time",
            "silence until a server is probed (60s)",
        ),
        "srvtcpka-intvl": Keyword(
            ProxyKeyword(seconds("server_keepalive_interval"), Side.BACKEND),
            "time",
            "from one keep-alive probe of a server to the next (15s)",
        ),
        "stats": Keyword(ProxyKeyword(_stats), "…", "HAProxy's statistics page", Tier.INACTIVE),
        "timeout": Keyword(ProxyKeyword(parse_timeout), "name time", "a limit to silence or to a wait; 0 is none"),
        "unique-id-format": Keyword(
            ProxyKeyword(unique_id_format, Side.FRONTEND),
            '"…"',
            "a name for each connection, in logs and towards servers",
        ),
        **RULE_KEYWORDS,
    },
    not_yet=known.PROXY_NOT_YET,
    ignored=known.PROXY_IGNORED,
    removed=known.PROXY_REMOVED,
    refused=known.PROXY_REFUSED,
    also=known.SECTIONS,
)
