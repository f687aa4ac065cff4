"""A server that dies, or vanishes without a word, in the middle of its sessions (F8, F11)."""

import random
import time
from pathlib import Path

import pytest

from .harness import netns
from .harness.client import FIN, RST, connect, elapsed_s, read_exactly, read_to_end
from .harness.launch import BASE
from .harness.stream import pair
from .harness.waiting import PATIENCE, eventually

REPLY = 10_000_000


def test_server_killed_in_its_reply(fastlb, peer, port, scale):
    """F8: the client gets an exact beginning, then a reset."""
    server = peer("doomed", "s")
    fastlb.start(f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        server s {server}
    """)
    for _ in range(scale("deaths", 50, least=3)):
        client = connect(("127.0.0.1", port))
        got = read_exactly(client, REPLY)
        server.stop()
        rest, how = read_to_end(client)
        assert how == RST
        expected = random.Random(1).randbytes(1_000_003) * (len(got + rest) // 1_000_003 + 1)
        assert expected.startswith(got + rest), f"wrong bytes among {len(got + rest)}"
        client.close()
        server.start()


@pytest.mark.netns
def test_server_vanishes_in_the_middle(fastlb, puppet, port, scale):
    """F11: both sides end after ``timeout server``, and nothing of the connections is left in the kernel."""
    server = puppet()
    fastlb.start(f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        timeout server 2s
        server s {server}
    """)
    sessions = [pair(connect(("127.0.0.1", port)), server.accept()) for _ in range(scale("sessions", 500, least=10))]
    for client, far in sessions:
        client.say(1000)
        far.hear(1000)
    with netns.vanished(server.port):
        began = time.monotonic()
        for client, _ in sessions:
            client.say(100_000)
        for client, _ in sessions:
            assert client.hear_to_end() == FIN
            assert 1.9 < elapsed_s(began) < 2.5 * PATIENCE + 1
            client.sock.close()
        eventually(lambda: not left(port, server.port), "no socket of the balancer is left", 5)
    for _, far in sessions:
        far.sock.close()


def left(port: int, server_port: int) -> list[str]:
    """The balancer's own connections: its port here, or the server's there. TIME_WAIT (06) belongs to nobody."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ours = [row for row in rows if row[1].endswith(f":{port:04X}") or row[2].endswith(f":{server_port:04X}")]
    return [" ".join(row[1:4]) for row in ours if row[3] not in ("06", "0A")]
