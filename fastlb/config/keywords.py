"""Keyword tables: which words a place of the language knows, and what becomes of each.

A word is supported (it has a function), known to HAProxy but not built yet (refused by name), of no meaning for a TCP
balancer (ignored with one warning), removed from the language (the replacement is named), or unknown.

A new keyword is one entry of its table, ``"word": Keyword(function, "what follows it", "one line of help")``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
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


class Tier(Enum):
    """What becomes of a word. Those of a Keyword are the first three."""

    SUPPORTED = "supported"
    OWN = "fastlb's own"
    INACTIVE = "accepted, but inactive"
    IGNORED = "ignored"
    NOT_YET = "not supported yet"
    REFUSED = "not supported"
    REMOVED = "no longer part of the language"


@dataclass(frozen=True, slots=True)
class Keyword(Generic[Entry]):
    """A supported word: ``handler`` is what its table is for, ``usage`` what follows it, ``help`` one line."""

    handler: Entry
    usage: str
    help: str
    tier: Tier = Tier.SUPPORTED


@dataclass(frozen=True, slots=True)
class KeywordTable(Generic[Entry]):
    """The words of one place. ``title`` completes "unknown …"; ``prefix`` goes before a word in messages.

    ``within`` completes "unknown option 'x' …", and ``also`` are more words that a typing error may have meant. Words
    of ``takes_value`` are ignored together with the next one, those of ``called`` have an argument: ``word(argument)``.
    """

    title: str
    supported: Mapping[str, Keyword[Entry]]
    not_yet: frozenset[str] = frozenset()
    not_yet_prefixes: tuple[str, ...] = ()
    ignored: Mapping[str, str] = field(default_factory=dict)
    ignored_prefixes: Mapping[str, str] = field(default_factory=dict)
    removed: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    takes_value: frozenset[str] = frozenset()
    called: frozenset[str] = frozenset()
    prefix: str = ""
    within: str = ""
    also: tuple[str, ...] = ()

    def find(self, word: Word, report: Report, after: Word | None = None, within: str = "") -> Entry | None:
        """The handler of ``word``, or None for a word that is ignored: with a warning, or one for all of HTTP and TLS.

        Raises ConfigError for all the others. ``after`` is the next word of the line; ``within`` is said
        in place of the table's own.
        """
        keyword = self._supported(word.text)
        if keyword is not None:
            return keyword.handler
        verdict = self.verdict(word.text)
        if verdict is None:
            message = f"unknown {self.title} {quote(word.text)} {within or self.within}".rstrip()
            raise ConfigError(word.location, message, did_you_mean(word.text, [*self.words(), *self.also]))
        tier, why = verdict
        if tier is not Tier.IGNORED:
            failure = ConfigError if tier is Tier.REMOVED else NotSupported
            raise failure(word.location, f"{self._named(word.text, after)} is {tier.value}", why)
        if why in (HTTP_ONLY, TLS_ONLY):
            report.mention(Topic.NO_EFFECT, word.location, self._named(word.text))
        else:
            report.warning(word.location, f"{self._named(word.text)} is ignored: {why}")
        return None

    def verdict(self, text: str) -> tuple[Tier, str | None] | None:
        """What becomes of a word, and its help, the reason, or what to write instead; None for an unknown one."""
        keyword = self._supported(text)
        if keyword is not None:
            return keyword.tier, keyword.help
        reason = self._ignored_because(text)
        if reason is not None:
            return Tier.IGNORED, reason
        if text in self.removed:
            return Tier.REMOVED, self.removed[text]
        if text in self.refused:
            return Tier.REFUSED, self.refused[text]
        if text in self.not_yet or text.startswith(self.not_yet_prefixes):
            return Tier.NOT_YET, None
        return None

    def knows(self, text: str) -> bool:
        """Whether HAProxy or fastlb has this word here, supported or not."""
        return self.verdict(text) is not None

    def words(self) -> Iterator[str]:
        """Every word that is known here, except those that only a prefix tells of."""
        for group in (self.supported, self.not_yet, self.ignored, self.removed, self.refused):
            yield from group

    def _supported(self, text: str) -> Keyword[Entry] | None:
        name = text.partition("(")[0]
        return self.supported.get(name if name in self.called else text)

    def _named(self, text: str, after: Word | None = None) -> str:
        return quote(f"{self.prefix}{text} {after.text}" if after and text in _FAMILIES else self.prefix + text)

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
