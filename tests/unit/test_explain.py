"""``--explain``: every value in force is told, with the place or the reason that it comes from."""

from __future__ import annotations

import os
import re
from dataclasses import fields
from pathlib import Path

import pytest

from fastlb import cli, explain, limits, spelling
from fastlb.plan.load import load_both
from fastlb.settings import Settings, metrics_bind

GOOD = sorted((Path(__file__).resolve().parents[1] / "config/good").glob("*.cfg"))
TEXT = """\
global
    hard-stop-after 90s
    log 127.0.0.1 sample 3-4,1:5 local0
defaults
    mode tcp
    log global
    timeout connect 5s
    timeout client 1m
    timeout server 1m
    default-server inter 3s fall 5
frontend www
    bind *:18080,[::1]:18081-18083 backlog 100
    default_backend b
backend b
    option httpchk GET /x
    option redispatch
    timeout client-fin 1s
    server a 127.0.0.1:80 check weight 5
    default-server rise 7
    server b 127.0.0.1:81 check addr 127.0.0.2
listen l
    use_backend b  if { src 10.0.0.0/8 }
    bind /tmp/x.sock mode 660
    log-format "%{+Q}o %ci:%cp %{-Q}b %[reason] %{-M}s 1%%"
    option dontlognull
    server s 127.0.0.1:1
    clitcpka-intvl 7
    backlog 77
listen far
    bind :18090 interface lo
    backlog 7
    timeout server 1h
    clitcpka-idle 20
    source 127.0.0.9
    server s 127.0.0.1:+5
    server t * source 127.0.0.8:5000-5009
listen off
    bind *:18080
    disabled
    description of building 7
    server s 127.0.0.1:1
backend hashes
    balance hash src,ipmask(255.0.255.0,56)
    hash-type consistent
    server a 127.0.0.1:1
    server b 127.0.0.1:2 id 7 hash-key addr
backend draws
    server a 127.0.0.1:1
    balance random(3)
"""


def told(**settings: object) -> list[tuple[str, str]]:
    """Each line as its text, without indentation, and its origin."""
    Path("lb.conf").write_text(TEXT)
    result, config = load_both(["lb.conf"], environ={})
    assert config is not None and result.plan is not None
    found = explain.lines(config, result.plan, Settings(("lb.conf",), "/s", **settings))
    return [tuple(map(str.strip, line.partition("  # ")[::2])) for line in found]  # type: ignore[misc]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("hard-stop-after 90s", "lb.conf:2"),
        ("spread-checks 0", "default"),
        ("log 127.0.0.1:514 len 1024 format local sample 1,3-4:5", "lb.conf:3"),
        ("frontend www", "lb.conf:11"),
        ("timeout client 1m", "lb.conf:8"),
        ("timeout client-fin 1m", "derived from 'timeout client'"),
        ("bind 0.0.0.0:18080,[::1]:18081-18083", "lb.conf:12"),
        ("backlog 100", "lb.conf:12"),
        ("option clitcpka after 60 s of silence, 4 times every 15 s", "default"),
        ("option clitcpka after 60 s of silence, 4 times every 7 s", "lb.conf:27"),
        ("backlog 77", "lb.conf:28"),
        ("mode 660", "lb.conf:23"),
        ("log-format '%{+Q}ci:%{+Q}cp %b %{+Q}[reason] %{+Q,-M}s 1%%'", "lb.conf:24"),
        ("option dontlognull on", "lb.conf:25"),
        ("option logasap off", "default"),
        ("option tcplog off", "default"),
        ("use_backend b if { src 10.0.0.0/8 }", "lb.conf:22"),
        ("default_backend b", "lb.conf:13"),
        ("default_backend l", "derived from being a 'listen'"),
        ("timeout queue 5s", "derived from 'timeout connect'"),
        ("option redispatch at the last retry", "lb.conf:16"),
        ("balance roundrobin", "default"),
        ("server b 127.0.0.1:81", "lb.conf:20"),
        ("weight 5", "lb.conf:18"),
        ("addr 127.0.0.1:80", "derived from the server's address"),
        ("addr 127.0.0.2:81", "lb.conf:20"),
        ("option httpchk GET /x HTTP/1.0", "lb.conf:15"),
        ("inter 3s", "lb.conf:10"),
        ("downinter 3s", "derived from 'inter'"),
        ("rise 7", "lb.conf:19"),
        ("rise 2", "default"),
        ("no-check", "default"),
        ("backlog 7", "lb.conf:31"),
        ("interface lo", "lb.conf:30"),
        ("option clitcpka after 20 s of silence, 4 times every 15 s", "lb.conf:33"),
        ("option srvtcpka off", "default"),
        (
            "option srvtcpka after 60 s of silence, 4 times every 15 s",
            "derived from the timeouts, which leave time for a probe",
        ),
        ("source 127.0.0.9", "lb.conf:34"),
        ("source 127.0.0.8:5000-5009", "lb.conf:36"),
        ("source the kernel's choice", "default"),
        ("server s 127.0.0.1:+5", "lb.conf:35"),
        ("server t *", "lb.conf:36"),
        ("balance hash src,ipmask(255.0.255.0,56)", "lb.conf:43"),
        ("hash-type consistent sdbm avalanche", "lb.conf:44"),
        ("hash-balance-factor 0", "default"),
        ("hash-key addr", "lb.conf:46"),
        ("id 7", "lb.conf:46"),
        ("balance random(3)", "lb.conf:49"),
    ],
)
def test_a_value_and_its_origin(text: str, origin: str) -> None:
    assert (text, origin) in told()


