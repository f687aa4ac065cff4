"""``option kernel-splice`` when something goes wrong: the right bytes, or an honest reset, and nothing left behind."""

import itertools
import random
import socket
import threading
import time
from collections import Counter
from functools import partial

import pytest

from fastlb import kernelsplice

from .harness import inject
from .harness.chatty import chat_until_promoted
from .harness.client import FIN, RST, connect, read_exactly, read_to_end, reset
from .harness.launch import BASE
from .harness.load import in_threads
from .harness.processes import stopped
from .harness.waiting import eventually

pytestmark = pytest.mark.skipif(kernelsplice.refusal() is not None, reason=f"not here: {kernelsplice.refusal()}")

NOW_AND_THEN = [
    ("bpf", "ENOMEM", "1+17"),  # a promotion is six calls; one that fails takes up to four to undo
    ("bpf", "EBUSY", "5+19"),
    ("bpf", "E2BIG", "6+23"),
    ("getsockopt", "ENOBUFS", "2+7"),
    ("ioctl", "ENOMEM", "3+7"),
    ("recvfrom", "ENOMEM", "29+41"),
    ("recvfrom", "EINTR", "3+5"),
    ("sendto", "ENOBUFS", "29+41"),
    ("sendto", "EINTR", "1+2"),
    ("?epoll_wait,?epoll_pwait", "EINTR", "2+3"),
]


