"""/metrics, /healthz and /readyz; a real Prometheus; and figures that equal what happened."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import threading
import urllib.request

import pytest

from .harness.client import ask, connect, read_exactly, read_to_end, reset, who
from .harness.environment import without_preload
from .harness.launch import BASE
from .harness.load import in_threads
from .harness.samples import get
from .harness.waiting import eventually


def config(port, *servers):
    lines = "\n        ".join(f"server {one.name} {one}" for one in servers)
    return f"""{BASE}
    frontend fe
        bind 127.0.0.1:{port}
        default_backend be
    backend be
        {lines}
    """


def test_health_paths(fastlb, peer, port):
    lb = fastlb.start(config(port, peer("banner", "s")))
    assert lb.get("/healthz")[0] == 200
    assert lb.get("/readyz")[0] == 200
    assert lb.get("/elsewhere")[0] == 404


def test_not_ready_while_a_worker_is_away(fastlb, peer, port):
    """Two deaths in a row: the second replacement is made to wait, long enough to be seen."""
    lb = fastlb.start(config(port, peer("banner", "s")))
    for _ in range(2):
        first, survivor = eventually(lambda: len(lb.workers()) == 2 and lb.workers(), "two workers")
        os.kill(first, signal.SIGKILL)
        eventually(lambda: lb.workers() == [survivor], "one worker", every_s=0.001)  # noqa: B023 - called at once
    eventually(lambda: lb.get("/readyz")[0] == 503, "not ready", every_s=0.001)
    assert lb.get("/healthz")[0] == 200
    eventually(lambda: lb.get("/readyz")[0] == 200, "ready again")
    assert lb.samples().sum("fastlb_worker_restarts_total", worker="0") == 2


def test_not_ready_in_a_drain(fastlb, peer, port):
    lb = fastlb.start(config(port, peer("hold", "s")))
    client = connect(("127.0.0.1", port))
    assert read_exactly(client, 2) == b"s\n"
    lb.signal(signal.SIGUSR1)
    eventually(lambda: lb.get("/readyz")[0] == 503, "not ready")
    assert lb.get("/healthz")[0] == 200
    client.close()
    assert lb.wait_end() == 0


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
def test_promtool_finds_nothing_to_say(fastlb, peer, port):
    lb = fastlb.start(config(port, peer("banner", "a"), peer("banner", "b")))
    in_threads([lambda: who(("127.0.0.1", port))] * 20)
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=lb.samples().text, capture_output=True, text=True, env=without_preload()
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_sessions_by_proxy_and_server(fastlb, peer, port):
    lb = fastlb.start(config(port, peer("banner", "a"), peer("banner", "b")))
    in_threads([lambda: who(("127.0.0.1", port))] * 60)
    eventually(lambda: lb.samples().sum("fastlb_frontend_session_ends_total") == 60, "all sessions counted as ended")
    now = lb.samples()
    assert now.sum("fastlb_frontend_sessions_total", proxy="fe") == 60
    assert now.sum("fastlb_backend_sessions_total", proxy="be") == 60
    assert now.sum("fastlb_server_sessions_total", proxy="be", server="a") == 30
    assert now.sum("fastlb_server_sessions_total", proxy="be", server="b") == 30
    assert now.sum("fastlb_frontend_session_ends_total", reason="normal") == 60
    assert now.sum("fastlb_server_connect_duration_seconds_count", proxy="be") == 60
    assert now.sum("fastlb_server_session_duration_seconds_count", proxy="be") == 60


def test_gauges_show_what_is_open(fastlb, peer, port):
    lb = fastlb.start(config(port, peer("hold", "s")))
    clients = [connect(("127.0.0.1", port)) for _ in range(7)]
    assert [read_exactly(client, 2) for client in clients] == [b"s\n"] * 7
    now = lb.samples()
    for name in ("frontend", "backend", "server", "worker"):
        assert now.sum(f"fastlb_{name}_sessions") == 7, name
    for client in clients:
        client.close()


def test_ends_are_counted_by_side(fastlb, puppet, port):
    server = puppet()
    lb = fastlb.start(f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        server s {server}
    """)
    for side in ("client", "client", "server"):
        client = connect(("127.0.0.1", port))
        client.sendall(b"?")
        far = server.accept()
        assert far.recv(1) == b"?"
        reset(client if side == "client" else far)
        other = far if side == "client" else client
        with pytest.raises(ConnectionResetError):
            other.recv(1)
        other.close()
    ends = lambda side: lb.samples().sum("fastlb_frontend_session_ends_total", side=side)  # noqa: E731
    eventually(lambda: (ends("client"), ends("server"), ends("none")) == (2, 1, 0), "ends by side")


