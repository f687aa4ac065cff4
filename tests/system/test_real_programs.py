"""Programs people run behind a balancer: nginx, redis, iperf3, and a large download through curl-like clients."""

import json
import shutil
import subprocess

import pytest

from .harness.client import ask, listening
from .harness.launch import BASE
from .harness.waiting import eventually


def needs(program):
    return pytest.mark.skipif(not shutil.which(program), reason=f"{program} is not installed")


@pytest.fixture
def program():
    """``program(words, port)`` runs a server until the end of the test."""
    started = []

    def start(words, port):
        started.append(subprocess.Popen(words, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL))
        eventually(lambda: listening(("127.0.0.1", port)), f"{words[0]} listens")

    yield start
    for process in started:
        process.terminate()
        process.wait()


def through(port, server_port):
    return f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        server s 127.0.0.1:{server_port}
    """


def test_two_web_servers_take_turns(balancer, nginx, port):
    """The main job: two web servers that answer ping and pong."""
    ping, pong = nginx("ping"), nginx("pong")
    balancer.start(f"""{BASE}
    frontend http_front
        bind 127.0.0.1:{port}
        default_backend ping
    backend ping
        balance roundrobin
        server pingv1 {ping} check
        server pongv1 {pong} check
    """)
    replies = [ask(("127.0.0.1", port), b"GET /hey HTTP/1.0\r\n\r\n").splitlines()[-1] for _ in range(6)]
    assert replies[:2] in ([b"ping", b"pong"], [b"pong", b"ping"])
    assert replies == replies[:2] * 3


@needs("redis-server")
@needs("redis-benchmark")
def test_redis(balancer, program, ports, directory, scale):
    behind, port = ports.take(), ports.take()
    options = ["--save", "", "--appendonly", "no", "--dir", str(directory), "--bind", "127.0.0.1"]
    program(["redis-server", "--port", str(behind), *options], behind)
    balancer.start(through(port, behind))
    requests = scale("redis requests per kind", 200_000, least=3000)
    words = f"-p {port} -n {requests} -c 20 -t set,get -P 4 -r 100 -d 3000 --csv".split()
    done = subprocess.run(["redis-benchmark", *words], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    rows = [line.split(",")[0].strip('"') for line in done.stdout.splitlines()]
    assert {"SET", "GET"} <= set(rows), done.stdout
    assert "Error" not in done.stdout + done.stderr


@needs("iperf3")
@pytest.mark.parametrize("direction", [[], ["--reverse"], ["--bidir"]], ids=["up", "down", "both"])
def test_iperf3(balancer, program, ports, direction):
    behind, port = ports.take(), ports.take()
    program(["iperf3", "-s", "-p", str(behind), "-B", "127.0.0.1"], behind)
    balancer.start(through(port, behind))
    command = ["iperf3", "-c", "127.0.0.1", "-p", str(port), "-n", "200M", "-P", "2", "-J", *direction]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    report = json.loads(done.stdout)
    assert done.returncode == 0, report.get("error")
    assert report["end"]["sum_received"]["bytes"] > 10e6
