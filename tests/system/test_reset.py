"""What an abort may cost others: nothing. What each end sees of one is in test_truth_table.py."""

import socket

import pytest

from .harness.client import connect, read_exactly, reset
from .harness.launch import BASE


@pytest.fixture
def through(fastlb, puppet, port):
    server = puppet()
    lb = fastlb.start(f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        server s {server}
    """)

    def make(**options):
        client = connect(("127.0.0.1", port), **options)
        client.sendall(b"?")
        far = server.accept()
        assert far.recv(1) == b"?"
        return client, far

    make.lb = lb
    return make


def ends(client, far, side):
    """(the one that acts, the one that sees)"""
    return (client, far) if side == "client" else (far, client)


def test_resets_do_not_leak_under_a_mixture_of_endings(through, scale):
    """Every kind of ending, one after the other; the balance sheet at the end of the test is the assertion."""
    for number in range(scale("sessions", 2000, least=60)):
        client, far = through()
        first, second = ends(client, far, "client" if number % 2 else "server")
        far.sendall(b"x" * 3000)
        if number % 3:
            assert read_exactly(client, 3000) == b"x" * 3000
        (reset if number % 5 < 3 else socket.socket.close)(first)
        (reset if number % 7 < 3 else socket.socket.close)(second)
    assert len(through.lb.workers()) == 2
