"""B7: an urgent byte in the stream must neither stop it nor spin it; the byte itself stays in line or is dropped."""

import contextlib
import socket
import threading

import pytest

from .harness.client import connect, read_to_end
from .harness.processes import run_s
from .harness.waiting import PATIENCE

both_ways = pytest.mark.parametrize("direction", ["client to server", "server to client"])


@pytest.fixture
def through(fastlb, mover, puppet, port):
    server = puppet()
    lb = fastlb.start(mover.listener(port, server), environment=mover.environment)

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


def ends(client, far, direction):
    """(who sends, who reads)"""
    return (client, far) if direction == "client to server" else (far, client)


@both_ways
def test_stream_with_an_urgent_byte_arrives_in_order(through, direction, scale):
    for _ in range(scale("streams", 100, least=3)):
        source, sink = ends(*through(), direction)
        threading.Thread(target=send_urgently, args=(source,), daemon=True).start()
        check_stream(*read_to_end(sink))
        sink.close()
        assert read_to_end(source)[0] == b""
        source.close()


@both_ways
def test_urgent_byte_alone_does_not_spin(through, direction):
    """Nothing but one urgent byte, then silence: a worker that polls for it would burn a CPU."""
    source, sink = ends(*through(), direction)
    source.send(b"!", socket.MSG_OOB)
    sink.settimeout(0.2)
    with contextlib.suppress(TimeoutError):
        assert sink.recv(10) == b"!"
    workers = through.lb.workers()
    before = sum(map(run_s, workers))
    sink.settimeout(1.0)
    with pytest.raises(TimeoutError):
        sink.recv(1)
    assert sum(map(run_s, workers)) - before <= 0.05 * PATIENCE, "busy over an urgent byte"
    source.sendall(b"normal again")
    sink.settimeout(10)
    assert sink.recv(100) == b"normal again"
    source.close()
    sink.close()


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
