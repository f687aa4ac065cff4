"""The other end of the control socket: ``fastlb reload``, ``stop``, ``drain``, ``status`` and ``plan``."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastlb.admin import Answer

EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_NOT_RUNNING = 0, 1, 2, 3
_GONE_WITHIN_S = 10.0


def run(command: str, path: Path, *, as_json: bool = False, **more: Any) -> int:
    """Sends one command, waits for it to be done, prints what came of it; returns the exit status."""
    try:
        answer = _ask(path, json.dumps({"command": command, **more}) if more else command)
    except (FileNotFoundError, ConnectionRefusedError):
        return _complain(f"no fastlb runs with the control socket {path}", EXIT_NOT_RUNNING)
    except (OSError, ValueError) as error:
        return _complain(f"{path}: {error}", EXIT_FAILED)
    if answer is None:
        return _complain(f"{path}: fastlb ended, or refused us, without an answer", EXIT_FAILED)
    if command in ("stop", "drain") and answer["ok"]:
        _wait_until_gone(path)
    return _print(answer, as_json=as_json)


def _ask(path: Path, line: str) -> Answer | None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.connect(str(path))
        sock.sendall(line.encode() + b"\n")
        with sock.makefile("rb") as stream:
            data = stream.readline()
    if not data:
        return None
    answer: Answer = json.loads(data)
    return answer


def _wait_until_gone(path: Path) -> None:
    """Returns when the master has let go of its lock, so that a start right after finds its place free."""
    lock = path.with_name(path.name + ".lock")
    deadline = time.monotonic() + _GONE_WITHIN_S
    while time.monotonic() < deadline:
        try:
            fd = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError:
            time.sleep(0.02)
        finally:
            os.close(fd)


def _print(answer: Answer, *, as_json: bool) -> int:
    if as_json:
        print(json.dumps(answer, indent=2))
    else:
        stream = sys.stdout if answer["ok"] else sys.stderr
        for line in answer.get("diagnostics", ()):
            print(line, file=stream)
        print(answer["message"] if answer["ok"] else f"fastlb: {answer['message']}", file=stream)
    return EXIT_OK if answer["ok"] else EXIT_FAILED


def _complain(text: str, status: int) -> int:
    print(f"fastlb: {text}", file=sys.stderr)
    return status
