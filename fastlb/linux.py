"""The few Linux calls that Python does not offer. All of them raise OSError."""

from __future__ import annotations

import ctypes
import os
import platform
from dataclasses import dataclass

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_KEEPCAPS = 8
PR_CAPBSET_READ = 23
PR_CAPBSET_DROP = 24
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4

_SECCOMP_SET_MODE_FILTER = 1
# Without this flag kernels before 5.16 also switch speculation off for the process, which costs more than the filter.
_SECCOMP_FILTER_FLAG_SPEC_ALLOW = 1 << 2
_SECCOMP_NUMBER = {"x86_64": 317, "aarch64": 277}
_SCHED_SETATTR_NUMBER = {"x86_64": 314, "aarch64": 274}
_CAPABILITY_VERSION_3 = 0x20080522

# Loaded while the file system is still there: a worker calls these after its chroot.
_libc = ctypes.CDLL(None, use_errno=True)


class _CapabilityHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _CapabilityData(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


class _SchedulingAttributes(ctypes.Structure):
    _fields_ = (
        ("size", ctypes.c_uint32),
        ("policy", ctypes.c_uint32),
        ("flags", ctypes.c_uint64),
        ("nice", ctypes.c_int32),
        ("priority", ctypes.c_uint32),
        ("runtime", ctypes.c_uint64),
        ("deadline", ctypes.c_uint64),
        ("period", ctypes.c_uint64),
    )


class _FilterProgram(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The three sets of a process, bit n standing for capability n (capabilities(7))."""

    effective: int = 0
    permitted: int = 0
    inheritable: int = 0


def machine() -> str:
    """The architecture as the kernel names it: ``x86_64`` or ``aarch64`` on the supported ones."""
    return platform.machine()


def prctl(option: int, a: int = 0, b: int = 0) -> int:
    """prctl(2) with up to two arguments; the rest are zero."""
    return _checked(_libc.prctl(option, *(ctypes.c_ulong(value) for value in (a, b, 0, 0))), "prctl")


def shorten_slice(slice_ns: int) -> None:
    """Ask for short turns on a CPU (at least 100 µs), in return for which this process runs soon after it wakes.

    Linux 6.12 and later; others accept and ignore it. A process with a scheduling policy of its own keeps that.
    """
    number = _SCHED_SETATTR_NUMBER.get(machine())
    if number is None or os.sched_getscheduler(0) != os.SCHED_OTHER:
        return
    size = ctypes.sizeof(_SchedulingAttributes)
    wanted = _SchedulingAttributes(size, os.SCHED_OTHER, 0, os.getpriority(os.PRIO_PROCESS, 0), 0, slice_ns)
    _checked(_libc.syscall(number, 0, ctypes.byref(wanted), 0), "sched_setattr")


def get_capabilities() -> Capabilities:
    """The calling process's capability sets."""
    header, data = _CapabilityHeader(_CAPABILITY_VERSION_3, 0), (_CapabilityData * 2)()
    _checked(_libc.capget(ctypes.byref(header), data), "capget")
    low, high = data
    return Capabilities(
        low.effective | high.effective << 32,
        low.permitted | high.permitted << 32,
        low.inheritable | high.inheritable << 32,
    )


def set_capabilities(sets: Capabilities) -> None:
    """Replaces the calling process's capability sets."""
    header, data = _CapabilityHeader(_CAPABILITY_VERSION_3, 0), (_CapabilityData * 2)()
    for half, part in enumerate(data):
        part.effective = sets.effective >> 32 * half & 0xFFFFFFFF
        part.permitted = sets.permitted >> 32 * half & 0xFFFFFFFF
        part.inheritable = sets.inheritable >> 32 * half & 0xFFFFFFFF
    _checked(_libc.capset(ctypes.byref(header), data), "capset")


def install_filter(program: bytes) -> None:
    """Installs a seccomp filter (classic BPF, 8 bytes an instruction) for the rest of the process's life."""
    struct = _FilterProgram(len(program) // 8, program)
    number = ctypes.c_long(_SECCOMP_NUMBER[machine()])
    mode, flags = ctypes.c_ulong(_SECCOMP_SET_MODE_FILTER), ctypes.c_ulong(_SECCOMP_FILTER_FLAG_SPEC_ALLOW)
    _checked(_libc.syscall(number, mode, flags, ctypes.byref(struct)), "seccomp")


def _checked(result: int, call: str) -> int:
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, f"{call}: {os.strerror(code)}")
    return result
