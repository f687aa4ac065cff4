"""The truth table of endings (D4, D3, D11): every cell of endings_table.py, by every mover."""

import itertools

import pytest

from .endings_acts import play
from .endings_stage import standing
from .endings_table import ENDINGS, ESTABLISHED, IMPOSSIBLE, MOVERS, SIDES, TABLE, WAITING
from .harness import netns


@pytest.fixture(scope="module", params=MOVERS, ids=lambda mover: mover.label)
def stage(request):
    with standing(request.param) as stage:
        yield stage


def test_every_cell_is_there_once():
    cells = [(row.who, row.what, row.when) for row in (*TABLE, *IMPOSSIBLE)]
    assert sorted(cells) == sorted(itertools.product(SIDES, ENDINGS, ESTABLISHED + WAITING))


@pytest.mark.parametrize("cell", [cell for cell in TABLE if cell.when in ESTABLISHED], ids=str)
def test_established(stage, cell, scale):
    needs_a_network(cell)
    for _ in range(times(cell, scale)):
        play(stage, cell)
    moved = stage.settle()
    assert moved > stage.mover.messages * stage.mover.message, f"{moved} bytes by {stage.mover.label}"


@pytest.mark.parametrize("stage", MOVERS[:1], ids=lambda mover: mover.label, indirect=True)
@pytest.mark.parametrize("cell", [cell for cell in TABLE if cell.when in WAITING], ids=str)
def test_waiting(stage, cell, scale):
    """Nothing has moved yet, so one mover is enough."""
    needs_a_network(cell)
    for _ in range(times(cell, scale)):
        play(stage, cell)
    stage.settle()


def needs_a_network(cell):
    if cell.what == "black hole" and (reason := netns.unavailable()):
        pytest.skip(reason)


def times(cell, scale):
    """D4: what needs no timeout, nor tens of megabytes, is done often."""
    once = cell.what in ("timeout", "black hole") or cell.when == "full"
    return 1 if once or (cell.what, cell.when) == ("half-close", "connecting") else scale("times", 200, least=3)
