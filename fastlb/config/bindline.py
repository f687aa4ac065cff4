"""``bind`` lines (HAProxy manual, sections 4.2 ``bind`` and 5.1)."""

from __future__ import annotations

import re
from typing import Any

from fastlb.config import known
from fastlb.config.address import expand_address, parse_bind
from fastlb.config.args import Args
from fastlb.config.errors import ConfigError, quote
from fastlb.config.identity import parse_id
from fastlb.config.keywords import Keyword, KeywordTable
from fastlb.config.lineoptions import OptionTable, congestion, flag, interface, md5_key, number, parse_options, text
from fastlb.config.tree import BindLine, EndpointKind, Said

MAX_ID = 4294967294
MIN_MSS, MAX_MSS = 88, 32767  # what the kernel takes: TCP_MIN_MSS and MAX_TCP_WINDOW of net/tcp.h
_TCP_ONLY = ("defer_accept", "tfo", "interface", "transparent", "mss", "user_timeout", "congestion", "md5_key")
_KEYWORDS = {"user_timeout": "tcp-ut", "congestion": "cc", "md5_key": "tcp-md5sig"}
_GROUPS = re.compile(r"(?:[0-9]+/)?all|(?:[0-9]+/)?(?:odd|even|[0-9]+(?:-[0-9]*)?)")
_OCTAL = re.compile(r"[0-7]{1,4}")


def parse_bind_line(args: Args) -> BindLine:
    """Read what follows ``bind``: the addresses, then options in any order. Bad options are all reported."""
    word = args.need("an address, such as '*:80', '[::]:443' or '/run/app.sock'")
    addresses = parse_bind(expand_address(word, args.environ, args.report), word.location)
    _refuse_second_address(args)
    options = parse_options(args, BIND_OPTIONS)
    kinds = {address.endpoint.kind for address in addresses}
    if not kinds & {EndpointKind.INET6, EndpointKind.NAME}:
        _warn_useless(args, options, ("v6only",), "an address that is not IPv6")
    if kinds & {EndpointKind.UNIX, EndpointKind.ABSTRACT, EndpointKind.EXACT}:
        _refuse_tcp_only(args, options)
    if EndpointKind.UNIX not in kinds:
        _warn_useless(args, options, ("mode", "user", "uid", "group", "gid"), "an address that is no unix socket")
    return BindLine(addresses, word.location, **options)


def _refuse_second_address(args: Args) -> None:
    """``bind :80, :81`` and ``bind :80 :81``: no option contains a colon."""
    word = args.peek()
    if word is not None and ":" in word.text:
        hint = "write a 'bind' line for each, or a list with commas and no blanks"
        raise ConfigError(word.location, f"{quote(word.text)} is a second address", hint)


def _warn_useless(args: Args, options: dict[str, Said[Any]], names: tuple[str, ...], where: str) -> None:
    for name in names:
        said = options.pop(name, None)
        if said is not None:
            text = name if name != "v6only" or said.value else "v4v6"
            args.report.warning(said.location, f"{quote(text)} has no effect on {where}")


def _refuse_tcp_only(args: Args, options: dict[str, Said[Any]]) -> None:
    for name in _TCP_ONLY:
        said = options.pop(name, None)
        if said is not None:
            keyword = quote(_KEYWORDS.get(name, name.replace("_", "-")))
            args.report.error(said.location, f"{keyword} concerns TCP: a unix socket cannot have it")


def _mss(args: Args) -> tuple[str, int]:
    word = args.peek()
    if word is not None and word.text.startswith("-"):
        message = (
            f"'mss' cannot be {quote(word.text)}: Linux takes no other size for a connection that is there already"
        )
        raise ConfigError(word.location, message, f"say the size itself, within {MIN_MSS} and {MAX_MSS}")
    return "mss", args.integer(MIN_MSS, MAX_MSS)