def test_copied_and_spliced_bytes_add_up(fastlb, peer, port):
    """Small exchanges are copied, a long stream is spliced; together they are all that was forwarded."""
    lb = fastlb.start(config(port, peer("echo", "s")))
    small, large = b"x" * 100, bytes(4 << 20)
    assert ask(("127.0.0.1", port), small) == small
    replies = in_threads([lambda: exchange(port, large)], width=1)
    assert replies == [len(large)]
    eventually(lambda: lb.samples().sum("fastlb_frontend_sessions") == 0, "all ended")
    now = lb.samples()
    moved = {mover: now.sum("fastlb_worker_moved_bytes_total", mover=mover) for mover in ("copy", "splice")}
    assert min(moved.values()) > 0, moved
    assert sum(moved.values()) == 2 * (len(small) + len(large))


def exchange(port, data):
    """Send all while reading all; the number of bytes that came back."""
    with connect(("127.0.0.1", port)) as sock:
        threading.Thread(target=lambda: (sock.sendall(data), sock.shutdown(1)), daemon=True).start()
        return len(read_exactly(sock, len(data)))


def test_metrics_listeners_of_the_configuration(fastlb, peer, ports):
    """HAProxy's way (use-service prometheus-exporter) and the short form, both at once, beside --metrics."""
    port, proxied, short = ports.take(), ports.take(), ports.take()
    server = peer("banner", "s")
    fastlb.start(f"""
    global
        nbthread 2
        prometheus bind 127.0.0.1:{short}
    defaults
        mode tcp
        timeout connect 5s
        timeout client 20s
        timeout server 20s
    frontend prometheus
        mode http
        bind 127.0.0.1:{proxied}
        http-request use-service prometheus-exporter if {{ path /metrics }}
    listen lb
        bind 127.0.0.1:{port}
        server s {server}
    """)
    assert who(("127.0.0.1", port)) == "s"
    for where in (proxied, short):
        status, body = get("127.0.0.1", where, "/metrics")
        assert status == 200
        assert "fastlb_server_sessions_total" in body


def test_metrics_junk_does_not_stop_scrapes(fastlb, peer, port):
    """B11: a client that never finishes its request, a huge request line, pipelined requests."""
    lb = fastlb.start(config(port, peer("banner", "s")))
    slow = [connect(("127.0.0.1", lb.metrics_port)) for _ in range(10)]
    for sock in slow:
        sock.sendall(b"GET /metr")
    with connect(("127.0.0.1", lb.metrics_port)) as sock, contextlib.suppress(OSError):
        sock.sendall(b"GET /" + b"a" * 100_000)
    with connect(("127.0.0.1", lb.metrics_port)) as sock:
        sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 5)
        assert b"200 OK" in sock.recv(100)
    assert lb.get("/metrics")[0] == 200
    for sock in slow:
        assert b"200" not in read_to_end(sock)[0], "ended, and not with an answer"
        sock.close()


PROMETHEUS = """
global:
  scrape_interval: 1s
scrape_configs:
  - job_name: fastlb
    static_configs:
      - targets: ["127.0.0.1:{target}"]
"""


@pytest.mark.skipif(not shutil.which("prometheus"), reason="prometheus is not installed")
def test_a_real_prometheus_scrapes_it(fastlb, peer, ports, directory):
    port, web = ports.take(), ports.take()
    lb = fastlb.start(config(port, peer("banner", "s")))
    in_threads([lambda: who(("127.0.0.1", port))] * 42)
    path = directory / "prometheus.yml"
    path.write_text(PROMETHEUS.format(target=lb.metrics_port))
    words = [f"--config.file={path}", f"--storage.tsdb.path={directory}/tsdb", f"--web.listen-address=127.0.0.1:{web}"]
    prometheus = subprocess.Popen(
        ["prometheus", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=without_preload()
    )
    try:
        eventually(lambda: query(web, 'up{job="fastlb"}') == ["1"], "a scrape that worked", 30, every_s=0.2)
        eventually(lambda: query(web, "fastlb_frontend_sessions_total") == ["42"], "the count arrives", 15, every_s=0.2)
        assert query(web, 'fastlb_server_sessions_total{proxy="be",server="s"}') == ["42"]
    finally:
        prometheus.terminate()
        prometheus.wait()


def query(port, expression):
    url = f"http://127.0.0.1:{port}/api/v1/query?query={urllib.request.quote(expression)}"
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return [result["value"][1] for result in json.load(response)["data"]["result"]]
    except OSError:
        return []
