"""A client's end of one connection: a raw socket of the event loop, each byte that comes down verified."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import struct
import time
from dataclasses import dataclass
from random import Random

from soak_lib.wire import TRAILER, Checker, EarlyEnd, Header, Stream, WrongBytes, down_stream, up_stream

CHUNK = 1 << 16


@dataclass(frozen=True)
class Door:
    """Where the balancer listens; ``proxied``: a connection begins with a PROXY header there."""

    port: int
    proxied: bool = False


class Link:
    """``touched`` is when (time.monotonic) something last moved; ``sent`` and ``received`` count payload bytes.
    ``client`` is the address that a PROXY header declares."""

    def __init__(self, door: Door, header: Header, client: str = "198.51.100.1") -> None:
        self.header, self.door, self.client = header, door, client
        self.touched = time.monotonic()
        self.sent = 0
        self.corrupt = False  # the next part goes up with one wrong byte: a soak must notice
        self.settled = False  # it will stay as it is until the load goes on
        self.down = Checker(down_stream(header), 0 if header.kind in ("reset", "abort") else TRAILER)
        self.up: Stream = up_stream(header)
        self._uploaded = hashlib.sha256()
        self._sock = socket.socket()
        self._sock.setblocking(False)
        self._loop = asyncio.get_running_loop()

    @property
    def received(self) -> int:
        return self.down.count

    @property
    def arrived(self) -> int:
        """All that has come, what may be the trailer included."""
        return self.down.count + len(self.down.trailer())

    async def connect(self, window: int = 0) -> None:
        """Connect and send the header; ``window`` is a small receive buffer in bytes."""
        if window:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        await self._loop.sock_connect(self._sock, ("127.0.0.1", self.door.port))
        declared = f"PROXY TCP4 {self.client} 192.0.2.1 1024 80\r\n" if self.door.proxied else ""
        await self._loop.sock_sendall(self._sock, declared.encode() + self.header.line())
        self.touched = time.monotonic()

    async def send(self, count: int) -> None:
        """The next ``count`` bytes of the stream."""
        part = self.up.take(count)
        self._uploaded.update(part)
        if self.corrupt and part:
            part, self.corrupt = bytes([part[0] ^ 1]) + part[1:], False
        await self._loop.sock_sendall(self._sock, part)
        self.sent += count
        self.touched = time.monotonic()
        await asyncio.sleep(0)  # where the kernel takes everything, the others would never have their turn

    async def send_all(self, chunk: int, pauses: Random | None = None) -> None:
        """What the header announced, in parts of ``chunk`` bytes, with a pause after some of them; then FIN."""
        while (left := self.header.up - self.sent) > 0:
            await self.send(min(chunk, left))
            if pauses and pauses.random() < 0.1:
                await asyncio.sleep(pauses.random() * 0.1)
        self.finish()

    async def receive(self, most: int = CHUNK) -> bytes:
        """The next bytes, verified; empty at the end."""
        part = await self._loop.sock_recv(self._sock, most)
        self.down.feed(part)
        self.touched = time.monotonic()
        await asyncio.sleep(0)
        return part

    async def receive_all(self) -> None:
        while await self.receive():
            pass

    def finish(self) -> None:
        """Half-close."""
        self._sock.shutdown(socket.SHUT_WR)

    def verify(self, whole: bool = True, uploaded: bool = True) -> None:
        """At the end: all of it came, and the server got all of ours. ``whole``: the size was known beforehand."""
        if whole and self.received != self.header.down:
            raise EarlyEnd(f"FIN after {self.received} of {self.header.down} bytes")
        trailer = self.down.trailer()
        if len(trailer) < TRAILER:
            raise EarlyEnd(f"FIN after {self.received} bytes and a part of the trailer")
        if trailer[32:] != self.down.digest():
            raise EarlyEnd(f"SHA-256 of {self.received} bytes is not the one that the server announces")
        if uploaded and trailer[:32] != self._uploaded.digest():
            raise WrongBytes(f"the server's SHA-256 of the {self.sent} bytes that went up is another")

    def reset(self) -> None:
        """Close with RST (socket(7), SO_LINGER)."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._sock.close()

    def close(self) -> None:
        self._sock.close()
