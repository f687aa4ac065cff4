"""What each proxy section is for: to balance TCP, to serve the metrics, or nothing yet. And the names of them all."""

from __future__ import annotations

from dataclasses import dataclass, fields

from fastlb.config.errors import Location, Report, quote
from fastlb.config.suggest import did_you_mean
from fastlb.config.summary import Topic
from fastlb.config.tree import Proxy, Said, merged_settings
from fastlb.plan.values import Merged, value_of

_USE_TCP = "write 'mode tcp' in this section: HTTP and TLS pass through it unchanged"
# What a metrics listener may say besides 'bind' and its rule: without effect, but HAProxy asks for the timeouts.
_TOLERATED = {
    "maxconn": "maxconn",
    "backlog": "backlog",
    "httplog": "option httplog",
    "dontlognull": "option dontlognull",
    "connect": "timeout connect",
    "client": "timeout client",
    "server": "timeout server",
    "client_fin": "timeout client-fin",
    "client_hs": "timeout client-hs",
}


# What does no harm in a metrics listener, and what is looked at elsewhere.
_TOLD_ELSEWHERE = ("mode", "disabled", "description", "id", "guid")


@dataclass(frozen=True, slots=True)
class Roles:
    """The proxies by role, each in the order of the files; their position is their number in the plan.

    ``monitors`` answer probes, ``inactive`` are the names of those that do nothing but to inform, ``refused`` of those
    that cannot be.
    """

    frontends: tuple[Merged, ...]
    backends: tuple[Merged, ...]
    metrics: tuple[Merged, ...]
    monitors: tuple[Merged, ...]
    inactive: frozenset[str]
    refused: frozenset[str]


def find_roles(proxies: tuple[Proxy, ...], report: Report) -> Roles:
    """Sort the proxies by role. Reports sections of HTTP, and names used twice."""
    traffic: list[Merged] = []
    metrics: list[Merged] = []
    monitors: list[Merged] = []
    inactive: list[Merged] = []
    refused: set[str] = set()
    for proxy in proxies:
        merged = Merged(proxy, merged_settings(proxy.own, proxy.inherited))
        if value_of(merged.settings.mode, "tcp") == "tcp":
            _check_traffic(merged, report)
            traffic.append(merged)
        elif proxy.exporter is not None:
            _check_metrics(merged, report)
            metrics += [merged] if not merged.disabled else []
        elif proxy.monitors:
            _mention_inactive(proxy.stats, merged, report)
            (inactive if merged.disabled else monitors).append(merged)
        elif proxy.only_informs:
            _mention_inactive(proxy.stats or _named(proxy.monitor), merged, report)
            inactive.append(merged)
        else:
            _refuse_http(merged, report)
            refused.add(proxy.name)
    frontends = tuple(m for m in traffic if m.proxy.has_frontend and not m.disabled)
    backends = tuple(m for m in traffic if m.proxy.has_backend)
    _check_names([m for m in (*traffic, *metrics, *monitors, *inactive) if m.proxy.has_frontend], report)
    _check_names([m for m in (*traffic, *inactive) if m.proxy.has_backend], report)
    names = frozenset(m.proxy.name for m in (*monitors, *inactive))
    return Roles(frontends, backends, tuple(metrics), tuple(monitors), names, frozenset(refused))


def find_backend(
    name: Said[str], numbers: dict[str, int], roles: Roles, report: Report, keyword: str = "default_backend"
) -> int:
    """The number of the backend that ``keyword`` names, or -1 with an error."""
    number = numbers.get(name.value)
    if number is not None:
        return number
    if name.value in roles.refused:
        return -1
    others = {m.proxy.name for m in (*roles.frontends, *roles.metrics)}
    if name.value in roles.inactive:
        message = f"{keyword!r} cannot be {quote(name.value)}: a section of statistics is inactive"
        report.error(name.location, message, "name a 'backend' or 'listen' section in 'mode tcp'")
    elif name.value in others:
        message = f"{keyword!r} needs a backend, and {quote(name.value)} is none"
        report.error(name.location, message, "name a 'backend' or 'listen' section")
    else:
        hint = did_you_mean(name.value, numbers) or "name a 'backend' or 'listen' section"
        report.error(name.location, f"there is no backend {quote(name.value)}", hint)
    return -1


def _check_traffic(merged: Merged, report: Report) -> None:
    exporter = merged.proxy.exporter
    if exporter is not None:
        report.error(exporter.location, "the metrics are served over HTTP", "write 'mode http' in this section")
    for said in (merged.proxy.stats, _named(merged.proxy.monitor)):
        if said is not None:
            report.mention(Topic.NO_EFFECT, said.location, quote(said.value))


def _named(monitor: Said[str] | None) -> Said[str] | None:
    """In messages it goes by the name of its keyword."""
    return Said("monitor-uri", monitor.location) if monitor else None


def _mention_inactive(said: Said[str] | None, merged: Merged, report: Report) -> None:
    """The page or the answer that HAProxy would give here."""
    if said is None:
        return
    report.mention(Topic.INACTIVE, said.location, f"{quote(said.value)} of {merged.title}")


def _refuse_http(merged: Merged, report: Report) -> None:
    proxy = merged.proxy
    said = proxy.own.mode
    inherited = "" if said is not None else ", which it inherits from 'defaults'"
    where = said.location if said is not None else proxy.location
    report.error(where, f"{merged.title} is in 'mode http'{inherited}; fastlb balances TCP", _USE_TCP)


def _check_metrics(merged: Merged, report: Report) -> None:
    """A metrics listener has a 'bind', its rule, and nothing else that would mean something."""
    proxy, own = merged.proxy, merged.proxy.own
    useless: list[tuple[Location, str]] = []
    for field in fields(own):
        said = getattr(own, field.name)
        if not isinstance(said, Said) or said.value == () or field.name in _TOLD_ELSEWHERE:
            continue
        if field.name in _TOLERATED:
            useless.append((said.location, quote(_TOLERATED[field.name])))
        else:
            report.error(said.location, f"this is not possible in the metrics listener {quote(proxy.name)}")
    useless += [(log.location, "'log'") for log in own.logs]
    for server in proxy.servers:
        report.error(server.location, f"the metrics listener {quote(proxy.name)} has no servers")
    _mention_inactive(proxy.stats, merged, report)
    if useless:
        names = ", ".join(dict.fromkeys(name for _, name in sorted(useless, key=lambda item: item[0].line)))
        report.warning(proxy.location, f"no effect in the metrics listener {quote(proxy.name)}: {names}")


def _check_names(proxies: list[Merged], report: Report) -> None:
    first: dict[str, Merged] = {}
    for merged in proxies:
        other = first.setdefault(merged.proxy.name, merged)
        if other is not merged:
            message = f"{merged.title} has the same name as the {other.proxy.kind} at {other.proxy.location}"
            report.error(merged.proxy.location, message)
