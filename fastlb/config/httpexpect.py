"""``http-check expect``: from its words to one rule (HAProxy manual, section 4.2)."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any

from fastlb.config import known
from fastlb.config.args import Args
from fastlb.config.bytesregex import RegexError, compile_bytes
from fastlb.config.checktree import Expect, ExpectKind, Match, MatchKind
from fastlb.config.errors import ConfigError, quote
from fastlb.config.keywords import Keyword, KeywordTable
from fastlb.config.lexer import Word

_OK = ("L7OK", "L7OKC", "L6OK", "L4OK")
_ERROR = ("L7OKC", "L7RSP", "L7STS", "L6RSP", "L4CON")
_TIMEOUT = ("L7TOUT", "L6TOUT", "L4TOUT")
_RANGE = re.compile(r"([0-9]+)(?:-([0-9]+))?")
_METHODS = tuple(kind.value for kind in MatchKind)

Said = dict[str, Any]
Part = Callable[[Args, Said], None]


def parse_expect(args: Args) -> Expect:
    """Read what follows ``http-check expect``, in any order. Raises ConfigError."""
    said: Said = {}
    while (word := args.take()) is not None:
        word = _negated(word, args, said)
        part = EXPECT.find(word, args.report)
        if part is None:
            continue
        if word.text in _PATTERNS and "kind" in said:
            raise ConfigError(word.location, "one 'http-check expect' has one pattern", "write another line")
        if word.text not in _PATTERNS and "negated" in said and "kind" not in said:
            raise ConfigError(word.location, f"'!' goes before a pattern, not before {quote(word.text)}")
        part(args, said)
    if "kind" not in said:
        raise ConfigError(args.value_location, f"{quote(args.said)} expects a pattern: {', '.join(_PATTERNS)}")
    return Expect(**said)


def _negated(word: Word, args: Args, said: Said) -> Word:
    """``! status`` or ``!status``; the word behind the exclamation marks."""
    while word.text.startswith("!"):
        said["negated"] = not said.get("negated", False)
        text = word.text[1:]
        word = word._replace(text=text) if text else args.need("a pattern behind '!'", "!")
    return word


def _bytes(text: str) -> bytes:
    return os.fsencode(text)


def _status(args: Args, said: Said) -> None:
    word = args.need("codes, such as 200,204,300-399", "status")
    codes = []
    for part in word.text.split(","):
        match = _RANGE.fullmatch(part)
        if match is None or int(match[1]) > int(match[2] or match[1]):
            raise ConfigError(word.location, f"{quote(part)} is no HTTP status or range", "such as 200,204,300-399")
        codes.append((int(match[1]), int(match[2] or match[1])))
    said["kind"], said["codes"] = ExpectKind.STATUS, tuple(codes)


def _text(args: Args, said: Said) -> None:
    said["kind"], said["pattern"] = ExpectKind.BODY, _bytes(args.need("a text", "string").text)


def _regex(kind: ExpectKind) -> Part:
    def parse(args: Args, said: Said) -> None:
        said["kind"], said["pattern"] = kind, _checked(args.need("a regular expression", kind.value))

    return parse


def _checked(word: Word) -> bytes:
    """A regular expression that compiles."""
    source = _bytes(word.text)
    try:
        compile_bytes(source)
    except RegexError as error:
        message = f"{quote(word.text)} is no regular expression that can be used here: {error}"
        raise ConfigError(word.location, message) from None
    return source


def _header(full: bool) -> Part:
    def parse(args: Args, said: Said) -> None:
        said["kind"], said["full"] = ExpectKind.HEADER, full
        keyword = "fhdr" if full else "hdr"
        _matched(args, said, "name", keyword)
        word = args.peek()
        if word is not None and word.text in ("value", *known.HTTP_VALUE_NOT_YET):
            _matched(args, said, "value", keyword)

    return parse


def _matched(args: Args, said: Said, what: str, keyword: str) -> None:
    """``name [-m method] text`` or ``value [-m method] text``."""
    word = args.need(f"'{what}' and a text", keyword)
    if word.text != what:
        if PATTERN_PARTS.knows(word.text):
            PATTERN_PARTS.find(word, args.report)
        raise ConfigError(word.location, f"{quote(keyword)} expects {quote(what)} here, not {quote(word.text)}")
    kind = MatchKind(args.one_of(_METHODS, "method").text) if args.accept("-m") else MatchKind.EXACT
    text = args.need("a text", what)
    said[what] = Match(kind, _checked(text) if kind is MatchKind.REGEX else _bytes(text.text))


def _min_recv(args: Args, said: Said) -> None:
    said["min_recv"] = args.integer(-1)


def _comment(args: Args, said: Said) -> None:
    said["comment"] = args.need("a text").text


def _message(name: str) -> Part:
    """A text, which HAProxy reads as a log format."""

    def parse(args: Args, said: Said) -> None:
        word = args.need("a text")
        if "%" in word.text.replace("%%", ""):
            raise ConfigError(word.location, f"variables in {quote(name)} are not supported yet")
        said[name.replace("-", "_")] = word.text.replace("%%", "%")

    return parse


def _code(name: str, allowed: tuple[str, ...]) -> Part:
    def parse(args: Args, said: Said) -> None:
        said[name.replace("-", "_")] = args.one_of(allowed, "status").text

    return parse


EXPECT: KeywordTable[Part] = KeywordTable(
    "word",
    {
        "status": Keyword(_status, "codes", "the status of the answer, such as 200,204,300-399"),
        "rstatus": Keyword(_regex(ExpectKind.STATUS_REGEX), "regex", "a regular expression for the status"),
        "string": Keyword(_text, "text", "a text somewhere in the body"),
        "rstring": Keyword(_regex(ExpectKind.BODY_REGEX), "regex", "a regular expression for the body"),
        "hdr": Keyword(
            _header(False),
            "name [-m method] name [value [-m method] value]",
            "a header; its value is a list with commas",
        ),
        "fhdr": Keyword(
            _header(True), "name [-m method] name [value [-m method] value]", "a header, with its value as a whole"
        ),
        "min-recv": Keyword(_min_recv, "n", "bytes of the body to wait for before looking at it"),
        "comment": Keyword(_comment, "text", "said when it fails"),
        "ok-status": Keyword(_code("ok-status", _OK), "code", "the code of a success (L7OK)"),
        "error-status": Keyword(_code("error-status", _ERROR), "code", "the code of a failure"),
        "tout-status": Keyword(_code("tout-status", _TIMEOUT), "code", "the code of a time-out (L7TOUT)"),
        "on-success": Keyword(_message("on-success"), "text", "said when it succeeds"),
        "on-error": Keyword(_message("on-error"), "text", "said when it fails, instead of what the server said"),
    },
    not_yet=known.HTTP_EXPECT_NOT_YET,
    within="of 'http-check expect'",
)
_PATTERNS = ("status", "rstatus", "string", "rstring", "hdr", "fhdr")

PATTERN_PARTS: KeywordTable[None] = KeywordTable("word", {}, not_yet=known.HTTP_VALUE_NOT_YET)
