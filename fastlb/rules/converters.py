"""Converters to the words of a rule_converter: kind, match, values, first, second, text, size and 0."""

from __future__ import annotations

from collections.abc import Callable

from fastlb.config.errors import ConfigError
from fastlb.config.ruletree import Part
from fastlb.config.samplearguments import BOOLEANS, FIX_TAGS, JSON_CODES, MQTT_FIELDS, is_variable
from fastlb.rules.model import NO_INDEX, Convert
from fastlb.rules.regex import RegexError, compile_regex
from fastlb.rules.table import Table

Row = tuple[int, ...]
NumberOf = Callable[[str], int]
_LOW = 0xFFFFFFFF


def compile_converter(part: Part, table: Table, variable: NumberOf) -> Row:
    """The words of any converter but a map; ``variable`` gives the number of one. Raises ConfigError."""
    kind = Convert[part.name.replace(" ", "_").upper()]
    if kind in _OF_VARIABLES:
        return _OF_VARIABLES[kind](kind, part, table, variable)
    return _ROWS.get(kind, _plain)(kind, part, table)


def split_number(number: int) -> tuple[int, int]:
    """A number of 64 bits as two words, the lower one first."""
    return number & _LOW, number >> 32 & _LOW


def encoded(text: str) -> bytes:
    """The bytes of a text of the configuration."""
    return text.encode("utf-8", "surrogateescape")


def _plain(kind: Convert, part: Part, table: Table) -> Row:
    """One number, or none."""
    numbers = [BOOLEANS[text] if text in BOOLEANS else int(text) for text in part.arguments]
    return kind, 0, NO_INDEX, *(*numbers, 0, 0)[:2], NO_INDEX, 0, 0


def _mask(kind: Convert, part: Part, table: Table) -> Row:
    """Without a mask for IPv6, such an address counts as none."""
    return kind, 0, NO_INDEX, *(*map(int, part.arguments), NO_INDEX)[:2], NO_INDEX, 0, 0


def _number(kind: Convert, part: Part, table: Table) -> Row:
    return kind, 0, NO_INDEX, *split_number(int(part.arguments[0]) if part.arguments else 0), NO_INDEX, 0, 0


def _part(kind: Convert, part: Part, table: Table) -> Row:
    number, delimiters, *count = part.arguments
    text = table.text(encoded(delimiters))
    return kind, 0, NO_INDEX, int(number) & _LOW, int(count[0]) if count else 1, *text, 0


def _operand(kind: Convert, part: Part, table: Table, variable: NumberOf) -> Row:
    (text,) = part.arguments
    if is_variable(text):
        return kind, 0, variable(text), 0, 0, NO_INDEX, 0, 0
    return _number(kind, part, table)


def _texts(kind: Convert, part: Part, table: Table, variable: NumberOf) -> Row:
    """The texts are one; the first number is how much of it stands before the variable."""
    before, between, behind = (*part.arguments, "", "", "")[:3]
    number = variable(between) if between else NO_INDEX
    return kind, 0, number, len(encoded(before)), 0, *table.text(encoded(before + behind)), 0


def _slice(kind: Convert, part: Part, table: Table, variable: NumberOf) -> Row:
    """Offset and length; the number of a variable that has either stands where others have values and text."""
    offset, length = (*part.arguments, str(NO_INDEX))[:2]
    numbers = [0 if is_variable(text) else int(text) for text in (offset, length)]
    variables = [variable(text) if is_variable(text) else NO_INDEX for text in (offset, length)]
    return kind, 0, variables[0], *numbers, variables[1], 0, 0


def _compared(kind: Convert, part: Part, table: Table, variable: NumberOf) -> Row:
    return kind, 0, variable(part.arguments[0]), 0, 0, NO_INDEX, 0, 0


def _text(kind: Convert, part: Part, table: Table) -> Row:
    return kind, 0, NO_INDEX, 0, 0, *table.text(encoded(part.arguments[0])), 0


def _choice(kind: Convert, part: Part, table: Table) -> Row:
    yes, no = map(encoded, part.arguments)
    return kind, 0, table.value(no), 0, 0, *table.text(yes), 0


