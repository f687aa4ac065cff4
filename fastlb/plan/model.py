"""The Plan: what a configuration means, with every default merged and every name numbered.

A Plan is a value. It is frozen, made of tuples and plain scalars, and pickles: a short-lived child builds it and
hands it to the master. Servers, backends, frontends and binds are referred to by their index in the tuples below.

Units: every ``*_ms`` is milliseconds, and 0 means "no limit" (HAProxy's infinite timeout). Every ``maxconn`` counts
connections, and 0 means "no limit of its own".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from fastlb.config.errors import Location as Location
from fastlb.config.logpieces import LogPiece
from fastlb.config.tree import LogSample, ProxyField
from fastlb.plan.address import LOCAL as LOCAL
from fastlb.plan.address import PATH_BYTES as PATH_BYTES
from fastlb.plan.address import UNRESOLVED as UNRESOLVED
from fastlb.plan.address import Address as Address
from fastlb.plan.checkmodel import DEFAULT_FALL as DEFAULT_FALL
from fastlb.plan.checkmodel import DEFAULT_INTER_MS as DEFAULT_INTER_MS
from fastlb.plan.checkmodel import DEFAULT_RISE as DEFAULT_RISE
from fastlb.plan.checkmodel import Check as Check
from fastlb.plan.checkmodel import CheckKind as CheckKind
from fastlb.plan.checkmodel import InitState as InitState
from fastlb.plan.checkmodel import Round as Round
from fastlb.plan.hashing import DEFAULT_HASHING, Hashing, HashKey
from fastlb.plan.monitors import Monitor as Monitor
from fastlb.plan.origin import Source as Source
from fastlb.plan.processmodel import DEFAULT_LOG_TAG as DEFAULT_LOG_TAG
from fastlb.plan.processmodel import Process as Process
from fastlb.rules.model import NO_BACKEND_RULES, NO_FRONTEND_RULES, BackendRules, FrontendRules
from fastlb.rules.tablemodel import StickTable

DEFAULT_BACKLOG = 4096
DEFAULT_WEIGHT = 1
DEFAULT_RETRIES = 3


class Balance(IntEnum):
    """How a backend chooses a server (HAProxy manual, section 4.2 ``balance``). The values are plan.h's."""

    ROUNDROBIN = 0
    STATIC_RR = 1
    LEASTCONN = 2
    SOURCE = 3
    FIRST = 4
    RANDOM = 5
    HASH = 6


@dataclass(frozen=True, slots=True)
class Keepalive:
    """Probes of a silent TCP peer, the first after ``idle_s``; it is lost when ``count`` in a row stay unanswered.

    The defaults are below the idle limits of clouds and NAT (EC2: 350 s), which drop a silent flow without a word.
    """

    idle_s: int = 60
    interval_s: int = 15
    count: int = 4

    def __str__(self) -> str:
        return f"after {self.idle_s} s of silence, {self.count} times every {self.interval_s} s"


@dataclass(frozen=True, slots=True)
class Bind:
    """One listening address of one frontend. ``key`` identifies it over reloads: same key, same sockets.

    ``mss``, ``user_timeout_ms``, ``rcvbuf`` and ``sndbuf`` 0, ``congestion`` None: the kernel's own. ``md5_key`` signs
    segments, unless it is empty.
    ``label`` is its name, id or number within the frontend, for log lines; ``remark`` is the file's ``label``.
    ``number`` is its id within the frontend, the one said or else the next that is free.
    ``accept_proxy``: clients must begin with a PROXY header; ``keeps_fields``: somebody asks for what else it says.
    """

    key: str
    frontend: int
    address: Address
    location: Location
    v6only: bool | None = None
    backlog: int = DEFAULT_BACKLOG
    defer_accept: bool = False
    tfo: bool = False
    keepalive: Keepalive | None = Keepalive()
    interface: str | None = None
    transparent: bool = False
    mss: int = 0
    user_timeout_ms: int = 0
    rcvbuf: int = 0
    sndbuf: int = 0
    tcp_smart_accept: bool = False
    inherited_fd: int | None = None
    mode: int | None = None
    uid: int | None = None
    gid: int | None = None
    name: str | None = None
    id: int | None = None
    label: str = "1"
    accept_proxy: bool = False
    maxconn: int = 0
    congestion: str | None = None
    md5_key: str = ""
    remark: str | None = None
    keeps_fields: bool = False
    number: int = 0


