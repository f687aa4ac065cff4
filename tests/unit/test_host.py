"""What the kernel says of the network, read from files like its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastlb import host


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A directory in the place of /proc/sys/net/ipv4."""
    monkeypatch.setattr(host, "_IPV4", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("span", "reserved", "count"),
    [("32768\t60999", "", 28232), ("100 119", "105,110-111", 17), ("100 119", "90-101,119-130,500", 17)],
)
def test_ephemeral_ports(settings: Path, span: str, reserved: str, count: int) -> None:
    (settings / "ip_local_port_range").write_text(f"{span}\n")
    (settings / "ip_local_reserved_ports").write_text(f"{reserved}\n")
    assert host.ephemeral_ports() == count


@pytest.mark.parametrize(("reuse", "far", "near"), [("0", 60, 60), ("1", 1, 1), ("2", 60, 1)])
def test_time_wait(settings: Path, reuse: str, far: float, near: float) -> None:
    (settings / "tcp_tw_reuse").write_text(f"{reuse}\n")
    assert (host.time_wait_s(loopback=False), host.time_wait_s(loopback=True)) == (far, near)


def test_listen_counters(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    table = tmp_path / "netstat"
    monkeypatch.setattr(host, "_NETSTAT", table)
    assert host.listen_counters() == (0, 0)
    table.write_text(
        "TcpExt: SyncookiesSent ListenOverflows ListenDrops\nTcpExt: 1 22 333\nIpExt: InNoRoutes\nIpExt: 4\n"
    )
    assert host.listen_counters() == (22, 333)
