"""Messages between master and workers: one JSON object per SOCK_SEQPACKET datagram, descriptors by SCM_RIGHTS.

Master to worker: ``adopt`` (listening sockets), ``prepare`` (a compiled plan), ``commit``, ``serve`` (with
``serve_more`` before it when the list is long), ``kick_fds``, ``drain``, ``stop``. A message with an ``id`` is answered
with ``ok`` or ``error`` and that id. Worker to master: ``ready``, ``drained``, ``fatal``, and the answers.
"""

from __future__ import annotations

import array
import asyncio
import json
import os
import socket
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

Message = dict[str, Any]
T = TypeVar("T")

MESSAGE_BYTES = 60 * 1024
MESSAGE_FDS = 250  # the kernel's own limit is 253 (SCM_MAX_FD)
PAIRS = 2000  # [socket id, number] pairs in a message: 25 bytes each at most


class ControlError(Exception):
    """A worker answered with an error, or went away before it answered."""


class WorkerGoneError(ControlError):
    """The worker ended before it answered."""


def pair() -> tuple[socket.socket, socket.socket]:
    """The master's end (non-blocking) and the worker's end."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    return ours, theirs


def pieces(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """``items`` in runs of ``size``; one empty run when there are none."""
    for start in range(0, max(len(items), 1), size):
        yield items[start : start + size]


def send(sock: socket.socket, message: Message, fds: Iterable[int] = ()) -> None:
    """Sends one message. Raises BlockingIOError when it does not fit now, OSError when the peer is gone."""
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    sock.sendmsg([json.dumps(message, separators=(",", ":")).encode()], rights, socket.MSG_NOSIGNAL)


def receive(sock: socket.socket) -> tuple[Message, list[int]] | None:
    """One message and its descriptors (close-on-exec); None at the end. Raises BlockingIOError when nothing waits."""
    space = socket.CMSG_SPACE(MESSAGE_FDS * array.array("i").itemsize)
    try:
        data, ancillary, flags, _ = sock.recvmsg(MESSAGE_BYTES + 1, space, socket.MSG_CMSG_CLOEXEC)
    except ConnectionResetError:
        return None
    fds = _descriptors(ancillary)
    if flags & (socket.MSG_CTRUNC | socket.MSG_TRUNC):
        _close(fds)
        raise ControlError("a control message arrived truncated")
    return (json.loads(data), fds) if data else None


def _descriptors(ancillary: list[tuple[int, int, bytes]]) -> list[int]:
    found = array.array("i")
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            found.frombytes(data[: len(data) - len(data) % found.itemsize])
    return list(found)


def _close(fds: Iterable[int]) -> None:
    for fd in fds:
        os.close(fd)


class Channel:
    """The master's end of a control socket on the running loop. Messages go out in the order they were posted."""

    def __init__(self, sock: socket.socket, on_message: Callable[[Message], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._socket = sock
        self._on_message = on_message
        self._backlog: deque[tuple[Message, list[int]]] = deque()
        self._answers: dict[int, asyncio.Future[None]] = {}
        self._next_id = 1
        self._loop.add_reader(sock, self._readable)

    def post(self, message: Message, fds: Sequence[int] = ()) -> None:
        """Sends without asking for an answer; to a worker that is gone it does nothing."""
        if self._backlog:
            self._queue(message, fds)
            return
        try:
            send(self._socket, message, fds)
        except BlockingIOError:
            self._queue(message, fds)
        except OSError:
            return  # the worker has ended; its pidfd tells

    def ask(self, message: Message, fds: Sequence[int] = ()) -> asyncio.Future[None]:
        """Sends and returns what becomes of it: done, or ControlError with the worker's reason."""
        answer = self._loop.create_future()
        number, self._next_id = self._next_id, self._next_id + 1
        self._answers[number] = answer
        self.post({**message, "id": number}, fds)
        return answer

    def close(self) -> None:
        """Ends the conversation; the worker sees end of file, and whoever waits for an answer gets WorkerGoneError."""
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._socket.close()
        for _, fds in self._backlog:
            _close(fds)
        self._backlog.clear()
        answers, self._answers = self._answers, {}
        for answer in answers.values():
            if not answer.done():
                answer.set_exception(WorkerGoneError("the worker ended"))
                answer.exception()  # whoever asked may have stopped waiting: then it is nobody's error

    def _queue(self, message: Message, fds: Sequence[int]) -> None:
        # Duplicates: the caller may close its own before the worker has room.
        self._backlog.append((message, [os.dup(fd) for fd in fds]))
        self._loop.add_writer(self._socket, self._writable)

    def _writable(self) -> None:
        while self._backlog:
            message, fds = self._backlog[0]
            try:
                send(self._socket, message, fds)
            except BlockingIOError:
                return
            except OSError:
                pass
            self._backlog.popleft()
            _close(fds)
        self._loop.remove_writer(self._socket)

    def drain(self) -> None:
        """Takes in what the worker said before it ended."""
        self._readable()

    def _readable(self) -> None:
        while True:
            try:
                received = receive(self._socket)
            except (BlockingIOError, ControlError, ValueError, OSError):
                return
            if received is None:
                self._loop.remove_reader(self._socket)  # the end stays readable for ever
                return
            message, fds = received
            _close(fds)
            self._dispatch(message)

    def _dispatch(self, message: Message) -> None:
        answer = self._answers.pop(message.get("id", 0), None)
        if answer is None:
            self._on_message(message)
        elif not answer.done():
            if message.get("op") == "ok":
                answer.set_result(None)
            else:
                answer.set_exception(ControlError(str(message.get("reason", "no reason given"))))
                answer.exception()