@dataclass(frozen=True, slots=True)
class LogStream:
    """Where log lines go over a connection: a server of a ring, or ``tcp@…``.

    Up to ``size`` bytes wait for it. ``octet_count``: each goes with its length before it (RFC 6587), not as a line.
    """

    name: str
    address: Address
    size: int
    connect_ms: int
    server_ms: int
    octet_count: bool = False

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class LogTarget:
    """One ``log`` line. ``address`` is ``stdout``, ``stderr``, the Address of a datagram socket or a descriptor, or a
    stream; a line that names a ring is as many targets as that has servers.

    Levels are syslog's numbers: 0 emerg to 7 debug. Nothing less severe than ``max_level`` is sent; nothing is sent
    as more severe than ``min_level``.
    """

    address: Address | LogStream | str
    format: str
    facility: int
    max_level: int = 7
    min_level: int = 0
    length: int = 1024
    sample: LogSample | None = None


class LogMoment(IntEnum):
    """When the line about a session is written: CONNECT is when its server is connected, or at its end if none is."""

    NEVER = 0
    ACCEPT = 1
    CONNECT = 2
    END = 3


@dataclass(frozen=True, slots=True)
class SessionLog:
    """What a frontend writes about a session. ``data`` goes before ``line`` where the format is rfc5424.

    ``error_line`` takes the place of ``line`` for a session that did not go well: says HAProxy's manual, one with an
    error, a timeout, a retry or a redispatch. These are meant by ``log_separate_errors`` (their level is "err") and
    ``dontlog_normal``, too.
    """

    moment: LogMoment = LogMoment.NEVER
    line: tuple[LogPiece, ...] = ()
    error_line: tuple[LogPiece, ...] = ()
    data: tuple[LogPiece, ...] = ()
    dontlognull: bool = False
    dontlog_normal: bool = False
    log_separate_errors: bool = False


@dataclass(frozen=True, slots=True)
class Frontend:
    """A proxy's client side. ``backend`` is an index or -1 (every connection is then closed, logged ``SC``).

    ``client_hs_ms`` 0: as long as ``client_ms``. ``rate_limit`` is in sessions a second, 0 is none. ``number`` is its
    id, the one said or else the next that is free. ``rated``: a sample asks for its sessions in a second.
    """

    name: str
    backend: int
    location: Location
    maxconn: int = 0
    rate_limit: int = 0
    client_ms: int = 0
    client_fin_ms: int = 0
    client_hs_ms: int = 0
    logs: tuple[int, ...] = ()
    log_tag: str | None = None
    session_log: SessionLog = SessionLog()
    nolinger: bool = False
    kernel_splice: bool = False
    description: str | None = None
    id: int | None = None
    guid: str | None = None
    unique_id: tuple[LogPiece, ...] = ()
    rules: FrontendRules = NO_FRONTEND_RULES
    number: int = 0
    rated: bool = False


@dataclass(frozen=True, slots=True)
class Backend:
    """A proxy's server side. Its servers are ``plan.servers[first_server : first_server + server_count]``.

    ``redispatch`` is HAProxy's interval: 0 off, -1 on the last retry (at once for a non-deterministic algorithm), n
    every n-th retry. ``queue_ms`` is already resolved (``timeout queue``, else ``timeout connect``). ``fullconn`` is 0
    where it is not said: see ``fastlb.plan.fullconn``. ``draws`` are those of ``balance random``, ``hashing`` is for
    ``source`` and ``hash``. ``disable_on_404`` is for its checks, and for who tracks them. ``number`` and ``rated`` are
    as those of a frontend.
    ``persist_down``: whom rules or tables send to a server goes there though it is down. ``unpublished``: no frontend
    sends here but its own, unless ``force-be-switch`` says so.
    """

    name: str
    balance: Balance
    first_server: int
    server_count: int
    location: Location
    is_listen: bool = False
    connect_ms: int = 0
    server_ms: int = 0
    server_fin_ms: int = 0
    tunnel_ms: int = 0
    queue_ms: int = 0
    retries: int = DEFAULT_RETRIES
    redispatch: int = 0
    allbackups: bool = False
    abortonclose: bool = False
    persist_down: bool = False
    unpublished: bool = False
    nolinger: bool = False
    tcp_smart_connect: bool = False
    fullconn: int = 0
    log_health_checks: bool = False
    disable_on_404: bool = False
    draws: int = 0
    hashing: Hashing = DEFAULT_HASHING
    logs: tuple[int, ...] = ()
    log_tag: str | None = None
    kernel_splice: bool = False
    keepalive: Keepalive | None = None
    description: str | None = None
    id: int | None = None
    guid: str | None = None
    rules: BackendRules = NO_BACKEND_RULES
    number: int = 0
    rated: bool = False


