"""What changes from one configuration to another, in words."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest

from fastlb import difference
from fastlb.config.errors import Location, Report
from fastlb.config.logformat import parse_value
from fastlb.plan.load import load
from fastlb.plan.model import Plan

TEXT = """\
global
    nbthread 2
defaults
    mode tcp
    timeout connect 5s
    timeout client 1m
    timeout server 1m
frontend www
    bind 127.0.0.1:8080
    default_backend app
backend app
    server a 10.0.0.1:80 check
    server b 10.0.0.2:80
listen db
    bind 127.0.0.1:8081
    server s 10.0.0.3:80
"""


def plan(text: str) -> Plan:
    Path("lb.conf").write_text(text)
    result = load(["lb.conf"], environ={})
    assert result.plan is not None, result.diagnostics
    return result.plan


def told(before: str, after: str) -> list[tuple[str, str]]:
    """Each change, with the part of the old plan whose sessions it concerns."""
    old = plan(TEXT)
    new = plan(TEXT.replace(before, after))
    return [
        (one.text, f"{getattr(old, one.part)[one.index].name}: {one.then}" if one.part else "")
        for one in difference.changes(old, new)
    ]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("", "", []),
        ("frontend www", "# moved\nfrontend www", []),
        ("nbthread 2", "nbthread 5", [("~ workers: 3 more begin", "")]),
        (
            "nbthread 2",
            "nbthread 1",
            [("~ workers: 1 accept nothing more, and end with their last sessions", "")],
        ),
        ("nbthread 2", "nbthread 2\n    maxconn 9", [("~ global: maxconn automatic → 9, at once", "")]),
        (
            "nbthread 2",
            "nbthread 2\n    pidfile /p",
            [("~ global: pidfile not set → /p, at the next start", "")],
        ),
        (
            "127.0.0.1:8081",
            "127.0.0.1:8082 backlog 9",
            [
                ("- 127.0.0.1:8081 of db is no longer listened on", ""),
                ("+ 127.0.0.1:8082 is listened on, for db", ""),
            ],
        ),
        ("127.0.0.1:8080", "127.0.0.1:8080 tfo", [("~ 127.0.0.1:8080 of www: tfo off → on, at once", "")]),
        (
            "default_backend app",
            "default_backend db\n    timeout client 30s",
            [
                ("~ frontend www: timeout client 1m → 30s", "www: keep the old"),
                ("~ frontend www: connections go to db, no longer to app", "www: stay where they are"),
            ],
        ),
        ("server a", "balance source\n    server a", [("~ backend app: balance roundrobin → source, at once", "")]),
        ("server a 10.0.0.1:80 check", "server a 10.0.0.1:80", [
            ("~ server app/a: is checked no longer, and counts as up", ""),
        ]),
        ("server a", "balance hash src\n    hash-type consistent\n    server a", [
            ("~ backend app: balance roundrobin → hash, at once", ""),
            ("~ backend app: hashing src by map-based none → src by consistent sdbm avalanche, at once", ""),
        ]),
        ("server b", "server n 10.0.0.7:80\n    server b", [("+ server app/n 10.0.0.7:80", "")]),
        ("check", "check inter 5s", [("~ server app/a: check inter 2s → 5s, at once", "")]),
        ("server b 10.0.0.2:80", "server b 10.0.0.9:80 weight 3", [
            ("~ server app/b: address 10.0.0.2:80 → 10.0.0.9:80", "b: stay with the old one"),
            ("~ server app/b: weight 1 → 3, at once", ""),
        ]),
        ("server b 10.0.0.2:80", "server c 10.0.0.2:80 disabled", [
            ("- server app/b 10.0.0.2:80", "b: go on until they end"),
            ("+ server app/c 10.0.0.2:80, disabled", ""),
        ]),
        ("server b 10.0.0.2:80", "server b 10.0.0.2:+8000", [
            ("~ server app/b: address 10.0.0.2:80 → 10.0.0.2:+8000", "b: stay with the old one"),
        ]),
        ("listen db", "listen sql", [
            ("~ 127.0.0.1:8081 belongs to sql, no longer to db, at once", ""),
            ("- frontend db", "db: go on until they end"),
            ("+ frontend sql", ""),
            ("- backend db with 1 server", "db: go on until they end"),
            ("+ backend sql with 1 server", ""),
        ]),
        ("backend app", "backend app\n    timeout server 5s", [
            ("~ backend app: timeout server 1m → 5s", "app: keep the old"),
        ]),
        ("frontend www", "frontend www\n    log 127.0.0.1 local0", [
            ("~ frontend www: other log lines or targets", "www: keep the old"),
        ]),
        ("nbthread 2", "nbthread 2\n    prometheus bind :9101", [("+ the metrics at 0.0.0.0:9101/metrics", "")]),
    ],
)  # fmt: skip
def test_a_change(before: str, after: str, expected: list[tuple[str, str]]) -> None:
    assert told(before, after) == expected


def test_what_needs_a_restart() -> None:
    old = plan(TEXT)
    assert difference.refusal(old, old) is None
    new = plan(TEXT.replace("nbthread 2", "user nobody\n    chroot /"))
    assert difference.refusal(old, new) == "a change of 'user', 'uid', 'group', 'chroot' in 'global' needs a restart"


# Numbers that the plan gives itself (most ids of servers are), and what is named by the part that has it.
SILENT = {
    "name",
    "location",
    "first_server",
    "server_count",
    "is_listen",
    "frontend",
    "backend",
    "key",
    "workers",
    "tracked",
    "keeps_fields",
    "number",
    "rated",
}


@pytest.mark.parametrize("part", ["frontends", "backends", "servers", "binds"])
def test_no_field_is_forgotten(part: str) -> None:
    """Whatever differs in a part of the plan is told; a field that is new in the plan, too."""
    old = plan(TEXT.replace("server a", "log 127.0.0.1 local0\n    server a"))
    first = getattr(old, part)[0]
    for field in fields(first):
        if (
            field.name in SILENT
            or field.name in ("logs", "address", "port_offset")
            or (part, field.name) == ("servers", "id")
        ):
            continue
        other = {
            "check": None,
            "unique_id": parse_value("%ci", Location("x", 1, 1), Report()),
            "rules": replace(first.rules, digest="other") if hasattr(first, "rules") else None,
        }
        changed = replace(first, **{field.name: other.get(field.name, 12_345)})
        new = replace(old, **{part: (changed, *getattr(old, part)[1:])})
        assert len(difference.changes(old, new)) == 1, field.name


def test_what_concerns_the_state_of_servers_counts_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the number of a tracked server is none of the reader's business."""
    monkeypatch.chdir(tmp_path)
    tracking = TEXT.replace("server b 10.0.0.2:80", "server b 10.0.0.2:80 track a")
    first = plan(tracking)
    second = plan(
        tracking.replace("    server a", "    server z 10.0.0.9:80\n    server a").replace(
            "track a", "track a maxqueue 5 slowstart 10s on-marked-down shutdown-sessions"
        )
    )
    told = [change.text for change in difference.changes(first, second) if "server app/b" in change.text]
    assert len(told) == 3
    assert all(text.endswith("at once") for text in told), told


def test_rules_and_what_their_files_say() -> None:
    ruled = "frontend www\n    use_backend app if { src -f nets }\n"
    Path("nets").write_text("10.0.0.0/8\n")
    old = plan(TEXT.replace("frontend www\n", ruled))
    elsewhere = plan(TEXT.replace("frontend www\n", ruled).replace("db\n", "db\n    use_backend app if FALSE\n"))
    assert [one.text for one in difference.changes(old, elsewhere)] == ["~ frontend db: other rules"]
    Path("nets").write_text("10.0.0.0/9\n")
    changes = difference.changes(old, plan(TEXT.replace("frontend www\n", ruled)))
    assert [(one.text, one.then) for one in changes] == [("~ frontend www: other rules", "keep the old")]
