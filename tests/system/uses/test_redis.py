"""Redis, a master and a replica that change places under load."""

import subprocess
import time

import pytest

from ..harness.client import connect
from ..harness.load import Load
from ..harness.waiting import eventually
from .example import HERE, SITE, rolecheck
from .program import home, needs

pytestmark = [*SITE, needs("redis-server", "redis-cli")]
ONE, TWO = "192.0.2.31", "192.0.2.32"
WRITE, READ = 6379, 6380


def redis(host, port, *words):
    command = ["redis-cli", "-h", host, "-p", str(port), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    return done.stdout.strip()


@pytest.fixture
def servers(program, directory):
    for name, host, more in (("r1", ONE, []), ("r2", TWO, ["--replicaof", ONE, "6379"])):
        words = ["redis-server", "--bind", host, "--port", "6379", "--dir", str(home(directory, name)), "--save", ""]
        words += ["--protected-mode", "no", "--repl-diskless-sync-delay", "0", *more]
        program(name, words, listens=(host, 6379))
        role = rolecheck(f"{host}:9200", ["/master=master", "/replica=slave"], ["redis-cli", "-h", host, "role"])
        program(f"{name}-health", role, account=None, listens=(host, 9200))
    eventually(lambda: _linked(TWO), "the replica follows")


def increment():
    """One client's life: connect, write, and leave when the replica has it, too."""
    with connect((HERE, WRITE)) as sock:
        sock.sendall(b"INCR counter\r\nWAIT 1 3000\r\n")
        answer = b""
        while answer.count(b"\n") < 2 and (part := sock.recv(100)):
            answer += part
    assert answer.startswith(b":"), answer
    assert answer.endswith(b"\n:1\r\n"), answer
    return "done"


def test_writes_follow_the_master_and_nothing_acknowledged_is_lost(fastlb, servers, text, log):
    fastlb.start(text("redis.conf"))
    eventually(lambda: _serves(WRITE, ONE), "writes go to the master")
    eventually(lambda: _serves(READ, TWO), "reads go to the replica")
    with connect((HERE, WRITE)) as long, Load(increment, clients=2, pause_s=0.01) as load:
        assert _answers(long)
        eventually(lambda: load.done > 50, "the counter counts")
        assert load.failures == []
        began = time.monotonic()
        assert redis(ONE, 6379, "replicaof", TWO, "6379") == "OK"
        assert redis(TWO, 6379, "replicaof", "no", "one") == "OK"
        eventually(lambda: not _answers(long), "who still talks to the old master is cut off", 20)
        eventually(lambda: _serves(WRITE, TWO) and _linked(ONE), "writes go to the new one, and from there back", 20)
        moved, written = time.monotonic(), load.done
        print(f"{len(load.failures)} writes refused in {moved - began:.1f} s")
        eventually(lambda: load.done > written + 50, "the counter counts on")
    assert load.failed_since(moved) == []
    assert int(redis(HERE, WRITE, "get", "counter")) >= load.done
    eventually(lambda: _serves(READ, ONE), "the old master is a replica to read from", 20)
    assert "D-" in {session.state for session in log.sessions()}


def _linked(replica):
    return "master_link_status:up" in redis(replica, 6379, "info", "replication")


def _serves(port, host):
    """Whether it is this server that one meets there: told by its own configuration."""
    return host in redis(HERE, port, "config", "get", "bind")


def _answers(sock):
    try:
        sock.sendall(b"PING\r\n")
        return sock.recv(100) == b"+PONG\r\n"
    except OSError:
        return False
