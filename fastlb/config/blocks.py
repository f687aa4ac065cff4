"""Directives, which begin with a dot: conditional blocks and messages (HAProxy manual, section 2.4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fastlb.config.condition import ConditionError, evaluate
from fastlb.config.errors import ConfigError, Location, Report, quote
from fastlb.config.keywords import Keyword, KeywordTable
from fastlb.config.lexer import Word

MAX_NESTED = 99


@dataclass(slots=True)
class _Block:
    """One ``.if`` that is open. ``taken``: one of its branches was, or none may be; ``active``: this one is."""

    location: Location
    taken: bool
    active: bool
    last: bool = False


class Blocks:
    """The conditional blocks that are open at the line being read. They end with their file."""

    def __init__(self, environ: Mapping[str, str], report: Report) -> None:
        self._environ = environ
        self._report = report
        self._open: list[_Block] = []

    @property
    def skipping(self) -> bool:
        """Whether what is being read does not count."""
        return bool(self._open) and not self._open[-1].active

    def directive(self, line: list[Word]) -> None:
        """Act on a line whose first word begins with a dot. Raises ConfigError."""
        if self.skipping and not DIRECTIVES.knows(line[0].text):
            return
        act = DIRECTIVES.find(line[0], self._report)
        if act is not None:
            act(self, line)

    def end_of_file(self) -> None:
        """Every block must have ended."""
        for block in self._open:
            self._report.error(block.location, "this '.if' has no '.endif' in its file")
        self._open.clear()

    def _if(self, line: list[Word]) -> None:
        if len(self._open) >= MAX_NESTED:
            self._report.fatal(line[0].location, f"conditional blocks are nested more than {MAX_NESTED} deep")
        block = _Block(line[0].location, taken=True, active=False)
        outer_skips = self.skipping
        self._open.append(block)
        if not outer_skips:
            block.active = block.taken = self._holds(line)

    def _elif(self, line: list[Word]) -> None:
        block = self._innermost(line[0])
        if not block.taken:
            block.active = block.taken = self._holds(line)
        else:
            block.active = False

    def _else(self, line: list[Word]) -> None:
        block = self._innermost(line[0])
        block.active, block.taken, block.last = not block.taken, True, True
        _end(line, 1)

    def _endif(self, line: list[Word]) -> None:
        if not self._open:
            raise ConfigError(line[0].location, "'.endif' without an '.if' above it")
        self._open.pop()
        _end(line, 1)

    def _innermost(self, word: Word) -> _Block:
        if not self._open:
            raise ConfigError(word.location, f"{quote(word.text)} without an '.if' above it")
        if self._open[-1].last:
            raise ConfigError(word.location, f"{quote(word.text)} after '.else'")
        return self._open[-1]

    def _holds(self, line: list[Word]) -> bool:
        """The words of the condition are joined again: quotes have done their work by now, as in HAProxy."""
        try:
            return evaluate(" ".join(word.text for word in line[1:]), self._environ)
        except ConditionError as failure:
            self._report.error(line[1].location, str(failure), failure.hint)
            return False

    def _message(self, line: list[Word]) -> None:
        if self.skipping:
            return
        _end(line, 2, "put the message in quotes")
        text = quote(line[1].text, 1000) if len(line) > 1 else "''"
        if line[0].text == ".alert":
            self._report.error(line[0].location, text)
        elif line[0].text == ".warning":
            self._report.warning(line[0].location, text)
        elif line[0].text == ".notice" or self._report.diagnose:
            self._report.notice(line[0].location, text)


DIRECTIVES: KeywordTable[Callable[[Blocks, list[Word]], None]] = KeywordTable(
    "directive",
    {
        ".if": Keyword(Blocks._if, "condition", "what follows counts only if the condition holds"),
        ".elif": Keyword(Blocks._elif, "condition", "else, if this condition holds"),
        ".else": Keyword(Blocks._else, "", "else"),
        ".endif": Keyword(Blocks._endif, "", "the end of '.if'"),
        ".diag": Keyword(Blocks._message, "text", "says something to whoever starts with -dD"),
        ".notice": Keyword(Blocks._message, "text", "says something"),
        ".warning": Keyword(Blocks._message, "text", "says something, as a warning"),
        ".alert": Keyword(Blocks._message, "text", "says something, as an error"),
    },
)


def _end(line: list[Word], number: int, hint: str | None = None) -> None:
    """A directive has no more than ``number`` words."""
    if len(line) > number:
        message = f"unexpected word {quote(line[number].text)} after {quote(line[0].text)}"
        raise ConfigError(line[number].location, message, hint)
