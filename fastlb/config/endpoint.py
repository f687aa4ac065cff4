"""Addresses as written, before any name is resolved."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class EndpointKind(Enum):
    """What an address is before names are resolved."""

    INET = "inet"
    INET6 = "inet6"
    NAME = "name"
    UNIX = "unix"
    ABSTRACT = "abstract"
    EXACT = "exact"
    FD = "fd"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address as written. ``host`` is numeric, a host name, a path, an abstract name or a descriptor number.

    An abstract name is padded with zeros to the full length, an EXACT one is not. ``family``: a host name stands for an
    address of this family alone, ``inet`` or ``inet6``, if it is not empty.
    """

    kind: EndpointKind
    host: str
    port: int = 0
    family: str = ""
