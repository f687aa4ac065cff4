"""Random sessions against a model: two peers send, read, pause, finish and reset, in any order and any sizes.

The model knows only what was said and done. With it: what each side must receive in the end, to the byte, by which end,
and what must have been counted.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

import pytest
from engine_actors import Actor, Finish, Read, ReadToEnd, Send
from engine_inside import Inside, in_child, listen, open_descriptors
from engine_lives import IDLE_LIMIT_MS, SMALL
from engine_workers import make_plan
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

SENDS, READS = 0, 1
STREAMS = {side: Random(side).randbytes(4 << 20) for side in ("client", "server")}
ABORT = {"client": 1, "server": 2}  # causes; 0 is the normal end

sides = st.sampled_from(["client", "server"])
# Around what decides the mover and how much is read at once; beyond what the small buffers hold; and any.
sizes = st.one_of(
    st.sampled_from([1, 16384, 65535, 65536, 65537, 131_072, 300_000]),
    st.integers(16385, 40_000),
    st.integers(1, 300_000),
)
moves = st.sampled_from(["send", "send", "send", "read", "read", "finish"])
turns = st.sampled_from([0, 0, 0, 1, 2, 3])  # of the engine before the next step
# Who, what, how many bytes, turns.
Steps = list[tuple[str, str, int, int]]
steps = st.lists(st.tuples(sides, moves, sizes, turns), max_size=12)
resets = st.lists(st.tuples(sides, st.just("reset"), st.just(0), turns), max_size=2)
scripts = st.one_of(steps, st.builds(lambda before, reset, after: before + reset + after, steps, resets, steps))


@dataclass
class Side:
    """What one peer has said and done: the model."""

    name: str
    actor: Actor
    said: int = 0
    asked: int = 0
    finished: bool = False
    was_reset: bool = False
    held: int = field(default=-1)  # bytes its kernel had received when it reset a living session; -1: it did not

    def do(self, what: str, size: int, living: bool) -> None:
        if self.actor.closed:
            return
        if what == "send" and not self.finished:
            self.actor.add(Send(STREAMS[self.name][self.said : self.said + size]), SENDS)
            self.said += size
        elif what == "read":
            self.asked += size
            self.actor.add(Read(self.asked), READS)
        elif what == "finish" and not self.finished:
            self.actor.add(Finish(), SENDS)
            self.finished = True
        elif what == "reset":
            self.held = len(self.actor.received) + self.actor.unread() if living else -1
            self.was_reset = True
            self.actor.reset()

    def end(self) -> None:
        """Whatever is left: say that nothing more comes, and read all."""
        if not self.actor.closed:
            self.do("finish", 0, True)
            self.actor.add(ReadToEnd(), READS)


class Session:
    def __init__(self, small: bool) -> None:
        size = SMALL if small else 0
        listener = listen(size)
        self.inside = Inside(make_plan([listener.getsockname()[1]], client_ms=60_000, server_ms=60_000), size)
        client = socket.socket()
        if small:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
        client.connect(("127.0.0.1", self.inside.port))
        while not self.inside.counters()["server sessions_total"]:
            self.inside.turn(1)
        self.client = Side("client", Actor(client, [], []))
        self.server = Side("server", Actor(listener.accept()[0], [], []))
        listener.close()

    def play(self, script: Steps) -> None:
        for name, what, size, turns in script:
            side = self.client if name == "client" else self.server
            side.do(what, size, self.inside.engine.sessions() > 0)
            self._step()
            for _ in range(turns):
                self.inside.turn()
        self._finish()

    def _step(self) -> bool:
        return bool(self.client.actor.step() | self.server.actor.step())

    def _finish(self) -> None:
        self.client.end()
        self.server.end()
        idle_ms = 0
        while self.inside.engine.sessions() or not (self.client.actor.closed and self.server.actor.closed):
            idle_ms = 0 if self._step() else idle_ms + 1
            self.inside.turn(min(idle_ms, 1))
            for side in (self.client, self.server):
                if side.actor.idle:
                    side.actor.close()
            assert idle_ms < IDLE_LIMIT_MS, f"it does not end: {self.client}, {self.server}"

    # ---- the verdict ----

    def check(self) -> None:
        now = self.inside.counters()
        self._check_stream(self.client, self.server, now["frontend received_bytes_total"])
        self._check_stream(self.server, self.client, now["server received_bytes_total"])
        self._check_counters(self.client, self.server, now, "frontend", "server")
        self._check_counters(self.server, self.client, now, "server", "frontend")
        self._check_cause(now)
        assert self.inside.unbalanced() == []

    def _check_stream(self, source: Side, sink: Side, taken: int) -> None:
        """All that was said arrives, then FIN; after a reset all that the balancer had taken, then RST."""
        got, end = sink.actor.received, sink.actor.end
        assert STREAMS[source.name].startswith(got), f"{sink.name}: wrong bytes"
        assert taken <= source.actor.sent <= source.said
        if end == "fin":
            assert source.finished
            assert len(got) == source.said, f"{sink.name}: a FIN after {len(got)} of {source.said} bytes"
        if sink.was_reset:
            return
        assert len(got) == taken, f"{sink.name}: {len(got)} of {taken} bytes"
        if source.held == -1:
            assert (len(got), end) == (source.said, "fin"), f"{sink.name}: {len(got)} of {source.said} bytes, {end}"
        elif not source.finished:
            assert end == "rst", f"{sink.name}: no reset, though the {source.name} did"

    def _check_counters(self, source: Side, sink: Side, now: dict[str, int], into: str, out: str) -> None:
        taken, sent = now[f"{into} received_bytes_total"], now[f"{out} sent_bytes_total"]
        delivered = taken - now[f"{out} undelivered_bytes_total"]
        assert 0 <= delivered <= sent <= taken
        if not sink.was_reset:
            assert delivered == sent == len(sink.actor.received)
        elif sink.held >= 0 and not now["frontend ended_0_total"]:
            assert delivered <= sink.held

    def _check_cause(self, now: dict[str, int]) -> None:
        causes = {cause for cause in range(15) if now[f"frontend ended_{cause}_total"]}
        resetters = [side for side in (self.client, self.server) if side.held >= 0]
        possible = {ABORT[side.name] for side in resetters}
        if not resetters or (self.client.finished and self.server.finished):
            possible.add(0)
        assert len(causes) == 1
        assert causes <= possible, f"ended by {causes}, not {possible}"


def play(script: Steps, small: bool) -> None:
    descriptors = open_descriptors()
    session = Session(small)
    session.play(script)
    session.check()
    session.inside.close()
    assert open_descriptors() == descriptors


@pytest.mark.timeout(600)
def test_sessions_follow_the_model(scale: Callable[..., int]) -> None:
    @settings(
        max_examples=scale("random sessions", 5000, 200),
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(scripts, st.booleans())
    @example([("server", "send", 30_000, 0)], True)  # the FIN is there before the sink has room for the rest
    @example([("server", "send", 300_000, 3), ("server", "reset", 0, 0)], True)
    @example([("client", "send", 300_000, 3), ("client", "reset", 0, 0)], True)
    def follows(script: Steps, small: bool) -> None:
        in_child(lambda _: play(script, small), f"{script}, small={small}")

    follows()
