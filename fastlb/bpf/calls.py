"""The few commands of bpf(2) that fastlb uses. All of them raise OSError; descriptors are close-on-exec by nature."""

from __future__ import annotations

import ctypes
import os
import struct

from fastlb import linux

MAP_HASH, MAP_ARRAY, MAP_SOCKMAP, MAP_RINGBUF = 1, 2, 15, 27
F_NO_PREALLOC, F_MMAPABLE = 1 << 0, 1 << 10
SK_SKB_VERDICT = 38

_MAP_CREATE, _PROG_LOAD, _PROG_ATTACH = 0, 5, 8
_PROG_TYPE_SK_SKB = 14
_NUMBER = {"x86_64": 321, "aarch64": 280}
_LOG_BYTES = 1 << 16

_libc = ctypes.CDLL(None, use_errno=True)


def supported() -> bool:
    """Whether the number of the system call is known for this machine."""
    return linux.machine() in _NUMBER


def create_map(kind: int, key_bytes: int, value_bytes: int, entries: int, flags: int = 0) -> int:
    """BPF_MAP_CREATE; returns the map's descriptor."""
    return _bpf(_MAP_CREATE, struct.pack("=5I", kind, key_bytes, value_bytes, entries, flags))


def load_program(code: bytes, licence: bytes) -> int:
    """BPF_PROG_LOAD of a socket-buffer program; returns its descriptor. The error says what the verifier said last."""
    instructions, name = ctypes.create_string_buffer(code, len(code)), ctypes.create_string_buffer(licence)
    log = ctypes.create_string_buffer(_LOG_BYTES)
    count, at = len(code) // 8, ctypes.addressof
    attributes = struct.pack("=IIQQIIQI", _PROG_TYPE_SK_SKB, count, at(instructions), at(name), 1, len(log), at(log), 0)
    try:
        return _bpf(_PROG_LOAD, attributes)
    except OSError as error:
        lines = log.value.decode(errors="replace").strip().splitlines()
        said = next((line for line in reversed(lines) if not line.startswith("processed")), "")
        raise OSError(error.errno, f"{error.strerror}{': ' if said else ''}{said}") from error


def attach(map_fd: int, program_fd: int, kind: int) -> None:
    """BPF_PROG_ATTACH of a program to a map of sockets."""
    _bpf(_PROG_ATTACH, struct.pack("=4I", map_fd, program_fd, kind, 0))


def _bpf(command: int, attributes: bytes) -> int:
    # The kernel accepts a longer structure than it knows as long as the rest is zero.
    block = ctypes.create_string_buffer(attributes, 128)
    number, size = ctypes.c_long(_NUMBER[linux.machine()]), ctypes.c_uint(len(block))
    result = int(_libc.syscall(number, ctypes.c_int(command), block, size))
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result
