"""Conditions of ``.if`` and ``-cc`` (HAProxy manual, section 2.4 "Conditional blocks").

    condition := conjunction { '||' conjunction }      conjunction := term { '&&' term }
    term      := '!' term | '(' condition ')' | number | predicate '(' arguments ')'

A number is true unless it is 0, and so is a condition true that is not empty. What is on the right of a decided
operator is read, so that its mistakes are found, and evaluated too: predicates have no effect.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from fastlb.config.errors import quote
from fastlb.config.keywords import words
from fastlb.config.suggest import did_you_mean

# Whose language this is: what 'version_atleast' compares with.
LANGUAGE_VERSION = "3.2.0"
FEATURES = words("EPOLL GETADDRINFO LINUX_SPLICE POLL PROMEX SYSTEMD TFO THREAD")
ENABLED = words("EPOLL GETADDRINFO POLL REUSEPORT SPLICE")
MAX_DEPTH = 100

_NUMBER = re.compile(r"-?[0-9]+")
_NAME = re.compile(r"[a-z][a-z0-9_]*(?=\()")
_BLANKS = re.compile(r"[ \t]*")
_VERSION = re.compile(r"([0-9]{1,4})(?:\.([0-9]{1,4}))?(?:\.([0-9]{1,4}))?(?:-dev([0-9]{1,4}))?(?:[-.].*)?", re.DOTALL)


class ConditionError(ValueError):
    """The text is no condition; ``hint`` may say what was meant."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class Predicate(NamedTuple):
    """A function of conditions: how many arguments it has, and what it says of them."""

    arity: int
    holds: Callable[[Mapping[str, str], list[str]], bool]


def evaluate(text: str, environ: Mapping[str, str]) -> bool:
    """Whether the condition holds. Raises ConditionError."""
    reader = _Reader(text, environ)
    if not text.strip():
        return False
    result = reader.either(0)
    if reader.rest():
        raise ConditionError(f"unexpected {quote(reader.rest())} at the end of the condition {quote(text)}")
    return result


class _Reader:
    """Recursive descent over one condition."""

    def __init__(self, text: str, environ: Mapping[str, str]) -> None:
        self._text = text
        self._environ = environ
        self._at = 0

    def rest(self) -> str:
        """What has not been read, without leading blanks."""
        return self._text[self._at :].strip()

    def either(self, depth: int) -> bool:
        result = self._both(depth)
        while self._accept("||"):
            result = self._both(depth) or result
        return result

    def _both(self, depth: int) -> bool:
        result = self._term(depth)
        while self._accept("&&"):
            result = self._term(depth) and result
        return result

    def _term(self, depth: int) -> bool:
        if depth > MAX_DEPTH:
            raise ConditionError(f"the condition is nested more than {MAX_DEPTH} deep")
        if self._accept("!"):
            return not self._term(depth + 1)
        if self._accept("("):
            result = self.either(depth + 1)
            if not self._accept(")"):
                raise ConditionError(f"a ')' is missing in the condition {quote(self._text)}")
            return result
        number = _NUMBER.match(self._text, self._at)
        if number is not None:
            self._at = number.end()
            return number[0].strip("-0") != ""
        return self._predicate()

    def _predicate(self) -> bool:
        name = _NAME.match(self._text, self._at)
        if name is None or name[0] not in PREDICATES:
            where = quote(self.rest() or "its end")
            hint = did_you_mean(name[0], PREDICATES) if name else "a predicate is written 'defined(NAME)'"
            raise ConditionError(f"the condition {quote(self._text)} cannot be read at {where}", hint)
        self._at = name.end() + 1
        predicate, given = PREDICATES[name[0]], self._arguments()
        if len(given) != predicate.arity:
            count = f"{predicate.arity} argument{'s' * (predicate.arity != 1)}"
            raise ConditionError(f"{quote(name[0])} takes {count}, not {len(given)}, in {quote(self._text)}")
        return predicate.holds(self._environ, given)

    def _arguments(self) -> list[str]:
        """What stands between the parentheses, split at commas; quotes keep a comma or a parenthesis together."""
        parts, quoted = [""], ""
        while self._at < len(self._text):
            char = self._text[self._at]
            self._at += 1
            if quoted:
                quoted, parts[-1] = ("", parts[-1]) if char == quoted else (quoted, parts[-1] + char)
            elif char in "\"'":
                quoted = char
            elif char == ")":
                return parts
            elif char == ",":
                parts.append("")
            else:
                parts[-1] += char
        raise ConditionError(f"the arguments are never closed with ')' in the condition {quote(self._text)}")

    def _accept(self, symbol: str) -> bool:
        blanks = _BLANKS.match(self._text, self._at)
        assert blanks is not None  # it matches nothing, too
        self._at = blanks.end()
        if not self._text.startswith(symbol, self._at):
            return False
        self._at += len(symbol)
        blanks = _BLANKS.match(self._text, self._at)
        assert blanks is not None
        self._at = blanks.end()
        return True


def _version(text: str) -> tuple[int, int, int, int]:
    """A version as a tuple that compares; a development version is before its release."""
    found = _VERSION.fullmatch(text)
    if found is None:
        return (0, 0, 0, 0)
    major, minor, patch, dev = found.groups()
    return int(major), int(minor or 0), int(patch or 0), int(dev) if dev else 10_000


def _at_least(text: str) -> bool:
    return _version(LANGUAGE_VERSION) >= _version(text)


PREDICATES = {
    "defined": Predicate(1, lambda environ, given: environ.get(given[0]) is not None),
    "feature": Predicate(1, lambda environ, given: given[0] in FEATURES),
    "enabled": Predicate(1, lambda environ, given: given[0] in ENABLED),
    "streq": Predicate(2, lambda environ, given: given[0] == given[1]),
    "strneq": Predicate(2, lambda environ, given: given[0] != given[1]),
    "strstr": Predicate(2, lambda environ, given: given[1] in given[0]),
    "version_atleast": Predicate(1, lambda environ, given: _at_least(given[0])),
    "version_before": Predicate(1, lambda environ, given: not _at_least(given[0])),
    # There is no TLS library, of any version.
    "awslc_api_atleast": Predicate(1, lambda environ, given: False),
    "awslc_api_before": Predicate(1, lambda environ, given: False),
    "openssl_version_atleast": Predicate(1, lambda environ, given: False),
    "openssl_version_before": Predicate(1, lambda environ, given: False),
    "ssllib_name_startswith": Predicate(1, lambda environ, given: False),
}
