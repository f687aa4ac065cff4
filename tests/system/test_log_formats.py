"""Log formats and the options around them: the same sessions give the same lines as in HAProxy."""

import re
import socket

from .harness.client import connect, read_to_end
from .harness.waiting import eventually

ENDS = "%b/%s %ts %B %U %rc %sq/%bq %ac/%fc/%bc/%sc"
FORMATS = {
    "plain": r"%ci:%cp %fi:%fp %si:%sp %f %ft " + ENDS,
    "quoted": r"%{+Q}o %t %ci %cp %b %s %ts %B %{-Q}f %[src] %[src_port] %[dst] %[fe_name] %[be_name] %[srv_name]",
    "hex": r"%{+X}o %ci:%cp %fi:%fp %si:%sp %B %Ts",
    "blanks": r"   a   b%%  %b  %{+Q}o  %s   %B %{-M}[srv_name]  ",
    "dates": r"%t|%T|%Tl|%Ts|%ms|%B",
    "asked": r"%si:%sp %B",
}
PORT = r"\d{1,5}"
LINES = {
    "plain": rf"127\.0\.0\.1:{PORT} 127\.0\.0\.1:{PORT} 127\.0\.0\.1:{PORT} plain plain plain/s -- 5 1 0 0/0 1/1/0/0",
    "quoted": rf'\d\d/\w+/\d+:[\d:]+\.\d+ "127\.0\.0\.1" {PORT} "quoted" "s" -- 5 quoted "127\.0\.0\.1" "{PORT}" '
    r'"127\.0\.0\.1" "quoted" "quoted" "s"',
    "hex": r"7F000001:[0-9A-F]{4} 7F000001:[0-9A-F]{4} 7F000001:[0-9A-F]{4} 5 [0-9A-F]{8}",
    "blanks": r'a b% blanks "s" 5 "s" ',
    "dates": r"\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d\.(\d{3})\|(\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d) \+0000\|"
    r"\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\|\d{10}\|\1\|5",
    "asked": rf"127\.0\.0\.1:{PORT} 5",
}


def config(log, listeners, format="raw"):
    return f"""
    global
        nbthread 1
        log {log} format {format} local0
    defaults
        mode tcp
        log global
        option tcplog
        retries 0
        timeout connect 5s
        timeout client 20s
        timeout server 20s
    {listeners}
    """


def listener(name, port, *lines):
    return "\n        ".join((f"listen {name}", f"bind 127.0.0.1:{port}", *lines)) + "\n    "


def visit(port, server):
    """One byte there, five back, and a FIN from each side."""
    client = connect(("127.0.0.1", port))
    far = server.accept()
    client.sendall(b"?")
    assert far.recv(1) == b"?"
    far.sendall(b"12345")
    far.close()
    assert read_to_end(client)[0] == b"12345"
    client.close()


def texts(log, count):
    """The texts behind any header, once there are ``count``; HAProxy's own announcements left out."""

    def found():
        return [line for line in log.lines() if "tarted" not in line]

    eventually(lambda: len(found()) >= count, f"{count} lines")
    assert len(found()) == count, found()
    return found()


def server_of(name, server):
    """One of them is where the client wanted to go, at another port."""
    return str(server).replace("127.0.0.1", "*") if name == "asked" else server


def test_formats(balancer, puppet, ports, log):
    server, at = puppet(), {name: ports.take() for name in FORMATS}
    sections = [
        listener(name, at[name], f'log-format "{format}"', f"server s {server_of(name, server)}")
        for name, format in FORMATS.items()
    ]
    balancer.start(config(log, "".join(sections)))
    for count, name in enumerate(FORMATS, 1):
        visit(at[name], server)
        line = texts(log, count)[-1]
        assert re.fullmatch(LINES[name], line), (name, line)


IDENTITY = "%[fe_id]/%[fe_name]/%[fe_defbe] %[be_id]/%[be_name] %[srv_id]/%[srv_name] %[so_id]/%[so_name]"
AROUND = (
    "%[fe_sess_rate]/%[be_sess_rate]/%[srv_sess_rate(s)]/%[be_sess_rate(pool)] %[prio_class]/%[prio_offset]"
    " %[fe_client_timeout]/%[be_server_timeout]/%[be_tunnel_timeout]"
    " %[srv_weight(s)]/%[srv_iweight(s)]/%[srv_uweight(s)] %[var(txn.free)]/%[var(txn.slots)] %[stopping]"
    " %[last_rule_line] %[src_is_local]/%[dst_is_local] %[dst,ipmask(8)]"
)


