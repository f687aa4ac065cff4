"""``init-addr``: where a server's address comes from when the file is read (HAProxy manual, section 5.2)."""

from __future__ import annotations

import ipaddress

from fastlb.config.args import Args
from fastlb.config.errors import ConfigError, quote
from fastlb.config.suggest import did_you_mean

METHODS = ("last", "libc", "none")


def init_addr(args: Args) -> tuple[str, tuple[str, ...]]:
    """A list with commas: methods in the order in which they are tried, and one address at most."""
    word = args.need("a list of methods, such as 'libc,none'")
    methods: list[str] = []
    for text in filter(None, word.text.split(",")):
        method = text if text in METHODS else _address(text)
        if method is None:
            hint = did_you_mean(text, METHODS) or "it is a list of 'last', 'libc', 'none' and an IP address"
            raise ConfigError(word.location, f"'init-addr' cannot be {quote(text)}", hint)
        if method not in METHODS and any(one not in METHODS for one in methods):
            raise ConfigError(word.location, f"'init-addr' takes one address: {quote(text)} is a second one")
        methods.append(method)
    return "init_addr", tuple(methods)


def _address(text: str) -> str | None:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
