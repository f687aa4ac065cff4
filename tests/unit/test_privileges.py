"""The privilege drop, each time in a forked child, judged by /proc and by what the kernel then refuses."""

import os
import resource
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import fastlb.worker  # noqa: F401 - it loads what a worker could not load later
from fastlb import linux, privileges, process, seccomp
from fastlb.privileges import Identity

NOBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
needs_seccomp = pytest.mark.skipif(not seccomp.supported(), reason="no table for this machine")


def in_child(check):
    """What ``check`` returns or raises, as text, from a forked child."""
    reader, writer = os.pipe()

    def child():
        try:
            text = repr(check())
        except Exception as error:
            text = f"{type(error).__name__}: {error}"
        os.write(writer, text.encode())
        return 0

    pid = process.fork(child)
    os.close(writer)
    with os.fdopen(reader) as stream:
        text = stream.read()
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return text or status


def facts():
    """The lines of /proc/self/status that matter, read before seccomp forbids it."""
    with Path("/proc/self/status").open() as stream:
        lines = dict(line.rstrip("\n").split(":\t", 1) for line in stream if ":\t" in line)
    return {
        name: lines[name] for name in ("Uid", "Gid", "Groups", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs")
    }


@needs_root
def test_nothing_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr(seccomp, "supported", lambda: False)

    def check():
        privileges.drop(Identity(NOBODY, NOBODY, ()))
        return facts()

    none = "0" * 16
    ids = "\t".join([str(NOBODY)] * 4)
    assert in_child(check) == repr(
        {"Uid": ids, "Gid": ids, "Groups": " ", "CapPrm": none, "CapEff": none, "CapBnd": none, "CapAmb": none}
        | {"NoNewPrivs": "1"}
    )


@needs_root
def test_what_usesrc_needs_survives_the_change_of_user(monkeypatch):
    """CAP_NET_RAW (13) and nothing else."""
    monkeypatch.setattr(seccomp, "supported", lambda: False)

    def check():
        privileges.drop(Identity(NOBODY, NOBODY, (), transparent=True))
        found = facts()
        return found["CapPrm"], found["CapEff"], found["CapBnd"], found["CapAmb"]

    assert in_child(check) == repr((f"{1 << 13:016x}", f"{1 << 13:016x}", "0" * 16, "0" * 16))


@needs_root
@needs_seccomp
@pytest.mark.parametrize(
    ("family", "kind"),
    [(socket.AF_INET, socket.SOCK_RAW), (socket.AF_PACKET, socket.SOCK_RAW), (socket.AF_PACKET, socket.SOCK_DGRAM),
     (socket.AF_INET, socket.SOCK_DGRAM)],
)  # fmt: skip
def test_what_usesrc_needs_is_good_for_nothing_else(family, kind):
    def check():
        privileges.drop(Identity(NOBODY, NOBODY, (), transparent=True))
        with socket.socket() as stream:
            stream.setsockopt(socket.IPPROTO_IP, socket.IP_TRANSPARENT, 1)
        socket.socket(family, kind, socket.IPPROTO_ICMP if kind == socket.SOCK_RAW else 0)

    assert in_child(check).startswith("PermissionError")


@needs_root
def test_root_without_a_user_keeps_no_capability():
    def check():
        privileges.drop(Identity())
        os.chown("/", 0, 0)

    assert "PermissionError" in in_child(check)


@needs_root
def test_chroot_is_entered(tmp_path, monkeypatch):
    monkeypatch.setattr(seccomp, "supported", lambda: False)
    (tmp_path / "inside").touch()
    tmp_path.chmod(0o755)

    def check():
        privileges.drop(Identity(NOBODY, NOBODY, (), str(tmp_path)))
        return [str(one) for one in Path("/").iterdir()], str(Path.cwd())

    assert in_child(check) == repr((["/inside"], "/"))


@needs_root
def test_a_missing_jail_is_named():
    text = in_child(lambda: privileges.drop(Identity(chroot="/no/such/jail")))
    assert text == "PrivilegeError: cannot chroot to /no/such/jail: No such file or directory"


def test_a_worker_of_nobody_in_particular_can_be_dropped_too():
    program = "from fastlb import privileges as p; p.drop(p.Identity()); print('dropped')"
    before = ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups"] if os.geteuid() == 0 else []
    found = subprocess.run([*before, sys.executable, "-c", program], capture_output=True, text=True, check=False)
    if "ModuleNotFoundError" in found.stderr or found.returncode in (126, 127):
        pytest.skip("this interpreter is not readable for other users")
    assert found.stdout == "dropped\n", found.stderr


def test_limits_are_zero(monkeypatch):
    monkeypatch.setattr(seccomp, "supported", lambda: False)

    def check():
        privileges.drop(Identity())
        names = (resource.RLIMIT_NPROC, resource.RLIMIT_CORE, resource.RLIMIT_FSIZE)
        return [resource.getrlimit(name) for name in names]

    assert in_child(check) == repr([(0, 0)] * 3)


@needs_seccomp
def test_what_a_worker_does_is_allowed():
    def check():
        listener = socket.create_server(("127.0.0.1", 0))
        privileges.drop(Identity())
        client = socket.socket()
        client.connect(listener.getsockname())
        served, _ = listener.accept()
        client.sendall(b"ping")
        reader, writer = os.pipe()
        moved = os.read(served.fileno(), 4)
        os.write(writer, moved)
        os.dup2(os.eventfd(0), reader)
        bytearray(64 << 20)
        return moved

    assert in_child(check) == repr(b"ping")


@needs_seccomp
@pytest.mark.parametrize("deed", [lambda: Path("/etc/passwd").read_text(), lambda: os.kill(1, 0), lambda: os.fork()])
def test_what_it_does_not_need_fails(deed):
    def check():
        privileges.drop(Identity())
        deed()

    assert "Error" in in_child(check)


@needs_seccomp
@pytest.mark.parametrize(
    "crime", [lambda: os.execv("/bin/true", ["true"]), lambda: os.chroot("/"), lambda: linux._libc.ptrace(0, 0, 0, 0)]
)
def test_what_only_an_intruder_would_do_kills(crime):
    def check():
        privileges.drop(Identity())
        crime()

    assert in_child(check) == -31  # SIGSYS


@needs_seccomp
@pytest.mark.parametrize(("command", "outcome"), [(2, "-1"), (3, "-1"), (0, -31), (5, -31), (8, -31)])
def test_bpf_maps_can_be_written_and_nothing_else(command, outcome):
    """Update and delete are answered (here: no such descriptor); to create, load or attach is deadly."""

    def check():
        privileges.drop(Identity(), bpf_maps=True)
        return linux._libc.syscall({"x86_64": 321, "aarch64": 280}[linux.machine()], command, bytes(128), 128)

    assert in_child(check) == outcome


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_is_well_formed(machine):
    program = seccomp.program(machine, 1)
    assert len(program) % 8 == 0
    assert len(program) // 8 < 4096
    assert len(set(seccomp._ALLOWED) & set(seccomp._KILLED)) == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="needs another user than root")
def test_only_root_may_change_user():
    assert "not started as root" in (privileges.refusal(Identity(uid=os.geteuid() + 1)) or "")


@needs_root
def test_the_master_keeps_what_it_needs():
    def check():
        privileges.lower_master()
        sets = linux.get_capabilities()
        return sets.permitted & ~privileges._MASTER_CAPABILITIES, sets.effective == sets.permitted

    assert in_child(check) == repr((0, True))
