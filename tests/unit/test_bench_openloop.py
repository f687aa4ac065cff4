"""The open-loop client and the counting of system calls, against servers and processes of the test's own."""

from __future__ import annotations

import os
import selectors
import shutil
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest

from bench import openloop, strace
from bench.compiled import compiled
from fastlb import _engine

pytestmark = pytest.mark.skipif(_engine.BUILD != "release", reason="the same for every build: once is enough")

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nping!"
RATE, SECONDS, CONNECTIONS, STALL_S = 1000, 1.5, 4, 0.5


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    if not (shutil.which("cc") or shutil.which("gcc")):
        pytest.skip("no C compiler")
    return compiled("openloop", tmp_path_factory.mktemp("openloop"))


@contextmanager
def server(answer):
    """``answer(n)`` gives what the n-th request gets: bytes, or None for a closed connection. Gives the port."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener, selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        thread = threading.Thread(target=_serve, args=(listener, selector, answer, over))
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            over.set()
            thread.join(10)
            for key in list(selector.get_map().values()):
                key.fileobj.close()


def _serve(listener, selector, answer, over):
    count = 0
    while not over.is_set():
        for key, _ in selector.select(0.05):
            if key.fileobj is listener:
                selector.register(listener.accept()[0], selectors.EVENT_READ)
                continue
            said = answer(count) if key.fileobj.recv(4096) else None
            count += 1
            if said is None:
                selector.unregister(key.fileobj)
                key.fileobj.close()
            else:
                key.fileobj.sendall(said)


def test_a_pause_shows_in_every_request_that_was_due_in_it(program):
    """A closed loop would have one late answer for each of its 4 connections, and 500 requests that it never made."""
    pause = threading.Event()

    def answer(count):
        if count == 300:
            pause.wait(STALL_S)
        return ANSWER

    with server(answer) as port:
        outcome = openloop.run(program, port, RATE, SECONDS, CONNECTIONS)
    late = sum(count for ns, count in outcome.latency if ns > 0.1e9)
    assert outcome.failures == 0
    assert outcome.answered == outcome.sent
    assert late >= 0.5 * (STALL_S - 0.1) * RATE
    assert outcome.waited >= late - CONNECTIONS
    assert max(ns for ns, _ in outcome.latency) >= 0.9 * STALL_S * 1e9
    # Nothing of that was the client's own doing.
    assert openloop.percentile_us(outcome.lag, 50) < 0.1e6


def test_the_rate_is_kept(program):
    with server(lambda count: ANSWER) as port:
        outcome = openloop.run(program, port, RATE, SECONDS, CONNECTIONS)
    # A tenth more for the warm-up, which is not counted in the latencies.
    assert outcome.scheduled == round(1.1 * SECONDS * RATE)
    assert sum(count for _, count in outcome.latency) <= SECONDS * RATE
    assert outcome.answered >= 0.9 * outcome.scheduled


@pytest.mark.parametrize(
    "wrong",
    [None, b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nping!", ANSWER + b"more", b"HTTP/1.1 200 OK\r\n\r\n"],
    ids=["closed", "404", "too long", "no length"],
)
def test_a_wrong_answer_is_a_failure(program, wrong):
    with server(lambda count: wrong if count == 20 else ANSWER) as port:
        outcome = openloop.run(program, port, RATE, 0.3, CONNECTIONS)
    assert outcome.failures == 1
    assert not outcome.kept_schedule


def test_percentiles_are_of_all_runs_together():
    cells = openloop.merged([((1000, 98), (5000, 1)), ((1000, 0), (9000, 1))])
    assert cells == ((1000, 98), (5000, 1), (9000, 1))
    assert [openloop.percentile_us(cells, percent) for percent in (50, 98, 99, 100)] == [1, 1, 5, 9]


CHILD = """
import os, sys
print("ready", flush=True)
sys.stdin.readline()
for _ in range(137): os.getppid()
print("done", flush=True)
sys.stdin.readline()
"""


def test_system_calls_are_counted(tmp_path):
    if not shutil.which("strace") or os.geteuid() != 0:
        pytest.skip("needs strace and root")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", CHILD], text=True, **pipes) as child:
        assert child.stdout.readline() == "ready\n"
        with strace.counting([child.pid], tmp_path) as counts:
            child.stdin.write("go\n")
            child.stdin.flush()
            assert child.stdout.readline() == "done\n"
        child.stdin.close()
    assert counts["getppid"] == 137
