"""Connections of the master's own that come from a server's ``source``, and whether this machine has such a source."""

from __future__ import annotations

import errno
import os
import random
import socket
from collections.abc import Iterator

from fastlb.plan.model import Plan, Source

_BIND_ADDRESS_NO_PORT = 24  # ip(7): the port is chosen by connect(), and not lost to all other destinations
_TRIES = 10
_ANY = ("0.0.0.0", "::")


def ports(source: Source) -> Iterator[int]:
    """Ports to try one after the other: some of the range, at random; 0 without one."""
    if not source.ports:
        yield 0
        return
    for _ in range(min(_TRIES, source.ports)):
        yield random.randint(source.address.port, source.last_port)


def bind(sock: socket.socket, source: Source, port: int) -> None:
    """Have ``sock`` connect from there. Raises OSError."""
    if source.interface:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, os.fsencode(source.interface) + b"\0")
    if port:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    elif source.address.host in _ANY:
        return
    else:
        sock.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
    sock.bind((source.address.host, port))


def can_bind(sock: socket.socket, source: Source, port: int) -> bool:
    """The same; False when it is not possible."""
    try:
        bind(sock, source, port)
    except OSError:
        return False
    return True


def needs_privilege(plan: Plan) -> bool:
    """Whether a server wants connections to come from addresses that this machine does not have (``usesrc``)."""
    return any(server.source and server.source.usesrc for server in plan.servers)


def warnings(plan: Plan) -> list[str]:
    """Sources from which no connection can be made now: an address or an interface that is not here (or not yet)."""
    found: list[str] = []
    sources = (server.source for server in plan.servers if server.source and not server.source.usesrc)
    for source in dict.fromkeys(sources):
        with socket.socket(source.address.number, socket.SOCK_STREAM) as sock:
            try:
                bind(sock, source, 0)
            except OSError as error:
                found.append(f"no connection can come from 'source {source}' now: {_reason(source, error)}")
    return found


def _reason(source: Source, error: OSError) -> str:
    if error.errno == errno.ENODEV:
        return f"there is no interface '{source.interface}'"
    if error.errno == errno.EADDRNOTAVAIL:
        return "this machine has no such address"
    if error.errno == errno.EPERM:
        return "'interface' needs Linux 5.7"
    return error.strerror or str(error)
