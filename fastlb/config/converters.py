"""Converters that compute: of numbers, texts and bytes (HAProxy manual, section 7.3.1)."""

from __future__ import annotations

from fastlb.config.keywords import Keyword
from fastlb.config.ruletree import Kind
from fastlb.config.sampletypes import Converter

_NUMBERS = (Kind.INTEGER, Kind.BOOL, Kind.VERSION)
_TEXT = (Kind.TEXT, Kind.BYTES)
_BYTES = (Kind.BYTES, Kind.TEXT)


def _arithmetic(usage: str, text: str) -> Keyword[Converter]:
    return Keyword(Converter(_NUMBERS, Kind.INTEGER, ("value or variable",) if usage else ()), usage, text)


def _truth(text: str) -> Keyword[Converter]:
    return Keyword(Converter(_NUMBERS, Kind.BOOL), "", text)


def _text(text: str, *arguments: str, usage: str = "") -> Keyword[Converter]:
    return Keyword(Converter(_TEXT, Kind.TEXT, arguments), usage, text)


def _time(text: str) -> Keyword[Converter]:
    return Keyword(Converter(_NUMBERS, Kind.TEXT, ("format", "time?")), "(format[,time])", text)


def _hash(text: str, argument: str = "avalanche?") -> Keyword[Converter]:
    return Keyword(Converter(_BYTES, Kind.INTEGER, (argument,)), f"[({argument.rstrip('?')})]", text)


NUMBERS = {
    "add": _arithmetic("(n|variable)", "plus n"),
    "sub": _arithmetic("(n|variable)", "minus n"),
    "mul": _arithmetic("(n|variable)", "times n"),
    "div": _arithmetic("(n|variable)", "divided by n"),
    "mod": _arithmetic("(n|variable)", "the rest of a division by n"),
    "and": _arithmetic("(n|variable)", "the bits that n has, too"),
    "or": _arithmetic("(n|variable)", "its bits and those of n"),
    "xor": _arithmetic("(n|variable)", "the bits that one of both has"),
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
    "ms_ltime": _time("local time of a number of ms; '%3N' is its milliseconds"),
    "ms_utime": _time("the same, of UTC"),
    "us_ltime": _time("local time of a number of µs; '%6N' is its microseconds"),
    "us_utime": _time("the same, of UTC"),
}

TEXTS = {
    "length": Keyword(Converter(_TEXT, Kind.INTEGER), "", "how many bytes it has"),
    "concat": _text(
        "with texts behind it, and what a variable holds between them",
        "text?",
        "variable between?",
        "text?",
        usage="([text[,variable[,text]]])",
    ),
    "ltrim": _text("without these characters at its start", "characters", usage="(characters)"),
    "rtrim": _text("without these characters at its end", "characters", usage="(characters)"),
    "reverse": _text("its last byte first"),
    "reverse_dom": _text("the part behind its last dot first: com.example.www"),
    "cut_crlf": _text("up to its first line end"),
    "url_enc": _text("as it stands in queries of URLs", "encoding?", usage="[(query)]"),
    "json": _text("as it stands in strings of JSON", "input code?", usage="[(ascii|utf8|utf8s|utf8p|utf8ps)]"),
    "url_dec": _text("with what '%' encodes in URLs decoded", "in_form?", usage="[(in_form)]"),
    "regsub": _text(
        "with what matches replaced",
        "regular expression",
        "replacement",
        "flags?",
        usage="(regular expression,replacement[,flags])",
    ),
    "bytes": Keyword(
        Converter(_BYTES, Kind.BYTES, ("offset or variable", "length or variable?")),
        "(offset|variable[,length|variable])",
        "some of its bytes",
    ),
}

COMPARISONS = {
    "strcmp": Keyword(
        Converter(_TEXT, Kind.INTEGER, ("variable",)),
        "(variable)",
        "0 if a variable holds the same text, less if it comes before that one, else more",
    ),
    "secure_memcmp": Keyword(
        Converter(_BYTES, Kind.BOOL, ("variable",)),
        "(variable)",
        "whether a variable holds the same bytes, in a time that does not tell which of them differ",
    ),
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
    "le2dec": Keyword(
        Converter(_BYTES, Kind.TEXT, ("separator", "chunk_size", "truncate?")),
        "(separator,chunk_size[,truncate])",
        "the same, the lowest byte first",
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
    "sha1": Keyword(Converter(_BYTES, Kind.BYTES), "", "SHA-1, 20 bytes"),
    "sha2": Keyword(
        Converter(_BYTES, Kind.BYTES, ("number of bits?",)), "[(224|256|384|512)]", "SHA-2, of 256 bits if none"
    ),
}

NAMED = {
    "nbsrv": Keyword(Converter(_TEXT, Kind.INTEGER), "", "servers that can be used of the backend of this name"),
    "srv_is_up": Keyword(Converter(_TEXT, Kind.BOOL), "", "whether the server of this name, [backend/]server, is up"),
    "srv_queue": Keyword(Converter(_TEXT, Kind.INTEGER), "", "sessions that wait for it"),
}

PROTOCOLS = {
    "mqtt_is_valid": Keyword(Converter(_BYTES, Kind.BOOL), "", "whether it is a CONNECT packet of MQTT"),
    "mqtt_field_value": Keyword(
        Converter(_BYTES, Kind.TEXT, ("packet", "field")), "(connect,field)", "a field of a CONNECT packet of MQTT"
    ),
    "fix_is_valid": Keyword(Converter(_BYTES, Kind.BOOL), "", "whether it is a message of FIX"),
    "fix_tag_value": Keyword(Converter(_BYTES, Kind.TEXT, ("tag",)), "(tag)", "a field of a message of FIX"),
}

CONVERTERS = {**NUMBERS, **TEXTS, **COMPARISONS, **ENCODINGS, **HASHES, **NAMED, **PROTOCOLS}
