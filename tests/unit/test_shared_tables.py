"""The memory of stick tables: what keeps its place, what gets one, what starts anew; and what is said of a change."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastlb import difference, tables
from fastlb.plan.load import load
from fastlb.plan.model import Plan
from fastlb.tables import SharedTables, TooManyError

TEXT = "defaults\n timeout connect 1s\n timeout client 1s\n timeout server 1s\nlisten a\n bind :1\n server s :2\n"


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def plan(**lines: str) -> Plan:
    """A backend for each of these tables."""
    text = TEXT + "".join(f"backend {name}\n stick-table type {line}\n" for name, line in lines.items())
    Path("lb.conf").write_text(text)
    result = load(["lb.conf"], environ={})
    assert result.plan is not None, result.diagnostics
    return result.plan


def test_a_table_keeps_its_place_until_its_shape_changes() -> None:
    shared = SharedTables()
    old = plan(x="ip size 10 store conn_cur", y="ipv6 size 10")
    new = plan(y="ipv6 size 10 expire 5s nopurge", x="ip size 20 store conn_cur", z="string size 5")
    assert shared.reserve(old) == (0, 1)
    shared.make(old)
    assert shared.reserve(new) == (1, 2, 3)
    shared.make(new)
    assert tables.started_anew(old, new) == ["x"]
    shared.collect([new])
    assert shared.reserve(plan(x="ip size 10 store conn_cur")) == (0,), "the place is free again"


def test_too_many_bytes_take_nothing() -> None:
    shared = SharedTables()
    with pytest.raises(TooManyError, match="'y' is too large: all of them together can have 64 GiB"):
        shared.reserve(plan(x="ip size 1k", y="string len 1000 size 1g"))
    assert shared.reserve(plan(z="ip size 1k")) == (0,)


def test_what_a_change_of_tables_means() -> None:
    old = plan(a1="ip size 10 expire 5s store conn_rate(5s)", b1="ip size 10", c1="ip size 10")
    new = plan(a1="ip size 10 store conn_rate(6s)", b1="ipv6 size 10", d1="ip size 10")
    assert [change.text for change in difference.changes(old, new) if "table" in change.text] == [
        "~ stick table a1: expire 5s → never, at once",
        "~ stick table a1: other periods of rates, at once",
        "~ stick table b1: another type, size or counters: it starts anew, without entries",
        "- stick table c1, with its entries",
        "+ stick table d1",
    ]
