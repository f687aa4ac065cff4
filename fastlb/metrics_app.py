"""The HTTP side of the metrics: paths, methods, and patience. Imports aiohttp, so it is itself imported late.

Every connection serves one request and is closed. A client gets HEADER_TIME_S to ask and REQUEST_TIME_S to take the
answer; more than CONNECTIONS at once are not accepted. Nothing here blocks, and nothing logs: junk from the network is
not our alarm.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from fastlb.monitor_http import page
from fastlb.plan.model import Monitor
from fastlb.render import RenderError

CONNECTIONS = 128
HEADER_TIME_S = 4.0
REQUEST_TIME_S = 30.0
_LIMITS: dict[str, Any] = {"max_line_size": 4096, "max_field_size": 8190, "lingering_time": 0.0}

_NO_CACHE = {"Cache-Control": "no-cache"}

_SILENT = logging.getLogger("fastlb.metrics")
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False
_SILENT.setLevel(logging.CRITICAL + 1)


@dataclass(slots=True)
class Endpoint:
    """What one listening address serves. ``path`` and ``monitor`` may change at a reload."""

    path: str
    text: Callable[[bool], Awaitable[bytes]]
    is_ready: Callable[[], tuple[bool, str]]
    content_type: str
    monitor: Monitor | None
    is_well: Callable[[Monitor], bool]

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """The handler of all requests on this address."""
        request.protocol.began()  # type: ignore[attr-defined]  # it is a Connection
        response = await self._answer(request)
        response.force_close()
        return response

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if self.monitor is not None and request.raw_path == self.monitor.path:
            status, body = page(self.is_well(self.monitor))
            return web.Response(status=status, text=body, content_type="text/html", headers=_NO_CACHE)
        if request.method not in ("GET", "HEAD"):
            return web.Response(status=405, headers={"Allow": "GET, HEAD"}, text="only GET and HEAD\n")
        if request.path == "/healthz":
            return web.Response(text="ok\n")
        if request.path == "/readyz":
            ready, reason = self.is_ready()
            return web.Response(status=200 if ready else 503, text=f"{reason}\n")
        if request.path == self.path:
            return await self._metrics(request)
        return web.Response(status=404, text=f"not here; the metrics are at {self.path}\n")

    async def _metrics(self, request: web.BaseRequest) -> web.StreamResponse:
        headers = {"Content-Type": self.content_type, "Vary": "Accept-Encoding"}
        if request.method == "HEAD":
            return web.StreamResponse(headers=headers)  # its length is only known to whoever renders
        compressed = "gzip" in request.headers.get("Accept-Encoding", "")
        try:
            body = await self.text(compressed)
        except RenderError as error:
            return web.Response(status=500, text=f"cannot render the metrics: {error}\n")
        if compressed:
            headers["Content-Encoding"] = "gzip"
        return web.Response(body=body, headers=headers)


class Connection(web.RequestHandler):
    """One client's connection, aborted when its time is over."""

    __slots__ = ("_alarm", "_client", "_others")

    def __init__(self, server: web.Server, others: set[Connection], loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(server, loop=loop, access_log=_SILENT, logger=_SILENT, **_LIMITS)
        self._others = others
        self._alarm: asyncio.TimerHandle | None = None
        self._client: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        assert isinstance(transport, asyncio.Transport)
        self._client = transport
        if len(self._others) >= CONNECTIONS:
            transport.abort()
            return
        self._others.add(self)
        self._set_alarm(HEADER_TIME_S)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._others.discard(self)
        if self._alarm is not None:
            self._alarm.cancel()
        super().connection_lost(exc)

    def began(self) -> None:
        """A whole request has come."""
        self._set_alarm(REQUEST_TIME_S)

    def _set_alarm(self, seconds: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        assert self._client is not None
        self._alarm = asyncio.get_running_loop().call_later(seconds, self._client.abort)


def protocol_factory(endpoint: Endpoint) -> tuple[Callable[[], asyncio.Protocol], Callable[[], Awaitable[None]]]:
    """(what makes the protocol of each connection, what ends all connections)."""
    loop = asyncio.get_running_loop()
    server = web.Server(endpoint.answer)
    connections: set[Connection] = set()
    return lambda: Connection(server, connections, loop), lambda: server.shutdown(0.1)
