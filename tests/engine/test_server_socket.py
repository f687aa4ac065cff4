"""What the socket of a connection to a server is set to before it connects."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path

import pytest
from engine_stage import stage

from fastlb import signing


def ours(accepted: socket.socket) -> socket.socket:
    """The engine's end of a connection, which is in this very process."""
    for name in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            end = socket.socket(fileno=os.dup(int(name.name)))
            if end.getsockname() == accepted.getpeername() and end.getpeername() == accepted.getsockname():
                return end
            end.close()
    raise AssertionError("there is no such socket")


def test_congestion_control() -> None:
    default = Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip()
    for said, wanted in (("reno", "reno"), (None, default), ("nosuch", default)):
        with stage(congestion=said) as on, on.connected(), on.accepted() as server, ours(server) as end:
            name = end.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16)
            assert name.rstrip(b"\0").decode() == wanted


def test_signatures() -> None:
    with stage(md5_key="secret", proxy_version=1) as on:
        try:
            signing.set_key(on.listener, "secret")
        except OSError:
            pytest.skip("this kernel cannot sign TCP segments")
        with on.connected() as client, on.accepted() as server:
            assert on.received(server, 6) == b"PROXY "
            server.sendall(b"answer")
            assert on.received(client, 6) == b"answer"
