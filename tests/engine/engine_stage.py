"""One engine that a test turns by hand, the listening socket of its server, and sockets that never block."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from engine_inside import Inside, listen
from engine_workers import make_plan

from fastlb.plan.model import Process

LOCALHOST = "127.0.0.1"


class Stage:
    def __init__(self, asked: bool = False, process: Process | None = None, **plan: object) -> None:
        """``asked``: the server's port is the one that the client wanted to reach."""
        self.listener = listen(receive_bytes=4096)
        self.server_port = self.listener.getsockname()[1]
        made = make_plan([self.server_port], **plan)
        if asked:
            server = replace(made.servers[0], address=replace(made.servers[0].address, port=0), port_offset=0)
            made = replace(made, servers=(server,))
        self.inside = Inside(replace(made, process=process or made.process))
        self.counters = self.inside.counters

    def connected(self) -> socket.socket:
        client = socket.create_connection((LOCALHOST, self.inside.port))
        client.setblocking(False)
        return client

    def turn_until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < deadline, self.counters()
            self.inside.turn(1)

    def accepted(self) -> socket.socket:
        """The server's end of the next connection that the engine makes."""
        found: list[socket.socket] = []

        def accept() -> bool:
            with contextlib.suppress(BlockingIOError):
                found.append(self.listener.accept()[0])
            return bool(found)

        self.turn_until(accept)
        found[0].setblocking(False)
        return found[0]

    def received(self, sock: socket.socket, count: int) -> bytes:
        """The next ``count`` bytes."""
        data = bytearray()

        def read() -> bool:
            with contextlib.suppress(BlockingIOError):
                data.extend(sock.recv(count - len(data)))
            return len(data) >= count

        self.turn_until(read)
        return bytes(data)

    def end(self, sock: socket.socket) -> str:
        """How the connection ends, without another byte: "fin" or "rst"."""
        ends: list[str] = []

        def read() -> bool:
            try:
                assert sock.recv(1) == b""
                ends.append("fin")
            except BlockingIOError:
                pass
            except ConnectionResetError:
                ends.append("rst")
            return bool(ends)

        self.turn_until(read)
        return ends[0]

    def log_lines(self) -> list[str]:
        return [line[4].decode() for line in self.inside.shm.drain_log(0)]


@contextlib.contextmanager
def stage(**plan: object) -> Iterator[Stage]:
    """In the end every session must be over, and all that it took given back."""
    one = Stage(**plan)
    try:
        yield one
        one.turn_until(lambda: not one.inside.engine.sessions())
        assert one.inside.unbalanced() == []
    finally:
        one.listener.close()
        one.inside.close()


def tcp_info(sock: socket.socket, offset: int, form: str) -> int:
    """A number of struct tcp_info (linux/tcp.h), which grows at its end only."""
    return struct.unpack_from(form, sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 192), offset)[0]
