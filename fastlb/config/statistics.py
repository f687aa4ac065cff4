"""HAProxy's statistics page and runtime socket (manual, sections 3.1 and 4.2 ``stats …``): read, but inactive here."""

from __future__ import annotations

from fastlb.config.args import Args
from fastlb.config.errors import ConfigError, quote
from fastlb.config.keywords import words
from fastlb.config.suggest import did_you_mean
from fastlb.config.summary import Topic

_PAGE = words(
    """admin auth enable hide-version http-request realm refresh scope show-desc show-legends show-modules show-node
    show-version uri"""
)
_NEEDS_VALUE = {
    "admin": "a condition",
    "auth": "user:password",
    "http-request": "a rule",
    "realm": "a text",
    "scope": "the name of a proxy",
    "uri": "a path",
}
_GLOBAL = ("socket", "timeout", "maxconn")


def parse_statistics(args: Args) -> str:
    """Read ``stats …`` of a proxy; returns what it is called in messages. Raises ConfigError."""
    word = args.need("one of " + ", ".join(sorted(_PAGE)))
    if word.text not in _PAGE:
        raise ConfigError(word.location, f"unknown 'stats' keyword {quote(word.text)}", did_you_mean(word.text, _PAGE))
    name = args.said
    if word.text in _NEEDS_VALUE:
        args.need(_NEEDS_VALUE[word.text])
    elif word.text == "refresh":
        args.time_ms(name=name)
    return name


def parse_runtime_socket(args: Args) -> None:
    """Read ``stats socket|timeout|maxconn …`` of the global section. Raises ConfigError."""
    word = args.need("'socket', 'timeout' or 'maxconn'")
    if word.text not in _GLOBAL:
        hint = (
            did_you_mean(word.text, _GLOBAL) or "in 'global' it is 'stats socket', 'stats timeout' or 'stats maxconn'"
        )
        raise ConfigError(word.location, f"unknown 'stats' keyword {quote(word.text)}", hint)
    name = args.said
    if word.text == "socket":
        args.need("an address or a path")
    elif word.text == "timeout":
        args.time_ms(low=1, name=name)
    else:
        args.integer(1, name=name)
    args.report.mention(Topic.INACTIVE, args.location, quote(name))
