"""What has been read of a ``defaults``, ``frontend``, ``backend`` or ``listen`` section so far."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Flag
from typing import Any

from fastlb.config.args import Args
from fastlb.config.checktree import HttpComment, HttpStep
from fastlb.config.errors import Location, quote
from fastlb.config.limits import Counts, check_http_checks, check_logs
from fastlb.config.ruleline import RuleLines
from fastlb.config.ruletree import NO_RULES, Condition
from fastlb.config.tree import (
    NO_OPTIONS,
    BindLine,
    LogGlobal,
    LogLine,
    Proxy,
    Said,
    ServerLine,
    ServerOptions,
    Settings,
    merged_options,
)


class Side(Flag):
    """Which side of a proxy a section or a keyword has to do with."""

    FRONTEND = 1
    BACKEND = 2
    BOTH = 3


PLACES = {
    Side.FRONTEND: "a 'frontend' or 'listen' section",
    Side.BACKEND: "a 'backend' or 'listen' section",
    Side.BOTH: "one 'frontend', 'backend' or 'listen' section",
}
SIDES = {"defaults": Side.BOTH, "listen": Side.BOTH, "frontend": Side.FRONTEND, "backend": Side.BACKEND}


class ProxySection:
    """Collects one section. ``kind`` is its keyword, ``inherited`` what its ``defaults`` section says."""

    def __init__(self, kind: str, name: str, location: Location, inherited: Settings, counts: Counts) -> None:
        self.kind = kind
        self.name = name
        self.side = SIDES[kind]
        self.counts = counts
        self.binds: list[BindLine] = []
        self.servers: list[ServerLine] = []
        self.server_options = NO_OPTIONS
        self.exporter: Said[str] | None = None
        self.stats: Said[str] | None = None
        self.monitor: Said[str] | None = None
        self.monitor_fails: list[Said[Condition]] = []
        self.routes = False
        self.rules = RuleLines()
        self._location = location
        self._inherited = inherited
        self._values: dict[str, Said[Any]] = {}
        self._logs: list[LogLine | LogGlobal] = []
        self._no_log = False
        self._http_checks: list[HttpStep | HttpComment] = []

    @property
    def title(self) -> str:
        """For messages: ``frontend 'web'``."""
        return f"{self.kind} {quote(self.name)}" if self.name else self.kind

    def set(self, name: str, value: Any, args: Args) -> None:
        """Record a value at the end of a statement: nothing may follow, and the last one said counts."""
        args.end()
        self._values[name] = Said(value, args.value_location)

    def add_log(self, log: LogLine | LogGlobal) -> None:
        """Add a target to those above it, inherited ones included."""
        check_logs(len(self._logs) + (0 if self._no_log else len(self._inherited.logs)), log.location)
        self._logs.append(log)

    def clear_logs(self) -> None:
        """``no log``: forget the targets above, also the inherited ones."""
        self._logs.clear()
        self._no_log = True

    def add_server_options(self, options: ServerOptions) -> None:
        """``default-server`` lines add up, and apply to the servers below them."""
        self.server_options = merged_options(options, self.server_options)

    def add_http_check(self, step: HttpStep | HttpComment) -> None:
        """Steps of health checks over HTTP, in their order."""
        check_http_checks(len(self._http_checks), step.location)
        self._http_checks.append(step)

    def settings(self) -> Settings:
        """What it says; the rules are among it in ``defaults`` alone, which are for others."""
        return Settings(
            server_options=self.server_options,
            http_checks=tuple(self._http_checks),
            logs=tuple(self._logs),
            no_log=self._no_log,
            rules=self.rules.result() if self.kind == "defaults" else NO_RULES,
            **self._values,
        )

    def proxy(self, whole: bool = True) -> Proxy:
        """The section; ``whole``: there was nothing in it that is not supported."""
        return Proxy(
            kind=self.kind,
            name=self.name,
            location=self._location,
            own=self.settings(),
            inherited=self._inherited,
            binds=tuple(self.binds),
            servers=tuple(self.servers),
            exporter=self.exporter,
            stats=self.stats,
            monitor=self.monitor,
            monitor_fails=tuple(self.monitor_fails),
            whole=whole,
            routes=self.routes,
            rules=self.rules.result(),
        )


@dataclass(frozen=True, slots=True)
class ProxyKeyword:
    """One keyword. Said on the wrong side it is ignored with a warning as HAProxy does, or refused when ``strict``."""

    parse: Callable[[ProxySection, Args], None]
    side: Side = Side.BOTH
    strict: bool = False
    in_defaults: bool = True


def warn_wrong_side(section: ProxySection, side: Side, name: str, args: Args) -> None:
    """A keyword that belongs in another section is ignored with a warning, as HAProxy does."""
    args.report.warning(args.location, f"{name} is ignored in {section.title}: it belongs in {PLACES[side]}")
