"""A server of the soak, a process of its own: ``python -m soak_lib.server NAME LISTEN_FD EVENTS``.

It knows from the header what must arrive, checks each byte, and appends a line of JSON to EVENTS for whatever was not
as announced: wrong bytes, a stream that ended early, a reset that no client made.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import socket
import struct
import sys
import time
from collections.abc import Awaitable, Callable

from soak_lib.together import together
from soak_lib.wire import HEADER_LIMIT, Checker, EarlyEnd, Header, WrongBytes, down_stream, parse, up_stream

CHUNK = 1 << 16
RESETS = ("abort", "reset")  # kinds that end by a reset, the client's or the server's


class Talk:
    """One accepted connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.header: Header | None = None
        self.early = b""
        self.sent = hashlib.sha256()
        self._loop = asyncio.get_running_loop()

    async def read_header(self) -> Header | None:
        """None when the client left without a word."""
        got = b""
        while b"\n" not in got:
            part = await self._loop.sock_recv(self.sock, CHUNK)
            if not part and not got:
                return None
            if not part or len(got) > HEADER_LIMIT:
                raise EarlyEnd(f"FIN inside the header {got[:HEADER_LIMIT]!r}")
            got += part
        line, _, self.early = got.partition(b"\n")
        self.header = parse(line)
        self.check = Checker(up_stream(self.header))
        return self.header

    async def receive(self) -> bytes:
        """The next part of the client's stream, verified; empty at its end."""
        part, self.early = self.early, b""
        if not part:
            part = await self._loop.sock_recv(self.sock, CHUNK)
        self.check.feed(part)
        await asyncio.sleep(0)  # where there is always more, the others would never have their turn
        return part

    async def receive_all(self) -> None:
        """Up to the client's FIN, which must not come before all of the stream has."""
        while await self.receive():
            pass
        assert self.header
        if self.header.up >= 0 and self.check.count != self.header.up:
            raise EarlyEnd(f"FIN after {self.check.count} of {self.header.up} bytes")

    async def send(self, data: bytes) -> None:
        self.sent.update(data)
        await self._loop.sock_sendall(self.sock, data)
        await asyncio.sleep(0)

    async def send_down(self, until: asyncio.Event | None = None) -> None:
        """The down stream, at the pace that was asked for; ``until`` ends it early."""
        assert self.header
        stream, left = down_stream(self.header), self.header.down
        chunk = max(1000, self.header.pace // 10) if self.header.pace else CHUNK
        while left and not (until and until.is_set()):
            part = stream.take(min(chunk, left))
            await self.send(part)
            left -= len(part)
            if self.header.pace:
                await asyncio.sleep(len(part) / self.header.pace)

    async def send_trailer(self) -> None:
        await self._loop.sock_sendall(self.sock, self.check.digest() + self.sent.digest())
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def echo(talk: Talk) -> None:
    """Sends back what comes, then the trailer."""
    while part := await talk.receive():
        await talk.send(part)
    await talk.receive_all()
    await talk.send_trailer()


async def duplex(talk: Talk) -> None:
    """Both directions at once."""
    await together(talk.send_down(), talk.receive_all())
    await talk.send_trailer()


async def stream(talk: Talk) -> None:
    """Sends until all is sent or the client half-closes, which it does when it has had enough."""
    enough = asyncio.Event()

    async def send() -> None:
        await talk.send_down(enough)
        await talk.send_trailer()

    async def wait_for_end() -> None:
        await talk.receive_all()
        enough.set()

    await together(send(), wait_for_end())


async def answer(talk: Talk) -> None:
    """Reads the whole request and only then, after a moment, replies: the client has half-closed long before."""
    await talk.receive_all()
    await asyncio.sleep(0.1)
    await talk.send_down()
    await talk.send_trailer()


async def tail(talk: Talk) -> None:
    """Half-closes first: all of its stream and FIN, then it reads what the client still has to say."""
    await talk.send_down()
    await talk.send_trailer()
    await talk.receive_all()


async def reset(talk: Talk) -> None:
    """Sends its stream and resets."""
    await talk.send_down()
    await asyncio.sleep(0.02)
    talk.reset()


BEHAVIOURS: dict[str, Callable[[Talk], Awaitable[None]]] = {
    "echo": echo, "duplex": duplex, "stream": stream, "answer": answer, "tail": tail, "reset": reset, "abort": duplex,
}  # fmt: skip


async def converse(talk: Talk) -> tuple[str, str] | None:
    """What was wrong with the conversation, and its details."""
    try:
        header = await talk.read_header()
        if header:
            await BEHAVIOURS[header.kind](talk)
            if header.kind == "abort":
                raise EarlyEnd("FIN where the client reset")
    except WrongBytes as error:
        return "wrong bytes", str(error)
    except EarlyEnd as error:
        talk.reset()
        return "early end", str(error)
    except OSError as error:
        talk.reset()
        if talk.header and talk.header.kind not in RESETS:
            return "reset", str(error)
    return None


async def serve(sock: socket.socket, name: str, events: int) -> None:
    with sock:
        talk = Talk(sock)
        wrong = await converse(talk)
    if wrong:
        event = {
            "at": time.monotonic(),
            "server": name,
            "what": wrong[0],
            "detail": f"{talk.header}: {wrong[1]}",
        }
        os.write(events, json.dumps(event).encode() + b"\n")


async def accept(listener: socket.socket, name: str, events: int) -> None:
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()
    while True:
        try:
            sock, _ = await loop.sock_accept(listener)
        except OSError:
            await asyncio.sleep(0.01)
            continue
        sock.setblocking(False)
        task = asyncio.ensure_future(serve(sock, name, events))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


def main(name: str, listen_fd: str, events_path: str) -> None:
    listener = socket.socket(fileno=int(listen_fd))
    listener.setblocking(False)
    events = os.open(events_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(accept(listener, name, events))


if __name__ == "__main__":
    main(*sys.argv[1:])
