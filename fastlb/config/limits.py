"""How much a configuration may contain: a mistake or an attack ends in a message, not in an exhausted host."""

from __future__ import annotations

from fastlb.config.errors import ConfigError, Location, Report

MAX_TEXT_BYTES = 8 << 20
MAX_STATEMENTS = 100_000
MAX_LOGS = 32
MAX_METRICS = 32
MAX_HTTP_CHECKS = 64
LIMITS = {
    "defaults sections": 4096,
    "frontends": 4096,
    "backends": 4096,
    "servers": 16384,
    "listening addresses": 8192,
    "rings": 256,
}


def check_logs(logs: int, where: Location) -> None:
    """Every message goes to every target of its section. Raises ConfigError when one more would be too many."""
    if logs >= MAX_LOGS:
        raise ConfigError(where, f"a section cannot have more than {MAX_LOGS} 'log' lines")


def check_http_checks(steps: int, where: Location) -> None:
    """Every check of the section's servers goes through all of them. Raises ConfigError as above."""
    if steps >= MAX_HTTP_CHECKS:
        raise ConfigError(where, f"a section cannot have more than {MAX_HTTP_CHECKS} 'http-check' steps")


class Counts:
    """Counts what has been read, all files together."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._counts = dict.fromkeys(LIMITS, 0)
        self._statements = 0

    def statement(self, where: Location) -> None:
        self._statements += 1
        if self._statements > MAX_STATEMENTS:
            self._report.fatal(where, f"the configuration has more than {MAX_STATEMENTS} statements")

    def add(self, what: str, number: int, where: Location) -> None:
        """Count ``number`` more. One line that is too much by itself is left out; too many lines end the loading."""
        limit = LIMITS[what]
        if number > limit:
            raise ConfigError(where, f"this makes {number} {what}; at most {limit} are allowed")
        self._counts[what] += number
        if self._counts[what] > limit:
            self._report.fatal(where, f"the configuration has more than {limit} {what}")
