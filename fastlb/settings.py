"""What the command line says, and how it changes every configuration that is loaded."""

from __future__ import annotations

import dataclasses
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from fastlb.plan.model import Address, Location, MetricsBind, Plan


@dataclass(frozen=True, slots=True)
class Settings:
    """``workers`` 0 leaves the number to the configuration. ``socket`` is the path of the control socket."""

    paths: tuple[str, ...]
    socket: str
    workers: int = 0
    metrics: tuple[MetricsBind, ...] = ()

    @property
    def name(self) -> str:
        """The configuration as titles and messages call it: ``lb.conf``."""
        return ", ".join(Path(path).name for path in self.paths)

    def apply(self, plan: Plan) -> Plan:
        """``plan`` with what the command line overrides."""
        process = dataclasses.replace(plan.process, workers=self.workers) if self.workers else plan.process
        have = {bind.address for bind in plan.metrics}
        added = tuple(bind for bind in self.metrics if bind.address not in have)
        return dataclasses.replace(plan, process=process, metrics=plan.metrics + added)


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
