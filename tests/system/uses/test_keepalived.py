"""Two balancers with keepalived and one address: what clients lose when it moves, as planned and otherwise."""

import os
import signal
import subprocess
import time
from itertools import pairwise

import pytest

from ..harness import netns
from ..harness.client import FIN, connect, read_to_end
from ..harness.load import Load
from ..harness.waiting import PATIENCE, eventually
from .example import EXAMPLES, HERE
from .program import found, needs

pytestmark = [pytest.mark.netns, needs("keepalived", "/usr/bin/curl")]
CLIENTS = 4
CONFIG = """
global
    user nobody
    nbthread 2
    prometheus bind 127.0.0.1:9101
defaults
    mode tcp
    option redispatch
    timeout connect 2s
    timeout client 20s
    timeout server 20s
listen www
    bind 192.0.2.10:80 transparent
    server web1 192.0.2.11:8080 check inter 500ms
    server web2 192.0.2.12:8080 check inter 500ms
"""


class Host:
    """A network namespace with fastlb and keepalived in it, plugged into the bridge of the test's own."""

    def __init__(self, number, program, fastlb, directory):
        self.port = f"port{number}"
        self.standby = directory / f"standby{number}"
        self.standby.write_text("0\n")
        with netns.fresh():
            self._pid = program(f"host{number}", ["sleep", "1000"]).process.pid
        netns.ip("link", "add", self.port, "type", "veth", "peer", "name", "eth0", "netns", str(self._pid))
        netns.ip("link", "set", self.port, "master", "bridge", "up")
        netns.ip_in(self._pid, "address", "add", f"192.0.2.{number + 1}/24", "dev", "eth0")
        netns.ip_in(self._pid, "link", "set", "eth0", "up")
        with netns.inside(self._pid):
            self.lb = fastlb.start(CONFIG, wait=False)
        self.lb.wait_ready()
        config = directory / f"keepalived{number}.conf"
        config.write_text(keepalived_conf(number).replace("/run/fastlb-standby", str(self.standby)))
        pids = [f"--{kind}={directory}/{kind}{number}" for kind in ("pid", "vrrp_pid", "checkers_pid")]
        words = [found("keepalived"), "--dont-fork", "--log-console", "--vrrp", *pids, f"--use-file={config}"]
        with netns.inside(self._pid):
            program(f"keepalived{number}", words, account=None)

    def stand_by(self, wanted):
        self.standby.write_text("1\n" if wanted else "0\n")

    def has_address(self):
        words = ["nsenter", f"--net=/proc/{self._pid}/ns/net", "ip", "-o", "address", "show", "to", HERE]
        return bool(subprocess.run(words, check=True, capture_output=True).stdout)


def keepalived_conf(number):
    """The example, with what it says about the second host."""
    text = (EXAMPLES / "keepalived.conf").read_text()
    if number == 1:
        return text
    lines = []
    for line in text.splitlines():
        said, _, second = line.partition("# second: ")
        words = said.split()
        lines.append(said.replace(words[-1], second) if second else line)
    return "\n".join(lines) + "\n"


@pytest.fixture
def hosts(network, peer, program, fastlb, directory):
    netns.ip("link", "add", "bridge", "type", "bridge")
    for number in (1, 11, 12):
        netns.ip("address", "add", f"192.0.2.{number}/24", "dev", "bridge")
    netns.ip("link", "set", "bridge", "up")
    for name, host in (("web1", "192.0.2.11"), ("web2", "192.0.2.12")):
        peer("banner", name, 8080, host)
    return [Host(number, program, fastlb, directory) for number in (1, 2)]


class Clients:
    """A load on the address, and what it lost at each move of it."""

    def __init__(self):
        self.answered = []
        self.load = Load(self._request, CLIENTS, pause_s=0.02)

    def _request(self):
        with connect((HERE, 80), timeout_s=5 * PATIENCE) as sock:
            got, how = read_to_end(sock)
        assert (got[:3], how) == (b"web", FIN)
        self.answered.append(time.monotonic())
        return got.decode()

    def moving(self, why, act, to):
        """Requests lost, and the longest time without an answer, from ``act`` until the host ``to`` serves them."""
        began, failed = time.monotonic(), len(self.load.failures)
        act()
        eventually(to.has_address, f"{why}: the address has moved", 20)
        moved = time.monotonic()
        self.wait_answers(why)
        settled = time.monotonic()
        self.wait_answers(why)
        times = sorted(one for one in self.answered if one > began)
        gap_s = max(later - earlier for earlier, later in pairwise([began, *times]))
        lost = len(self.load.failures) - failed
        print(f"{why}: {lost} requests lost, {gap_s:.2f} s without an answer, moved after {moved - began:.2f} s")
        assert self.load.failed_since(settled) == []
        return lost

    def wait_answers(self, why):
        before = len(self.answered)
        eventually(lambda: len(self.answered) > before + 50, f"{why}: answers", 20)


def test_what_clients_lose_when_the_address_moves(hosts):
    first, second = hosts
    eventually(first.has_address, "the first host has the address", 20)
    assert not second.has_address()
    clients = Clients()
    with clients.load:
        clients.wait_answers("before")
        assert clients.load.failures == []
        under_way = CLIENTS  # at most: each has one request at a time
        assert clients.moving("planned", lambda: first.stand_by(True), second) <= under_way
        assert clients.moving("planned, back", lambda: first.stand_by(False), first) <= under_way
        clients.moving("link down", lambda: netns.ip("link", "set", first.port, "down"), second)
        assert clients.moving("link up", lambda: netns.ip("link", "set", first.port, "up"), first) <= under_way
        clients.moving("killed", lambda: os.kill(first.lb.pid, signal.SIGKILL), second)
    eventually(lambda: not first.lb.leftovers(), "its workers have left", 30)
