"""``balance source`` and ``balance hash``, with ``hash-type`` and ``hash-balance-factor``, to a Hashing."""

from __future__ import annotations

from fastlb.config.balancetree import HashedBy, HashTypeLine
from fastlb.config.errors import Location, Report, quote
from fastlb.config.tree import ServerOptions, Settings
from fastlb.plan.hashing import Affinity, HashFetch, HashFunction, Hashing, HashKey, HashType
from fastlb.plan.values import Merged, value_of

_FETCHES = {
    "src": HashFetch.SRC,
    "dst": HashFetch.DST,
    "src_port": HashFetch.SRC_PORT,
    "dst_port": HashFetch.DST_PORT,
}
_FUNCTIONS = {
    "none": HashFunction.WORDS,
    "sdbm": HashFunction.SDBM,
    "djb2": HashFunction.DJB2,
    "wt6": HashFunction.WT6,
    "crc32": HashFunction.CRC32,
}
_DEFAULT_TYPE = HashTypeLine("map-based", "sdbm", False)
_HASHED = ("source", "hash")
_UNHASHED = "without 'balance source' or 'balance hash'"
_HASHED_TO = "without a 'balance' that hashes and {}"


def plan_hashing(settings: Settings) -> Hashing:
    """How the section hashes, if it does. ``source`` knows no function, only what comes after it."""
    line = value_of(settings.hash_type, _DEFAULT_TYPE)
    by = (settings.balance.value.by if settings.balance else None) or HashedBy("src")
    is_source = settings.balance is None or settings.balance.value.algorithm == "source"
    return Hashing(
        type=HashType(line.type),
        fetch=HashFetch.SAMPLE if by.sample else _FETCHES[by.fetch],
        function=HashFunction.WORDS if is_source else _FUNCTIONS[line.function],
        avalanche=line.avalanche,
        mask4=by.mask4,
        mask6=by.mask6,
        factor=value_of(settings.hash_factor, 0),
        affinity=Affinity[value_of(settings.hash_affinity, "always").upper()],
        sample=by.fetch if by.sample else "",
        or_nothing=by.or_nothing,
    )


def hash_key(options: ServerOptions, settings: Settings) -> HashKey:
    """What a server's places follow from: its id as in HAProxy, but its name in a Maglev table, which is our own."""
    line = value_of(settings.hash_type, _DEFAULT_TYPE)
    return HashKey(value_of(options.hash_key, "name" if line.type == "maglev" else "id"))


def advise_hashing(merged: Merged, report: Report) -> None:
    """Warn about what is said in the section itself and has no effect in it."""
    own, settings = merged.proxy.own, merged.settings
    hashes = settings.balance is not None and settings.balance.value.algorithm in _HASHED
    kind = settings.hash_type.value.type if hashes and settings.hash_type else ""
    if own.hash_type is not None and not hashes:
        _no_effect("hash-type", _UNHASHED, own.hash_type.location, report)
    if own.hash_affinity is not None and not hashes:
        _no_effect("hash-preserve-affinity", _UNHASHED, own.hash_affinity.location, report)
    if own.hash_factor is not None and own.hash_factor.value and kind != "consistent":
        _no_effect("hash-balance-factor", _HASHED_TO.format("'hash-type consistent'"), own.hash_factor.location, report)
    for line in merged.proxy.servers:
        if line.own.hash_key is not None and kind not in ("consistent", "maglev"):
            _no_effect(
                "hash-key", _HASHED_TO.format("'hash-type consistent' or 'maglev'"), line.own.hash_key.location, report
            )
            return


def _no_effect(name: str, why: str, location: Location, report: Report) -> None:
    report.warning(location, f"{quote(name)} has no effect {why}")
