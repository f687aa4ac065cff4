"""``option nolinger`` and ``option abortonclose``: what a FIN becomes, and when it is the end of the matter."""

import socket

import pytest

from .harness.client import FIN, RST, connect, read_exactly, read_to_end
from .harness.launch import BASE


@pytest.mark.parametrize("side", ["frontend", "backend"])
def test_nolinger_resets_one_side_behind_all_bytes(balancer, puppet, port, side):
    """The client finishes first. A frontend's option resets it at the end; a backend's the server, and that at once."""
    server = puppet()
    frontend, backend = ("option nolinger" if side == one else "" for one in ("frontend", "backend"))
    balancer.start(f"""{BASE}
    frontend f
        bind 127.0.0.1:{port}
        {frontend}
        default_backend b
    backend b
        {backend}
        server s {server}
    """)
    client = connect(("127.0.0.1", port))
    client.sendall(b"question")
    far = server.accept()
    assert read_exactly(far, 8) == b"question"
    client.shutdown(socket.SHUT_WR)
    if side == "backend":
        assert read_to_end(far) == (b"", RST)
        assert read_to_end(client) == (b"", FIN)
    else:
        assert read_to_end(far) == (b"", FIN)
        far.sendall(b"answer")
        far.close()
        got, how = read_to_end(client)
        assert how == RST
        assert got == b"answer" or balancer.kind == "haproxy"  # whose reset may overtake it
    client.close()


def test_abortonclose_counts_bytes_before_a_fin_for_nothing(balancer, puppet, black_hole, ports, log):
    """Without it a client that has said something and finished still waits for its server, as for a queue."""
    busy = puppet()
    entries = {name: ports.take() for name in ("connecting", "queued", "connecting-abort", "queued-abort")}
    sections = "".join(
        f"""
    listen {name}
        bind 127.0.0.1:{at}
        log global
        option tcplog
        {"option abortonclose" if "abort" in name else ""}
        retries 0
        timeout connect 1s
        timeout queue 1s
        server s {black_hole if "connecting" in name else f"{busy} maxconn 1"}
    """
        for name, at in entries.items()
    )
    balancer.start(f"""
    global
        log {log} local0
    {BASE}
    {sections}
    """)
    holders = [connect(("127.0.0.1", entries[name])) for name in entries if "queued" in name]
    fars = [busy.accept() for _ in holders]
    for at in entries.values():
        with connect(("127.0.0.1", at)) as client:
            client.sendall(b"something")
            client.shutdown(socket.SHUT_WR)
            read_to_end(client)
    states = {session.frontend: session.state for session in log.wait_sessions(4)}
    assert states == {"connecting": "sC", "queued": "sQ", "connecting-abort": "CC", "queued-abort": "CQ"}
    for one in (*holders, *fars):
        one.close()
