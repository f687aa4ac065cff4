"""Actions of rules that change something about a session and go on with the next rule (HAProxy manual, section 4.4)."""

from __future__ import annotations

from collections.abc import Callable

from fastlb.config.args import Args
from fastlb.config.errors import ConfigError, quote
from fastlb.config.keywords import Keyword
from fastlb.config.lexer import Word
from fastlb.config.logline import LEVELS
from fastlb.config.ruletree import Action, Assign, Kind
from fastlb.config.samplekinds import as_kind, can_be
from fastlb.config.samples import parse_sample
from fastlb.config.units import UnitError, parse_integer

LOG_LEVELS = (*LEVELS, "silent")
MAX_CAPTURED = 1024
MAX_RETRIES = 100

_OF_SOCKETS = {
    "set-tos": Keyword(Action.SET_TOS, "0-255 [condition]", "the TOS byte of packets to the client"),
    "set-fc-tos": Keyword(Action.SET_TOS, "0-255 [condition]", "the same"),
}
_OF_LOGS = {
    "set-log-level": Keyword(Action.SET_LOG_LEVEL, "level|silent [condition]", "the level of its log line, or no line"),
}
REQUEST_ACTS = {
    "capture": Keyword(Action.CAPTURE, "sample len n [condition]", "keep what a sample gives for the log ('%hr')"),
    "expect-proxy": Keyword(Action.EXPECT_PROXY, "layer4 [condition]", "the connection must begin with a PROXY header"),
    **_OF_LOGS,
    "set-retries": Keyword(
        Action.SET_RETRIES, "0-100|sample [condition]", "attempts after the first one that could not connect"
    ),
    "set-priority-class": Keyword(Action.SET_CLASS, "sample [condition]", "lower ones go first out of a queue"),
    "set-priority-offset": Keyword(
        Action.SET_OFFSET, "sample [condition]", "its place in a queue is that of one who came so many ms later"
    ),
    "set-src": Keyword(Action.SET_SRC, "sample [condition]", "the client's address from here on"),
    "set-src-port": Keyword(Action.SET_SRC_PORT, "sample [condition]", "the client's port"),
    "set-dst": Keyword(Action.SET_DST, "sample [condition]", "where the client wanted to go"),
    "set-dst-port": Keyword(Action.SET_DST_PORT, "sample [condition]", "the port it wanted to reach"),
    **_OF_SOCKETS,
}
RESPONSE_ACTS = {**_OF_LOGS, **_OF_SOCKETS}

_NAMES = ("set-src", "set-src-port", "set-dst", "set-dst-port")
_PLACES = {
    "connection": ("expect-proxy", *_OF_SOCKETS),
    "session": (*_OF_SOCKETS, *_NAMES),
    "content": (*RESPONSE_ACTS, "capture", "set-priority-class", "set-priority-offset", "set-retries", *_NAMES),
    "answer": tuple(RESPONSE_ACTS),
}


def parse_act(action: Action, word: Word, args: Args, place: str) -> Assign | None:
    """What follows one of these actions, up to its condition; None for any other. Raises ConfigError."""
    parse = _PARSERS.get(action)
    if parse is None:
        return None
    if word.text not in _PLACES[place]:
        others = [name for name, words in _PLACES.items() if word.text in words and name != "answer"]
        message = f"{quote(word.text)} is not possible in these rules"
        raise ConfigError(word.location, message, f"it belongs in 'tcp-request {others[0]}'")
    return parse(args)


def _sample(kind: Kind) -> Callable[[Args], Assign]:
    def parse(args: Args) -> Assign:
        word = args.need(f"a sample that is {kind.value}")
        sample = parse_sample(word, args.report)
        if sample.kind is Kind.BOOL and kind is Kind.INTEGER:
            return Assign("", sample=sample)
        if not can_be(sample.kind, kind):
            raise ConfigError(word.location, f"{quote(word.text)} is {sample.kind.value}, and must be {kind.value}")
        return Assign("", sample=as_kind(sample, kind, word.location))

    return parse


def _tos(args: Args) -> Assign:
    word = args.need("a number within 0 and 255")
    try:
        return Assign("", number=parse_integer(str(int(word.text, 0)), 0, 255))
    except (UnitError, ValueError):
        raise ConfigError(word.location, f"{quote(word.text)} is no number within 0 and 255") from None


def _retries(args: Args) -> Assign:
    """A number is as good as the sample that gives it."""
    word = args.peek()
    if word is None or not word.text.lstrip("-").isdigit():
        return _sample(Kind.INTEGER)(args)
    return Assign("", sample=parse_sample(word._replace(text=f"int({args.integer(0, MAX_RETRIES)})"), args.report))


def _log_level(args: Args) -> Assign:
    word = args.one_of(LOG_LEVELS, "log level")
    return Assign("", number=1 + LOG_LEVELS.index(word.text))


def _expect_proxy(args: Args) -> Assign:
    args.one_of(("layer4",), "kind of header")
    return Assign("")


def _capture(args: Args) -> Assign:
    sample = parse_sample(args.need("a sample"), args.report)
    if not args.accept("len"):
        word = args.peek() or args.words[-1]
        raise ConfigError(word.location, "'capture' needs the most bytes to keep", "write 'capture SAMPLE len 100'")
    return Assign("", sample=sample, number=args.integer(1, MAX_CAPTURED))


_PARSERS: dict[Action, Callable[[Args], Assign]] = {
    Action.CAPTURE: _capture,
    Action.SET_CLASS: _sample(Kind.INTEGER),
    Action.SET_OFFSET: _sample(Kind.INTEGER),
    Action.SET_SRC: _sample(Kind.ADDRESS),
    Action.SET_SRC_PORT: _sample(Kind.INTEGER),
    Action.SET_DST: _sample(Kind.ADDRESS),
    Action.SET_DST_PORT: _sample(Kind.INTEGER),
    Action.SET_TOS: _tos,
    Action.SET_LOG_LEVEL: _log_level,
    Action.EXPECT_PROXY: _expect_proxy,
    Action.SET_RETRIES: _retries,
}
