"""What accepted TCP connections inherit from their listening socket (P6): set there once, it costs them no call.

All of it may change while the socket listens, for the connections that are accepted from then on.
"""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path

from fastlb import signing
from fastlb.plan.model import Bind, Keepalive

_DEFAULT_CONGESTION = Path("/proc/sys/net/ipv4/tcp_congestion_control")
# ip(7), ipv6(7); Python has no names for most of them.
_TRANSPARENT = {socket.AF_INET: (socket.IPPROTO_IP, 19), socket.AF_INET6: (socket.IPPROTO_IPV6, 75)}
_SO_BUF_LOCK = 72  # socket(7): which sizes are not the kernel's to change, 1 for that of sending, 2 of receiving
_BUFFERS = {
    socket.SO_RCVBUF: (2, "/proc/sys/net/ipv4/tcp_rmem"),
    socket.SO_SNDBUF: (1, "/proc/sys/net/ipv4/tcp_wmem"),
}
_FREEBIND = {socket.AF_INET: (socket.IPPROTO_IP, 15), socket.AF_INET6: (socket.IPPROTO_IPV6, 78)}


def set_options(sock: socket.socket, bind: Bind) -> None:
    """What every accepted TCP connection shall have, and what the bind says of its own. Raises OSError."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)  # urgent data would block splice (P15)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, bind.mss)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, bind.user_timeout_ms)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, not bind.tcp_smart_accept)
    _set_buffer(sock, socket.SO_RCVBUF, bind.rcvbuf)
    _set_buffer(sock, socket.SO_SNDBUF, bind.sndbuf)
    _set_congestion(sock, bind.congestion)
    if bind.md5_key or sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        with contextlib.nullcontext() if bind.md5_key else contextlib.suppress(OSError):
            signing.set_key(sock, bind.md5_key)
    _set_keepalive(sock, bind.keepalive)
    _set_transparent(sock, wanted=bind.transparent)


def _set_buffer(sock: socket.socket, option: int, size: int) -> None:
    """``size`` 0 gives a size that was set before back to the kernel (Linux 5.14; an older one leaves it as it is)."""
    lock, file = _BUFFERS[option]
    if size:
        sock.setsockopt(socket.SOL_SOCKET, option, size)
        return
    with contextlib.suppress(OSError, ValueError):
        locks = sock.getsockopt(socket.SOL_SOCKET, _SO_BUF_LOCK)
        if locks & lock:
            usual = int(Path(file).read_text().split()[1])
            sock.setsockopt(socket.SOL_SOCKET, option, usual // 2)  # which the kernel doubles
            sock.setsockopt(socket.SOL_SOCKET, _SO_BUF_LOCK, locks & ~lock)


def _set_congestion(sock: socket.socket, name: str | None) -> None:
    """Without a name the system's, which a new socket has already."""
    if name is None:
        if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            return
        name = _DEFAULT_CONGESTION.read_text().strip()
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, os.fsencode(name))


def _set_keepalive(sock: socket.socket, keepalive: Keepalive | None) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, keepalive is not None)
    if keepalive is not None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, keepalive.idle_s)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, keepalive.interval_s)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, keepalive.count)


def _set_transparent(sock: socket.socket, *, wanted: bool) -> None:
    """An address that this machine does not have. IP_TRANSPARENT takes connections to whatever the routing brings here,
    and needs CAP_NET_ADMIN; IP_FREEBIND is for everybody, and enough for an address that comes later."""
    family = socket.AddressFamily(sock.family)
    sock.setsockopt(*_FREEBIND[family], wanted)
    with contextlib.suppress(PermissionError):
        sock.setsockopt(*_TRANSPARENT[family], wanted)
