"""The words of one statement, taken one after the other by the function that parses it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fastlb.config.environment import Variables
from fastlb.config.errors import ConfigError, Location, Report, quote
from fastlb.config.lexer import Word
from fastlb.config.suggest import did_you_mean
from fastlb.config.units import UnitError, parse_integer, parse_time, units

MAX_COUNT = 2147483647


@dataclass(slots=True)
class Args:
    """A cursor over the words of a statement. Its methods raise ConfigError, which ends that statement."""

    words: list[Word]
    environ: Variables
    report: Report
    at: int = 0

    @property
    def location(self) -> Location:
        """Where the statement begins."""
        return self.words[0].location

    @property
    def value_location(self) -> Location:
        """Where the word taken last is: what a later complaint about the value points at."""
        return self.words[self.at - 1].location

    @property
    def said(self) -> str:
        """What has been read so far, for messages: ``timeout client``."""
        return " ".join(word.text for word in self.words[: self.at])

    def peek(self) -> Word | None:
        return self.words[self.at] if self.at < len(self.words) else None

    def take(self) -> Word | None:
        """The next word, or None at the end."""
        word = self.peek()
        self.at += word is not None
        return word

    def need(self, what: str, name: str | None = None) -> Word:
        """The next word, which must be there. ``what`` completes "expects …"; ``name`` is who does so."""
        word = self.take()
        if word is None:
            raise ConfigError(self.words[self.at - 1].location, f"{quote(name or self.said)} expects {what}")
        return word

    def accept(self, text: str) -> bool:
        """Take the next word if it is ``text``."""
        word = self.peek()
        if word is None or word.text != text:
            return False
        self.at += 1
        return True

    def end(self, hint: str | None = None) -> None:
        """Nothing may follow."""
        word = self.peek()
        if word is not None:
            raise ConfigError(word.location, f"unexpected word {quote(word.text)} after {quote(self.said)}", hint)

    def one_of(self, allowed: Mapping[str, int] | tuple[str, ...], what: str) -> Word:
        """The next word, which must be one of ``allowed``."""
        word = self.need(f"a {what}: {', '.join(allowed)}")
        if word.text not in allowed:
            hint = did_you_mean(word.text, allowed) or f"expected one of {', '.join(allowed)}"
            raise ConfigError(word.location, f"unknown {what} {quote(word.text)}", hint)
        return word

    def integer(self, low: int, high: int = MAX_COUNT, name: str | None = None) -> int:
        """A whole number; ``name`` is what it is called in messages, if not by the word before it."""
        name = name or self.words[self.at - 1].text
        word = self.need(f"a whole number within {low} and {high}", name)
        try:
            return parse_integer(word.text, low, high)
        except UnitError as failure:
            raise ConfigError(word.location, f"{quote(name)} cannot be {quote(word.text)}: {failure}") from None

    def time_ms(self, low: int = 0, name: str | None = None) -> int:
        """A time in milliseconds. ``5sec`` is read as ``5s`` with a warning, as HAProxy does."""
        return self._time_ms(low, name, "ms")

    def seconds(self, low: int, high: int) -> int:
        """A time in whole seconds, rounded up; a number without a unit is in seconds."""
        name = self.words[self.at - 1].text
        number = -(-self._time_ms(0, name, "s") // 1000)
        if not low <= number <= high:
            word = self.words[self.at - 1]
            message = f"{quote(name)} cannot be {quote(word.text)}: it must be within {low} and {high} seconds"
            raise ConfigError(word.location, message)
        return number

    def _time_ms(self, low: int, name: str | None, unit: str) -> int:
        name = name or self.words[self.at - 1].text
        word = self.need(f"a time: a whole number and a unit, {units(unit)}", name)
        try:
            time = parse_time(word.text, unit)
        except UnitError as failure:
            raise ConfigError(word.location, f"{quote(name)} cannot be {quote(word.text)}: {failure}") from None
        if time.rest:
            read_as = word.text[: -len(time.rest)]
            self.report.warning(
                word.location, f"{quote(word.text)} is read as {quote(read_as)}", f"the units are {units(unit)}"
            )
        if time.ms < low:
            raise ConfigError(
                word.location, f"{quote(name)} cannot be {quote(word.text)}: it must be at least {low} ms"
            )
        return time.ms
