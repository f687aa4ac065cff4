"""Examples as they stand, in a network that has their addresses; their servers are processes, put away at the end."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fastlb import _engine

from ..harness import netns
from ..harness.logsink import LogSink
from .example import ADDRESSES, example
from .program import Program


def pytest_runtest_setup(item: pytest.Item) -> None:
    if _engine.BUILD != "release":
        pytest.skip("real servers are the same for every build: once is enough")


@pytest.fixture
def addresses(network: None) -> None:
    """The addresses of the examples, on the loopback of a network of the test's own; any port is anybody's there."""
    Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").write_text("0")
    for address in ADDRESSES:
        netns.ip("address", "add", f"{address}/32", "dev", "lo")


@pytest.fixture
def text(addresses: None, log: LogSink) -> Callable[[str], str]:
    """``text("redis.conf")``: an example that logs to ``log`` and checks more often."""
    return lambda name: example(name, log)


@pytest.fixture
def program(directory: Path) -> Iterator[Callable[..., Program]]:
    """``program("name", words, listens=("192.0.2.31", 6379))`` runs a server until the end of the test."""
    started: list[Program] = []

    def start(name: str, words: list[str], **options: object) -> Program:
        started.append(Program(name, words, directory, **options))
        return started[-1]

    yield start
    for one in reversed(started):
        one.end()
