"""``hash-type``, ``hash-balance-factor`` and what ``balance hash`` goes by (HAProxy manual, section 4.2)."""

from __future__ import annotations

import ipaddress
import re

from fastlb.config.args import MAX_COUNT, Args
from fastlb.config.balancetree import HashedBy, HashTypeLine
from fastlb.config.errors import ConfigError, quote
from fastlb.config.lexer import Word
from fastlb.config.proxysection import ProxySection
from fastlb.config.ruletree import Kind
from fastlb.config.samplekinds import as_kind
from fastlb.config.samples import parse_sample

HASH_TYPES = ("map-based", "consistent", "maglev")
HASH_FUNCTIONS = ("sdbm", "djb2", "wt6", "crc32", "none")
HASH_KEYS = ("id", "addr", "addr-port")
_DEFAULT_FUNCTION = "sdbm"
_FETCHES = ("src", "dst", "src_port", "dst_port")
_ADDRESSES = ("src", "dst")
COOKIE_NAME = re.compile(r"[^\s,()'\"\\]{1,64}")
_PERSIST = re.compile(rf"rdp-cookie(?:\(({COOKIE_NAME.pattern})\))?")
_EXPRESSION = re.compile(r"([a-z_]+)(?:,ipmask\(([^(),]*)(?:,([^(),]*))?\))?")
HASH_AFFINITIES = ("always", "maxconn", "maxqueue")


def parse_hashed_by(args: Args) -> HashedBy:
    """Read what follows ``balance hash``. Raises ConfigError."""
    word = args.need("what to hash, such as 'src' or 'src,ipmask(24)'")
    match = _EXPRESSION.fullmatch(word.text)
    if match is None or match[1] not in _FETCHES:
        return _by_sample(word, args)
    fetch, mask4, mask6 = match.groups()
    if mask4 is None:
        return HashedBy(fetch)
    if fetch not in _ADDRESSES:
        raise ConfigError(word.location, f"{quote(fetch)} is no address: 'ipmask' cannot follow it")
    return HashedBy(fetch, _mask(word, mask4, 4), None if mask6 is None else _mask(word, mask6, 6))


def _by_sample(word: Word, args: Args, *, or_nothing: bool = False) -> HashedBy:
    """Any sample, as bytes: what text and addresses are anyway, and numbers are eight."""
    sample = parse_sample(word, args.report)
    return HashedBy(word.text, sample=as_kind(sample, Kind.BYTES, word.location), or_nothing=or_nothing)


def parse_hashed_cookie(word: Word, name: str, args: Args) -> HashedBy:
    """``balance rdp-cookie(NAME)``. Raises ConfigError."""
    if not COOKIE_NAME.fullmatch(name):
        raise ConfigError(word.location, f"{quote(name)} is no name of a cookie", "it has no commas, blanks or quotes")
    return _by_sample(word._replace(text=f"req.rdp_cookie({name})"), args, or_nothing=True)


def parse_hash_affinity(section: ProxySection, args: Args) -> None:
    """Read ``hash-preserve-affinity WHEN``. Raises ConfigError."""
    section.set("hash_affinity", args.one_of(HASH_AFFINITIES, "way to keep clients").text, args)


def parse_persist(section: ProxySection, args: Args) -> None:
    """Read ``persist rdp-cookie[(NAME)]``. Raises ConfigError."""
    word = args.need("'rdp-cookie' or 'rdp-cookie(name)'")
    found = _PERSIST.fullmatch(word.text)
    if found is None:
        raise ConfigError(word.location, f"{quote(word.text)} cannot follow 'persist'", "write 'persist rdp-cookie'")
    section.set("persist", found[1] or "msts", args)


def parse_hash_type(section: ProxySection, args: Args) -> None:
    """Read ``hash-type TYPE [FUNCTION] [avalanche]``. Raises ConfigError."""
    kind = args.one_of(HASH_TYPES, "hash type").text
    if args.peek() is None:
        line = HashTypeLine(kind, _DEFAULT_FUNCTION, kind != "map-based")
    else:
        function = args.one_of(HASH_FUNCTIONS, "hash function").text
        line = HashTypeLine(kind, function, args.accept("avalanche") or kind == "maglev")
    section.set("hash_type", line, args)


def parse_hash_factor(section: ProxySection, args: Args) -> None:
    """Read ``hash-balance-factor PERCENT``. Raises ConfigError."""
    factor = args.integer(0, MAX_COUNT)
    if 0 < factor <= 100:
        message = f"'hash-balance-factor' cannot be '{factor}': it is 0 for no limit, or more than 100 percent"
        raise ConfigError(args.value_location, message, "with 150, a server has at most 1.5 times the average")
    section.set("hash_factor", factor, args)


def hash_key(args: Args) -> tuple[str, str]:
    """``hash-key`` of a server."""
    return "hash_key", args.one_of(HASH_KEYS, "hash key").text


def _mask(word: Word, text: str, version: int) -> bytes:
    """The bytes of a mask, said as a number of bits or as an address."""
    bits = 32 if version == 4 else 128
    if text.isascii() and text.isdecimal() and int(text) <= bits:
        return (((1 << int(text)) - 1) << (bits - int(text))).to_bytes(bits // 8, "big")
    try:
        return (ipaddress.IPv4Address(text) if version == 4 else ipaddress.IPv6Address(text)).packed
    except ValueError:
        message = f"the IPv{version} mask of 'ipmask' cannot be {quote(text)}"
        raise ConfigError(word.location, message, f"it is a number of bits within 0 and {bits}, or a mask") from None
