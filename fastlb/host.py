"""What the kernel says of this machine's network (of this network namespace): counters, and the ephemeral ports."""

from __future__ import annotations

from pathlib import Path

_NETSTAT = Path("/proc/net/netstat")
_IPV4 = Path("/proc/sys/net/ipv4")
TIME_WAIT_S = 60.0  # TCP_TIMEWAIT_LEN, which no setting changes
_REUSE_S = 1.0  # from which age on tcp_tw_reuse gives such a port away


def listen_counters() -> tuple[int, int]:
    """(ListenOverflows, ListenDrops) of all listening sockets together, (0, 0) where the kernel does not tell."""
    try:
        lines = _NETSTAT.read_text().splitlines()
    except OSError:
        return 0, 0
    found: dict[str, str] = {}
    for names, values in zip(lines[::2], lines[1::2], strict=False):
        found |= dict(zip(names.split(), values.split(), strict=False))
    return int(found.get("ListenOverflows", 0)), int(found.get("ListenDrops", 0))


def ephemeral_ports() -> int:
    """How many connections there can be to one address: ip_local_port_range less ip_local_reserved_ports."""
    low, high = map(int, _setting("ip_local_port_range", "32768 60999").split())
    reserved = (span.partition("-") for span in _setting("ip_local_reserved_ports", "").split(",") if span)
    spans = ((int(first), int(last or first)) for first, _, last in reserved)
    return high - low + 1 - sum(max(0, min(last, high) - max(first, low) + 1) for first, last in spans)


def time_wait_s(loopback: bool) -> float:
    """For how long a port in TIME_WAIT cannot be used again (ip-sysctl: tcp_tw_reuse 1 always, 2 on loopback)."""
    reuse = _setting("tcp_tw_reuse", "0")
    return _REUSE_S if reuse == "1" or (reuse == "2" and loopback) else TIME_WAIT_S


def _setting(name: str, otherwise: str) -> str:
    try:
        return (_IPV4 / name).read_text().strip()
    except OSError:
        return otherwise
