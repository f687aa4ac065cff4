"""``log`` lines to numbered log targets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from fastlb.config.errors import Report, quote
from fastlb.config.suggest import did_you_mean
from fastlb.config.tree import LogGlobal, LogLine, RingLine, RingServer, RingTarget, StreamTarget
from fastlb.plan.model import Address, LogStream, LogTarget
from fastlb.plan.resolve import Resolver

_ALONE = "tcp@"


class LogTable:
    """Numbers the targets; equal ones share a number."""

    def __init__(
        self, global_logs: tuple[LogLine, ...], rings: tuple[RingLine, ...], resolver: Resolver, report: Report
    ) -> None:
        self._rings = {ring.name: ring for ring in rings}
        self._resolver = resolver
        self._report = report
        self._numbers: dict[LogTarget, int] = {}
        self._formats: list[str] = []
        self.global_logs = self.numbers(global_logs)

    def numbers(self, logs: tuple[LogLine | LogGlobal, ...] | tuple[LogLine, ...]) -> tuple[int, ...]:
        """The numbers of the targets of these lines, each once, in order."""
        found: dict[int, None] = {}
        for log in logs:
            if isinstance(log, LogGlobal):
                found.update(dict.fromkeys(self.global_logs))
            else:
                found.update((self._number(target), None) for target in self._targets(log))
        return tuple(found)

    def formats(self, numbers: tuple[int, ...]) -> list[str]:
        """The formats of these targets."""
        return [self._formats[number] for number in numbers]

    def targets(self) -> tuple[LogTarget, ...]:
        return tuple(self._numbers)

    def _number(self, target: LogTarget) -> int:
        number = self._numbers.setdefault(target, len(self._numbers))
        if number == len(self._formats):
            self._formats.append(target.format)
        return number

    def _targets(self, log: LogLine) -> Iterator[LogTarget]:
        """None where the address cannot be resolved, or the ring is not there, which is reported."""
        target = log.target
        if isinstance(target, RingTarget):
            yield from self._of_ring(log, target.name)
        elif isinstance(target, StreamTarget):
            server = RingServer(_ALONE, target.endpoint, log.location)
            yield from self._of_streams(log, RingLine(_ALONE, log.location, servers=(server,)))
        elif isinstance(target, str):
            yield _target(log, target)
        elif address := self._resolver.address(target, log.location):
            yield _target(log, address)

    def _of_ring(self, log: LogLine, name: str) -> Iterator[LogTarget]:
        ring = self._rings.get(name)
        if ring is None:
            hint = did_you_mean(name, self._rings)
            self._report.error(log.location, f"there is no section 'ring {name}' for {quote(f'ring@{name}')}", hint)
            return
        length = min(log.length or ring.maxlen, ring.maxlen)
        yield from self._of_streams(replace(log, length=length, format=log.format or ring.format), ring)

    def _of_streams(self, log: LogLine, ring: RingLine) -> Iterator[LogTarget]:
        for server in ring.servers:
            address = self._resolver.address(server.endpoint, server.location)
            if address is not None:
                name = f"tcp@{address}" if ring.name == _ALONE else f"server {server.name} of ring {ring.name}"
                yield _target(
                    log, LogStream(name, address, ring.size, ring.connect_ms, ring.server_ms, server.octet_count)
                )


def _target(log: LogLine, address: Address | LogStream | str) -> LogTarget:
    return LogTarget(
        address=address,
        format=log.format,
        facility=log.facility,
        max_level=log.max_level,
        min_level=log.min_level,
        length=log.length,
        sample=log.sample,
    )
