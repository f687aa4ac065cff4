"""Tests and samples to their structs: what is looked at, what is made of it, what it is compared with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fastlb.config.errors import ConfigError, Location, Report, quote
from fastlb.config.fieldtypes import field_type
from fastlb.config.lexer import Word
from fastlb.config.ruletree import Kind, Part, Sample, Test
from fastlb.config.samples import MAPS, kinds
from fastlb.config.suggest import did_you_mean
from fastlb.rules import patterns
from fastlb.rules.converters import compile_converter, encoded
from fastlb.rules.fetches import compile_fetch
from fastlb.rules.files import Files
from fastlb.rules.model import NO_INDEX, TEST_NO_CASE, VAR_SCOPES, Convert, Fetch, Match
from fastlb.rules.regex import Regex, RegexError, compile_regex
from fastlb.rules.segments import Range
from fastlb.rules.table import Table
from fastlb.rules.tablemodel import StickTable
from fastlb.rules.tables import converter_words, fetch_words

MAX_SEARCHED = 1000
_SEARCHED = {Match.SUB: b"", Match.DIR: b"/?", Match.DOM: b"/?.:"}
_BACKEND, _FRONTEND, _SERVER = "backend", "frontend", "server"
_REFERS = {
    Fetch.NBSRV: _BACKEND, Fetch.BE_CONN: _BACKEND, Fetch.BE_CONN_FREE: _BACKEND, Fetch.QUEUE: _BACKEND,
    Fetch.AVG_QUEUE: _BACKEND, Fetch.FE_CONN: _FRONTEND, Fetch.SRV_IS_UP: _SERVER, Fetch.SRV_CONN: _SERVER,
    Fetch.SRV_QUEUE: _SERVER, Fetch.CONNSLOTS: _BACKEND, Fetch.SRV_WEIGHT: _SERVER, Fetch.SRV_IWEIGHT: _SERVER,
    Fetch.SRV_CONN_FREE: _SERVER, Fetch.FE_SESS_RATE: _FRONTEND, Fetch.BE_SESS_RATE: _BACKEND,
    Fetch.SRV_SESS_RATE: _SERVER,
}  # fmt: skip


_OF_SERVERS = ("srv_is_up", "srv_queue")
_RATES = (Fetch.FE_SESS_RATE, Fetch.BE_SESS_RATE, Fetch.SRV_SESS_RATE)
_OF_FIELDS = (Fetch.FC_PP_TLV, Fetch.FC_PP_AUTHORITY, Fetch.FC_PP_UNIQUE_ID)


@dataclass(frozen=True, slots=True)
class Names:
    """The numbers of everything that a rule can name; servers as ``backend/server``. And the environment."""

    frontends: dict[str, int]
    backends: dict[str, int]
    servers: dict[str, int]
    tables: dict[str, StickTable]
    environ: Mapping[str, str]


class TestCompiler:
    """Compiles what stands in conditions, for one table. ``asks_fields``: something asks for those of PROXY headers.

    ``names_servers``: some text may be the name of a server.
    ``rated`` are the frontends, backends and servers whose sessions in a second are asked for: what, and its number.
    """

    def __init__(self, table: Table, names: Names, files: Files, resolve: patterns.Resolve, report: Report) -> None:
        self._table = table
        self._names = names
        self._files = files
        self._resolve = resolve
        self._report = report
        self.asks_fields = False
        self.names_servers = False
        self.rated: set[tuple[str, int]] = set()
        self._maps: dict[tuple[str, str], int] = {}
        self._variables: dict[str, int] = {}

    def test(self, test: Test, proxy: str) -> tuple[int, ...]:
        """The words of a rule_test. ``proxy`` is whose line it is."""
        match = Match.STR if test.match == "bin" else Match[test.match.upper()]
        sample = self.sample(test.sample, proxy)
        return (*sample, match, TEST_NO_CASE if test.ignore_case else 0, self._patterns(test, match))

    def sample(self, sample: Sample, proxy: str) -> tuple[int, ...]:
        """The words of a rule_sample."""
        fetch, first, second = fetch_words(sample.fetch, proxy, self._names.tables) or self._fetch(sample.fetch, proxy)
        rows = [self._converter(part, kind, proxy) for part, kind in zip(sample.converters, kinds(sample), strict=True)]
        offset = self._table.words(*(word for row in rows for word in row)) if rows else NO_INDEX
        return fetch, first, second, offset, len(rows)

    def _fetch(self, part: Part, proxy: str) -> tuple[int, int, int]:
        special = compile_fetch(part, self._table, self._names.environ)
        if special is not None:
            return special
        fetch = Fetch[part.name.replace(".", "_").upper()]
        return fetch, *self._arguments(fetch, part, proxy)

    def _arguments(self, fetch: Fetch, part: Part, proxy: str) -> tuple[int, int]:
        what = _REFERS.get(fetch)
        if part.name == "capture.req.hdr":
            return self.variable(captured(int(part.arguments[0]))), NO_INDEX
        if fetch is Fetch.VAR:
            return self._variable(*part.arguments)
        self.asks_fields |= fetch in _OF_FIELDS
        if fetch is Fetch.FC_PP_TLV:
            return field_type(part.arguments[0]) or 0, 0
        if what is None:
            first, second = (*map(int, part.arguments), 0, 0)[:2]
            return first, second
        name = part.arguments[0] if part.arguments else proxy
        numbers: dict[str, int] = getattr(self._names, f"{what}s")
        if what == _SERVER and "/" not in name:
            name = f"{proxy}/{name}"
        if name not in numbers:
            message = f"there is no {what} {quote(name)}, of which {quote(part.name)} is asked"
            raise ConfigError(part.location, message, did_you_mean(name, numbers))
        if fetch in _RATES:
            self.rated.add((what, numbers[name]))
        return numbers[name], 0

    def variable(self, name: str) -> int:
        """The number of a variable, of all sections."""
        scope, _, rest = name.partition(".")
        return self._variables.setdefault(rest, len(self._variables)) << 2 | VAR_SCOPES[scope]

    def _variable(self, name: str, default: str | None = None) -> tuple[int, int]:
        text = NO_INDEX if default is None else self._table.value(encoded(default))
        return self.variable(name), text

    def _converter(self, part: Part, kind: Kind, proxy: str) -> tuple[int, ...]:
        of_table = converter_words(part, kind, self._names.tables)
        if of_table is not None:
            return of_table
        if part.name in MAPS:
            match = Match[MAPS[part.name].upper()]
            fallback = encoded(part.arguments[1]) if len(part.arguments) > 1 else None
            text = (NO_INDEX, 0) if fallback is None else self._table.text(fallback)
            return Convert.MAP, match, self._map(part.arguments[0], match, part.location), 0, 0, *text, 0
        if part.name in _OF_SERVERS:
            self.names_servers = True
            return Convert[part.name.upper()], 0, NO_INDEX, 0, 0, *self._table.text(encoded(f"{proxy}/")), 0
        return compile_converter(part, self._table, self.variable)

    def _patterns(self, test: Test, match: Match) -> int:
        words = list(test.patterns)
        if match in (Match.FOUND, Match.BOOL):
            if words or test.files:
                raise ConfigError(test.location, f"'-m {test.match}' compares with nothing: leave the values out")
            return NO_INDEX
        for file in test.files:
            words += self._files.lines(file.text, file.location)
        if match in (Match.INT, Match.LEN):
            kind = test.sample.kind if match is Match.INT else Kind.INTEGER
            ranges = patterns.numbers(words, kind)
            return self._table.integers(Range(low, high, 0, 0) for low, high in ranges if low <= high)
        if match is Match.IP:
            return self._networks([(word, 0) for word in words], self._resolve if test.resolve else None)
        if match is Match.REG:
            return self._regexes([(word, 0) for word in words], ignore_case=test.ignore_case)
        if test.match == "bin":
            texts = [patterns.hexadecimal(word) for word in words]
        else:
            texts = [patterns.text(word, ignore_case=test.ignore_case) for word in words]
        return self._texts(match, [(text, 0) for text in texts], words)

    def _regexes(self, entries: list[tuple[Word, int]], *, ignore_case: bool) -> int:
        if len(entries) > MAX_SEARCHED:
            message = f"at most {MAX_SEARCHED} regular expressions can be tried one by one"
            raise ConfigError(entries[MAX_SEARCHED][0].location, message)
        found: list[tuple[Regex, int]] = []
        for word, value in entries:
            try:
                text = patterns.text(word, ignore_case=False)
                found.append((compile_regex(text, ignore_case=ignore_case), value))
            except RegexError as failure:
                message = f"the regular expression {quote(word.text)} cannot be used: {failure}"
                self._report.error(word.location, message)
        return self._table.regexes(found)

    def _texts(self, match: Match, entries: list[tuple[bytes, int]], words: list[Word]) -> int:
        delimiters = _SEARCHED.get(match)
        if delimiters is None:
            return self._table.names(match, entries)
        if len(entries) > MAX_SEARCHED:
            message = f"at most {MAX_SEARCHED} values can be searched for one by one"
            raise ConfigError(words[MAX_SEARCHED].location, message, "'str', 'beg' and 'end' take any number")
        stripped = [(text.strip(delimiters) if delimiters else text, value) for text, value in entries]
        for (text, _), word in zip(stripped, words, strict=True):
            if not text:
                raise ConfigError(word.location, f"{quote(word.text)} consists of delimiters only")
        return self._table.names(match, stripped)

    def _networks(self, entries: list[tuple[Word, int]], resolve: patterns.Resolve | None) -> int:
        """Of networks that contain each other the smallest counts; of equal ones the first."""
        ranges: dict[int, list[Range]] = {4: [], 6: []}
        for number, (word, value) in enumerate(entries):
            try:
                found = patterns.network(word, self._report, resolve)
            except ConfigError as failure:
                self._report.caught(failure)
                continue
            if found is not None:
                order = (128 - found.bits) * len(entries) + number
                ranges[found.version].append(Range(found.low, found.high, order, value))
        return self._table.networks(ranges[4], ranges[6])

    def _map(self, file: str, match: Match, where: Location) -> int:
        """The table of a map's keys, and what each gives. The same file is compiled once for each kind of match."""
        known = self._maps.get((file, match.name))
        if known is not None:
            return known
        words: list[Word] = []
        values: list[int] = []
        for line in self._files.lines(file, where):
            key, *rest = line.text.split(None, 1)
            words.append(line._replace(text=key))
            values.append(self._table.value(encoded(rest[0]) if rest else b""))
        offset = self._maps[file, match.name] = self._keys(match, words, values)
        return offset

    def _keys(self, match: Match, words: list[Word], values: list[int]) -> int:
        if match is Match.IP:
            return self._networks(list(zip(words, values, strict=True)), None)
        if match is Match.INT:
            ranges = patterns.numbers(words, Kind.INTEGER)
            keys = zip(ranges, values, strict=True)
            return self._table.integers(Range(*key, number, value) for number, (key, value) in enumerate(keys))
        if match is Match.REG:
            return self._regexes(list(zip(words, values, strict=True)), ignore_case=False)
        texts = [patterns.text(word, ignore_case=False) for word in words]
        return self._texts(match, list(zip(texts, values, strict=True)), words)


def captured(number: int) -> str:
    """The variable that holds what the ``capture`` rule of this number has kept; no rule can name it."""
    return f"txn.capture:{number}"
