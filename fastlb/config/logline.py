"""``log`` lines (HAProxy manual, section 4.2 ``log`` and 3.1 ``log``)."""

from __future__ import annotations

import re

from fastlb.config.address import expand_address
from fastlb.config.args import Args
from fastlb.config.errors import ConfigError, quote
from fastlb.config.keywords import numbered
from fastlb.config.logtarget import parse_target
from fastlb.config.tree import LogGlobal, LogLine, LogSample, RingTarget

DEFAULT_FORMAT = "local"
DEFAULT_LENGTH = 1024
FORMATS = ("local", "rfc3164", "rfc5424", "priority", "short", "timed", "iso", "raw")
FACILITIES = numbered(
    """kern user mail daemon auth syslog lpr news uucp cron auth2 ftp ntp audit alert cron2
    local0 local1 local2 local3 local4 local5 local6 local7"""
)
LEVELS = numbered("emerg alert crit err warning notice info debug")
_SAMPLE = re.compile(r"([0-9]{1,9}(?:-[0-9]{1,9})?(?:,[0-9]{1,9}(?:-[0-9]{1,9})?)*),?:([0-9]{1,9})")


def parse_log(args: Args) -> LogLine | LogGlobal:
    """Read what follows ``log``: ``global``, or a target with its options. Raises ConfigError."""
    word = args.need("'global' or '<target> [len n] [format f] <facility> [max-level [min-level]]'")
    if word.text == "global":
        args.end()
        return LogGlobal(word.location)
    target = parse_target(expand_address(word, args.environ, args.report), word.location)
    usual_length, usual_format = (0, "") if isinstance(target, RingTarget) else (DEFAULT_LENGTH, DEFAULT_FORMAT)
    length = args.integer(80, 65535) if args.accept("len") else usual_length
    format_ = args.one_of(FORMATS, "log format").text if args.accept("format") else usual_format
    sample = _sample(args) if args.accept("sample") else None
    _refuse_profile(args)
    facility = FACILITIES[args.one_of(FACILITIES, "log facility").text]
    max_level = LEVELS[args.one_of(LEVELS, "log level").text] if args.peek() else LEVELS["debug"]
    min_level = LEVELS[args.one_of(LEVELS, "log level").text] if args.peek() else LEVELS["emerg"]
    args.end()
    return LogLine(target, word.location, format_, facility, max_level, min_level, length, sample)


def _sample(args: Args) -> LogSample:
    """``1,3-4:5``: the ranges in any order."""
    word = args.need("ranges and a size, such as '1,3-4:5'")
    found = _SAMPLE.fullmatch(word.text)
    if found is None:
        hint = "write ranges, a colon, and how many lines are counted: '1,3-4:5'"
        raise ConfigError(word.location, f"{quote(word.text)} is no sample of lines", hint)
    ends = (part.partition("-") for part in found[1].split(",") if part)
    ranges = tuple(sorted((int(low), int(high or low)) for low, _, high in ends))
    size = int(found[2])
    for (low, high), (following, _) in zip(ranges, (*ranges[1:], (size + 1, 0)), strict=True):
        if not 1 <= low <= high < following:
            message = f"the ranges of {quote(word.text)} must rise, not overlap, and lie within 1 and {size}"
            raise ConfigError(word.location, message)
    return LogSample(ranges, size)


def _refuse_profile(args: Args) -> None:
    word = args.peek()
    if word is not None and word.text == "profile":
        raise ConfigError(word.location, f"{quote(word.text)} of a 'log' line is not supported yet")