def config(port, server):
    return f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        option kernel-splice
        server s {server}
    """


def promotions(lb):
    """How many sessions the kernel has had so far."""
    return lb.samples().sum("fastlb_worker_kernel_sessions_total")


def send(sock, data, seed, lost, cut=None):
    """Writes of all sizes, then the FIN; or, after ``cut`` bytes, a reset.

    A reset by the other side is told once: here it goes to ``lost``, and recv() then says end of stream.
    """
    rng, at = random.Random(seed), 0
    end = len(data) if cut is None else cut
    try:
        while at < end:
            part = data[at : min(end, at + rng.choice([1, 100, 1000, rng.randrange(1, 60_000)]))]
            sock.sendall(part)
            at += len(part)
        if cut is None:
            sock.shutdown(1)
        else:
            reset(sock)
    except OSError as error:
        lost.append(error)


def echoed(to, seed):
    """Chatty, then bulk, against a server that echoes: "exact", "reset", or "refused" (an end at once)."""
    rng = random.Random(seed)
    said = rng.randbytes(rng.choice([100, 5000, 300_000]))
    rounds = rng.randrange(30, 60)
    try:
        with connect(to) as sock:
            for number in range(rounds):
                question = said[number : number + 3]
                sock.sendall(question)
                answer = read_exactly(sock, len(question))
                if not answer and number == 0:
                    return "refused"
                assert answer == question, f"an orderly end, or other bytes, in round {number}: {answer!r}"
                time.sleep(0.001)  # or a traced worker never finds both queues empty, and promotes nobody
            lost = []
            writer = threading.Thread(target=send, args=(sock, said, seed, lost))
            writer.start()
            got, how = read_to_end(sock)
            writer.join()
    except ConnectionError:
        return "reset"
    assert said.startswith(got)
    assert got == said or how == RST or lost, f"an orderly end after {len(got)} bytes"
    return "exact" if got == said and how == FIN else "reset"


@pytest.mark.skipif(bool(inject.unavailable()), reason=str(inject.unavailable()))
def test_calls_that_fail_now_and_then(fastlb, peer, port, directory, scale):
    lb = fastlb.start(config(port, peer("echo", "s")))
    workers = lb.workers()
    count = scale("conversations for each of 10 faults", 500, least=10)
    seeds = itertools.count()
    for call, error, when in NOW_AND_THEN:
        before, ends = promotions(lb), Counter()
        with inject.failing(workers, call, error, when, directory) as injection:
            while not (injection.count and promotions(lb) > before):  # beside other work few are promoted
                jobs = [partial(echoed, ("127.0.0.1", port), next(seeds)) for _ in range(count)]
                ends += Counter(in_threads(jobs, width=4))
                assert ends.total() < 50 * count, f"{call} = {error}: {injection.count} calls, none promoted"
        assert lb.workers() == workers, f"{call} = {error} was the end of a worker"
        assert ends["exact"], f"{call} = {error}: {ends}"
        if call == "bpf" or error == "EINTR":
            assert set(ends) == {"exact"}, f"{call} = {error}: {ends}"


CREDIT = 262_144  # of a direction without its worker: a segment costs its bytes and 512 (docs/architecture.md)


def credit_and(more, segment, seed):
    """As many segments as the kernel redirects while the worker does nothing, and ``more`` for the worker to copy."""
    rng = random.Random(seed)
    return [rng.randbytes(segment) for _ in range(CREDIT // (segment + 512) + more)]


def bytes_copied(lb):
    return lb.samples().sum("fastlb_worker_moved_bytes_total", mover="copy")


@pytest.mark.skipif(bool(inject.unavailable()), reason=str(inject.unavailable()))
def test_all_is_acknowledged_while_the_worker_counts(fastlb, puppet, port, directory):
    """What a sink has is the sum of its acknowledged bytes and of those that are not, asked for one after the other.

    Here the second answer is "none", as if all had been acknowledged in between. That redirected bytes are on their way
    has to be seen all the same: what the worker copies would overtake them.
    """
    server = puppet()
    lb = fastlb.start(config(port, server).replace("nbthread 2", "nbthread 1\n    tune.sndbuf.client 2304"))
    (worker,) = lb.workers()
    client = connect(("127.0.0.1", port), rcvbuf=2304)
    far = server.accept()
    far.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    chat_until_promoted(lb, client, far)
    tiny, large = credit_and(0, 1, seed=1), credit_and(20, 1000, seed=2)
    copied, before = random.Random(3).randbytes(4000), bytes_copied(lb)
    with stopped([worker]):
        for part in (*tiny, copied):
            far.sendall(part)
        got = read_exactly(client, len(tiny) * 3 // 4)  # the chat has cost up to a quarter
    eventually(lambda: bytes_copied(lb) >= before + len(copied), "the worker copies more than the client has room for")
    with inject.doing_nothing([worker], "ioctl", directory) as injection:
        with stopped([worker]):
            for part in large:
                far.sendall(part)
        far.shutdown(socket.SHUT_WR)
        eventually(lambda: injection.count, "the worker asks")
        rest, how = read_to_end(client)
    assert got + rest == b"".join((*tiny, copied, *large))
    assert how == FIN
    client.close()


def cut_off(to, server, lock, seed):
    """Chatty, then bulk both ways, and somewhere in it one side resets: the other one has an exact beginning."""
    rng = random.Random(seed)
    with lock:
        client = connect(to)
        far = server.accept()
    for _ in range(rng.randrange(5, 40)):
        for speaker, hearer in ((client, far), (far, client)):
            speaker.sendall(b"abc")
            assert read_exactly(hearer, 3) == b"abc"
    up, down = (rng.randbytes(rng.choice([1000, 50_000, 2_000_000])) for _ in range(2))
    near, other, said, answer = rng.choice([(client, far, up, down), (far, client, down, up)])
    lost = []
    writers = [
        threading.Thread(target=send, args=(near, said, seed, [], rng.randrange(len(said)))),
        threading.Thread(target=send, args=(other, answer, -seed, lost)),
    ]
    for writer in writers:
        writer.start()
    got, how = read_to_end(other)
    for writer in writers:
        writer.join()
    assert said.startswith(got)
    assert how == RST or lost, f"an orderly end after {len(got)} bytes of a stream that was cut off"
    for sock in (client, far):
        sock.close()


def test_resets_at_any_moment(fastlb, puppet, port, scale):
    server, lock = puppet(), threading.Lock()
    lb = fastlb.start(config(port, server))
    count = scale("sessions", 10_000, least=150)
    in_threads([lambda n=n: cut_off(("127.0.0.1", port), server, lock, n) for n in range(count)], width=6)
    assert promotions(lb) > count / 2
