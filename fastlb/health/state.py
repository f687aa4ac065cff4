"""HAProxy's health of a server as one integer, 0 to rise + fall - 1, that is UP when it is at least ``rise``.

    0 ── pass ──▶ 1 ── … ──▶ rise ──┐ (a pass at or above rise goes to the top at once)
    ▲                               ▼
    └── fail at or below rise ── … ◀── fail ── rise + fall - 1

A server that is up may be *stopping* besides, after a conditional success: the balancing gives it no more connections,
until it passes again. A conditional success counts like any other, but never begins to bring a server up.

It starts at ``rise``: up before any check, and the first failure takes it down; or where ``init-state`` says.
Everything here is a function from value to value; ``rise`` and ``fall`` are at least 1.
"""

from __future__ import annotations

from fastlb.plan.checkmodel import InitState, OnError

MAINT = "MAINT"
RESOLUTION = f"{MAINT} (resolution)"
NO_CHECK = "no check"
NO_BALANCING = "NOLB"


def initial(rise: int, fall: int, how: InitState = InitState.UP) -> int:
    """The health of a server that was never checked."""
    return {
        InitState.FULLY_UP: top(rise, fall),
        InitState.UP: rise,
        InitState.DOWN: rise - 1,
        InitState.FULLY_DOWN: 0,
    }[how]


def top(rise: int, fall: int) -> int:
    """The health of a server that passes every check."""
    return rise + fall - 1


def is_up(health: int, rise: int) -> bool:
    return health >= rise


def advance(health: int, rise: int, fall: int, passed: bool) -> int:
    """The health after one more check that passed or failed."""
    if not passed:
        return health - 1 if health > rise else 0
    return top(rise, fall) if health + 1 >= rise else health + 1


def alarmed(health: int, rise: int, how: OnError) -> int:
    """What the health is before it fails once more, because connections of clients failed."""
    if how is OnError.MARK_DOWN:
        return min(health, rise)
    return min(health, rise + 1) if how is OnError.SUDDEN_DEATH else health


def rescale(health: int, old_rise: int, rise: int, fall: int) -> int:
    """The same health under other limits: what was up stays up, what was down stays down."""
    if is_up(health, old_rise):
        return min(max(health - old_rise + rise, rise), top(rise, fall))
    return min(health, rise - 1)


def status(health: int, rise: int, fall: int, stopping: bool = False) -> str:
    """HAProxy's words: ``UP``, ``UP 1/3`` (failing, or never checked), ``DOWN``, ``DOWN 1/2`` (recovering).
    ``stopping``: ``NOLB`` instead of ``UP``."""
    if is_up(health, rise):
        word = NO_BALANCING if stopping else "UP"
        return word if health == top(rise, fall) else f"{word} {health - rise + 1}/{fall}"
    return "DOWN" if health == 0 else f"DOWN {health}/{rise}"


def credit(health: int, rise: int, fall: int, weight: int) -> str:
    """HAProxy's words in the log of a check: ``2/3 UP`` (the second failure in a row takes it down), ``1/2 DOWN``."""
    if is_up(health, rise):
        return f"{health - rise + 1}/{fall} {'UP' if weight else 'DRAIN'}"
    return f"{health}/{rise} DOWN"


def interval_ms(health: int, rise: int, fall: int, inter_ms: int, fastinter_ms: int, downinter_ms: int) -> int:
    """From the end of one check to the start of the next (HAProxy manual, section 5.2 ``inter``)."""
    if health == top(rise, fall):
        return inter_ms
    return downinter_ms if health == 0 else fastinter_ms
