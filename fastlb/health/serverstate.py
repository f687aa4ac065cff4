"""``http-check send-state``: what a server is told of itself, in the words of HAProxy (manual, section 4.2)."""

from __future__ import annotations

from dataclasses import dataclass

from fastlb.health.watch import STEPS, Watch


@dataclass(frozen=True, slots=True)
class Loads:
    """Sessions of the server, those of its backend that have a server, and who waits for this very server."""

    server: int
    backend: int
    queued: int


def header_value(watch: Watch, weight: int, total_weight: int, node: str, loads: Loads) -> bytes:
    """The value of ``X-Haproxy-Server-State``. ``weight`` is the server's own, of that ``total_weight`` in use."""
    server = watch.server
    port = server.address.port if server.address.family in ("inet", "inet6") else ""
    text = (
        f"{watch.status()}; address={server.address.host}; port={port}; name={watch.backend}/{server.name}; "
        f"node={node}; weight={weight}/{total_weight}; scur={loads.server}/{loads.backend}; qcur={loads.queued}"
    )
    if watch.warm < STEPS:
        text += f"; throttle={max(1, 100 * watch.warm // STEPS)}%"
    return text.encode("utf-8", "surrogateescape")
