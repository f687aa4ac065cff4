"""Samples: what a rule can look at, and what can be made of it (HAProxy manual, sections 7.3.1 and 7.3.2)."""

from __future__ import annotations

from dataclasses import replace

from fastlb.config import knownrules as known
from fastlb.config.connections import CONNECTIONS
from fastlb.config.converters import CONVERTERS as COMPUTING
from fastlb.config.errors import ConfigError, Report, quote
from fastlb.config.fetches import CONSTANTS, CONTENT
from fastlb.config.keywords import Keyword, KeywordTable
from fastlb.config.lexer import Word
from fastlb.config.ruletree import Asks, Kind, Part, Sample
from fastlb.config.samplearguments import check_arguments
from fastlb.config.samplekinds import GIVES, as_kind, can_be
from fastlb.config.sampleparts import WrittenPart, split_sample
from fastlb.config.sampletypes import STRINGS as _STRINGS
from fastlb.config.sampletypes import Converter, Fetch
from fastlb.config.surroundings import SURROUNDINGS
from fastlb.config.tablewords import CONVERTERS as TABLE_CONVERTERS
from fastlb.config.tablewords import FETCHES as TABLE_FETCHES
from fastlb.config.tablewords import TableSample


def parse_sample(word: Word, report: Report) -> Sample:
    """Read ``fetch(arguments),converter(arguments),…``. Raises ConfigError."""
    return _sample(split_sample(word)[0], report)


def parse_sample_in(word: Word, at: int, end: str, report: Report) -> tuple[Sample, int]:
    """The same from ``at`` up to ``end``, which may also stand between quotes; also returns where that is."""
    parts, at = split_sample(word, at, end)
    return _sample(parts, report), at


def _sample(parts: list[WrittenPart], report: Report) -> Sample:
    first, arguments = parts[0]
    fetch = FETCHES.find(first, report)
    if fetch is None:
        raise ConfigError(first.location, f"{quote(first.text)} has no meaning here")
    arguments = check_arguments(first, arguments, fetch.arguments)
    written = Part(fetch.name or first.text, arguments, first.location)
    sample = Sample(written, (), fetch.kind, fetch.content, fetch.answer, fetch.server, fetch.asks)
    for part in parts[1:]:
        sample = _converted(sample, part, report)
    return sample


def _converted(sample: Sample, written: WrittenPart, report: Report) -> Sample:
    name = written.name
    converter = CONVERTERS.find(name, report)
    assert converter is not None  # the table ignores nothing
    arguments = check_arguments(name, written.arguments, converter.arguments)
    if sample.kind not in converter.takes:
        if not can_be(sample.kind, converter.takes[0]):
            takes = " or ".join(kind.value for kind in converter.takes)
            message = f"{quote(name.text)} takes {takes}, and what stands before it is {sample.kind.value}"
            raise ConfigError(name.location, message)
        sample = as_kind(sample, converter.takes[0], name.location)
    part = Part(name.text, arguments, name.location)
    return replace(sample, converters=(*sample.converters, part), kind=converter.gives or sample.kind)


def kinds(sample: Sample) -> list[Kind]:
    """What stands before each of its converters."""
    found = [FETCHES.supported[sample.fetch.name].handler.kind]
    for part in sample.converters:
        known = CONVERTERS.supported.get(part.name)
        found.append((known.handler.gives if known else GIVES[part.name]) or found[-1])
    return found[:-1]


_PAYLOAD = Fetch(Kind.BYTES, ("offset", "length"), content=True, name="req.payload")
_OF_BACKEND = Fetch(Kind.INTEGER, ("backend?",))
_OF_SERVER = Fetch(Kind.INTEGER, ("server",))


def _old(name: str, kind: Kind) -> Keyword[Fetch]:
    return Keyword(Fetch(kind, content=True, name=name), "", f"the old name of {name}")


def _usage(sample: TableSample) -> str:
    needed = ",".join(one for one in sample.arguments if not one.endswith("?"))
    if "table?" in sample.arguments:
        return f"({needed}[,table])" if needed else "[(table)]"
    return f"({needed})"


def _table_kind(sample: TableSample) -> Kind:
    return Kind.BOOL if sample.asked.operation in ("tracked", "found") else Kind.INTEGER


