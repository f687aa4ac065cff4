"""Log formats (HAProxy manual, section 8.2.6): ``%ci``, ``%{+Q}b``, ``%[src]``, ``%%``, and text between them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from fastlb.config.errors import ConfigError, Location, Report, quote
from fastlb.config.fieldtypes import field_of_sample, type_text
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


def parse_value(text: str, where: Location, report: Report, *, keeps_blanks: bool = False) -> tuple[LogPiece, ...]:
    """The pieces of a value that is no log line: what is not known is nothing, not a dash. Raises ConfigError."""
    pieces = tuple(_Reader(text, where, report, flags=PieceFlag.NONE, keeps_blanks=keeps_blanks).pieces())
    if any(piece.kind is PieceKind.LINE_NUMBER for piece in pieces):
        raise ConfigError(where, "'%lc' is the number of a log line, and this is none")
    return pieces


def format_text(pieces: tuple[LogPiece, ...]) -> str:
    """A format that has these pieces."""
    return "".join(_spelled(piece, PieceFlag.DASH) for piece in pieces)


def value_text(pieces: tuple[LogPiece, ...]) -> str:
    """The same of a value."""
    return "".join(_spelled(piece, PieceFlag.NONE) for piece in pieces)


def _spelled(piece: LogPiece, usual: PieceFlag) -> str:
    if piece.kind is PieceKind.TEXT:
        return piece.text.replace("%", "%%")
    if piece.kind is PieceKind.HEADER_FIELD:
        return f"%[fc_pp_tlv({os.fsencode(piece.text)[0]})]"
    sample = bool(piece.flags & PieceFlag.SAMPLE)
    shown = PieceKind.FRONTEND if piece.kind is PieceKind.FRONTEND_NAME else piece.kind
    names = SAMPLES if sample else VARIABLES
    name = piece.text or next(name for name, kind in names.items() if kind is shown)
    flags = [f"+{letter}" for letter, flag in FLAGS.items() if piece.flags & flag & ~PieceFlag.DASH]
    flags += ["-M"] if usual & PieceFlag.DASH and not piece.flags & PieceFlag.DASH else []
    return f"%{'{' + ','.join(flags) + '}' if flags else ''}{f'[{name}]' if sample else name}"


class _Reader:
    """Goes through one format; ``%{…}o`` sets the flags of all that follow it."""

    def __init__(
        self,
        text: str,
        where: Location,
        report: Report,
        flags: PieceFlag = PieceFlag.DASH,
        *,
        keeps_blanks: bool = False,
    ) -> None:
        self._report = report
        self._text = text
        self._where = where
        self._flags = flags
        self._keeps_blanks = keeps_blanks

    def pieces(self) -> Iterator[LogPiece]:
        at, blank = 0, not self._keeps_blanks
        while at < len(self._text):
            found = _PIECE.match(self._text, at)
            if found is None:
                raise self._unreadable(at)
            at = found.end()
            piece = self._piece(found)
            if piece is None or (blank and found["space"]):
                continue
            blank = not self._keeps_blanks and found["space"] is not None
            yield piece

    def _piece(self, found: re.Match[str]) -> LogPiece | None:
        if found["percent"] or found["space"] or found["text"]:
            return LogPiece(PieceKind.TEXT, text=self._plain(found))
        flags = self._flags_of(found["flags"])
        if found["sample"] is not None:
            return self._sample(found["sample"].strip(), flags & ~PieceFlag.HEX | PieceFlag.SAMPLE)
        if found["name"] == "o":
            self._flags = flags
            return None
        return LogPiece(self._variable(found["name"]), flags)

    def _plain(self, found: re.Match[str]) -> str:
        """A percent sign, text, or blanks: one of them, unless all count."""
        blanks = found["space"] if self._keeps_blanks else " "
        return found["percent"] or found["text"] or blanks

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
        field = field_of_sample(name)
        if field is not None:
            return LogPiece(PieceKind.HEADER_FIELD, flags, type_text(field))
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
