"""``track [backend/]server``: which server's state a server takes over (HAProxy manual, section 5.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from fastlb.config.errors import Report, quote
from fastlb.config.suggest import did_you_mean
from fastlb.config.tree import Said
from fastlb.plan.model import Backend, Server

NOTHING = -1


def resolve_tracks(
    servers: Sequence[Server], backends: Sequence[Backend], said: dict[int, Said[str]], report: Report
) -> tuple[Server, ...]:
    """The servers with what they track as numbers. ``said`` is what the servers with these numbers say."""
    numbers = {f"{backends[server.backend].name}/{server.name}": index for index, server in enumerate(servers)}
    found = {index: _find(servers[index], backends, text, numbers, report) for index, text in said.items()}
    if report.has_errors:
        return tuple(servers)
    _check_chains(servers, backends, found, said, report)
    names = {number: name for name, number in numbers.items()}
    return tuple(
        replace(one, track=names[found[index]], tracked=found[index]) if index in found else one
        for index, one in enumerate(servers)
    )


def _find(server: Server, backends: Sequence[Backend], said: Said[str], numbers: dict[str, int], report: Report) -> int:
    """The number of the server that is tracked; without a backend it is one of the same."""
    name = said.value if "/" in said.value else f"{backends[server.backend].name}/{said.value}"
    if name not in numbers:
        report.error(said.location, f"there is no server {quote(name)} to track", did_you_mean(name, numbers))
    return numbers.get(name, NOTHING)


def _check_chains(
    servers: Sequence[Server],
    backends: Sequence[Backend],
    found: dict[int, int],
    said: dict[int, Said[str]],
    report: Report,
) -> None:
    """Whoever is tracked is checked, or tracks one that is."""
    for index, tracked in found.items():
        seen = {index}
        while tracked in found and tracked not in seen:
            seen.add(tracked)
            tracked = found[tracked]
        if tracked in seen:
            report.error(said[index].location, f"server {quote(servers[index].name)} would track itself in the end")
        elif servers[tracked].check is None:
            message = f"server {quote(servers[tracked].name)} cannot be tracked: it has no 'check'"
            report.error(said[index].location, message)
        else:
            _check_404(servers[index], servers[tracked], backends, said[index], report)


def _check_404(server: Server, tracked: Server, backends: Sequence[Backend], said: Said[str], report: Report) -> None:
    """Both backends must understand an answer that asks for no more connections, or none of them."""
    if backends[server.backend].disable_on_404 != backends[tracked.backend].disable_on_404:
        lacking = server if backends[tracked.backend].disable_on_404 else tracked
        message = f"'http-check disable-on-404' counts for server {quote(tracked.name)} and who tracks it, or for none"
        hint = f"add it to the backend {quote(backends[lacking.backend].name)}"
        report.error(said.location, message, hint)
