"""HAProxy as the oracle for stick tables: both load the same lines, but for those that are refused here on purpose."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from test_config_oracle import BACKEND, DEFAULTS, FRONTEND, compare

pytestmark = pytest.mark.skipif(shutil.which("haproxy") is None, reason="haproxy is not installed")

TABLES = """backend t
 stick-table type ip size 1k store conn_cur,gpc0
backend i
 stick-table type integer size 10 nopurge
backend x
 stick-table type string len 10 size 10 expire 1h store conn_rate(10s)
"""
AGREED_FRONTEND = """
stick-table type ip size 1k|stick-table type ipv6 size 1m expire 5s nopurge|stick-table type ip|stick-table size 1k
stick-table|stick-table type nosuch size 1k|stick-table type string len 0 size 1k|stick-table type binary len 5 size 1k
stick-table type ip size 1x|stick-table type ip size 1k store nosuch|stick-table type ip size 1k store conn_cur,conn_cnt
stick-table type ip size 1k store conn_rate(10s)|stick-table type ip size 1k store conn_rate
stick-table type ip size 1k store gpc(3),gpc_rate(3,10s)|stick-table type ip size 1k store gpc0,gpc1_rate(1m) store gpt0
stick-table type ip size 1k peers nosuch|stick-table type ip size 1k nosuch|stick-table type ip size 1k expire 5x
stick-table type integer size 10
tcp-request connection track-sc0 src table t|tcp-request connection track-sc0 src
tcp-request content track-sc2 src table t
tcp-request connection track-sc0 src table nosuch|tcp-request connection track-sc0|tcp-request connection track-sc9 src
tcp-request content track-sc0 req.ssl_sni table x|tcp-request connection track-sc0 req.ssl_sni table x
tcp-request content track-sc1 src_port table i if TRUE|tcp-request content track-sc0 src table t foo
tcp-request session track-sc0 src table t|tcp-request session sc-inc-gpc0(0)
tcp-request connection sc-inc-gpc0(0)|tcp-request content sc-inc-gpc1(2) if TRUE
tcp-request content sc-inc-gpc(1,0)|tcp-request content sc-inc-gpc(1)|tcp-request content sc-inc-gpc0(x)
tcp-request content sc-set-gpt0(0) 5|tcp-request content sc-set-gpt0(0) src_port
tcp-request content sc-set-gpt(1,0) 5 if TRUE
acl a sc0_conn_cur gt 5|acl a sc0_conn_cur(t) gt 5|acl a sc_conn_cur(0) gt 5|acl a sc_conn_cur gt 5
acl a sc3_conn_cur gt 5|acl a src,lower,table_conn_rate(x) gt 1
acl a src_conn_rate(t) gt 5|acl a src_conn_rate(nosuch) gt 5|acl a src_get_gpc0(t) gt 5|acl a src_get_gpc(0,t) gt 5
acl a sc_get_gpc(1,0) gt 5|acl a sc0_tracked|acl a sc_trackers(0,t) gt 1|acl a table_cnt(t) gt 5|acl a table_avl(x) gt 5
acl a src,in_table(t)|acl a src,in_table(nosuch)|acl a src,in_table|acl a src,table_conn_cur(t) gt 5
acl a src,table_gpc(1,t) gt 5|acl a src_port,table_conn_cnt(i) gt 5|acl a sc0_inc_gpc0 gt 5|acl a src_clr_gpc0(t) gt 5
acl a src_updt_conn_cnt(t) gt 5|acl a sc0_kbytes_in gt 5
"""
AGREED_BACKEND = """
stick on src table t|stick on src|stick on src table nosuch|stick match src table t if TRUE|stick on src table t foo
stick store-request src table t unless TRUE|stick on|stick|stick nosuch src|stick on src_port table i
stick on req.ssl_sni table x|stick on nosuch table t|server y 127.0.0.1:81 non-stick|default-server non-stick
stick on dst,ipmask(24) table t
stick store-response src table t|stick store-response res.payload(0,4) table x
stick store-response req.payload(0,4) table x
stick store-response|tcp-response content sc-inc-gpc0(0)|tcp-response content sc-inc-gpc(1,0) if TRUE
tcp-response content sc-set-gpt0(0) 5|tcp-response content sc-set-gpt0(0) req.len|tcp-response content sc-inc-gpc(1)
tcp-response content track-sc0 src table t
"""
# What nobody can mean, an address that is a number by itself, and words for peers.
STRICTER = """
stick-table type ip size 1k srvkey addr|stick-table type ip size 1k store server_key
stick-table type ip size 1k store conn_cur,conn_cur|stick-table type ip size 1k store|tcp-request content sc-inc-gpc0
tcp-request content sc-set-gpt0(0)|tcp-request content sc-set-gpt(1,0)|tcp-request content sc-set-gpt0(0) src
"""


def lines(text: str) -> list[str]:
    return [line for row in text.strip().splitlines() for line in row.split("|")]


@pytest.mark.parametrize("line", lines(AGREED_FRONTEND))
def test_both_agree_on_a_frontends_line(line: str, tmp_path: Path) -> None:
    compare(f"{DEFAULTS}{FRONTEND} {line}\n{BACKEND}{TABLES}", tmp_path / "c.cfg")


@pytest.mark.parametrize("line", lines(AGREED_BACKEND))
def test_both_agree_on_a_backends_line(line: str, tmp_path: Path) -> None:
    compare(f"{DEFAULTS}{FRONTEND}{BACKEND} {line}\n{TABLES}", tmp_path / "c.cfg")


@pytest.mark.parametrize("line", lines(STRICTER))
def test_refused_here_on_purpose(line: str, tmp_path: Path) -> None:
    compare(f"{DEFAULTS}{FRONTEND} {line}\n{BACKEND}{TABLES}", tmp_path / "c.cfg", (True, False))
