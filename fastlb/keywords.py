"""``fastlb keywords``: the language, word by word."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from itertools import groupby

from fastlb.config.catalogue import Item, items, look_up
from fastlb.config.errors import quote
from fastlb.config.keywords import Tier
from fastlb.config.suggest import did_you_mean

EXIT_OK, EXIT_FAILED = 0, 1
_COLUMN = 36
_LINE_CHARS = 110


def run(words: Sequence[str]) -> int:
    """Prints what is known of ``words`` (``timeout client``), or all there is; 1 when it is no word of the language."""
    text = " ".join(words)
    if not text:
        _show(_everything())
        return EXIT_OK
    found = look_up(text)
    if not found:
        hint = did_you_mean(text, (item.text for item in items()))
        print(f"fastlb: {quote(text)} is no word of the language{f'; {hint}' if hint else ''}", file=sys.stderr)
        return EXIT_FAILED
    _show(line for item in found for line in _described(item))
    return EXIT_OK


def _show(lines: Iterator[str]) -> None:
    """Whoever reads may stop reading, as ``head`` does."""
    try:
        print("\n".join(lines), flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is left in the buffer goes there at the end


def _described(item: Item) -> list[str]:
    """``weight n`` and, below it, where it stands and what it does."""
    where = f"{item.place} ({', '.join(item.sections)})" if item.sections else item.place
    verdict = [] if item.tier is Tier.SUPPORTED else [item.tier.value]
    return [_head(item), f"    in: {where}", f"    {': '.join([*verdict, item.help] if item.help else verdict)}"]


def _everything() -> Iterator[str]:
    """The supported words with their help; the others by name."""
    for place, group in groupby(items(), key=lambda item: item.place):
        known = sorted(group, key=lambda item: item.text)
        yield f"{place[0].upper()}{place[1:]}\n"
        for item in known:
            if item.supported:
                yield _line(item)
        for tier in (Tier.NOT_YET, Tier.REFUSED, Tier.IGNORED, Tier.REMOVED):
            names = [item.text.rpartition(" ")[2] for item in known if item.tier is tier]
            if names:
                yield _wrapped(tier.value, names)
        yield ""


def _head(item: Item) -> str:
    return f"{item.text} {item.usage}".rstrip()


def _line(item: Item) -> str:
    """Word, usage and help, in two columns."""
    head = _head(item)
    gap = "\n" + " " * (_COLUMN + 2) if len(head) >= _COLUMN else " " * (_COLUMN - len(head))
    return f"  {head}{gap}{item.help}{'' if item.tier is Tier.SUPPORTED else f' [{item.tier.value}]'}"


def _wrapped(head: str, names: Sequence[str]) -> str:
    lines = [f"\n  {head}:"]
    for name in names:
        if len(lines[-1]) + len(name) > _LINE_CHARS:
            lines.append("   ")
        lines[-1] += f" {name}"
    return "\n".join(lines)
