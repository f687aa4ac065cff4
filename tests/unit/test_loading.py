"""The configuration is read in a child, which may be slow, hungry or dead without harm."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from fastlb import loading


def load(*paths, **more):
    return asyncio.run(loading.load_apart([str(path) for path in paths], **more))


@pytest.fixture(autouse=True)
def _nothing_left():
    before = len(list(Path("/proc/self/fd").iterdir()))
    yield
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_the_result_comes_back(tmp_path):
    path = tmp_path / "lb.conf"
    path.write_text("listen www\n    bind 127.0.0.1:8080\n    server a 127.0.0.1:80\n")
    result = load(path)
    assert result.plan is not None
    assert [bind.address.port for bind in result.plan.binds] == [8080]


def test_errors_come_back(tmp_path):
    result = load(tmp_path / "none.conf")
    assert result.plan is None
    assert "none.conf" in str(result.diagnostics[0])


def test_a_slow_child_is_killed(monkeypatch):
    monkeypatch.setattr(loading, "load", lambda *_: time.sleep(60))
    with pytest.raises(loading.LoadError, match="takes longer"):
        load("x", timeout_s=0.1)


def test_a_hungry_child_meets_its_limit(monkeypatch, capfd):
    monkeypatch.setattr(loading, "load", lambda *_: bytearray(2 * loading.MEMORY_BYTES))
    with pytest.raises(loading.LoadError, match="exited with status 70"):
        load("x")
    assert "MemoryError" in capfd.readouterr().err


def test_a_dead_child_is_told(monkeypatch):
    monkeypatch.setattr(loading, "load", lambda *_: os.kill(os.getpid(), 9))
    with pytest.raises(loading.LoadError, match=r"killed by signal 9"):
        load("x")
