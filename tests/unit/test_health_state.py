"""The state machine of health checks, against its rules stated one by one, over all small limits and histories."""

from __future__ import annotations

from itertools import product

import pytest

from fastlb.health import state
from fastlb.plan.model import InitState

LIMITS = list(product(range(1, 5), repeat=2))


@pytest.mark.parametrize(("rise", "fall"), LIMITS)
def test_every_history_agrees_with_counting_by_hand(rise: int, fall: int) -> None:
    """The reference knows no integer: it counts passes and failures in a row, as the manual tells the rules."""
    for history in product([True, False], repeat=9):
        health = state.initial(rise, fall)
        up, in_a_row, fragile = True, 0, True
        for passed in history:
            health = state.advance(health, rise, fall, passed)
            if passed == up:
                in_a_row, fragile = 0, fragile and not passed
            else:
                in_a_row += 1
                if in_a_row == (rise if passed else 1 if fragile else fall):
                    up, in_a_row, fragile = passed, 0, False
            assert state.is_up(health, rise) is up
            assert 0 <= health <= state.top(rise, fall)


@pytest.mark.parametrize(("rise", "fall"), LIMITS)
def test_the_first_failure_takes_a_server_down(rise: int, fall: int) -> None:
    assert state.is_up(state.initial(rise, fall), rise)
    assert state.advance(state.initial(rise, fall), rise, fall, passed=False) == 0


@pytest.mark.parametrize(("rise", "fall"), LIMITS)
def test_a_server_starts_as_its_init_state_says(rise: int, fall: int) -> None:
    """How many checks of the one kind it takes to turn it over."""

    def checks_until(how: InitState, up: bool) -> int:
        health, count = state.initial(rise, fall, how), 0
        assert state.is_up(health, rise) is not up
        while state.is_up(health, rise) is not up:
            health, count = state.advance(health, rise, fall, passed=up), count + 1
        return count

    assert checks_until(InitState.FULLY_UP, up=False) == fall
    assert checks_until(InitState.UP, up=False) == 1
    assert checks_until(InitState.DOWN, up=True) == 1
    assert checks_until(InitState.FULLY_DOWN, up=True) == rise


@pytest.mark.parametrize(("rise", "fall"), LIMITS)
def test_one_pass_while_up_restores_everything(rise: int, fall: int) -> None:
    for health in range(rise, rise + fall):
        assert state.advance(health, rise, fall, passed=True) == state.top(rise, fall)


@pytest.mark.parametrize(("rise", "fall"), LIMITS)
def test_one_failure_while_climbing_starts_over(rise: int, fall: int) -> None:
    for health in range(rise):
        assert state.advance(health, rise, fall, passed=False) == 0


def test_words() -> None:
    assert [state.status(health, 2, 3) for health in range(5)] == ["DOWN", "DOWN 1/2", "UP 1/3", "UP 2/3", "UP"]
    assert [state.status(health, 1, 1) for health in range(2)] == ["DOWN", "UP"]


def test_intervals_depend_on_the_state() -> None:
    assert [state.interval_ms(health, 2, 3, 10, 20, 30) for health in range(5)] == [30, 20, 20, 20, 10]


@pytest.mark.parametrize(("old", "new"), list(product(LIMITS, repeat=2)))
def test_other_limits_keep_up_up_and_down_down(old: tuple[int, int], new: tuple[int, int]) -> None:
    for health in range(sum(old)):
        scaled = state.rescale(health, old[0], *new)
        assert 0 <= scaled <= state.top(*new)
        assert state.is_up(scaled, new[0]) is state.is_up(health, old[0])
