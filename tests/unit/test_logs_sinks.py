"""Sinks that are full, gone, or come back: lines are lost and counted, nobody waits, no line is cut into another."""

from __future__ import annotations

import asyncio
import os
import pty
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from observed import until

from fastlb.logs.datagram import DatagramSink
from fastlb.logs.sink import BACKLOG_BYTES
from fastlb.logs.stream import StreamSink, open_fd
from fastlb.plan.model import Address


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    for fd in (reading, writing):
        try:
            os.close(fd)
        except OSError:
            continue


def read_all(fd: int) -> bytes:
    os.set_blocking(fd, False)
    data = b""
    while True:
        try:
            chunk = os.read(fd, 1 << 16)
        except BlockingIOError:
            return data
        if not chunk:
            return data
        data += chunk


def test_a_stuck_pipe_never_blocks_and_lines_stay_whole(pipe: tuple[int, int]) -> None:
    """X13: 4 MiB of lines into a pipe that nobody reads."""
    reading, writing = pipe
    sink = StreamSink(writing)
    line = b"x" * 199 + b"\n"
    began = time.monotonic()
    for number in range(20000):
        sink.write(b"%06d" % number + line)
        sink.flush()
    assert time.monotonic() - began < 5
    assert os.get_blocking(writing)  # the description that others share is as it was
    taken = read_all(reading)
    sink.flush()
    taken += read_all(reading)
    while True:
        sink.flush()
        more = read_all(reading)
        if not more:
            break
        taken += more
    sink.close()
    lines = taken.split(b"\n")[:-1]
    assert all(len(one) == 205 for one in lines)
    assert [int(one[:6]) for one in lines] == list(range(len(lines)))
    assert sink.dropped == 20000 - len(lines)
    assert BACKLOG_BYTES <= len(taken) <= BACKLOG_BYTES + (1 << 17)


def test_the_rest_follows_when_the_reader_wakes_up(pipe: tuple[int, int]) -> None:
    reading, writing = pipe

    async def run() -> bytes:
        sink = StreamSink(writing)
        for number in range(1000):
            sink.write(b"%06d" % number + b"y" * 200 + b"\n")
        sink.flush()
        taken = b""
        deadline = time.monotonic() + 5
        while taken.count(b"\n") < 1000:
            assert time.monotonic() < deadline
            taken += read_all(reading)
            await asyncio.sleep(0.001)
        sink.close()
        return taken

    taken = asyncio.run(run())
    assert [int(line[:6]) for line in taken.splitlines()] == list(range(1000))


