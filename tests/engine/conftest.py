"""Servers and clients of the engine's tests: plain sockets in threads, sharing no code with fastlb."""

from __future__ import annotations

import socketserver
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from engine_judge import Judge
from engine_peers import Handler
from system.harness.scale import Scale


@pytest.fixture
def serve() -> Iterator[Callable[[Handler], int]]:
    """Start a threaded TCP server around a handler; returns its port."""
    servers: list[socketserver.ThreadingTCPServer] = []

    def start(handler: Handler) -> int:
        class Request(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                handler(self.request)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True
            request_queue_size = 1024

            def handle_error(self, request: object, client_address: object) -> None:
                pass

        server = Server(("127.0.0.1", 0), Request)
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return int(server.server_address[1])

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def scale(record_property: Callable[[str, object], None]) -> Scale:
    """Scales counts by FASTLB_SCALE; the summary says what was really run."""
    return Scale(lambda note: record_property("scale", note))


@pytest.fixture
def judge(tmp_path: Path) -> Iterator[object]:
    judges = []

    def make(rules: str, inherited: str = "", **more: object) -> Judge:
        judges.append(Judge(tmp_path, rules, inherited, **more))
        return judges[-1]

    yield make
    for one in judges:
        one.close()
