"""Sections that serve nobody, and what things are called besides their names."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastlb.plan.identity import fill_ids
from fastlb.plan.load import Reading, load
from fastlb.plan.model import Plan

GOOD = Path(__file__).parent / "good"


@pytest.fixture
def plan(monkeypatch: pytest.MonkeyPatch) -> Plan:
    monkeypatch.chdir(GOOD)
    found = load(["identity.cfg"], environ={}).plan
    assert found is not None
    return found


def test_a_disabled_frontend_is_not_there_and_leaves_its_address(plan: Plan) -> None:
    assert [frontend.name for frontend in plan.frontends] == ["www", "open"]
    assert [(bind.address.port, bind.frontend) for bind in plan.binds] == [(8080, 0), (8081, 0), (8082, 1)]


def test_the_servers_of_a_disabled_backend_are_in_maintenance(plan: Plan) -> None:
    assert [backend.name for backend in plan.backends] == ["app", "closed", "open"]
    assert [server.disabled for server in plan.servers] == [False, False, True, False]


def test_what_things_are_called(plan: Plan) -> None:
    assert (plan.process.node, plan.process.description) == ("lb1.example", "the balancer of building 7")
    www, app = plan.frontends[0], plan.backends[0]
    assert (www.id, www.guid, www.description) == (10, "fe:www", "Shop and blog")
    assert (app.id, app.guid, app.description) == (11, "be:app", None)
    assert [(server.id, server.guid) for server in plan.servers[:2]] == [(1, "be:app:a"), (2, None)]
    assert [(bind.id, bind.name) for bind in plan.binds] == [(1, "public"), (2, "b"), (1, None)]


def test_ids_that_are_not_said(plan: Plan) -> None:
    """The number of its place, or the next that is free; sections that are disabled count."""
    assert [frontend.number for frontend in plan.frontends] == [10, 5]
    assert [backend.number for backend in plan.backends] == [11, 4, 5]
    assert [bind.number for bind in plan.binds] == [1, 2, 1]
    assert fill_ids([0, 2, 0, 0, 4, 0]) == [1, 2, 3, 5, 4, 7]


def test_the_command_line_has_the_last_word_on_the_local_peer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(GOOD)
    result = load(["identity.cfg"], Reading(local_peer="peer-b"), environ={})
    assert [str(found) for found in result.diagnostics] == [
        "identity.cfg:6:15: warning: 'localpeer' is ignored: the command line says it, with '-L'",
        "identity.cfg:15:5: error: unknown keyword 'nonsense' in section 'defaults'",
    ]
