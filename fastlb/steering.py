"""Which socket of a SO_REUSEPORT group gets a new connection: the kernel's hash decides, or the CPU that receives it.

A program of classic BPF returns the index of the socket; the order is that in which the sockets joined the group, which
for ours is the order of the worker slots. An index that does not exist makes the kernel fall back to its hash (P7).
"""

from __future__ import annotations

import contextlib
import ctypes
import socket
import struct
from collections.abc import Sequence

_SO_ATTACH_REUSEPORT_CBPF, _SO_DETACH_REUSEPORT_BPF = 51, 68
# linux/filter.h: what the kernel offers besides the packet is loaded from these "negative" offsets.
_CPU, _RANDOM = 0xFFFFF000 + 36, 0xFFFFF000 + 56
_LOAD, _EQUAL, _MODULO, _TIMES, _PLUS, _RETURN, _RETURN_VALUE = 0x20, 0x15, 0x94, 0x24, 0x04, 0x16, 0x06

Instruction = tuple[int, int, int, int]


def home_cpu(slot: int, cpus: Sequence[int]) -> int:
    """The CPU that the worker in ``slot`` is pinned to: each has one of its own as long as there are enough."""
    return cpus[slot % len(cpus)]


def slots_of(place: int, cpus: int, workers: int) -> range:
    """The slots for the CPU at ``place`` of ``cpus``: all workers pinned to it, or one of another CPU."""
    return range(place % workers, workers, cpus)


def program(cpus: Sequence[int], workers: int) -> bytes:
    """Chooses among ``workers`` sockets by the CPU on which a connection arrives; ``cpus`` are those of the workers.

    A CPU of several workers chooses one at random. One that is not among ``cpus`` counts by its number.
    """
    code: list[Instruction] = [(_LOAD, 0, 0, _CPU)]
    for place, cpu in enumerate(cpus):
        slots = slots_of(place, len(cpus), workers)
        if len(slots) > 1:
            pick = [(_LOAD, 0, 0, _RANDOM), (_MODULO, 0, 0, len(slots)), (_TIMES, 0, 0, slots.step)]
            chosen = [*pick, (_PLUS, 0, 0, slots.start), (_RETURN, 0, 0, 0)]
        else:
            chosen = [(_RETURN_VALUE, 0, 0, slots.start)]
        if len(slots) > 1 or slots.start != cpu % workers:
            code += [(_EQUAL, 0, len(chosen), cpu), *chosen]
    code += [(_MODULO, 0, 0, workers), (_RETURN, 0, 0, 0)]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)


def attach(sock: socket.socket, code: bytes) -> None:
    """Has ``code`` choose for the whole group of ``sock``, in place of what chose before. Raises OSError."""
    memory = ctypes.create_string_buffer(code)
    fprog = struct.pack("@HP", len(code) // 8, ctypes.addressof(memory))
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_REUSEPORT_CBPF, fprog)


def detach(sock: socket.socket) -> None:
    """Has the kernel's hash choose again for the group of ``sock``. Before Linux 5.3 a program stays for ever."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, _SO_DETACH_REUSEPORT_BPF, 0)
