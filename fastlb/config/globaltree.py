"""The ``global`` sections as written, and the whole of a configuration. Nothing is merged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fastlb.config.errors import Location
from fastlb.config.tree import BindAddress, LogLine, Proxy, RingLine, Said


@dataclass(frozen=True, slots=True)
class MetricsLine:
    """``prometheus bind ADDRESS [path PATH]`` in the global section."""

    address: BindAddress
    path: str


@dataclass(frozen=True, slots=True)
class UnixBind:
    """``unix-bind``: what goes before the paths of unix sockets, and who may use them unless their line says so."""

    prefix: Said[str] | None = None
    mode: Said[int] | None = None
    user: Said[str] | None = None
    uid: Said[int] | None = None
    group: Said[str] | None = None
    gid: Said[int] | None = None


@dataclass(frozen=True, slots=True)
class DefaultPath:
    """``default-path``: where the name of a file begins, if it is none from the root. ``origin`` is a directory."""

    kind: str = "current"
    origin: str = ""

    def of(self, name: str, where: Location) -> str:
        """The file that a line at ``where`` means."""
        file = Path(where.file).absolute()
        base = {"origin": Path(self.origin), "config": file.parent, "parent": file.parent.parent}.get(self.kind)
        return name if base is None else str(base / name)


@dataclass(frozen=True, slots=True)
class Global:
    """The ``global`` sections, all together."""

    maxconn: Said[int] | None = None
    maxconnrate: Said[int] | None = None
    maxsessrate: Said[int] | None = None
    nbthread: Said[int] | None = None
    pin: Said[bool] | None = None
    steer: Said[bool] | None = None
    busy_polling: Said[bool] | None = None
    strict_limits: Said[bool] | None = None
    fd_hard_limit: Said[int] | None = None
    thread_hard_limit: Said[int] | None = None
    quiet: Said[bool] | None = None
    zero_warning: Said[bool] | None = None
    max_spread_checks: Said[int] | None = None
    grace: Said[int] | None = None
    reject_privileged_ports: Said[bool] | None = None
    dumpable: Said[bool] | None = None
    splice: Said[bool] | None = None
    maxpipes: Said[int] | None = None
    pipesize: Said[int] | None = None
    client_rcvbuf: Said[int] | None = None
    client_sndbuf: Said[int] | None = None
    server_rcvbuf: Said[int] | None = None
    server_sndbuf: Said[int] | None = None
    unix_bind: Said[UnixBind] | None = None
    default_path: Said[DefaultPath] | None = None
    nofile: Said[int] | None = None
    user: Said[str] | None = None
    uid: Said[int] | None = None
    group: Said[str] | None = None
    gid: Said[int] | None = None
    chroot: Said[str] | None = None
    daemon: Said[bool] | None = None
    pidfile: Said[str] | None = None
    hard_stop_after: Said[int] | None = None
    spread_checks: Said[int] | None = None
    log_tag: Said[str] | None = None
    log_hostname: Said[str] | None = None
    node: Said[str] | None = None
    description: Said[str] | None = None
    localpeer: Said[str] | None = None
    logs: tuple[LogLine, ...] = ()
    metrics: tuple[MetricsLine, ...] = ()


@dataclass(frozen=True, slots=True)
class Config:
    """Everything the files say, in their order; ``environ`` is the environment as their last line sees it."""

    process: Global
    proxies: tuple[Proxy, ...]
    rings: tuple[RingLine, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
