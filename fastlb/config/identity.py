"""What a thing is called besides its name: ``id``, ``guid``, ``description``, ``node`` (HAProxy manual, 3.1, 4.2)."""

from __future__ import annotations

import re

from fastlb.config.args import Args
from fastlb.config.errors import ConfigError, quote

_GUID = re.compile(r"[A-Za-z0-9_.:-]{1,127}")
_NODE = re.compile(r"[A-Za-z0-9_.-]{1,255}")


def parse_id(args: Args) -> int:
    """A number that nothing else of its kind may have."""
    return args.integer(1)


def parse_guid(args: Args) -> str:
    """A name that nothing else in the whole configuration may have."""
    return _matching(args, _GUID, "a name of up to 127 letters, digits and - _ . :")


def parse_node(args: Args) -> str:
    """The name of this machine in what is told of it."""
    return _matching(args, _NODE, "a name of letters, digits and - _ .")


def parse_description(args: Args) -> str:
    """All words up to the end of the line."""
    words = [args.need("a text").text]
    while (word := args.take()) is not None:
        words.append(word.text)
    return " ".join(words)


def _matching(args: Args, pattern: re.Pattern[str], what: str) -> str:
    name = args.words[args.at - 1].text
    word = args.need(what)
    if pattern.fullmatch(word.text) is None:
        raise ConfigError(word.location, f"{quote(name)} cannot be {quote(word.text)}: it is {what}")
    return word.text
