"""The configuration as written: every value with the place where it was said, nothing merged, nothing resolved.

All of it is frozen. None means "not said here"; which value then counts is decided by the plan.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from fastlb.config.balancetree import BalanceLine, HashTypeLine
from fastlb.config.bindtree import BindAddress as BindAddress
from fastlb.config.bindtree import BindLine as BindLine
from fastlb.config.checktree import HttpCheck as HttpCheck
from fastlb.config.checktree import HttpComment, HttpStep, merged_steps
from fastlb.config.checktree import TcpCheck as TcpCheck
from fastlb.config.endpoint import Endpoint as Endpoint
from fastlb.config.endpoint import EndpointKind as EndpointKind
from fastlb.config.errors import Location
from fastlb.config.logpieces import LogPiece
from fastlb.config.proxytree import ProxyExtras
from fastlb.config.proxytree import ProxyField as ProxyField
from fastlb.config.ruletree import NO_RULES, Condition, ProxyRules
from fastlb.config.said import Said as Said


@dataclass(frozen=True, slots=True)
class SourceLine:
    """Where connections to servers come from; port 0 is any, ``last_port`` is above ``endpoint.port`` for a range.

    ``usesrc`` is ``clientip``, ``client``, or an address that this machine need not have.
    """

    endpoint: Endpoint
    last_port: int
    interface: str | None
    usesrc: str | Endpoint | None = None


@dataclass(frozen=True, slots=True)
class SlowStart:
    """``slowstart t [new-servers]``: how long, and whether also for servers that a reload adds."""

    ms: int
    new_servers: bool


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """What a ``server`` or ``default-server`` line says after the address. Times in milliseconds."""

    check: Said[bool] | None = None
    inter: Said[int] | None = None
    fastinter: Said[int] | None = None
    downinter: Said[int] | None = None
    init_state: Said[str] | None = None
    rise: Said[int] | None = None
    fall: Said[int] | None = None
    port: Said[int] | None = None
    addr: Said[Endpoint] | None = None
    weight: Said[int] | None = None
    backup: Said[bool] | None = None
    disabled: Said[bool] | None = None
    maxconn: Said[int] | None = None
    source: Said[SourceLine] | None = None
    user_timeout: Said[int] | None = None
    id: Said[int] | None = None
    guid: Said[str] | None = None
    minconn: Said[int] | None = None
    maxqueue: Said[int] | None = None
    track: Said[str] | None = None
    slowstart: Said[SlowStart] | None = None
    shutdown_when_down: Said[bool] | None = None
    shutdown_backups_when_up: Said[bool] | None = None
    hash_key: Said[str] | None = None
    send_proxy: Said[bool] | None = None
    send_proxy_v2: Said[bool] | None = None
    proxy_extras: Said[ProxyExtras] | None = None
    check_send_proxy: Said[bool] | None = None
    congestion: Said[str] | None = None
    md5_key: Said[str] | None = None
    init_addr: Said[tuple[str, ...]] | None = None
    observe: Said[bool] | None = None
    error_limit: Said[int] | None = None
    on_error: Said[str] | None = None
    non_stick: Said[bool] | None = None


NO_OPTIONS = ServerOptions()


@dataclass(frozen=True, slots=True)
class ServerLine:
    """One ``server`` line. ``defaults`` is what the ``default-server`` lines above it in its section said.

    ``port_offset`` is None, or what is added to the port that the client connected to.
    """

    name: str
    location: Location
    address: Said[Endpoint]
    port_offset: int | None
    own: ServerOptions
    defaults: ServerOptions


@dataclass(frozen=True, slots=True)
class LogSample:
    """Of each ``size`` lines those at these places, from 1, both ends included."""

    ranges: tuple[tuple[int, int], ...]
    size: int

    def __str__(self) -> str:
        return ",".join(f"{low}-{high}" if low < high else f"{low}" for low, high in self.ranges) + f":{self.size}"


@dataclass(frozen=True, slots=True)
class StreamTarget:
    """``tcp@address``: log lines over a connection."""

    endpoint: Endpoint


@dataclass(frozen=True, slots=True)
class RingTarget:
    """``ring@name``."""

    name: str


@dataclass(frozen=True, slots=True)
class LogLine:
    """One ``log`` line with a target of its own; ``target`` is ``stdout``, ``stderr`` or an address. Syslog numbers.

    An empty ``format`` and a ``length`` of 0 are those of the ring.
    """

    target: Endpoint | StreamTarget | RingTarget | str
    location: Location
    format: str
    facility: int
    max_level: int
    min_level: int
    length: int
    sample: LogSample | None = None


@dataclass(frozen=True, slots=True)
class LogGlobal:
    """``log global``: the targets of the global section."""

    location: Location


@dataclass(frozen=True, slots=True)
class RingServer:
    """A ``server`` of a ring. ``octet_count``: each line goes with its length before it (RFC 6587), not as a line."""

    name: str
    endpoint: Endpoint
    location: Location
    octet_count: bool = False


@dataclass(frozen=True, slots=True)
class RingLine:
    """A ``ring`` section. ``size`` in bytes, times in milliseconds."""

    name: str
    location: Location
    description: str | None = None
    format: str = "local"
    maxlen: int = 1024
    size: int = 1 << 20
    connect_ms: int = 5000
    server_ms: int = 10_000
    servers: tuple[RingServer, ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """What a proxy, or a ``defaults`` section, says about itself. Times in milliseconds, 0 is "no limit".

    Keep-alive: idle and interval in seconds; None instead of yes or no is ``default option …``, as good as unsaid.
    An empty ``log_format`` was forgotten again, by an ``option tcplog`` below it.
    """

    mode: Said[str] | None = None
    disabled: Said[bool] | None = None
    unpublished: Said[bool] | None = None
    description: Said[str] | None = None
    id: Said[int] | None = None
    guid: Said[str] | None = None
    maxconn: Said[int] | None = None
    backlog: Said[int] | None = None
    default_backend: Said[str] | None = None
    balance: Said[BalanceLine] | None = None
    fullconn: Said[int] | None = None
    log_health_checks: Said[bool] | None = None
    hash_type: Said[HashTypeLine] | None = None
    hash_factor: Said[int] | None = None
    hash_affinity: Said[str] | None = None
    persist: Said[str] | None = None
    allbackups: Said[bool] | None = None
    abortonclose: Said[bool] | None = None
    persist_down: Said[bool] | None = None
    nolinger: Said[bool] | None = None
    tcp_smart_accept: Said[bool] | None = None
    tcp_smart_connect: Said[bool] | None = None
    rate_limit: Said[int] | None = None
    retries: Said[int] | None = None
    redispatch: Said[int] | None = None
    check: Said[TcpCheck | HttpCheck] | None = None
    tcplog: Said[bool] | None = None
    httplog: Said[bool] | None = None
    dontlognull: Said[bool] | None = None
    dontlog_normal: Said[bool] | None = None
    logasap: Said[bool] | None = None
    log_separate_errors: Said[bool] | None = None
    log_format: Said[tuple[LogPiece, ...]] | None = None
    error_log_format: Said[tuple[LogPiece, ...]] | None = None
    log_format_sd: Said[tuple[LogPiece, ...]] | None = None
    unique_id: Said[tuple[LogPiece, ...]] | None = None
    log_tag: Said[str] | None = None
    kernel_splice: Said[bool] | None = None
    source: Said[SourceLine] | None = None
    client_keepalive: Said[bool | None] | None = None
    client_keepalive_idle: Said[int] | None = None
    client_keepalive_interval: Said[int] | None = None
    client_keepalive_count: Said[int] | None = None
    server_keepalive: Said[bool | None] | None = None
    server_keepalive_idle: Said[int] | None = None
    server_keepalive_interval: Said[int] | None = None
    server_keepalive_count: Said[int] | None = None
    connect: Said[int] | None = None
    client: Said[int] | None = None
    server: Said[int] | None = None
    check_timeout: Said[int] | None = None
    client_fin: Said[int] | None = None
    client_hs: Said[int] | None = None
    server_fin: Said[int] | None = None
    tunnel: Said[int] | None = None
    queue: Said[int] | None = None
    disable_on_404: Said[bool] | None = None
    send_state: Said[bool] | None = None
    server_options: ServerOptions = NO_OPTIONS
    http_checks: tuple[HttpStep | HttpComment, ...] = ()
    logs: tuple[LogLine | LogGlobal, ...] = ()
    no_log: bool = False
    rules: ProxyRules = NO_RULES


@dataclass(frozen=True, slots=True)
class Proxy:
    """A ``frontend``, ``backend`` or ``listen`` section. ``inherited`` is what its ``defaults`` section says.

    ``exporter`` is the path of ``http-request use-service prometheus-exporter``; ``stats`` and ``monitor`` the first
    ``stats`` keyword and the path of ``monitor-uri``. ``routes``: something in it sends or answers traffic. ``whole``:
    nothing in it is unsupported.
    """

    kind: str
    name: str
    location: Location
    own: Settings
    inherited: Settings
    binds: tuple[BindLine, ...]
    servers: tuple[ServerLine, ...]
    exporter: Said[str] | None
    stats: Said[str] | None
    monitor: Said[str] | None
    routes: bool
    rules: ProxyRules
    monitor_fails: tuple[Said[Condition], ...] = ()
    whole: bool = True

    @property
    def has_frontend(self) -> bool:
        return self.kind != "backend"

    @property
    def has_backend(self) -> bool:
        return self.kind != "frontend"

    @property
    def monitors(self) -> bool:
        """A section of HTTP that answers probes of the balancer, and asks for nothing that is unsupported."""
        return self.only_informs and self.monitor is not None and self.whole and bool(self.binds)

    @property
    def only_informs(self) -> bool:
        """A section of HTTP that is nothing but HAProxy's statistics page or an answer to probes."""
        mode = self.own.mode or self.inherited.mode
        is_http = mode is not None and mode.value == "http"
        return is_http and (self.stats or self.monitor) is not None and not (self.routes or self.exporter)


