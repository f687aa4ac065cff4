"""What the command line says, and how it changes every configuration that is loaded."""

from __future__ import annotations

import dataclasses
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from fastlb.plan.load import AS_IT_IS, Reading
from fastlb.plan.model import Address, Location, MetricsBind, Plan


@dataclass(frozen=True, slots=True)
class Settings:
    """What is 0 or None is left to the configuration. ``socket`` is the path of the control socket.

    ``finish`` and ``terminate`` are the processes that are told to go, softly or at once, when this one serves.
    """

    paths: tuple[str, ...]
    socket: str
    reading: Reading = AS_IT_IS
    workers: int = 0
    maxconn: int = 0
    proxy_maxconn: int = 0
    daemon: bool | None = None
    pidfile: str | None = None
    metrics: tuple[MetricsBind, ...] = ()
    quiet: bool = False
    finish: tuple[int, ...] = ()
    terminate: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """The configuration as titles and messages call it: ``lb.conf``."""
        return ", ".join(Path(path).name for path in self.paths)

    @property
    def predecessors(self) -> tuple[int, ...]:
        """The processes whose place this one takes, once it serves."""
        return self.finish + self.terminate

    def apply(self, plan: Plan) -> Plan:
        """``plan`` with what the command line overrides."""
        process = dataclasses.replace(
            plan.process,
            workers=self.workers or plan.process.workers,
            maxconn=self.maxconn or plan.process.maxconn,
            daemon=plan.process.daemon if self.daemon is None else self.daemon,
            pidfile=self.pidfile or plan.process.pidfile,
        )
        frontends = plan.frontends
        if self.proxy_maxconn:
            frontends = tuple(
                dataclasses.replace(one, maxconn=one.maxconn or self.proxy_maxconn) for one in plan.frontends
            )
        have = {bind.address for bind in plan.metrics}
        added = tuple(bind for bind in self.metrics if bind.address not in have)
        return dataclasses.replace(plan, process=process, frontends=frontends, metrics=plan.metrics + added)


def parse_address(text: str) -> Address:
    """``host:port`` with a numeric host, ``[::1]:port``, ``:port`` or ``*:port``. Raises ValueError with the reason."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f"{text!r} is not ADDRESS:PORT")
    if host in ("", "*"):
        return Address("inet", "0.0.0.0", int(port))
    try:
        address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        raise ValueError(f"{host!r} is not a numeric IPv4 or IPv6 address") from None
    return Address("inet6" if address.version == 6 else "inet", str(address), int(port))


def metrics_bind(text: str) -> MetricsBind:
    """The listener that ``--metrics`` asks for."""
    return MetricsBind(parse_address(text), Location("--metrics", 0, 0))
