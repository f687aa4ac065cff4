"""The rules of all proxies to one table. Every error is reported; the plan is then refused."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from fastlb.config.errors import ConfigError, Report, quote
from fastlb.config.logpieces import LogPiece
from fastlb.config.ruletree import Action, Assign, Condition, Piece, ProxyRules, Rule, Sample, Term, Test
from fastlb.config.suggest import did_you_mean
from fastlb.config.tree import Proxy, Said
from fastlb.rules.converters import encoded
from fastlb.rules.files import Files
from fastlb.rules.model import (
    CAPTURE_SHIFT,
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
from fastlb.rules.samples import Names, TestCompiler, captured
from fastlb.rules.table import Table
from fastlb.rules.tables import rule_words

_SETS = (
    "connection", "session", "content", "backends", "servers", "answer", "sticks", "forces", "switches", "stores",
)  # fmt: skip
RULE_WORDS = 8
FindBackend = Callable[[Said[str]], int]
_VERDICTS: dict[Action, Verdict] = {action: Verdict[action.name] for action in Action if action is not Action.USE}
_PRIORITIES = (Action.SET_CLASS, Action.SET_OFFSET)


class RuleCompiler:
    """Compiles one proxy after the other; ``table()`` is then what their offsets refer to."""

    def __init__(self, names: Names, find_backend: FindBackend, resolve: Resolve, files: Files, report: Report) -> None:
        self._table = Table()
        self._names = names
        self._find_backend = find_backend
        self._report = report
        self._files = files
        self._tests = TestCompiler(self._table, names, self._files, resolve, report)
        self._used = False
        self._names_servers = False
        self.prioritizes = False
        self._done: dict[int, dict[str, RuleSet]] = {}
        self._reached: dict[str, set[int]] = {}

    def frontend(self, proxy: Proxy, own_backend: int) -> FrontendRules:
        """The rules of a proxy's client side; whether a session has to look is for the plan to say."""
        sets, inherited = self._sets(proxy), proxy.inherited.rules
        return FrontendRules(
            inspect_ms=proxy.rules.inspect_delay_ms or inherited.inspect_delay_ms,
            own_backend=own_backend,
            connection=sets["connection"],
            session=sets["session"],
            content=sets["content"],
            backends=sets["backends"],
            switches=sets["switches"],
            drops=_drops(proxy.rules) or _drops(inherited),
            reaches=tuple(sorted(self._reached.get(proxy.name, ()))),
            digest=self._digest(proxy),
        )

    def backend(self, proxy: Proxy, hashed: Sample | None, cookie: str) -> BackendRules:
        """The rules of a proxy's server side, the sample that it is balanced by, and the cookie of ``persist``."""
        sets, inherited = self._sets(proxy), proxy.inherited.rules
        return BackendRules(
            inspect_ms=proxy.rules.inspect_delay_ms or inherited.inspect_delay_ms,
            hashed=self._sample(hashed, proxy) if hashed else 0,
            cookie=self._cookie(cookie) if cookie else EMPTY,
            content=sets["content"],
            servers=sets["servers"],
            sticks=sets["sticks"],
            forces=sets["forces"],
            stores=sets["stores"],
            answer_ms=proxy.rules.answer_delay_ms or inherited.answer_delay_ms,
            answer=sets["answer"],
            drops=_drops(proxy.rules) or _drops(inherited),
            digest=self._digest(proxy),
        )

    def _cookie(self, name: str) -> RuleSet:
        self._used = True
        return RuleSet(*self._table.text(encoded(name)))

    def _sample(self, sample: Sample, proxy: Proxy) -> int:
        self._used = True
        try:
            return self._table.words(*self._tests.sample(sample, proxy.name))
        except ConfigError as failure:
            self._report.caught(failure)
            return 0

    def _digest(self, proxy: Proxy) -> str:
        """Of a section's lines, and of the files whose names stand in them."""
        lines = (*proxy.inherited.rules.lines, *proxy.rules.lines)
        if not lines:
            return ""
        text = "\n".join(line.text for line in lines)
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

    @property
    def asks_fields(self) -> bool:
        """Whether a rule asks for the fields of PROXY headers."""
        return self._tests.asks_fields

    @property
    def rated(self) -> set[tuple[str, int]]:
        """The frontends, backends and servers whose sessions in a second a rule asks for."""
        return self._tests.rated

    def table(self) -> bytes:
        """Empty when no proxy has a rule."""
        if not self._used:
            return b""
        names_servers = self._names_servers or self._tests.names_servers
        names = [self._names.backends, self._names.servers if names_servers else {}]
        return self._table.finish(*([name.encode("utf-8", "surrogateescape") for name in one] for one in names))

    def _sets(self, proxy: Proxy) -> dict[str, RuleSet]:
        """Each set of rules of a section; a ``listen`` is asked for twice and compiled once."""
        done = self._done.get(id(proxy))
        if done is None:
            rules = (proxy.inherited.rules, proxy.rules)
            given = (self._table, self._tests, self._names, self._target, self._report)
            parts = [_Rules(proxy, one, *given) for one in rules]
            parts[1].captures = captures(proxy.inherited.rules)
            done = self._done[id(proxy)] = {name: self._set([part.words(name) for part in parts]) for name in _SETS}
            self._used |= any(found.size for found in done.values())
            self._names_servers |= any(part.names_servers for part in parts)
            self.prioritizes |= any(rule.action in _PRIORITIES for one in rules for rule in one.content)
        return done

    def _set(self, parts: list[list[int]]) -> RuleSet:
        """The rules of ``defaults`` come first."""
        words = [word for part in parts for word in part]
        return RuleSet(self._table.words(*words), len(words) // RULE_WORDS) if words else EMPTY

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


def captures(rules: ProxyRules) -> int:
    """How many ``capture`` rules there are."""
    return sum(rule.action is Action.CAPTURE for rule in rules.content)


def _drops(rules: ProxyRules) -> bool:
    sets = (rules.connection, rules.session, rules.content, rules.answer)
    return any(rule.action is Action.DROP for one in sets for rule in one)


class _Rules:
    """The rules of one section, or those that it inherits: with ACLs of their own."""

    def __init__(
        self,
        proxy: Proxy,
        rules: ProxyRules,
        table: Table,
        tests: TestCompiler,
        names: Names,
        target: Callable[..., int],
        report: Report,
    ) -> None:
        self._proxy = proxy
        self._rules = rules
        self._table = table
        self._tests = tests
        self._tables = names.tables
        self._target = target
        self._report = report
        self._acls = self._named(rules)
        self.names_servers = False
        self.captures = 0

    def words(self, name: str) -> list[int]:
        """The rules of one set, RULE_WORDS each."""
        words: list[int] = []
        for rule in getattr(self._rules, name):
            try:
                place = self._table.value(encoded(rule.location.file)), rule.location.line
                words += (*self._rule(rule, server=name == "servers"), *place)
            except ConfigError as failure:
                self._report.caught(failure)
        return words

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

    def _rule(self, rule: Rule, *, server: bool) -> tuple[int, ...]:
        """The words of a rule, without its place."""
        flags, terms, count = self._condition(rule.condition)
        if rule.pieces:
            parts = (Piece(f"{self._proxy.name}/"), *rule.pieces) if server else rule.pieces
            self.names_servers |= server
            pieces = [word for piece in parts for word in self._piece(piece)]
            return Verdict.USE_NAMED, flags, terms, count, self._table.words(*pieces), len(parts)
        if rule.assign is not None:
            return _VERDICTS[rule.action], flags, terms, count, self._table.words(*self._assign(rule, rule.assign)), 0
        if rule.use is not None:
            name = self._proxy.name
            action, words = rule_words(rule, name, self._tables, lambda sample: self._tests.sample(sample, name))
            return action, flags, terms, count, self._table.words(*words), 0
        if rule.action is Action.USE:
            return Verdict.USE, flags, terms, count, self._target(rule, self._proxy, server=server), 0
        return _VERDICTS[rule.action], flags, terms, count, 0, 0

    def _assign(self, rule: Rule, assign: Assign) -> tuple[int, ...]:
        """The words of a rule_assign."""
        number, flags = assign.number, 0
        for condition in assign.conditions:
            flags |= VAR_CONDITIONS[condition]
        if rule.action is Action.CAPTURE:
            number = self._tests.variable(captured(self.captures))
            flags = assign.number << CAPTURE_SHIFT | VAR_CONDITIONS["ifnotexists"]
            self.captures += 1
        elif assign.variable:
            number = self._tests.variable(assign.variable)
        pieces = [word for piece in assign.pieces for word in self._piece(piece)]
        sample = self._tests.sample(assign.sample, self._proxy.name) if assign.sample else (0,) * 5
        return number, flags, self._table.words(*pieces), len(assign.pieces), *sample

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
