"""``be-unpublished`` and ``force-be-switch``: which backend the rules of a frontend choose."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from engine_tables import Stage, frontend, plan_of

from fastlb import _engine

HIDDEN = "backend hidden\n be-unpublished\n server s 127.0.0.1:80\nbackend other\n server s 127.0.0.1:80\n"
Chosen = Callable[[str], str | None]


@pytest.fixture
def choose(tmp_path: Path) -> Iterator[Callable[..., Chosen]]:
    stages: list[Stage] = []

    def make(*lines: str) -> Chosen:
        here = Stage(plan_of(tmp_path, frontend(*lines, others=HIDDEN)))
        stages.append(here)
        engine, names = here.engine(), [one.name for one in here.plan.backends]

        def chosen(source: str) -> str | None:
            number = _engine.judge(engine, 0, source)[2]
            return names[number] if number >= 0 else None

        return chosen

    yield make
    for one in stages:
        one.close()


def test_rules_pass_over_what_is_not_published(choose: Callable[..., Chosen]) -> None:
    chosen = choose("use_backend hidden if { src 10.0.0.0/8 }", "use_backend other if { src 10.0.0.1 }")
    assert [chosen(one) for one in ("10.0.0.1", "10.0.0.2", "192.0.2.1")] == ["other", None, None]


def test_a_name_made_at_run_time_is_passed_over_too(choose: Callable[..., Chosen]) -> None:
    chosen = choose("use_backend hid%[str(den)]", "use_backend oth%[str(er)]", "use_backend b")
    assert chosen("10.0.0.1") == "other"
    chosen = choose("use_backend no%[str(body)]", "use_backend other")
    assert chosen("10.0.0.1") is None, "a name that nobody has ends the search"


def test_some_may_go_there(choose: Callable[..., Chosen]) -> None:
    chosen = choose(
        "force-be-switch if { src 10.0.0.1 }",
        "force-be-switch unless { src 10.0.0.0/8 }",
        "use_backend hidden",
        "use_backend other",
    )
    assert [chosen(one) for one in ("10.0.0.1", "10.0.0.2", "192.0.2.1")] == ["hidden", "other", "hidden"]


def test_a_look_is_needed_only_where_the_default_is_hidden(tmp_path: Path) -> None:
    def looks(*lines: str) -> bool:
        return plan_of(tmp_path, frontend(*lines, others=HIDDEN)).frontends[0].rules.needed

    assert not looks("force-be-switch if TRUE")
    assert looks("default_backend hidden")
