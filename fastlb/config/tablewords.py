"""What stick tables store, and the samples and converters that ask them (HAProxy manual, sections 7.3.1 to 7.3.3).

Words only: the numbers of all this are in ``fastlb.rules.tablemodel``.
"""

from __future__ import annotations

from typing import NamedTuple

from fastlb.config.keywords import HTTP_ONLY, Keyword, KeywordTable, because, words

MAX_ARRAY = 100
TRACKS = 3


class Stored(NamedTuple):
    """What follows the name in parentheses: whether it is ``counted`` (an array) and whether it is a ``rate``."""

    counted: bool = False
    rate: bool = False


STORES: KeywordTable[Stored] = KeywordTable(
    "counter",
    {
        "server_id": Keyword(Stored(), "", "the server that a client had; 'stick' rules store it anyway"),
        "conn_cnt": Keyword(Stored(), "", "connections"),
        "conn_cur": Keyword(Stored(), "", "connections now"),
        "conn_rate": Keyword(Stored(rate=True), "(period)", "connections within a period"),
        "sess_cnt": Keyword(Stored(), "", "connections that became sessions"),
        "sess_rate": Keyword(Stored(rate=True), "(period)", "the same within a period"),
        "bytes_in_cnt": Keyword(Stored(), "", "bytes from clients, counted at the end of sessions"),
        "bytes_in_rate": Keyword(Stored(rate=True), "(period)", "the same within a period"),
        "bytes_out_cnt": Keyword(Stored(), "", "bytes to clients, counted at the end of sessions"),
        "bytes_out_rate": Keyword(Stored(rate=True), "(period)", "the same within a period"),
        "gpc0": Keyword(Stored(), "", "a counter for rules"),
        "gpc0_rate": Keyword(Stored(rate=True), "(period)", "its increments within a period"),
        "gpc1": Keyword(Stored(), "", "a second counter for rules"),
        "gpc1_rate": Keyword(Stored(rate=True), "(period)", "its increments within a period"),
        "gpc": Keyword(Stored(counted=True), "(n)", "n counters for rules"),
        "gpc_rate": Keyword(Stored(counted=True, rate=True), "(n,period)", "their increments within a period"),
        "gpt0": Keyword(Stored(), "", "a number that rules set"),
        "gpt": Keyword(Stored(counted=True), "(n)", "n numbers that rules set"),
    },
    not_yet=words("server_key"),
    ignored=because(HTTP_ONLY, "glitch_cnt glitch_rate http_err_cnt http_err_rate http_fail_cnt http_fail_rate "
                    "http_req_cnt http_req_rate"),
    prefix="store ",
    within="of a stick table",
)  # fmt: skip


class Asked(NamedTuple):
    """``operation`` and ``data`` of an entry; ``indexed``: one of an array."""

    operation: str
    data: str
    help: str
    indexed: bool = False


def _of(names: str) -> dict[str, Asked]:
    return {name: Asked("get", name, STORES.supported[name].help) for name in names.split()}


_COUNTERS = {
    **_of("conn_cnt conn_cur conn_rate sess_cnt sess_rate bytes_in_rate bytes_out_rate gpc0_rate gpc1_rate"),
    "gpc_rate": Asked("get", "gpc_rate", "increments of a counter within a period", indexed=True),
    "kbytes_in": Asked("kilo", "bytes_in_cnt", "KiB from clients"),
    "kbytes_out": Asked("kilo", "bytes_out_cnt", "KiB to clients"),
}
_NAMED = {
    **_of("gpc0 gpc1 gpt0"),
    "gpc": Asked("get", "gpc", "a counter for rules", indexed=True),
    "gpt": Asked("get", "gpt", "a number that rules set", indexed=True),
}
# Behind 'sc0_', 'sc1_', 'sc2_', 'sc_' and 'src_'.
_BOTH = {
    **_COUNTERS,
    **{f"get_{name}": asked for name, asked in _NAMED.items()},
    **{
        f"{verb}_{data}": Asked(operation, data, f"{help} a counter, and gives what it {gives}", indexed=data == "gpc")
        for verb, operation, help, gives in (("inc", "inc", "increments", "is then"), ("clr", "clear", "clears", "was"))
        for data in ("gpc0", "gpc1", "gpc")
    },
}
_TRACKED = {
    **_BOTH,
    "tracked": Asked("tracked", "", "whether the connection is tracked"),
    "trackers": Asked("trackers", "", "connections that track the same key now"),
}
_SOURCE = {**_BOTH, "updt_conn_cnt": Asked("update", "conn_cnt", "counts a connection, and gives how many there were")}


class TableSample(NamedTuple):
    """A sample. ``origin`` is sc, src, table or key; ``track`` is said where the name has it.

    ``arguments`` are as in Fetch.
    """

    origin: str
    asked: Asked
    arguments: tuple[str, ...]
    track: int = -1


def _arguments(origin: str, asked: Asked) -> tuple[str, ...]:
    return (*(("index",) if asked.indexed else ()), *(("track",) if origin == "sc" else ()), "table?")


def _fetches() -> dict[str, TableSample]:
    found = {f"sc_{name}": TableSample("sc", asked, _arguments("sc", asked)) for name, asked in _TRACKED.items()}
    for track in range(TRACKS):
        plain = ((name, asked) for name, asked in _TRACKED.items() if not asked.indexed)
        found |= {f"sc{track}_{name}": TableSample("sc", asked, ("table?",), track) for name, asked in plain}
    found |= {f"src_{name}": TableSample("src", asked, _arguments("src", asked)) for name, asked in _SOURCE.items()}
    found["table_cnt"] = TableSample("table", Asked("used", "", "entries of a stick table"), ("table?",))
    found["table_avl"] = TableSample("table", Asked("left", "", "entries that it has room for"), ("table?",))
    return found


FETCHES = _fetches()
# Of the entry whose key stands before it; 0 where there is none.
CONVERTERS: dict[str, TableSample] = {
    "in_table": TableSample("key", Asked("found", "", "whether a stick table has an entry for it"), ("table",)),
    **{
        f"table_{name}": TableSample("key", asked, ("index", "table") if asked.indexed else ("table",))
        for name, asked in {
            **_COUNTERS,
            **_NAMED,
            **_of("server_id"),
            "trackers": Asked("trackers", "", "connections that track the key now"),
        }.items()
    },
}