FETCHES: KeywordTable[Fetch] = KeywordTable(
    "sample",
    {
        **CONSTANTS,
        **CONTENT,
        **CONNECTIONS,
        **SURROUNDINGS,
        "always_true": Keyword(Fetch(Kind.BOOL), "", "true"),
        "always_false": Keyword(Fetch(Kind.BOOL), "", "false"),
        "wait_end": Keyword(Fetch(Kind.BOOL, content=True), "", "true once 'tcp-request inspect-delay' is over"),
        "src": Keyword(Fetch(Kind.ADDRESS), "", "address of the client"),
        "src_port": Keyword(Fetch(Kind.INTEGER), "", "port of the client"),
        "dst": Keyword(Fetch(Kind.ADDRESS, asks=Asks.ADDRESSES), "", "address that the client connected to"),
        "dst_port": Keyword(Fetch(Kind.INTEGER, asks=Asks.ADDRESSES), "", "port that the client connected to"),
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
        "fc_rcvd_proxy": Keyword(Fetch(Kind.BOOL), "", "whether the client began with a PROXY header"),
        "fc_pp_authority": Keyword(Fetch(Kind.TEXT), "", "the host that it asked for, says that header"),
        "fc_pp_unique_id": Keyword(
            Fetch(Kind.TEXT), "", "what the one in front calls the connection, says that header"
        ),
        "fc_pp_tlv": Keyword(Fetch(Kind.TEXT, ("type",)), "(type)", "what a field of that header says"),
        "fe_conn": Keyword(Fetch(Kind.INTEGER, ("frontend?",)), "[(frontend)]", "sessions of a frontend"),
        "srv_is_up": Keyword(Fetch(Kind.BOOL, ("server",)), "([backend/]server)", "whether a server is up"),
        "srv_conn": Keyword(_OF_SERVER, "([backend/]server)", "sessions of a server"),
        "srv_queue": Keyword(_OF_SERVER, "([backend/]server)", "sessions that wait for a server"),
        **{
            name: Keyword(Fetch(_table_kind(sample), sample.arguments), _usage(sample), sample.asked.help)
            for name, sample in TABLE_FETCHES.items()
        },
    },
    not_yet=known.SAMPLE_NOT_YET,
    not_yet_prefixes=known.SAMPLE_NOT_YET_PREFIXES,
    refused=known.SAMPLE_REFUSED,
)

_MAP = ("file", "default?")
# The kind of match that each map is looked up by; what is found is text.
MAPS = {
    "map": "str", "map_str": "str", "map_beg": "beg", "map_end": "end", "map_sub": "sub", "map_dir": "dir",
    "map_dom": "dom", "map_ip": "ip", "map_int": "int", "map_reg": "reg",
}  # fmt: skip
_MAP_TAKES = {"ip": (Kind.ADDRESS,), "int": (Kind.INTEGER,)}

_OF_TEXT = Converter(_STRINGS, Kind.TEXT, ("number", "delimiters", "count?"))

CONVERTERS: KeywordTable[Converter] = KeywordTable(
    "converter",
    {
        **COMPUTING,
        "lower": Keyword(Converter(_STRINGS, Kind.TEXT), "", "in small letters"),
        "upper": Keyword(Converter(_STRINGS, Kind.TEXT), "", "in capital letters"),
        "ipmask": Keyword(
            Converter((Kind.ADDRESS,), None, ("bits", "bits6?")), "(bits[,bits of IPv6])", "the network of an address"
        ),
        "field": Keyword(
            _OF_TEXT, "(n,delimiters[,count])", "the n-th part between delimiters, from the end if n is negative"
        ),
        "word": Keyword(_OF_TEXT, "(n,delimiters[,count])", "the same, where empty parts do not count"),
        **{
            name: Keyword(
                Converter(_MAP_TAKES.get(match, _STRINGS), Kind.TEXT, _MAP),
                "(file[,default])",
                f"what a file says of it, found as by '-m {match}'",
            )
            for name, match in MAPS.items()
        },
        **{
            name: Keyword(
                Converter(tuple(Kind), _table_kind(sample), sample.arguments), _usage(sample), sample.asked.help
            )
            for name, sample in TABLE_CONVERTERS.items()
        },
    },
    not_yet=known.CONVERTER_NOT_YET,
    not_yet_prefixes=known.CONVERTER_NOT_YET_PREFIXES,
)
