"""What a server's PROXY header has besides addresses, as written (HAProxy manual, section 5.2)."""

from __future__ import annotations

from dataclasses import dataclass

from fastlb.config.logformat import value_text
from fastlb.config.logpieces import LogPiece


@dataclass(frozen=True, slots=True)
class ProxyField:
    """One field: ``kind`` is its type, ``line`` the format of its value."""

    kind: int
    line: tuple[LogPiece, ...]

    def __str__(self) -> str:
        return f"0x{self.kind:02X} '{value_text(self.line)}'"


@dataclass(frozen=True, slots=True)
class ProxyExtras:
    """What ``proxy-v2-options`` and ``set-proxy-v2-tlv-fmt`` say; both add up, and of a type the last field counts."""

    options: frozenset[str] = frozenset()
    fields: tuple[ProxyField, ...] = ()

    def __or__(self, other: ProxyExtras) -> ProxyExtras:
        """With what is said later, or nearer."""
        named = {field.kind: field for field in (*self.fields, *other.fields)}
        return ProxyExtras(self.options | other.options, tuple(named.values()))


NO_EXTRAS = ProxyExtras()