def _shards(args: Args) -> None:
    """How many sockets there are: one for each worker, whatever is said, which is ``by-thread``."""
    word = args.need("'by-thread', 'by-group' or a number")
    if word.text not in ("by-thread", "by-group") and not (word.text.isascii() and word.text.strip("0").isdigit()):
        hint = "it is 'by-thread', 'by-group' or a number of sockets"
        raise ConfigError(word.location, f"'shards' cannot be {quote(word.text)}", hint)
    if word.text != "by-thread":
        args.report.warning(word.location, f"'shards {word.text}' is ignored: each worker has a socket of its own")


def _thread(args: Args) -> None:
    """Which threads accept: here it is all workers, which is ``all``."""
    word = args.need("'all', or a set such as '1-4'")
    for part in word.text.split(","):
        if _GROUPS.fullmatch(part) is None:
            hint = "it is 'all', or a set such as '1-4', '1/1-4' or 'odd'"
            raise ConfigError(word.location, f"'thread' cannot be {quote(word.text)}", hint)
    if not word.text.endswith("all"):
        args.report.warning(word.location, f"'thread {word.text}' is ignored: all workers accept from each address")


def _mode(args: Args) -> tuple[str, int]:
    word = args.need("an octal mode, such as 660")
    if _OCTAL.fullmatch(word.text) is None:
        raise ConfigError(word.location, f"'mode' cannot be {quote(word.text)}: it is octal, such as 660")
    return "mode", int(word.text, 8)


BIND_OPTIONS: OptionTable = KeywordTable(
    "option",
    {
        "v4v6": Keyword(flag("v6only", False), "", "IPv4 clients are served on an IPv6 address, too"),
        "v6only": Keyword(flag("v6only", True), "", "no IPv4 clients on an IPv6 address"),
        "backlog": Keyword(number("backlog", 1), "n", "connections the kernel holds until they are accepted (4096)"),
        "defer-accept": Keyword(
            flag("defer_accept", True), "", "accept when the client has sent something, or after 1 s"
        ),
        "tfo": Keyword(flag("tfo", True), "", "TCP Fast Open: the first bytes may come with the SYN"),
        "accept-proxy": Keyword(
            flag("accept_proxy", True), "", "clients must begin with a PROXY header, which says who they are"
        ),
        "interface": Keyword(interface, "name", "only connections that arrive by this network interface"),
        "transparent": Keyword(flag("transparent", True), "", "an address that this machine does not have, or not yet"),
        "mss": Keyword(_mss, "n", "largest segment that the other side is told to send"),
        "tcp-ut": Keyword(
            lambda args: ("user_timeout", args.time_ms()), "time", "how long what was sent may stay unacknowledged"
        ),
        "mode": Keyword(_mode, "mode", "permissions of a unix socket, octal"),
        "user": Keyword(text("user", "the name of a user"), "name", "owner of a unix socket"),
        "uid": Keyword(number("uid", 0, MAX_ID), "n", "owner of a unix socket, as a number"),
        "group": Keyword(text("group", "the name of a group"), "name", "group of a unix socket"),
        "name": Keyword(text("name", "a name"), "name", "what the start-up text calls it"),
        "id": Keyword(lambda args: ("id", parse_id(args)), "n", "a number that no other bind of the section has"),
        "maxconn": Keyword(
            number("maxconn", 0),
            "n",
            "connections of each address at a time; beyond, clients wait in the kernel's queue",
        ),
        "cc": Keyword(congestion, "algorithm", "how TCP finds its speed towards the clients, such as bbr"),
        "tcp-md5sig": Keyword(md5_key, "key", "clients must sign what they send with this key, RFC 2385 (BGP)"),
        "label": Keyword(text("label", "a word"), "text", "a word about it, which '--explain' shows"),
        "shards": Keyword(_shards, "by-thread", "a socket for each worker, as there is anyway"),
        "thread": Keyword(_thread, "all", "all workers accept, as they do anyway"),
        "gid": Keyword(number("gid", 0, MAX_ID), "n", "group of a unix socket, as a number"),
    },
    not_yet=known.BIND_NOT_YET,
    ignored=known.BIND_IGNORED,
    removed=known.BIND_REMOVED,
    refused=known.BIND_REFUSED,
    within="of 'bind'",
    takes_value=frozenset(known.BIND_IGNORED),
)
