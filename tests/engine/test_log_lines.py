"""What a worker writes for each variable of a log format, and when."""

from __future__ import annotations

import re
import socket
import time
from contextlib import closing
from dataclasses import replace

import pytest
from engine_peers import say
from engine_workers import Workers, logged_plan, make_plan, running, session_log, wait_until


def lines_of(workers: Workers, count: int = 1) -> list[str]:
    wait_until(lambda: workers.worker()["log_lines_total"] >= count)
    return workers.log_lines()


def visit(workers: Workers, data: bytes = b"hi!") -> tuple[str, int]:
    """One session that ends well; its client's address."""
    with closing(socket.create_connection(("127.0.0.1", workers.port), timeout=20)) as client:
        client.sendall(data)
        while client.recv(100):
            pass
        return client.getsockname()


def line_of(serve, format: str, *more: str, kind: str = "raw") -> tuple[str, Workers, int]:
    """The line of one session that ends well, in this format."""
    said = logged_plan(f'log-format "{format}"', *more, format=kind)
    plan = make_plan([serve(say(b"hello"))], session_log=said.frontends[0].session_log, rules=said.rules)
    with running(plan) as workers:
        _, port = visit(workers)
        (line,) = lines_of(workers)
        return line, workers, port


NUMBERS = "%B %U %Tc %Td %Th %Tt %Tu %Tw %ac %fc %bc %sc %rc %sq %bq %ts"


def test_counts_and_times(serve) -> None:
    line, _, _ = line_of(serve, NUMBERS)
    assert re.fullmatch(r"5 3 \d+ \d+ 0 \d+ \d+ \d+ 1 1 0 0 0 0 0 --", line), line


def test_addresses(serve) -> None:
    line, workers, port = line_of(serve, "%ci:%cp %fi:%fp %bi:%bp %si:%sp %B")
    server = workers.plan.servers[0].address.port
    found = re.fullmatch(
        rf"127\.0\.0\.1:{port} 127\.0\.0\.1:{workers.port} 127\.0\.0\.1:(\d+) 127\.0\.0\.1:{server} 5", line
    )
    assert found, line
    assert int(found[1]) not in (port, workers.port, server)


def test_hexadecimal(serve) -> None:
    line, workers, port = line_of(serve, "%{+X}o %ci:%cp %Ts %ms %pid %rt %lc %[src] %B")
    address, stamp, ms, pid, *rest = line.split()
    assert address == f"7F000001:{port:04X}"
    assert abs(int(stamp, 16) - time.time()) < 60
    assert int(ms, 16) < 1000
    assert pid == f"{workers.pids[0]:04X}"
    assert rest == ["0000", "0000", "127.0.0.1", "5"]


def test_quotes_go_around_texts_and_samples(serve) -> None:
    line, _, port = line_of(serve, "%{+Q}o %ci %cp %f %ft %b %s %ts %[src_port] %[reason] %{-Q}b %B %H")
    host = socket.gethostname()
    assert line == f'"127.0.0.1" {port} "fe" "fe" "be" "s0" -- "{port}" "normal" be 5 "{host}"'


def test_dates(serve) -> None:
    line, _, _ = line_of(serve, "%t|%T|%Tl|%Ts|%ms|%[date]|%[date(0,ms)]|%[date(0,us)]|%B")
    local, utc, zoned, stamp, ms, now, now_ms, now_us, _ = line.split("|")
    second = int(stamp)
    day = "%d/%b/%Y:%H:%M:%S"
    assert local == time.strftime(day, time.localtime(second)) + "." + ms
    assert utc == time.strftime(f"{day} +0000", time.gmtime(second))
    assert zoned == time.strftime(f"{day} %z", time.localtime(second))
    assert len(now), len(now_ms) == (len(stamp), len(stamp) + 3)
    assert second <= int(now) <= second + 60
    assert int(now_us) // 1000 == int(now_ms)
    assert int(now_ms) // 1000 == int(now)


def test_text_and_percent_signs(serve) -> None:
    assert line_of(serve, "  a  100%% %{-M}[srv_name]%b x")[0] == "a 100% s0be x"


def test_what_is_not_there(serve) -> None:
    text = 'log-format "%s|%[srv_name]|%si|%sp|%bi|%bp|%{+Q}si|%{+Q}bp|%{+Q}[srv_name]|%{-M}si|%Tw|%Tc|%Td|%[reason]"'
    with running(make_plan([], session_log=session_log(text))) as workers:
        visit(workers, b"")
        assert lines_of(workers) == ['<NOSRV>|-|-|-|-|-|""|""|""||-1|-1|-1|no_server']


