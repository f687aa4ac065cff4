"""From bytes to words: white space, comments, quotes, escapes and environment variables.

HAProxy manual, section 2.2 "Quoting and escaping". A line ends with LF; CR counts as white space, and the last line
needs no LF (HAProxy refuses such a file).
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from fastlb.config.environment import EnvironmentSyntaxError, read_reference
from fastlb.config.errors import ConfigError, Location, Report, quote

MAX_LINE_BYTES = 2048
MAX_WORDS = 64
MAX_EXPANDED_CHARS = 16384
_BOM = b"\xef\xbb\xbf"
_SPACE = " \t\n\v\f\r"

_PLAIN_WORD = re.compile(r"[^ \t\n\v\f\r]+")
_PLAIN_RUN = re.compile(r"[^ \t\n\v\f\r\\\"'#]+")
_QUOTED_RUN = re.compile(r"[^\\\"$]+")
_HEX = re.compile(r"[0-9A-Fa-f]{2}")
_ESCAPES = {" ": " ", "#": "#", "\\": "\\", "'": "'", '"': '"', "n": "\n", "r": "\r", "t": "\t"}


class Word(NamedTuple):
    """One word of a statement, after quotes, escapes and variables, with the place where it began."""

    text: str
    file: str
    line: int
    column: int

    @property
    def location(self) -> Location:
        return Location(self.file, self.line, self.column)


class EmptyWord(ConfigError):
    """A word that turned out empty, which is no error where lines are skipped."""


def _never() -> bool:
    return False


def _ignore(file: str, line: int) -> None:
    """Nobody asks where we are."""


def read_lines(
    file: str,
    data: bytes,
    environ: Mapping[str, str],
    report: Report,
    skipping: Callable[[], bool] = _never,
    enter_line: Callable[[str, int], None] = _ignore,
) -> Iterator[list[Word]]:
    """Yield the words of each line that has any. What cannot be read is reported and left out.

    While ``skipping()`` is true, words may be empty. ``enter_line`` is told the place of each line before it is read.
    """
    if _refuses_whole(file, data, report):
        return
    if data.startswith(_BOM):
        report.error(Location(file, 1, 1), "the file begins with a byte-order mark", "save it as UTF-8 without BOM")
        data = data[len(_BOM) :]
    for number, raw in enumerate(io.BytesIO(data), 1):
        content = raw.strip()
        if not content or content.startswith(b"#"):
            continue
        enter_line(file, number)
        try:
            words = _split(file, number, raw, environ)
        except EmptyWord as failure:
            if not skipping():
                report.caught(failure)
            continue
        except ConfigError as failure:
            report.caught(failure)
            continue
        if words:
            yield words


def _refuses_whole(file: str, data: bytes, report: Report) -> bool:
    """A NUL byte means that this is no text, or not in UTF-8: one error instead of one for each line."""
    nul = data.find(b"\0")
    if nul < 0:
        return False
    line = data.count(b"\n", 0, nul) + 1
    column = nul - data.rfind(b"\n", 0, nul)
    hint = "save it as UTF-8" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "a configuration is a text file"
    report.error(Location(file, line, column), "the file contains a NUL byte", hint)
    return True


def _split(file: str, line: int, raw: bytes, environ: Mapping[str, str]) -> list[Word]:
    """Split one line into words. Raises ConfigError."""
    if len(raw) > MAX_LINE_BYTES:
        message = f"the line is {len(raw)} bytes long; at most {MAX_LINE_BYTES} are allowed"
        raise ConfigError(Location(file, line, 1), message)
    text = raw.decode("utf-8", "surrogateescape")
    if "\\" in text or '"' in text or "'" in text:
        words = _Scanner(file, line, text, environ).scan()
    else:
        text = text.partition("#")[0]
        words = [Word(m[0], file, line, m.start() + 1) for m in _PLAIN_WORD.finditer(text)]
    if len(words) > MAX_WORDS:
        raise ConfigError(words[MAX_WORDS].location, f"too many words on this line: at most {MAX_WORDS} are allowed")
    return words


class _Scanner:
    """Splits one line that has quotes or escapes. ``_parts`` is None between words."""

    def __init__(self, file: str, line: int, text: str, environ: Mapping[str, str]) -> None:
        self._file = file
        self._line = line
        self._text = text
        self._environ = environ
        self._words: list[Word] = []
        self._parts: list[str] | None = None
        self._start = 0
        self._chars = 0
        self._unset: str | None = None
        self._may_vanish = False

    def scan(self) -> list[Word]:
        at, end = 0, len(self._text)
        while at < end:
            char = self._text[at]
            if char in _SPACE:
                self._finish_word()
                at += 1
            elif char == "#":
                break
            else:
                at = self._piece(char, at)
        self._finish_word()
        return self._words

    def _piece(self, char: str, at: int) -> int:
        """Read one piece of a word: quoted text, an escape, or plain characters. Returns where the next begins."""
        if self._parts is None:
            self._parts, self._start = [], at
        if char == '"':
            return self._weak_quotes(at)
        if char == "'":
            return self._strong_quotes(at)
        if char == "\\":
            return self._escape(at, in_quotes=False)
        return self._run(_PLAIN_RUN, at)

    def _run(self, pattern: re.Pattern[str], at: int) -> int:
        found = pattern.match(self._text, at)
        assert found is not None  # the character at ``at`` is one that the pattern accepts
        self._add(found[0])
        return found.end()

    def _strong_quotes(self, at: int) -> int:
        close = self._text.find("'", at + 1)
        if close < 0:
            raise self._error(at, "this single quote is never closed", "write \\' for a quote as such")
        self._add(self._text[at + 1 : close])
        return close + 1

    def _weak_quotes(self, opening: int) -> int:
        at = opening + 1
        while at < len(self._text):
            char = self._text[at]
            if char == '"':
                return at + 1
            if char == "\\":
                at = self._escape(at, in_quotes=True)
            elif char == "$":
                at = self._variable(at)
            else:
                at = self._run(_QUOTED_RUN, at)
        raise self._error(opening, "this double quote is never closed", 'write \\" for a quote as such')

    def _escape(self, at: int, *, in_quotes: bool) -> int:
        """Read a backslash and what it escapes; before any other character it stands for itself."""
        char = self._text[at + 1 : at + 2]
        if char == "x":
            return self._hex(at)
        if in_quotes and char == "$":
            self._add(char)
            return at + 2
        if char in _ESCAPES:
            self._add(_ESCAPES[char])
            return at + 2
        self._add("\\")
        return at + 1

    def _hex(self, at: int) -> int:
        digits = _HEX.match(self._text, at + 2)
        if digits is None:
            raise self._error(at, "'\\x' needs two hexadecimal digits", "write '\\\\x' for a backslash and an x")
        byte = int(digits[0], 16)
        if byte == 0:
            raise self._error(at, "'\\x00' cannot be part of a word")
        self._add(bytes([byte]).decode("utf-8", "surrogateescape"))
        return digits.end()

    def _variable(self, at: int) -> int:
        try:
            found = read_reference(self._text, at, self._environ)
        except EnvironmentSyntaxError as failure:
            raise self._error(failure.offset, str(failure), failure.hint) from None
        if found.unset:
            self._unset = found.name
        if found.split:
            self._add_fields(found.value.split())
        else:
            self._add(found.value)
        return found.end

    def _add_fields(self, fields: list[str]) -> None:
        """``"${LIST[*]}"``: the first field continues the word, each other one begins a new word."""
        self._may_vanish = True
        for n, field in enumerate(fields):
            if n:
                start = self._start
                self._finish_word()
                self._parts, self._start = [], start
            self._add(field)

    def _add(self, text: str) -> None:
        assert self._parts is not None
        self._parts.append(text)
        self._chars += len(text)
        if self._chars > MAX_EXPANDED_CHARS or len(self._words) > MAX_WORDS:
            raise self._error(self._start, f"the line has more than {MAX_EXPANDED_CHARS} characters or too many words")

    def _finish_word(self) -> None:
        """End the current word, if there is one. An empty word is an error, as it is for HAProxy."""
        if self._parts is None:
            return
        text = "".join(self._parts)
        if text:
            self._words.append(Word(text, self._file, self._line, self._start + 1))
        elif not self._may_vanish:
            raise self._empty_word()
        self._parts, self._unset, self._may_vanish = None, None, False

    def _empty_word(self) -> ConfigError:
        where = Location(self._file, self._line, self._start + 1)
        if self._unset is None:
            return EmptyWord(where, "this word is empty")
        message = f"this word is empty: the environment variable {quote(self._unset)} is not set"
        return EmptyWord(where, message, f'give it a default: "${{{self._unset}-default}}"')

    def _error(self, at: int, message: str, hint: str | None = None) -> ConfigError:
        return ConfigError(Location(self._file, self._line, at + 1), message, hint)
