"""Environment variables in configuration text: ``$NAME``, ``${NAME}``, ``${NAME-default}``, ``${NAME[*]}``.

HAProxy manual, section 2.3 "Environment variables". The lexer expands them inside double quotes, the address parser
everywhere in an address.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

_REFERENCE = re.compile(
    r"\$(?:\{(?P<braced>[A-Za-z_][A-Za-z0-9_]*)(?P<star>\[\*\])?(?:-(?P<default>[^}]*))?\}|(?P<bare>[A-Za-z_][A-Za-z0-9_]*))"
)
_PSEUDO = re.compile(r"\$\{?(\.[A-Za-z_]*)")


class EnvironmentSyntaxError(ValueError):
    """A reference that cannot be read; ``offset`` is that of its ``$`` in the text."""

    def __init__(self, offset: int, message: str, hint: str) -> None:
        super().__init__(message)
        self.offset = offset
        self.hint = hint


class Reference(NamedTuple):
    """One reference, looked up. ``value`` is empty when ``unset``; ``split`` asks for one word per field."""

    name: str
    value: str
    end: int
    unset: bool
    split: bool


def read_reference(text: str, offset: int, environ: Mapping[str, str]) -> Reference:
    """Look up the reference whose ``$`` is at ``offset``. Raises EnvironmentSyntaxError."""
    found = _REFERENCE.match(text, offset)
    if found is None:
        raise _explain(text, offset)
    name = found["braced"] or found["bare"]
    value = environ.get(name)
    if value is None:
        value = found["default"]
    return Reference(name, value or "", found.end(), value is None, found["star"] is not None)


def expand(text: str, environ: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """Expand every reference in ``text``; also tells which of the variables are not set and have no default."""
    parts: list[str] = []
    unset: list[str] = []
    start = 0
    while (dollar := text.find("$", start)) >= 0:
        found = read_reference(text, dollar, environ)
        parts += (text[start:dollar], found.value)
        if found.unset:
            unset.append(found.name)
        start = found.end
    parts.append(text[start:])
    return "".join(parts), tuple(unset)


def _explain(text: str, offset: int) -> EnvironmentSyntaxError:
    """Say why there is no reference at ``offset``."""
    pseudo = _PSEUDO.match(text, offset)
    if pseudo is not None:
        name = pseudo[1]
        return EnvironmentSyntaxError(offset, f"the pseudo variable '{name}' is not supported yet", "write its value")
    if text.startswith("${", offset):
        if ":-" in text[offset:]:
            hint = "the default is written ${NAME-default}, with a single dash"
        else:
            hint = "it is written ${NAME} or ${NAME-default}"
        return EnvironmentSyntaxError(offset, "'${' does not begin an environment variable", hint)
    return EnvironmentSyntaxError(offset, "'$' is not followed by the name of an environment variable", "write '\\$'")