def _time(kind: Convert, part: Part, table: Table) -> Row:
    form, *seconds = part.arguments
    return kind, 0, NO_INDEX, *split_number(int(seconds[0]) if seconds else 0), *table.text(encoded(form) + b"\0"), 0


def _chunks(kind: Convert, part: Part, table: Table) -> Row:
    separator, size, truncate = (*part.arguments, "", "", "")[:3]
    return kind, 0, NO_INDEX, int(size or 0), BOOLEANS.get(truncate, 0), *table.text(encoded(separator)), 0


def _mqtt_field(kind: Convert, part: Part, table: Table) -> Row:
    return kind, 0, NO_INDEX, MQTT_FIELDS[part.arguments[1].lower()], 0, NO_INDEX, 0, 0


def _fix_tag(kind: Convert, part: Part, table: Table) -> Row:
    tag = part.arguments[0]
    return kind, 0, NO_INDEX, FIX_TAGS.get(tag) or int(tag), 0, NO_INDEX, 0, 0


def _sha(kind: Convert, part: Part, table: Table) -> Row:
    """How many bits the digest has."""
    bits = 160 if kind is Convert.SHA1 else int(part.arguments[0]) if part.arguments else 256
    return kind, 0, NO_INDEX, bits, 0, NO_INDEX, 0, 0


def _json(kind: Convert, part: Part, table: Table) -> Row:
    return kind, 0, NO_INDEX, JSON_CODES[part.arguments[0] if part.arguments else ""], 0, NO_INDEX, 0, 0


def _bare(kind: Convert, part: Part, table: Table) -> Row:
    """The only argument there is says nothing."""
    return kind, 0, NO_INDEX, 0, 0, NO_INDEX, 0, 0


def _substitution(kind: Convert, part: Part, table: Table) -> Row:
    text, replacement, flags = (*part.arguments, "")[:3]
    try:
        regex = compile_regex(encoded(text), ignore_case="i" in flags, captures=True)
    except RegexError as failure:
        raise regex_refused(part, text, failure) from None
    return kind, 0, table.add(table.regex(regex)), "g" in flags, 0, *table.text(encoded(replacement)), 0


def regex_refused(part: Part, text: str, failure: RegexError) -> ConfigError:
    """What is said of a regular expression that cannot be had."""
    return ConfigError(part.location, f"the regular expression '{text}' cannot be used: {failure}")


_ROWS: dict[Convert, Callable[[Convert, Part, Table], Row]] = {
    Convert.IPMASK: _mask,
    **dict.fromkeys((Convert.FIELD, Convert.WORD), _part),
    **dict.fromkeys((Convert.XXH32, Convert.XXH64), _number),
    **dict.fromkeys((Convert.LTRIM, Convert.RTRIM), _text),
    **dict.fromkeys(
        (Convert.LTIME, Convert.UTIME, Convert.MS_LTIME, Convert.MS_UTIME, Convert.US_LTIME, Convert.US_UTIME), _time
    ),
    **dict.fromkeys((Convert.BE2DEC, Convert.LE2DEC, Convert.BE2HEX), _chunks),
    **dict.fromkeys((Convert.SHA1, Convert.SHA2), _sha),
    Convert.JSON: _json,
    Convert.URL_ENC: _bare,
    Convert.IIF: _choice,
    Convert.REGSUB: _substitution,
    Convert.MQTT_FIELD_VALUE: _mqtt_field,
    Convert.FIX_TAG_VALUE: _fix_tag,
}
_OF_VARIABLES: dict[Convert, Callable[[Convert, Part, Table, NumberOf], Row]] = {
    **dict.fromkeys(
        (Convert.ADD, Convert.SUB, Convert.MUL, Convert.DIV, Convert.MOD, Convert.AND, Convert.OR, Convert.XOR),
        _operand,
    ),
    Convert.CONCAT: _texts,
    Convert.BYTES: _slice,
    **dict.fromkeys((Convert.STRCMP, Convert.SECURE_MEMCMP), _compared),
}