def test_what_surrounds_a_session(balancer, puppet, ports, log):
    """Names and ids, of which some are not said, counters and limits, in rules and in lines."""
    server, (door, hatch, third) = puppet(), (ports.take() for _ in range(3))
    sections = f"""frontend first
        id 7
        bind 127.0.0.1:{door} name door
        bind 127.0.0.1:{hatch}
        log-format "{IDENTITY}"
        use_backend %[so_name] if {{ so_name -m found }}
        default_backend pool
    listen both
        bind 127.0.0.1:{third} id 5
        log-format "{IDENTITY} {AROUND}"
        timeout tunnel 1m
        tcp-request content set-priority-class int(-3)
        tcp-request content set-priority-offset int(40)
        tcp-request content set-var(txn.free) srv_conn_free(s)
        tcp-request content set-var(txn.slots) connslots
        tcp-request content accept if {{ src_is_local }} {{ dst_is_local }}
        server s {server} weight 9 maxconn 5 maxqueue 4
    backend pool
        tcp-request content reject unless {{ fe_id 7 }} {{ be_name pool }} {{ be_id 3 }} {{ so_id 2 }}
        server idle 127.0.0.1:1 disabled
        server s {server}
        server last 127.0.0.1:1 id 2 disabled
    backend door
        server s {server}
    """
    balancer.start(config(log, sections))
    around = r"1/1/1/0 -3/40 20000/20000/60000 9/9/9 5/9 0 \d+ 1/1 127\.0\.0\.0"
    wanted = {
        door: "7/first/pool 4/door 1/s 1/door",
        third: f"2/both/- 2/both 1/s 5/- {around}",
        hatch: "7/first/pool 3/pool 3/s 2/-",
    }
    for count, (port, line) in enumerate(wanted.items(), 1):
        visit(port, server)
        assert re.fullmatch(line, texts(log, count)[-1])


def test_what_did_not_go_well(balancer, puppet, ports, log):
    """Levels, lines that only errors have, and variables of what was never reached."""
    server, at = puppet(), {name: ports.take() for name in ("apart", "quiet", "down", "refused", "tag")}
    down, closed = "server s 127.0.0.1:1 disabled", f"127.0.0.1:{ports.take()}"
    format = 'log-format "%s|%si|%sp|%bi|%bp|%{+Q}si|%[srv_name]|%{-M}[srv_name]|%Tw|%Tc|%Td|%ts|%rc"'
    sections = (
        listener("apart", at["apart"], "option log-separate-errors", down)
        + listener("quiet", at["quiet"], "option dontlog-normal", f"server s {server}")
        + listener("down", at["down"], format, down)
        + listener("refused", at["refused"], 'log-format "%s %si:%sp %bi:%bp %Tc %Td %ts"', f"server s {closed}")
        + listener("tag", at["tag"], "log-tag ours", 'log-format "%b %ts"', f"server s {server}")
    )
    balancer.start(config(log, sections, format="local"))
    for name in ("apart", "down", "refused"):
        client = connect(("127.0.0.1", at[name]))
        read_to_end(client)
        client.close()
    visit(at["quiet"], server)
    visit(at["tag"], server)
    apart, unreached, refused, tagged = texts(log, 4)
    assert re.match(r"<131>.* apart apart/<NOSRV> -1/-1/\d+ 0 SC 1/1/0/0/0 0/0$", apart)
    assert re.match(r'<134>.*: <NOSRV>\|-\|-\|-\|-\|""\|-\|\|-1\|-1\|-1\|SC\|0$', unreached)
    assert re.match(rf"<134>.*: s {closed} 127\.0\.0\.1:{PORT} -1 -1 SC$", refused)
    assert re.match(r"<134>\w{3} [ \d]\d [\d:]+ ours\[\d+\]: tag --$", tagged)


def test_lines_before_the_end(balancer, puppet, ports, log):
    """A format that the end adds nothing to, and `option logasap`, are written when the server is connected."""
    server, at = puppet(), {name: ports.take() for name in ("known", "asap")}
    sections = listener("known", at["known"], "log-format %ci-%b/%s", f"server s {server}") + listener(
        "asap", at["asap"], "option logasap", f"server s {server}"
    )
    balancer.start(config(log, sections))
    open_sockets = []
    for count, name in enumerate(("known", "asap"), 1):
        client = connect(("127.0.0.1", at[name]))
        open_sockets += [client, server.accept()]
        texts(log, count)
    known, asap = texts(log, 2)
    assert known == "127.0.0.1-known/s"
    assert re.fullmatch(r"127\.0\.0\.1:\d+ \[.*\] asap asap/s \d+/\d+/\+\d+ \+0 -- 2/1/1/1/0 0/0", asap)
    for one in open_sockets:
        one.close()


def test_structured_data(balancer, puppet, port, log):
    server = puppet()
    lines = (r'log-format-sd "[a@1 b=\"%b\" c=\"%{+E}s\"]"', 'log-format "%s %B"', f"server s {server}")
    balancer.start(config(log, listener("sd", port, *lines), format="rfc5424"))
    visit(port, server)
    (line,) = texts(log, 1)
    assert re.fullmatch(r'<134>1 \S+ - (haproxy|fastlb) \d+ - \[a@1 b="sd" c="s"\] s 5', line)


def test_reasons_in_lines(fastlb, puppet, ports, log):
    """Ours: the word for the end, as the metrics have it."""
    server, good, bad = puppet(), ports.take(), ports.take()
    format = 'log-format "%[reason] %ts"'
    lb = fastlb.start(
        config(
            log,
            listener("good", good, format, f"server s {server}")
            + listener("bad", bad, format, f"server s 127.0.0.1:{ports.take()}"),
        )
    )
    visit(good, server)
    with socket.create_connection(("127.0.0.1", bad)) as client:
        assert client.recv(1) == b""
    assert sorted(texts(log, 2)) == ["connect_failed SC", "normal --"]
    assert lb.samples().sum("fastlb_frontend_session_ends_total", reason="connect_failed") == 1
