"""``rate-limit sessions`` and its like: how a word counts, and that all workers count in one."""

from __future__ import annotations

import random
import socket
import threading
import time

import pytest
from engine_workers import make_plan, running, wait_until

from fastlb import _engine

HOURS_MS = 3_600_000


def admitted(arrivals: list[int], limit: int, word: int = 0) -> list[int]:
    """When each goes through, in ms: who must wait comes again when it is told to, behind none."""
    times, now = [], 0
    for arrival in arrivals:
        now = max(now, arrival)
        while True:
            wait_ms, word = _engine.rate_judge(word, limit, now)
            if not wait_ms:
                break
            assert 1 <= wait_ms <= 1000
            now += wait_ms
        times.append(now)
    return times


def in_seconds(times: list[int]) -> list[int]:
    return [sum(second * 1000 <= at < second * 1000 + 1000 for at in times) for second in range(times[-1] // 1000 + 1)]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 40, 999])
@pytest.mark.parametrize("start_ms", [0, 3, 500, 999])
def test_a_crowd_is_let_in_at_once_as_far_as_it_may_then_at_the_rate(limit: int, start_ms: int) -> None:
    times = admitted([start_ms] * limit * 5, limit)
    assert times[limit - 1] == start_ms, "as many as may"
    assert max(in_seconds(times)) == limit
    assert in_seconds(times)[1:-1].count(limit) >= 3, "and never fewer, when more wait"
    assert times[-1] <= 5000 + 1000


def test_never_more_than_the_limit_in_a_second_of_the_clock() -> None:
    """Whoever comes whenever."""
    for seed in range(300):
        dice = random.Random(seed)
        limit = dice.choice([1, 2, 5, 17, 100])
        arrivals = sorted(dice.randrange(dice.choice([1, 500, 20_000])) for _ in range(dice.randrange(1, 400)))
        times = admitted(arrivals, limit)
        assert max(in_seconds(times)) <= limit, seed
        unhindered = [at for at, arrival in zip(times, arrivals, strict=True) if at == arrival]
        assert unhindered[0] == arrivals[0]


def test_a_steady_stream_below_the_limit_never_waits() -> None:
    arrivals = [number * 26 for number in range(400)]  # 38.5 a second
    assert admitted(arrivals, 40) == arrivals


def test_a_worker_that_is_behind_counts_with_the_others() -> None:
    word = 0
    for _ in range(3):
        wait_ms, word = _engine.rate_judge(word, 4, 7_000)
        assert not wait_ms
    wait_ms, word = _engine.rate_judge(word, 4, 6_990)
    assert not wait_ms
    assert _engine.rate_judge(word, 4, 6_995)[0] == 1000, "its second is over, theirs has just begun"
    assert _engine.rate_judge(word, 4, 7_400)[0] == 600


@pytest.mark.parametrize(
    "pause_ms", [2_000, 120_000, 300 * HOURS_MS, 1_048_576_000 - 61_000, 1_048_576_000 * 3 + 2_000]
)
def test_a_pause_forgets_everything(pause_ms: int) -> None:
    """Also when the second has come round in the word's twenty bits."""
    word = 0
    for _ in range(5):
        word = _engine.rate_judge(word, 5, 5_500)[1]
    assert _engine.rate_judge(word, 5, 5_500)[0]
    assert _engine.rate_judge(word, 5, 5_500 + pause_ms)[0] == 0


def test_no_limit() -> None:
    assert _engine.rate_judge(12345, 0, 1) == (0, 12345)
    assert _engine.rate_judge(12345, 1 << 30, 1) == (0, 12345)


def test_four_workers_have_one_rate(serve) -> None:
    """Each alone would let in all that come."""
    plan = make_plan([serve(lambda connection: connection.sendall(b"s"))], rate_limit=30)
    started, done = time.monotonic(), []

    def come(port: int) -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
            assert client.recv(10) == b"s"
            done.append(time.monotonic() - started)

    with running(plan, count=4) as workers:
        clients = [threading.Thread(target=come, args=(workers.port,)) for _ in range(75)]
        for one in clients:
            one.start()
        wait_until(lambda: len(done) >= 30)
        for one in clients:
            one.join()
        assert workers.frontend()["sessions_total"] == 75
    assert sum(at > 0.4 for at in done) >= 30, "of 75 at once, 30 a second"
    assert max(done) > 1.2
