"""The nearest known word, for messages."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from fastlb.config.errors import quote

_LONGEST = 40


def nearest(text: str, known: Iterable[str]) -> str | None:
    """The word of ``known`` that looks most like ``text``, or None when none does."""
    if len(text) > _LONGEST:
        return None
    found = get_close_matches(text.lower(), list(known), n=1, cutoff=0.6)
    return found[0] if found else None


def did_you_mean(text: str, known: Iterable[str]) -> str | None:
    """``did you mean 'bind'?``, or None."""
    word = nearest(text, known)
    return f"did you mean {quote(word)}?" if word else None
