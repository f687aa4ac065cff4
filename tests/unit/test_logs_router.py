"""Which line goes where, at which level, and that the operator sees what matters."""

from __future__ import annotations

import asyncio
import io
import os
import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from observed import plan_of, server_of

from fastlb._engine import Shm
from fastlb.config.tree import LogSample
from fastlb.logs import Logs
from fastlb.plan.model import Address, LogTarget, Process
from fastlb.shm import Numbering

LOCAL0 = 16
NUMBERING = Numbering((7,), (0,), (0,))


Record = tuple[int, int, int, int, bytes, bytes]


class Ring:
    """Stands for the shared memory of a worker that went mad: the real ring cannot be made to hold such things."""

    def __init__(self, *records: Record) -> None:
        self._records = list(records)

    def drain_log(self, worker: int, limit: int = 0) -> list[Record]:
        taken, self._records = self._records[:limit], self._records[limit:]
        return taken


def drain(logs: Logs, *records: Record) -> None:
    logs.drain(cast(Shm, cast(Any, Ring(*records))), 1)


@pytest.fixture
def receivers() -> Iterator[Callable[[], socket.socket]]:
    made: list[socket.socket] = []

    def make() -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        made.append(sock)
        return sock

    yield make
    for sock in made:
        sock.close()


def target_at(sock: socket.socket, **changes: Any) -> LogTarget:
    return replace(LogTarget(Address("inet", *sock.getsockname()), "priority", LOCAL0), **changes)


def received(sock: socket.socket) -> list[bytes]:
    lines = []
    while True:
        try:
            lines.append(sock.recv(70000))
        except BlockingIOError:
            return lines


def logs_with(*targets: LogTarget, process: Process | None = None) -> tuple[Logs, io.StringIO]:
    """Every target stands in `global` and, by `log global`, in the proxy."""
    stream = io.StringIO()
    logs = Logs(stream)
    process = replace(process or Process(), logs=tuple(range(len(targets))))
    logs.install(plan_of([server_of("a", 1)], logs=targets, process=process), NUMBERING)
    return logs, stream


def test_without_targets_the_operator_reads_stderr() -> None:
    stream = io.StringIO()
    Logs(stream).message(4, "the disk is\nfull")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \[warning\] the disk is#0Afull\n", stream.getvalue())


def test_levels_are_filtered_and_capped(receivers: Callable[[], socket.socket]) -> None:
    every, few, capped = receivers(), receivers(), receivers()
    logs, stream = logs_with(target_at(every), target_at(few, max_level=3), target_at(capped, max_level=5, min_level=3))
    for level in (0, 4, 6):
        logs.proxy_message(level, f"level {level}", 0)
    logs.close()
    assert received(every) == [b"<128>level 0\n", b"<132>level 4\n", b"<134>level 6\n"]
    assert received(few) == [b"<128>level 0\n"]
    assert received(capped) == [b"<131>level 0\n", b"<132>level 4\n"]
    assert stream.getvalue().count("\n") == 3


def test_a_target_on_the_screen_is_not_doubled(capfd: pytest.CaptureFixture[str]) -> None:
    logs = Logs()
    target = LogTarget("stdout", "raw", LOCAL0, max_level=5)
    logs.install(plan_of([server_of("a", 1)], logs=[target], process=Process(logs=(0,))), NUMBERING)
    logs.message(5, "seen once")
    logs.message(6, "below the target's level")
    logs.close()
    shown = capfd.readouterr()
    assert shown.out == "seen once\n"
    assert "seen once" not in shown.err
    assert "[info] below the target's level" in shown.err


def test_session_lines_go_to_their_frontend_only(receivers: Callable[[], socket.socket]) -> None:
    sock = receivers()
    logs, stream = logs_with(target_at(sock))
    drain(logs, (6, 0, 7, 0, b"of fe0", b""), (6, 0, 8, 0, b"of another", b""))
    logs.close()
    assert received(sock) == [b"<134>of fe0\n"]
    assert stream.getvalue() == ""


