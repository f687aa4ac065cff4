"""Log formats (HAProxy manual, section 8.2.6): ``%ci``, ``%{+Q}b``, ``%[src]``, ``%%``, and text between them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fastlb.config.errors import ConfigError, Location, Report, quote
from fastlb.config.lexer import Word
from fastlb.config.logpieces import (
    FLAGS,
    NOT_YET_VARIABLES,
    REFUSED_VARIABLES,
    SAMPLES,
    VARIABLES,
    LogPiece,
    PieceFlag,
    PieceKind,
)
from fastlb.config.samples import parse_sample
from fastlb.config.suggest import did_you_mean

_PERCENT_HINT = "write '%%' for a percent sign as such"
# A piece of a format: flags, then a name or a sample; or text. Names are as long as letters go on.
_PIECE = re.compile(
    r"%(?P<percent>%)"
    r"|%(?P<flags>\{[^}]*\})?(?:\[(?P<sample>[^]]*)\]|(?P<name>[A-Za-z]+))"
    r"|(?P<space> +)"
    r"|(?P<text>[^% ]+)"
)
_FLAG = re.compile(r"([+-])([A-Za-z]+)")


def parse_format(text: str, where: Location, report: Report) -> tuple[LogPiece, ...]:
    """The pieces of a format. Blanks in a row count as one, and none leads the line. Raises ConfigError."""
    return tuple(_Reader(text, where, report).pieces())


def format_text(pieces: tuple[LogPiece, ...]) -> str:
    """A format that has these pieces."""
    return "".join(_spelled(piece) for piece in pieces)


def _spelled(piece: LogPiece) -> str:
    if piece.kind is PieceKind.TEXT:
        return piece.text.replace("%", "%%")
    sample = bool(piece.flags & PieceFlag.SAMPLE)
    name = piece.text or next(name for name, kind in (SAMPLES if sample else VARIABLES).items() if kind is piece.kind)
    flags = [f"+{letter}" for letter, flag in FLAGS.items() if piece.flags & flag & ~PieceFlag.DASH]
    flags += [] if piece.flags & PieceFlag.DASH else ["-M"]
    return f"%{'{' + ','.join(flags) + '}' if flags else ''}{f'[{name}]' if sample else name}"


class _Reader:
    """Goes through one format; ``%{…}o`` sets the flags of all that follow it."""

    def __init__(self, text: str, where: Location, report: Report) -> None:
        self._report = report
        self._text = text
        self._where = where
        self._flags = PieceFlag.DASH

    def pieces(self) -> Iterator[LogPiece]:
        at, blank = 0, True
        while at < len(self._text):
            found = _PIECE.match(self._text, at)
            if found is None:
                raise self._unreadable(at)
            at = found.end()
            piece = self._piece(found)
            if piece is None or (blank and found["space"]):
                continue
            blank = found["space"] is not None
            yield piece

    def _piece(self, found: re.Match[str]) -> LogPiece | None:
        if found["percent"] or found["space"] or found["text"]:
            return LogPiece(PieceKind.TEXT, text=found["percent"] or found["text"] or " ")
        flags = self._flags_of(found["flags"])
        if found["sample"] is not None:
            return self._sample(found["sample"].strip(), flags & ~PieceFlag.HEX | PieceFlag.SAMPLE)
        if found["name"] == "o":
            self._flags = flags
            return None
        return LogPiece(self._variable(found["name"]), flags)

    def _flags_of(self, said: str | None) -> PieceFlag:
        flags = self._flags
        for word in said[1:-1].replace(" ", ",").split(",") if said else ():
            if not word:
                continue
            found = _FLAG.fullmatch(word)
            if found is None or found[2] not in FLAGS:
                hint = "the flags are Q (quotes), X (hexadecimal) and E (escaped); '+' before it sets, '-' clears one"
                raise ConfigError(self._where, f"unknown flag {quote(word)} in a log format", hint)
            flag = FLAGS[found[2]]
            flags = flags | flag if found[1] == "+" else flags & ~flag
        return flags

    def _variable(self, name: str) -> PieceKind:
        if name in VARIABLES:
            return VARIABLES[name]
        what = quote(f"%{name}")
        if name in REFUSED_VARIABLES:
            raise ConfigError(self._where, f"{what} is not possible in a log format: {REFUSED_VARIABLES[name]}")
        if name in NOT_YET_VARIABLES:
            raise ConfigError(self._where, f"{what} in a log format is not supported yet")
        raise ConfigError(
            self._where, f"unknown variable {what} in a log format", did_you_mean(name, VARIABLES) or _PERCENT_HINT
        )

    def _sample(self, name: str, flags: PieceFlag) -> LogPiece:
        kind = SAMPLES.get(name.replace(" ", ""))
        if kind is not None:
            return LogPiece(kind, flags)
        where = self._where
        sample = parse_sample(Word(name, where.file, where.line, where.column), self._report)
        if sample.content or sample.answer:
            hint = (
                f"keep it before: 'tcp-request content set-var(txn.name) {sample.fetch.name}', and '%[var(txn.name)]'"
            )
            raise ConfigError(where, f"{quote(sample.fetch.name)} is gone when the line is written", hint)
        return LogPiece(PieceKind.VALUE, flags, name, sample)

    def _unreadable(self, at: int) -> ConfigError:
        rest = self._text[at : at + 20]
        for opening, closing in (("%{", "}"), ("%[", "]")):
            if rest.startswith(opening) and closing not in self._text[at:]:
                return ConfigError(self._where, f"a log format lacks the {quote(closing)} after {quote(rest)}")
        return ConfigError(
            self._where, f"no variable follows the percent sign at {quote(rest)} in a log format", _PERCENT_HINT
        )
