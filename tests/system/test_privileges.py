"""What a worker may still do: nothing but move bytes (S3, S4, S5, S6, S14)."""

import os
import socket
import subprocess
from pathlib import Path

import pytest

from .harness.client import who
from .harness.launch import BASE
from .harness.processes import descriptors, status

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to have privileges that can be dropped")

NOBODY = "65534"


def config(port, server, *lines):
    more = "\n    ".join(lines)
    return f"""
    global
        nbthread 2
        {more}
    defaults
        mode tcp
        timeout connect 5s
        timeout client 20s
        timeout server 20s
    listen lb
        bind 127.0.0.1:{port}
        server s {server}
    """


@pytest.fixture
def jailed(fastlb, peer, port, directory):
    jail = directory / "jail"
    jail.mkdir(mode=0o755)
    lb = fastlb.start(config(port, peer("banner", "s"), "user nobody", "group nogroup", f"chroot {jail}"))
    assert who(("127.0.0.1", port)) == "s"
    lb.jail = jail
    return lb


def test_workers_have_no_identity_and_no_capability(jailed):
    for pid in jailed.workers():
        now = status(pid)
        assert now["Uid"].split() == [NOBODY] * 4
        assert now["Gid"].split() == [NOBODY] * 4
        assert now["Groups"].split() in ([], [NOBODY])
        assert {now[f"Cap{kind}"] for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {"0" * 16}
        assert now["NoNewPrivs"] == "1"
        assert now["Seccomp"] == "2"


def core_limits(pid):
    """Soft and hard limit of core files, as /proc shows them."""
    lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
    return next(line.split()[4:6] for line in lines if line.startswith("Max core file size"))


def test_set_dumpable_lets_a_worker_leave_a_core(fastlb, peer, port):
    lb = fastlb.start(config(port, peer("banner", "s"), "set-dumpable", "quiet"))
    assert lb.output() == ""
    hard = core_limits(lb.pid)[1]
    assert [core_limits(pid) for pid in lb.workers()] == [[hard, hard]] * 2


def test_workers_without_user_keep_no_capability_either(fastlb, peer, port):
    lb = fastlb.start(config(port, peer("banner", "s")))
    for pid in lb.workers():
        now = status(pid)
        assert {now[f"Cap{kind}"] for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {"0" * 16}
        assert (now["NoNewPrivs"], now["Seccomp"]) == ("1", "2")
    assert "root" in lb.output(), "the operator is told that workers run as root"


def test_no_way_out_of_the_jail(jailed):
    for pid in jailed.workers():
        assert Path(f"/proc/{pid}/root").readlink() == Path(f"/proc/{pid}/cwd").readlink() == jailed.jail
        open_files = [kind for kind in descriptors(pid) if kind.startswith("/")]
        assert [kind for kind in open_files if Path(kind).is_dir()] == []
        assert not {str(jailed.config_path), str(jailed.socket_path)} & set(open_files)


def test_limits_and_cores(jailed):
    for pid in jailed.workers():
        limits = Path(f"/proc/{pid}/limits").read_text()
        rows = {line[:26].strip(): line[26:].split() for line in limits.splitlines()[1:]}
        for name in ("Max core file size", "Max processes", *(() if jailed.sanitized() else ("Max file size",))):
            assert rows[name][:2] == ["0", "0"], name
        # The files of a process that is not dumpable belong to root (proc(5)).
        assert Path(f"/proc/{pid}/environ").stat().st_uid == 0


def test_replacement_is_dropped_too(jailed):
    victim = jailed.workers()[0]
    os.kill(victim, 9)
    new = jailed.wait_workers(2, without=[victim])[0]
    assert status(new)["Uid"].split() == [NOBODY] * 4
    assert status(new)["Seccomp"] == "2"


def test_master_keeps_a_handful_of_capabilities(jailed):
    now = status(jailed.pid)
    assert now["Uid"].split() == ["0"] * 4
    kept = int(now["CapEff"], 16)
    sys_admin, sys_ptrace, net_raw, sys_module = 21, 19, 13, 16
    assert not any(kept >> number & 1 for number in (sys_admin, sys_ptrace, net_raw, sys_module))


def test_control_socket_is_for_its_owner(jailed):
    assert jailed.socket_path.stat().st_mode & 0o777 == 0o600
    attempt = ["setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"]
    script = "import socket,sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
    words = [*attempt, "/usr/bin/python3", "-c", script, str(jailed.socket_path)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert "PermissionError" in done.stderr


def test_another_user_cannot_join_the_listening_port(jailed, port):
    """S5: SO_REUSEPORT groups are closed to other users; the sockets were made by root."""
    script = (
        "import socket; s=socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1);"
        f"s.bind(('127.0.0.1', {port})); s.listen()"
    )
    words = ["setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "/usr/bin/python3", "-c", script]
    done = subprocess.run(words, capture_output=True, text=True)
    assert "Address already in use" in done.stderr


def test_unix_bind_gets_its_owner_and_mode(fastlb, peer, directory):
    path, server = directory / "web.sock", peer("banner", "s")
    fastlb.start(f"""{BASE}
    listen lb
        bind {path} mode 660 user nobody group nogroup
        server s {server}
    """)
    found = path.stat()
    assert (found.st_mode & 0o777, found.st_uid, found.st_gid) == (0o660, 65534, 65534)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(path))
        assert sock.recv(2) == b"s\n"
