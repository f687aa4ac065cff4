"""From words to the Config: sections, and for each line the function that its section and first word call for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from fastlb.config import known
from fastlb.config.args import Args
from fastlb.config.blocks import Blocks
from fastlb.config.environment import Variables
from fastlb.config.errors import ConfigError, Report, quote
from fastlb.config.globalsection import GLOBAL_KEYWORDS, GlobalSection
from fastlb.config.globaltree import Config
from fastlb.config.lexer import Word, read_lines
from fastlb.config.limits import Counts
from fastlb.config.names import check_name
from fastlb.config.proxykeywords import PROXY_KEYWORDS, parse_proxy_statement
from fastlb.config.proxysection import ProxySection
from fastlb.config.ringsection import RingSection
from fastlb.config.rulekeywords import check_inherited
from fastlb.config.ruletree import NO_RULES
from fastlb.config.suggest import did_you_mean
from fastlb.config.tree import Proxy, Settings, merged_settings

Statement = Callable[[Args], None]
_COUNTED = {"frontend": ("frontends",), "backend": ("backends",), "listen": ("frontends", "backends")}


class Parser:
    """Reads any number of files, one after the other; a ``defaults`` section applies across files."""

    def __init__(self, environ: Mapping[str, str], report: Report, settled: Mapping[str, str] | None = None) -> None:
        self._environ = Variables(environ, settled)
        self._report = report
        self._blocks = Blocks(self._environ, report)
        self._counts = Counts(report)
        self._global = GlobalSection()
        self._proxies: list[Proxy] = []
        self._rings: list[RingSection] = []
        self._open: ProxySection | None = None
        self._statement: Statement | None = None
        self._defaults = Settings()
        self._named: dict[str, list[Settings]] = {}
        self._openers: dict[str, Callable[[Args], Statement]] = {
            "global": self._open_global,
            "defaults": self._open_defaults,
            "ring": self._open_ring,
            **dict.fromkeys(_COUNTED, self._open_proxy),
            **dict.fromkeys(known.NOT_YET_SECTIONS, self._open_not_yet),
            **dict.fromkeys(known.IGNORED_SECTIONS, self._open_ignored),
        }

    def read(self, file: str, data: bytes) -> None:
        """Parse one file. Whatever is wrong with it goes to the report."""
        blocks = self._blocks
        lines = read_lines(file, data, self._environ, self._report, lambda: blocks.skipping, self._environ.enter_line)
        for words in lines:
            try:
                if words[0].text.startswith("."):
                    blocks.directive(words)
                elif not blocks.skipping:
                    self._line(words)
            except ConfigError as failure:
                self._report.caught(failure)
        blocks.end_of_file()

    def result(self) -> Config:
        self._close()
        rings = tuple(ring.finish(self._report) for ring in self._rings)
        return Config(self._global.result(), tuple(self._proxies), rings, dict(self._environ))

    def _line(self, words: list[Word]) -> None:
        first = words[0]
        self._counts.statement(first.location)
        args = Args(words, self._environ, self._report)
        opener = self._openers.get(first.text)
        if opener is not None:
            self._close()
            self._environ.enter_section(first.text)
            self._statement = _skip  # what a broken header leaves behind is not looked at
            args.take()
            self._statement = opener(args)
        elif self._statement is not None:
            self._statement(args)
        else:
            hint = did_you_mean(first.text, known.SECTIONS) or "a section begins with 'global', 'defaults', 'listen', …"
            raise ConfigError(first.location, f"{quote(first.text)} is outside of any section", hint)

    def _close(self) -> None:
        """End the section being read: keep the proxy, or make the defaults apply to what follows."""
        section, self._open = self._open, None
        if section is None:
            return
        proxy = section.proxy(whole=not self._report.holds_any)
        self._report.release(forget=proxy.only_informs)
        if section.kind != "defaults":
            self._proxies.append(proxy)
            return
        self._defaults = merged_settings(proxy.own, proxy.inherited)
        if section.name:
            self._named.setdefault(section.name, []).append(self._defaults)

    def _open_global(self, args: Args) -> Statement:
        args.end()
        return self._global_statement

    def _global_statement(self, args: Args) -> None:
        first = args.words[0]
        if PROXY_KEYWORDS.knows(first.text) and not GLOBAL_KEYWORDS.knows(first.text):
            message = f"{quote(first.text)} is not allowed in section 'global'"
            raise ConfigError(first.location, message, "it belongs in a proxy section or 'defaults'")
        self._global.statement(args)

    def _open_defaults(self, args: Args) -> Statement:
        word = args.peek()
        name = "" if word is None or word.text == "from" else self._name(args.need("a name"), "defaults section")
        self._counts.add("defaults sections", 1, args.location)
        inherited = self._inherited(args) if args.peek() else Settings()
        inherited = self._checked(inherited, "defaults", args)
        return self._begin(ProxySection("defaults", name, args.location, inherited, self._counts))

    def _open_proxy(self, args: Args) -> Statement:
        kind = args.words[0].text
        name = self._name(args.need(f"the name of the {kind}"), kind)
        for what in _COUNTED[kind]:
            self._counts.add(what, 1, args.location)
        word = args.peek()
        if word is not None and word.text != "from":
            self._report.error(
                word.location,
                f"unexpected word {quote(word.text)} after the name of this {kind!r} section",
                _hint(word),
            )
            args.words = args.words[: args.at]
        inherited = self._inherited(args) if args.peek() else self._defaults
        inherited = self._checked(inherited, kind, args)
        return self._begin(ProxySection(kind, name, args.location, inherited, self._counts))

    def _name(self, word: Word, what: str) -> str:
        """A bad name is reported, and used all the same, so that the section's other errors are found too."""
        try:
            return check_name(word, what)
        except ConfigError as failure:
            self._report.caught(failure)
            return word.text

    def _inherited(self, args: Args) -> Settings:
        """``from NAME``: the settings of the ``defaults`` section of that name, which must be above."""
        if not args.accept("from"):
            args.end()
        word = args.need("the name of a 'defaults' section")
        args.end()
        found = self._named.get(word.text, [])
        if len(found) == 1:
            return found[0]
        if found:
            self._report.error(word.location, f"{len(found)} 'defaults' sections are named {quote(word.text)}")
        else:
            hint = did_you_mean(word.text, self._named)
            self._report.error(word.location, f"no 'defaults' section above is named {quote(word.text)}", hint)
        return Settings()

    def _checked(self, inherited: Settings, kind: str, args: Args) -> Settings:
        """Without rules that this kind of section cannot have, which is an error."""
        try:
            check_inherited(kind, inherited.rules, args.location)
        except ConfigError as failure:
            self._report.caught(failure)
            return replace(inherited, rules=NO_RULES)
        return inherited

    def _begin(self, section: ProxySection) -> Statement:
        self._open = section
        self._report.hold()
        return partial(parse_proxy_statement, section)

    def _open_ring(self, args: Args) -> Statement:
        word = args.need("the name of the ring")
        args.end()
        self._counts.add("rings", 1, word.location)
        ring = RingSection(check_name(word, "ring"), word.location)
        if any(other.line.name == ring.line.name for other in self._rings):
            self._report.error(word.location, f"there is another ring {quote(word.text)} above")
        self._rings.append(ring)
        return ring.statement

    def _open_not_yet(self, args: Args) -> Statement:
        word = args.words[0]
        raise ConfigError(word.location, f"the section {quote(word.text)} is not supported yet")

    def _open_ignored(self, args: Args) -> Statement:
        word = args.words[0]
        self._report.warning(word.location, f"the section {quote(word.text)} is ignored: {known.OTHER_ONLY}")
        return _skip


def _skip(args: Args) -> None:
    """A line of a section that was refused or ignored as a whole."""


def _hint(word: Word) -> str | None:
    """Old configurations put the address of a ``listen`` behind its name."""
    if ":" in word.text or word.text.startswith("/"):
        return f"write it on a line of its own: {quote('bind ' + word.text)}"
    return None


def parse_files(
    files: list[tuple[str, bytes]],
    environ: Mapping[str, str],
    report: Report,
    settled: Mapping[str, str] | None = None,
) -> Config:
    """Parse the texts of the files in order. ``settled`` are variables that the command line has set."""
    parser = Parser(environ, report, settled)
    for name, data in files:
        parser.read(name, data)
    return parser.result()
