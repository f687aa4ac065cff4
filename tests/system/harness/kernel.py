"""What a test does to the kernel of its own network namespace: settings, packets that are dropped, links that break."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .netns import ip

Program = list[tuple[int, int, int, int]]
LOAD_RANDOM = 4294963256  # SKF_AD_OFF + SKF_AD_RANDOM (linux/filter.h)
DROP, PASS = (6, 0, 0, 2), (6, 0, 0, 0)  # TC_ACT_SHOT, and "no match"


def setting(name: str, value: str) -> None:
    """``setting("net.ipv4.ip_local_port_range", "40000 40019")``, in this namespace."""
    subprocess.run(["sysctl", "-qw", f"{name}={value}"], check=True)


def settings(**values: int) -> None:
    """Settings of net.ipv4 by their last word."""
    for name, value in values.items():
        setting(f"net.ipv4.{name}", str(value))


def lose(share: float, device: str = "lo") -> None:
    """Drop that share of all IPv4 packets, at random."""
    _filter(device, [(32, 0, 0, LOAD_RANDOM), (53, 1, 0, int(share * 2**32)), DROP, PASS])


def swallow_syns(port: int, device: str = "lo") -> None:
    """Drop every packet that wants to open a connection to ``port`` (IPv4 without options)."""
    _filter(device, [(40, 0, 0, 36), (21, 0, 3, port), (48, 0, 0, 47), (69, 0, 1, 2), DROP, PASS])


def _filter(device: str, program: Program) -> None:
    """A classic BPF program on what arrives at ``device``; the layer 2 header is part of what it sees."""
    words = ",".join([str(len(program)), *(" ".join(map(str, line)) for line in program)])
    subprocess.run(["tc", "qdisc", "add", "dev", device, "clsact"], check=True)
    command = f"filter add dev {device} ingress protocol ip bpf da bytecode".split()
    subprocess.run(["tc", *command, words], check=True)


@contextmanager
def link_down(device: str) -> Iterator[None]:
    """The body runs while ``device`` is down."""
    ip("link", "set", device, "down")
    try:
        yield
    finally:
        ip("link", "set", device, "up")


def tcp_states(port: int) -> dict[str, int]:
    """How many IPv4 sockets with this remote port are in which state ("06" is TIME_WAIT, "01" established)."""
    found: dict[str, int] = {}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        if words[2].endswith(f":{port:04X}"):
            found[words[3]] = found.get(words[3], 0) + 1
    return found


def time_waits(port: int) -> int:
    """Sockets in TIME_WAIT towards this port: ports that our side cannot use."""
    return tcp_states(port).get("06", 0)
