"""What the tests of the observability share: small plans, a real shared memory, and waiting with a deadline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from fastlb.config.checktree import EXPECT_SUCCESS
from fastlb.plan.checkmodel import Request
from fastlb.plan.model import (
    Address,
    Backend,
    Balance,
    Check,
    CheckKind,
    Frontend,
    Location,
    LogTarget,
    Plan,
    Process,
    Round,
    Server,
)

NOWHERE = Location("lb.conf", 1, 1)
LOCALHOST = "127.0.0.1"


def tcp(port: int) -> Address:
    return Address("inet", LOCALHOST, port)


def check_of(port: int, kind: CheckKind = CheckKind.TCP, **changes: object) -> Check:
    """A check that is quick enough for a test. ``request`` and ``expects`` are those of its one connection."""
    request = Request(changes.pop("request", b"OPTIONS / HTTP/1.0\r\n\r\n"), b"")  # type: ignore[arg-type]
    expects = changes.pop("expects", (EXPECT_SUCCESS,))
    quick = replace(Check(kind, tcp(port), 50, 50, 50, 2, 3, 500), **changes)  # type: ignore[arg-type]
    if kind is CheckKind.TCP or quick.rounds:
        return quick
    hop = Round(
        quick.address,
        request,
        expects,  # type: ignore[arg-type]
        quick.source,
        quick.proxy_version,
        quick.proxy_crc32c,
    )
    return replace(quick, rounds=(hop,))


def server_of(name: str, port: int, check: Check | None = None, backend: int = 0, **changes: object) -> Server:
    return replace(Server(name, backend, tcp(port), NOWHERE, check=check), **changes)  # type: ignore[arg-type]


def plan_of(
    *backends: Sequence[Server],
    logs: Sequence[LogTarget] = (),
    balance: Balance = Balance.ROUNDROBIN,
    process: Process | None = None,
    is_listen: bool = False,
) -> Plan:
    """Backends be0, be1, … with these servers, each with a frontend fe0, fe1, …; all log to all targets."""
    targets = tuple(range(len(logs)))
    first, planned = 0, []
    for index, servers in enumerate(backends):
        planned.append(Backend(f"be{index}", balance, first, len(servers), NOWHERE, is_listen=is_listen, logs=targets))
        first += len(servers)
    return Plan(
        process or Process(),
        (),
        tuple(Frontend(f"fe{index}", index, NOWHERE, logs=targets) for index in range(len(backends))),
        tuple(planned),
        tuple(replace(server, backend=index) for index, servers in enumerate(backends) for server in servers),
        tuple(logs),
        (),
        ("lb.conf",),
        "0" * 64,
    )


async def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    """Returns when the condition holds; fails when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.005)
