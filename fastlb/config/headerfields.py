"""``proxy-v2-options`` and ``set-proxy-v2-tlv-fmt``: fields of the PROXY header for a server (manual, section 5.2)."""

from __future__ import annotations

import re

from fastlb.config import known
from fastlb.config.args import Args
from fastlb.config.errors import ConfigError, quote
from fastlb.config.fieldtypes import CRC32C, field_type
from fastlb.config.keywords import Keyword, KeywordTable
from fastlb.config.logformat import parse_value
from fastlb.config.proxytree import ProxyExtras, ProxyField

_CALL = re.compile(r"set-proxy-v2-tlv-fmt\(([^()]*)\)")

PROXY_V2_OPTIONS: KeywordTable[str] = KeywordTable(
    "option",
    {
        "crc32c": Keyword("crc32c", "", "a checksum"),
        "authority": Keyword("authority", "", "the host that the client asked for, if its own PROXY header names one"),
        "unique-id": Keyword("unique-id", "", "what 'unique-id-format' of the frontend makes"),
    },
    refused=known.PROXY_V2_OPTIONS_REFUSED,
    within="of 'proxy-v2-options'",
)


def proxy_v2_options(args: Args) -> tuple[str, ProxyExtras]:
    """A list with commas."""
    word = args.need(f"a list, such as {', '.join(PROXY_V2_OPTIONS.supported)}", "proxy-v2-options")
    names = word.text.split(",")
    for name in names:
        PROXY_V2_OPTIONS.find(word._replace(text=name), args.report)
    return "proxy_extras", ProxyExtras(frozenset(names))


def proxy_field(args: Args) -> tuple[str, ProxyExtras]:
    """``set-proxy-v2-tlv-fmt(type) format``."""
    word = args.words[args.at - 1]
    found = _CALL.fullmatch(word.text)
    kind = field_type(found[1]) if found else None
    if kind is None or kind == CRC32C:
        hint = "write 'set-proxy-v2-tlv-fmt(0xE1)': a type within 0 and 255, but not 3, the checksum"
        raise ConfigError(word.location, f"{quote(word.text)} names no type of a field", hint)
    value = args.need("a format, such as '%[fc_pp_tlv(0xE1)]'", word.text)
    return "proxy_extras", ProxyExtras(
        fields=(ProxyField(kind, parse_value(value.text, value.location, args.report, keeps_blanks=True)),)
    )
