"""Who is eligible, and what is published for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastlb.balance import Candidate, eligible, schedule
from fastlb.plan.model import Balance


def candidates(*descriptions: str) -> list[Candidate]:
    """``"3"`` is an active server of weight 3, ``"3b"`` a backup, ``"3-"`` one that is down."""
    return [
        Candidate(slot, int(text.rstrip("b-")), "b" in text, "-" not in text) for slot, text in enumerate(descriptions)
    ]


@pytest.mark.parametrize(
    ("servers", "slots"),
    [
        (("1", "1", "1b"), [0, 1]),
        (("1", "1-", "1b"), [0]),
        (("1-", "1-", "1b-", "1b", "1b"), [3]),
        (("1b", "1"), [1]),
        (("0", "1b"), [1]),
        (("0", "0b"), []),
        (("1-",), []),
        ((), []),
    ],
)
def test_actives_else_the_first_usable_backup(servers: tuple[str, ...], slots: list[int]) -> None:
    assert [one.slot for one in eligible(candidates(*servers))] == slots


@pytest.mark.parametrize(
    ("servers", "slots"),
    [
        (("1", "1b", "1b"), [0]),
        (("1-", "1b-", "2b", "3b"), [2, 3]),
        (("1-", "0b", "1b"), [2]),
        (("1-", "1b-"), []),
    ],
)
def test_allbackups_has_every_usable_backup_share(servers: tuple[str, ...], slots: list[int]) -> None:
    assert [one.slot for one in eligible(candidates(*servers), allbackups=True)] == slots


@pytest.mark.parametrize("balance", [balance for balance in Balance if balance is not Balance.FIRST])
def test_weights_are_published_as_written(balance: Balance) -> None:
    assert schedule(balance, candidates("4", "6", "2-")) == (((0, 4), (1, 6)), balance is Balance.SOURCE)


def test_first_goes_by_id_and_not_by_weight() -> None:
    servers = [Candidate(slot, 4, False, True, number) for slot, number in enumerate([30, 10, 20])]
    assert schedule(Balance.FIRST, servers).entries == ((1, 1), (2, 1), (0, 1))


@given(st.lists(st.builds(Candidate, st.integers(0, 9), st.integers(0, 256), st.booleans(), st.booleans())))
def test_nothing_unusable_is_ever_published(servers: list[Candidate]) -> None:
    for balance in Balance:
        published = schedule(balance, servers).entries
        usable = [one for one in servers if one.usable and one.weight]
        assert bool(published) == bool(usable)
        assert all(weight > 0 for _, weight in published)
        assert {slot for slot, _ in published} <= {one.slot for one in usable}
