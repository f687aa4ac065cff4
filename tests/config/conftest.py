"""What the tests of the configuration share."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from fastlb import _engine
from fastlb.plan.load import LoadResult, load

Load = Callable[..., LoadResult]
NAMES = {"localhost": "127.0.0.1", "db.internal": "10.9.9.9", "six.internal": "fd00::9"}

HERE = Path(__file__).parent
ONCE = pytest.mark.skipif(
    _engine.BUILD != "release", reason="the language is plain Python, the same for every build: once is enough"
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(ONCE)


@pytest.fixture(autouse=True)
def resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer from a table of names, and for numbers as the C library does: no test asks a name server."""
    real = socket.getaddrinfo

    def getaddrinfo(host: str, *args: object, **kwargs: object) -> object:
        if host.replace(".", "").removeprefix("0x").isalnum() and host[0].isdigit():
            kwargs["flags"] = socket.AI_NUMERICHOST
            return real(host, *args, **kwargs)  # type: ignore[arg-type]
        if host not in NAMES:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        family = socket.AF_INET6 if ":" in NAMES[host] else socket.AF_INET
        return [(family, socket.SOCK_STREAM, 6, "", (NAMES[host], 0))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@pytest.fixture
def load_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Load a configuration given as text, under the name ``lb.conf``."""

    def run(text: str | bytes, environ: Mapping[str, str] | None = None) -> LoadResult:
        monkeypatch.chdir(tmp_path)
        Path("lb.conf").write_bytes(text.encode() if isinstance(text, str) else text)
        return load(["lb.conf"], environ=environ or {})

    return run
