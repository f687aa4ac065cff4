"""The system calls a worker may make, as a seccomp filter for x86-64 and arm64.

Three answers. What the engine and the interpreter need is allowed. What would only make sense to an intruder (execve,
ptrace, mount, bpf, ...) kills the process. Everything else fails with EPERM, which C and Python code survive: a call
that some libc or sanitizer makes on the side costs nothing but that call. Since Linux 5.11 the kernel answers for calls
whose verdict does not depend on arguments from a bitmap, so the length of the list costs no time; before it, the order
of ``_ALLOWED`` (hottest first) does.
"""

from __future__ import annotations

import errno
import struct

from fastlb import linux

# name: (x86-64 number, arm64 number); None where the architecture does not have the call.
_ALLOWED: dict[str, tuple[int | None, int | None]] = {
    "epoll_wait": (232, None),
    "epoll_pwait": (281, 22),
    "recvfrom": (45, 207),
    "sendto": (44, 206),
    "splice": (275, 76),
    "clock_gettime": (228, 113),
    "accept4": (288, 242),
    "socket": (41, 198),
    "connect": (42, 203),
    "close": (3, 57),
    "epoll_ctl": (233, 21),
    "shutdown": (48, 210),
    "setsockopt": (54, 208),
    "getsockopt": (55, 209),
    "read": (0, 63),
    "write": (1, 64),
    "pipe2": (293, 59),
    "fcntl": (72, 25),
    "getsockname": (51, 204),
    "getpeername": (52, 205),
    "bind": (49, 200),
    "sendmsg": (46, 211),
    "recvmsg": (47, 212),
    "readv": (19, 65),
    "writev": (20, 66),
    "epoll_pwait2": (441, 441),
    "epoll_create1": (291, 20),
    "eventfd2": (290, 19),
    "timerfd_create": (283, 85),
    "timerfd_settime": (286, 86),
    "poll": (7, None),
    "ppoll": (271, 73),
    "dup": (32, 23),
    "dup2": (33, None),
    "dup3": (292, 24),
    "fstat": (5, 80),
    "newfstatat": (262, 79),
    "lseek": (8, 62),
    "munmap": (11, 215),
    "mremap": (25, 216),
    "brk": (12, 214),
    "madvise": (28, 233),
    "futex": (202, 98),
    "membarrier": (324, 283),
    "sched_yield": (24, 124),
    "sched_getaffinity": (204, 123),
    "sched_setaffinity": (203, 122),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sigaltstack": (131, 132),
    "restart_syscall": (219, 128),
    "getpid": (39, 172),
    "gettid": (186, 178),
    "getppid": (110, 173),
    "getuid": (102, 174),
    "geteuid": (107, 175),
    "getgid": (104, 176),
    "getegid": (108, 177),
    "getrusage": (98, 165),
    "gettimeofday": (96, 169),
    "clock_getres": (229, 114),
    "nanosleep": (35, 101),
    "clock_nanosleep": (230, 115),
    "getrandom": (318, 278),
    "uname": (63, 160),
    "close_range": (436, 436),
    "exit": (60, 93),
    "exit_group": (231, 94),
}
_KILLED: dict[str, tuple[int | None, int | None]] = {
    "execve": (59, 221),
    "execveat": (322, 281),
    "fork": (57, None),
    "vfork": (58, None),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "mount": (165, 40),
    "umount2": (166, 39),
    "move_mount": (429, 429),
    "open_tree": (428, 428),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "setns": (308, 268),
    "unshare": (272, 97),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "userfaultfd": (323, 282),
    "open_by_handle_at": (304, 265),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
    "swapon": (167, 224),
}
_SOCKET = (41, 198)
_MMAP = (9, 222)
_MPROTECT = (10, 226)
_IOCTL = (16, 29)
_TGKILL = (234, 131)
_PRCTL = (157, 167)

