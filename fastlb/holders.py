"""Who listens on a port: read from /proc for the text of an error, so that nobody has to look for it at 3 a.m."""

from __future__ import annotations

import os
from pathlib import Path

from fastlb.plan.model import Address

_LISTEN = "0A"


def listening_on(address: Address) -> str:
    """``nginx (pid 1234)`` for the processes that listen on this port, as far as we may see; else an empty string."""
    inodes = {inode for table in ("tcp", "tcp6") for inode in _listeners(Path("/proc/net") / table, address.port)}
    if not inodes:
        return ""
    return ", ".join(_holders({f"socket:[{inode}]" for inode in inodes}))


def _listeners(table: Path, port: int) -> list[str]:
    try:
        lines = table.read_text().splitlines()[1:]
    except OSError:
        return []
    rows = (line.split() for line in lines)
    return [row[9] for row in rows if row[3] == _LISTEN and int(row[1].rpartition(":")[2], 16) == port]


def _holders(wanted: set[str]) -> list[str]:
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid() and _holds(process, wanted):
            found.append(f"{_name(process)} (pid {process.name})")
    return found[:3]


def _holds(process: Path, wanted: set[str]) -> bool:
    try:
        return any(str(fd.readlink()) in wanted for fd in (process / "fd").iterdir())
    except OSError:
        return False


def _name(process: Path) -> str:
    try:
        return (process / "comm").read_text().strip()
    except OSError:
        return "a process"
