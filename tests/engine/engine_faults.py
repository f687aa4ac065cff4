"""Fault injection of debug builds: the mirror of `struct fastlb_faults` in src/faults.h, and what can befall a call."""

from __future__ import annotations

import ctypes
import errno
from dataclasses import dataclass

from fastlb import _engine

CALLS = (
    "recv", "send", "splice", "accept4", "bind", "connect", "socket", "setsockopt", "getsockopt", "epoll_ctl",
    "pipe2", "fcntl", "shutdown", "ioctl",
)  # fmt: skip
ERROR, ONE_BYTE, HALF = 1, 2, 3


class Faults(ctypes.Structure):
    _fields_ = (
        ("calls", ctypes.c_uint64 * len(CALLS)),
        ("kinds", ctypes.c_uint64),
        ("countdown", ctypes.c_uint64),
        ("mode", ctypes.c_uint32),
        ("error", ctypes.c_int32),
        ("struck", ctypes.c_uint32),
        ("spare", ctypes.c_uint32),
    )


def engine_faults() -> Faults | None:
    """The engine's own, in this process; None for a build without fault injection."""
    try:
        return Faults.in_dll(ctypes.CDLL(_engine.__file__), "fastlb_faults")
    except ValueError:
        return None


@dataclass(frozen=True)
class Fault:
    """Something that a call may do. A harmless one must not show in what the peers receive."""

    mode: int
    error: str = ""
    harmless: bool = True

    def __str__(self) -> str:
        return self.error or {ONE_BYTE: "one byte", HALF: "half"}[self.mode]


def errors(names: str, harmless: bool = True) -> tuple[Fault, ...]:
    return tuple(Fault(ERROR, name, harmless) for name in names.split())


SHORT = (Fault(ONE_BYTE), Fault(HALF))
POSSIBLE = {
    "recv": (*SHORT, *errors("EAGAIN EINTR"), *errors("ECONNRESET ETIMEDOUT ENOMEM", False)),
    "send": (*SHORT, *errors("EAGAIN EINTR"), *errors("ECONNRESET EPIPE ENOMEM", False)),
    "splice": (*SHORT, *errors("EAGAIN EINTR ENOMEM"), *errors("ECONNRESET EPIPE ETIMEDOUT EINVAL", False)),
    "accept4": errors("EAGAIN EINTR ECONNABORTED EMFILE ENOBUFS"),
    "bind": errors("EADDRINUSE EADDRNOTAVAIL ENOBUFS"),
    "connect": errors("EINTR EAGAIN ECONNREFUSED EADDRNOTAVAIL ENETUNREACH"),
    "socket": errors("EMFILE ENFILE ENOBUFS"),
    "setsockopt": errors("ENOBUFS EPERM"),
    "getsockopt": errors("ENOBUFS"),
    "epoll_ctl": errors("ENOMEM ENOSPC", False),
    "pipe2": errors("EMFILE ENFILE"),
    "fcntl": (Fault(ONE_BYTE), *errors("EPERM")),
    "shutdown": errors("ENOTCONN", False),
    "ioctl": errors("EINVAL", False),
}


@dataclass(frozen=True)
class Strike:
    """The fault befalls the n-th call of that kind, counted from 1."""

    call: str
    n: int
    fault: Fault

    def __str__(self) -> str:
        return f"{self.call} {self.n}: {self.fault}"

    def arm(self, faults: Faults) -> None:
        faults.kinds = 1 << CALLS.index(self.call)
        faults.countdown = self.n
        faults.mode = self.fault.mode
        faults.error = getattr(errno, self.fault.error) if self.fault.error else 0


def clear(faults: Faults) -> None:
    """No fault from now on, and counts from 0."""
    ctypes.memset(ctypes.addressof(faults), 0, ctypes.sizeof(faults))
