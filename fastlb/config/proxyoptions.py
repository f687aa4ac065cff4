"""``option`` lines of proxies (HAProxy manual, section 4.2 ``option …``)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fastlb.config import known
from fastlb.config.args import Args
from fastlb.config.errors import ConfigError, quote
from fastlb.config.httpchk import parse_httpchk
from fastlb.config.keepalive import CLIENT, SERVER, keepalive_off, keepalive_on
from fastlb.config.keywords import Keyword, KeywordTable, Tier
from fastlb.config.proxysection import ProxySection, Side, warn_wrong_side
from fastlb.config.tree import HttpCheck, TcpCheck

REDISPATCH_DEFAULT = -1


@dataclass(frozen=True, slots=True)
class OptionKeyword:
    """One option. ``off`` is what ``no option`` does; None for an option that cannot be negated."""

    on: Callable[[ProxySection, Args], None]
    side: Side
    off: Callable[[ProxySection, Args], None] | None = None


def parse_option(section: ProxySection, args: Args) -> None:
    """Read ``option x …``. Raises ConfigError."""
    option = _find(section, args)
    if option is not None:
        option.on(section, args)


def parse_negated_option(section: ProxySection, args: Args) -> None:
    """Read ``no option x`` or ``default option x``; an option without ``off`` has none. Raises ConfigError."""
    option = _find(section, args)
    if option is None:
        return
    if option.off is None:
        word = args.words[args.at - 1]
        raise ConfigError(word.location, f"{quote(args.said)} is not possible: this option cannot be negated")
    option.off(section, args)


def _find(section: ProxySection, args: Args) -> OptionKeyword | None:
    word = args.need("the name of an option")
    option = OPTIONS.find(word, args.report)
    if option is not None and not section.side & option.side:
        warn_wrong_side(section, option.side, quote(f"option {word.text}"), args)
        return None
    return option


def _tcplog(section: ProxySection, args: Args) -> None:
    word = args.peek()
    if word is not None and word.text == "clf":
        raise ConfigError(word.location, "'option tcplog clf' is not supported yet", "write 'option tcplog'")
    section.set("tcplog", True, args)
    section.set("log_format", (), args)  # the last one said counts


def _httplog(section: ProxySection, args: Args) -> None:
    """Falls back to tcplog in a TCP proxy; the plan says so, because a metrics listener may inherit it."""
    args.accept("clf")
    section.set("httplog", True, args)
    section.set("log_format", (), args)


def _redispatch(section: ProxySection, args: Args) -> None:
    """The interval: -1 the last retry, n every n-th, 0 off."""
    section.set("redispatch", args.integer(-1, name=args.said) if args.peek() else REDISPATCH_DEFAULT, args)


def _httpchk(section: ProxySection, args: Args) -> None:
    section.add_http_check(parse_httpchk(args))
    section.set("check", HttpCheck(), args)


def _kernel_splice(section: ProxySection, args: Args) -> None:
    """Ours, not HAProxy's. ``auto`` is the same as nothing: used where kernel and capabilities allow it."""
    args.accept("auto")
    section.set("kernel_splice", True, args)


def _tcp_check(section: ProxySection, args: Args) -> None:
    section.set("check", TcpCheck(), args)


def _switch(name: str, side: Side) -> OptionKeyword:
    """An option without arguments that ``no option`` switches off."""
    return OptionKeyword(
        lambda section, args: section.set(name, True, args),
        side,
        off=lambda section, args: section.set(name, False, args),
    )


OPTIONS: KeywordTable[OptionKeyword] = KeywordTable(
    "option",
    {
        "abortonclose": Keyword(
            _switch("abortonclose", Side.BACKEND),
            "",
            "a client that finishes before its server is connected has left, also if it has sent something",
        ),
        "allbackups": Keyword(
            _switch("allbackups", Side.BACKEND),
            "",
            "without a usable active server, all usable backups share the traffic",
        ),
        "clitcpka": Keyword(
            OptionKeyword(keepalive_on(CLIENT), Side.FRONTEND, off=keepalive_off(CLIENT)),
            "",
            "TCP keep-alive of clients, which is on unless switched off",
        ),
        "dontlog-normal": Keyword(
            _switch("dontlog_normal", Side.FRONTEND),
            "",
            "no log line for connections without an error, a time-out, a retry or a redispatch",
        ),
        "dontlognull": Keyword(
            _switch("dontlognull", Side.FRONTEND),
            "",
            "no log line for connections on which the client sent nothing",
        ),
        "httpchk": Keyword(
            OptionKeyword(_httpchk, Side.BACKEND),
            "[method] [uri] [version]",
            "health checks send an HTTP request, and want 2xx or 3xx",
        ),
        "httplog": Keyword(OptionKeyword(_httplog, Side.FRONTEND), "", "means 'option tcplog' in a TCP proxy"),
        "kernel-splice": Keyword(
            OptionKeyword(
                _kernel_splice, Side.BOTH, off=lambda section, args: section.set("kernel_splice", False, args)
            ),
            "[auto]",
            "the kernel forwards chatty sessions (experimental)",
            Tier.OWN,
        ),
        "log-health-checks": Keyword(
            _switch("log_health_checks", Side.BACKEND),
            "",
            "a log line for every check whose result is another than before",
        ),
        "log-separate-errors": Keyword(
            _switch("log_separate_errors", Side.FRONTEND), "", "log lines of what did not go well have the level err"
        ),
        "logasap": Keyword(
            _switch("logasap", Side.FRONTEND), "", "the log line is written when the server is connected"
        ),
        "nolinger": Keyword(
            _switch("nolinger", Side.BOTH),
            "",
            "connections end by a reset: those of clients by the frontend's option, of servers by the backend's",
        ),
        "persist": Keyword(
            _switch("persist_down", Side.BACKEND),
            "",
            "a client goes to the server of its 'use-server', 'stick' or 'persist' though that one is down",
        ),
        "redispatch": Keyword(
            OptionKeyword(_redispatch, Side.BACKEND, off=lambda section, args: section.set("redispatch", 0, args)),
            "[n]",
            "a retry may go to another server: the last one, or every n-th",
        ),
        "srvtcpka": Keyword(
            OptionKeyword(keepalive_on(SERVER), Side.BACKEND, off=keepalive_off(SERVER)),
            "",
            "TCP keep-alive of servers, also where a timeout comes first",
        ),
        "tcp-check": Keyword(OptionKeyword(_tcp_check, Side.BACKEND), "", "health checks connect, which is enough"),
        "tcp-smart-accept": Keyword(
            _switch("tcp_smart_accept", Side.FRONTEND),
            "",
            "a client's first bytes are acknowledged with the answer",
        ),
        "tcp-smart-connect": Keyword(
            _switch("tcp_smart_connect", Side.BACKEND), "", "a client's first bytes leave with the end of the handshake"
        ),
        "tcpka": Keyword(
            OptionKeyword(keepalive_on(CLIENT + SERVER), Side.BOTH, off=keepalive_off(CLIENT + SERVER)),
            "",
            "TCP keep-alive of clients and servers",
        ),
        "tcplog": Keyword(OptionKeyword(_tcplog, Side.FRONTEND), "", "a log line for each connection when it ends"),
    },
    not_yet=known.OPTION_NOT_YET,
    ignored=known.OPTION_IGNORED,
    refused=known.OPTION_REFUSED,
    prefix="option ",
)
