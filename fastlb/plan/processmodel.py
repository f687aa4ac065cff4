"""The part of a plan that concerns the service as a whole. Units as in ``fastlb.plan.model``, which offers it, too."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_LOG_TAG = "fastlb"


@dataclass(frozen=True, slots=True)
class Process:
    """What concerns the service as a whole. ``workers`` 0 means one for each CPU; ``maxconn`` 0 means automatic.

    ``maxconnrate`` and ``maxsessrate`` are connections and sessions a second, 0 is no limit; as in the other
    limits, but that ``maxpipes`` is None for no limit. Sizes are bytes, 0 leaves them to the kernel.

    ``steer``: a connection goes to the worker on the CPU that receives it. ``groups`` are all groups of ``user``.
    ``logs`` are the targets of the global section, as indices.
    """

    workers: int = 0
    pin: bool = False
    steer: bool = False
    busy_polling: bool = False
    strict_limits: bool = False
    fd_hard_limit: int = 0
    thread_hard_limit: int = 0
    quiet: bool = False
    max_spread_checks_ms: int = 0
    grace_ms: int = 0
    reject_privileged_ports: bool = False
    dumpable: bool = False
    splice: bool = True
    maxpipes: int | None = None
    pipesize: int = 0
    client_rcvbuf: int = 0
    client_sndbuf: int = 0
    server_rcvbuf: int = 0
    server_sndbuf: int = 0
    maxconn: int = 0
    maxconnrate: int = 0
    maxsessrate: int = 0
    nofile: int = 0
    user: str | None = None
    uid: int | None = None
    gid: int | None = None
    groups: tuple[int, ...] = ()
    chroot: str | None = None
    daemon: bool = False
    pidfile: str | None = None
    hard_stop_after_ms: int = 0
    spread_checks: int = 0
    log_tag: str = DEFAULT_LOG_TAG
    log_hostname: str | None = None
    node: str = ""
    description: str | None = None
    logs: tuple[int, ...] = ()
