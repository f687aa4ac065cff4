"""``acl`` lines, and the conditions of rules (HAProxy manual, sections 7.1 and 7.2)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from fastlb.config.args import Args
from fastlb.config.errors import ConfigError, NotSupported, Report, quote
from fastlb.config.keywords import Keyword, KeywordTable
from fastlb.config.lexer import Word
from fastlb.config.ruletree import Acl, Condition, Kind, Sample, Term, Test
from fastlb.config.samplekinds import as_kind, can_be
from fastlb.config.samples import parse_sample
from fastlb.config.suggest import did_you_mean

_BAD_NAME = re.compile(r"[^A-Za-z0-9_.:-]")
_OR = ("or", "||")
_NO_HTTP = "HTTP METH_CONNECT METH_DELETE METH_GET METH_HEAD METH_OPTIONS METH_POST METH_PUT METH_TRACE HTTP_1.0 " \
    "HTTP_1.1 HTTP_2.0 HTTP_3.0 HTTP_CONTENT HTTP_URL_ABS HTTP_URL_SLASH HTTP_URL_STAR"  # fmt: skip
# ACLs that need no line of their own (HAProxy manual, section 7.4).
PREDEFINED = {
    "TRUE": "always_true",
    "FALSE": "always_false",
    "LOCALHOST": "src 127.0.0.0/8 ::1",
    "WAIT_END": "wait_end",
    "REQ_CONTENT": "req.len gt 0",
    "RDP_COOKIE": "req.rdp_cookie_cnt gt 0",
}
_DEFAULT_MATCH = {
    Kind.BOOL: "bool",
    Kind.INTEGER: "int",
    Kind.VERSION: "int",
    Kind.ADDRESS: "ip",
    Kind.TEXT: "str",
}
# What each method compares, in the order in which they are named in messages; a sample becomes that by itself.
_COMPARED = {
    "str": Kind.TEXT, "beg": Kind.TEXT, "end": Kind.TEXT, "sub": Kind.TEXT, "reg": Kind.TEXT, "dir": Kind.TEXT,
    "dom": Kind.TEXT, "len": Kind.TEXT, "bin": Kind.BYTES, "int": Kind.INTEGER, "bool": Kind.BOOL, "ip": Kind.ADDRESS,
    "found": None,
}  # fmt: skip
MATCHES: KeywordTable[str] = KeywordTable(
    "match method",
    {
        "found": Keyword("found", "", "there is such a thing"),
        "bool": Keyword("bool", "", "it is true, or not 0"),
        "int": Keyword("int", "n | low:high …", "a number"),
        "ip": Keyword("ip", "address[/mask] …", "an address or a network"),
        "bin": Keyword("bin", "hexadecimal …", "these bytes"),
        "len": Keyword("len", "n | low:high …", "so many bytes"),
        "str": Keyword("str", "text …", "the same text"),
        "beg": Keyword("beg", "text …", "begins with it"),
        "end": Keyword("end", "text …", "ends with it"),
        "sub": Keyword("sub", "text …", "contains it"),
        "reg": Keyword("reg", "regular expression …", "the regular expression matches some of it"),
        "dir": Keyword("dir", "text …", "contains it between slashes"),
        "dom": Keyword("dom", "text …", "contains it between dots, slashes or colons"),
    },
    prefix="-m ",
)


def parse_acl(args: Args) -> Acl:
    """Read what follows ``acl``: a name, a sample, flags, values."""
    word = args.need("a name, a sample and what it is compared with, such as 'acl office src 10.0.0.0/8'")
    if bad := _BAD_NAME.search(word.text):
        message = f"the character {quote(bad[0])} is not allowed in the name of an ACL: {quote(word.text)}"
        raise ConfigError(word.location, message, "use letters, digits and - _ . :")
    if word.text in _OR:
        raise ConfigError(word.location, f"{quote(word.text)} separates alternatives: it cannot be the name of an ACL")
    sample = args.need("a sample to look at, such as 'src' or 'req.ssl_sni'")
    rest = args.words[args.at :]
    args.at = len(args.words)
    return Acl(word.text, _test(sample, rest, args.report))


def parse_condition(args: Args, acls: Mapping[str, object], *, required: bool = False) -> Condition | None:
    """Read ``if …`` or ``unless …`` to the end of the line; None when nothing follows. ``acls`` are those above."""
    word = args.take()
    if word is None and not required:
        return None
    if word is None or word.text not in ("if", "unless"):
        where = args.words[-1] if word is None else word
        what = "a condition must follow" if word is None else f"unexpected word {quote(word.text)}"
        message = f"{what} after {quote(_before(args, word))}"
        raise ConfigError(where.location, message, "a condition begins with 'if' or 'unless'")
    alternatives: list[tuple[Term, ...]] = []
    terms: list[Term] = []
    while (following := args.take()) is not None:
        if following.text in _OR:
            _end_alternative(following, terms, alternatives)
        else:
            terms.append(_term(following, args, acls))
    _end_alternative(args.words[-1], terms, alternatives)
    return Condition(word.text == "unless", tuple(alternatives))


def _before(args: Args, word: Word | None) -> str:
    return " ".join(one.text for one in args.words[: args.at - (word is not None)])


def _end_alternative(at: Word, terms: list[Term], alternatives: list[tuple[Term, ...]]) -> None:
    if not terms:
        raise ConfigError(at.location, f"nothing to check is named at {quote(at.text)}", "name an ACL, or use { … }")
    alternatives.append(tuple(terms))
    terms.clear()


def _term(word: Word, args: Args, acls: Mapping[str, object]) -> Term:
    """An ACL's name or ``{ … }``, with any number of ``!`` before it, with or without blanks."""
    text = word.text.lstrip("!")
    negations = len(word.text) - len(text)
    while not text:
        word = args.need("the name of an ACL or '{' after '!'")
        text = word.text.lstrip("!")
        negations += len(word.text) - len(text)
    if text == "{":
        return Term(negations % 2 == 1, "", _anonymous(word, args), word.location)
    if text in acls:
        return Term(negations % 2 == 1, text, None, word.location)
    if text in PREDEFINED:
        test = _predefined(text, word, args.report)
        return Term(negations % 2 == 1, "", test, word.location)
    raise _unknown(text, word, acls)


