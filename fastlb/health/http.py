"""``option httpchk``: a request is sent, and a status line of 2xx or 3xx passes (HAProxy manual, section 4.2)."""

from __future__ import annotations

import re
import select
import socket

from fastlb.health.tcp import TcpProbe
from fastlb.health.verdict import Outcome, Verdict, failure
from fastlb.plan.model import Check

READ_LIMIT_BYTES = 16384
_CHUNK_BYTES = 4096
# RFC 9112, section 4: HTTP-version SP status-code SP [ reason-phrase ]; a bare LF may end it (section 2.2).
_STATUS_LINE = re.compile(rb"HTTP/[0-9]\.[0-9] ([0-9]{3})(?: ([^\n]*))?")
_BEGINNING = b"HTTP/"


def judge(received: bytes, ended: bool) -> Verdict | None:
    """The verdict on what a server has answered so far; None while more is needed."""
    line, newline, _ = received.partition(b"\n")
    if newline:
        return _judge_line(line.removesuffix(b"\r"))
    if received[: len(_BEGINNING)] != _BEGINNING[: len(received)]:
        return failure("L7RSP", "the answer does not begin with HTTP/")
    if ended:
        return failure("L7RSP", "connection closed before a status line" if received else "empty answer")
    if len(received) >= READ_LIMIT_BYTES:
        return failure("L7RSP", f"no end of the status line in {READ_LIMIT_BYTES} bytes")
    return None


def _judge_line(line: bytes) -> Verdict:
    match = _STATUS_LINE.fullmatch(line)
    if match is None:
        return failure("L7RSP", "not an HTTP status line")
    code = int(match[1])
    if 200 <= code <= 399:
        return Verdict(Outcome.PASS, "L7OK", code)
    return failure("L7STS", (match[2] or b"")[:128].decode("latin-1"), code)


class HttpProbe(TcpProbe):
    """Connect, send ``check.request``, read until there is a status line; never more than READ_LIMIT_BYTES."""

    __slots__ = ("received",)

    def __init__(self, check: Check) -> None:
        super().__init__(check)
        self.unsent = check.request
        self.received = b""

    def answer(self, sock: socket.socket) -> Verdict | None:
        self.events = select.EPOLLIN
        while True:
            chunk = sock.recv(min(_CHUNK_BYTES, READ_LIMIT_BYTES - len(self.received)))
            self.received += chunk
            verdict = judge(self.received, ended=not chunk)
            if verdict is not None:
                return verdict