@dataclass(frozen=True, slots=True)
class Server:
    """One destination. ``check`` is None when it is not checked (it is then always up).

    ``source`` is None where the kernel chooses everything, ``user_timeout_ms`` 0 and ``congestion`` None where it keeps
    its own. The address
    ``0.0.0.0`` or ``::`` is the one that the client wanted to reach; with a ``port_offset``, the port is the client's
    destination port plus that.
    ``shutdown_when_down``: its sessions end when it goes down. ``shutdown_backups_when_up``: those of the backend's
    backup servers end when it comes up, unless it is one itself. ``slowstart_ms``: how long its weight and maxconn grow
    after it came up, 0 for not at all; with ``slowstart_new`` also after a reload has added it. ``minconn`` is less
    than ``maxconn``, or 0: the limit does not follow the load. ``maxqueue`` limits who waits for this very server.
    ``track`` is the name of the server whose state it takes over, ``tracked`` its index, or -1.
    ``id`` is unique among the servers of the backend, from 1: the one said, else its place, or the next that is free.

    A server without an address is disabled, too: ``unresolved``.

    ``proxy_version`` is that of the PROXY header it is sent, 0 for none. In version 2 there may be more: a checksum
    (``proxy_crc32c``), the authority that the client's own header names, the unique id, and ``proxy_fields``.
    ``non_stick``: stick tables do not learn that a client is sent here. ``rated``: as of a frontend.
    """

    name: str
    backend: int
    address: Address
    location: Location
    weight: int = DEFAULT_WEIGHT
    backup: bool = False
    disabled: bool = False
    maxconn: int = 0
    check: Check | None = None
    source: Source | None = None
    user_timeout_ms: int = 0
    port_offset: int | None = None
    id: int = 0
    guid: str | None = None
    minconn: int = 0
    maxqueue: int = 0
    track: str | None = None
    tracked: int = -1
    slowstart_ms: int = 0
    slowstart_new: bool = False
    shutdown_when_down: bool = False
    shutdown_backups_when_up: bool = False
    hash_key: HashKey = HashKey.ID
    proxy_version: int = 0
    proxy_crc32c: bool = False
    proxy_authority: bool = False
    proxy_unique_id: bool = False
    proxy_fields: tuple[ProxyField, ...] = ()
    congestion: str | None = None
    md5_key: str = ""
    non_stick: bool = False
    rated: bool = False

    @property
    def unresolved(self) -> bool:
        """Whether it waits in maintenance for its name to have an address."""
        return self.address.family == UNRESOLVED


@dataclass(frozen=True, slots=True)
class MetricsBind:
    """Where the master serves /metrics, /healthz and /readyz, and the path of the metrics on it.

    With an empty path it answers probes of the balancer and nothing else; ``monitor`` says which, here or there.
    """

    address: Address
    location: Location
    path: str = "/metrics"
    monitor: Monitor | None = None

    def __str__(self) -> str:
        monitor = self.monitor.path if self.monitor else ""
        return f"{self.address}{self.path or monitor}"


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything the master and, compiled, the workers need to know. ``digest`` is SHA-256 of the texts read.

    ``rules`` is the table that the rules of frontends and backends refer to; empty where there is none.
    """

    process: Process
    binds: tuple[Bind, ...]
    frontends: tuple[Frontend, ...]
    backends: tuple[Backend, ...]
    servers: tuple[Server, ...]
    log_targets: tuple[LogTarget, ...]
    metrics: tuple[MetricsBind, ...]
    files: tuple[str, ...]
    digest: str
    rules: bytes = b""
    tables: tuple[StickTable, ...] = ()
