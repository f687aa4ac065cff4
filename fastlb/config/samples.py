"""Samples: what a rule can look at, and what can be made of it (HAProxy manual, sections 7.3.1 and 7.3.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from fastlb.config import knownrules as known
from fastlb.config.errors import ConfigError, Report, quote
from fastlb.config.keywords import Keyword, KeywordTable
from fastlb.config.lexer import Word
from fastlb.config.ruletree import Kind, Part, Sample
from fastlb.config.samplekinds import as_kind, can_be
from fastlb.config.units import UnitError, parse_integer

MAX_OFFSET = 15360
_VARIABLE = re.compile(r"(?:sess|txn|req|res)\.[A-Za-z0-9_.]+")
_PLACE = re.compile("[+-]?[0-9]{1,4}")
_PLACE_HINT = "write a number; with + or - before it, it counts from the end of the length"
_PART = re.compile(r"([^,()]+)(?:\(([^)]*)\))?")


@dataclass(frozen=True, slots=True)
class Fetch:
    """``arguments`` are their kinds, a ``?`` behind those that may be left out; ``name`` where it is another's alias.

    ``content``: it looks at what the client has sent; ``answer``: at what the server has sent.
    """

    kind: Kind
    arguments: tuple[str, ...] = ()
    content: bool = False
    answer: bool = False
    name: str = ""


@dataclass(frozen=True, slots=True)
class Converter:
    """Takes any of ``takes`` and gives ``gives``, or what it took."""

    takes: tuple[Kind, ...]
    gives: Kind | None = None
    arguments: tuple[str, ...] = ()


def parse_sample(word: Word, report: Report) -> Sample:
    """Read ``fetch(arguments),converter(arguments),…``. Raises ConfigError."""
    parts = _split(word)
    first, arguments = parts[0]
    fetch = FETCHES.find(first, report)
    if fetch is None:
        raise ConfigError(first.location, f"{quote(first.text)} has no meaning here")
    _check_arguments(first, arguments, fetch.arguments)
    sample = Sample(
        Part(fetch.name or first.text, arguments, first.location), (), fetch.kind, fetch.content, fetch.answer
    )
    for name, given in parts[1:]:
        sample = _converted(sample, name, given, report)
    return sample


def _converted(sample: Sample, name: Word, arguments: tuple[str, ...], report: Report) -> Sample:
    converter = CONVERTERS.find(name, report)
    assert converter is not None  # the table ignores nothing
    _check_arguments(name, arguments, converter.arguments)
    if sample.kind not in converter.takes and can_be(sample.kind, converter.takes[0]):
        sample = as_kind(sample, converter.takes[0], name.location)
    elif sample.kind not in converter.takes:
        takes = " or ".join(kind.value for kind in converter.takes)
        message = f"{quote(name.text)} takes {takes}, and what stands before it is {sample.kind.value}"
        raise ConfigError(name.location, message)
    part = Part(name.text, arguments, name.location)
    return replace(sample, converters=(*sample.converters, part), kind=converter.gives or sample.kind)


def _split(word: Word) -> list[tuple[Word, tuple[str, ...]]]:
    """The parts of a sample: each name, with its place, and its arguments."""
    parts: list[tuple[Word, tuple[str, ...]]] = []
    at = 0
    while True:
        found = _PART.match(word.text, at)
        if found is None:
            raise ConfigError(word.location, f"a name is missing in {quote(word.text)}")
        name = word._replace(text=found[1], column=word.column + at)
        parts.append((name, tuple(found[2].split(",")) if found[2] else ()))
        at = found.end()
        if at == len(word.text):
            return parts
        if word.text[at] != ",":
            message = f"{quote(word.text[at:])} cannot follow {quote(found[0])}"
            raise ConfigError(word.location, message, "parts are written 'name(arguments)', with commas between them")
        at += 1


def _check_arguments(name: Word, given: tuple[str, ...], kinds: tuple[str, ...]) -> None:
    needed = sum(not kind.endswith("?") for kind in kinds)
    if not needed <= len(given) <= len(kinds):
        wanted = ",".join(kind.rstrip("?") for kind in kinds)
        hint = f"write '{name.text}({wanted})'" if wanted else f"write {quote(name.text)}"
        raise ConfigError(name.location, f"{quote(name.text)} has {len(given)} arguments", hint)
    for kind, text in zip(kinds, given, strict=False):
        _check_argument(name, kind.rstrip("?"), text)


def _check_argument(name: Word, kind: str, text: str) -> None:
    limits = _LIMITS.get(kind)
    if kind == "text_offset" and not _PLACE.fullmatch(text):
        raise ConfigError(name.location, f"the offset of {quote(name.text)} cannot be {quote(text)}", _PLACE_HINT)
    try:
        if limits:
            parse_integer(text, *limits)
    except UnitError as failure:
        message = f"the {kind} of {quote(name.text)} cannot be {quote(text)}: {failure}"
        raise ConfigError(name.location, message) from None
    if kind == "variable" and not _VARIABLE.fullmatch(text):
        raise ConfigError(name.location, f"{quote(text)} is no variable: {quote(name.text)} expects 'txn.name'")
    if (kind != "text" and not text) or (kind == "number" and int(text) == 0):
        raise ConfigError(name.location, f"the {kind} of {quote(name.text)} is {'0' if text else 'missing'}")


_LIMITS = {
    "offset": (0, MAX_OFFSET),
    "length": (0, MAX_OFFSET),
    "bits": (0, 32),
    "bits6": (0, 128),
    "number": (-1000, 1000),
    "slot": (0, 1000),
    "width": (1, 4),
}
_PAYLOAD = Fetch(Kind.BYTES, ("offset", "length"), content=True, name="req.payload")
_OF_BACKEND = Fetch(Kind.INTEGER, ("backend?",))
_OF_SERVER = Fetch(Kind.INTEGER, ("server",))


def _old(name: str, kind: Kind) -> Keyword[Fetch]:
    return Keyword(Fetch(kind, content=True, name=name), "", f"the old name of {name}")


FETCHES: KeywordTable[Fetch] = KeywordTable(
    "sample",
    {
        "always_true": Keyword(Fetch(Kind.BOOL), "", "true"),
        "always_false": Keyword(Fetch(Kind.BOOL), "", "false"),
        "wait_end": Keyword(Fetch(Kind.BOOL, content=True), "", "true once 'tcp-request inspect-delay' is over"),
        "src": Keyword(Fetch(Kind.ADDRESS), "", "address of the client"),
        "src_port": Keyword(Fetch(Kind.INTEGER), "", "port of the client"),
        "dst": Keyword(Fetch(Kind.ADDRESS), "", "address that the client connected to"),
        "dst_port": Keyword(Fetch(Kind.INTEGER), "", "port that the client connected to"),
        "req.len": Keyword(Fetch(Kind.INTEGER, content=True), "", "bytes that the client has sent so far"),
        "req_len": _old("req.len", Kind.INTEGER),
        "req.payload": Keyword(_PAYLOAD, "(offset,length)", "some of these bytes"),
        "payload": Keyword(_PAYLOAD, "(offset,length)", "the old name of req.payload"),
        "req.ssl_hello_type": Keyword(Fetch(Kind.INTEGER, content=True), "", "1 once a whole TLS ClientHello is there"),
        "req_ssl_hello_type": _old("req.ssl_hello_type", Kind.INTEGER),
        "req.ssl_ver": Keyword(Fetch(Kind.VERSION, content=True), "", "version in the ClientHello: 3.3 is TLS 1.2"),
        "req_ssl_ver": _old("req.ssl_ver", Kind.VERSION),
        "req.ssl_sni": Keyword(Fetch(Kind.TEXT, content=True), "", "host that a TLS client asks for"),
        "req_ssl_sni": _old("req.ssl_sni", Kind.TEXT),
        "req.ssl_alpn": Keyword(Fetch(Kind.TEXT, content=True), "", "first protocol that a TLS client offers"),
        "res.len": Keyword(Fetch(Kind.INTEGER, answer=True), "", "bytes that the server has sent so far"),
        "res.payload": Keyword(
            Fetch(Kind.BYTES, ("offset", "length"), answer=True), "(offset,length)", "some of these bytes"
        ),
        "res.payload_lv": Keyword(
            Fetch(Kind.BYTES, ("offset", "width", "text_offset?"), answer=True),
            "(offset,width[,[+-]offset])",
            "as many bytes as a number of so many bytes says that stands there",
        ),
        "res.ssl_hello_type": Keyword(Fetch(Kind.INTEGER, answer=True), "", "2 once a TLS ServerHello is there"),
        "rep_ssl_hello_type": Keyword(
            Fetch(Kind.INTEGER, answer=True, name="res.ssl_hello_type"), "", "the old name of res.ssl_hello_type"
        ),
        "capture.req.hdr": Keyword(Fetch(Kind.TEXT, ("slot",)), "(n)", "what the n-th 'capture' rule has kept, from 0"),
        "var": Keyword(Fetch(Kind.ANY, ("variable", "text?")), "(scope.name[,default])", "what rules have remembered"),
        "nbsrv": Keyword(_OF_BACKEND, "[(backend)]", "servers that can be used"),
        "be_conn": Keyword(_OF_BACKEND, "[(backend)]", "sessions of a backend"),
        "be_conn_free": Keyword(_OF_BACKEND, "[(backend)]", "connections that its servers have room for"),
        "queue": Keyword(_OF_BACKEND, "[(backend)]", "sessions that wait for a server"),
        "avg_queue": Keyword(_OF_BACKEND, "[(backend)]", "the same, for each usable server"),
        "fe_conn": Keyword(Fetch(Kind.INTEGER, ("frontend?",)), "[(frontend)]", "sessions of a frontend"),
        "srv_is_up": Keyword(Fetch(Kind.BOOL, ("server",)), "([backend/]server)", "whether a server is up"),
        "srv_conn": Keyword(_OF_SERVER, "([backend/]server)", "sessions of a server"),
        "srv_queue": Keyword(_OF_SERVER, "([backend/]server)", "sessions that wait for a server"),
    },
    not_yet=known.SAMPLE_NOT_YET,
    not_yet_prefixes=known.SAMPLE_NOT_YET_PREFIXES,
    refused=known.SAMPLE_REFUSED,
)

_STRINGS = (Kind.TEXT, Kind.BYTES)
_MAP = ("file", "default?")
# The kind of match that each map is looked up by; what is found is text.
MAPS = {
    "map": "str", "map_str": "str", "map_beg": "beg", "map_end": "end", "map_sub": "sub", "map_dir": "dir",
    "map_dom": "dom", "map_ip": "ip", "map_int": "int",
}  # fmt: skip
_MAP_TAKES = {"ip": (Kind.ADDRESS,), "int": (Kind.INTEGER,)}

_OF_TEXT = Converter(_STRINGS, Kind.TEXT, ("number", "delimiters"))

CONVERTERS: KeywordTable[Converter] = KeywordTable(
    "converter",
    {
        "lower": Keyword(Converter(_STRINGS, Kind.TEXT), "", "in small letters"),
        "upper": Keyword(Converter(_STRINGS, Kind.TEXT), "", "in capital letters"),
        "ipmask": Keyword(
            Converter((Kind.ADDRESS,), None, ("bits", "bits6?")), "(bits[,bits of IPv6])", "the network of an address"
        ),
        "field": Keyword(_OF_TEXT, "(n,delimiters)", "the n-th part between delimiters, from the end if n is negative"),
        "word": Keyword(_OF_TEXT, "(n,delimiters)", "the same, where empty parts do not count"),
        **{
            name: Keyword(
                Converter(_MAP_TAKES.get(match, _STRINGS), Kind.TEXT, _MAP),
                "(file[,default])",
                f"what a file says of it, found as by '-m {match}'",
            )
            for name, match in MAPS.items()
        },
    },
    not_yet=known.CONVERTER_NOT_YET,
    not_yet_prefixes=known.CONVERTER_NOT_YET_PREFIXES,
)