def test_structured_data_is_for_rfc5424_only(receivers: Callable[[], socket.socket]) -> None:
    plain, structured = receivers(), receivers()
    logs, _ = logs_with(target_at(plain), target_at(structured, format="rfc5424"))
    drain(logs, (6, 0, 7, 0, b"line", b'[a@1 b="1"]'), (6, 0, 7, 0, b"none", b""))
    logs.close()
    assert received(plain) == [b"<134>line\n", b"<134>none\n"]
    with_data, without = received(structured)
    assert with_data.endswith(b' - [a@1 b="1"] line\n')
    assert without.endswith(b" - - none\n")


def test_a_sample_of_the_lines(receivers: Callable[[], socket.socket]) -> None:
    """Each proxy counts for itself, also what the target's level then leaves out."""
    some, rest = receivers(), receivers()
    logs, _ = logs_with(
        target_at(some, sample=LogSample(((1, 1), (3, 4)), 5), max_level=6),
        target_at(rest, sample=LogSample(((2, 2), (5, 5)), 5)),
    )
    drain(logs, *((7 if number == 3 else 6, 0, 7, 0, b"%d" % number, b"") for number in range(1, 13)))
    logs.message(5, "of the process")
    logs.close()
    assert [line[5:] for line in received(some)] == [
        *(b"1\n", b"4\n", b"6\n", b"8\n", b"9\n", b"11\n"),
        b"of the process\n",
    ]
    assert [line[5:] for line in received(rest)] == [b"2\n", b"5\n", b"7\n", b"10\n", b"12\n"]


def test_a_descriptor_that_was_there_at_the_start(tmp_path: Path) -> None:
    """Those of our own are closed on exec, and none of them is written to by mistake."""
    reading, writing = os.pipe()
    own = os.dup(writing)
    os.set_inheritable(writing, True)
    targets = [LogTarget(Address("fd", str(fd)), "raw", LOCAL0) for fd in (writing, own, 999_999)]
    logs, stream = logs_with(*targets)
    logs.message(5, "hello")
    logs.close()
    os.close(writing)
    os.close(own)
    with os.fdopen(reading, "rb") as pipe:
        assert pipe.read() == b"hello\n"
    assert logs.dropped == 2
    for fd in (own, 999_999):
        assert f"[warning] log fd@{fd}: no such descriptor was there at the start" in stream.getvalue()


def test_a_proxy_may_have_a_tag_of_its_own(receivers: Callable[[], socket.socket]) -> None:
    sock = receivers()
    logs = Logs(io.StringIO())
    plan = plan_of([server_of("a", 1)], logs=[target_at(sock, format="local")], process=Process(logs=(0,)))
    frontends = tuple(replace(frontend, log_tag="front") for frontend in plan.frontends)
    backends = tuple(replace(backend, log_tag="back") for backend in plan.backends)
    logs.install(replace(plan, frontends=frontends, backends=backends), NUMBERING)
    drain(logs, (6, 0, 7, 0, b"session", b""))
    logs.proxy_message(5, "server", 0)
    logs.message(5, "process")
    logs.close()
    tags = [re.search(rb"(\w+)\[\d+\]: (\w+)", line) for line in received(sock)]
    assert [found and found.groups() for found in tags] == [
        (b"front", b"session"),
        (b"back", b"server"),
        (b"fastlb", b"process"),
    ]


def test_a_frontend_that_left_keeps_its_targets(receivers: Callable[[], socket.socket]) -> None:
    sock = receivers()
    logs, _ = logs_with(target_at(sock))
    logs.install(plan_of(), Numbering((), (), ()))
    drain(logs, (6, 0, 7, 0, b"the last session", b""))
    logs.close()
    assert received(sock) == [b"<134>the last session\n"]


def test_a_frontend_changes_its_target_at_a_reload(receivers: Callable[[], socket.socket]) -> None:
    old, new = receivers(), receivers()
    logs, _ = logs_with(target_at(old))
    logs.install(plan_of([server_of("a", 1)], logs=[target_at(new)]), NUMBERING)
    drain(logs, (6, 0, 7, 0, b"line", b""))
    logs.close()
    assert (received(old), received(new)) == ([], [b"<134>line\n"])


