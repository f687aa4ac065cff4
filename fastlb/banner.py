"""What a person reads when fastlb starts: one fact a line, every automatic value with where it came from."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence

from fastlb import __version__, _engine, kernelsplice, limits, silentdrop
from fastlb.plan import balancewords
from fastlb.plan.model import Bind, Keepalive, MetricsBind, Plan
from fastlb.service import Service

_SHOWN = 20


def lines(service: Service, warnings: Sequence[str]) -> list[str]:
    """The start-up text, without a final newline."""
    plan = service.crew.deployment.plan
    facts = [
        ("workers", _workers(plan)),
        ("steering", _steering(service, plan)),
        *_listening(service, plan),
        *_backends(plan),
    ]
    facts += [
        ("maxconn", _maxconn(service.limits, plan)),
        *_keepalive(plan),
        ("identity", _identity(plan)),
    ]
    facts += [("metrics", f"http://{_url(bind)}") for bind in plan.metrics if bind.path] or [
        ("metrics", "off (see --metrics)")
    ]
    facts += [("monitor", f"http://{_url(bind)}") for bind in plan.metrics if not bind.path]
    if kernelsplice.wanted(plan):
        facts.append(("kernel", _kernel_splice()))
    if dropping := silentdrop.way(plan):
        facts.append(("silent-drop", dropping))
    facts.append(("control", f"{service.settings.socket} (fastlb reload|stop|drain|status)"))
    head = f"fastlb {__version__} ({_engine.BUILD} engine), pid {os.getpid()}, {', '.join(plan.files)}"
    return [head, *(f"  {name:<11} {text}" for name, text in facts), *(f"  warning: {text}" for text in warnings)]


def identity_warning(plan: Plan) -> str | None:
    """Root without ``user``: allowed, but not what one wants."""
    if os.geteuid() != 0 or plan.process.uid:
        return None
    return "started as root without 'user' in 'global': workers run as root too, though without any capability"


def _workers(plan: Plan) -> str:
    count, cpus = limits.worker_count(plan), len(limits.allowed_cpus())
    origin = "nbthread" if plan.process.workers else "one for each CPU"
    pinned = ", each pinned to a CPU" if plan.process.pin else ""
    pinned += ", busy polling" * plan.process.busy_polling
    return f"{count} ({origin}; {cpus} CPU{'s' * (cpus != 1)}){pinned}"


def _steering(service: Service, plan: Plan) -> str:
    if service.crew.steers:
        return "by CPU: a connection goes to the worker on the CPU that receives it (tune.reuseport)"
    return f"by hash of the addresses ({'tune.reuseport cpu is not possible' if plan.process.steer else 'automatic'})"


def _listening(service: Service, plan: Plan) -> Iterator[tuple[str, str]]:
    count = Counter(listener.key for listener in service.listeners.all())
    for bind in plan.binds[:_SHOWN]:
        name = f" ({bind.name})" if bind.name else ""
        yield (
            "listening",
            f"{_address(bind)}{name} for {plan.frontends[bind.frontend].name} ({_sockets(count[bind.key])})",
        )
    if len(plan.binds) > _SHOWN:
        yield "listening", f"… and {len(plan.binds) - _SHOWN} more"


def _backends(plan: Plan) -> Iterator[tuple[str, str]]:
    for backend in plan.backends[:_SHOWN]:
        servers = plan.servers[backend.first_server : backend.first_server + backend.server_count]
        checked = sum(server.check is not None for server in servers)
        name = balancewords.algorithm(backend)
        yield "backend", f"{backend.name}: {name} over {_count(len(servers), 'server')}, {checked} checked"
    if len(plan.backends) > _SHOWN:
        yield "backend", f"… and {len(plan.backends) - _SHOWN} more"


def _maxconn(limit: limits.Limits, plan: Plan) -> str:
    origin = "from the configuration" if plan.process.maxconn else "automatic, from the descriptor limit"
    return f"{limit.maxconn(plan)} ({origin}: {limit.nofile} descriptors a worker)"


def _keepalive(plan: Plan) -> Iterator[tuple[str, str]]:
    clients = Counter((plan.frontends[bind.frontend].name, bind.keepalive) for bind in plan.binds)
    yield "keep-alive", f"clients {_probes(list(clients))}"
    yield "keep-alive", f"servers {_probes([(backend.name, backend.keepalive) for backend in plan.backends])}"


def _probes(timings: Sequence[tuple[str, Keepalive | None]]) -> str:
    """How the most of them are probed, and which are not like that."""
    if not timings:
        return "none"
    most = Counter(keepalive for _, keepalive in timings).most_common(1)[0][0]
    others = list(dict.fromkeys(name for name, keepalive in timings if keepalive != most))
    names = ", ".join(others[:3]) + ("…" if len(others) > 3 else "")
    text = "not probed"
    if most is not None:
        text = f"probed {most}"
        text += " (automatic)" if most == Keepalive() else ""
    return text + (f"; not those of {names}" if others else "")


def _identity(plan: Plan) -> str:
    process = plan.process
    who = f"workers run as user {process.user}" if process.user else f"workers run as uid {process.uid or os.geteuid()}"
    return f"{who}, {f'in chroot {process.chroot}' if process.chroot else 'no chroot'}"


def _kernel_splice() -> str:
    reason = kernelsplice.refusal()
    if reason:
        return f"option kernel-splice is off: {reason}; everything works without"
    return "forwards chatty sessions (option kernel-splice, experimental)"


def _address(bind: Bind) -> str:
    if bind.inherited_fd is not None:
        return f"fd@{bind.inherited_fd}"
    return f"{bind.address}{f' on {bind.interface}' if bind.interface else ''}"


def _url(bind: MetricsBind) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(bind.address.host)
    path = bind.path or (bind.monitor.path if bind.monitor else "")
    return f"{f'{host}:{bind.address.port}' if host else bind.address}{path}"


def _sockets(count: int) -> str:
    return _count(count, "socket")


def _count(count: int, word: str) -> str:
    return f"{count} {word}{'s' * (count != 1)}"
