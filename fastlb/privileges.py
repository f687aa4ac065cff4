"""What master and workers may do: the master keeps a handful of capabilities, a worker nothing at all.

The order in ``drop`` matters. The chroot needs a capability that the change of user takes away; the supplementary
groups must go before the user; the bounding set needs CAP_SETPCAP; no_new_privs must precede seccomp for a process
without CAP_SYS_ADMIN. There is no PR_SET_PDEATHSIG: a worker that has lost its master must finish its sessions, and
learns of it from the control socket's end of file.
"""

from __future__ import annotations

import contextlib
import errno
import os
import resource
from dataclasses import dataclass

from fastlb import linux, seccomp
from fastlb.plan.model import Process

_CAP_CHOWN, _CAP_DAC_OVERRIDE, _CAP_FOWNER, _CAP_KILL, _CAP_SETGID, _CAP_SETUID = 0, 1, 3, 5, 6, 7
_CAP_SETPCAP, _CAP_NET_BIND_SERVICE, _CAP_NET_ADMIN, _CAP_NET_RAW = 8, 10, 12, 13
_CAP_SYS_CHROOT, _CAP_SYS_RESOURCE = 18, 24

_MASTER_CAPABILITIES = sum(
    1 << number
    for number in (
        _CAP_NET_BIND_SERVICE,  # a reload may bind port 80
        _CAP_NET_ADMIN,  # the filter on a listener that is about to be closed
        _CAP_CHOWN,  # owner of unix sockets
        _CAP_DAC_OVERRIDE,  # a configuration, log socket or directory of another user
        _CAP_FOWNER,
        _CAP_KILL,  # workers run as another user
        _CAP_SETUID,  # new workers
        _CAP_SETGID,
        _CAP_SETPCAP,
        _CAP_SYS_CHROOT,
        _CAP_SYS_RESOURCE,  # descriptor limits
    )
)


_KERNEL_SPLICE_CAPABILITIES = 1 << 38 | 1 << 39  # CAP_PERFMON and CAP_BPF, for the maps and program of new workers


class PrivilegeError(Exception):
    """The privileges asked for could not be taken; the text says which and why."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a worker becomes. None keeps what the master has.

    ``transparent``: it may connect from addresses that this machine does not have (``usesrc``). That is CAP_NET_RAW;
    what else it would be good for, raw sockets, seccomp takes away again. ``dumpable``: it leaves a core file where it
    crashes, and others of its user may look into it.
    """

    uid: int | None = None
    gid: int | None = None
    groups: tuple[int, ...] = ()
    chroot: str | None = None
    transparent: bool = False
    dumpable: bool = False

    @classmethod
    def of(cls, process: Process, *, transparent: bool = False) -> Identity:
        """The identity that a configuration's ``global`` section asks for."""
        return cls(process.uid, process.gid, process.groups, process.chroot, transparent, process.dumpable)

    @property
    def capabilities(self) -> linux.Capabilities:
        """What a worker keeps: nothing, unless it needs it all the time."""
        kept = 1 << _CAP_NET_RAW if self.transparent else 0
        return linux.Capabilities(kept, kept, 0)


def refusal(identity: Identity) -> str | None:
    """Why this process can never become ``identity``, or None; asked before anything is bound."""
    if identity.transparent and not _has(_CAP_NET_RAW):
        return "cannot use 'usesrc': it needs root or the capability CAP_NET_RAW"
    if identity.transparent and not seccomp.supported():
        return f"cannot use 'usesrc': nothing would keep workers from raw sockets on {linux.machine()}"
    if os.geteuid() == 0:
        return None
    if identity.uid not in (None, os.geteuid()):
        return f"cannot run workers as uid {identity.uid}: fastlb was not started as root (but as uid {os.geteuid()})"
    if identity.gid not in (None, os.getegid()):
        return f"cannot run workers as gid {identity.gid}: fastlb was not started as root"
    if identity.chroot is not None and not _has(_CAP_SYS_CHROOT):
        return f"cannot chroot workers to {identity.chroot}: fastlb was not started as root"
    return None