_PROT_EXEC = 4
# BPF_MAP_UPDATE_ELEM and BPF_MAP_DELETE_ELEM, in the maps whose descriptors the worker was given.
_BPF = (321, 280)
_BPF_COMMANDS = (2, 3)
# FIONREAD, SIOCOUTQ, FIONBIO, and the two by which Python sets and clears close-on-exec.
_IOCTLS = (0x541B, 0x5411, 0x5421, 0x5451, 0x5450)

_PR_SET_NAME = 15
# SOCK_STREAM, as the interpreter and as the engine open it: with SOCK_CLOEXEC, and with SOCK_NONBLOCK too.
_STREAMS = (0x00001, 0x80001, 0x80801)

_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_COLUMN = {"x86_64": 0, "aarch64": 1}
_X32_BIT = 0x40000000

_KILL = 0x80000000
_EPERM = 0x00050000 | errno.EPERM
_ALLOW = 0x7FFF0000

_LOAD, _JEQ, _JSET, _RETURN = 0x20, 0x15, 0x45, 0x06
_OFFSET_NUMBER, _OFFSET_ARCH, _OFFSET_ARGUMENTS = 0, 4, 16


def supported() -> bool:
    """Whether there is a table for this machine."""
    return linux.machine() in _AUDIT_ARCH


def program(machine: str, pid: int, *, bpf_maps: bool = False, streams_only: bool = False) -> bytes:
    """The filter as classic BPF for ``machine``; signals may be sent to ``pid`` (the process itself) only.

    ``bpf_maps`` lets the process write to BPF maps that it has open; every other use of bpf(2) stays deadly.
    ``streams_only`` is for a process with CAP_NET_RAW: it can open stream sockets and no others.
    """
    column = _COLUMN[machine]
    code = [
        _instruction(_LOAD, _OFFSET_ARCH),
        _instruction(_JEQ, _AUDIT_ARCH[machine], if_true=1),
        _instruction(_RETURN, _KILL),
        _instruction(_LOAD, _OFFSET_NUMBER),
        _instruction(_JSET, _X32_BIT, if_false=1),
        _instruction(_RETURN, _KILL),
    ]
    if streams_only:
        code += _allow_values(_SOCKET[column], 1, _STREAMS)
    code += _verdicts(_ALLOWED, column, _ALLOW)
    if bpf_maps:
        code += _allow_values(_BPF[column], 0, _BPF_COMMANDS, otherwise=_KILL)
    code += _verdicts(_KILLED, column, _KILL)
    code += _refuse_bits(_MMAP[column], 2, _PROT_EXEC)
    code += _refuse_bits(_MPROTECT[column], 2, _PROT_EXEC)
    code += _allow_values(_IOCTL[column], 1, _IOCTLS)
    code += _allow_values(_TGKILL[column], 0, (pid,))
    code += _allow_values(_PRCTL[column], 0, (_PR_SET_NAME,))
    return b"".join([*code, _instruction(_RETURN, _EPERM)])


def _verdicts(calls: dict[str, tuple[int | None, int | None]], column: int, verdict: int) -> list[bytes]:
    code: list[bytes] = []
    for numbers in calls.values():
        number = numbers[column]
        if number is not None:
            code += [_instruction(_JEQ, number, if_false=1), _instruction(_RETURN, verdict)]
    return code


def _refuse_bits(number: int, argument: int, bits: int) -> list[bytes]:
    return [
        _instruction(_JEQ, number, if_false=4),
        _instruction(_LOAD, _OFFSET_ARGUMENTS + 8 * argument),
        _instruction(_JSET, bits, if_false=1),
        _instruction(_RETURN, _EPERM),
        _instruction(_RETURN, _ALLOW),
    ]


def _allow_values(number: int, argument: int, values: tuple[int, ...], *, otherwise: int = _EPERM) -> list[bytes]:
    tests = [_instruction(_LOAD, _OFFSET_ARGUMENTS + 8 * argument)]
    for value in values:
        tests += [_instruction(_JEQ, value, if_false=1), _instruction(_RETURN, _ALLOW)]
    tests.append(_instruction(_RETURN, otherwise))
    return [_instruction(_JEQ, number, if_false=len(tests)), *tests]


def _instruction(operation: int, operand: int, *, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", operation, if_true, if_false, operand)
