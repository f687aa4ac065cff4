"""``monitor-uri`` and ``monitor fail`` (HAProxy manual, section 4.2): what probes of the balancer are answered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fastlb.config.errors import ConfigError, Location, Report, quote
from fastlb.config.ruletree import Condition, Kind, Part, Term, Test
from fastlb.config.suggest import did_you_mean
from fastlb.config.tree import Proxy
from fastlb.rules.patterns import numbers

OF_BACKEND = ("nbsrv", "be_conn", "queue")
OF_SERVER = ("srv_is_up", "srv_conn", "srv_queue")
CONSTANT = ("always_true", "always_false")


@dataclass(frozen=True, slots=True)
class Question:
    """One term: a sample of backend or server ``index``, and the ranges of which one must have its value."""

    sample: str
    index: int
    ranges: tuple[tuple[int, int], ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Failing:
    """The condition of one ``monitor fail``: any of the alternatives, each of which needs all of its questions.

    A question is a tuple of ways to say yes: an acl may have several lines.
    """

    unless: bool
    alternatives: tuple[tuple[tuple[Question, ...], ...], ...]


@dataclass(frozen=True, slots=True)
class Monitor:
    """``path`` is answered 200, or 503 while any of ``fails`` holds."""

    path: str
    fails: tuple[Failing, ...] = ()


class MonitorPlanner:
    """``backends`` and ``servers`` are the numbers of the plan, servers by ``backend/server``."""

    def __init__(self, backends: Mapping[str, int], servers: Mapping[str, int], report: Report) -> None:
        self._backends = backends
        self._servers = servers
        self._report = report

    def monitor(self, proxy: Proxy) -> Monitor | None:
        """What a section answers, None where it has no ``monitor-uri``. Errors are reported."""
        if proxy.monitor is None:
            return None
        fails = []
        for said in proxy.monitor_fails:
            try:
                fails.append(self._failing(said.value, proxy, said.location))
            except ConfigError as failure:
                self._report.caught(failure)
        return Monitor(proxy.monitor.value, tuple(fails))

    def _failing(self, condition: Condition, proxy: Proxy, where: Location) -> Failing:
        return Failing(
            condition.unless,
            tuple(
                tuple(tuple(self._questions(term, proxy, where)) for term in terms) for terms in condition.alternatives
            ),
        )

    def _questions(self, term: Term, proxy: Proxy, where: Location) -> Iterator[Question]:
        tests = [term.test] if term.test else [acl.test for acl in proxy.rules.acls if acl.name == term.name]
        for test in tests:
            yield self._question(test, term.negated, where)

    def _question(self, test: Test, negated: bool, where: Location) -> Question:
        fetch = test.sample.fetch
        if fetch.name not in (*OF_BACKEND, *OF_SERVER, *CONSTANT) or test.sample.converters or test.files:
            hint = f"it may ask for {', '.join((*OF_BACKEND, *OF_SERVER))}"
            raise ConfigError(where, f"{quote(fetch.name)} cannot be asked for by 'monitor fail'", hint)
        index = 0 if fetch.name in CONSTANT else self._index(fetch, where)
        if test.sample.kind is Kind.BOOL:
            return Question(fetch.name, index, ((1, 1),), negated)
        return Question(fetch.name, index, tuple(numbers(list(test.patterns), Kind.INTEGER)), negated)

    def _index(self, fetch: Part, where: Location) -> int:
        known = self._servers if fetch.name in OF_SERVER else self._backends
        what = "server" if fetch.name in OF_SERVER else "backend"
        if not fetch.arguments:
            raise ConfigError(where, f"{quote(fetch.name)} needs the name of a backend here")
        if fetch.arguments[0] not in known:
            message = f"there is no {what} {quote(fetch.arguments[0])} for {quote(fetch.name)}"
            raise ConfigError(where, message, did_you_mean(fetch.arguments[0], known))
        return known[fetch.arguments[0]]
