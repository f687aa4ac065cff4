"""``option kernel-splice``: whatever holds for a session holds for one whose bytes the kernel forwards."""

import os
import random
import signal
import threading
import time
from pathlib import Path

import pytest

from fastlb import kernelsplice

from .harness.chatty import ROUNDS, chat, chat_until_promoted, promoted
from .harness.client import FIN, RST, connect, elapsed_s, read_exactly, read_to_end, reset, silent
from .harness.launch import BASE
from .harness.load import in_threads
from .harness.overlap import rewound
from .harness.transfer import bytes_received
from .harness.waiting import eventually

pytestmark = pytest.mark.skipif(kernelsplice.refusal() is not None, reason=f"not here: {kernelsplice.refusal()}")


def config(port, server, *lines):
    more = "\n        ".join(lines)
    return f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        option kernel-splice
        server s {server}
        {more}
    """


@pytest.fixture
def pair(fastlb, puppet, port):
    """A balancer, and the two ends of a session that the kernel forwards."""

    def make(*lines):
        server = puppet()
        lb = fastlb.start(config(port, server, *lines))
        client = connect(("127.0.0.1", port))
        far = server.accept()
        chat_until_promoted(lb, client, far)
        return lb, client, far

    return make


# --- every byte ----------------------------------------------------------------------------------------------------


def write(sock, data, seed):
    """Writes of all sizes, with pauses; then the FIN."""
    rng, at = random.Random(seed), 0
    while at < len(data):
        size = rng.choice([1, 100, 1000, rng.randrange(1, 60_000)])
        sock.sendall(data[at : at + size])
        at += size
        if rng.random() < 0.2:
            time.sleep(rng.choice([0, 0.0002, 0.002]))
    sock.shutdown(1)


def stream(seed):
    return random.Random(seed).randbytes(random.Random(-seed).choice([0, 100, 5000, 200_000, 2_000_000]))


def chatty_then_bulk(to, server, lock, seed):
    """Returns the bytes of both directions, for the counters."""
    with lock:
        client = connect(to)
        far = server.accept()
    chat(client, far, rounds=random.Random(seed).randrange(3, 40))
    up, down = stream(2 * seed + 1), stream(2 * seed + 2)
    writers = [threading.Thread(target=write, args=one) for one in ((client, up, seed), (far, down, -seed))]
    for writer in writers:
        writer.start()
    arrived = []
    reader = threading.Thread(target=lambda: arrived.append(read_to_end(far)))
    reader.start()
    assert read_to_end(client) == (down, FIN)
    for thread in (*writers, reader):
        thread.join()
    assert arrived == [(up, FIN)]
    client.close()
    far.close()


def test_chatty_sessions_that_turn_to_bulk_are_exact(fastlb, puppet, port, scale):
    """D1 and D9: small exchanges, then streams both ways at once, and FINs; every byte arrives, and is counted."""
    server, lock = puppet(), threading.Lock()
    lb = fastlb.start(config(port, server))
    count = scale("sessions", 10_000, least=100)
    in_threads([lambda n=n: chatty_then_bulk(("127.0.0.1", port), server, lock, n) for n in range(count)], width=6)
    eventually(lambda: lb.samples().sum("fastlb_frontend_sessions") == 0, "all sessions closed")
    now = lb.samples()
    assert now.sum("fastlb_worker_kernel_sessions_total") > count / 2
    assert now.sum("fastlb_worker_moved_bytes_total", mover="kernel") > count * 10_000
    chats = [sum(2 * len(b"?%d" % n) for n in range(random.Random(s).randrange(3, 40))) // 2 for s in range(count)]
    up = sum(chats) + sum(len(stream(2 * s + 1)) for s in range(count))
    down = sum(chats) + sum(len(stream(2 * s + 2)) for s in range(count))
    assert now.sum("fastlb_frontend_received_bytes_total") == now.sum("fastlb_server_sent_bytes_total") == up
    assert now.sum("fastlb_server_received_bytes_total") == now.sum("fastlb_frontend_sent_bytes_total") == down
    assert now.sum("fastlb_frontend_undelivered_bytes_total") == now.sum("fastlb_server_undelivered_bytes_total") == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="TCP_REPAIR needs root")
def test_overlapping_retransmissions_are_cut_to_fit(pair, scale):
    """The kernel shows a program whole segments, also those of which the beginning had arrived before."""
    lb, client, far = pair()
    rng, sent, got = random.Random(5), b"", b""
    for _ in range(scale("retransmissions", 1000, least=20)):
        fresh, back = rng.randbytes(300), rng.randrange(1, 200)
        sent += rng.randbytes(200)
        client.sendall(sent[-200:])
        got += read_exactly(far, len(sent) - len(got))
        client = rewound(client, back)
        client.sendall(sent[-back:] + fresh)
        sent += fresh
        got += read_exactly(far, len(sent) - len(got))
    assert promoted(lb) == 1
    client.settimeout(20)
    client.shutdown(1)
    assert got + read_to_end(far)[0] == sent
    far.close()
    client.close()


# --- ends ----------------------------------------------------------------------------------------------------------


def test_half_close_leaves_the_other_direction_open(pair):
    _, client, far = pair("timeout client-fin 20s")
    client.sendall(b"last words")
    client.shutdown(1)
    assert read_to_end(far) == (b"last words", FIN)
    for _ in range(5):
        far.sendall(b"still here")
        assert read_exactly(client, 10) == b"still here"
    far.close()
    assert read_to_end(client) == (b"", FIN)
    client.close()


@pytest.mark.parametrize("side", ["client", "server"])
def test_a_reset_is_passed_on_as_a_reset(pair, side):
    lb, client, far = pair()
    near, other = (client, far) if side == "client" else (far, client)
    near.sendall(b"before")
    assert read_exactly(other, 6) == b"before"
    reset(near)
    assert read_to_end(other) == (b"", RST)
    other.close()
    near.close()
    eventually(lambda: promoted(lb) == 0, "the session is gone")
    assert lb.samples().sum("fastlb_frontend_session_ends_total", side=side, reason=f"{side}_abort") == 1


def test_a_reset_does_not_overtake_what_was_sent_before_it(pair):
    """The last bytes and the reset follow at once; the reader may find a prefix, but never other bytes."""
    _, client, far = pair()
    data = os.urandom(30_000)
    client.sendall(data)
    eventually(lambda: bytes_received(far) > 20_000, "most of it has arrived")
    reset(client)
    arrived, how = read_to_end(far)
    assert how == RST and data.startswith(arrived)
    far.close()


def test_traffic_in_the_kernel_is_activity(pair):
    lb, client, far = pair("timeout client 1s", "timeout server 1s")
    started = time.monotonic()
    while elapsed_s(started) < 3:
        spoken = time.monotonic()
        far.sendall(b".")
        assert client.recv(1) == b"."
        time.sleep(0.1)
    assert promoted(lb) == 1
    assert read_to_end(client)[0] == b""
    assert 0.9 < elapsed_s(spoken) < 10, "it ends the timeout after the last byte, not after the last look"
    far.close()
    client.close()


# --- back-pressure -------------------------------------------------------------------------------------------------


def buffers_bytes():
    """The most that the two connections of a session can hold, and the kernel on its way between them."""
    largest = [int((Path("/proc/sys/net/ipv4") / name).read_text().split()[2]) for name in ("tcp_rmem", "tcp_wmem")]
    return 2 * sum(largest) + (1 << 20)


def fill(sock):
    """Bytes that a peer takes although nobody reads them."""
    sock.settimeout(0.5)
    taken = 0
    try:
        while taken < 1 << 28:
            taken += sock.send(bytes(65536))
    except TimeoutError:
        pass
    return taken


@pytest.mark.parametrize("side", ["client", "server"])
def test_a_reader_that_stops_stops_the_writer(pair, side):
    """Then it reads on, and has everything."""
    lb, client, far = pair()
    reader, writer = (client, far) if side == "client" else (far, client)
    taken = fill(writer)
    assert taken < buffers_bytes()
    assert promoted(lb) == 1
    assert len(read_exactly(reader, taken)) == taken
    writer.close()
    assert read_to_end(reader) == (b"", FIN)
    reader.close()


def test_many_readers_that_stop_cost_bounded_memory(fastlb, puppet, port, scale, record_property):
    """X7, X9: servers that send all they can to clients that read nothing. What they get rid of is in memory."""
    server = puppet()
    lb = fastlb.start(config(port, server, "timeout client 5m", "timeout server 5m"))
    pairs, count = [], scale("readers that stop", 500, least=20)
    for _ in range(count):
        client = connect(("127.0.0.1", port), rcvbuf=4096)
        pairs.append((client, server.accept()))
        chat_until_promoted(lb, *pairs[-1], count=len(pairs))
    taken = in_threads([lambda far=far: fill(far) for _, far in pairs], width=8)
    record_property("taken", f"{sum(taken) >> 20} MiB in all, {max(taken) >> 10} KiB at most")
    assert max(taken) < buffers_bytes()
    assert promoted(lb) == count
    for client, far in pairs:
        reset(client)
        far.close()


# --- the life of the service ---------------------------------------------------------------------------------------


def test_a_reload_leaves_sessions_in_the_kernel(pair):
    lb, client, far = pair()
    lb.reload()
    chat(client, far)
    assert promoted(lb) == 1
    far.close()
    assert read_to_end(client) == (b"", FIN)
    client.close()


def test_a_reload_can_switch_it_off(pair, port, puppet):
    lb, client, far = pair()
    server = puppet()
    lb.reload(config(port, server, "no option kernel-splice"))
    second = connect(("127.0.0.1", port))
    second_far = server.accept()
    chat(second, second_far, 3 * ROUNDS)
    assert promoted(lb) == 1, "only the first session, which goes on as it began"
    for sock in (far, client, second_far, second):
        sock.close()


def test_a_killed_worker_takes_its_maps_along(pair, port, puppet):
    lb, client, far = pair()
    before = lb.workers()
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    client.settimeout(10)
    assert read_to_end(client)[0] == b""
    lb.wait_workers(2, without=before)
    assert promoted(lb) == 0
    far.close()
    client.close()
    server = puppet()
    lb.reload(config(port, server))
    client = connect(("127.0.0.1", port))
    far = server.accept()
    chat_until_promoted(lb, client, far)
    far.close()
    client.close()


def test_without_the_capability_everything_works_without(fastlb, puppet, port):
    server = puppet()
    lb = fastlb.start(config(port, server), wrapper=("setpriv", "--bounding-set=-bpf,-sys_admin", "--"))
    assert "option kernel-splice is off: it needs CAP_BPF" in lb.output()
    client = connect(("127.0.0.1", port))
    far = server.accept()
    chat(client, far, 3 * ROUNDS)
    assert silent(client, 0.1)
    assert promoted(lb) == 0
    far.close()
    client.close()


def test_unix_sockets_are_never_the_kernels(fastlb, peer, directory, port):
    path = str(directory / "s.sock")
    lb = fastlb.start(config(port, peer("echo", "s", path)))
    with connect(("127.0.0.1", port)) as client:
        for _ in range(3 * ROUNDS):
            client.sendall(b"ping")
            assert read_exactly(client, 4) == b"ping"
        assert promoted(lb) == 0
