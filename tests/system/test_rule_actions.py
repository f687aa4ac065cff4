"""What rules change about a session: its place in a queue, its addresses, its line in the log, its packets."""

import time

import pytest

from .harness.client import FIN, RST, connect, read_exactly, read_to_end
from .harness.launch import BASE
from .harness.waiting import eventually

PRIORITIES = {
    "class before offset": ({"a": ("offset", -60000), "z": ("class", -1)}, "z1 z2 a1 a2 m1 m2"),
    "beyond the limits": ({"a": ("class", 99999), "z": ("class", 2047)}, "m1 m2 z1 a1 z2 a2"),
}


@pytest.mark.parametrize("case", PRIORITIES)
def test_who_goes_first_out_of_a_queue(balancer, puppet, port, case):
    """Both balancers, the same order."""
    rules, expected = PRIORITIES[case]
    lines = "\n".join(
        f"        tcp-request content set-priority-{kind} var(txn.x,{number}) if {{ req.payload(0,1) -m str {name} }}"
        for name, (kind, number) in rules.items()
    )
    server = puppet()
    balancer.start(f"""{BASE.replace("nbthread 2", "nbthread 1")}
    frontend f
        bind 127.0.0.1:{port}
        tcp-request inspect-delay 15s
{lines}
        tcp-request content accept if {{ req.len gt 1 }}
        default_backend b
    backend b
        timeout queue 20s
        server s {server} maxconn 1
    """)
    clients = {}
    for name in ("--", "m1", "z1", "a1", "m2", "z2", "a2"):
        clients[name] = connect(("127.0.0.1", port))
        clients[name].sendall(name.encode())
        time.sleep(0.05)
    order = []
    for _ in clients:
        far = server.accept()
        order.append(read_exactly(far, 2).decode())
        far.close()
        assert read_to_end(clients[order[-1]]) == (b"", FIN)
        clients[order[-1]].close()
    assert " ".join(order[1:]) == expected


def test_addresses_captures_and_log_levels(balancer, puppet, port, log):
    server = puppet()
    lb = balancer.start(f"""
    global
        nbthread 1
    defaults
        mode tcp
        log {log} local0
        timeout connect 5s
        timeout client 20s
        timeout server 20s
    frontend f
        bind 127.0.0.1:{port}
        log-format "seen %ci %hr %[capture.req.hdr(1)] %[fc_rcvd_proxy]"
        tcp-request connection expect-proxy layer4 if {{ src 127.0.0.9 }}
        tcp-request connection set-tos 0x10
        tcp-request session set-src var(sess.x,192.0.2.7) if {{ src 127.0.0.8 }}
        tcp-request inspect-delay 15s
        tcp-request content capture dst_port len 9
        tcp-request content capture req.payload(0,5) len 3
        tcp-request content set-log-level silent if {{ req.payload(0,5) -m str quiet }}
        tcp-request content set-log-level err if {{ req.payload(0,5) -m str noisy }}
        tcp-request content set-dst var(txn.x,203.0.113.5)
        tcp-request content set-dst-port var(txn.x,99)
        tcp-request content accept if {{ req.len gt 4 }}
        default_backend b
    backend b
        server s {server} send-proxy
    """)
    expected = []
    for source, said, seen in (
        ("127.0.0.1", "quiet", "127.0.0.1"),
        ("127.0.0.8", "noisy", "192.0.2.7"),
        ("127.0.0.9", "third", "198.51.100.9"),
    ):
        header = b"PROXY TCP4 198.51.100.9 192.0.2.1 7 8\r\n" if source == "127.0.0.9" else b""
        with connect(("127.0.0.1", port), source) as client:
            client.sendall(header + said.encode())
            far = server.accept()
            line = far.recv(200)
            ours = 7 if header else client.getsockname()[1]
            assert line.startswith(f"PROXY TCP4 {seen} 203.0.113.5 {ours} 99\r\n".encode())
            far.close()
            read_to_end(client)
        reached = 8 if header else port
        expected += [] if said == "quiet" else [f"seen {seen} {{{reached}|{said[:3]}}} {said[:3]} {int(bool(header))}"]
    eventually(lambda: len([one for one in log.lines() if "seen" in one]) >= 2, "the lines of the log")
    lines = [one for one in log.lines() if "seen" in one]
    assert [line[line.index("seen") :] for line in lines] == expected
    assert [line.partition(">")[0] for line in lines] == ["<131", "<134"]
    if balancer.kind == "fastlb":
        with connect(("127.0.0.1", port), "127.0.0.9") as client:
            client.sendall(b"no header")
            assert read_to_end(client) == (b"", RST)
        assert lb.samples().sum("fastlb_frontend_proxy_headers_refused_total") == 1
