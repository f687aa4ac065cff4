"""TCP keep-alive: ``option tcpka`` and its like, ``clitcpka-idle`` and its like (HAProxy manual, section 4.2)."""

from __future__ import annotations

from collections.abc import Callable

from fastlb.config.args import Args
from fastlb.config.proxysection import ProxySection

CLIENT = ("client_keepalive",)
SERVER = ("server_keepalive",)
MAX_SECONDS = 32767  # tcp(7): TCP_KEEPIDLE and TCP_KEEPINTVL
MAX_PROBES = 127

Statement = Callable[[ProxySection, Args], None]


def keepalive_on(names: tuple[str, ...]) -> Statement:
    """``option clitcpka`` and its like: probes for these sides, whatever their timeouts are."""
    return lambda section, args: _set_all(section, args, names, True)


def keepalive_off(names: tuple[str, ...]) -> Statement:
    """``no option …`` is no probes; ``default option …`` what it is when nothing is said."""
    return lambda section, args: _set_all(section, args, names, None if args.words[0].text == "default" else False)


def seconds(name: str) -> Statement:
    """A time in whole seconds, which is also the unit of a bare number."""
    return lambda section, args: section.set(name, args.seconds(1, MAX_SECONDS), args)


def probes(name: str) -> Statement:
    """How many probes may stay unanswered."""
    return lambda section, args: section.set(name, args.integer(1, MAX_PROBES), args)


def _set_all(section: ProxySection, args: Args, names: tuple[str, ...], value: bool | None) -> None:
    for name in names:
        section.set(name, value, args)
