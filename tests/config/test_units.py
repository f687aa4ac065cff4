"""Times, sizes and numbers, as HAProxy reads them."""

from __future__ import annotations

import pytest

from fastlb.config.units import Time, UnitError, parse_integer, parse_size, parse_time

GOOD_TIMES = [
    ("0", 0, ""),
    ("5", 5, ""),
    ("007", 7, ""),
    ("1us", 1, ""),
    ("1000us", 1, ""),
    ("1001us", 2, ""),
    ("250ms", 250, ""),
    ("5s", 5_000, ""),
    ("2m", 120_000, ""),
    ("1h", 3_600_000, ""),
    ("24d", 2_073_600_000, ""),
    ("2147483647", 2147483647, ""),
    ("5sec", 5_000, "ec"),
    ("5min", 300_000, "in"),
    ("5msx", 5, "x"),
    ("5usx", 1, "x"),
    ("5days", 432_000_000, "ays"),
]
BAD_TIMES = [
    "",
    " ",
    "s",
    "1.5s",
    "-5",
    "+5",
    "5S",
    "5x",
    "5 s",
    "5u",
    "25d",
    "2147483648",
    "9" * 4000,
    "9" * 4000 + "d",
    "٣",
]


@pytest.mark.parametrize(("text", "ms", "rest"), GOOD_TIMES)
def test_time(text: str, ms: int, rest: str) -> None:
    assert parse_time(text) == Time(ms, rest)


@pytest.mark.parametrize("text", BAD_TIMES)
def test_no_time(text: str) -> None:
    with pytest.raises(UnitError):
        parse_time(text)


def test_the_default_unit_can_be_another() -> None:
    assert parse_time("5", default_unit="s").ms == 5000


@pytest.mark.parametrize(
    ("text", "size"), [("0", 0), ("16384", 16384), ("16k", 16384), ("16K", 16384), ("1m", 1 << 20), ("2g", 2 << 30)]
)
def test_size(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "k", "1t", "1kb", "-1", "1.5m", "9" * 4000])
def test_no_size(text: str) -> None:
    with pytest.raises(UnitError):
        parse_size(text)


@pytest.mark.parametrize(("text", "value"), [("0", 0), ("-0", 0), ("256", 256), ("0000000000000000000000256", 256)])
def test_integer(text: str, value: int) -> None:
    assert parse_integer(text, 0, 256) == value


@pytest.mark.parametrize("text", ["", "-", "-1", "257", "1e3", "0x10", "1_0", "٣", " 1", "9" * 4000])
def test_no_integer(text: str) -> None:
    with pytest.raises(UnitError):
        parse_integer(text, 0, 256)
