"""The control socket: one line in (``status``, or ``{"command": "status"}``), one JSON object out.

One master for each control socket: a lock file beside it is held with flock(2) for the master's life, so a socket file
that is found while the lock is free is stale. Everything is bounded (P70): 16 KiB a line, 20 clients, 30 s of silence.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import socket
import stat
import struct
from collections.abc import Awaitable, Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from fastlb import places

Answer = dict[str, Any]
Request = Mapping[str, Any]
Command = Callable[[Request], Awaitable[Answer]]

LINE_BYTES = 16 * 1024
CLIENTS = 20
IDLE_S = 30.0
_INFO = 6


class AdminError(Exception):
    """The control socket cannot be had; the text says why."""


class Lock:
    """Makes this process the only master of a control socket, as long as it lives.

    A holder that is among ``predecessors`` keeps the lock until ``take_over`` is called.
    """

    def __init__(self, path: Path, predecessors: Collection[int] = ()) -> None:
        places.make_directory(path.parent)
        self.path = path.with_name(path.name + ".lock")
        self._fd = _open_lock(self.path)
        self._waits = False
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(self._fd, 20).decode(errors="replace").strip()
            if holder in map(str, predecessors):
                self._waits = True
                return
            os.close(self._fd)
            raise AdminError(
                f"another fastlb (pid {holder or 'unknown'}) has the control socket {path}: "
                f"use 'fastlb reload', '-sf {holder}' to take its place, or another place with --socket PATH"
            ) from None
        self.record()

    def take_over(self) -> None:
        """Puts a lock of ours in the place of a predecessor's, who then holds one that has no name any more."""
        if not self._waits:
            return
        os.close(self._fd)
        ours = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        ours.unlink(missing_ok=True)
        self._fd = _open_lock(ours)
        fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.record()
        ours.rename(self.path)
        self._waits = False

    def record(self) -> None:
        """Writes our pid into the file, for the message to whoever finds it locked."""
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Ends the ownership; waiting commands see that the master is gone. The file stays: who unlinks a lock file
        may take it from somebody who has just opened it."""
        os.close(self._fd)


def _open_lock(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise AdminError(f"cannot open {path}: {error.strerror}") from error


class AdminServer:
    """Serves ``commands`` on ``path``; the caller holds the Lock."""

    def __init__(self, path: Path, commands: Mapping[str, Command], say: Callable[[int, str], None]) -> None:
        self._path = path
        self._commands = commands
        self._say = say
        self._clients: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._inode = 0

    async def open(self) -> None:
        """Starts to listen. Raises AdminError."""
        sock = _listen(self._path)
        self._inode = self._path.stat().st_ino
        self._server = await asyncio.start_unix_server(self._client, sock=sock, limit=LINE_BYTES)

    async def close(self) -> None:
        """Stops to listen, gives clients that wait for their answer a moment, and removes the socket if it is ours."""
        if self._server is None:
            return
        self._server.close()
        with contextlib.suppress(OSError):
            if self._path.lstat().st_ino == self._inode:
                self._path.unlink()
        if self._clients:
            await asyncio.wait(self._clients, timeout=1.0)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._clients) >= CLIENTS:
            writer.close()
            return
        self._clients.add(task)
        try:
            await self._talk(reader, writer)
        except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError):
            pass
        finally:
            self._clients.discard(task)
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = _peer(writer)
        if peer is None:
            return
        while line := await self._line(reader):
            answer = await self._answer(line, peer)
            writer.write(json.dumps(answer).encode() + b"\n")
            await asyncio.wait_for(writer.drain(), IDLE_S)

    async def _line(self, reader: asyncio.StreamReader) -> bytes:
        try:
            return await asyncio.wait_for(reader.readline(), IDLE_S)
        except ValueError:  # longer than LINE_BYTES
            return b""

    async def _answer(self, line: bytes, peer: str) -> Answer:
        request = _request(line)
        name = str(request["command"])
        command = self._commands.get(name)
        if command is None:
            return failed(f"unknown command {name!r}; there are: {', '.join(sorted(self._commands))}")
        if name not in ("status", "plan"):
            self._say(_INFO, f"'{name}' asked for by {peer}")
        return await command(request)


def done(message: str, **more: Any) -> Answer:
    """The answer of a command that did what it was asked."""
    return {"ok": True, "message": message, **more}


def failed(message: str, **more: Any) -> Answer:
    """The answer of a command that did not, and why."""
    return {"ok": False, "message": message, **more}


def _request(line: bytes) -> Request:
    text = line.decode(errors="replace").strip()
    if text.startswith("{"):
        with contextlib.suppress(ValueError):
            request = json.loads(text)
            return {**request, "command": request.get("command")}
    return {"command": text}


def _peer(writer: asyncio.StreamWriter) -> str | None:
    """Who asks, by SO_PEERCRED; None for anybody but root and our own user, whatever the file's mode is."""
    sock = writer.get_extra_info("socket")
    pid, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return f"uid {uid}, pid {pid}" if uid in (0, os.geteuid()) else None


def _listen(path: Path) -> socket.socket:
    try:
        _remove_stale(path)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        umask = os.umask(0o177)  # the socket must never exist with a wider mode than 0600
        try:
            sock.bind(str(path))
        finally:
            os.umask(umask)
        sock.listen(CLIENTS)
    except OSError as error:
        raise AdminError(f"cannot make the control socket {path}: {error.strerror or error}") from error
    return sock


def _remove_stale(path: Path) -> None:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(status.st_mode) or status.st_uid not in (0, os.geteuid()):
        raise AdminError(f"{path} exists and is not our socket; it is left alone: choose another with --socket PATH")
    path.unlink()