def lower_master(*, kernel_splice: bool = False, transparent: bool = False) -> None:
    """Leaves the master those capabilities it needs for a later reload or worker, of those that it has."""
    needed = _MASTER_CAPABILITIES | (_KERNEL_SPLICE_CAPABILITIES if kernel_splice else 0)
    needed |= 1 << _CAP_NET_RAW if transparent else 0
    kept = linux.get_capabilities().permitted & needed
    linux.set_capabilities(linux.Capabilities(kept, kept, 0))


def drop(identity: Identity, *, write_files: bool = False, bpf_maps: bool = False) -> None:
    """Makes the calling process a worker that can do nothing but move bytes. Raises PrivilegeError; then it must exit.

    ``write_files`` lifts the ban on growing files (builds that write reports).
    """
    try:
        _enter_jail(identity)
        _drop_bounding_set()
        _become(identity)
        linux.set_capabilities(identity.capabilities)
        _verify(identity)  # before seccomp, which would answer in the kernel's place
        linux.prctl(linux.PR_SET_DUMPABLE, int(identity.dumpable))
        _limit(write_files=write_files, dump=identity.dumpable)
        linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
        if seccomp.supported():
            program = seccomp.program(
                linux.machine(), os.getpid(), bpf_maps=bpf_maps, streams_only=identity.transparent
            )
            linux.install_filter(program)
    except OSError as error:
        raise PrivilegeError(f"cannot drop privileges: {error.strerror or error}") from error


def _enter_jail(identity: Identity) -> None:
    if identity.chroot is None:
        return
    try:
        os.chroot(identity.chroot)
        os.chdir("/")
    except OSError as error:
        raise PrivilegeError(f"cannot chroot to {identity.chroot}: {error.strerror}") from error


def _drop_bounding_set() -> None:
    # Without CAP_SETPCAP (not started as root, or a container that withholds it) the set cannot be changed; it is then
    # of no use either, since no_new_privs keeps execve from ever granting anything out of it.
    linux.prctl(linux.PR_CAP_AMBIENT, linux.PR_CAP_AMBIENT_CLEAR_ALL)
    if not _has(_CAP_SETPCAP):
        return
    for number in range(64):
        try:
            linux.prctl(linux.PR_CAPBSET_DROP, number)
        except OSError as error:
            if error.errno == errno.EINVAL:  # past the last capability of this kernel
                return
            raise


def _become(identity: Identity) -> None:
    if _has(_CAP_SETGID):
        os.setgroups(identity.groups)
    if identity.gid is not None:
        os.setresgid(identity.gid, identity.gid, identity.gid)
    if identity.transparent:
        linux.prctl(linux.PR_SET_KEEPCAPS, 1)
    if identity.uid is not None:
        os.setresuid(identity.uid, identity.uid, identity.uid)


def _limit(*, write_files: bool, dump: bool) -> None:
    limits = [resource.RLIMIT_NPROC]
    if dump:
        hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
        resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    else:
        limits.append(resource.RLIMIT_CORE)
    if not write_files and not dump:
        limits.append(resource.RLIMIT_FSIZE)
    for limit in limits:
        resource.setrlimit(limit, (0, 0))


def _verify(identity: Identity) -> None:
    """Asks the kernel what is true now, whatever the calls before have returned."""
    if linux.get_capabilities() != identity.capabilities:
        raise PrivilegeError("cannot drop privileges: capabilities remain")
    if identity.uid is not None and os.getresuid() != (identity.uid,) * 3:
        raise PrivilegeError(f"cannot drop privileges: user ids are {os.getresuid()}, not {identity.uid}")
    if identity.gid is not None and os.getresgid() != (identity.gid,) * 3:
        raise PrivilegeError(f"cannot drop privileges: group ids are {os.getresgid()}, not {identity.gid}")
    if os.geteuid() != 0:
        with contextlib.suppress(PermissionError):
            os.setuid(0)
            raise PrivilegeError("cannot drop privileges: root can be regained")


def _has(capability: int) -> bool:
    return bool(linux.get_capabilities().effective >> capability & 1)
