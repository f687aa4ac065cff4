"""The bytes of the compiled rules: structs of rules.h, one after the other, that refer to each other by offset."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

from fastlb.rules.model import NO_INDEX, Match
from fastlb.rules.regex import Op, Regex
from fastlb.rules.segments import Range, segments


class Table:
    """Grows while rules are compiled. It begins with a rule_head: names of all backends and, if need be, servers."""

    def __init__(self) -> None:
        self._bytes = bytearray(8)
        self._texts: dict[bytes, int] = {}
        self._values: dict[bytes, int] = {}

    def finish(self, backends: Sequence[bytes], servers: Sequence[bytes] = ()) -> bytes:
        """All of it; the names are in the order of their numbers."""
        head = [
            self.names(Match.STR, list(zip(names, range(len(names)), strict=True))) for names in (backends, servers)
        ]
        self._bytes[:8] = struct.pack("=II", *head)
        return bytes(self._bytes)

    def add(self, data: bytes) -> int:
        """Append whole structs; returns their offset, a multiple of 8."""
        self._bytes += bytes(-len(self._bytes) % 8)
        offset = len(self._bytes)
        self._bytes += data
        return offset

    def words(self, *numbers: int) -> int:
        """Append a struct of 32-bit words."""
        return self.add(struct.pack(f"={len(numbers)}I", *numbers))

    def text(self, data: bytes) -> tuple[int, int]:
        """(offset, size) of these bytes."""
        offset = self._texts.get(data)
        if offset is None:
            offset = self._texts[data] = len(self._bytes)
            self._bytes += data
        return offset, len(data)

    def value(self, data: bytes) -> int:
        """What a map gives: the offset of a (text, size) pair."""
        offset = self._values.get(data)
        if offset is None:
            offset = self._values[data] = self.words(*self.text(data))
        return offset

    def names(self, match: Match, entries: Iterable[tuple[bytes, int]]) -> int:
        """Texts and their values. Sorted, with the longest prefix of each, where the engine finds them by halving."""
        unique: dict[bytes, int] = {}
        for name, value in entries:
            unique.setdefault(name[::-1] if match is Match.END else name, value)
        ordered = match in (Match.STR, Match.BEG, Match.END)
        names = sorted(unique) if ordered else list(unique)
        parents = _parents(names) if ordered else [NO_INDEX] * len(names)
        places = [self.text(name) for name in names]
        rows: list[int] = []
        for name, (offset, size), parent in zip(names, places, parents, strict=True):
            rows += (offset, size, parent, unique[name])
        return self.words(len(names), self.words(*rows))

    def regex(self, regex: Regex, value: int = 0) -> bytes:
        """A rule_regex; what it refers to is appended."""
        steps = [
            struct.pack("=III", step.op, self._byte_set(step.first) if step.op is Op.SET else step.first, step.second)
            for step in regex.steps
        ]
        firsts = NO_INDEX if regex.firsts is None else self._byte_set(regex.firsts)
        return struct.pack("=6I", len(steps), self.add(b"".join(steps)), firsts, regex.anchored, value, 0)

    def regexes(self, entries: Iterable[tuple[Regex, int]]) -> int:
        """Regular expressions and their values, in the order in which they are tried."""
        rows = [self.regex(regex, value) for regex, value in entries]
        return self.words(len(rows), self.add(b"".join(rows)))

    def _byte_set(self, found: int) -> int:
        """A set of bytes, one bit for each."""
        return self.text(found.to_bytes(32, "little"))[0]

    def integers(self, ranges: Iterable[Range]) -> int:
        """Ranges of whole numbers."""
        rows = [struct.pack("=qI4x", start, value) for start, value in segments(ranges) if start < 1 << 63]
        return self.words(len(rows), self.add(b"".join(rows)))

    def networks(self, v4: Iterable[Range], v6: Iterable[Range]) -> int:
        """Networks of both versions of IP."""
        small = [struct.pack("=II", start, value) for start, value in segments(v4) if start < 1 << 32]
        large = [
            struct.pack("=QQI4x", start >> 64, start & ((1 << 64) - 1), value)
            for start, value in segments(v6)
            if start < 1 << 128
        ]
        return self.words(len(small), self.add(b"".join(small)), len(large), self.add(b"".join(large)))


def _parents(names: list[bytes]) -> list[int]:
    """For each of the sorted names the index of the longest other one that it begins with."""
    parents: list[int] = []
    above: list[int] = []
    for number, name in enumerate(names):
        while above and not name.startswith(names[above[-1]]):
            above.pop()
        parents.append(above[-1] if above else NO_INDEX)
        above.append(number)
    return parents
