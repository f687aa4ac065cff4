"""What one check found: HAProxy's status code, an optional number, and words for the operator."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from enum import Enum

DESCRIPTIONS = {
    "": "Unknown",
    "HANA": "Health analyze",
    "SOCKERR": "Socket error",
    "L4OK": "Layer4 check passed",
    "L4TOUT": "Layer4 timeout",
    "L4CON": "Layer4 connection problem",
    "L6OK": "Layer6 check passed",
    "L6TOUT": "Layer6 timeout",
    "L6RSP": "Layer6 invalid response",
    "L7OK": "Layer7 check passed",
    "L7OKC": "Layer7 check conditionally passed",
    "L7TOUT": "Layer7 timeout",
    "L7RSP": "Layer7 invalid response",
    "L7STS": "Layer7 wrong status",
}
"""HAProxy's status codes and its words for them; the empty one is a server that was never checked."""


class Outcome(Enum):
    """``UNKNOWN`` is a check that failed for a reason of our own: it says nothing about the server.

    ``CONDITIONAL``: the server goes on with what it has, and wants nothing new.
    """

    PASS = "pass"
    CONDITIONAL = "conditional"
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Verdict:
    """``code`` is an HTTP status where one was read. ``info`` may hold bytes of the server: escaped before use."""

    outcome: Outcome
    status: str
    code: int | None = None
    info: str = ""

    @property
    def passed(self) -> bool:
        return self.outcome is Outcome.PASS


def success(status: str, info: str = "", code: int | None = None) -> Verdict:
    return Verdict(Outcome.PASS, status, code, info)


def failure(status: str, info: str = "", code: int | None = None) -> Verdict:
    """Unless the status itself is that of a conditional success, which ``error-status`` may ask for."""
    return Verdict(Outcome.CONDITIONAL if status == "L7OKC" else Outcome.FAIL, status, code, info)


def local_failure(info: str) -> Verdict:
    return Verdict(Outcome.UNKNOWN, "SOCKERR", None, info)


_LOCAL = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL})
_LAYER4 = frozenset(
    {
        errno.ECONNREFUSED,
        errno.ECONNRESET,
        errno.ECONNABORTED,
        errno.ETIMEDOUT,
        errno.EHOSTUNREACH,
        errno.ENETUNREACH,
        errno.EHOSTDOWN,
        errno.ENETDOWN,
    }
)


def errno_text(number: int) -> str:
    """As HAProxy says it: ``ECONNREFUSED returned by OS (Connection refused)``."""
    return f"{errno.errorcode.get(number, number)} returned by OS ({os.strerror(number)})"


def of_errno(number: int, connecting: bool, stream_address: bool = False) -> Verdict:
    """The one place where an errno becomes a verdict.

    Lack of descriptors, memory or local ports is ours (``UNKNOWN``). EAGAIN from connect() is a lack of local ports
    too, but for a unix socket (``stream_address``) it is the server's full backlog.
    """
    text = errno_text(number)
    if number in _LOCAL or (number == errno.EAGAIN and connecting and not stream_address):
        return local_failure(text)
    return failure("L4CON" if connecting and number in _LAYER4 else "SOCKERR", text)