def test_texts_name_backends_and_servers(serve) -> None:
    """A server without its backend is one of the section."""
    names = "%[str(s),srv_is_up] %[str(fe/s),srv_is_up] %[str(x),srv_is_up] %[str(s),srv_queue] %[str(fe),nbsrv]"
    assert line_of(serve, names)[0] == "1 1 - 0 1"


CONNECTIONS = (
    "%[fc_rtt(us)] %[fc_rttvar(us)] %[bc_rtt(us)] %[bc_rttvar(us)] %[fc_rtt] %[fc_lost] %[fc_retrans] %[fc_sacked] "
    "%[fc_fackets] %[bc_src]:%[bc_src_port]=%bi:%bp %[bc_dst]:%[bc_dst_port]=%si:%sp %[dst]:%[dst_port,add(0)]=%fi:%fp "
    "%[bc_dst,ipmask(8)] %[dst,ipmask(8)]"
)


@pytest.mark.parametrize("more", ["", "option logasap"])
def test_what_the_kernel_knows_of_both_connections(serve, more: str) -> None:
    """In a line that is written when the sockets are closed, too."""
    line, _, _ = line_of(serve, CONNECTIONS, *([more] if more else []))
    words = line.split()
    times = [int(word) for word in words[:4]]
    assert all(0 < us < 5_000_000 for us in times), line
    assert int(words[4]) == (times[0] + 500) // 1000 or more, line  # else the kernel is asked twice
    assert words[5:9] == ["0", "0", "0", "0"]
    assert [one for one, other in (word.split("=") for word in words[9:12]) if one != other] == [], line
    assert words[12:] == ["127.0.0.0", "127.0.0.0"]


SHOWN = {
    "bytes_in": "%U", "bytes_out": "%B", "req.bytes_in": "%U", "res.bytes_in": "%B", "fc.timer.handshake": "%Th",
    "req.timer.queue": "%Tw", "bc.timer.connect": "%Tc", "res.timer.data": "%Td", "fc.timer.total": "%Tt",
    "txn.timer.user": "%Tu", "bc_be_queue": "%bq", "bc_srv_queue": "%sq", "txn.conn_retries": "%rc",
    "txn.sess_term_state": "%ts", "txn.redispatched": "0",
}  # fmt: skip


@pytest.mark.parametrize("servers", [1, 0])
def test_samples_show_what_variables_show(serve, servers: int) -> None:
    said = logged_plan(f'log-format "{" ".join(f"{variable}=%[{name}]" for name, variable in SHOWN.items())}"')
    ports = [serve(say(b"hello"))] * servers
    with running(make_plan(ports, session_log=said.frontends[0].session_log, rules=said.rules)) as workers:
        visit(workers, b"hi!" * servers)
        (line,) = lines_of(workers)
        pairs = [word.split("=") for word in line.split()]
        assert [one for one, other in pairs if one != other] == [], line
        assert (pairs[0][0], pairs[1][0], pairs[-2][0]) == (("3", "5", "--") if servers else ("0", "0", "SC"))


def test_without_a_server_nothing_is_known_of_it() -> None:
    said = logged_plan('log-format "%[bc_rtt] %[bc_src] %[bc_src_port] %[bc_dst_port] %[fc_rtt(us),bool] %B"')
    with running(make_plan([], session_log=said.frontends[0].session_log, rules=said.rules)) as workers:
        visit(workers, b"")
        assert lines_of(workers) == ["- - - - 1 0"]


def test_escaped(serve) -> None:
    plan = make_plan([serve(say(b"hello"))], session_log=session_log('log-format "%{+E}b %{+Q,+E}b %b %B"'))
    plan = replace(plan, backends=(replace(plan.backends[0], name='a"b]c\\d'),))
    with running(plan) as workers:
        visit(workers)
        assert lines_of(workers) == [r'a\"b\]c\\d "a\"b\]c\\d" a"b]c\d 5']


def test_lines_and_sessions_are_numbered(serve) -> None:
    plan = make_plan([serve(say(b"hello"))], session_log=session_log('log-format "%lc %rt %lc %B"'))
    with running(plan) as workers:
        for count in range(1, 4):
            visit(workers)
            wait_until(lambda count=count: workers.worker()["log_lines_total"] == count)
        assert workers.log_lines() == ["0 0 0 5", "1 1 1 5", "2 2 2 5"]


