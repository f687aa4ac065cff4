"""What is said once for a whole configuration: settings without effect, and parts that stay inactive."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

_NAMES, _RANGES = 12, 40


class Topic(Enum):
    """The subject of one summary; the value is its wording for one thing, for many, and what to do instead."""

    NO_EFFECT = (
        "1 setting concerns HTTP or TLS and has no effect here",
        "settings concern HTTP or TLS and have no effect here",
        None,
    )
    INACTIVE = (
        "inactive, because fastlb has no statistics page and no runtime socket yet",
        "",
        "'prometheus bind' in 'global' serves metrics, 'fastlb status' says what runs",
    )


class Mention(NamedTuple):
    """One thing that a summary tells of."""

    file: str
    line: int
    column: int
    name: str


def render(topic: Topic, mentions: list[Mention]) -> tuple[str, str | None]:
    """Message and hint, such as ``2 settings …: 'errorfile', 'option httpclose' (lb.conf:4,7)``."""
    one, many, hint = topic.value
    head = f"{len(mentions)} {many}" if many and len(mentions) > 1 else one
    names = list(dict.fromkeys(mention.name for mention in mentions))
    more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
    return f"{head}: {', '.join(names[:_NAMES])}{more} ({_places(mentions)})", hint


def _places(mentions: list[Mention]) -> str:
    """``a.conf:3,5-7, b.conf:1``: every line, as ranges."""
    lines: dict[str, set[int]] = {}
    for mention in mentions:
        lines.setdefault(mention.file, set()).add(mention.line)
    return ", ".join(f"{file}:{_ranges(sorted(numbers))}" for file, numbers in lines.items())


def _ranges(numbers: list[int]) -> str:
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    texts = [str(low) if low == high else f"{low}-{high}" for low, high in ranges[:_RANGES]]
    return ",".join([*texts, "…"] if len(ranges) > _RANGES else texts)
