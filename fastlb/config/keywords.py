"""Keyword tables: which words a place of the language knows, and what becomes of each.

A word is supported (it has a function), known to HAProxy but not built yet (refused by name), of no meaning for a TCP
balancer (ignored with one warning), removed from the language (the replacement is named), or unknown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from fastlb.config.errors import ConfigError, NotSupported, Report, quote
from fastlb.config.lexer import Word
from fastlb.config.suggest import did_you_mean
from fastlb.config.summary import Topic

Entry = TypeVar("Entry")

HTTP_ONLY = "it concerns HTTP, and fastlb balances TCP"
TLS_ONLY = "it concerns TLS, which fastlb passes through untouched"

# Words that say what they mean only together with the next one.
_FAMILIES = ("http-check", "monitor", "rate-limit", "stats", "stick", "tcp-check", "tcp-request", "tcp-response")


@dataclass(frozen=True, slots=True)
class KeywordTable(Generic[Entry]):
    """The words of one place. ``title`` completes "unknown …"; ``prefix`` goes before a word in messages.

    ``within`` completes "unknown option 'x' …", and ``also`` are more words that a typing error may have meant. Words
    of ``takes_value`` are ignored together with the next one.
    """

    title: str
    supported: Mapping[str, Entry]
    not_yet: frozenset[str] = frozenset()
    not_yet_prefixes: tuple[str, ...] = ()
    ignored: Mapping[str, str] = field(default_factory=dict)
    ignored_prefixes: Mapping[str, str] = field(default_factory=dict)
    removed: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    takes_value: frozenset[str] = frozenset()
    prefix: str = ""
    within: str = ""
    also: tuple[str, ...] = ()

    def find(self, word: Word, report: Report, after: Word | None = None, within: str = "") -> Entry | None:
        """The entry of ``word``, or None for a word that is ignored: with a warning, or one for all of HTTP and TLS.

        Raises ConfigError for all the others. ``after`` is the next word of the line; ``within`` is said
        in place of the table's own.
        """
        entry = self.supported.get(word.text)
        if entry is not None:
            return entry
        reason = self._ignored_because(word.text)
        if reason in (HTTP_ONLY, TLS_ONLY):
            report.mention(Topic.NO_EFFECT, word.location, self._named(word.text))
            return None
        if reason is not None:
            report.warning(word.location, f"{self._named(word.text)} is ignored: {reason}")
            return None
        if word.text in self.removed:
            message = f"{self._named(word.text, after)} is no longer part of the language"
            raise ConfigError(word.location, message, self.removed[word.text])
        refusal = self._refusal(word.text)
        if refusal is not None:
            raise NotSupported(word.location, f"{self._named(word.text, after)} {refusal[0]}", refusal[1])
        message = f"unknown {self.title} {quote(word.text)} {within or self.within}".rstrip()
        raise ConfigError(word.location, message, did_you_mean(word.text, [*self._words(), *self.also]))

    def knows(self, text: str) -> bool:
        """Whether HAProxy or fastlb has this word here, supported or not."""
        named = text in self.supported or text in self.not_yet or text in self.removed or text in self.refused
        return named or text.startswith(self.not_yet_prefixes) or self._ignored_because(text) is not None

    def _named(self, text: str, after: Word | None = None) -> str:
        return quote(f"{self.prefix}{text} {after.text}" if after and text in _FAMILIES else self.prefix + text)

    def _refusal(self, text: str) -> tuple[str, str | None] | None:
        """For a word that is known and refused: what to say about it, and the hint."""
        if text in self.refused:
            return "is not supported", self.refused[text]
        if text in self.not_yet or text.startswith(self.not_yet_prefixes):
            return "is not supported yet", None
        return None

    def _words(self) -> Iterator[str]:
        for group in (self.supported, self.not_yet, self.ignored, self.removed, self.refused):
            yield from group

    def _ignored_because(self, text: str) -> str | None:
        if text in self.ignored:
            return self.ignored[text]
        return next((why for prefix, why in self.ignored_prefixes.items() if text.startswith(prefix)), None)


def words(text: str) -> frozenset[str]:
    """A set of words, written as one string."""
    return frozenset(text.split())


def numbered(text: str) -> dict[str, int]:
    """Words in the order of their numbers, from 0."""
    return {word: number for number, word in enumerate(text.split())}


def because(reason: str, text: str) -> dict[str, str]:
    """The same reason for many words."""
    return dict.fromkeys(text.split(), reason)