def test_a_line_longer_than_a_pipe_takes_at_once(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    sink = StreamSink(writing)
    long = b"z" * 65000 + b"\n"
    taken = b""
    for _ in range(3):
        sink.write(long)
        sink.flush()
    for _ in range(10):
        taken += read_all(reading)
        sink.flush()
    sink.close()
    assert taken == long * 3
    assert sink.dropped == 0


def test_a_reader_that_has_gone(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    sink = StreamSink(writing)
    os.close(reading)
    for _ in range(10):
        sink.write(b"lost\n")
    sink.flush()
    assert sink.dropped == 10
    sink.close()


def test_a_pipe_that_cannot_be_opened_again_is_asked_first(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another user's pipe: no second description, and still nobody waits."""
    reading, writing = pipe
    monkeypatch.setattr("fastlb.logs.stream._reopen", lambda fd: None)
    sink = StreamSink(writing)
    for number in range(2000):
        sink.write(b"%06d" % number + b"y" * 100 + b"\n")
        sink.flush()
    assert os.get_blocking(writing)
    taken = b""
    while taken.count(b"\n") < 2000:
        taken += read_all(reading)
        sink.flush()
    sink.close()
    assert [int(line[:6]) for line in taken.splitlines()] == list(range(2000))


def test_a_file_keeps_what_others_write(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("wb", buffering=0) as file:
        file.write(b"banner\n")
        sink = StreamSink(file.fileno())
        sink.write(b"line\n")
        sink.flush()
        file.write(b"more\n")
        sink.close()
    assert path.read_bytes() == b"banner\nline\nmore\n"


def test_a_full_disk() -> None:
    with Path("/dev/full").open("wb", buffering=0) as full:
        sink = StreamSink(full.fileno())
        sink.write(b"line\n")
        sink.flush()
        assert sink.dropped == 1
        sink.close()


def test_a_terminal() -> None:
    ours, theirs = pty.openpty()
    sink = StreamSink(theirs)
    sink.write(b"line\n")
    sink.flush()
    assert os.read(ours, 100) == b"line\r\n"
    assert os.get_blocking(theirs)
    sink.close()
    os.close(ours)
    os.close(theirs)


def test_a_socket_as_under_systemd() -> None:
    ours, theirs = socket.socketpair()
    sink = StreamSink(theirs.fileno())
    for _ in range(10000):
        sink.write(b"x" * 199 + b"\n")
        sink.flush()
    assert theirs.getblocking()
    assert sink.dropped > 0
    assert ours.recv(200) == b"x" * 199 + b"\n"
    sink.close()
    ours.close()
    theirs.close()


def test_nothing_open_there() -> None:
    code = """
import os, sys
os.close(1)
from fastlb.logs.stream import open_fd
sink = open_fd(1)
sink.write(b"lost\\n"); sink.flush(); sink.close()
sys.exit(sink.dropped)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 1
    assert open_fd(10**6).dropped == 0


@pytest.fixture
def udp() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(5)
        yield sock


def test_udp(udp: socket.socket) -> None:
    sink = DatagramSink(Address("inet", *udp.getsockname()))
    sink.write(b"one\n")
    sink.write(b"two\n")
    sink.flush()
    assert [udp.recv(100), udp.recv(100)] == [b"one\n", b"two\n"]
    sink.close()


def test_udp_after_a_refusal_loses_what_was_refused_only(udp: socket.socket) -> None:
    address = Address("inet", *udp.getsockname())
    udp.close()
    sink = DatagramSink(address)
    sink.write(b"lost\n")
    sink.flush()
    time.sleep(0.05)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
        again.bind(("127.0.0.1", address.port))
        again.settimeout(5)
        sink.write(b"there\n")
        sink.flush()
        assert again.recv(100) == b"there\n"
    sink.close()


def test_unix_syslog_that_is_late_and_then_restarted(tmp_path: Path) -> None:
    path = str(tmp_path / "log")
    sink = DatagramSink(Address("unix", path))
    sink.write(b"nobody there\n")
    sink.flush()
    assert sink.dropped == 1
    for life in (b"first\n", b"second\n"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
            receiver.bind(path)
            receiver.settimeout(5)
            time.sleep(0.15)  # connecting is tried ten times a second at most
            sink.write(life)
            sink.flush()
            assert receiver.recv(100) == life
        Path(path).unlink()
    sink.close()
    assert sink.dropped == 1


def test_a_stopped_unix_syslog_gets_the_rest_later(tmp_path: Path) -> None:
    """Ten datagrams or so fit a unix socket's queue: a burst must wait, not be lost."""
    path = str(tmp_path / "log")

    async def run() -> tuple[list[bytes], int]:
        taken: list[bytes] = []
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
            receiver.bind(path)
            receiver.setblocking(False)
            sink = DatagramSink(Address("unix", path))
            for number in range(2000):
                sink.write(b"%d" % number)
            sink.flush()
            asyncio.get_running_loop().add_reader(receiver, lambda: taken.append(receiver.recv(100)))
            await until(lambda: len(taken) == 2000)
            asyncio.get_running_loop().remove_reader(receiver)
            sink.close()
            return taken, sink.dropped

    taken, dropped = asyncio.run(run())
    assert [int(one) for one in taken] == list(range(2000))
    assert dropped == 0
