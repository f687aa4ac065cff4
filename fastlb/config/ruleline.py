"""``tcp-request``, ``tcp-response``, ``use_backend`` and ``use-server`` lines (HAProxy manual, section 4.2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from fastlb.config import knownrules as known
from fastlb.config.acl import parse_acl, parse_condition
from fastlb.config.actions import REQUEST_ACTS, RESPONSE_ACTS, parse_act
from fastlb.config.args import Args
from fastlb.config.errors import ConfigError, quote
from fastlb.config.keywords import Keyword, KeywordTable
from fastlb.config.lexer import Word
from fastlb.config.ruletree import Acl, Action, Assign, Condition, Piece, ProxyRules, Rule, Sample, TableLine, Test
from fastlb.config.samples import parse_sample_in
from fastlb.config.surroundings import OF_BACKEND, OF_SERVER
from fastlb.config.tableline import (
    COUNT_ACTIONS,
    MAX_STICKS,
    STORE_ANSWER,
    TABLE_ACTIONS,
    parse_stick,
    parse_stick_table,
    parse_use,
)
from fastlb.config.variables import parse_assign, split_call

MAX_RULES = 10_000


@dataclass(slots=True)
class RuleLines:
    """The rules of one section, as they are read."""

    acls: list[Acl] = field(default_factory=list)
    names: dict[str, list[Test]] = field(default_factory=dict)
    inspect_delay_ms: int = 0
    connection: list[Rule] = field(default_factory=list)
    session: list[Rule] = field(default_factory=list)
    content: list[Rule] = field(default_factory=list)
    backends: list[Rule] = field(default_factory=list)
    servers: list[Rule] = field(default_factory=list)
    answer_delay_ms: int = 0
    answer: list[Rule] = field(default_factory=list)
    lines: list[Word] = field(default_factory=list)
    sticks: list[Rule] = field(default_factory=list)
    table: TableLine | None = None
    forces: list[Rule] = field(default_factory=list)
    switches: list[Rule] = field(default_factory=list)
    stores: list[Rule] = field(default_factory=list)

    def result(self) -> ProxyRules:
        return ProxyRules(
            tuple(self.acls),
            self.inspect_delay_ms,
            tuple(self.connection),
            tuple(self.session),
            tuple(self.content),
            tuple(self.backends),
            tuple(self.servers),
            self.answer_delay_ms,
            tuple(self.answer),
            tuple(self.lines),
            tuple(self.sticks),
            self.table,
            tuple(self.forces),
            tuple(self.switches),
            tuple(self.stores),
        )

    def add_acl(self, args: Args) -> None:
        """``acl NAME …``: one more alternative of that name. One that is wrong is known by its name all the same."""
        tests = self.names.setdefault(args.words[1].text, []) if len(args.words) > 1 else []
        acl = parse_acl(args)
        self._add(self.acls, acl, args)
        tests.append(acl.test)

    def add_inspect_delay(self, args: Args) -> None:
        self.inspect_delay_ms = args.time_ms(name=args.said)
        args.end()
        self._keep(args)

    def add_connection(self, args: Args) -> None:
        """``tcp-request connection ACTION``: decided as soon as a client connects; it has said nothing then."""
        rule = self._verdict(args, "connection")
        _warn_unknown(rule, self.names, args, _NOTHING_YET)
        self._add(self.connection, rule, args)

    def add_session(self, args: Args) -> None:
        """``tcp-request session ACTION``: decided when the client is known, by its PROXY header too."""
        rule = self._verdict(args, "session")
        _warn_unknown(rule, self.names, args, _NOTHING_YET)
        self._add(self.session, rule, args)

    def add_content(self, args: Args) -> None:
        """``tcp-request content ACTION``: decided by what the client says."""
        rule = self._verdict(args, "content")
        _warn_unknown(rule, self.names, args, _NO_ANSWER)
        self._add(self.content, rule, args)

    def add_answer_delay(self, args: Args) -> None:
        self.answer_delay_ms = args.time_ms(name=args.said)
        args.end()
        self._keep(args)

    def add_answer(self, args: Args) -> None:
        """``tcp-response content ACTION``: decided by what the server says first."""
        rule = self._verdict(args, "answer")
        _warn_unknown(rule, self.names, args, _NO_REQUEST)
        self._add(self.answer, rule, args)

    def add_backend(self, args: Args) -> None:
        """``use_backend NAME``: where the session goes, the first that holds."""
        word = args.need("the name of a backend")
        condition = parse_condition(args, self.names)
        pieces = parse_pieces(word, args) if "%" in word.text else ()
        rule = Rule(Action.USE, condition, args.location, word, pieces)
        _warn_unknown(rule, self.names, args, _NO_ANSWER)
        self._add(self.backends, rule, args)

    def add_server(self, args: Args) -> None:
        """``use-server NAME``: the server it goes to, while that one is usable."""
        word = args.need("the name of a server")
        condition = parse_condition(args, self.names, required=True)
        pieces = parse_pieces(word, args) if "%" in word.text else ()
        rule = Rule(Action.USE, condition, args.location, word, pieces)
        _warn_unknown(rule, self.names, args, _NO_ANSWER)
        self._add(self.servers, rule, args)

    def add_switch(self, args: Args) -> None:
        """``force-be-switch``: for whom a backend that is not published is one like any other."""
        rule = Rule(Action.ACCEPT, parse_condition(args, self.names, required=True), args.location)
        _warn_unknown(rule, self.names, args, _NO_ANSWER)
        self._add(self.switches, rule, args)

    def add_force(self, args: Args, action: Action) -> None:
        """``force-persist`` (ACCEPT): for whom a server that rules or tables choose is right though it is down."""
        rule = Rule(action, parse_condition(args, self.names, required=True), args.location)
        _warn_unknown(rule, self.names, args, _NO_ANSWER)
        self._add(self.forces, rule, args)

    def add_stick(self, args: Args) -> None:
        """``stick on SAMPLE`` and its halves: a client that comes back gets the server it had."""
        rule = parse_stick(args, self.names)
        answer = rule.use is not None and rule.use.flags == STORE_ANSWER
        _warn_unknown(rule, self.names, args, _NO_REQUEST if answer else _NO_ANSWER)
        if len(self.sticks) + len(self.stores) >= MAX_STICKS:
            raise ConfigError(args.location, f"a section cannot have more than {MAX_STICKS} 'stick' rules")
        self._add(self.stores if answer else self.sticks, rule, args)

    def set_table(self, args: Args) -> None:
        """``stick-table …``: one for each section."""
        if self.table is not None:
            message = f"this section has a stick table already, at {self.table.location}"
            raise ConfigError(args.location, message, "put a second one into a 'backend' section of its own")
        self.table = parse_stick_table(args)

    def _verdict(self, args: Args, place: str) -> Rule:
        table = ANSWER_ACTIONS if place == "answer" else ACTIONS
        word, given = split_call(args.need(f"an action: {', '.join(table.supported)}"))
        action = table.find(word, args.report)
        assert action is not None  # the table ignores nothing
        assign, use = None, None
        if action in ASSIGNING:
            assign = parse_assign(action, word, given, args, parse_pieces)
        elif action in (Action.TRACK, Action.COUNT):
            use = parse_use(word, given, args)
        elif given is not None:
            raise ConfigError(word.location, f"{quote(word.text)} takes no parentheses")
        else:
            assign = parse_act(action, word, args, place)
        return Rule(action, parse_condition(args, self.names), args.location, assign=assign, use=use)

    def _add(self, rules: list[Rule] | list[Acl], rule: Rule | Acl, args: Args) -> None:
        if len(rules) >= MAX_RULES:
            raise ConfigError(args.location, f"a section cannot have more than {MAX_RULES} lines of this kind")
        rules.append(rule)  # type: ignore[arg-type]
        self._keep(args)

    def _keep(self, args: Args) -> None:
        """The line as it was read, to be shown again."""
        self.lines.append(args.words[0]._replace(text=" ".join(word.text for word in args.words)))


def parse_pieces(word: Word, args: Args) -> tuple[Piece, ...]:
    """``text%[sample]text``: the pieces of a name. Raises ConfigError."""
    pieces: list[Piece] = []
    text, at = word.text, 0
    while at < len(text):
        opening = text.find("%", at)
        if opening < 0:
            pieces.append(Piece(text[at:]))
            break
        if opening > at:
            pieces.append(Piece(text[at:opening]))
        here = word._replace(column=word.column + opening)
        at = _piece(word, opening, here, pieces, args)
    return tuple(pieces)


def _piece(word: Word, opening: int, here: Word, pieces: list[Piece], args: Args) -> int:
    """Read what begins with a percent sign; returns where the next piece begins."""
    text = word.text
    if text[opening + 1 : opening + 2] == "%":
        pieces.append(Piece("%"))
        return opening + 2
    if text[opening + 1 : opening + 2] != "[":
        raise ConfigError(here.location, "only '%[sample]' is supported after '%'", "write '%%' for the sign itself")
    if "]" not in text[opening:]:
        raise ConfigError(here.location, "this '%[' is never closed", "end it with ']'")
    sample, closing = parse_sample_in(word, opening + 2, "]", args.report)
    pieces.append(Piece("", sample))
    return closing + 1


class _Unknown(NamedTuple):
    """What a kind of rule cannot know: what the client says, what the server says, in whose words, and a hint.

    ``names``: fetches whose section or server is chosen later.
    """

    content: bool
    answer: bool
    when: str
    hint: str
    names: frozenset[str] = frozenset()

    def includes(self, sample: Sample) -> bool:
        """Whether it cannot know this."""
        missing = (self.content and sample.content) or (self.answer and (sample.answer or sample.server))
        return missing or sample.fetch.name in self.names


_NOTHING_YET = _Unknown(True, True, "when a client connects", "use 'tcp-request content'", OF_BACKEND | OF_SERVER)
_NO_ANSWER = _Unknown(False, True, "before the server has spoken", "use 'tcp-response content'", OF_SERVER)
_NO_REQUEST = _Unknown(True, False, "when the server speaks", "use 'tcp-request content'")


def _warn_unknown(rule: Rule, names: dict[str, list[Test]], args: Args, unknown: _Unknown) -> None:
    """What is not there: HAProxy loads this, and the test never holds."""
    for sample in [test.sample for test in _tests(rule.condition, names)]:
        if unknown.includes(sample) and not (sample.fetch.name == "wait_end" and unknown is _NO_REQUEST):
            message = f"{quote(sample.fetch.name)} is unknown {unknown.when}: this never holds"
            args.report.warning(args.location, message, _hint(sample, unknown))
    if rule.assign:
        _check_assign(rule.assign, args, unknown)
    if rule.use and rule.use.sample:
        _check_sample(rule.use.sample, unknown)


def _hint(sample: Sample, unknown: _Unknown) -> str:
    return (_NO_ANSWER if sample.answer or sample.server else unknown).hint


def _check_sample(sample: Sample, unknown: _Unknown) -> None:
    """Of an action. HAProxy does not load this."""
    if unknown.includes(sample):
        message = f"{quote(sample.fetch.name)} is unknown {unknown.when}"
        raise ConfigError(sample.fetch.location, message, _hint(sample, unknown))


def _check_assign(assign: Assign, args: Args, unknown: _Unknown) -> None:
    samples = [assign.sample, *(piece.sample for piece in assign.pieces)]
    for sample in [one for one in samples if one is not None]:
        _check_sample(sample, unknown)
    if unknown is _NOTHING_YET and assign.variable and not assign.variable.startswith("sess."):
        message = f"{quote(assign.variable)} ends before the content rules, which is where that scope begins"
        args.report.warning(args.location, message, "use 'sess'")


def _tests(condition: Condition | None, names: dict[str, list[Test]]) -> list[Test]:
    terms = [term for terms in condition.alternatives for term in terms] if condition else []
    return [test for term in terms for test in ([term.test] if term.test else names[term.name])]


_VARIABLES = {
    "set-var": Keyword(
        Action.SET_VAR, "(scope.name[,condition…]) sample [condition]", "remember what a sample gives, and go on"
    ),
    "set-var-fmt": Keyword(
        Action.SET_FORMAT, "(scope.name[,condition…]) text [condition]", "remember a text with samples in it, and go on"
    ),
    "unset-var": Keyword(Action.UNSET_VAR, "(scope.name) [condition]", "forget it, and go on"),
}
ASSIGNING = tuple(keyword.handler for keyword in _VARIABLES.values())

ACTIONS: KeywordTable[Action] = KeywordTable(
    "action",
    {
        "accept": Keyword(Action.ACCEPT, "[condition]", "go on, without the rules below"),
        "reject": Keyword(Action.REJECT, "[condition]", "end the connection"),
        "silent-drop": Keyword(Action.DROP, "[condition]", "end the connection without a word to the client"),
        **_VARIABLES,
        **REQUEST_ACTS,
        **TABLE_ACTIONS,
    },
    not_yet=known.RULE_NOT_YET,
    not_yet_prefixes=known.RULE_NOT_YET_PREFIXES,
    refused=known.RULE_REFUSED,
    prefix="tcp-request … ",
)

ANSWER_ACTIONS: KeywordTable[Action] = KeywordTable(
    "action",
    {
        "accept": Keyword(Action.ACCEPT, "[condition]", "go on, without the rules below"),
        "reject": Keyword(
            Action.REJECT, "[condition]", "end the session; the client sees nothing of what was looked at"
        ),
        "close": Keyword(
            Action.CLOSE, "[condition]", "end the connection to the server; what it has sent is passed on"
        ),
        "silent-drop": Keyword(Action.DROP, "[condition]", "end the session without a word to the client"),
        **_VARIABLES,
        **RESPONSE_ACTS,
        **COUNT_ACTIONS,
    },
    not_yet=known.RULE_NOT_YET,
    not_yet_prefixes=known.RULE_NOT_YET_PREFIXES,
    refused=known.RULE_REFUSED,
    prefix="tcp-response … ",
)

TCP_RESPONSE: KeywordTable[Callable[[RuleLines, Args], None]] = KeywordTable(
    "'tcp-response' rule",
    {
        "content": Keyword(
            RuleLines.add_answer, "accept|reject|close|silent-drop [condition]", "what becomes of what the server sends"
        ),
        "inspect-delay": Keyword(
            RuleLines.add_answer_delay, "time", "how long the content rules wait for what the server sends (0)"
        ),
    },
    prefix="tcp-response ",
)

TCP_REQUEST: KeywordTable[Callable[[RuleLines, Args], None]] = KeywordTable(
    "'tcp-request' rule",
    {
        "connection": Keyword(
            RuleLines.add_connection,
            "action [condition]",
            "who may connect, asked at once; a reset for the others",
        ),
        "session": Keyword(
            RuleLines.add_session,
            "action [condition]",
            "who may stay, asked at once or when the PROXY header has come",
        ),
        "content": Keyword(RuleLines.add_content, "action [condition]", "who may stay, by what the client has sent"),
        "inspect-delay": Keyword(
            RuleLines.add_inspect_delay, "time", "how long the content rules wait for what the client sends (0)"
        ),
    },
    prefix="tcp-request ",
)