def _unknown(text: str, word: Word, acls: Mapping[str, object]) -> ConfigError:
    if text in _NO_HTTP.split():
        return NotSupported(word.location, f"{quote(text)} is not supported yet")
    if text in ("and", "&&"):
        hint = "leave it out: terms that stand in a row must all hold"
    elif text.startswith("{") or text.endswith("}"):
        hint = "there must be a blank on both sides of '{' and '}'"
    else:
        hint = did_you_mean(text, [*acls, *PREDEFINED]) or "it needs an 'acl' line above, in this section"
    return ConfigError(word.location, f"there is no ACL {quote(text)}", hint)


def _predefined(name: str, word: Word, report: Report) -> Test:
    words = [word._replace(text=text) for text in PREDEFINED[name].split()]
    return _test(words[0], words[1:], report)


def _anonymous(opening: Word, args: Args) -> Test:
    words: list[Word] = []
    while True:
        word = args.take()
        if word is None:
            raise ConfigError(opening.location, "this '{' is never closed", "end it with '}', with a blank before it")
        if word.text == "}":
            break
        words.append(word)
    if not words:
        raise ConfigError(opening.location, "there is nothing between '{' and '}'")
    return _test(words[0], words[1:], args.report)


def _test(sample_word: Word, rest: list[Word], report: Report) -> Test:
    sample = parse_sample(sample_word, report)
    flags = _Flags(rest, report)
    match = flags.match or _DEFAULT_MATCH.get(sample.kind)
    if match is None:
        message = f"{quote(sample_word.text)} is {sample.kind.value}, which can be compared in several ways"
        raise ConfigError(sample_word.location, message, "say how with '-m': str, bin, beg, end, sub or len")
    sample = _compared(sample, match, sample_word)
    patterns = tuple(rest[flags.at :])
    if not patterns and not flags.files and not flags.ended and match not in ("found", "bool"):
        message = f"{quote(sample_word.text)} is compared with nothing: it never holds"
        hint = "'-m found' holds when there is anything; '--' at the end says that this is meant"
        report.warning(sample_word.location, message, hint)
    return Test(sample, match, flags.ignore_case, flags.resolve, patterns, tuple(flags.files), sample_word.location)


def _compared(sample: Sample, method: str, word: Word) -> Sample:
    """The sample as what the method compares."""
    wanted = _COMPARED[method]
    if wanted is None or sample.kind is wanted or (sample.kind is Kind.VERSION and wanted is Kind.INTEGER):
        return sample
    if not can_be(sample.kind, wanted):
        message = f"{quote(word.text)} is {sample.kind.value}: it cannot be compared with '-m {method}'"
        possible = (name for name, kind in _COMPARED.items() if kind is None or can_be(sample.kind, kind))
        raise ConfigError(word.location, message, f"possible: {', '.join(possible)}")
    return as_kind(sample, wanted, word.location)


class _Flags:
    """The flags before the values."""

    def __init__(self, words: list[Word], report: Report) -> None:
        self.match = ""
        self.ignore_case = False
        self.resolve = True
        self.files: list[Word] = []
        self.ended = False
        self.at = 0
        self._words = words
        while not self.ended and self.at < len(words) and words[self.at].text.startswith("-"):
            self._flag(words[self.at], report)

    def _flag(self, word: Word, report: Report) -> None:
        self.at += 1
        if word.text == "-i":
            self.ignore_case = True
        elif word.text == "-n":
            self.resolve = False
        elif word.text == "-f":
            self.files.append(self._value(word, "the name of a file"))
        elif word.text == "-m":
            self.match = MATCHES.find(self._value(word, f"one of {', '.join(MATCHES.supported)}"), report) or ""
        elif word.text == "--":
            self.ended = True
        elif word.text in ("-M", "-u"):
            raise NotSupported(word.location, f"the flag {quote(word.text)} is not supported yet")
        else:
            hint = "flags are -i, -n, -f FILE, -m METHOD and --, after which a value may begin with a dash"
            raise ConfigError(word.location, f"unknown flag {quote(word.text)}", hint)

    def _value(self, flag: Word, what: str) -> Word:
        if self.at == len(self._words):
            raise ConfigError(flag.location, f"{quote(flag.text)} expects {what}")
        self.at += 1
        return self._words[self.at - 1]
