"""All listening sockets of the service. The master opens them, workers borrow them, and only a reload that removes
their bind closes them.

A TCP bind has one SO_REUSEPORT socket for each worker slot it ever had: closing one would reset what waits in its queue
(P1), so they stay when the number of workers shrinks. Unix sockets, inherited ones and wide port ranges have a single
socket that all workers share.
"""

from __future__ import annotations

import contextlib
import socket
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fastlb import arrivals, inherit, sockets, steering
from fastlb.plan.model import LOCAL, Address, Bind, Plan

WIDE_RANGE = 64  # ports in one range from which on a socket for each worker would cost more than it gives
SETTLE_S = 0.5
DEFERRED_SETTLE_S = 1.5  # the kernel turns to a deferred handshake again 1 s after it began
_SOMAXCONN = Path("/proc/sys/net/core/somaxconn")


@dataclass(frozen=True, slots=True)
class Listener:
    """One listening socket. ``number`` is never used again; ``slot`` is the worker slot it was made for."""

    number: int
    key: str
    slot: int
    shared: bool
    sock: socket.socket
    address: Address
    inode: int = 0


@dataclass(slots=True)
class Change:
    """What a plan needs that is not there yet, and the keys of what it needs no more."""

    opened: list[Listener] = field(default_factory=list)
    closed_keys: set[str] = field(default_factory=set)


class Listeners:
    """The sockets by the key of their bind."""

    def __init__(self, inherited: Sequence[int] = ()) -> None:
        self._by_key: dict[str, list[Listener]] = {}
        self._next = 1
        self._inherited = {fd: _inherited_address(fd) for fd in inherited}

    def all(self) -> list[Listener]:
        """Every socket, in the order they were made."""
        return sorted((one for group in self._by_key.values() for one in group), key=lambda one: one.number)

    def prepare(self, plan: Plan, workers: int, *, sharing: bool = False) -> Change:
        """Opens what is missing, for ``workers`` slots. Raises BindError, and then nothing is left open.

        ``sharing``: another process may listen there, too, whose place is taken.
        """
        change = Change(closed_keys=self._by_key.keys() - {bind.key for bind in plan.binds})
        wide = _wide(plan.binds)
        try:
            for bind in plan.binds:
                self._open_missing(bind, workers, bind.location in wide, change, sharing)
        except BaseException:
            self.abandon(change)
            raise
        return change

    def objections(self, plan: Plan) -> list[str]:
        """Why addresses that are not there yet cannot be had now. It listens nowhere: nobody connects by mistake."""
        found = []
        for bind in plan.binds:
            if bind.key in self._by_key or self._passed(bind) is not None or self._ours(bind.address.port, Change()):
                continue
            try:
                sockets.probe(bind)
            except sockets.BindError as error:
                found.append(str(error))
        return found

    def adopt(self, change: Change) -> None:
        """Makes the opened sockets part of the service."""
        for listener in change.opened:
            self._by_key.setdefault(listener.key, []).append(listener)

    def refresh(self, plan: Plan) -> None:
        """Applies what a plan says of sockets that stay: when to accept, how many may wait, who may use a
        path, what accepted connections inherit."""
        for bind in plan.binds:
            for listener in self._by_key.get(bind.key, ()):
                if listener.sock.family != socket.AF_UNIX:
                    arrivals.set_conditions(listener.sock, bind)
                    with contextlib.suppress(OSError):  # of an algorithm that is gone, when nothing may fail any more
                        inherit.set_options(listener.sock, bind)
                listener.sock.listen(bind.backlog)
            if bind.address.family == "unix" and bind.inherited_fd is None:
                with contextlib.suppress(OSError):
                    sockets.set_access(bind, bind.address.host)

    def abandon(self, change: Change) -> None:
        """Closes what ``prepare`` opened."""
        for listener in change.opened:
            _close(listener)
        change.opened.clear()

    def steer(self, program: bytes | None) -> None:
        """Has ``program``, or without one the kernel's hash, choose among the sockets of each bind. Raises OSError."""
        for group in self._by_key.values():
            if not group[0].shared:
                if program is None:
                    steering.detach(group[0].sock)
                else:
                    steering.attach(group[0].sock, program)

    def hush(self, keys: Iterable[str]) -> float:
        """Has nobody new arrive at these sockets, which are about to be closed; what arrived is still accepted.

        Returns how many seconds are time enough for handshakes under way; 0 when there are no sockets.
        """
        settle_s = 0.0
        for listener in [one for key in keys for one in self._by_key.get(key, ())]:
            settle_s = max(settle_s, SETTLE_S)
            if listener.inode:
                sockets.unlink_if_same(listener.address.host, listener.inode)
            elif listener.sock.family != socket.AF_UNIX and not self._is_inherited(listener):
                arrivals.refuse_newcomers(listener.sock)
                settle_s = max(settle_s, DEFERRED_SETTLE_S * arrivals.stop_deferring(listener.sock))
        return settle_s

    def keys(self) -> set[str]:
        """The keys of all binds."""
        return set(self._by_key)

    def retire(self, change: Change) -> int:
        """Closes the sockets of removed binds, which workers may still have; returns how many."""
        gone = [listener for key in change.closed_keys for listener in self._by_key.pop(key, ())]
        for listener in gone:
            _close(listener)
        return len(gone)

    def close(self) -> None:
        """Closes everything, at the end of the service."""
        for listener in self.all():
            _close(listener)
        self._by_key.clear()

    def unused(self, plan: Plan) -> list[Address]:
        """Inherited sockets that no bind of ``plan`` uses."""
        named = {bind.inherited_fd for bind in plan.binds}
        used = {listener.address for listener in self.all()}
        return [
            address
            for fd, address in self._inherited.items()
            if fd not in named and not any(_answers(address, one) for one in used)
        ]

    def _open_missing(self, bind: Bind, workers: int, wide: bool, change: Change, sharing: bool) -> None:
        have = self._by_key.get(bind.key, [])
        if have and (have[0].shared or len(have) >= workers):
            return
        passed = self._passed(bind)
        if passed is not None:
            self._add(change, bind, 0, sockets.take_over(bind, passed), shared=True)
        elif bind.address.family in LOCAL:
            self._add(change, bind, 0, sockets.open_unix(bind, replace=sharing), shared=True)
        else:
            if not have and not sharing and not self._ours(bind.address.port, change):
                sockets.probe(bind)
            for slot in (0,) if wide else range(len(have), workers):
                self._add(change, bind, slot, sockets.open_tcp(bind, reuseport=not wide), shared=wide)

    def _is_inherited(self, listener: Listener) -> bool:
        return any(_answers(address, listener.address) for address in self._inherited.values())

    def _passed(self, bind: Bind) -> int | None:
        if bind.inherited_fd is not None:
            return bind.inherited_fd
        return next((fd for fd, address in self._inherited.items() if _answers(address, bind.address)), None)

    def _ours(self, port: int, change: Change) -> bool:
        """Whether a socket of ours has that port: the probe could not tell it from a foreign one."""
        return any(one.address.port == port for one in [*self.all(), *change.opened] if one.address.port)

    def _add(self, change: Change, bind: Bind, slot: int, sock: socket.socket, *, shared: bool) -> None:
        inode = 0
        if bind.address.family == "unix" and bind.inherited_fd is None:
            inode = Path(bind.address.host).stat().st_ino
        change.opened.append(Listener(self._next, bind.key, slot, shared, sock, bind.address, inode))
        self._next += 1


