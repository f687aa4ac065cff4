"""option tcplog: the line of every scripted ending, field by field, as HAProxy writes it."""

import contextlib
import socket
import time

import pytest

from .endings import Line, scene
from .harness.client import read_exactly, read_to_end, reset

__all__ = ["scene"]  # a fixture


def test_normal_end(scene):
    client, far = scene.pair("plain")
    far.sendall(b"12345")
    far.close()
    assert read_to_end(client)[0] == b"12345"
    client.close()
    assert scene.lines("plain") == [Line("plain plain/s", "--", 5)]


def test_half_close_is_a_normal_end(scene):
    client, far = scene.pair("halfclose")
    client.shutdown(socket.SHUT_WR)
    assert far.recv(1) == b""
    far.sendall(b"123")
    far.close()
    assert read_to_end(client)[0] == b"123"
    client.close()
    assert scene.lines("halfclose") == [Line("halfclose halfclose/s", "--", 3)]


def test_server_first(scene):
    client = scene.client("serverfirst")
    far = scene.server.accept()
    far.sendall(b"banner!")
    assert read_exactly(client, 7) == b"banner!"
    client.close()
    assert far.recv(1) == b""
    far.close()
    assert scene.lines("serverfirst") == [Line("serverfirst serverfirst/s", "--", 7)]


def test_client_reset(scene):
    client, far = scene.pair("creset")
    far.sendall(b"12345")
    assert read_exactly(client, 5) == b"12345"
    reset(client)
    with contextlib.suppress(ConnectionResetError):
        far.recv(1)
    assert scene.lines("creset") == [Line("creset creset/s", "CD", 5)]


def test_server_reset(scene):
    client, far = scene.pair("sreset")
    far.sendall(b"12345")
    assert read_exactly(client, 5) == b"12345"
    reset(far)
    read_to_end(client)
    client.close()
    assert scene.lines("sreset") == [Line("sreset sreset/s", "SD", 5)]


@pytest.mark.parametrize("name", ["ctimeout", "equal", "tunnel"])
def test_client_timeout(scene, name):
    """The server ends when it sees the end: HAProxy 2.6 leaves the client's side open until then."""
    client, far = scene.pair(name)
    far.sendall(b"!")
    assert read_exactly(client, 1) == b"!"
    read_to_end(far)
    far.close()
    read_to_end(client)
    client.close()
    assert scene.lines(name) == [Line(f"{name} {name}/s", "cD", 1)]


def test_server_timeout(scene):
    client, far = scene.pair("stimeout")
    far.sendall(b"!")
    assert read_exactly(client, 1) == b"!"
    read_to_end(client)
    client.close()
    assert scene.lines("stimeout") == [Line("stimeout stimeout/s", "sD", 1)]


def test_client_fin_timeout(scene):
    """client-fin runs once the server has said its last: now the client is expected to finish."""
    client, far = scene.pair("clientfin")
    far.shutdown(socket.SHUT_WR)
    assert client.recv(1) == b""
    read_to_end(far)
    client.close()
    assert scene.lines("clientfin") == [Line("clientfin clientfin/s", "cD")]


def test_server_fin_timeout(scene):
    """server-fin runs once the client has said its last."""
    client, far = scene.pair("serverfin")
    client.shutdown(socket.SHUT_WR)
    assert far.recv(1) == b""
    read_to_end(client)
    client.close()
    assert scene.lines("serverfin") == [Line("serverfin serverfin/s", "sD")]


def test_connect_timeout(scene):
    client = scene.client("noconnect")
    client.sendall(b"x")
    read_to_end(client)
    client.close()
    assert scene.lines("noconnect") == [Line("noconnect noconnect/s", "sC", counters="1/1/0/0/1", connected=False)]


def test_client_timeout_while_connecting(scene):
    client = scene.client("cconnect")
    read_to_end(client)
    client.close()
    assert scene.lines("cconnect") == [Line("cconnect cconnect/s", "cC", connected=False)]


def test_client_leaves_while_connecting(scene):
    client = scene.client("cleft")
    time.sleep(0.2)
    client.close()
    assert scene.lines("cleft") == [Line("cleft cleft/s", "CC", connected=False)]


def test_refused(scene):
    client = scene.client("refused")
    read_to_end(client)
    client.close()
    assert scene.lines("refused") == [Line("refused refused/s", "SC", connected=False)]


def test_refused_after_a_retry(scene):
    client = scene.client("retried")
    read_to_end(client)
    client.close()
    assert scene.lines("retried") == [Line("retried retried/s", "SC", counters="1/1/0/0/1", connected=False)]


def test_redispatched(scene):
    """Sessions that meet the dead server first say so by a plus; how many do depends on who takes whose turn."""
    for count in range(1, 5):
        client = scene.client("redispatch")
        far = scene.server.accept()
        far.sendall(b"1")
        far.close()
        assert read_to_end(client)[0] == b"1"
        client.close()
        scene.lines("redispatch", count)
    straight, moved = (Line("redispatch redispatch/s", "--", 1, f"1/1/0/0/{retries}") for retries in ("0", "+1"))
    assert {moved} <= set(scene.lines("redispatch")) <= {moved, straight}


@pytest.mark.parametrize("name", ["alldown", "noserver"])
def test_no_server(scene, name):
    client = scene.client(name)
    assert client.recv(1) == b""
    client.close()
    assert scene.lines(name) == [Line(f"{name} {name}/<NOSRV>", "SC", connected=False)]


def test_queue_timeout_and_leaving_the_queue(scene):
    first, far = scene.pair("queue")
    second = scene.client("queue")
    read_to_end(second)
    second.close()
    waited = Line("queue queue/<NOSRV>", "sQ", counters="2/2/1/0/0", queues="0/1", connected=False)
    assert scene.lines("queue") == [waited]
    far.close()
    first.close()

    first, far = scene.pair("queueleft")
    second = scene.client("queueleft")
    time.sleep(0.2)
    second.close()
    left = Line("queueleft queueleft/<NOSRV>", "CQ", counters="2/2/1/0/0", queues="0/1", connected=False)
    assert scene.lines("queueleft") == [left]
    far.close()
    first.close()


def test_client_timeout_in_the_queue(scene):
    first, far = scene.pair("queueleft")
    second = scene.client("cqueue")
    read_to_end(second)
    second.close()
    waited = Line("cqueue queueleft/<NOSRV>", "cQ", counters="2/1/1/0/0", queues="0/1", connected=False)
    assert scene.lines("cqueue") == [waited]
    far.close()
    first.close()


@pytest.mark.parametrize("name, code", [("cleft", "CC"), ("cqueue", "CQ")])
def test_client_resets_while_it_waits(scene, name, code):
    """For a reset HAProxy 2.6 writes D, data, whenever it comes; its manual says what fastlb writes."""
    first, far = scene.pair("queueleft")
    client = scene.client(name)
    time.sleep(0.1)
    reset(client)
    assert [one.state for one in scene.lines(name)] == ["CD" if scene.lb.kind == "haproxy" else code]
    far.close()
    first.close()
