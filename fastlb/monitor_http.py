"""Answers probes of the balancer (``monitor-uri``) with HAProxy's bytes, on the master's loop.

A probe is one request on a connection of its own: its headers within HEADER_TIME_S and HEADER_BYTES, and an answer that
fits any socket. Nothing blocks, and junk from the network is no alarm of ours.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from fastlb.doors import TimedConnection
from fastlb.plan.monitors import Monitor

HEADER_BYTES = 4096

_REQUEST = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) (/[^ ]*|\*) HTTP/1\.([01])\r?\n")
_END = re.compile(rb"\n\r?\n")


def _page(status: str, text: str) -> tuple[str, str]:
    return status, f"<html><body><h1>{status}</h1>\n{text}\n</body></html>\n"


_OK = _page("200 OK", "Service ready.")
_UNAVAILABLE = _page("503 Service Unavailable", "No server is available to handle this request.")
_BAD_REQUEST = _page("400 Bad request", "Your browser sent an invalid request.")


def page(is_well: bool) -> tuple[int, str]:
    """The answer to a probe: its status, and its body."""
    return (200, _OK[1]) if is_well else (503, _UNAVAILABLE[1])


@dataclass(slots=True)
class MonitorEndpoint:
    """What one address answers. ``monitor`` may change at a reload."""

    monitor: Monitor
    is_well: Callable[[Monitor], bool]

    def answer(self, head: bytes) -> bytes:
        """To the head of a request, whole or not a request at all."""
        request = _REQUEST.match(head)
        if request is None:
            return _bytes(_BAD_REQUEST)
        is_monitor = request[2] == self.monitor.path.encode("utf-8", "surrogateescape")
        well = is_monitor and self.is_well(self.monitor)
        return _bytes(_OK if well else _UNAVAILABLE, bodiless=request[1] == b"HEAD")


def _bytes(said: tuple[str, str], bodiless: bool = False) -> bytes:
    status, body = said
    head = f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\ncache-control: no-cache\r\n"
    return f"{head}content-type: text/html\r\nconnection: close\r\n\r\n{'' if bodiless else body}".encode()


class Probe(TimedConnection):
    """One client's connection."""

    def __init__(self, endpoint: MonitorEndpoint, others: set[TimedConnection]) -> None:
        super().__init__(others)
        self._endpoint = endpoint
        self._head = b""

    def data_received(self, data: bytes) -> None:
        assert self.client is not None
        self._head += data[: HEADER_BYTES + 1 - len(self._head)]
        if _END.search(self._head) or len(self._head) > HEADER_BYTES:
            self.client.write(self._endpoint.answer(self._head))
            self.client.close()
