"""Options at the end of a ``bind`` or ``server`` line: a table of small functions, and the loop that applies it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from fastlb.config.args import MAX_COUNT, Args
from fastlb.config.errors import ConfigError, quote
from fastlb.config.keywords import KeywordTable
from fastlb.config.proxytree import ProxyExtras
from fastlb.config.tree import Said

LineOption = Callable[[Args], tuple[str, Any] | None]
"""Gives the name and the value of what was said, or None for what is so anyway."""
OptionTable = KeywordTable[LineOption]

MAX_ALGORITHM_BYTES = 15  # linux/tcp.h: TCP_CA_NAME_MAX, with its zero
MAX_KEY_BYTES = 80  # linux/tcp.h: TCP_MD5SIG_MAXKEYLEN
MAX_INTERFACE_BYTES = 15  # netdevice(7): IFNAMSIZ, with its zero


def parse_options(args: Args, table: OptionTable) -> dict[str, Said[Any]]:
    """Read options up to the end of the line. What is wrong with one does not hide what is wrong with the others."""
    options: dict[str, Said[Any]] = {}
    while (word := args.take()) is not None:
        try:
            option = table.find(word, args.report)
            if option is not None:
                said = option(args)
                if said is not None:
                    name, value = said
                    if name in options and isinstance(value, ProxyExtras):
                        value = options[name].value | value
                    options[name] = Said(value, args.value_location)
            elif word.text in table.takes_value:
                args.take()
        except ConfigError as failure:
            args.report.caught(failure)
            _skip_arguments(args, table, table.knows(word.text))
    return options


def _skip_arguments(args: Args, table: OptionTable, known: bool) -> None:
    """Go on at the next word that is an option, or may be meant as one when the option before was a mistake too."""
    while (word := args.peek()) is not None and not table.knows(word.text):
        if not known and word.text[0].isalpha():
            return
        args.take()


def flag(name: str, value: bool) -> LineOption:
    """An option without an argument."""
    return lambda args: (name, value)


def number(name: str, low: int, high: int = MAX_COUNT) -> LineOption:
    """An option with a whole number."""
    return lambda args: (name, args.integer(low, high))


def time(name: str) -> LineOption:
    """An option with a time of at least 1 ms."""
    return lambda args: (name, args.time_ms(low=1))


def interface(args: Args) -> tuple[str, str]:
    """``interface`` and the name of one."""
    word = args.need("the name of a network interface")
    if len(os.fsencode(word.text)) > MAX_INTERFACE_BYTES:
        message = f"the name of an interface has at most {MAX_INTERFACE_BYTES} bytes: {quote(word.text)}"
        raise ConfigError(word.location, message)
    return "interface", word.text


def congestion(args: Args) -> tuple[str, str]:
    """``cc`` and the name of an algorithm."""
    word = args.need("the name of an algorithm, such as cubic or bbr")
    if len(os.fsencode(word.text)) > MAX_ALGORITHM_BYTES:
        message = f"the name of an algorithm has at most {MAX_ALGORITHM_BYTES} bytes: {quote(word.text)}"
        raise ConfigError(word.location, message)
    return "congestion", word.text


def md5_key(args: Args) -> tuple[str, str]:
    """``tcp-md5sig`` and a key."""
    word = args.need("the key that both sides know")
    size = len(os.fsencode(word.text))
    if size > MAX_KEY_BYTES:
        raise ConfigError(word.location, f"a key for 'tcp-md5sig' has at most {MAX_KEY_BYTES} bytes, not {size}")
    return "md5_key", word.text


def action(name: str, what: str) -> LineOption:
    """An option whose one possible argument is ``what``: said, it is True."""

    def option(args: Args) -> tuple[str, bool]:
        keyword = quote(args.words[args.at - 1].text)
        word = args.need(quote(what), keyword[1:-1])
        if word.text != what:
            raise ConfigError(word.location, f"{keyword} cannot be {quote(word.text)}", f"it can only be {quote(what)}")
        return name, True

    return option


def so_anyway(args: Args) -> None:
    """An option without an argument that asks for what is so in any case."""


def text(name: str, what: str) -> LineOption:
    """An option with one word."""
    return lambda args: (name, args.need(what).text)
