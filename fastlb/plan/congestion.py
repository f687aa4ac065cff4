"""``cc``: whether this kernel has the algorithm, and lets a worker use it (tcp(7), TCP_CONGESTION)."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

from fastlb.config.errors import Report, quote
from fastlb.config.tree import Said

_SETTINGS = Path("/proc/sys/net/ipv4")


def bind_congestion(said: Said[str] | None, report: Report) -> str | None:
    """The algorithm for clients: the master sets it on the listening socket. One that the kernel lacks is reported."""
    if said is not None and not _is_there(said.value):
        known = _words("tcp_available_congestion_control")
        hint = f"it has {', '.join(known)}" if known else None
        report.error(said.location, f"this kernel has no congestion control {quote(said.value)}", hint)
    return said.value if said else None


def server_congestion(said: Said[str] | None, report: Report) -> str | None:
    """The algorithm for a server: workers, which have no privileges, can only set what is allowed to everybody."""
    allowed = _words("tcp_allowed_congestion_control")
    if said is None or not _is_there(said.value) or not allowed or said.value in allowed:
        return bind_congestion(said, report)
    wanted = " ".join([*allowed, said.value])
    hint = f"say so: sysctl net.ipv4.tcp_allowed_congestion_control={quote(wanted)}"
    report.error(said.location, f"the system does not allow workers the congestion control {quote(said.value)}", hint)
    return said.value


def _is_there(name: str) -> bool:
    """As far as this process can tell: whoever starts the service may have a right (EPERM) that it lacks."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, os.fsencode(name))
        except OSError as error:
            return error.errno != errno.ENOENT
    return True


def _words(name: str) -> list[str]:
    try:
        return (_SETTINGS / name).read_text().split()
    except OSError:
        return []
