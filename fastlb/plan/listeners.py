"""``bind`` lines to numbered listening addresses, and the addresses of the metrics."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from itertools import count
from pathlib import Path
from typing import NamedTuple

from fastlb.config.errors import ConfigError, Location, Report, quote
from fastlb.config.globaltree import Global, UnixBind
from fastlb.config.limits import MAX_METRICS
from fastlb.config.tree import BindAddress, BindLine, Endpoint, EndpointKind, Said, Settings
from fastlb.plan.accounts import gid_of, uid_of
from fastlb.plan.congestion import bind_congestion
from fastlb.plan.identity import fill_ids
from fastlb.plan.keepalive import client_keepalive
from fastlb.plan.model import DEFAULT_BACKLOG, Address, Bind, MetricsBind
from fastlb.plan.monitors import MonitorPlanner
from fastlb.plan.resolve import Resolver
from fastlb.plan.roles import Roles
from fastlb.plan.signingkey import signing_key
from fastlb.plan.values import value_of

_V6ONLY = Path("/proc/sys/net/ipv6/bindv6only")


class _Access(NamedTuple):
    """Permissions and owner of a unix socket; None leaves them to the system."""

    mode: int | None
    uid: int | None
    gid: int | None


class ListenerPlanner:
    """Plans all listening addresses; the same one cannot be used twice."""

    def __init__(self, said: Global, resolver: Resolver, report: Report) -> None:
        self._global = said
        self._unix = value_of(said.unix_bind, UnixBind())
        self._resolver = resolver
        self._report = report
        self._users: dict[tuple[Address, str | None], Location] = {}
        self._v6only = _system_v6only()

    def binds(self, roles: Roles) -> tuple[Bind, ...]:
        """The listening addresses of all frontends."""
        planned: list[Bind] = []
        self._check_accounts()
        for number, merged in enumerate(roles.frontends):
            own: list[Bind] = []
            for line in merged.proxy.binds:
                try:
                    own += self._line(line, number, merged.settings, first=len(own) + 1)
                except ConfigError as failure:
                    self._report.caught(failure)
            ids = fill_ids(bind.id or 0 for bind in own)
            planned += [replace(bind, number=one) for bind, one in zip(own, ids, strict=True)]
        return tuple(planned)

    def metrics(self, roles: Roles, monitors: MonitorPlanner) -> tuple[MetricsBind, ...]:
        """The addresses of ``prometheus bind``, of the metrics listeners, and of those that answer probes."""
        planned: list[MetricsBind] = []
        for line in self._global.metrics:
            for address in self._addresses(line.address):
                planned.append(MetricsBind(address, line.address.location, line.path))
        for merged in (*roles.metrics, *roles.monitors):
            path = value_of(merged.proxy.exporter, "")
            monitor = monitors.monitor(merged.proxy)
            for bind in merged.proxy.binds:
                for part in self._metrics_parts(bind):
                    planned += [MetricsBind(a, part.location, path, monitor) for a in self._addresses(part)]
        if len(planned) > MAX_METRICS:
            self._report.error(planned[MAX_METRICS].location, f"more than {MAX_METRICS} addresses serve the metrics")
        return tuple(planned)

    def _line(self, line: BindLine, frontend: int, settings: Settings, first: int) -> Iterator[Bind]:
        """The addresses of one line; ``first`` is the number of the first within its frontend."""
        access = self._access(line)
        interface = line.interface.value if line.interface else None
        backlog = value_of(line.backlog, value_of(settings.backlog, DEFAULT_BACKLOG))
        keepalive = client_keepalive(settings)
        congestion = bind_congestion(line.congestion, self._report)
        md5_key = signing_key(line.md5_key, self._report)
        number = count(first)
        for part in line.addresses:
            for address in self._addresses(part, interface):
                v6only = value_of(line.v6only, self._v6only) if address.family == "inet6" else None
                yield Bind(
                    key=bind_key(address, v6only, interface),
                    frontend=frontend,
                    address=address,
                    location=part.location,
                    v6only=v6only,
                    backlog=backlog,
                    defer_accept=value_of(line.defer_accept, False),
                    tfo=value_of(line.tfo, False),
                    keepalive=keepalive,
                    interface=interface,
                    transparent=value_of(line.transparent, False),
                    mss=value_of(line.mss, 0),
                    user_timeout_ms=value_of(line.user_timeout, 0),
                    rcvbuf=value_of(self._global.client_rcvbuf, 0),
                    sndbuf=value_of(self._global.client_sndbuf, 0),
                    tcp_smart_accept=value_of(settings.tcp_smart_accept, False),
                    inherited_fd=int(address.host) if address.family == "fd" else None,
                    mode=access.mode,
                    uid=access.uid,
                    gid=access.gid,
                    name=value_of(line.name, None),
                    id=value_of(line.id, None),
                    label=value_of(line.name, str(value_of(line.id, next(number)))),
                    accept_proxy=value_of(line.accept_proxy, False),
                    maxconn=value_of(line.maxconn, 0),
                    congestion=congestion,
                    md5_key=md5_key,
                    remark=value_of(line.label, None),
                )

    def _addresses(self, part: BindAddress, interface: str | None = None) -> Iterator[Address]:
        """Every address of one word: a range of ports is many. Those used before are reported, and left out.

        The same address on another interface is another one.
        """
        first = self._resolver.address(self._prefixed(part.endpoint), part.location)
        if first is None:
            return
        for port in range(first.port, max(part.last_port, first.port) + 1):
            address = Address(first.family, first.host, port)
            user = self._users.get((address, interface))
            if user is not None:
                self._report.error(part.location, f"{quote(str(address))} is already bound at {user}")
                continue
            self._users[address, interface] = part.location
            yield address

    def _access(self, line: BindLine) -> _Access:
        """What the line says of a unix socket, completed by ``unix-bind`` if it has one."""
        local = any(part.endpoint.kind is EndpointKind.UNIX for part in line.addresses)
        unix = self._unix if local else UnixBind()
        mode = line.mode or unix.mode
        return _Access(
            mode.value if mode else None,
            uid_of(line.user or unix.user, line.uid or unix.uid),
            gid_of(line.group or unix.group, line.gid or unix.gid),
        )

    def _check_accounts(self) -> None:
        """Those of ``unix-bind``, also where no line needs them."""
        try:
            uid_of(self._unix.user, None)
            gid_of(self._unix.group, None)
        except ConfigError as failure:
            self._report.caught(failure)

    def _prefixed(self, endpoint: Endpoint) -> Endpoint:
        """With what ``unix-bind`` puts before the path of a unix socket."""
        if endpoint.kind is not EndpointKind.UNIX or self._unix.prefix is None:
            return endpoint
        return replace(endpoint, host=self._unix.prefix.value + endpoint.host)

    def _metrics_parts(self, line: BindLine) -> Iterator[BindAddress]:
        """The addresses of a 'bind' line that can serve metrics; the others, and any options, are reported."""
        for option in fields(line):
            said = getattr(line, option.name)
            if isinstance(said, Said):
                self._report.error(said.location, "this option is not supported on a metrics listener")
        for part in line.addresses:
            if part.endpoint.kind not in (EndpointKind.INET, EndpointKind.INET6, EndpointKind.NAME):
                message = f"the metrics need an address and a port, not {_spell(part.endpoint)}"
                self._report.error(part.location, message)
            elif part.last_port != part.endpoint.port:
                self._report.error(part.location, "the metrics need one port, not a range")
            else:
                yield part


def bind_key(address: Address, v6only: bool | None, interface: str | None = None) -> str:
    """What identifies a listening address over reloads, such as ``inet6:[::]:443:v6only`` or ``inet:0.0.0.0:80%eth0``.

    A change of what is in it takes another socket, beside the old one until that is empty.
    """
    return f"{address.family}:{address}{f'%{interface}' if interface else ''}{':v6only' if v6only else ''}"


def _system_v6only() -> bool:
    """What an IPv6 socket is unless told: said outright, so that saying it later is no change of the socket."""
    try:
        return _V6ONLY.read_text().strip() == "1"
    except OSError:
        return False


def _spell(endpoint: Endpoint) -> str:
    return quote(str(Address(endpoint.kind.value, endpoint.host)))
