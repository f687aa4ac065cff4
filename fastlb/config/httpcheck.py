"""``http-check`` lines (HAProxy manual, section 4.2): what is sent, over which connection, and what must come back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastlb.config import known
from fastlb.config.address import MAX_PORT
from fastlb.config.args import Args
from fastlb.config.checkaddress import parse_check_address
from fastlb.config.checktree import HttpComment, HttpConnect, HttpExpect, HttpSend
from fastlb.config.errors import ConfigError, quote
from fastlb.config.httpchk import VERSIONS, method_name, visible_text
from fastlb.config.httpexpect import parse_expect
from fastlb.config.keywords import Keyword, KeywordTable
from fastlb.config.lexer import Word
from fastlb.config.proxysection import ProxySection
from fastlb.config.tokens import TOKEN

Parse = Callable[[ProxySection, Args], None]
Part = Callable[[Args], tuple[str, Any]]


def parse_http_check(section: ProxySection, args: Args) -> None:
    """Read ``http-check …``. Raises ConfigError."""
    word = args.need(f"one of {', '.join(HTTP_CHECKS.supported)}")
    parse = HTTP_CHECKS.find(word, args.report)
    if parse is not None:
        parse(section, args)


def _expect(section: ProxySection, args: Args) -> None:
    rule = parse_expect(args)
    section.add_http_check(HttpExpect(args.location, rule, rule.comment))


def _send(section: ProxySection, args: Args) -> None:
    said: dict[str, Any] = {"headers": ()}
    while (word := args.take()) is not None:
        part = SEND.find(word, args.report)
        if part is not None:
            name, value = part(args)
            said[name] = said["headers"] + value if name == "headers" else value
    section.add_http_check(HttpSend(args.location, **said))


def _connect(section: ProxySection, args: Args) -> None:
    said: dict[str, Any] = {}
    while (word := args.take()) is not None:
        part = CONNECT.find(word, args.report)
        if part is not None:
            name, value = part(args)
            said[name] = value
    section.add_http_check(HttpConnect(args.location, **said))


def _comment(section: ProxySection, args: Args) -> None:
    text = args.need("a text").text
    args.end("a text with blanks is quoted")
    section.add_http_check(HttpComment(args.location, text))


def _switch(name: str) -> Parse:
    return lambda section, args: section.set(name, True, args)


def _flag(name: str) -> Part:
    return lambda args: (name, True)


def _text(name: str, what: str) -> Part:
    return lambda args: (name, args.need(what).text)


def _method(args: Args) -> tuple[str, str]:
    return "method", method_name(args.need("a method, such as GET"))


def _uri(args: Args) -> tuple[str, str]:
    return "uri", visible_text(args.need("a URI, such as /healthz"), "URI")


def _version(args: Args) -> tuple[str, str]:
    return "version", args.one_of(VERSIONS, "HTTP version").text


def _header(args: Args) -> tuple[str, tuple[tuple[str, str], ...]]:
    name = args.need("the name of a header and its value")
    if TOKEN.fullmatch(name.text) is None:
        raise ConfigError(name.location, f"{quote(name.text)} is no name of an HTTP header")
    value = args.need("a value behind the name of the header", "hdr")
    if name.text.lower() in ("content-length", "transfer-encoding"):
        hint = "it follows from 'body'"
        raise ConfigError(name.location, f"{quote(name.text)} cannot be set in the request of a health check", hint)
    text = _literal(value)
    if any((ord(c) < 32 and c != "\t") or ord(c) == 127 for c in text):
        raise ConfigError(value.location, f"the value of {quote(name.text)} contains a control character")
    return "headers", ((name.text.lower(), text.strip()),)


def _literal(word: Word) -> str:
    """A log format without variables: ``%%`` stands for a percent sign."""
    text = word.text.replace("%%", "")
    if "%" in text:
        hint = "a percent sign is written '%%'"
        raise ConfigError(word.location, "variables in the header of a health check are not supported yet", hint)
    return word.text.replace("%%", "%")


def _address(args: Args) -> tuple[str, Any]:
    return "addr", parse_check_address(args)


HTTP_CHECKS: KeywordTable[Parse] = KeywordTable(
    "keyword",
    {
        "comment": Keyword(_comment, "text", "said when one of the steps that follow fails"),
        "connect": Keyword(_connect, "[default] [port n] [addr a] …", "opens a connection, another than the server's"),
        "disable-on-404": Keyword(
            _switch("disable_on_404"), "", "the answer 404 has the server finish what it has, and get nothing new"
        ),
        "expect": Keyword(_expect, "[!] status|rstatus|string|rstring|hdr|fhdr …", "what the answer must be"),
        "send": Keyword(_send, "[meth m] [uri u] [ver v] [hdr name value]… [body b]", "the request"),
        "send-state": Keyword(_switch("send_state"), "", "tells the server what is thought of it, in a header"),
    },
    not_yet=known.HTTP_CHECK_NOT_YET,
    not_yet_prefixes=("set-var(", "set-var-fmt(", "unset-var("),
    within="of 'http-check'",
    prefix="http-check ",
)

SEND: KeywordTable[Part] = KeywordTable(
    "word",
    {
        "meth": Keyword(_method, "method", "the method (OPTIONS)"),
        "uri": Keyword(_uri, "uri", "the URI (/)"),
        "ver": Keyword(_version, "version", "HTTP/1.0 or HTTP/1.1 (HTTP/1.0)"),
        "hdr": Keyword(_header, "name value", "a header; several are possible"),
        "body": Keyword(_text("body", "a text"), "text", "what follows the headers"),
        "comment": Keyword(_text("comment", "a text"), "text", "said when it fails"),
    },
    not_yet=known.HTTP_SEND_NOT_YET,
    within="of 'http-check send'",
)

CONNECT: KeywordTable[Part] = KeywordTable(
    "word",
    {
        "default": Keyword(_flag("default"), "", "with the server's own options, such as 'send-proxy'"),
        "port": Keyword(lambda args: ("port", args.integer(1, MAX_PORT)), "n", "another port"),
        "addr": Keyword(_address, "address[:port]", "another address"),
        "send-proxy": Keyword(_flag("send_proxy"), "", "begin with a PROXY header"),
        "linger": Keyword(_flag("linger"), "", "end with a FIN, not with a reset"),
        "comment": Keyword(_text("comment", "a text"), "text", "said when it fails"),
    },
    not_yet=known.HTTP_CONNECT_NOT_YET,
    within="of 'http-check connect'",
)
