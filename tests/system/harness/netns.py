"""A network of one's own: the test, its servers and the balancer move into a fresh network namespace together."""

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .environment import without_preload

CLONE_NEWNET = 0x40000000
CAP_NET_ADMIN, CAP_SYS_ADMIN = 12, 21
_libc = ctypes.CDLL(None, use_errno=True)


def unavailable() -> str | None:
    """Why this process cannot make a namespace, or None (capabilities(7))."""
    status = Path("/proc/self/status").read_text()
    effective = int(status.partition("CapEff:")[2].split()[0], 16)
    needed = 1 << CAP_SYS_ADMIN | 1 << CAP_NET_ADMIN
    if effective & needed != needed:
        return "needs CAP_SYS_ADMIN and CAP_NET_ADMIN (root) for a network namespace of its own"
    return None if shutil.which("tc") else "needs ip and tc (iproute2)"


@contextmanager
def fresh() -> Iterator[None]:
    """Run the body in a new network namespace with ``lo`` up; processes started meanwhile stay inside it."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _checked(_libc.unshare(CLONE_NEWNET))
        try:
            ip("link", "set", "lo", "up")
            Path("/proc/sys/net/ipv4/tcp_tw_reuse").write_text("0")
            yield
        finally:
            _checked(_libc.setns(home, CLONE_NEWNET))
    finally:
        os.close(home)


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, env=without_preload())


@contextmanager
def vanished(port: int) -> Iterator[None]:
    """While the body runs, no packet from or to this TCP port arrives anywhere, and nobody is told (tc-bpf(8)).

    For a namespace of one's own. The program: drop when the source or the destination port is this one.
    """
    device = ("dev", "lo", "ingress", "prio", str(port), "protocol", "ip", "bpf")
    tc("qdisc", "replace", "dev", "lo", "clsact")
    tc("filter", "add", *device, "da", "bytecode", f"6,40 0 0 34,21 2 0 {port},40 0 0 36,21 0 1 {port},6 0 0 2,6 0 0 0")
    try:
        yield
    finally:
        tc("filter", "del", *device)


def tc(*words: str) -> None:
    subprocess.run(["tc", *words], check=True, env=without_preload())


def ip_in(pid: int, *words: str) -> None:
    """The same in the namespace that ``pid`` lives in."""
    subprocess.run(["nsenter", f"--net=/proc/{pid}/ns/net", "ip", *words], check=True, env=without_preload())


@contextmanager
def inside(pid: int) -> Iterator[None]:
    """Run the body in the namespace that ``pid`` lives in: sockets that are made meanwhile stay inside it."""
    home, other = (os.open(f"/proc/{who}/ns/net", os.O_RDONLY | os.O_CLOEXEC) for who in ("thread-self", pid))
    try:
        _checked(_libc.setns(other, CLONE_NEWNET))
        yield
    finally:
        _checked(_libc.setns(home, CLONE_NEWNET))
        os.close(home)
        os.close(other)


def neighbour(pid: int, device: str, network: str) -> None:
    """A link from here (``network.1``) to the namespace of ``pid`` (``network.2``), which sends everything this way."""
    ip("link", "add", device, "type", "veth", "peer", "name", "home", "netns", str(pid))
    ip("address", "add", f"{network}.1/24", "dev", device)
    ip("link", "set", device, "up")
    ip_in(pid, "address", "add", f"{network}.2/24", "dev", "home")
    ip_in(pid, "link", "set", "home", "up")
    ip_in(pid, "route", "add", "default", "via", f"{network}.1")


def counters() -> dict[str, int]:
    """TcpExt counters of this namespace (nstat names without prefix), e.g. ListenOverflows, TCPAbortOnData."""
    names, values = (line.split()[1:] for line in Path("/proc/net/netstat").read_text().splitlines()[:2])
    return {name: int(value) for name, value in zip(names, values, strict=True)}


def tcp_counters() -> dict[str, int]:
    """Counters of TCP itself in this namespace, e.g. RetransSegs, OutRsts, AttemptFails."""
    names, values = (
        line.split()[1:] for line in Path("/proc/net/snmp").read_text().splitlines() if line.startswith("Tcp:")
    )
    return {name: int(value) for name, value in zip(names, values, strict=True)}


def _checked(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
