"""Files of values (``-f``) and of maps: one entry a line, ``#`` at its start for comments."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from fastlb.config.errors import ConfigError, Location, Report, quote
from fastlb.config.globaltree import DefaultPath
from fastlb.config.lexer import Word

MAX_BYTES = 64 << 20
MAX_LINE_BYTES = 4096


class Files:
    """Reads each file once. All of them together may have MAX_BYTES."""

    def __init__(self, report: Report, base: DefaultPath) -> None:
        self._report = report
        self._base = base
        self._left = MAX_BYTES
        self._read: dict[str, list[Word]] = {}
        self._digests: dict[str, str] = {}

    def lines(self, name: str, where: Location) -> list[Word]:
        """The lines that say something, without the blanks around them. Raises ConfigError."""
        path = self._base.of(name, where)
        if path not in self._read:
            self._read[path] = list(self._lines(path, where))
            self._digests[name] = self.digest(name) + self._digests[path]
        return self._read[path]

    def digest(self, name: str) -> str:
        """SHA-256 of what was read by that name; empty for what was not."""
        return self._digests.get(name, "")

    def _lines(self, name: str, where: Location) -> Iterator[Word]:
        for number, raw in enumerate(self._data(name, where).split(b"\n"), 1):
            if raw.startswith(b"#"):
                continue
            line = raw.strip()
            if len(line) > MAX_LINE_BYTES:
                self._report.error(Location(name, number, 1), f"the line has more than {MAX_LINE_BYTES} bytes")
            elif line:
                column = len(raw) - len(raw.lstrip()) + 1
                yield Word(line.decode("utf-8", "surrogateescape"), name, number, column)

    def _data(self, name: str, where: Location) -> bytes:
        try:
            with Path(name).open("rb") as file:
                data = file.read(self._left + 1)
        except (OSError, ValueError) as failure:
            reason = getattr(failure, "strerror", None) or failure
            raise ConfigError(where, f"{quote(name)} cannot be read: {reason}") from None
        if len(data) > self._left:
            raise ConfigError(where, f"the files of values have more than {MAX_BYTES >> 20} MiB")
        self._left -= len(data)
        self._digests[name] = hashlib.sha256(data).hexdigest()
        return data
