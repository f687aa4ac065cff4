"""``log`` lines to numbered log targets."""

from __future__ import annotations

from fastlb.config.errors import Report
from fastlb.config.tree import LogGlobal, LogLine
from fastlb.plan.model import LogTarget
from fastlb.plan.resolve import Resolver


class LogTable:
    """Numbers the targets; equal ones share a number."""

    def __init__(self, global_logs: tuple[LogLine, ...], resolver: Resolver, report: Report) -> None:
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
                target = self._target(log)
                if target is not None:
                    found[self._number(target)] = None
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

    def _target(self, log: LogLine) -> LogTarget | None:
        if isinstance(log.target, str):
            address = None
        else:
            address = self._resolver.address(log.target, log.location)
            if address is None:
                return None
        return LogTarget(
            address=str(log.target) if address is None else address,
            format=log.format,
            facility=log.facility,
            max_level=log.max_level,
            min_level=log.min_level,
            length=log.length,
            sample=log.sample,
        )
