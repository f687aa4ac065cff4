"""Variables: what rules remember of a session, for its backend and its line in the log."""

import time

from .harness.client import connect, read_exactly
from .harness.waiting import eventually


def lines_of(log, count):
    eventually(lambda: len(log.lines()) >= count, "the lines of the log")
    return [line.partition("seen ")[2] for line in log.lines()]


def test_they_lead_to_a_backend_and_stand_in_the_log(balancer, peer, port, log):
    servers = [(name, peer("hold", name)) for name in ("alpha", "beta")]
    backends = "\n".join(f"    backend {name}\n        server {name} {address}" for name, address in servers)
    balancer.start(f"""
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
        log-format "seen %[var(sess.from)] %[var(txn.word)] %[var(req.word)] %[var(txn.none)] %{{+Q}}[var(txn.all)] %b"
        tcp-request connection set-var(sess.from) src
        tcp-request session set-var(sess.from) src,ipmask(8) if {{ var(sess.from) -m ip 127.0.0.9 }}
        tcp-request inspect-delay 15s
        tcp-request content set-var(txn.word) req.payload(0,5),field(1,:)
        tcp-request content set-var(req.word) var(txn.word)
        tcp-request content set-var-fmt(txn.all) "%[var(sess.from)] said %[var(req.word)]"
        tcp-request content accept if {{ req.len gt 4 }}
        use_backend %[var(req.word)]
        default_backend beta
{backends}
    """)
    for source, said in (("127.0.0.1", b"alpha"), ("127.0.0.9", b"beta:"), ("127.0.0.1", b"gamma")):
        with connect(("127.0.0.1", port), source) as client:
            time.sleep(0.05)  # the rules are asked, find nothing to remember, and are asked again
            client.sendall(said)
            name = said.decode().strip(":") if said != b"gamma" else "beta"
            assert read_exactly(client, len(name)) == name.encode()
    assert sorted(lines_of(log, 3)) == sorted([
        '127.0.0.1 alpha - - "127.0.0.1 said alpha" alpha',
        '127.0.0.0 beta - - "127.0.0.0 said beta" beta',
        '127.0.0.1 gamma - - "127.0.0.1 said gamma" beta',
    ])  # fmt: skip


def test_they_remember_what_the_server_said(fastlb, puppet, port, log):
    server = puppet()
    lb = fastlb.start(f"""
    defaults
        mode tcp
        log {log} local0
        timeout connect 5s
        timeout client 20s
        timeout server 20s
    listen l
        bind 127.0.0.1:{port}
        log-format 'seen %[var(res.code)] %[var(txn.ready)] %{{+Q}}[var(txn.line)] %[var(res.port)] %[var(txn.rtt)]'
        tcp-request content set-var(txn.rtt) fc_rtt(us),bool
        tcp-response content set-var(res.port) bc_dst_port if {{ bc_src 127.0.0.1 }} {{ bc_rtt(us) gt 0 }}
        tcp-request content set-var(txn.ready) always_false
        tcp-response inspect-delay 15s
        tcp-response content accept if {{ res.payload(0,3) -m str 220 }} {{ var(txn.ready) -m bool }}
        tcp-response content set-var(txn.line) res.payload(3,0)
        tcp-response content set-var(res.code) res.payload(0,3)
        tcp-response content set-var(txn.ready) always_true if {{ var(res.code) -m int 220 }}
        server s {server}
    """)
    with connect(("127.0.0.1", port)) as client:
        far = server.accept()
        far.sendall(b'220 a"\n#\\')
        assert read_exactly(client, 9) == b'220 a"\n#\\'
        far.close()
    assert lines_of(log, 1) == [f'220 1 " a#22#0A#23#5C" {server.port} 1']
    assert lb.samples().sum("fastlb_frontend_session_ends_total", reason="normal") == 1
