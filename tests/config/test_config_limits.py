"""Whatever the file is, loading ends soon, in little memory, with a message."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fastlb.plan.load import LoadResult, load

LoadText = Callable[..., LoadResult]
ROOT = Path(__file__).parents[2]
LISTEN = "listen l\n bind *:80\n"

# The goal is 5 s on an idle machine; the rest is for one that is busy with other tests.
PATIENCE_S = 30


def last_words(result: LoadResult) -> str:
    assert result.plan is None
    return str(result.diagnostics[-1])


HOSTILE = {
    "a line of 1 MiB": (b"x" * (1 << 20), "the line is 1048576 bytes long"),
    "too many servers": (
        LISTEN + "".join(f" server s{n} 10.0.0.1:{n % 60000 + 1} check\n" for n in range(17_000)),
        "more than 16384 servers",
    ),
    "too many backends": ("".join(f"backend b{n}\n" for n in range(5000)), "more than 4096 backends"),
    "too many frontends": ("".join(f"frontend b{n}\n" for n in range(5000)), "more than 4096 frontends"),
    "too many defaults": ("defaults\n" * 5000, "more than 4096 defaults sections"),
    "too many ports": (LISTEN + " bind 10.0.0.1:1-9000\n", "this makes 9000 listening addresses; at most 8192"),
    "too many binds": (LISTEN + " bind 10.0.0.1:1-8000\n bind 10.0.0.2:1-8000\n", "more than 8192 listening addresses"),
    "too many log lines": (LISTEN + " log 10.0.0.1 local0\n" * 40, "gave up"),
    "too many statements": (LISTEN + " retries 1\n" * 100_100, "more than 100000 statements"),
    "too many errors": ("nonsense\n" * 100_000, "gave up after 100 errors"),
    "too long": (b"#" * (8 << 20) + b"\n", "the configuration is longer than 8 MiB"),
    "nothing but line feeds": (b"\n" * (1 << 20), "there is nothing to balance"),
    "nothing but comments": (b"#\n" * (1 << 19), "there is nothing to balance"),
    "nothing but quotes": (("global\n log-tag " + '""' * 1000 + "a\n") * 1000, "there is nothing to balance"),
    "random bytes": (random.Random(1).randbytes(1 << 20), "the file contains a NUL byte"),
    "empty": (b"", "there is nothing to balance"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_file(name: str, load_text: LoadText) -> None:
    text, message = HOSTILE[name]
    began = time.monotonic()
    result = load_text(text)
    assert time.monotonic() - began < PATIENCE_S
    assert message in last_words(result) or message == "gave up"
    assert len(result.diagnostics) <= 202


MEASURE = """
import sys, time
from pathlib import Path
from fastlb.plan.load import load
began = time.process_time()
result = load(sys.argv[1:])
assert result.plan is not None and result.diagnostics == (), result.diagnostics[:3]
peak_kib = int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
print(len(result.plan.servers), len(result.plan.binds), peak_kib >> 10, round(time.process_time() - began, 1))
"""


def test_the_largest_configuration_fits(tmp_path: Path) -> None:
    """Every limit reached at once, with an option or two on each line."""
    head = "defaults\n timeout connect 1s\n timeout client 1s\n timeout server 1s\n"
    servers = "".join(f" server s{m} 10.{m}.%d.%d:80 check inter 2s weight 5\n" for m in range(4))
    text = "".join(
        f"frontend f{n}\n bind 10.0.0.1:{n + 1}\n bind 10.0.0.2:{n + 1} backlog 99\n default_backend b{n}\n"
        f"backend b{n}\n{servers % ((n >> 8, n & 255) * 4)}"
        for n in range(4096)
    )
    path = tmp_path / "lb.conf"
    path.write_text(head + text)
    command = [sys.executable, "-c", MEASURE, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=2 * PATIENCE_S, check=True, cwd=ROOT)
    servers_found, binds, peak_mib, cpu_s = map(float, done.stdout.split())
    assert (servers_found, binds) == (16384, 8192)
    assert peak_mib < 180
    assert cpu_s < PATIENCE_S


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    missing, folder = str(tmp_path / "missing"), str(tmp_path)
    (tmp_path / "dangling.cfg").symlink_to("nowhere")
    result = load([missing, folder, "nul\0"], environ={})
    assert [str(found) for found in result.diagnostics] == [
        f"{missing}: error: cannot be read: No such file or directory",
        "nul\0: error: cannot be read: embedded null byte",
    ]
    assert last_words(load([], environ={})) == "fastlb: error: no configuration file was named"
    assert last_words(load([folder], environ={})) == f"{folder}: error: there is no '*.cfg' in this directory"


def test_a_device_without_end() -> None:
    assert last_words(load(["/dev/zero"], environ={})) == "/dev/zero: error: the configuration is longer than 8 MiB"


def test_warnings_are_bounded_too(load_text: LoadText) -> None:
    result = load_text("backend b\n" + " maxconn 1\n" * 299 + LISTEN + " server s 10.0.0.1:80\n")
    assert result.plan is not None
    assert len(result.diagnostics) == 101
    assert str(result.diagnostics[-1]) == "lb.conf: warning: 201 more warnings are not shown"


def test_a_summary_is_bounded(load_text: LoadText) -> None:
    result = load_text("global\n" + " ssl-x y\n\n" * 20_000 + LISTEN + " server s 10.0.0.1:80\n")
    assert result.plan is not None
    assert len(str(result.diagnostics[0])) < 1000


def test_slow_name_servers_are_given_up(load_text: LoadText, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the whole time for names used up, the others are not tried."""
    from fastlb.plan import resolve

    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr(resolve.time, "monotonic", lambda: float(next(clock)))
    text = LISTEN + "".join(f" server s{n} nosuch{n}.invalid:80\n" for n in range(4))
    reasons = [found.message.rpartition(": ")[2] for found in load_text(text).diagnostics]
    assert reasons == ["Name or service not known"] * 2 + ["not tried, because the names before it took too long"] * 2
