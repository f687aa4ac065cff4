"""A timeout that cuts a stream short says so by a reset: after a FIN the rest would not be missed."""

import pytest

from .harness.client import RST, connect
from .harness.launch import BASE
from .harness.stream import pair
from .harness.waiting import PATIENCE, eventually

QUICK = f"{round(300 * PATIENCE)}ms"
STEP = 65536


@pytest.fixture
def through(fastlb, puppet, port):
    """``client, far = through("timeout client 1s")``"""
    server = puppet()

    def make(*lines):
        more = "\n        ".join(lines)
        fastlb.start(f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        {more}
        server s {server}
    """)
        client = connect(("127.0.0.1", port))
        return pair(client, server.accept())

    return make


@pytest.mark.parametrize("side", ["client", "server"])
def test_reply_to_a_client_that_sleeps(through, side):
    client, far = through(f"timeout {side} {QUICK}")
    far.stuff(STEP)
    eventually(far.is_reset, "the balancer gives up")
    assert client.hear_to_end() == RST
    assert 0 <= client.heard < far.sent
    client.sock.close()


@pytest.mark.parametrize("side", ["client", "server"])
def test_upload_to_a_server_that_has_said_its_last_and_sleeps(through, side):
    client, far = through(f"timeout {side} {QUICK}")
    far.say(1)
    far.finish()
    client.hear(1)
    client.stuff(STEP)
    eventually(client.is_reset, "the balancer gives up")
    assert far.hear_to_end() == RST
    assert 0 <= far.heard < client.sent
    client.sock.close()
