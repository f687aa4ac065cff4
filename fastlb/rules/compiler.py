"""The rules of all proxies to one table. Every error is reported; the plan is then refused."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from fastlb.config.errors import ConfigError, Report, quote
from fastlb.config.logpieces import LogPiece
from fastlb.config.ruletree import Action, Assign, Condition, Piece, ProxyRules, Rule, Term, Test
from fastlb.config.suggest import did_you_mean
from fastlb.config.tree import Proxy, Said
from fastlb.rules.files import Files
from fastlb.rules.model import (
    EMPTY,
    RULE_ALWAYS,
    RULE_UNLESS,
    TERM_ENDS,
    TERM_NOT,
    VAR_CONDITIONS,
    BackendRules,
    FrontendRules,
    RuleSet,
    Verdict,
)
from fastlb.rules.patterns import Resolve
from fastlb.rules.samples import Names, TestCompiler
from fastlb.rules.table import Table

FindBackend = Callable[[Said[str]], int]
_VERDICTS = {
    Action.ACCEPT: Verdict.ACCEPT, Action.REJECT: Verdict.REJECT, Action.DROP: Verdict.DROP,
    Action.CLOSE: Verdict.CLOSE, Action.SET_VAR: Verdict.SET_VAR, Action.SET_FORMAT: Verdict.SET_FORMAT,
    Action.UNSET_VAR: Verdict.UNSET_VAR,
}  # fmt: skip


class RuleCompiler:
    """Compiles one proxy after the other; ``table()`` is then what their offsets refer to."""

    def __init__(self, names: Names, find_backend: FindBackend, resolve: Resolve, report: Report) -> None:
        self._table = Table()
        self._names = names
        self._find_backend = find_backend
        self._report = report
        self._files = Files(report)
        self._tests = TestCompiler(self._table, names, self._files, resolve, report)
        self._used = False
        self._done: dict[int, dict[str, RuleSet]] = {}
        self._reached: dict[str, set[int]] = {}

    def frontend(self, proxy: Proxy, own_backend: int) -> FrontendRules:
        """The rules of a proxy's client side; whether a session has to look is for the plan to say."""
        rules, sets = proxy.rules, self._sets(proxy)
        return FrontendRules(
            inspect_ms=rules.inspect_delay_ms,
            own_backend=own_backend,
            connection=sets["connection"],
            session=sets["session"],
            content=sets["content"],
            backends=sets["backends"],
            drops=_drops(rules),
            reaches=tuple(sorted(self._reached.get(proxy.name, ()))),
            digest=self._digest(proxy),
        )

    def backend(self, proxy: Proxy) -> BackendRules:
        """The rules of a proxy's server side."""
        sets = self._sets(proxy)
        return BackendRules(
            inspect_ms=proxy.rules.inspect_delay_ms,
            content=sets["content"],
            servers=sets["servers"],
            answer_ms=proxy.rules.answer_delay_ms,
            answer=sets["answer"],
            drops=_drops(proxy.rules),
            digest=self._digest(proxy),
        )

    def _digest(self, proxy: Proxy) -> str:
        """Of a section's lines, and of the files whose names stand in them."""
        if not proxy.rules.lines:
            return ""
        text = "\n".join(line.text for line in proxy.rules.lines)
        files = "".join(self._files.digest(name) for name in re.split(r"[\s(),]+", text))
        return hashlib.sha256(f"{text}\n{files}".encode("utf-8", "surrogateescape")).hexdigest()

    def shown(self, piece: LogPiece, proxy: Proxy) -> LogPiece:
        """A piece of a log line, with the place of its sample in the table, if it has one."""
        if piece.sample is None:
            return piece
        self._used = True
        try:
            return replace(piece, offset=self._table.words(*self._tests.sample(piece.sample, proxy.name)))
        except ConfigError as failure:
            self._report.caught(failure)
            return piece

    def table(self) -> bytes:
        """Empty when no proxy has a rule."""
        if not self._used:
            return b""
        return self._table.finish([name.encode("utf-8", "surrogateescape") for name in self._names.backends])

    def _sets(self, proxy: Proxy) -> dict[str, RuleSet]:
        """Each set of rules of a section; a ``listen`` is asked for twice and compiled once."""
        done = self._done.get(id(proxy))
        if done is None:
            section = _Section(proxy, self._table, self._tests, self._target, self._report)
            done = self._done[id(proxy)] = section.sets()
            self._used |= any(found.size for found in done.values())
        return done

    def _target(self, rule: Rule, proxy: Proxy, *, server: bool) -> int:
        word = rule.target
        assert word is not None
        if not server:
            target = self._find_backend(Said(word.text, word.location))
            self._reached.setdefault(proxy.name, set()).update([target] if target >= 0 else [])
            return max(target, 0)
        names = {line.name: f"{proxy.name}/{line.name}" for line in proxy.servers}
        if word.text not in names:
            message = f"{proxy.kind} {quote(proxy.name)} has no server {quote(word.text)}"
            raise ConfigError(word.location, message, did_you_mean(word.text, names))
        return self._names.servers.get(names[word.text], 0)  # 0: one that could not be planned, which is reported


