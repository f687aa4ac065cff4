"""The judges of tools/soak: each sees what it is there for, and lets pass what is right."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


@contextmanager
def soak_path() -> Iterator[None]:
    """The tool finds its modules beside itself, and the harness under its short name."""
    added = [str(ROOT / "tools"), str(ROOT / "tests/system")]
    sys.path[:0] = added
    try:
        yield
    finally:
        for path in added:
            sys.path.remove(path)


with soak_path():
    from harness.samples import Samples
    from soak_lib import books, monitor, quiet, trend, wire

HEADER = wire.Header("duplex", 7, 5000, 100_000)


def verdict(parts: list[bytes], hold: int = 0) -> str:
    """What the checker of the down stream says of these parts."""
    checker = wire.Checker(wire.down_stream(HEADER), hold)
    try:
        for part in parts:
            checker.feed(part)
    except wire.WrongBytes as error:
        return str(error)
    return f"{checker.count} right"


def test_every_wrong_byte_is_seen() -> None:
    right = wire.down_stream(HEADER).take(20_000)
    assert verdict([right[:1], right[1:4097], right[4097:]]) == "20000 right"
    for place in (0, 4095, 4096, 19_999):
        wrong = bytearray(right)
        wrong[place] ^= 1
        assert verdict([bytes(wrong[:4096]), bytes(wrong[4096:])]).startswith("wrong bytes")
    assert verdict([right[1:]]).startswith("wrong bytes after 0"), "one byte too few"
    assert verdict([right[:10], right[:10]]).startswith("wrong bytes after 10"), "the same twice"
    assert verdict([wire.up_stream(HEADER).take(100)]).startswith("wrong bytes"), "another stream"


def test_a_stream_is_the_same_in_whatever_parts() -> None:
    whole = wire.Stream(3)
    parts = wire.Stream(3)
    assert whole.take(30_000) == b"".join(parts.take(count) for count in (1, 2, 3, 4096, 5001, 20_897))


def test_the_trailer_is_kept_apart() -> None:
    right = wire.down_stream(HEADER).take(1000)
    checker = wire.Checker(wire.down_stream(HEADER), 64)
    for byte in right + b"T" * 64:
        checker.feed(bytes([byte]))
    assert (checker.count, checker.trailer()) == (1000, b"T" * 64)


def test_an_end_needs_a_fault_that_explains_it() -> None:
    book = books.Books()
    book.ended("echo", "FIN")
    with book.window("junk", frozenset(), 5):
        book.ended("echo", "FIN")
    assert book.violated["endings"] == 2
    with book.window("worker killed", frozenset({books.END}), 5):
        book.ended("echo", "FIN")
    book.ended("echo", "FIN, within the grace")
    assert (book.violated["endings"], book.by_fault["worker killed"]) == (2, 2)
    book.ended("echo", "after the grace", at=book.windows[-1].ended + 5.1)
    book.ended("echo", "before the fault", at=book.windows[-1].began - 0.1)
    assert book.violated["endings"] == 4


def test_counters_that_fall() -> None:
    before = {("a_total",): 5.0, ("b_total", "proxy=even", "server=s3"): 7.0, ("gone_total",): 1.0}
    assert monitor.fallen(before, {("a_total",): 5.0, ("b_total", "proxy=even", "server=s3"): 8.0}) == []
    assert monitor.fallen(before, {("a_total",): 4.0}) == ["a_total: 5 -> 4"]


def figures(sessions: int, **others: int) -> Samples:
    """A scrape in which everything that counts sessions says ``sessions``."""
    lines = [f"{name} {sessions}" for name in quiet.SESSIONS]
    return Samples("\n".join(lines + [f"{name} {value}" for name, value in others.items()]))


def test_gauges_that_lie() -> None:
    assert quiet.differences(figures(3, fastlb_worker_pipes=8, fastlb_worker_pipes_idle=8), 3) == []
    assert len(quiet.differences(figures(3), 2)) == len(quiet.SESSIONS)
    assert quiet.differences(figures(0, fastlb_worker_buffers=1), 0) == ["fastlb_worker_buffers is 1"]
    pipes = figures(0, fastlb_worker_pipes=8, fastlb_worker_pipes_idle=7)
    assert quiet.differences(pipes, 0) == ["1 pipes out"]


def grown(values: list[float]) -> trend.Growth:
    figures = trend.Trend()
    for number, value in enumerate(values):
        figures.add("master: MiB", 30.0 * number, value, 6)
    return figures.growths()[0]


def test_growth_is_what_goes_on() -> None:
    assert not grown([40 + 0.1 * n for n in range(120)]).bounded(), "a leak"
    assert grown([40 + n % 5 for n in range(120)]).bounded(), "up and down"
    assert grown([40 - 8 * (n < 10) for n in range(120)]).bounded(), "the first minutes"
    assert not grown([40 + 10.0 * n for n in range(11)]).judged(), "too few for a verdict"
