"""Lines as HAProxy 2.6 wrote them when it was asked, and nothing but printable ASCII in any of them."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastlb.logs.formats import HEADERS, Sender, iso_time, syslog_time
from fastlb.logs.text import escape_info, escape_line, escape_text

SENDER = Sender("haproxy", 6170, None, "localhost")
NAMED = Sender("haproxy", 6170, "lb1", "localhost")
WHEN_US = 1795458004_260860  # 2026-11-23 18:20:04 UTC
LOCAL1, INFO = 17, 6


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


@pytest.mark.parametrize(
    ("name", "header", "named"),
    [
        ("local", "<142>Nov 23 18:20:04 haproxy[6170]: ", "<142>Nov 23 18:20:04 lb1 haproxy[6170]: "),
        ("rfc3164", "<142>Nov 23 18:20:04 localhost haproxy[6170]: ", "<142>Nov 23 18:20:04 lb1 haproxy[6170]: "),
        (
            "rfc5424",
            "<142>1 2026-11-23T18:20:04.260860+00:00 - haproxy 6170 - ",
            "<142>1 2026-11-23T18:20:04.260860+00:00 lb1 haproxy 6170 - ",
        ),
        ("priority", "<142>", "<142>"),
        ("short", "<6>", "<6>"),
        ("timed", "<6>2026-11-23T18:20:04.260860+00:00 ", "<6>2026-11-23T18:20:04.260860+00:00 "),
        ("iso", "2026-11-23T18:20:04.260860+00:00 ", "2026-11-23T18:20:04.260860+00:00 "),
        ("raw", "", ""),
    ],
)
def test_headers(name: str, header: str, named: str) -> None:
    assert HEADERS[name](LOCAL1, INFO, WHEN_US, SENDER) == header
    assert HEADERS[name](LOCAL1, INFO, WHEN_US, NAMED) == named


def test_every_format_is_tested() -> None:
    assert len(HEADERS) == 8


def test_a_day_of_one_digit_is_padded() -> None:
    assert syslog_time(1793664245) == "Nov  3 00:04:05"


def test_half_hour_zones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "IST-5:30")
    time.tzset()
    assert iso_time(1700000000_000001) == "2023-11-15T03:43:20.000001+05:30"
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


def test_escapes() -> None:
    assert escape_line(b'a\x1b[2J\n\xff"%n\x7f~') == b'a#1B[2J#0A#FF"%n#7F~'
    assert escape_text("grün\n") == b"gr#C3#BCn#0A"
    assert escape_info('a\x1bb\xff"c<d>') == "a<1B>b<FF><22>c<3C>d<3E>"
    assert escape_info("\u20ac") == "<E2><82><AC>"


@given(st.binary())
def test_no_byte_gets_through(line: bytes) -> None:
    assert all(0x20 <= byte <= 0x7E for byte in escape_line(line))
    assert all(" " <= character <= "~" for character in escape_info(line.decode("latin-1")))


@given(st.text())
def test_no_character_gets_through(text: str) -> None:
    assert all(" " <= character <= "~" and character != '"' for character in escape_info(text))
    assert all(0x20 <= byte <= 0x7E for byte in escape_text(text.encode("utf-8", "replace").decode()))
