"""Who arrives at a listening TCP socket, and when: what can change while it listens."""

from __future__ import annotations

import contextlib
import ctypes
import socket
import struct
from pathlib import Path

from fastlb.plan.model import Bind, Plan

_DEFER_S = 1  # what HAProxy sets: the kernel waits for data until it repeats its part of the handshake, after 1 s
_SO_ATTACH_FILTER = 26
# Classic BPF over the TCP header: byte 13 holds the flags; with SYN (2) the packet is dropped, else taken whole.
_IGNORE_SYN = struct.pack(
    "=HBBIHBBIHBBIHBBI", *(0x30, 0, 0, 13), *(0x45, 0, 1, 2), *(0x06, 0, 0, 0), *(0x06, 0, 0, 0xFFFFFFFF)
)
_FAST_OPEN = Path("/proc/sys/net/ipv4/tcp_fastopen")
_FAST_OPEN_SERVER = 2


def set_conditions(sock: socket.socket, bind: Bind) -> None:
    """When a TCP connection can be accepted: both options may change while the socket listens."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, _DEFER_S if bind.defer_accept else 0)
    queue = bind.backlog if bind.tfo else 0
    with contextlib.suppress(OSError):  # a kernel without it: see fast_open_warning()
        if sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN) != queue:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, queue)


def refuse_newcomers(sock: socket.socket) -> None:
    """Has the kernel ignore new SYNs to a listening TCP socket, while handshakes under way are finished.

    A listener that is closed resets what is in its queue, and there is always something between the last accept and the
    close. Ignored clients try again after a second, and are then refused or served by whoever has the address by then.
    Newer kernels want CAP_NET_ADMIN for it; without, the gap of some microseconds stays.
    """
    code = ctypes.create_string_buffer(_IGNORE_SYN)
    program = struct.pack("@HP", len(_IGNORE_SYN) // 8, ctypes.addressof(code))
    with contextlib.suppress(PermissionError):
        sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)


def stop_deferring(sock: socket.socket) -> bool:
    """Has a TCP listener accept also those that sent nothing yet, each when the kernel turns to it again (1 s at most).

    Returns whether any may be waiting.
    """
    if sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT) == 0:
        return False
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 0)
    return True


def fast_open_warning(plan: Plan) -> str | None:
    """Said once: without the system's consent a socket's TCP Fast Open is never used."""
    if not any(bind.tfo for bind in plan.binds):
        return None
    try:
        setting = int(_FAST_OPEN.read_text())
    except (OSError, ValueError):
        return "this kernel has no TCP Fast Open: 'tfo' has no effect"
    if setting & _FAST_OPEN_SERVER:
        return None
    wanted = setting | _FAST_OPEN_SERVER
    return f"net.ipv4.tcp_fastopen is {setting}: 'tfo' has no effect before it is {wanted} (see sysctl)"
