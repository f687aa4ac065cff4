"""HAProxy's log formats (manual, section 4.2 ``log … format``): what precedes the text in a line.

    local     <134>Nov 22 21:03:51 fastlb[123]: text        (with a host name only if log-send-hostname is set)
    rfc3164   <134>Nov 22 21:03:51 host fastlb[123]: text
    rfc5424   <134>1 2026-11-22T21:03:51.788123+01:00 host fastlb 123 - - text     (the last dash: structured data)
    priority  <134>text
    short     <6>text                                        (systemd)
    timed     <6>2026-11-22T21:03:51.788123+01:00 text
    iso       2026-11-22T21:03:51.788123+01:00 text
    raw       text

Times are the local zone's. Pure functions: the event's time is an argument.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Sender:
    """Who speaks. ``hostname`` is what log-send-hostname says, or None; ``nodename`` is the machine's own."""

    tag: str
    pid: int
    hostname: str | None
    nodename: str


@functools.lru_cache(maxsize=8)
def syslog_time(second: int) -> str:
    """``Nov  3 21:03:51`` (RFC 3164, section 4.1.2)."""
    local = time.localtime(second)
    return f"{_MONTHS[local.tm_mon - 1]} {local.tm_mday:2d} {local.tm_hour:02d}:{local.tm_min:02d}:{local.tm_sec:02d}"


@functools.lru_cache(maxsize=8)
def _iso_parts(second: int) -> tuple[str, str]:
    local = time.localtime(second)
    zone = time.strftime("%z", local)
    return time.strftime("%Y-%m-%dT%H:%M:%S", local), f"{zone[:3]}:{zone[3:5]}"


def iso_time(time_us: int) -> str:
    """``2026-11-22T21:03:51.788123+01:00`` (RFC 3339)."""
    second, microsecond = divmod(time_us, 1_000_000)
    date, zone = _iso_parts(second)
    return f"{date}.{microsecond:06d}{zone}"


def _local(facility: int, level: int, time_us: int, sender: Sender) -> str:
    host = f"{sender.hostname} " if sender.hostname else ""
    return f"<{facility * 8 + level}>{syslog_time(time_us // 1_000_000)} {host}{sender.tag}[{sender.pid}]: "


def _rfc3164(facility: int, level: int, time_us: int, sender: Sender) -> str:
    host = sender.hostname or sender.nodename
    return f"<{facility * 8 + level}>{syslog_time(time_us // 1_000_000)} {host} {sender.tag}[{sender.pid}]: "


def _rfc5424(facility: int, level: int, time_us: int, sender: Sender) -> str:
    return f"<{facility * 8 + level}>1 {iso_time(time_us)} {sender.hostname or '-'} {sender.tag} {sender.pid} - "


def _priority(facility: int, level: int, time_us: int, sender: Sender) -> str:
    return f"<{facility * 8 + level}>"


def _short(facility: int, level: int, time_us: int, sender: Sender) -> str:
    return f"<{level}>"


def _timed(facility: int, level: int, time_us: int, sender: Sender) -> str:
    return f"<{level}>{iso_time(time_us)} "


def _iso(facility: int, level: int, time_us: int, sender: Sender) -> str:
    return f"{iso_time(time_us)} "


def _raw(facility: int, level: int, time_us: int, sender: Sender) -> str:
    return ""


HEADERS: dict[str, Callable[[int, int, int, Sender], str]] = {
    "local": _local,
    "rfc3164": _rfc3164,
    "rfc5424": _rfc5424,
    "priority": _priority,
    "short": _short,
    "timed": _timed,
    "iso": _iso,
    "raw": _raw,
}
"""format → header(facility, level, time_us, sender). That of rfc5424 ends before the structured data."""
