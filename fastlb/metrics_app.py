"""The HTTP side of the metrics: paths, methods, and patience. Imports h11, so it is itself imported late.

Every connection serves one request and is closed. A client gets HEADER_TIME_S to ask and REQUEST_TIME_S to take the
answer; more than CONNECTIONS at once are not accepted. Nothing here blocks, and nothing logs: junk from the network is
not our alarm.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import unquote, urlsplit

import h11

from fastlb.doors import TimedConnection
from fastlb.monitor_http import page
from fastlb.plan.model import Monitor
from fastlb.render import RenderError

HEADER_BYTES = 8190
REQUEST_TIME_S = 30.0
LINGER_TIME_S = 1.0  # for what a client goes on to send: closing on unread bytes could cost it the answer

Headers = tuple[tuple[str, str], ...]
_TEXT: Headers = (("Content-Type", "text/plain; charset=utf-8"),)
_PAGE: Headers = (("Content-Type", "text/html; charset=utf-8"), ("Cache-Control", "no-cache"))


@dataclass(frozen=True, slots=True)
class Answer:
    """``body`` is None where its length is only known to whoever makes it (to HEAD)."""

    status: int
    body: bytes | None
    headers: Headers = _TEXT


def _text(status: int, text: str, headers: Headers = ()) -> Answer:
    return Answer(status, f"{text}\n".encode(), _TEXT + headers)


def _path(target: str) -> str:
    """Of a path or a whole URL; empty for what is neither, such as ``//[``."""
    try:
        return unquote(urlsplit(target).path)
    except ValueError:
        return ""


@dataclass(slots=True)
class Endpoint:
    """What one listening address serves. ``path`` and ``monitor`` may change at a reload."""

    path: str
    text: Callable[[bool], Awaitable[bytes]]
    is_ready: Callable[[], tuple[bool, str]]
    content_type: str
    monitor: Monitor | None
    is_well: Callable[[Monitor], bool]

    async def answer(self, request: h11.Request) -> Answer:
        """To any request on this address."""
        target = request.target.decode("ascii")
        if self.monitor is not None and target == self.monitor.path:
            status, body = page(self.is_well(self.monitor))
            return Answer(status, body.encode(), _PAGE)
        if request.method not in (b"GET", b"HEAD"):
            return _text(405, "only GET and HEAD", (("Allow", "GET, HEAD"),))
        path = _path(target)
        if path == "/healthz":
            return _text(200, "ok")
        if path == "/readyz":
            ready, reason = self.is_ready()
            return _text(200 if ready else 503, reason)
        if path == self.path:
            return await self._metrics(request)
        return _text(404, f"not here; the metrics are at {self.path}")

    async def _metrics(self, request: h11.Request) -> Answer:
        headers: Headers = (("Content-Type", self.content_type), ("Vary", "Accept-Encoding"))
        if request.method == b"HEAD":
            return Answer(200, None, headers)
        compressed = any(name == b"accept-encoding" and b"gzip" in value for name, value in request.headers)
        try:
            body = await self.text(compressed)
        except RenderError as error:
            return _text(500, f"cannot render the metrics: {error}")
        return Answer(200, body, (*headers, ("Content-Encoding", "gzip")) if compressed else headers)


class Connection(TimedConnection):
    """One client's connection: one request."""

    def __init__(self, endpoint: Endpoint, others: set[TimedConnection]) -> None:
        super().__init__(others)
        self._endpoint = endpoint
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEADER_BYTES)
        self._answering: asyncio.Task[None] | None = None
        self._answered = False

    def data_received(self, data: bytes) -> None:
        if self._answering is not None or self._answered:
            return  # of what follows the one request, nothing is read
        try:
            self._http.receive_data(data[: HEADER_BYTES + 1])  # the parser bounds only what is not whole yet
            event = self._http.next_event()
            if isinstance(event, h11.Request):
                self._http.next_event()  # its end, unless it has a body
        except h11.RemoteProtocolError as error:
            self._send(_text(error.error_status_hint, str(error)))
            return
        if isinstance(event, h11.Request):
            self.set_alarm(REQUEST_TIME_S)
            self._answering = asyncio.ensure_future(self._answer(event))

    async def _answer(self, request: h11.Request) -> None:
        self._send(await self._endpoint.answer(request), bodiless=request.method == b"HEAD")

    def _send(self, answer: Answer, bodiless: bool = False) -> None:
        if self.client is None:
            return
        self._answered = True
        length = () if answer.body is None else (("Content-Length", str(len(answer.body))),)
        headers = [*answer.headers, *length, ("Connection", "close")]
        reason = HTTPStatus(answer.status).phrase
        head = self._http.send(h11.Response(status_code=answer.status, headers=headers, reason=reason))
        self.client.write((head or b"") + (b"" if bodiless else answer.body or b""))
        if self._http.their_state in (h11.DONE, h11.MUST_CLOSE):
            self.client.close()
            return
        self.client.write_eof()
        if not self.client.get_write_buffer_size():
            self.set_alarm(LINGER_TIME_S)
