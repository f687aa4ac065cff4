"""Serves /metrics, /healthz and /readyz on the master's own loop, at the addresses of the plan.

No thread, no signal handler, no name resolution; the text itself is rendered in a forked child. The libraries are
imported when the first address is configured.
"""

from __future__ import annotations

import asyncio
import socket
import stat
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fastlb._engine import Shm
from fastlb.doors import door
from fastlb.monitor_http import MonitorEndpoint, Probe
from fastlb.plan.model import Address, MetricsBind, Monitor
from fastlb.stats import Snapshot

if TYPE_CHECKING:
    from fastlb.metrics_app import Endpoint

_BACKLOG = 128


@dataclass(slots=True)
class _Listening:
    endpoint: Endpoint | MonitorEndpoint
    server: asyncio.AbstractServer
    end_connections: Callable[[], Awaitable[None]]

    def serves(self, bind: MetricsBind) -> bool:
        """Whether it is what this bind asks for: metrics, or nothing but answers to probes."""
        return isinstance(self.endpoint, MonitorEndpoint) == (not bind.path)

    def update(self, bind: MetricsBind) -> None:
        """A reload may change the paths."""
        if isinstance(self.endpoint, MonitorEndpoint):
            assert bind.monitor is not None
            self.endpoint.monitor = bind.monitor
        else:
            self.endpoint.path, self.endpoint.monitor = bind.path, bind.monitor


class MetricsServer:
    """``snapshot`` is called in the child, with a view of the shared memory made there and the time of the fork.

    ``keep_fds`` are descriptors that it needs besides.
    """

    def __init__(
        self,
        snapshot: Callable[[Shm, float], Snapshot],
        shm_fd: int,
        is_ready: Callable[[], tuple[bool, str]],
        is_well: Callable[[Monitor], bool],
        keep_fds: Sequence[int] = (),
    ) -> None:
        self._snapshot = snapshot
        self._shm_fd = shm_fd
        self._is_ready = is_ready
        self._is_well = is_well
        self._keep_fds = keep_fds
        self._listening: dict[Address, _Listening] = {}
        self._text: Callable[[bool], Awaitable[bytes]] | None = None

    async def install(self, binds: Sequence[MetricsBind]) -> None:
        """Serve at exactly these addresses. Raises OSError with the address, and then nothing has changed."""
        wanted = {bind.address: bind for bind in binds}
        opened: dict[Address, _Listening] = {}
        for address in wanted.keys() & self._listening.keys():
            if not self._listening[address].serves(wanted[address]):
                await _end(address, self._listening.pop(address))
        try:
            for address in wanted.keys() - self._listening.keys():
                opened[address] = await self._open(wanted[address])
        except OSError:
            for address, listening in opened.items():
                await _end(address, listening)
            raise
        for address in self._listening.keys() - wanted.keys():
            await _end(address, self._listening.pop(address))
        self._listening.update(opened)
        for address, listening in self._listening.items():
            listening.update(wanted[address])

    async def close(self) -> None:
        """Stop listening and end all connections."""
        await self.install(())

    async def _open(self, bind: MetricsBind) -> _Listening:
        endpoint = self._endpoint(bind) if bind.path else None
        try:
            sock = _bound_socket(bind.address)
        except OSError as error:
            text = f"{bind.location}: cannot listen on {bind.address}: {error.strerror or error}"
            raise OSError(error.errno, text) from error
        if endpoint is None:
            assert bind.monitor is not None
            probed = MonitorEndpoint(bind.monitor, self._is_well)
            return await _listen(probed, sock, *door(Probe, probed))
        from fastlb.metrics_app import Connection

        return await _listen(endpoint, sock, *door(Connection, endpoint))

    def _endpoint(self, bind: MetricsBind) -> Endpoint:
        try:
            from fastlb.exporter import CONTENT_TYPE, render
            from fastlb.metrics_app import Endpoint
            from fastlb.render import Renderer
        except ModuleNotFoundError as error:
            text = f"{bind.location}: serving metrics needs '{error.name}': pip install 'fastlb[metrics]'"
            raise OSError(text) from error
        if self._text is None:
            self._text = Renderer(self._snapshot, self._shm_fd, render, self._keep_fds).text
        return Endpoint(bind.path, self._text, self._is_ready, CONTENT_TYPE, bind.monitor, self._is_well)


async def _listen(
    endpoint: Endpoint | MonitorEndpoint,
    sock: socket.socket,
    make: Callable[[], asyncio.Protocol],
    end_connections: Callable[[], Awaitable[None]],
) -> _Listening:
    server = await asyncio.get_running_loop().create_server(make, sock=sock, backlog=_BACKLOG)
    return _Listening(endpoint, server, end_connections)


async def _end(address: Address, listening: _Listening) -> None:
    listening.server.close()
    await listening.end_connections()
    if address.family == "unix":
        Path(address.host).unlink(missing_ok=True)


def _bound_socket(address: Address) -> socket.socket:
    sock = socket.socket(address.number, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        if address.family == "unix":
            _remove_stale(address.host)
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address.name)
        sock.listen(_BACKLOG)  # here, so that an address in use is told as such
    except BaseException:
        sock.close()
        raise
    return sock


def _remove_stale(path: str) -> None:
    """A socket file that nobody listens on any more is in the way; anything else there is left alone."""
    try:
        if not stat.S_ISSOCK(Path(path).stat().st_mode):
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
            probe.connect(path)
    except ConnectionRefusedError:
        Path(path).unlink(missing_ok=True)
    except OSError:
        return