_OPTIONS = tuple(field.name for field in fields(ServerOptions))
_SETTINGS = tuple(field.name for field in fields(Settings))


def merged_options(own: ServerOptions, base: ServerOptions) -> ServerOptions:
    """``own``, completed by ``base`` where it says nothing."""
    if base is NO_OPTIONS:
        return own
    if own is NO_OPTIONS:
        return base
    merged = replace(base, **_said(own, _OPTIONS))
    if own.proxy_extras and base.proxy_extras:
        extras = base.proxy_extras.value | own.proxy_extras.value
        merged = replace(merged, proxy_extras=Said(extras, own.proxy_extras.location))
    return merged


def merged_settings(own: Settings, base: Settings) -> Settings:
    """A section's settings on top of its ``defaults``: ``log`` lines add up (unless ``no log``), others replace.

    ``http-check`` steps replace the others as a whole, and what an ``option httpchk`` sends only another such option.
    """
    changes = _said(own, _SETTINGS)
    changes["logs"] = own.logs if own.no_log else base.logs + own.logs
    changes["http_checks"] = merged_steps(own.http_checks, base.http_checks)
    changes["server_options"] = merged_options(own.server_options, base.server_options)
    changes["no_log"] = own.no_log or base.no_log
    changes["rules"] = own.rules if own.rules.lines else base.rules
    return replace(base, **changes)


def _said(own: Settings | ServerOptions, names: tuple[str, ...]) -> dict[str, Any]:
    """The fields that hold a Said, by name."""
    return {name: value for name in names if isinstance(value := getattr(own, name), Said)}
