"""Every system call of a session's life fails, moves little, or would block: the bytes stay right, nothing is lost.

Needs a debug build, whose src/faults.h says what a fault is. Every n of every life with every fault that its call
knows is a few thousand lives; CI runs a sample of them, in which each call and each of its faults occurs.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from engine_faults import CALLS, POSSIBLE, Faults, Strike, clear, engine_faults
from engine_inside import in_child
from engine_lives import LIVES, live

from fastlb import _engine

FAULTS = engine_faults()
injected = pytest.mark.skipif(FAULTS is None, reason="only debug builds have fault injection")


def calls_of(name: str) -> dict[str, int]:
    """How many calls of each kind an undisturbed life makes, which must go well."""
    assert FAULTS

    def undisturbed(_: Callable[[str], None]) -> dict[str, int]:
        counts: list[list[int]] = []
        found = live(LIVES[name], lambda: clear(FAULTS), lambda: counts.append(list(FAULTS.calls)), True)
        assert not found, found
        return dict(zip(CALLS, counts[0], strict=True))

    return in_child(undisturbed, name)


def strikes_of(calls: dict[str, int]) -> Iterator[Strike]:
    for call, count in calls.items():
        yield from (Strike(call, n, fault) for n in range(1, count + 1) for fault in POSSIBLE[call])


def sample(strikes: list[Strike], size: int, dice: random.Random) -> list[Strike]:
    """Of each call and fault one at least; the others by chance."""
    dice.shuffle(strikes)
    first = {(strike.call, strike.fault): strike for strike in strikes}
    return list(dict.fromkeys([*first.values(), *strikes[:size]]))


def struck(name: str, strikes: list[Strike], say: Callable[[str], None]) -> tuple[list[str], int]:
    """What went wrong, each line with its strike, and how many strikes took place."""
    faults = FAULTS
    assert isinstance(faults, Faults)
    found, hits = [], 0
    for strike in strikes:
        say(str(strike))
        clear(faults)

        def disarm() -> None:
            faults.countdown = 0

        wrong = live(LIVES[name], lambda strike=strike: strike.arm(faults), disarm, strike.fault.harmless)
        hits += faults.struck
        found += [f"{strike}: {problem}" for problem in wrong]
    return found, hits


@injected
@pytest.mark.parametrize("name", LIVES)
def test_a_life_survives_any_fault(name: str, scale: Callable[..., int]) -> None:
    strikes = list(strikes_of(calls_of(name)))
    chosen = sample(strikes, scale(f"faults in a life: {name}", len(strikes)), random.Random(name))
    found, hits = in_child(lambda say: struck(name, chosen, say), name)
    assert not found, "\n".join(found)
    assert hits > len(chosen) * 0.8, "most of the faults must take place"


@injected
def test_the_lives_make_every_call() -> None:
    made = {call for name in LIVES for call, count in calls_of(name).items() if count}
    assert made == set(CALLS)


@pytest.mark.skipif(_engine.BUILD != "release", reason="about the release build")
def test_a_release_has_no_fault_injection() -> None:
    assert FAULTS is None
    symbols = Path(_engine.__file__).read_bytes()
    assert b"fastlb_faults" not in symbols
    assert b"fault_is_due" not in symbols
