"""The monitor on a real shared memory: what it publishes, what it says, and what it keeps over a reload."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import pytest
from observed import check_of, plan_of, server_of, tcp, until

from fastlb.health.model import ServerHealth
from fastlb.health.monitor import HealthMonitor
from fastlb.health.timing import pause_s, start_offsets_s
from fastlb.plan.model import Address, CheckKind, InitState, Plan, Process
from fastlb.shm import Numbering, SharedState


class Port:
    """A local TCP port that can be closed and opened again, and counts who comes."""

    def __init__(self, is_open: bool = True) -> None:
        self._keeper = socket.socket()
        self._keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._keeper.bind(("127.0.0.1", 0))
        self.number = self._keeper.getsockname()[1]
        self.visits = 0
        self._server: asyncio.Server | None = None
        self._wanted = is_open

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._visit, "127.0.0.1", self.number, reuse_port=True)

    async def close(self) -> None:
        if self._server:
            self._server.close()
            self._server = None

    async def _visit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.visits += 1
        writer.close()

    async def __aenter__(self) -> Port:
        if self._wanted:
            await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
        self._keeper.close()


class Observed:
    """A monitor with everything around it that it touches."""

    def __init__(self) -> None:
        self.shared = SharedState()
        self.said: list[tuple[int, str, int]] = []
        self.kicks = 0
        self.monitor = HealthMonitor(self.shared.view, lambda *line: self.said.append(line), self._kick)
        self.plan: Plan | None = None
        self.numbering = Numbering((), (), ())

    def _kick(self) -> None:
        self.kicks += 1

    def install(self, plan: Plan) -> None:
        self.plan, self.numbering = plan, self.shared.install(plan)
        self.monitor.install(plan, self.numbering)

    def scheduled(self, backend: int = 0) -> list[str]:
        """Names of the servers in the published schedule, in its order."""
        assert self.plan is not None
        names = {slot: server.name for slot, server in zip(self.numbering.servers, self.plan.servers, strict=True)}
        return [names[slot] for slot in self.shared.view.schedule(self.numbering.backends[backend])]

    def health(self, name: str) -> ServerHealth:
        return next(one for one in self.monitor.servers(time.monotonic()) if one.server == name)


def observe(scenario: Callable[[Observed], Awaitable[None]]) -> Observed:
    async def run() -> Observed:
        observed, threads = Observed(), threading.active_count()
        try:
            await scenario(observed)
            assert threading.active_count() <= threads, "everything in one thread"
        finally:
            observed.monitor.close()
        return observed

    return asyncio.run(run())


REFUSED = "ECONNREFUSED returned by OS (Connection refused)"
RESET = "ECONNRESET returned by OS (Connection reset by peer)"
DOWN = f'is DOWN, reason: Layer4 connection problem, info: "{REFUSED}", check duration: 0ms. '


def texts(observed: Observed) -> list[str]:
    """The lines said, with every duration as 0.

    A check that is in the queue of a port when that closes is reset; a later one is refused.
    """
    said = (re.sub(r"duration: \d+ms", "duration: 0ms", text) for _, text, _ in observed.said)
    return [text.replace(RESET, REFUSED) for text in said]


def test_without_checks_everything_is_published_at_once() -> None:
    async def scenario(observed: Observed) -> None:
        observed.install(plan_of([server_of("a", 1), server_of("b", 1, weight=2), server_of("c", 1, backup=True)]))
        assert sorted(observed.scheduled()) == ["a", "b", "b"]
        assert [one.status for one in observed.monitor.servers(time.monotonic())] == ["no check"] * 3
        assert observed.kicks == 1

    assert observe(scenario).said == []


def test_down_and_up_as_haproxy_says_it() -> None:
    async def scenario(observed: Observed) -> None:
        async with Port(is_open=False) as a, Port() as b:
            observed.install(plan_of([server_of("a", a.number, check_of(a.number)), server_of("b", b.number)]))
            assert observed.scheduled() == ["a", "b"]
            await until(lambda: not observed.health("a").up and observed.scheduled() == ["b"])
            await a.open()
            await until(lambda: observed.health("a").up and observed.scheduled() == ["a", "b"])

    observed = observe(scenario)
    assert texts(observed) == [
        f"Server be0/a {DOWN}1 active and 0 backup servers left. 0 sessions active, 0 requeued, 0 remaining in queue.",
        "Server be0/a is UP, reason: Layer4 check passed, check duration: 0ms. "
        "2 active and 0 backup servers online. 0 sessions requeued, 0 total in queue.",
    ]
    assert [(level, backend) for level, _, backend in observed.said] == [(1, 0), (5, 0)]


@pytest.mark.parametrize(("is_listen", "word"), [(True, "proxy"), (False, "backend")])
def test_backup_takes_over_and_then_nobody_is_left(is_listen: bool, word: str) -> None:
    async def scenario(observed: Observed) -> None:
        async with Port(is_open=False) as dead, Port() as spare:
            servers = [
                server_of("a", dead.number, check_of(dead.number)),
                server_of("b", spare.number, check_of(spare.number), backup=True),
            ]
            observed.install(plan_of(servers, is_listen=is_listen))
            await until(lambda: observed.scheduled() == ["b"])
            await spare.close()
            await until(lambda: observed.scheduled() == [])

    observed = observe(scenario)
    left = "0 sessions active, 0 requeued, 0 remaining in queue."
    assert texts(observed) == [
        f"Server be0/a {DOWN}0 active and 1 backup servers left. Running on backup. {left}",
        f"Backup Server be0/b {DOWN}0 active and 0 backup servers left. {left}",
        f"{word} be0 has no server available!",
    ]
    assert [level for level, _, _ in observed.said] == [1, 1, 0]


def test_falls_and_rises_are_counted() -> None:
    async def scenario(observed: Observed) -> None:
        async with Port() as port:
            observed.install(plan_of([server_of("a", port.number, check_of(port.number))]))
            assert observed.health("a").status == "UP 1/3"
            await until(lambda: observed.health("a").status == "UP")
            await port.close()
            seen = []
            while observed.health("a").up:
                seen.append(observed.health("a").status)
                await asyncio.sleep(0.002)
            assert list(dict.fromkeys(seen)) == ["UP", "UP 2/3", "UP 1/3"]
            health = observed.health("a")
            assert (health.failures, health.downs, health.ups, health.check_status) == (3, 1, 0, "L4CON")
            await asyncio.sleep(0.05)
            assert observed.health("a").down_ms >= 50
            await port.open()
            await until(lambda: observed.health("a").status == "DOWN 1/2")
            await until(lambda: observed.health("a").status == "UP")

    observe(scenario)


def test_a_reload_keeps_who_is_down() -> None:
    """R9: when install() returns, the new schedule lacks the server that was down, before any new check."""

    async def scenario(observed: Observed) -> None:
        async with Port(is_open=False) as dead:
            a, b = server_of("a", dead.number, check_of(dead.number)), server_of("b", 1)
            observed.install(plan_of([a, b]))
            await until(lambda: observed.scheduled() == ["b"])
            checks = observed.health("a").checks
            observed.install(plan_of([server_of("new", 1), b, a]))
            assert observed.scheduled() == ["new", "b"]
            assert observed.health("a").status == "DOWN"
            assert observed.health("a").checks == checks
            await until(lambda: observed.health("a").checks > checks)

    assert len(observe(scenario).said) == 1


@pytest.mark.parametrize("change", ["address", "kind", "maintenance"])
def test_a_changed_server_starts_anew(change: str) -> None:
    async def scenario(observed: Observed) -> None:
        async with Port(is_open=False) as dead:
            check = check_of(dead.number, inter_ms=60000, fastinter_ms=60000, downinter_ms=60000)
            server = server_of("a", dead.number, check)
            observed.install(plan_of([server]))
            await until(lambda: not observed.health("a").up)
            if change == "address":
                changed = replace(server, address=tcp(dead.number + 1))
            elif change == "kind":
                changed = replace(
                    server, check=check_of(dead.number, CheckKind.HTTP, inter_ms=60000, fastinter_ms=60000)
                )
            else:
                observed.install(plan_of([replace(server, disabled=True)]))
                changed = server
            observed.install(plan_of([changed]))
            assert observed.health("a").status == "UP 1/3"
            assert observed.scheduled() == ["a"]
            await until(lambda: not observed.health("a").up)

    observe(scenario)


def test_maintenance_has_no_checks_and_no_connections() -> None:
    async def scenario(observed: Observed) -> None:
        async with Port() as port:
            server = server_of("a", port.number, check_of(port.number), disabled=True)
            observed.install(plan_of([server, server_of("b", 1)]))
            assert observed.health("a").status == "MAINT"
            assert observed.scheduled() == ["b"]
            await asyncio.sleep(0.15)
            assert port.visits == 0
            observed.install(plan_of([replace(server, disabled=False), server_of("b", 1)]))
            assert observed.scheduled() == ["a", "b"]
            await until(lambda: port.visits > 0)

    observe(scenario)


def test_a_server_whose_name_gets_an_address_leaves_its_maintenance() -> None:
    async def scenario(observed: Observed) -> None:
        found = server_of("a", 1)
        follower = server_of("b", 2, track="be0/a", tracked=0)
        lost = replace(found, address=Address("unresolved", "nosuch.invalid", 1), disabled=True)
        observed.install(plan_of([lost, follower]))
        assert observed.health("a").status == "MAINT (resolution)"
        assert observed.health("b").status == "MAINT (via be0/a)"
        assert observed.scheduled() == []
        observed.install(plan_of([found, follower]))
        assert observed.scheduled() == ["a", "b"]

    observe(scenario)


def test_a_shorter_interval_takes_effect_at_once() -> None:
    async def scenario(observed: Observed) -> None:
        async with Port() as port:
            slow = check_of(port.number, inter_ms=60000, fastinter_ms=60000)
            observed.install(plan_of([server_of("a", port.number, slow)]))
            await until(lambda: observed.health("a").checks == 1)
            observed.install(plan_of([server_of("a", port.number, check_of(port.number))]))
            await until(lambda: observed.health("a").checks > 3)

    observe(scenario)


def test_a_removed_server_is_no_longer_checked_or_used() -> None:
    async def scenario(observed: Observed) -> None:
        async with Port() as port:
            observed.install(plan_of([server_of("a", port.number, check_of(port.number)), server_of("b", 1)]))
            await until(lambda: observed.health("a").status == "UP")
            observed.install(plan_of([server_of("b", 1)]))
            visits = port.visits
            await asyncio.sleep(0.15)
            assert port.visits <= visits + 1
            assert observed.scheduled() == ["b"]

    observe(scenario)


def test_local_failures_keep_the_state_and_warn_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """F13 without strace: every socket() fails."""

    async def scenario(observed: Observed) -> None:
        import errno

        def refuse(*_: object) -> socket.socket:
            raise OSError(errno.EMFILE, "Too many open files")

        servers = [server_of(f"s{i}", 1, check_of(1)) for i in range(20)]
        with monkeypatch.context() as patch:
            patch.setattr("fastlb.health.tcp.socket.socket", refuse)
            observed.install(plan_of(servers))
            await until(lambda: all(one.inconclusive > 3 for one in observed.monitor.servers(time.monotonic())))
        assert all(one.up and one.failures == 0 for one in observed.monitor.servers(time.monotonic()))
        assert observed.monitor.servers(time.monotonic())[0].transitions == 0

    observed = observe(scenario)
    assert 1 <= len(observed.said) <= 2
    assert observed.said[0][0] == 4
    assert "EMFILE returned by OS" in observed.said[0][1]


def test_many_at_once_are_few_schedules() -> None:
    """A rack fails: every change is told, and the workers are not kicked for each."""

    async def scenario(observed: Observed) -> None:
        async with Port(is_open=False) as dead:
            servers = [server_of(f"s{i}", dead.number, check_of(dead.number, inter_ms=20)) for i in range(300)]
            observed.install(plan_of(servers))
            await until(lambda: not any(one.up for one in observed.monitor.servers(time.monotonic())))
            await until(lambda: observed.scheduled() == [])

    observed = observe(scenario)
    assert len(observed.said) == 301
    assert observed.said[-1][:2] == (0, "backend be0 has no server available!")
    assert observed.kicks < 60


def test_first_checks_are_spread_over_the_smallest_interval() -> None:
    checks = [check_of(1, inter_ms=interval) for interval in (1000, 4000, 2000, 1000)]
    assert start_offsets_s(checks) == [0.0, 0.25, 0.5, 0.75]
    assert start_offsets_s([]) == []


def test_spread_checks_moves_the_interval_both_ways() -> None:
    check = check_of(1, inter_ms=1000)
    assert [round(pause_s(check, 4, 50, draw), 3) for draw in (0.0, 0.5, 1.0)] == [0.5, 1.0, 1.5]
    assert pause_s(check, 4, 0, 0.9) == 1.0
    assert Process().spread_checks == 0


def names(healths: Sequence[ServerHealth]) -> list[str]:
    return [f"{one.backend}/{one.server}" for one in healths]


def test_servers_come_in_the_order_of_the_plan() -> None:
    async def scenario(observed: Observed) -> None:
        observed.install(plan_of([server_of("b", 1), server_of("a", 1)], [server_of("b", 1)]))
        observed.install(plan_of([server_of("a", 1), server_of("c", 1), server_of("b", 1)], [server_of("b", 1)]))
        assert names(observed.monitor.servers(time.monotonic())) == ["be0/a", "be0/c", "be0/b", "be1/b"]

    observe(scenario)


def test_a_server_that_starts_down_waits_for_its_first_check() -> None:
    async def scenario(observed: Observed) -> None:
        async with Port(is_open=False) as a, Port() as b:
            down = server_of("a", a.number, check_of(a.number, init_state=InitState.DOWN))
            observed.install(plan_of([down, server_of("b", b.number)]))
            assert observed.scheduled() == ["b"]
            assert observed.health("a").status == "DOWN 1/2"
            await a.open()
            await until(lambda: observed.scheduled() == ["a", "b"])

    assert [text.partition(" is ")[2][:3] for text in texts(observe(scenario))] == ["UP,"]


def test_who_tracks_a_server_follows_it_and_a_reload_may_end_that() -> None:
    """Directly or in a chain; one in maintenance stays there."""

    async def scenario(observed: Observed) -> None:
        async with Port() as a:
            root = server_of("root", a.number, check_of(a.number))
            second = [
                server_of("direct", 1, backend=1, track="be0/root", tracked=0),
                server_of("chained", 2, backend=1, track="be1/direct", tracked=1),
                server_of("resting", 3, backend=1, track="be0/root", tracked=0, disabled=True),
                server_of("other", 4, backend=1),
            ]
            observed.install(plan_of([root], second))
            assert observed.scheduled(1) == ["direct", "chained", "other"]
            await a.close()
            await until(lambda: observed.scheduled(1) == ["other"])
            assert not observed.health("direct").up
            assert observed.health("direct").status == "DOWN"
            assert observed.health("chained").downs == 1
            assert observed.health("resting").downs == 0
            observed.install(plan_of([root], [replace(second[0], track=None, tracked=-1), *second[1:]]))
            assert observed.scheduled(1) == ["direct", "chained", "other"]
            observed.install(plan_of([root], second))
            assert observed.scheduled(1) == ["other"]
            await a.open()
            await until(lambda: observed.scheduled(1) == ["direct", "chained", "other"])
            observed.install(plan_of([replace(root, disabled=True)], second))
            assert observed.scheduled(1) == ["other"]
            assert observed.health("chained").status == "MAINT (via be1/direct)"
            assert observed.health("chained").maintenance

    said = [text for text in texts(observe(scenario)) if " via " in text]
    assert said == [
        "Server be1/direct is DOWN via be0/root. 2 active and 0 backup servers left. "
        "0 sessions active, 0 requeued, 0 remaining in queue.",
        "Server be1/chained is DOWN via be1/direct. 1 active and 0 backup servers left. "
        "0 sessions active, 0 requeued, 0 remaining in queue.",
        "Server be1/direct is UP via be0/root. 2 active and 0 backup servers online. "
        "0 sessions requeued, 0 total in queue.",
        "Server be1/chained is UP via be1/direct. 3 active and 0 backup servers online. "
        "0 sessions requeued, 0 total in queue.",
    ]
