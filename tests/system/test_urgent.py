"""B7: an urgent byte in the stream must neither stop it nor spin it; the byte itself stays in line or is dropped."""

import contextlib
import socket
import threading

import pytest

from .harness.client import connect, read_to_end
from .harness.launch import BASE
from .harness.processes import cpu_s


@pytest.fixture
def through(fastlb, puppet, port):
    server = puppet()
    lb = fastlb.start(f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        server s {server}
    """)

    def make():
        client = connect(("127.0.0.1", port))
        return client, server.accept()

    make.lb = lb
    return make


def send_urgently(sock):
    """20,000 bytes, an urgent one, 3 bytes, 20,000 bytes, FIN."""
    sock.sendall(b"a" * 20_000)
    sock.send(b"U", socket.MSG_OOB)
    sock.sendall(b"bbb")
    sock.sendall(b"c" * 20_000)
    sock.shutdown(socket.SHUT_WR)


def check_stream(got, how):
    in_band = b"a" * 20_000 + b"bbb" + b"c" * 20_000
    assert got in (in_band, b"a" * 20_000 + b"Ubbb" + b"c" * 20_000)
    assert how == "FIN"


@pytest.mark.parametrize("direction", ["client to server", "server to client"])
def test_stream_with_an_urgent_byte_arrives_in_order(through, direction):
    client, far = through()
    source, sink = (client, far) if direction == "client to server" else (far, client)
    threading.Thread(target=send_urgently, args=(source,), daemon=True).start()
    check_stream(*read_to_end(sink))
    sink.close()
    assert read_to_end(source)[0] == b""
    source.close()


def test_urgent_byte_alone_does_not_spin(through):
    """Nothing but one urgent byte, then silence: a worker that polls for it would burn a CPU."""
    client, far = through()
    client.send(b"!", socket.MSG_OOB)
    far.settimeout(0.2)
    with contextlib.suppress(TimeoutError):
        assert far.recv(10) == b"!"
    workers = through.lb.workers()
    before = sum(map(cpu_s, workers))
    far.settimeout(1.0)
    with pytest.raises(TimeoutError):
        far.recv(1)
    assert sum(map(cpu_s, workers)) - before <= 0.1, "busy over an urgent byte"
    client.sendall(b"normal again")
    far.settimeout(10)
    assert far.recv(100) == b"normal again"
    client.close()
    far.close()


def test_urgent_byte_deep_in_a_sustained_transfer(through):
    """Long enough to be spliced on both sides of the mark."""
    client, far = through()

    def send():
        for part in range(8):
            client.sendall(bytes([part]) * (1 << 20))
            client.send(b"\xff", socket.MSG_OOB)
        client.shutdown(socket.SHUT_WR)

    threading.Thread(target=send, daemon=True).start()
    got, how = read_to_end(far)
    assert how == "FIN"
    assert got.replace(b"\xff", b"") == b"".join(bytes([part]) * (1 << 20) for part in range(8))
    client.close()
    far.close()
