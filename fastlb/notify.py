"""Talking to systemd without its library: sd_notify(3), sd_watchdog_enabled(3), sd_listen_fds(3)."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import MutableMapping

_FIRST_INHERITED = 3


class Notifier:
    """Sends state to the service manager; without one it does nothing. Never blocks, never raises."""

    def __init__(self, environ: MutableMapping[str, str] = os.environ) -> None:
        path = environ.pop("NOTIFY_SOCKET", "")
        self._address = "\0" + path[1:] if path.startswith("@") else path
        self.watchdog_s = _watchdog_s(environ)

    def ready(self, status: str) -> None:
        """Started, or done with a reload, well or not: what runs serves."""
        self._send("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """A reload begins; systemd wants the time it began (Type=notify-reload)."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self, status: str) -> None:
        """The service ends."""
        self._send("STOPPING=1", f"STATUS={status}")

    def alive(self) -> None:
        """Feeds the watchdog."""
        self._send("WATCHDOG=1")

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.setblocking(False)
            try:
                sock.sendto("\n".join(line.replace("\n", " ") for line in lines).encode(), self._address)
            except OSError:
                return


def inherited_sockets(environ: MutableMapping[str, str] = os.environ) -> tuple[int, ...]:
    """Descriptors passed by socket activation, close-on-exec from now on. The variables are used up."""
    pid, count = environ.pop("LISTEN_PID", ""), environ.pop("LISTEN_FDS", "")
    environ.pop("LISTEN_FDNAMES", None)
    if pid != str(os.getpid()) or not count.isdigit():
        return ()
    found = tuple(range(_FIRST_INHERITED, _FIRST_INHERITED + int(count)))
    for fd in found:
        os.set_inheritable(fd, False)
    return found


def _watchdog_s(environ: MutableMapping[str, str]) -> float | None:
    """Half the watchdog's interval, in seconds, when it is meant for this process."""
    interval, pid = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
    if not interval.isdigit() or int(interval) == 0 or pid not in ("", str(os.getpid())):
        return None
    return int(interval) / 2_000_000
