"""Converters that compute: of numbers, texts and bytes (HAProxy manual, section 7.3.1)."""

from __future__ import annotations

from fastlb.config.keywords import Keyword
from fastlb.config.ruletree import Kind
from fastlb.config.sampletypes import Converter

_NUMBERS = (Kind.INTEGER, Kind.BOOL, Kind.VERSION)
_TEXT = (Kind.TEXT, Kind.BYTES)
_BYTES = (Kind.BYTES, Kind.TEXT)


def _arithmetic(usage: str, text: str) -> Keyword[Converter]:
    return Keyword(Converter(_NUMBERS, Kind.INTEGER, ("value",) if usage else ()), usage, text)


def _truth(text: str) -> Keyword[Converter]:
    return Keyword(Converter(_NUMBERS, Kind.BOOL), "", text)


def _text(text: str, *arguments: str, usage: str = "") -> Keyword[Converter]:
    return Keyword(Converter(_TEXT, Kind.TEXT, arguments), usage, text)


def _hash(text: str, argument: str = "avalanche?") -> Keyword[Converter]:
    return Keyword(Converter(_BYTES, Kind.INTEGER, (argument,)), f"[({argument.rstrip('?')})]", text)


NUMBERS = {
    "add": _arithmetic("(n)", "plus n"),
    "sub": _arithmetic("(n)", "minus n"),
    "mul": _arithmetic("(n)", "times n"),
    "div": _arithmetic("(n)", "divided by n"),
    "mod": _arithmetic("(n)", "the rest of a division by n"),
    "and": _arithmetic("(n)", "the bits that n has, too"),
    "or": _arithmetic("(n)", "its bits and those of n"),
    "xor": _arithmetic("(n)", "the bits that one of both has"),
    "cpl": _arithmetic("", "all bits turned over"),
    "neg": _arithmetic("", "minus itself"),
    "not": _truth("whether it is 0"),
    "bool": _truth("whether it is not 0"),
    "even": _truth("whether 2 divides it"),
    "odd": _truth("whether 2 does not divide it"),
    "htonl": Keyword(Converter(_NUMBERS, Kind.BYTES), "", "its lowest 32 bits as four bytes, the highest first"),
    "iif": Keyword(
        Converter((Kind.BOOL, Kind.INTEGER, Kind.VERSION), Kind.TEXT, ("text", "text")),
        "(yes,no)",
        "the first text where it is true, else the second",
    ),
    "ltime": Keyword(
        Converter(_NUMBERS, Kind.TEXT, ("format", "seconds?")),
        "(format[,seconds])",
        "local time, as strftime(3) has it",
    ),
    "utime": Keyword(Converter(_NUMBERS, Kind.TEXT, ("format", "seconds?")), "(format[,seconds])", "the same, of UTC"),
}

TEXTS = {
    "length": Keyword(Converter(_TEXT, Kind.INTEGER), "", "how many bytes it has"),
    "concat": _text("with a text behind it", "text?", "variable between?", "text?", usage="([text[,,text]])"),
    "ltrim": _text("without these characters at its start", "characters", usage="(characters)"),
    "rtrim": _text("without these characters at its end", "characters", usage="(characters)"),
    "reverse": _text("its last byte first"),
    "cut_crlf": _text("up to its first line end"),
    "url_dec": _text("with what '%' encodes in URLs decoded", "in_form?", usage="[(in_form)]"),
    "regsub": _text(
        "with what matches replaced",
        "regular expression",
        "replacement",
        "flags?",
        usage="(regular expression,replacement[,flags])",
    ),
    "bytes": Keyword(Converter(_BYTES, Kind.BYTES, ("offset", "length?")), "(offset[,length])", "some of its bytes"),
}

ENCODINGS = {
    "hex": Keyword(Converter(_BYTES, Kind.TEXT), "", "its bytes as hexadecimal digits"),
    "hex2i": Keyword(Converter(_TEXT, Kind.INTEGER), "", "the number that hexadecimal digits make"),
    "base64": Keyword(Converter(_BYTES, Kind.TEXT), "", "in Base64"),
    "b64dec": Keyword(Converter(_TEXT, Kind.BYTES), "", "out of Base64"),
    "ub64enc": Keyword(Converter(_BYTES, Kind.TEXT), "", "in Base64 for URLs"),
    "ub64dec": Keyword(Converter(_TEXT, Kind.BYTES), "", "out of Base64 for URLs"),
    "be2dec": Keyword(
        Converter(_BYTES, Kind.TEXT, ("separator", "chunk_size", "truncate?")),
        "(separator,chunk_size[,truncate])",
        "numbers of so many bytes, the highest first",
    ),
    "be2hex": Keyword(
        Converter(_BYTES, Kind.TEXT, ("separator?", "bytes?", "truncate?")),
        "[(separator[,bytes[,truncate]])]",
        "hexadecimal digits, with a separator after so many bytes",
    ),
}

HASHES = {
    "crc32": _hash("CRC-32"),
    "crc32c": _hash("CRC-32C, as iSCSI and SCTP have it"),
    "djb2": _hash("the hash function of this name"),
    "sdbm": _hash("the hash function of this name"),
    "wt6": _hash("the hash function of this name"),
    "xxh32": _hash("XXH32", "value?"),
    "xxh64": _hash("XXH64", "value?"),
}

PROTOCOLS = {
    "mqtt_is_valid": Keyword(Converter(_BYTES, Kind.BOOL), "", "whether it is a CONNECT packet of MQTT"),
    "mqtt_field_value": Keyword(
        Converter(_BYTES, Kind.TEXT, ("packet", "field")), "(connect,field)", "a field of a CONNECT packet of MQTT"
    ),
    "fix_is_valid": Keyword(Converter(_BYTES, Kind.BOOL), "", "whether it is a message of FIX"),
    "fix_tag_value": Keyword(Converter(_BYTES, Kind.TEXT, ("tag",)), "(tag)", "a field of a message of FIX"),
}

CONVERTERS = {**NUMBERS, **TEXTS, **ENCODINGS, **HASHES, **PROTOCOLS}
