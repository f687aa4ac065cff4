"""One ``log`` line of the configuration, ready to write to: filter, format, length, and the sink behind it."""

from __future__ import annotations

from dataclasses import dataclass

from fastlb.logs.formats import HEADERS, Sender
from fastlb.logs.sampling import Sampler
from fastlb.logs.sink import Sink
from fastlb.plan.model import LogTarget


@dataclass(frozen=True, slots=True)
class Target:
    log: LogTarget
    sink: Sink
    sender: Sender
    sampler: Sampler | None = None

    @property
    def on_screen(self) -> bool:
        """Is it where an operator in the foreground looks?"""
        return isinstance(self.log.address, str)

    def write(self, level: int, time_us: int, text: bytes, data: bytes = b"") -> bool:
        """Write one line whose text is escaped already. False if it is not wanted here.

        A line has at most ``length`` bytes, header included, and the line feed after them. ``data`` is the structured
        data of RFC 5424, which only a target in that format shows.
        """
        log = self.log
        if self.sampler is not None and not self.sampler.take():
            return False
        if level > log.max_level:
            return False
        header = HEADERS[log.format](log.facility, max(level, log.min_level), time_us, self.sender)
        if log.format == "rfc5424":
            text = (data or b"-") + b" " + text
        self.sink.write((header.encode("ascii", "replace") + text)[: log.length] + b"\n")
        return True