def _drops(rules: ProxyRules) -> bool:
    sets = (rules.connection, rules.session, rules.content, rules.answer)
    return any(rule.action is Action.DROP for one in sets for rule in one)


class _Section:
    """The rules of one section."""

    def __init__(
        self, proxy: Proxy, table: Table, tests: TestCompiler, target: Callable[..., int], report: Report
    ) -> None:
        self._proxy = proxy
        self._table = table
        self._tests = tests
        self._target = target
        self._report = report
        self._acls = self._named(proxy.rules)

    def sets(self) -> dict[str, RuleSet]:
        rules = self._proxy.rules
        names = ("connection", "session", "content", "backends", "servers", "answer")
        return {name: self._set(getattr(rules, name), server=name == "servers") for name in names}

    def _named(self, rules: ProxyRules) -> Mapping[str, tuple[int, int]]:
        """(offset, count) of the tests of each ACL, whether a rule names it or not: all its errors are told."""
        tests: dict[str, list[Test]] = {}
        for acl in rules.acls:
            tests.setdefault(acl.name, []).append(acl.test)
        return {name: self._alternatives(found) for name, found in tests.items()}

    def _alternatives(self, tests: Sequence[Test]) -> tuple[int, int]:
        words: list[int] = []
        for test in tests:
            try:
                words += self._tests.test(test, self._proxy.name)
            except ConfigError as failure:
                self._report.caught(failure)
        return self._table.words(*words), len(tests)

    def _set(self, rules: Sequence[Rule], *, server: bool) -> RuleSet:
        if not rules:
            return EMPTY
        words: list[int] = []
        for rule in rules:
            try:
                words += self._rule(rule, server=server)
            except ConfigError as failure:
                self._report.caught(failure)
        return RuleSet(self._table.words(*words), len(rules))

    def _rule(self, rule: Rule, *, server: bool) -> tuple[int, ...]:
        """The words of a rule."""
        flags, terms, count = self._condition(rule.condition)
        if rule.pieces:
            pieces = [word for piece in rule.pieces for word in self._piece(piece)]
            return Verdict.USE_NAMED, flags, terms, count, self._table.words(*pieces), len(rule.pieces)
        if rule.assign is not None:
            return _VERDICTS[rule.action], flags, terms, count, self._table.words(*self._assign(rule.assign)), 0
        if rule.action is Action.USE:
            return Verdict.USE, flags, terms, count, self._target(rule, self._proxy, server=server), 0
        return _VERDICTS[rule.action], flags, terms, count, 0, 0

    def _assign(self, assign: Assign) -> tuple[int, ...]:
        """The words of a rule_assign."""
        flags = 0
        for condition in assign.conditions:
            flags |= VAR_CONDITIONS[condition]
        pieces = [word for piece in assign.pieces for word in self._piece(piece)]
        sample = self._tests.sample(assign.sample, self._proxy.name) if assign.sample else (0,) * 5
        return self._tests.variable(assign.variable), flags, self._table.words(*pieces), len(assign.pieces), *sample

    def _condition(self, condition: Condition | None) -> tuple[int, int, int]:
        """(flags of the rule, offset of its terms, how many)."""
        if condition is None:
            return RULE_ALWAYS, 0, 0
        words: list[int] = []
        for terms in condition.alternatives:
            for term in terms:
                words += self._term(term, last=term is terms[-1])
        return RULE_UNLESS if condition.unless else 0, self._table.words(*words), len(words) // 4

    def _term(self, term: Term, *, last: bool) -> tuple[int, int, int, int]:
        tests, count = self._alternatives([term.test]) if term.test else self._acls.get(term.name, (0, 0))
        return (TERM_NOT if term.negated else 0) | (TERM_ENDS if last else 0), tests, count, 0

    def _piece(self, piece: Piece) -> tuple[int, ...]:
        if piece.sample is None:
            return (*self._table.text(piece.text.encode("utf-8", "surrogateescape")), 0, 0, 0, 0, 0, 0)
        return 0, 0, 1, *self._tests.sample(piece.sample, self._proxy.name)
