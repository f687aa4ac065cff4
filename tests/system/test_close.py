"""How connections end, and that no byte is lost on the way (D2, D3, D5, D6, D10, D11).

What each end sees of every kind of ending is in test_truth_table.py.
"""

import contextlib
import socket
import struct
import threading
import time

import pytest

from .harness.client import FIN, RST, connect, read_to_end, silent
from .harness.launch import BASE

BIG = bytes(range(256)) * 4096  # 1 MiB, in no socket buffer whole


@pytest.fixture
def server(puppet):
    return puppet()


@pytest.fixture
def through(balancer, server, port):
    """``client, far = through()``: one session, both ends in the test's hands."""
    lb = balancer.start(f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        server s {server}
    """)

    def make(**options):
        client = connect(("127.0.0.1", port), **options)
        return client, server.accept()

    make.lb = lb
    return make


def greet(client, far):
    """One byte each way: the session is established at both ends."""
    client.sendall(b"?")
    assert far.recv(1) == b"?"
    far.sendall(b"!")
    assert client.recv(1) == b"!"


def test_server_speaks_first(through, scale):
    """D10: nothing waits for the client's first byte."""
    for _ in range(scale("sessions", 1000, least=10)):
        client, far = through()
        far.sendall(b"220 ready\r\n")
        assert client.recv(100) == b"220 ready\r\n"
        client.close()
        assert read_to_end(far) == (b"", FIN)
        far.close()


def test_client_half_closes_and_still_gets_the_reply(through, scale):
    for _ in range(scale("sessions", 1000, least=10)):
        client, far = through()
        client.sendall(b"question")
        client.shutdown(socket.SHUT_WR)
        assert read_to_end(far) == (b"question", FIN)
        assert silent(client, 0.02), "the other direction must stay open"
        far.sendall(b"r" * 5000)
        far.close()
        assert read_to_end(client) == (b"r" * 5000, FIN)
        client.close()


def test_server_half_closes_and_still_gets_the_upload(through, scale):
    for _ in range(scale("sessions", 1000, least=10)):
        client, far = through()
        far.sendall(b"hello")
        far.shutdown(socket.SHUT_WR)
        assert read_to_end(client) == (b"hello", FIN)
        assert silent(far, 0.02), "the other direction must stay open"
        client.sendall(b"u" * 5000)
        client.close()
        assert read_to_end(far) == (b"u" * 5000, FIN)


def test_big_reply_after_half_close(through):
    client, far = through()
    greet(client, far)
    client.shutdown(socket.SHUT_WR)
    assert read_to_end(far) == (b"", FIN)
    sender = threading.Thread(target=lambda: (far.sendall(BIG), far.close()))
    sender.start()
    assert read_to_end(client) == (BIG, FIN)
    sender.join()
    client.close()


def test_empty_session(through, scale):
    """D10: nothing is sent. A FIN that comes while the server side still connects may end it by RST, as in HAProxy."""
    for _ in range(scale("sessions", 1000, least=10)):
        client, far = through()
        client.close()
        got, how = read_to_end(far)
        assert (got, how in (FIN, RST)) == (b"", True)
        far.close()


def test_both_sides_close_at_once(through, scale):
    """D11: two FINs that meet; neither turns into a reset."""
    for _ in range(scale("sessions", 5000, least=20)):
        client, far = through()
        greet(client, far)
        client.shutdown(socket.SHUT_WR)
        far.shutdown(socket.SHUT_WR)
        assert read_to_end(client) == (b"", FIN)
        assert read_to_end(far) == (b"", FIN)
        client.close()
        far.close()


def test_reply_survives_unread_input_at_the_server(through, scale):
    """D6: the server answers and closes without reading what the client sent: its kernel resets (RFC 2525 2.17)."""
    for _ in range(scale("sessions", 500, least=20)):
        client, far = through()
        client.sendall(b"never read")
        assert far.recv(10, socket.MSG_PEEK)
        far.sendall(b"r" * 2000)
        far.close()
        assert read_to_end(client)[0] == b"r" * 2000
        client.close()


def test_whole_reply_arrives_while_the_client_still_uploads(through, scale):
    """D5: the server sends its reply and closes for good; the client, uploading all the while, gets every byte."""
    for _ in range(scale("sessions", 500, least=10)):
        client, far = through()
        greet(client, far)
        upload = threading.Thread(target=send_until_refused, args=(client,), daemon=True)
        upload.start()
        assert far.recv(1000)
        far.sendall(BIG)
        far.shutdown(socket.SHUT_WR)
        got = read_to_end(client)[0]
        assert got == BIG
        far.close()
        client.close()
        upload.join(10)
        assert not upload.is_alive()


def send_until_refused(sock):
    with contextlib.suppress(OSError):
        while True:
            sock.sendall(b"u" * 100)
            time.sleep(0.001)


def test_reader_that_sleeps_gets_everything(through):
    """The client's window is small and shut while the server sends and closes."""
    client, far = through(rcvbuf=4096)
    far.settimeout(0.5)
    sent = 0
    with contextlib.suppress(TimeoutError):
        while sent < 4 << 20:
            sent += far.send(b"s" * 65536)
    far.close()
    got, how = read_to_end(client)
    assert (len(got), how) == (sent, FIN)
    client.close()


def test_linger_is_not_left_on_accepted_sockets(through):
    """A normal end is a FIN even when the reply is still on its way: no SO_LINGER 0 on that path."""
    client, far = through(rcvbuf=4096)
    far.sendall(b"z" * 60_000)
    far.close()
    assert silent(client, 0.05) is False
    got, how = read_to_end(client)
    assert (len(got), how) == (60_000, FIN)
    option = client.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)
    assert struct.unpack("ii", option)[0] == 0
    client.close()
