"""Log lines over TCP: whole, in order, counted when lost, and nobody waits for the server."""

from __future__ import annotations

import asyncio
import errno
import socket
import time
from collections.abc import Iterator

import pytest
from observed import until

from fastlb.logs import forward
from fastlb.logs.forward import ForwardSink
from fastlb.plan.model import Address, LogStream

SIZE = 20_000


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forward, "RETRY_S", 0.05)


class Receiver:
    """A server of log lines at one port for as long as it lives. ``room``: bytes that its kernel takes unread."""

    def __init__(self, port: int = 0, room: int = 0) -> None:
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if room:
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        self.listener.bind(("127.0.0.1", port))
        self.listener.listen()
        self.listener.setblocking(False)
        self.port: int = self.listener.getsockname()[1]
        self.taken: list[socket.socket] = []
        self.data = b""

    def look(self) -> bytes:
        """All that has come so far, over all connections."""
        try:
            self.taken.append(self.listener.accept()[0])
            self.taken[-1].setblocking(False)
        except BlockingIOError:
            pass
        for sock in self.taken:
            try:
                self.data += sock.recv(1 << 16)
            except BlockingIOError:
                continue
        return self.data

    def close(self) -> None:
        for sock in (*self.taken, self.listener):
            sock.close()


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    one = Receiver()
    yield one
    one.close()


def stream(port: int, **changes: int) -> LogStream:
    made = {"size": SIZE, "connect_ms": 2000, "server_ms": 2000, **changes}
    return LogStream("server s of ring r", Address("inet", "127.0.0.1", port), **made)


def lines(first: int, last: int) -> bytes:
    return b"".join(b"<134>line %d\n" % number for number in range(first, last))


def say(sink: ForwardSink, first: int, last: int) -> None:
    for line in lines(first, last).splitlines(keepends=True):
        sink.write(line)
    sink.flush()


def test_lines_arrive_in_order_over_one_connection(receiver: Receiver, told: list[str]) -> None:
    async def run() -> None:
        sink = ForwardSink(stream(receiver.port), told.append)
        say(sink, 0, 500)
        await until(lambda: receiver.look() == lines(0, 500))
        say(sink, 500, 1000)
        await until(lambda: receiver.look() == lines(0, 1000))
        sink.close()
        assert (len(receiver.taken), sink.dropped, told) == (1, 0, [])

    asyncio.run(run())


def test_octets_are_counted(receiver: Receiver, told: list[str]) -> None:
    async def run() -> None:
        sink = ForwardSink(stream(receiver.port, octet_count=1), told.append)
        sink.write(b"<134>a b\n")
        sink.write(b"<134>c\n")
        sink.flush()
        await until(lambda: receiver.look() == b"8 <134>a b6 <134>c")
        sink.close()

    asyncio.run(run())


def test_a_server_that_is_away_costs_no_line_until_the_room_is_full(receiver: Receiver, told: list[str]) -> None:
    async def run() -> None:
        receiver.close()
        sink = ForwardSink(stream(receiver.port), told.append)
        say(sink, 0, 100)
        await until(lambda: told)
        say(sink, 100, 200)
        assert sink.dropped == 0
        back = Receiver(receiver.port)
        await until(lambda: back.look() == lines(0, 200))
        assert [text.partition(": ")[2].partition(";")[0] for text in told] == ["Connection refused", "connected again"]
        back.close()
        sink.close()

    asyncio.run(run())


def test_the_newest_are_lost_and_counted(receiver: Receiver, told: list[str]) -> None:
    async def run() -> None:
        receiver.close()
        sink = ForwardSink(stream(receiver.port), told.append)
        fits = next(number for number in range(10_000) if len(lines(0, number + 1)) > SIZE)
        say(sink, 0, fits + 123)
        assert sink.dropped == 123
        back = Receiver(receiver.port)
        await until(lambda: back.look() == lines(0, fits))
        back.close()
        sink.close()
        assert sink.dropped == 123

    asyncio.run(run())


def test_a_server_that_reads_nothing_is_left_and_gets_whole_lines_from_the_next_connection(told: list[str]) -> None:
    async def run() -> None:
        stuck = Receiver(room=4096)
        sink = ForwardSink(stream(stuck.port, size=32 << 20, server_ms=700), told.append)
        began = time.monotonic()
        say(sink, 0, 500_000)
        assert time.monotonic() - began < 10, "nobody waits for it"
        await until(lambda: told)
        assert "Connection timed out" in told[0]
        stuck.close()
        back = Receiver(stuck.port)
        await until(lambda: back.look().endswith(b"line 499999\n"))
        first = int(back.data.split(b"\n")[0].removeprefix(b"<134>line "))
        assert back.data == lines(first, 500_000)
        back.close()
        sink.close()
        assert sink.dropped == 0

    asyncio.run(run())


def test_a_server_that_closes_an_idle_connection_is_no_trouble(receiver: Receiver, told: list[str]) -> None:
    async def run() -> None:
        sink = ForwardSink(stream(receiver.port), told.append)
        say(sink, 0, 1)
        await until(lambda: receiver.look() == lines(0, 1))
        receiver.taken.pop().close()
        await asyncio.sleep(0.05)
        say(sink, 1, 2)
        await until(lambda: receiver.look() == lines(0, 2))
        sink.close()
        assert told == []

    asyncio.run(run())


def test_an_attempt_ends_in_time(told: list[str]) -> None:
    """At a port whose queue is full nobody answers."""

    async def run() -> None:
        full = Receiver()
        full.listener.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", full.port))
        sink = ForwardSink(stream(full.port, connect_ms=100), told.append)
        say(sink, 0, 1)
        await until(lambda: told)
        assert "Connection timed out" in told[0]
        sink.close()
        assert sink.dropped == 1
        for one in (*fillers, full):
            one.close()

    asyncio.run(run())


def test_without_an_event_loop_each_batch_tries(receiver: Receiver, told: list[str]) -> None:
    sink = ForwardSink(stream(receiver.port), told.append)
    say(sink, 0, 2)
    say(sink, 2, 3)
    deadline = time.monotonic() + 5
    while receiver.look() != lines(0, 3) and time.monotonic() < deadline:
        sink.flush()
    assert receiver.data == lines(0, 3)
    sink.close()


def test_without_a_free_descriptor_lines_wait(
    receiver: Receiver, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel has none left for a while: nobody who logs meets an error."""

    def refuse(*_: object) -> socket.socket:
        raise OSError(errno.EMFILE, "")

    async def scenario() -> None:
        sink = ForwardSink(stream(receiver.port), told.append)
        with monkeypatch.context() as full:
            full.setattr(forward.socket, "socket", refuse)
            sink.write(b"one\n")
            sink.flush()
        await until(lambda: receiver.look() == b"one\n")
        sink.close()

    asyncio.run(scenario())
    assert "Too many open files" in told[0]
