"""``stick-table`` and ``stick`` lines, and the actions of rules on tables (HAProxy manual, section 4.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from fastlb.config.acl import parse_condition
from fastlb.config.args import MAX_COUNT, Args
from fastlb.config.errors import ConfigError, NotSupported, quote
from fastlb.config.keywords import Keyword, KeywordTable, words
from fastlb.config.lexer import Word
from fastlb.config.ruletree import Action, Kind, Rule, StoreLine, TableLine, TableUse
from fastlb.config.samples import parse_sample
from fastlb.config.tablewords import MAX_ARRAY, STORES, TRACKS, Stored
from fastlb.config.units import UnitError, parse_integer, parse_size, parse_time
from fastlb.config.variables import split_call

TYPES = {"ip": 4, "ipv4": 4, "ipv6": 16, "integer": 4, "string": 32, "binary": 32}
MAX_KEY_BYTES = 1024
MAX_STICKS = 64


def parse_stick_table(args: Args) -> TableLine:
    """Read what follows ``stick-table``: words in any order, of which 'type' and 'size' must be there."""
    said: dict[str, Any] = {}
    stored: list[StoreLine] = []
    while (word := args.take()) is not None:
        name = OPTIONS.find(word, args.report)
        if name == "store":
            stored += _stores(args)
        elif name is not None:
            if name in said:
                raise ConfigError(word.location, f"{quote(word.text)} is said twice")
            said[name] = _READ[name](args)
    for name in ("type", "size"):
        if name not in said:
            hint = "write 'stick-table type ip size 100k expire 30m'"
            raise ConfigError(args.location, f"the stick table has no {quote(name)}", hint)
    kind, key_bytes = said["type"]
    return TableLine(
        kind,
        key_bytes,
        said["size"],
        said.get("expire", 0),
        "nopurge" in said,
        _without_duplicates(stored),
        args.location,
        " ".join(word.text for word in args.words),
    )


def _type(args: Args) -> tuple[str, int]:
    name = args.one_of(tuple(TYPES), "type").text
    key_bytes = TYPES[name]
    if name in ("string", "binary") and args.accept("len"):
        key_bytes = args.integer(1, MAX_KEY_BYTES)
    return ("ip" if name == "ipv4" else name), key_bytes


def _size(args: Args) -> int:
    word = args.need("a number of entries, such as 100k")
    try:
        size = parse_size(word.text)
    except UnitError:
        message = f"'size' cannot be {quote(word.text)}: it is a whole number, with k or m for multiples of 1024"
        raise ConfigError(word.location, message) from None
    if not 1 <= size <= MAX_COUNT:
        raise ConfigError(word.location, f"'size' cannot be {quote(word.text)}: it must be within 1 and {MAX_COUNT}")
    return size


def _srvkey(args: Args) -> None:
    word = args.one_of(("name", "addr"), "key")
    if word.text == "addr":
        raise NotSupported(word.location, "'srvkey addr' is not supported yet: servers are known by their names")


_READ: dict[str, Callable[[Args], Any]] = {
    "type": _type,
    "size": _size,
    "expire": lambda args: args.time_ms(1),
    "nopurge": lambda args: True,
    "srvkey": _srvkey,
}
OPTIONS: KeywordTable[str] = KeywordTable(
    "word",
    {
        "type": Keyword("type", "ip | ipv6 | integer | string [len n] | binary [len n]", "what its keys are"),
        "size": Keyword("size", "n", "how many entries it has room for; k and m are multiples of 1024"),
        "expire": Keyword("expire", "time", "an entry that is not used for so long is given up (never)"),
        "nopurge": Keyword("nopurge", "", "a full table takes no new entry; otherwise the oldest one makes room"),
        "store": Keyword("store", "counter[,counter…]", "what is counted of each key"),
        "srvkey": Keyword("srvkey", "name", "how a server is known again: by its name"),
    },
    not_yet=words("brates-factor peers recv-only write-to"),
    prefix="stick-table … ",
    within="of a stick table",
)


# ---- store -------------------------------------------------------------------------------------------------------


def _stores(args: Args) -> list[StoreLine]:
    word = args.need("a list of what to count, such as conn_cur,conn_rate(10s)")
    found, column = [], 0
    for text in _split(word.text):
        one = word._replace(text=text, column=word.column + column)
        column += len(text) + 1
        name, given = split_call(one)
        stored = STORES.find(name, args.report)
        if stored is not None:
            found.append(_store(name, stored, given or ()))
    return found


def _split(text: str) -> list[str]:
    """At commas outside of parentheses."""
    parts, depth = [""], 0
    for char in text:
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    return parts


def _store(name: Word, stored: Stored, given: tuple[str, ...]) -> StoreLine:
    usage = STORES.supported[name.text].usage
    if len(given) != stored.counted + stored.rate:
        raise ConfigError(
            name.location, f"{quote(name.text)} has {len(given)} arguments", f"write '{name.text}{usage}'"
        )
    try:
        count = parse_integer(given[0], 1, MAX_ARRAY) if stored.counted else 1
        period = parse_time(given[-1]).ms if stored.rate else 0
    except UnitError as failure:
        raise ConfigError(
            name.location, f"{quote(name.text)} cannot have {quote(','.join(given))}: {failure}"
        ) from None
    if stored.rate and not period:
        raise ConfigError(name.location, f"the period of {quote(name.text)} cannot be 0")
    return StoreLine(name.text, count, period, name.location)


def _without_duplicates(stored: list[StoreLine]) -> tuple[StoreLine, ...]:
    first: dict[str, StoreLine] = {}
    for one in stored:
        if one.name in first:
            raise ConfigError(one.location, f"{quote(one.name)} is stored twice")
        first[one.name] = one
    for array, single in (("gpc", "gpc0"), ("gpc", "gpc1"), ("gpc_rate", "gpc0_rate"), ("gpc_rate", "gpc1_rate"),
                          ("gpt", "gpt0")):  # fmt: skip
        if array in first and single in first:
            message = f"{quote(single)} and {quote(array)} cannot be stored in one table"
            raise ConfigError(first[single].location, message, f"{quote(single)} is the first one of {quote(array)}")
    return tuple(first.values())


# ---- stick and actions -------------------------------------------------------------------------------------------


def parse_stick(args: Args, acls: Mapping[str, object]) -> Rule:
    """Read what follows ``stick``."""
    word = args.need(f"one of {', '.join(STICKS.supported)}")
    flags = STICKS.find(word, args.report)
    assert flags is not None  # the table ignores nothing
    sample = parse_sample(args.need("a sample to find a client again by, such as 'src'"), args.report)
    use = TableUse(sample, _table(args), flags=flags)
    return Rule(Action.STICK, parse_condition(args, acls), args.location, use=use)


def _table(args: Args) -> Word | None:
    return args.need("the name of a proxy section that has a stick table") if args.accept("table") else None


def parse_use(name: Word, arguments: tuple[str, ...] | None, args: Args) -> TableUse:
    """What ``track-sc0`` and its like, or ``sc-inc-gpc0(0)`` and its like, do with a table."""
    if name.text.startswith("track-"):
        sample = parse_sample(args.need("a sample, such as 'src'"), args.report)
        return TableUse(sample, _table(args), track=int(name.text[-1]))
    given, indexed = arguments or (), not name.text.endswith(("0", "1"))
    if len(given) != 1 + indexed:
        usage = f"{name.text}({'index,' if indexed else ''}track)"
        raise ConfigError(name.location, f"{quote(name.text)} has {len(given)} arguments", f"write '{usage}'")
    try:
        index = parse_integer(given[0], 0, MAX_ARRAY - 1) if indexed else 0
        track = parse_integer(given[-1], 0, TRACKS - 1)
    except UnitError as failure:
        raise ConfigError(
            name.location, f"{quote(name.text)} cannot have {quote(','.join(given))}: {failure}"
        ) from None
    operation, data = name.text.split("-")[1:]
    use = TableUse(None, None, track=track, operation=operation, data=data, index=index)
    return use if operation == "inc" else _with_value(use, args)


def _with_value(use: TableUse, args: Args) -> TableUse:
    word = args.need("a number, or a sample that gives one")
    if word.text[0] in "-0123456789":
        try:
            return replace(use, value=parse_integer(word.text, 0, 0xFFFFFFFF))
        except UnitError as failure:
            raise ConfigError(word.location, f"{quote(args.said)} is not possible: {failure}") from None
    sample = parse_sample(word, args.report)
    if sample.kind not in (Kind.INTEGER, Kind.BOOL, Kind.ANY):
        raise ConfigError(word.location, f"{quote(word.text)} is {sample.kind.value}, and a number is needed")
    return replace(use, sample=sample)


MATCH, STORE, STORE_ANSWER = 1, 2, 4
STICKS: KeywordTable[int] = KeywordTable(
    "'stick' rule",
    {
        "on": Keyword(
            MATCH | STORE, "sample [table name] [condition]", "a client that comes back gets the server it had"
        ),
        "match": Keyword(MATCH, "sample [table name] [condition]", "the first half: looks the client up"),
        "store-request": Keyword(STORE, "sample [table name] [condition]", "the second half: stores the server"),
        "store-response": Keyword(
            STORE_ANSWER, "sample [table name] [condition]", "stores the server under what it has said"
        ),
    },
    prefix="stick ",
)

COUNT_ACTIONS: dict[str, Keyword[Action]] = {
    "sc-inc-gpc0": Keyword(Action.COUNT, "(track) [condition]", "increment gpc0 of what is tracked"),
    "sc-inc-gpc1": Keyword(Action.COUNT, "(track) [condition]", "increment gpc1 of what is tracked"),
    "sc-inc-gpc": Keyword(Action.COUNT, "(index,track) [condition]", "increment a counter of what is tracked"),
    "sc-add-gpc": Keyword(
        Action.COUNT, "(index,track) number|sample [condition]", "add to a counter of what is tracked"
    ),
    "sc-set-gpt0": Keyword(Action.COUNT, "(track) number|sample [condition]", "set gpt0 of what is tracked"),
    "sc-set-gpt": Keyword(Action.COUNT, "(index,track) number|sample [condition]", "set a number of what is tracked"),
}
TABLE_ACTIONS: dict[str, Keyword[Action]] = {
    **{
        f"track-sc{n}": Keyword(
            Action.TRACK, "sample [table name] [condition]", "count the connection in a stick table until it ends"
        )
        for n in range(TRACKS)
    },
    **COUNT_ACTIONS,
}
