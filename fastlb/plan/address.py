"""Socket addresses of a plan: numeric, or a path, a name, a descriptor."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass

UNRESOLVED = "unresolved"
LOCAL = ("unix", "abstract", "exact")
PATH_BYTES = 107  # unix(7), of a path or a name, besides a zero
_PREFIXES = {"abstract": "abns@", "exact": "abnsz@", "fd": "fd@"}


@dataclass(frozen=True, slots=True)
class Address:
    """A socket address. ``family`` is ``inet``, ``inet6``, one of LOCAL or, of a Bind or LogTarget, ``fd``; that of a
    server whose name has no address now is UNRESOLVED, and ``host`` then the name.

    ``host`` is a numeric address (``0.0.0.0`` and ``::`` for any), a path for ``unix``, a name for ``abstract`` (which
    zeros fill up to the full length, as HAProxy always had it) and ``exact`` (which has no zeros), the number for
    ``fd``. ``port`` is 0 except for inet and inet6.
    """

    family: str
    host: str
    port: int = 0

    def __str__(self) -> str:
        if self.family == "unix":
            return self.host
        if self.family in _PREFIXES:
            return f"{_PREFIXES[self.family]}{self.host}"
        host = f"[{self.host}]" if self.family == "inet6" else self.host
        return f"{host}:{self.port}"

    @property
    def number(self) -> int:
        """AF_INET, AF_INET6 or AF_UNIX."""
        return {"inet": socket.AF_INET, "inet6": socket.AF_INET6}.get(self.family, socket.AF_UNIX)

    @property
    def name(self) -> tuple[str, int] | bytes:
        """What bind() and connect() want."""
        if self.family not in LOCAL:
            return self.host, self.port
        host = os.fsencode(self.host)
        if self.family == "abstract":
            host = host.ljust(PATH_BYTES, b"\0")
        return host if self.family == "unix" else b"\0" + host
