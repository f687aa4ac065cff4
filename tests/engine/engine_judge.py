"""An engine that is asked what rules say, without any connection."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from fastlb import _engine
from fastlb.plan.load import load

DEFAULTS = "defaults d\n timeout connect 1s\n timeout client 1s\n timeout server 1s\n"
BACKENDS = "".join(f"backend b{n} from d\n server s1 127.0.0.1:80\n server s2 127.0.0.1:81 backup\n" for n in range(4))


class Judge:
    """An engine that knows a frontend with some rules."""

    def __init__(
        self, directory: Path, rules: str, inherited: str = "", environ: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        path = directory / "lb.conf"
        lines, above = (
            "".join(f" {line.strip()}\n" for line in one.strip().splitlines()) for one in (rules, inherited)
        )
        frontend = f"frontend f from own\n bind 127.0.0.1:1\n{lines} default_backend b0\n"
        path.write_text(f"{DEFAULTS}defaults own from d\n{above}{frontend}{BACKENDS}")
        result = load([str(path)], environ=environ)
        assert result.plan is not None, result.diagnostics
        plan = result.plan
        self.shm_fd = _engine.shm_create()
        self.shm = _engine.Shm(self.shm_fd)
        self.shm.set_worker_count(1)
        self.events = [os.eventfd(0) for _ in range(3)]
        self.engine = _engine.Engine(self.shm_fd, 0, self.events[0], [self.events[1]], self.events[2], 16, 1000)
        slots = [list(range(len(rows))) for rows in (plan.frontends, plan.backends, plan.servers)]
        plan_fd = _engine.compile_plan(plan, 1, *slots)
        self.engine.commit(self.engine.prepare(plan_fd))
        os.close(plan_fd)

    def admits(self, source: str, port: int = 1) -> bool:
        return _engine.judge(self.engine, 0, source, port)[0]

    def enters(self, source: str) -> bool:
        return _engine.judge(self.engine, 0, source)[3]

    def content(self, data: bytes, *, final: bool = False) -> str:
        return str(_engine.judge(self.engine, 0, "127.0.0.1", 1, data, final)[1])

    def backend(self, data: bytes = b"", source: str = "127.0.0.1") -> int:
        return _engine.judge(self.engine, 0, source, 1, data)[2]

    def value(
        self, number: int = 0, data: bytes = b"", source: str = "127.0.0.1", *, final: bool = True
    ) -> bytes | None:
        """What the sample of ``use_backend %[sample]`` number so gives."""
        return _engine.sample_value(self.engine, 0, number, source, data, final)

    def close(self) -> None:
        self.engine.close()
        del self.engine
        self.shm.close()
        for fd in (self.shm_fd, *self.events):
            os.close(fd)
