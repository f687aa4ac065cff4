"""The life of a worker: give everything up, then run the engine until the master says otherwise, or is gone."""

from __future__ import annotations

import contextlib
import encodings.idna  # noqa: F401 - what a codec or a traceback would import later, from inside the chroot (P61)
import linecache  # noqa: F401
import os
import resource
import signal
import socket
import traceback  # noqa: F401
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import monotonic

from fastlb import _engine, control, linux, privileges, process
from fastlb.kernelsplice import Maps

EXIT_CONFIG = 78  # EX_CONFIG: cannot start, and starting again would not help
ORPHAN_MS = 60_000  # how long sessions may outlive the master when hard-stop-after is not set
SLICE_NS = 100_000  # of CPU at a time, when others want it too: whoever woke for a byte need not wait for theirs to end
_OOM_SCORE = b"200"  # short of memory, the kernel shall take a worker (replaced at once) before the master


@dataclass(frozen=True, slots=True)
class Duty:
    """What the master fixes for the life of a worker."""

    slot: int
    shm_fd: int
    tables_fd: int
    kick_fds: tuple[int, ...]
    master_fd: int
    max_sessions: int
    nofile: int
    identity: privileges.Identity
    kernel_maps: Maps | None = None


def main(duty: Duty, sock: socket.socket) -> int:
    """The whole life after the fork; returns the exit status. ``sock`` is the worker's end of the control socket."""
    try:
        engine = _start(duty, sock)
    except (privileges.PrivilegeError, OSError, ValueError, MemoryError) as error:
        with contextlib.suppress(OSError):
            control.send(sock, {"op": "fatal", "reason": str(error) or repr(error)})
        return EXIT_CONFIG
    return _Worker(engine, sock, list(duty.kick_fds)).run()


def _start(duty: Duty, sock: socket.socket) -> _engine.Engine:
    ignored = (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE)
    process.forget_signals(ignored)
    maps = duty.kernel_maps
    maps_fds = maps.descriptors() if maps else ()
    process.keep_only((0, 1, 2, sock.fileno(), duty.shm_fd, duty.tables_fd, duty.master_fd, *duty.kick_fds, *maps_fds))
    process.silence(0, 1)
    process.set_title(f"starting worker {duty.slot}")
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_bytes(_OOM_SCORE)
    with contextlib.suppress(OSError):
        linux.shorten_slice(SLICE_NS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (duty.nofile, duty.nofile))
    # Before the drop: it opens the shared memory a second time, read-only, through /proc.
    engine = _engine.Engine(
        duty.shm_fd, duty.slot, sock.fileno(), duty.kick_fds, duty.master_fd, duty.max_sessions, duty.nofile
    )
    engine.use_tables(duty.tables_fd)
    if maps:
        engine.use_kernel(**asdict(maps))
        os.close(maps.entries)
    os.close(duty.shm_fd)  # with it, the master's part could be mapped writable again
    os.close(duty.tables_fd)
    privileges.drop(duty.identity, write_files=_engine.BUILD in ("asan", "coverage"), bpf_maps=maps is not None)
    process.set_title(f"worker {duty.slot}")  # who is called so is harmless already
    return engine


@dataclass(slots=True)
class _Worker:
    engine: _engine.Engine
    sock: socket.socket
    kick_fds: list[int]
    ready: bool = False
    stopped: bool = False
    orphan_ms: int = ORPHAN_MS
    serving: list[tuple[int, int]] = field(default_factory=list)

    def run(self) -> int:
        self.sock.setblocking(False)
        while not self.stopped:
            outcome = self.engine.run(-1)
            if outcome == _engine.RUN_DRAINED:
                self._tell({"op": "drained"})
                break
            if outcome == _engine.RUN_CONTROL and not self._obey_all():
                self._orphaned()
                break
        self.engine.close()
        return 0

    def _obey_all(self) -> bool:
        """Takes every message that waits; False when the master is gone."""
        while not self.stopped:
            try:
                received = control.receive(self.sock)
            except BlockingIOError:
                return True
            if received is None:
                return False
            self._obey(*received)
        return True

    def _obey(self, message: control.Message, fds: list[int]) -> None:
        answer: control.Message = {"op": "ok"}
        try:
            self._apply(message, fds)
        except (OSError, ValueError, KeyError, TypeError, MemoryError, OverflowError) as error:
            answer = {"op": "error", "reason": str(error) or repr(error)}
        if "id" in message:
            self._tell({**answer, "id": message["id"]})
        if message["op"] == "commit" and answer["op"] == "ok" and not self.ready:
            self.ready = True
            self._tell({"op": "ready"})

    def _apply(self, message: control.Message, fds: list[int]) -> None:
        op = message["op"]
        if op == "adopt":
            for (socket_id, shared), fd in zip(message["sockets"], fds, strict=True):
                self.engine.adopt(socket_id, fd, bool(shared))
        elif op == "prepare":
            self._prepare(fds)
        elif op == "kick_fds":
            self.kick_fds += fds
            self.engine.set_kick_fds(self.kick_fds)
        elif op == "serve_more":
            self.serving += map(tuple, message["serve"])
        elif op in ("commit", "serve"):
            self._serve(message)
        elif op == "drain":
            self.engine.drain()
        elif op == "stop":
            self.stopped = True
        else:
            raise ValueError(f"unknown message {op!r}")

    def _prepare(self, fds: list[int]) -> None:
        try:
            self.engine.prepare(fds[0])
        finally:
            os.close(fds[0])

    def _serve(self, message: control.Message) -> None:
        serving, self.serving = [*self.serving, *map(tuple, message["serve"])], []
        if message["op"] == "commit":
            self.engine.commit(message["generation"])
            self.engine.set_busy_polling(bool(message["busy_polling"]))
            self.engine.set_pipes(*message["pipes"])
            self.orphan_ms = message["hard_stop_ms"] or ORPHAN_MS
            if message["cpus"]:
                os.sched_setaffinity(0, message["cpus"])
        self.engine.serve(serving)

    def _tell(self, message: control.Message) -> None:
        # A full socket means a master that has stopped reading: it will not miss the answer, it kills by heartbeat.
        with contextlib.suppress(OSError):
            control.send(self.sock, message)

    def _orphaned(self) -> None:
        """The master is gone: accept nothing more, let sessions finish, leave at the hard stop (P9)."""
        process.set_title("worker without master, draining")
        # The socket stays readable for ever now. Replacing what its number stands for takes it out of the engine's
        # epoll set, as nobody else holds it.
        idle = os.eventfd(0, os.EFD_CLOEXEC)
        os.dup2(idle, self.sock.fileno(), inheritable=False)
        self.engine.drain()
        deadline = monotonic() + self.orphan_ms / 1000
        while (left_ms := int((deadline - monotonic()) * 1000)) > 0:
            if self.engine.run(left_ms) == _engine.RUN_DRAINED:
                return
