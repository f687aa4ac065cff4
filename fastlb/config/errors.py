"""Diagnostics: what is wrong with a configuration, where, and what to write instead.

Nothing in this package raises for something a file contains; everything ends up in a Report.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from fastlb.config.summary import Mention, Topic, render

MAX_ERRORS = 100
MAX_WARNINGS = 100
_MAX_MENTIONS = 10_000


@dataclass(frozen=True, slots=True)
class Location:
    """Where in the configuration something was said; line and column count from 1, line 0 is the file as a whole."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


class Severity(Enum):
    """An error refuses the configuration; a warning is for the operator to read, a notice what the file itself says."""

    ERROR = "error"
    WARNING = "warning"
    NOTICE = "notice"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding. ``str()`` is one line: ``lb.conf:3:10: error: unknown keyword 'bnid'; did you mean 'bind'?``."""

    severity: Severity
    location: Location
    message: str
    hint: str | None = None

    def __str__(self) -> str:
        hint = f"; {self.hint}" if self.hint else ""
        return f"{self.location}: {self.severity.value}: {self.message}{hint}"


class ConfigError(Exception):
    """Ends the parsing of one statement; the parser turns it into a Diagnostic and goes on with the next line."""

    def __init__(self, location: Location, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.location = location
        self.message = message
        self.hint = hint


class NotSupported(ConfigError):
    """Something that HAProxy has and fastlb does not: an error, unless its whole section is inactive anyway."""


class TooManyErrors(Exception):
    """Ends the whole loading: MAX_ERRORS were found, or a limit makes going on pointless."""


class Report:
    """Collects diagnostics. Bounded, so that a hostile file cannot fill the memory with complaints.

    ``diagnose``: what ``.diag`` says is wanted.
    """

    def __init__(self, *, diagnose: bool = False) -> None:
        self.diagnose = diagnose
        self._found: list[Diagnostic] = []
        self._known: set[tuple[Location, str]] = set()
        self._errors = 0
        self._warnings = 0
        self._held: list[ConfigError] | None = None
        self._mentions: dict[Topic, dict[Mention, None]] = {}

    @property
    def has_errors(self) -> bool:
        return self._errors > 0

    def error(self, location: Location, message: str, hint: str | None = None) -> None:
        """Record an error, once; raises TooManyErrors after MAX_ERRORS of them."""
        if self._is_known(location, message):
            return
        self._errors += 1
        self._found.append(Diagnostic(Severity.ERROR, location, message, hint))
        if self._errors >= MAX_ERRORS:
            end = Location(location.file, 0, 0)
            self._found.append(Diagnostic(Severity.ERROR, end, f"gave up after {MAX_ERRORS} errors"))
            raise TooManyErrors

    def fatal(self, location: Location, message: str, hint: str | None = None) -> None:
        """Record an error after which reading on makes no sense; raises TooManyErrors."""
        self.error(location, message, hint)
        raise TooManyErrors

    def caught(self, failure: ConfigError) -> None:
        """Record what ended one statement."""
        if self._held is not None and isinstance(failure, NotSupported) and len(self._held) < MAX_ERRORS:
            self._held.append(failure)
        else:
            self.error(failure.location, failure.message, failure.hint)

    def hold(self) -> None:
        """From here on keep back what is not supported: the section may turn out to be inactive as a whole."""
        self._held = []

    @property
    def holds_any(self) -> bool:
        """Whether something was kept back."""
        return bool(self._held)

    def release(self, *, forget: bool) -> None:
        """The end of what ``hold`` began: record what was kept back, or ``forget`` it."""
        held, self._held = self._held or [], None
        for failure in held if not forget else ():
            self.caught(failure)

    def warning(self, location: Location, message: str, hint: str | None = None) -> None:
        """Record a warning, once; those after MAX_WARNINGS are only counted."""
        self._remark(Severity.WARNING, location, message, hint)

    def notice(self, location: Location, message: str) -> None:
        """Record what the file wants to be said. It counts as a warning does."""
        self._remark(Severity.NOTICE, location, message, None)

    def _remark(self, severity: Severity, location: Location, message: str, hint: str | None) -> None:
        if self._is_known(location, message):
            return
        self._warnings += 1
        if self._warnings <= MAX_WARNINGS:
            self._found.append(Diagnostic(severity, location, message, hint))

    def mention(self, topic: Topic, location: Location, name: str) -> None:
        """Record something that goes into the summary of ``topic``: one warning for all."""
        mentions = self._mentions.setdefault(topic, {})
        if len(mentions) < _MAX_MENTIONS:
            mentions[Mention(location.file, location.line, location.column, name)] = None

    def _is_known(self, location: Location, message: str) -> bool:
        """What ``defaults`` says wrong concerns many proxies, and is to be said once."""
        known = (location, message) in self._known
        if not known and len(self._known) < MAX_ERRORS + MAX_WARNINGS:
            self._known.add((location, message))
        return known

    def diagnostics(self, files: tuple[str, ...] = ()) -> tuple[Diagnostic, ...]:
        """Everything found, in the order of the files and of the text; remarks about a whole file come last in it."""
        order = {file: n for n, file in enumerate(files)}
        last = len(order)

        def position(found: Diagnostic) -> tuple[int, bool, int, int]:
            at = found.location
            return order.get(at.file, last), at.line == 0, at.line, at.column

        found = sorted([*self._found, *self._summaries()], key=position)
        more = self._warnings - MAX_WARNINGS
        if more > 0:
            where = Location(found[-1].location.file, 0, 0)
            found.append(Diagnostic(Severity.WARNING, where, f"{more} more warnings are not shown"))
        return tuple(found)

    def _summaries(self) -> list[Diagnostic]:
        """One warning for each topic that anything was mentioned of, at the place of the first."""
        found = []
        for topic, mentions in self._mentions.items():
            first = next(iter(mentions))
            message, hint = render(topic, list(mentions))
            where = Location(first.file, first.line, first.column)
            found.append(Diagnostic(Severity.WARNING, where, message, hint))
        return found


def quote(text: str, limit: int = 60) -> str:
    """A word of the file as it may appear in a message: in quotes, shortened, nothing unprintable left in it."""
    short = text if len(text) <= limit else text[:limit] + "…"
    if not short.isprintable():
        short = "".join(c if c.isprintable() else _escape(c) for c in short)
    return f"'{short}'"


def _escape(char: str) -> str:
    """One unprintable character in ASCII; bytes that were not UTF-8 arrive as lone surrogates U+DC80 to U+DCFF."""
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return char.encode("unicode_escape").decode("ascii")
