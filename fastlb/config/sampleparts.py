"""A sample to its parts: names, and arguments in parentheses with their own quotes (HAProxy manual, section 2.2)."""

from __future__ import annotations

from typing import NamedTuple

from fastlb.config.errors import ConfigError, quote
from fastlb.config.lexer import Word

_HINT = "parts are written 'name(arguments)', with commas between them"
_STOPS = "(),]"
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", "'": "'", '"': '"', " ": " "}


class WrittenPart(NamedTuple):
    """A fetch or a converter as written: its name, with its place, and its arguments without their quotes."""

    name: Word
    arguments: tuple[str, ...]


def split_sample(word: Word, at: int = 0, end: str = "") -> tuple[list[WrittenPart], int]:
    """The parts of the sample that begins at ``at``, and where it ends: at ``end``, or with the word.

    Raises ConfigError.
    """
    parts: list[WrittenPart] = []
    text = word.text
    while True:
        first = at
        while at < len(text) and text[at] not in _STOPS:
            at += 1
        if at == first:
            raise ConfigError(word.location, f"a name is missing in {quote(text)}")
        name = word._replace(text=text[first:at], column=word.column + first)
        arguments: tuple[str, ...] = ()
        if text[at : at + 1] == "(":
            arguments, at = _arguments(word, first, at + 1)
        parts.append(WrittenPart(name, arguments))
        if text[at : at + 1] != ",":
            break
        at += 1
    if text[at : at + 1] != end:
        raise ConfigError(word.location, f"{quote(text[at:])} cannot follow {quote(text[first:at])}", _HINT)
    return parts, at


def _arguments(word: Word, name_at: int, at: int) -> tuple[tuple[str, ...], int]:
    """The arguments from behind the opening parenthesis to behind the closing one; none for ``()``."""
    text, given, begin, quoted = word.text, [""], at, ""
    while at < len(text):
        char = text[at]
        if char == "\\" and quoted != "'" and text[at + 1 : at + 2] in _ESCAPES and at + 1 < len(text):
            at += 1
            given[-1] += _ESCAPES[text[at]]
        elif char == quoted or (not quoted and char in "'\""):
            quoted = "" if quoted else char
        elif quoted or char not in ",)":
            given[-1] += char
        elif char == ")":
            return (tuple(given) if at > begin else ()), at + 1
        else:
            given.append("")
        at += 1
    raise ConfigError(
        word.location, f"{quote(text[begin - 1 :])} cannot follow {quote(text[name_at : begin - 1])}", _HINT
    )
