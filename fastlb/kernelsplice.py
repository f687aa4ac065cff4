"""``option kernel-splice``: what the master makes for a worker whose chatty sessions the kernel shall forward.

Each worker has maps of its own, and a program for them; the master keeps none of it, so all of it goes with the worker.
Nothing is pinned in a file system.
"""

from __future__ import annotations

import functools
import os
import platform
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import astuple, dataclass

from fastlb.bpf import btf, calls, verdict
from fastlb.plan.model import Plan

# Older kernels miscount what a program leaves to the reader, and do not wake epoll for it.
_OLDEST = (6, 6)
_SLOTS = 8192  # sessions of a worker that can be promoted at a time; each takes about 400 bytes of kernel memory
_RING_BYTES = 1 << 19  # room for a word from both directions of every session at once


@dataclass(frozen=True, slots=True)
class Maps:
    """The descriptors that a worker takes over."""

    cookies: int
    entries: int
    sinks: int
    sources: int
    ring: int
    slots: int
    ring_bytes: int

    def descriptors(self) -> tuple[int, ...]:
        return astuple(self)[:5]

    def close(self) -> None:
        for fd in self.descriptors():
            os.close(fd)


def wanted(plan: Plan) -> bool:
    """Whether any proxy of the plan says ``option kernel-splice``."""
    return any(one.kernel_splice for one in plan.frontends) or any(one.kernel_splice for one in plan.backends)


def refusal() -> str | None:
    """Why the kernel cannot be used, as half a sentence; None when it can. Makes what a worker would need, to know."""
    release = tuple(map(int, re.findall(r"\d+", platform.release())[:2]))
    if release < _OLDEST:
        return f"it needs Linux {'.'.join(map(str, _OLDEST))}, and this is {platform.release()}"
    if not calls.supported():
        return f"it is not known how to call bpf(2) on {platform.machine()}"
    try:
        build(slots=1).close()
    except PermissionError as error:
        return f"it needs CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON ({error.strerror})"
    except (OSError, LookupError) as error:
        return f"the kernel refuses it ({error})"
    return None


def build(slots: int = _SLOTS) -> Maps:
    """The maps for one worker, with the program attached. OSError, or LookupError without type information."""
    copied_seq = _copied_seq()
    with ExitStack() as undo:
        fds = []
        for fd in _maps(slots * 2):
            undo.callback(os.close, fd)
            fds.append(fd)
        cookies, entries, sinks, sources, ring = fds
        loaded = calls.load_program(verdict.program(cookies, entries, sinks, ring, copied_seq), verdict.LICENCE)
        try:
            calls.attach(sources, loaded, calls.SK_SKB_VERDICT)
        finally:
            os.close(loaded)  # the map holds it
        undo.pop_all()
    return Maps(cookies, entries, sinks, sources, ring, slots, _RING_BYTES)


def _maps(entries: int) -> Iterator[int]:
    yield calls.create_map(calls.MAP_HASH, 8, 4, entries, calls.F_NO_PREALLOC)
    yield calls.create_map(calls.MAP_ARRAY, 4, verdict.ENTRY_BYTES, entries, calls.F_MMAPABLE)
    yield calls.create_map(calls.MAP_SOCKMAP, 4, 4, entries)
    yield calls.create_map(calls.MAP_SOCKMAP, 4, 4, entries)
    yield calls.create_map(calls.MAP_RINGBUF, 0, 0, _RING_BYTES)


@functools.cache
def _copied_seq() -> int:
    return btf.field_offset("tcp_sock", "copied_seq")
