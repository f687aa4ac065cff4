"""What an operator types: options, commands, exit codes, what ps shows."""

import contextlib
import json
import os
import shutil
import subprocess

import pytest

from .harness.client import connect, read_exactly, read_to_end, refused, who
from .harness.environment import FASTLB, for_fastlb
from .harness.launch import BASE
from .harness.processes import title
from .harness.waiting import eventually

pytestmark = pytest.mark.master


def run(*words, **environment):
    return subprocess.run([*FASTLB, *words], env=for_fastlb(**environment), capture_output=True, text=True, timeout=60)


def config(port, server):
    return f"{BASE}\nlisten lb\n    bind 127.0.0.1:{port}\n    server s {server}\n"


def test_help_and_version():
    shown = run("--help")
    assert shown.returncode == 0
    for word in ("--check", "--metrics", "--socket", "--workers", "reload", "drain", "status", "demo", "exit status"):
        assert word in shown.stdout
    assert run("--version").stdout.startswith("fastlb ")


def test_wrong_command_line():
    assert run().returncode == 2
    assert run("--nonsense").returncode == 2
    assert run("-c", "x", "--workers", "none").returncode == 2
    assert run("-c", "x", "--metrics", "nowhere").returncode == 2


def test_check_binds_nothing_and_says_yes_or_no(directory, port):
    path = directory / "lb.conf"
    path.write_text(config(port, "127.0.0.1:1"))
    assert run("-c", str(path), "--check").returncode == 0
    path.write_text("nonsense\n")
    bad = run("-c", str(path), "--check")
    assert bad.returncode == 1
    assert f"{path}:1:1" in bad.stderr + bad.stdout
    assert run("-c", str(directory / "missing.conf"), "--check").returncode == 1


TUTORIAL = """\
frontend http_front
    mode tcp
    bind *:80
    default_backend ping

backend ping 
    mode tcp
    balance roundrobin
    server pingv1 13.125.194.227:8080/hey check
    server pongv1 13.209.69.208:8080/hey check
"""  # noqa: W291 - the blank after "backend ping" is the tutorial's


def test_tutorial_configuration_loads_as_it_stands(directory):
    path = directory / "lb.conf"
    path.write_text(TUTORIAL)
    done = run("-c", str(path), "--check")
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    for line in (9, 10):
        assert f"lb.conf:{line}:" in said
    assert "option httpchk GET /hey" in said
    assert "timeout" in said


def test_titles_show_in_ps(fastlb, peer, port):
    lb = fastlb.start(config(port, peer("banner", "s")))
    assert title(lb.pid).startswith("fastlb: master")
    assert [title(pid) for pid in lb.workers()] == ["fastlb: worker 0", "fastlb: worker 1"]
    # Without the environment: `ps` never ends with a sanitizer's library loaded into it.
    command = [shutil.which("ps") or "ps", "-o", "args=", "-p", str(lb.workers()[1])]
    ps = subprocess.run(command, capture_output=True, text=True, env={}, timeout=20)
    assert ps.stdout.strip() == "fastlb: worker 1"


def test_start_says_what_it_does(fastlb, peer, port):
    lb = fastlb.start(config(port, peer("banner", "s")))
    for word in ("fastlb 0.", "workers", f"127.0.0.1:{port}", "maxconn", "keep-alive", str(lb.metrics_port)):
        assert word in lb.output()


def test_workers_option_wins(fastlb, peer, port):
    lb = fastlb.start(config(port, peer("banner", "s")), options=["--workers", "3"])
    assert len(lb.workers()) == 3


def test_status(fastlb, peer, port):
    lb = fastlb.start(config(port, peer("banner", "s")))
    plain = lb.command("status")
    assert plain.returncode == 0
    assert str(lb.pid) in plain.stdout
    known = json.loads(lb.command("status", "--json").stdout)
    assert (known["ok"], known["pid"], known["ready"]) == (True, lb.pid, True)
    assert [worker["pid"] for worker in known["workers"]] == lb.workers()


def test_reload_of_a_bad_file_is_told_to_whoever_asked(fastlb, peer, port):
    lb = fastlb.start(config(port, peer("banner", "s")))
    lb.config_path.write_text(config(port, "127.0.0.1:1") + "    severr x 127.0.0.1:2\n")
    done = lb.command("reload")
    assert done.returncode == 1
    assert "lb.conf:13:5" in done.stderr
    assert "server" in done.stderr, "the nearest known word"


def test_stop_returns_when_all_is_gone(fastlb, peer, port):
    lb = fastlb.start(config(port, peer("hold", "s")))
    client = connect(("127.0.0.1", port))
    assert read_exactly(client, 2) == b"s\n"
    assert lb.command("stop").returncode == 0
    assert refused(("127.0.0.1", port))
    assert read_to_end(client)[0] == b""
    assert lb.wait_end() == 0


def test_drain_returns_when_the_last_session_has_ended(fastlb, peer, port):
    lb = fastlb.start(config(port, peer("hold", "s")))
    client = connect(("127.0.0.1", port))
    assert read_exactly(client, 2) == b"s\n"
    command = [*FASTLB, "drain", "--socket", str(lb.socket_path)]
    drain = subprocess.Popen(command, env=for_fastlb(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    eventually(lambda: refused(("127.0.0.1", port)), "no new connections")
    assert drain.poll() is None, "sessions are still open"
    client.close()
    assert drain.wait(15) == 0
    assert lb.wait_end() == 0


@pytest.mark.parametrize("command", ["reload", "stop", "drain", "status"])
def test_commands_without_a_running_fastlb(directory, command):
    done = run(command, "--socket", str(directory / "nobody.sock"))
    assert done.returncode == 3
    assert "nobody.sock" in done.stderr


def test_second_start_on_the_same_control_socket_is_refused(fastlb, peer, port, directory):
    lb = fastlb.start(config(port, peer("banner", "s")))
    done = run("-c", str(lb.config_path), "--socket", str(lb.socket_path))
    assert done.returncode == 1
    assert str(lb.pid) in done.stderr, "who has it"
    assert who(("127.0.0.1", port)) == "s"


def test_unknown_command_on_the_control_socket_is_answered(fastlb, peer, port):
    lb = fastlb.start(config(port, peer("banner", "s")))
    with connect(str(lb.socket_path)) as sock:
        sock.sendall(b"frobnicate\n")
        answer = json.loads(sock.makefile().readline())
        assert answer["ok"] is False
        assert "frobnicate" in answer["message"]


def test_junk_on_the_control_socket_harms_nobody(fastlb, peer, port):
    """B10: a megabyte without newline, binary, many idle clients; status and traffic go on."""
    lb = fastlb.start(config(port, peer("banner", "s")))
    idle = [connect(str(lb.socket_path)) for _ in range(15)]
    with connect(str(lb.socket_path)) as sock, contextlib.suppress(OSError):
        sock.sendall(os.urandom(1 << 20).replace(b"\n", b""))
    assert lb.command("status").returncode == 0
    assert who(("127.0.0.1", port)) == "s"
    for sock in idle:
        sock.close()
