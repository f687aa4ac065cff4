"""Regular expressions about what a server answers: HAProxy's dialect, as far as Python's has the same."""

from __future__ import annotations

import re
import warnings
from functools import lru_cache

_CLASSES = {
    b"alnum": rb"0-9A-Za-z",
    b"alpha": rb"A-Za-z",
    b"blank": rb" \t",
    b"digit": rb"0-9",
    b"lower": rb"a-z",
    b"punct": rb"!-/:-@\[-`{-~",
    b"space": rb"\s",
    b"upper": rb"A-Z",
    b"word": rb"\w",
    b"xdigit": rb"0-9A-Fa-f",
}
_POSIX_CLASS = re.compile(rb"\[:([a-z]+):\]")


class RegexError(ValueError):
    """Why a text is no regular expression here."""


@lru_cache(maxsize=4096)
def compile_bytes(source: bytes, ignore_case: bool = False) -> re.Pattern[bytes]:
    """The expression, with classes such as ``[:digit:]`` too. Raises RegexError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return re.compile(_POSIX_CLASS.sub(_class, source), re.IGNORECASE if ignore_case else 0)
    except (re.error, OverflowError, RecursionError) as error:
        raise RegexError(str(error)) from None


def _class(match: re.Match[bytes]) -> bytes:
    if match[1] not in _CLASSES:
        raise RegexError(f"there is no class {match[0].decode('latin-1')!r}")
    return _CLASSES[match[1]]
