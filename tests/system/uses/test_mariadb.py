"""MariaDB, two servers that replicate to each other, of which one is written to, through a maintenance."""

import re
import subprocess
import time
from itertools import count

import pytest

from ..harness.load import Load
from ..harness.waiting import eventually
from .example import HERE, SITE, rolecheck
from .program import ACCOUNT, home, needs
from .session import Session

pytestmark = [*SITE, needs("mariadbd", "mariadb-install-db", "mariadb")]
ONE, TWO = "192.0.2.21", "192.0.2.22"

SMALL = ["--skip-name-resolve", "--innodb-flush-method=nosync", "--innodb-log-file-size=4M"]
FIRST_WORDS = """
set sql_log_bin=0;
create user app@'%';
grant select, insert, create on test.* to app@'%';
create user repl@'%';
grant replication slave on *.* to repl@'%';
create user admin@'%';
grant all on *.* to admin@'%';
create database if not exists test;
create table test.done (number int primary key);
change master to master_host='{other}', master_user='repl', master_use_gtid=slave_pos, master_connect_retry=1;
start slave;
"""


def client(host, user="app"):
    return ["mariadb", "--no-defaults", "-h", host, "-P", "3306", "-u", user, "-N", "--connect-timeout=5"]


def ask(host, statement, user="app"):
    """What MariaDB answers. An OSError with its words when it does not, as of a client library."""
    done = subprocess.run([*client(host, user), "-e", statement], capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise OSError(done.stderr.strip())
    return done.stdout.strip()


SESSION = [*client(HERE), "--unbuffered", "--skip-reconnect"]
LOST = re.compile("ERROR 20(06|13)")  # gone away; lost during query


@pytest.fixture
def servers(program, directory):
    empty = home(directory, "empty")
    install = ["mariadb-install-db", "--no-defaults", f"--datadir={empty}", "--auth-root-authentication-method=normal"]
    command = [*install, "--skip-test-db", *SMALL]
    subprocess.run(command, check=True, capture_output=True, cwd="/", user=ACCOUNT, group="nogroup")
    for number, host, other in ((1, ONE, TWO), (2, TWO, ONE)):
        data = home(directory, f"db{number}")
        subprocess.run(["cp", "-a", f"{empty}/.", str(data)], check=True)
        first = data / "first.sql"
        first.write_text(FIRST_WORDS.format(other=other).strip() + "\n")
        words = [
            "mariadbd", "--no-defaults", f"--datadir={data}", f"--socket={data}/sock", f"--pid-file={data}/pid",
            f"--bind-address={host}", "--port=3306", f"--init-file={first}", f"--server-id={number}", "--log-bin=log",
            *SMALL,
        ]  # fmt: skip
        program(f"db{number}", words, listens=(host, 3306))
        role = rolecheck(f"{host}:9200", ["/writable=0"], [*client(host), "-e", "select @@read_only"])
        program(f"db{number}-health", role, account=None, listens=(host, 9200))


def test_a_maintenance_moves_all_connections_away_and_back(fastlb, servers, text, log):
    lb = fastlb.start(text("mariadb.conf"))
    session = Session(SESSION)
    assert session.ask("select @@server_id") == "1"
    lb.reload()
    assert session.ask("select @@server_id") == "1", "a reload leaves it alone"
    numbers, acknowledged = count(1), []

    def insert():
        number = next(numbers)
        ask(HERE, f"insert into test.done values ({number})")
        acknowledged.append(number)
        return "done"

    def after(read_only, server):
        """The first server is read-only, or no longer: all connections go to this one. A session with it."""
        ask(ONE, f"set global read_only={read_only}", "admin")
        eventually(lambda: _serves(server), f"connections go to db{server}", 20)
        moved, written = time.monotonic(), load.done
        eventually(lambda: load.done > written + 5, "rows are written again")
        assert load.failed_since(moved) == []
        assert LOST.search(said := session.ask("select 1")), said
        session.close()
        renewed = Session(SESSION)
        assert renewed.ask("select @@server_id") == server
        return renewed

    with Load(insert, clients=2, pause_s=0.05) as load:
        eventually(lambda: load.done > 5, "rows are written")
        assert load.failures == []
        session = after(read_only=1, server="2")
        session = after(read_only=0, server="1")
    session.close()
    print(f"{len(load.failures)} writes refused")
    assert {"D-", "U-"} <= {end.state for end in log.sessions()}
    both = f"what was acknowledged is at both: {sorted(acknowledged)}"
    eventually(lambda: set(acknowledged) <= _rows(ONE) & _rows(TWO), both)


def _serves(server):
    try:
        return ask(HERE, "select @@server_id") == server
    except OSError:
        return False


def _rows(host):
    return set(map(int, ask(host, "select number from test.done").split()))