def test_a_line_without_what_the_end_tells_is_written_when_the_server_is_connected() -> None:
    with held_session('log-format "%ci %s %pid"') as (workers, client):
        assert lines_of(workers) == [f"127.0.0.1 s0 {workers.pids[0]}"]
        client.close()
        wait_until(lambda: workers.sessions() == 0)
        assert workers.log_lines() == []


def test_logasap_writes_then_and_marks_what_will_grow() -> None:
    with held_session("option tcplog", "option logasap") as (workers, client):
        (line,) = lines_of(workers)
        assert re.fullmatch(r"127\.0\.0\.1:\d+ \[.*\] fe be/s0 \d+/\d+/\+\d+ \+0 -- 1/1/1/1/0 0/0", line), line
        client.close()
        wait_until(lambda: workers.sessions() == 0)
        assert workers.log_lines() == []


class held_session:
    """A session that is connected and stays."""

    def __init__(self, *lines: str) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        plan = make_plan([self._listener.getsockname()[1]], session_log=session_log(*lines))
        self._running = running(plan)

    def __enter__(self) -> tuple[Workers, socket.socket]:
        workers = self._running.__enter__()
        self._client = socket.create_connection(("127.0.0.1", workers.port), timeout=20)
        self._far, _ = self._listener.accept()
        self._far.close()
        return workers, self._client

    def __exit__(self, *why: object) -> None:
        self._client.close()
        self._running.__exit__(*why)
        self._listener.close()


@pytest.mark.parametrize("refused", [False, True])
def test_errors_have_a_level_and_a_line_of_their_own(serve, refused: bool) -> None:
    """As HAProxy's manual has it: errors, timeouts, retries, redispatches."""
    log = session_log("option tcplog", "option log-separate-errors", 'error-log-format "ERROR %[reason]"')
    with running(make_plan([] if refused else [serve(say(b"x"))], session_log=log)) as workers:
        visit(workers, b"")
        wait_until(lambda: workers.worker()["log_lines_total"])
        ((level, _, _, _, line, _),) = workers.shm.drain_log(0)
        assert level == (3 if refused else 6)
        assert line.startswith(b"ERROR no_server" if refused else b"127.0.0.1:")


def test_dontlog_normal_leaves_errors(serve) -> None:
    log = session_log("option tcplog", "option dontlog-normal", "option logasap")
    with running(make_plan([serve(say(b"x"))], session_log=log)) as workers:
        visit(workers, b"")
        wait_until(lambda: workers.sessions() == 0)
        workers.shm.set_server_state(0, False, 1)
        workers.shm.publish_schedule(0, [])
        visit(workers, b"")
        (line,) = lines_of(workers)
        assert " be/<NOSRV> -1/-1/+0 +0 SC " in line


def test_the_line_of_an_error_is_final() -> None:
    log = session_log("option tcplog", "option logasap", 'error-log-format "%Tt %B %ts"')
    with running(make_plan([], session_log=log)) as workers:
        visit(workers, b"")
        (line,) = lines_of(workers)
        assert re.fullmatch(r"\d+ 0 SC", line)


def test_structured_data_is_kept_apart(serve) -> None:
    more = 'log-format-sd "[a@1 b=\\"%{+E}b\\" r=\\"%[reason]\\"]"'
    plan = make_plan([serve(say(b"x"))], session_log=session_log('log-format "%ci"', more, format="rfc5424"))
    with running(plan) as workers:
        visit(workers)
        wait_until(lambda: workers.worker()["log_lines_total"])
        ((_, _, _, _, line, data),) = workers.shm.drain_log(0)
        assert (line, data) == (b"127.0.0.1", b'[a@1 b="be" r="normal"]')


def test_a_long_line_is_cut_off_and_harms_nobody(serve) -> None:
    log = session_log(f'log-format "%B {"x" * 1900}{"%b" * 20}"')
    plan = make_plan([serve(say(b"x"))], session_log=log)
    plan = replace(plan, backends=(replace(plan.backends[0], name="b" * 1000),))
    with running(plan) as workers:
        for count in range(1, 301):  # the ring goes round twice
            visit(workers)
            wait_until(lambda count=count: workers.worker()["log_lines_total"] == count)
            (line,) = workers.log_lines()
            assert len(line) == 8192
            assert line.startswith("1 xxx")
            assert line.endswith("bbb")