def test_what_a_mad_worker_writes_is_one_clean_line(receivers: Callable[[], socket.socket]) -> None:
    """S8"""
    sock = receivers()
    logs, stream = logs_with(target_at(sock, format="rfc5424"))
    junk = bytes(range(256)) + b"%n%s\r\n<0>fake"
    drain(logs, (255, 0, 7, 2**64 - 1, junk, junk), (-1, 0, 7, 0, junk, b""), (6, 9, 99, 0, junk, junk))
    logs.close()
    lines = received(sock)
    assert len(lines) == 3
    for line in [*lines, stream.getvalue().encode()]:
        assert line.endswith(b"\n")
        assert all(0x20 <= byte <= 0x7E for byte in line[:-1])
    assert [line.split(b">")[0] for line in lines] == [b"<135", b"<128", b"<134"]


def test_length_counts_the_header_but_not_the_line_feed(receivers: Callable[[], socket.socket]) -> None:
    sock = receivers()
    logs, _ = logs_with(target_at(sock, length=80))
    logs.proxy_message(6, "x" * 200, 0)
    logs.close()
    (line,) = received(sock)
    assert line == b"<134>" + b"x" * 75 + b"\n"


def test_the_tag_and_the_host_name(receivers: Callable[[], socket.socket]) -> None:
    sock = receivers()
    logs, _ = logs_with(target_at(sock, format="local"), process=Process(log_tag="lb", log_hostname="box"))
    logs.message(5, "hello")
    logs.close()
    (line,) = received(sock)
    assert re.fullmatch(rf"<133>\w{{3}} [ \d]\d \d\d:\d\d:\d\d box lb\[{os.getpid()}\]: hello\n", line.decode())


def test_repetitions_are_counted_and_told() -> None:
    stream = io.StringIO()

    async def run() -> None:
        logs = Logs(stream)
        for _ in range(500):
            logs.message(4, "no descriptor left")
            logs.message(4, "another")
        await asyncio.sleep(1.2)
        logs.close()

    asyncio.run(run())
    lines = [line.split("] ", 1)[1] for line in stream.getvalue().splitlines()]
    assert lines == [
        "no descriptor left",
        "another",
        "no descriptor left (repeated 499 times)",
        "another (repeated 499 times)",
    ]


def test_closing_tells_the_repetitions_too() -> None:
    stream = io.StringIO()
    logs = Logs(stream)
    logs.message(4, "once")
    logs.message(4, "once")
    logs.close()
    assert stream.getvalue().endswith("once (repeated 1 time)\n")


def test_a_flood_is_drained_in_turns() -> None:
    """The loop gets its turn every few hundred lines."""
    reading, writing = os.pipe()
    turns = 0

    async def run() -> None:
        nonlocal turns
        with os.fdopen(writing, "w") as stream:
            logs = Logs(stream)
            ring = Ring(*((4, 1, 0, 0, b"%d" % number, b"") for number in range(5000)))
            logs.drain(cast(Shm, cast(Any, ring)), 1)
            while ring._records:
                turns += 1
                await asyncio.sleep(0)
            logs.close()

    asyncio.run(run())
    os.close(reading)
    assert turns >= 5


def test_lost_lines_are_counted_over_reloads(receivers: Callable[[], socket.socket]) -> None:
    gone = LogTarget(Address("unix", "/nonexistent/log"), "raw", LOCAL0)
    logs, _ = logs_with(gone)
    logs.proxy_message(6, "lost", 0)
    assert logs.dropped == 1
    logs.install(plan_of([server_of("a", 1)]), NUMBERING)
    assert logs.dropped == 1
    logs.close()


def test_no_descriptor_is_left_open(receivers: Callable[[], socket.socket]) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    sock = receivers()
    logs, _ = logs_with(target_at(sock), LogTarget("stderr", "raw", LOCAL0), LogTarget("stdout", "raw", LOCAL0))
    logs.message(5, "hello")
    logs.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before + 1
