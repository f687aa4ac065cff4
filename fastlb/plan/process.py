"""The ``global`` section to the Process of the plan."""

from __future__ import annotations

import socket
from pathlib import Path

from fastlb.config.errors import ConfigError, Report, quote
from fastlb.config.globaltree import Global
from fastlb.config.tree import Said
from fastlb.plan.accounts import find_user, gid_of, groups_of
from fastlb.plan.model import DEFAULT_LOG_TAG, Process
from fastlb.plan.values import value_of


def plan_process(said: Global, logs: tuple[int, ...], report: Report) -> Process:
    """Defaults filled in, users and groups looked up, the directory of ``chroot`` checked."""
    user, uid, gid, groups = _identity(said, report)
    if said.chroot is not None:
        _check_directory(said.chroot, report)
    steer = value_of(said.steer, False)
    return Process(
        workers=value_of(said.nbthread, 0),
        pin=value_of(said.pin, False) or steer,  # a worker that moves would leave its connections behind
        steer=steer,
        busy_polling=value_of(said.busy_polling, False),
        strict_limits=value_of(said.strict_limits, False),
        fd_hard_limit=value_of(said.fd_hard_limit, 0),
        thread_hard_limit=value_of(said.thread_hard_limit, 0),
        quiet=value_of(said.quiet, False),
        max_spread_checks_ms=value_of(said.max_spread_checks, 0),
        grace_ms=value_of(said.grace, 0),
        reject_privileged_ports=value_of(said.reject_privileged_ports, False),
        dumpable=value_of(said.dumpable, False),
        splice=value_of(said.splice, True),
        maxpipes=value_of(said.maxpipes, None),
        pipesize=value_of(said.pipesize, 0),
        client_rcvbuf=value_of(said.client_rcvbuf, 0),
        client_sndbuf=value_of(said.client_sndbuf, 0),
        server_rcvbuf=value_of(said.server_rcvbuf, 0),
        server_sndbuf=value_of(said.server_sndbuf, 0),
        maxconn=value_of(said.maxconn, 0),
        maxconnrate=value_of(said.maxconnrate, 0),
        maxsessrate=value_of(said.maxsessrate, 0),
        nofile=value_of(said.nofile, 0),
        user=user,
        uid=uid,
        gid=gid,
        groups=groups,
        chroot=said.chroot.value if said.chroot else None,
        daemon=value_of(said.daemon, False),
        pidfile=said.pidfile.value if said.pidfile else None,
        hard_stop_after_ms=value_of(said.hard_stop_after, 0),
        spread_checks=value_of(said.spread_checks, 0),
        log_tag=value_of(said.log_tag, DEFAULT_LOG_TAG),
        log_hostname=said.log_hostname.value if said.log_hostname else None,
        node=value_of(said.node, "") or socket.gethostname(),
        description=value_of(said.description, None),
        logs=logs,
    )


def _identity(said: Global, report: Report) -> tuple[str | None, int | None, int | None, tuple[int, ...]]:
    """User name, uid, gid and groups of the workers. ``user`` alone brings the user's own groups."""
    user, uid, gid = None, value_of(said.uid, None), None
    try:
        gid = gid_of(said.group, said.gid)
    except ConfigError as failure:
        report.caught(failure)
    if said.user is None:
        return None, uid, gid, ()
    try:
        entry = find_user(said.user)
    except ConfigError as failure:
        report.caught(failure)
        return None, None, gid, ()
    user, uid = entry.pw_name, entry.pw_uid
    gid = entry.pw_gid if gid is None else gid
    return user, uid, gid, groups_of(user, gid)


def _check_directory(path: Said[str], report: Report) -> None:
    try:
        exists = Path(path.value).is_dir()
    except (OSError, ValueError):
        exists = False
    if not exists:
        report.error(path.location, f"'chroot' needs an existing directory, and {quote(path.value)} is none")
