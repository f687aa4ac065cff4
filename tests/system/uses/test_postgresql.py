"""PostgreSQL, a primary and a streaming replica: writes and reads apart, and a primary that hangs."""

import re
import signal
import subprocess
import time
from itertools import count
from pathlib import Path

import pytest

from ..harness.environment import without_preload
from ..harness.load import Load
from ..harness.waiting import eventually
from .example import HERE, SITE, rolecheck
from .program import ACCOUNT, home, needs
from .session import Session

BIN = max(Path("/usr/lib/postgresql").glob("*/bin"), default=Path())
pytestmark = [*SITE, needs(str(BIN / "initdb"), "psql")]

ONE, TWO = "192.0.2.21", "192.0.2.22"
WRITE, READ = 5432, 5433
WHO = "select pg_is_in_recovery(), host(inet_server_addr())"
SETTINGS = """
port = 5432
fsync = off
shared_buffers = 16MB
dynamic_shared_memory_type = mmap
"""
ACCESS = "host all all all trust\nhost replication all all trust\n"


def psql(host, port=WRITE):
    return ["psql", "-X", "-h", host, "-p", str(port), "-U", "app", "-d", "postgres", "-At"]


def ask(host, port, statement):
    """What PostgreSQL answers. An OSError with its words when it does not, as of a client library."""
    done = subprocess.run([*psql(host, port), "-c", statement], capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise OSError(done.stderr.strip())
    return done.stdout.strip()


def prepare(*words):
    command = [str(BIN / words[0]), *words[1:]]
    subprocess.run(
        command, check=True, capture_output=True, cwd="/", env=without_preload(), user=ACCOUNT, group="nogroup"
    )


@pytest.fixture
def servers(program, directory):
    """The primary, which waits for its replica at each commit, and the replica; each with its health port."""

    def run(name, host, data, *settings):
        words = [str(BIN / "postgres"), "-D", str(data), f"-clisten_addresses={host}", "-cunix_socket_directories="]
        server = program(name, [*words, *settings], listens=(host, 5432), ends=signal.SIGQUIT)
        role = rolecheck(f"{host}:8008", ["/primary=f", "/replica=t"], [*psql(host), "-c", WHO.partition(",")[0]])
        program(f"{name}-health", role, account=None, listens=(host, 8008))
        return server

    first, second = home(directory, "first"), home(directory, "second")
    prepare("initdb", "-D", str(first), "-U", "app", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
    with (first / "postgresql.conf").open("a") as settings, (first / "pg_hba.conf").open("a") as access:
        settings.write(SETTINGS)
        access.write(ACCESS)
    primary = run("first", ONE, first, "-csynchronous_standby_names=*")
    copy = ["-d", f"host={ONE} user=app", "-D", str(second), "-R", "-X", "stream", "-c", "fast", "--no-sync"]
    prepare("pg_basebackup", *copy)
    return primary, run("second", TWO, second)


def test_writes_follow_the_primary_and_nothing_acknowledged_is_lost(fastlb, servers, text, log):
    primary, _ = servers
    fastlb.start(text("postgresql.conf"))
    eventually(lambda: _who(WRITE) == f"f|{ONE}", "writes go to the primary")
    eventually(lambda: _who(READ) == f"t|{TWO}", "reads go to the replica")
    ask(HERE, WRITE, "create table done (number int)")

    session = Session(psql(HERE))
    assert session.ask("select 'here'") == "here"

    numbers, acknowledged = count(1), []

    def insert():
        number = next(numbers)
        ask(HERE, WRITE, f"insert into done values ({number})")
        acknowledged.append(number)
        return "done"

    with Load(insert, clients=2, pause_s=0.05) as load:
        eventually(lambda: load.done > 10, "rows are written")
        assert load.failures == []
        primary.freeze()
        hung = time.monotonic()
        said = session.ask("select 'nobody answers'")
        assert re.search("server closed the connection|reset by peer", said), said
        session.close()
        print(f"a client of the primary that hangs was told after {time.monotonic() - hung:.1f} s")
        ask(TWO, 5432, "select pg_promote()")
        eventually(lambda: _who(WRITE) == f"f|{TWO}", "writes go to the new primary", 20)
        moved, written = time.monotonic(), load.done
        eventually(lambda: load.done > written + 10, "rows are written again")
    assert load.failed_since(moved) == []
    assert not [failure for failure in load.failures if "read-only" in failure.why]
    rows = set(map(int, ask(HERE, WRITE, "select number from done").split()))
    assert set(acknowledged) <= rows
    eventually(lambda: _who(READ) == f"f|{TWO}", "without a replica, reads go to the primary")
    assert "D-" in {session.state for session in log.sessions()}


def _who(port):
    """Whom one meets there, or None."""
    try:
        return ask(HERE, port, WHO)
    except OSError:
        return None
