"""Checks over HTTP: a request over each connection of the script, and rules about each answer.

An answer is read only as far as the rules need it: a rule about the status needs one line.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from dataclasses import dataclass, replace

from fastlb.health.budget import Budget, BudgetExceeded
from fastlb.health.expect import judge
from fastlb.health.response import READ_LIMIT_BYTES, Response
from fastlb.health.tcp import TcpProbe
from fastlb.health.verdict import Outcome, Verdict, failure, success
from fastlb.plan.model import Check, Round

_CHUNK_BYTES = 4096
_NOT_FOUND = 404


@dataclass(frozen=True, slots=True)
class About:
    """What a check may need to know of its server: whether it is up, and the value of ``X-Haproxy-Server-State``."""

    up: bool
    state: bytes = b""


class HttpProbe(TcpProbe):
    """One connection after the other. ``about`` is asked at most once for each."""

    __slots__ = ("_about", "_at", "_budget", "_known", "_response", "_rule")

    hop: Round

    def __init__(self, check: Check, about: Callable[[], About] | None = None) -> None:
        super().__init__(check)
        self._about = about
        self._budget = Budget()
        self._at = -1
        self._next()

    def _next(self) -> None:
        self._at += 1
        self._known: About | None = None
        self._rule = 0
        self.hop = self.check.rounds[self._at]
        request = self.hop.request
        self._response = Response(request is not None and request.bodiless)
        self.connected = False
        self.events = select.EPOLLOUT
        self.unsent = b"" if request is None else request.head + self._state() + request.tail

    def _state(self) -> bytes:
        return b"x-haproxy-server-state: %s\r\n" % self._server().state if self.check.send_state else b""

    def _server(self) -> About:
        if self._known is None:
            self._known = self._about() if self._about is not None else About(True)
        return self._known

    def goes_on(self) -> bool:
        if self._at + 1 == len(self.check.rounds):
            return False
        self._next()
        return True

    @property
    def lingers(self) -> bool:
        return self.hop.linger

    @property
    def timeout_status(self) -> str:
        if not self.connected or self.hop.request is None:
            return "L4TOUT"
        return self.hop.expects[self._rule].tout_status or "L7TOUT"

    def answer(self, sock: socket.socket) -> Verdict | None:
        if self.hop.request is None:
            return success("L4OK", "(tcp-check)")
        self.events = select.EPOLLIN
        while True:
            response = self._response
            response.feed(sock.recv(min(_CHUNK_BYTES, READ_LIMIT_BYTES - response.total)))
            verdict = self._judge(response)
            if verdict is not None:
                return verdict

    def _judge(self, response: Response) -> Verdict | None:
        """The rules that are left, one after the other. None: one of them needs more."""
        if self.check.disable_on_404 and response.code == _NOT_FOUND and not response.wrong and self._server().up:
            return self._all_passed(success("L7OKC", "", _NOT_FOUND))
        expects = self.hop.expects
        while True:
            try:
                verdict = judge(expects[self._rule], response, self._budget)
            except BudgetExceeded:
                return failure("L7RSP", "the regular expressions take too long on this answer")
            if verdict is None or not verdict.passed:
                return verdict
            if self._rule + 1 == len(expects):
                return self._all_passed(verdict)
            self._rule += 1

    def _all_passed(self, verdict: Verdict) -> Verdict:
        """The code of the last answer says whether the success is a conditional one."""
        last = self._at + 1 == len(self.check.rounds)
        return replace(verdict, outcome=Outcome.CONDITIONAL) if last and verdict.status == "L7OKC" else verdict
