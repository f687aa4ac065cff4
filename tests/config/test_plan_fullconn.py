"""The limits that follow the load: what the plan makes of ``minconn`` and ``fullconn``."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastlb.plan.fullconn import fullconns
from fastlb.plan.load import load
from fastlb.plan.model import Plan

CONFIG = """
defaults
    mode tcp
    timeout connect 1s
    timeout client 1s
    timeout server 1s
frontend one
    bind 127.0.0.1:8001
    maxconn 101
    default_backend app
frontend two
    bind 127.0.0.1:8002
    default_backend app
listen own
    bind 127.0.0.1:8003
    maxconn 3
    server s 127.0.0.1:81 minconn 1 maxconn 5
backend app
    {app}
backend static
    server s 127.0.0.1:83 minconn 5 maxconn 5
    server t 127.0.0.1:84 minconn 9 maxconn 5
    server u 127.0.0.1:85 minconn 9
backend unused
    server s 127.0.0.1:86 minconn 5 maxconn 10
"""


def plan(path: Path, app: str) -> Plan:
    path.write_text(CONFIG.format(app=app))
    found = load([str(path)], environ={}).plan
    assert found is not None
    return found


@pytest.mark.parametrize(("said", "app"), [("", 211), ("fullconn 0", 211), ("fullconn 50", 50)])
def test_fullconn_is_said_or_a_tenth_of_what_may_come(tmp_path: Path, said: str, app: int) -> None:
    """A frontend without a maxconn counts with the service's, 2000 here; a listen counts for itself."""
    found = plan(tmp_path / "lb.cfg", f"{said}\n server s 127.0.0.1:82 minconn 1 maxconn 5")
    assert fullconns(found, 2000) == (1, app, 0, 1)


def test_only_a_lower_minconn_is_one(tmp_path: Path) -> None:
    found = plan(tmp_path / "lb.cfg", "server s 127.0.0.1:82 maxconn 5 maxqueue 7")
    limits = [(one.minconn, one.maxconn, one.maxqueue) for one in found.servers]
    assert limits == [(1, 5, 0), (0, 5, 7), (0, 5, 0), (0, 9, 0), (0, 9, 0), (5, 10, 0)]
    assert fullconns(found, 2000)[1] == 0, "nobody asks"


def test_a_backend_counts_all_frontends_whose_rules_lead_there(tmp_path: Path) -> None:
    server = "server s 127.0.0.1:82 minconn 1 maxconn 5"
    text = CONFIG.format(app=server).replace("    maxconn 101\n", "    maxconn 101\n    use_backend unused if TRUE\n")
    text = text.replace("default_backend app", "use_backend unused if { dst_port 1 }\n    default_backend app")
    (tmp_path / "lb.cfg").write_text(text)
    found = load([str(tmp_path / "lb.cfg")], environ={}).plan
    assert found is not None
    assert fullconns(found, 2000) == (1, 211, 0, 211)
