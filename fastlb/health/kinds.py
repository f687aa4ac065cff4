"""Which class makes which kind of check: one row for each kind."""

from __future__ import annotations

from fastlb.health.http import HttpProbe
from fastlb.health.tcp import TcpProbe
from fastlb.plan.model import Check, CheckKind

PROBES: dict[CheckKind, type[TcpProbe]] = {
    CheckKind.TCP: TcpProbe,
    CheckKind.HTTP: HttpProbe,
}


def make_probe(check: Check) -> TcpProbe:
    return PROBES[check.kind](check)