def queue_warning(plan: Plan) -> str | None:
    """Said once: the kernel cuts every backlog to ``somaxconn``."""
    wanted = max((bind.backlog for bind in plan.binds), default=0)
    try:
        limit = int(_SOMAXCONN.read_text())
    except (OSError, ValueError):
        return None
    if limit >= wanted:
        return None
    return f"net.core.somaxconn is {limit}: the queue of a listening socket is cut to it from {wanted} (see sysctl)"


def _wide(binds: Iterable[Bind]) -> set[object]:
    counts = Counter(bind.location for bind in binds)
    return {location for location, count in counts.items() if count > WIDE_RANGE}


def _inherited_address(fd: int) -> Address:
    sock = socket.socket(fileno=fd)
    try:
        return sockets.address_of(sock)
    finally:
        sock.detach()


def _answers(passed: Address, wanted: Address) -> bool:
    """Whether a passed socket does for a bind; systemd's ``ListenStream=80`` is ``[::]:80`` for both families, and its
    ``ListenStream=@name`` has no zeros behind the name."""
    family, host = {"::": ("inet", "0.0.0.0")}.get(passed.host, (passed.family, passed.host))
    return wanted in (passed, Address("abstract" if family == "exact" else family, host, passed.port))


def _close(listener: Listener) -> None:
    listener.sock.close()
    if listener.inode:
        sockets.unlink_if_same(listener.address.host, listener.inode)
