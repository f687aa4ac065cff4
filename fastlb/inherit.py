"""What accepted TCP connections inherit from their listening socket (P6): set there once, it costs them no call.

All of it may change while the socket listens, for the connections that are accepted from then on.
"""

from __future__ import annotations

import socket

from fastlb.plan.model import Bind, Keepalive


def set_options(sock: socket.socket, bind: Bind) -> None:
    """What every accepted TCP connection shall have, and what the bind says of its own."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)  # urgent data would block splice (P15)
    _set_keepalive(sock, bind.keepalive)


def _set_keepalive(sock: socket.socket, keepalive: Keepalive | None) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, keepalive is not None)
    if keepalive is not None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, keepalive.idle_s)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, keepalive.interval_s)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, keepalive.count)
