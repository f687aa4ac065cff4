"""``bind`` lines (HAProxy manual, sections 4.2 ``bind`` and 5.1)."""

from __future__ import annotations

import re
from typing import Any

from fastlb.config import known
from fastlb.config.address import expand_address, parse_bind
from fastlb.config.args import Args
from fastlb.config.errors import ConfigError, quote
from fastlb.config.keywords import Keyword, KeywordTable
from fastlb.config.lineoptions import OptionTable, flag, number, parse_options, text
from fastlb.config.tree import BindLine, EndpointKind, Said

MAX_ID = 4294967294
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
    if kinds & {EndpointKind.UNIX, EndpointKind.ABSTRACT}:
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
    for name in ("defer_accept", "tfo"):
        said = options.pop(name, None)
        if said is not None:
            keyword = quote(name.replace("_", "-"))
            args.report.error(said.location, f"{keyword} concerns TCP: a unix socket cannot have it")


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
        "mode": Keyword(_mode, "mode", "permissions of a unix socket, octal"),
        "user": Keyword(text("user", "the name of a user"), "name", "owner of a unix socket"),
        "uid": Keyword(number("uid", 0, MAX_ID), "n", "owner of a unix socket, as a number"),
        "group": Keyword(text("group", "the name of a group"), "name", "group of a unix socket"),
        "gid": Keyword(number("gid", 0, MAX_ID), "n", "group of a unix socket, as a number"),
    },
    not_yet=known.BIND_NOT_YET,
    removed=known.BIND_REMOVED,
    refused=known.BIND_REFUSED,
    within="of 'bind'",
)