def at(text: str) -> str:
    """Where the file says it."""
    return f"lb.conf:{TEXT[: TEXT.index(text)].count(chr(10)) + 1}"


def test_what_serves_nobody_is_told() -> None:
    lines = told()
    assert ("mode tcp", at("mode tcp")) in lines and ("disabled", at("disabled")) in lines
    assert ("disabled on", "derived from the 'disabled' of the section") in lines
    assert ("description of building 7", at("description")) in lines


def test_the_command_line_is_an_origin() -> None:
    lines = told(workers=3, maxconn=9, proxy_maxconn=4, daemon=False, pidfile="/p", metrics=(metrics_bind(":9101"),))
    for expected in (
        ("nbthread 3", "command line, --workers"),
        ("maxconn 9", "command line, -n"),
        ("maxconn 4", "command line, -N"),
        ("daemon off", "command line, -db"),
        ("pidfile /p", "command line, -p"),
        ("metrics 0.0.0.0:9101/metrics", "command line, --metrics"),
    ):
        assert expected in lines


def test_what_the_machine_decides() -> None:
    lines = dict(told())
    assert lines[f"nbthread {len(limits.allowed_cpus())}"] == "derived from the CPUs of this process"
    assert "derived from the limit on file descriptors" in lines.values()


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_every_line_of_every_good_file_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a file may say: each field of each part is there once, and each line has an origin."""
    monkeypatch.chdir(path.parent)
    result, config = load_both([path.name], environ=os.environ)
    if result.plan is None or config is None:
        pytest.skip("it names a host that is not known here")
    text = list(explain.lines(config, result.plan, Settings((path.name,), "/s")))
    assert all(re.search(r"  # \S", line) for line in text if line and line != "global")
    for part, count in ((result.plan.servers, "weight"), (result.plan.backends, "retries")):
        assert sum(line.split()[0] == count for line in text if line) == len(part)
    for field in fields(result.plan.process):
        assert field.name in explain.UNTOLD or any(spelling.name_of(result.plan.process, field.name) in x for x in text)


def test_explain_is_a_check(capsys: pytest.CaptureFixture[str]) -> None:
    Path("lb.conf").write_text(TEXT)
    assert cli.main(["-c", "lb.conf", "--explain"]) == 0
    said = capsys.readouterr()
    assert "frontend www" in said.out and "'timeout client-fin' is ignored" in said.err
    Path("lb.conf").write_text(TEXT.replace("bind", "bnid"))
    assert cli.main(["-c", "lb.conf", "--explain"]) == 1
    assert capsys.readouterr().out == ""
