"""Environment variables in configuration text: ``$NAME``, ``${NAME}``, ``${NAME-default}``, ``${NAME[*]}``.

HAProxy manual, section 2.3 "Environment variables". The lexer expands them inside double quotes, the address parser
everywhere in an address. A ``global`` section may change them; the environment of the process stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

_NAME = r"(?:[A-Za-z_][A-Za-z0-9_]*|\.(?:FILE|LINE|SECTION)\b)"
_REFERENCE = re.compile(rf"\$(?:\{{(?P<braced>{_NAME})(?P<star>\[\*\])?(?:-(?P<default>[^}}]*))?\}}|(?P<bare>{_NAME}))")
_PSEUDO = re.compile(r"\$\{?(\.[A-Za-z_]*)")


LOCAL_PEER = "HAPROXY_LOCALPEER"


class Variables(Mapping[str, str]):
    """The environment as the configuration sees and changes it, and the pseudo variables of the line being read.

    What is in ``settled`` was said on the command line, which has the last word.
    """

    def __init__(self, environ: Mapping[str, str], settled: Mapping[str, str] | None = None) -> None:
        self._settled = settled or {}
        self._values = {**environ, **self._settled}
        self._place = {".FILE": "", ".LINE": "", ".SECTION": ""}

    def __getitem__(self, name: str) -> str:
        return self._values[name] if name in self._values else self._place[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def assign(self, name: str, value: str) -> None:
        self._values[name] = value

    def set_locally(self, name: str, value: str) -> bool:
        """The same, unless it is settled; returns whether it was set."""
        if name in self._settled:
            return False
        self.assign(name, value)
        return True

    def remove(self, name: str) -> None:
        self._values.pop(name, None)

    def keep_only(self, names: set[str]) -> None:
        """Forget all but these."""
        self._values = {name: value for name, value in self._values.items() if name in names}

    def enter_line(self, file: str, line: int) -> None:
        """The line that ``.FILE`` and ``.LINE`` are about from now on."""
        self._place[".FILE"], self._place[".LINE"] = file, str(line)

    def enter_section(self, name: str) -> None:
        """What ``.SECTION`` is from now on."""
        self._place[".SECTION"] = name


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
        return EnvironmentSyntaxError(offset, f"there is no pseudo variable '{name}'", "it is .FILE, .LINE or .SECTION")
    if text.startswith("${", offset):
        if ":-" in text[offset:]:
            hint = "the default is written ${NAME-default}, with a single dash"
        else:
            hint = "it is written ${NAME} or ${NAME-default}"
        return EnvironmentSyntaxError(offset, "'${' does not begin an environment variable", hint)
    return EnvironmentSyntaxError(offset, "'$' is not followed by the name of an environment variable", "write '\\$'")
