"""A value as written, and where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from fastlb.config.errors import Location

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Said(Generic[T]):
    """A value and where it was said."""

    value: T
    location: Location
