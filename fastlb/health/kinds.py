"""Which class makes which kind of check: one row for each kind."""

from __future__ import annotations

from collections.abc import Callable

from fastlb.health.http import About, HttpProbe
from fastlb.health.tcp import TcpProbe
from fastlb.plan.model import Check, CheckKind

PROBES: dict[CheckKind, Callable[[Check, Callable[[], About] | None], TcpProbe]] = {
    CheckKind.TCP: lambda check, about: TcpProbe(check),
    CheckKind.HTTP: HttpProbe,
}


def make_probe(check: Check, about: Callable[[], About] | None) -> TcpProbe:
    """``about`` tells what such a check may need to know of its server."""
    return PROBES[check.kind](check, about)
