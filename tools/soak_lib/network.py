"""A network of the soak's own, and packets that get lost in it (tc-bpf(8), classic bytecode at the ingress of lo)."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DROP = 2  # TC_ACT_SHOT


def prepare() -> None:
    """In a fresh namespace: the place where filters go, and short queues of datagrams, so that a stuck log is felt."""
    tc("qdisc", "add", "dev", "lo", "clsact")
    Path("/proc/sys/net/unix/max_dgram_qlen").write_text("10")


@contextmanager
def filtered(program: str) -> Iterator[None]:
    """Drops what the program selects while the body runs."""
    where = ["dev", "lo", "ingress", "pref", "10"]
    tc("filter", "add", *where, "protocol", "ip", "bpf", "da", "bytecode", program)
    try:
        yield
    finally:
        tc("filter", "del", *where)


def loss(share: float) -> str:
    """A share of all packets, at random: ld rand; jge share → pass; drop."""
    return f"4,32 0 0 4294963256,53 1 0 {round(share * 2**32)},6 0 0 {DROP},6 0 0 0"


def connects_to(port: int) -> str:
    """SYNs to a port: nobody there answers, what is established goes on."""
    return f"6,40 0 0 36,21 0 3 {port},48 0 0 47,69 0 1 2,6 0 0 {DROP},6 0 0 0"


def everything_at(port: int) -> str:
    """All packets to and from a port."""
    return f"6,40 0 0 36,21 2 0 {port},40 0 0 34,21 0 1 {port},6 0 0 {DROP},6 0 0 0"


def tc(*words: str) -> None:
    subprocess.run(["tc", *words], check=True)
