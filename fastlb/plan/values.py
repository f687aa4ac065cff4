"""Small helpers of the plan builders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from fastlb.config.errors import quote
from fastlb.config.tree import Proxy, Said, Settings

T = TypeVar("T")
U = TypeVar("U")


def value_of(said: Said[T] | None, default: U) -> T | U:
    """What was said, or the default."""
    return default if said is None else said.value


@dataclass(frozen=True, slots=True)
class Merged:
    """A proxy together with its settings on top of those it inherits."""

    proxy: Proxy
    settings: Settings

    @property
    def title(self) -> str:
        """For messages: ``frontend 'web'``."""
        return f"{self.proxy.kind} {quote(self.proxy.name)}"

    @property
    def disabled(self) -> bool:
        """Whether the section says so, or its ``defaults``: it is checked, and serves nobody."""
        return value_of(self.settings.disabled, False)
