"""A bad file never harms what runs (R5), and the reason reaches whoever asked."""

import pytest

from .harness.client import who
from .harness.launch import BASE
from .harness.load import banners
from .harness.processes import descriptors
from .harness.waiting import eventually

pytestmark = pytest.mark.master


def good(port, server):
    return f"{BASE}\nlisten lb\n    bind 127.0.0.1:{port}\n    server s {server}\n"


LISTEN = "listen lb\n    bind 127.0.0.1:{port}\n"
BAD = {
    "syntax error": (LISTEN + "    server s 'unterminated\n", "lb.conf:3:"),
    "unknown keyword": (LISTEN + "    severr s 127.0.0.1:1\n", "server"),
    "not supported yet": (LISTEN + "    log-steps accept\n", "not supported yet"),
    "unknown backend": ("frontend fe\n    bind 127.0.0.1:{port}\n    default_backend nowhere\n", "nowhere"),
    "bad port": ("listen lb\n    bind 127.0.0.1:99999\n", "lb.conf:2:"),
    "bad address": (LISTEN + "    server s 999.1.1.1:80\n", "lb.conf:3:"),
    "duplicate server": (LISTEN + "    server s [::1]:1\n    server s [::1]:2\n", "lb.conf:4:"),
    "bad time": ("defaults\n    timeout connect 1.5s\n", "lb.conf:2:"),
    "port in use": (LISTEN + "    bind 127.0.0.1:{taken}\n    server s [::1]:1\n", "{taken}"),
    "address not here": ("listen lb\n    bind 192.0.2.77:{port}\n    server s [::1]:1\n", "192.0.2.77"),
    "nothing to listen on": ("backend be\n    server s [::1]:1\n", ""),
    "no file": (None, "lb.conf"),
}  # fmt: skip


def test_twelve_bad_reloads_change_nothing(fastlb, peer, puppet, port):
    """R5: each is refused with a reason; the same workers serve the same plan, and no descriptor is left."""
    server, taken = peer("banner", "s"), puppet()
    lb = fastlb.start(good(port, server))
    workers, fds = lb.workers(), descriptors(lb.pid)
    with banners(("127.0.0.1", port), clients=2, pause_s=0.005) as load:
        for name, (text, expected) in BAD.items():
            write(lb.config_path, text and text.format(port=port, taken=taken.port))
            done = lb.command("reload")
            said = done.stdout + done.stderr
            assert done.returncode == 1, f"{name}: {said}"
            assert expected.format(taken=taken.port) in said, f"{name}: {said}"
            assert lb.get("/readyz")[0] == 200, name
        eventually(lambda: load.done > 100, "load")
    assert load.failures == []
    assert lb.workers() == workers
    eventually(lambda: descriptors(lb.pid) == fds, "the master's descriptors as before")
    now = lb.samples()
    assert now.sum("fastlb_config_reloads_total", result="failure") == len(BAD)
    lb.config_path.write_text(good(port, server))
    lb.reload()
    assert who(("127.0.0.1", port)) == "s"


def write(path, text):
    path.unlink(missing_ok=True)
    if text is not None:
        path.write_text(text)


@pytest.mark.parametrize("name", [name for name in BAD if name != "no file"])
def test_start_with_a_bad_file_fails_with_the_reason(fastlb, puppet, port, name):
    text, expected = BAD[name]
    taken = puppet()
    lb = fastlb.start(text.format(port=port, taken=taken.port), wait=False)
    assert lb.wait_end() == 1
    assert expected.format(taken=taken.port) in lb.output()
    assert lb.notify.said("READY=1") == 0


def test_all_errors_are_reported_in_one_go(fastlb):
    lb = fastlb.start("defaults\n    timeout conect 5s\n    mode tpc\nlisten lb\n    bnid :80\n", wait=False)
    assert lb.wait_end() == 1
    for place in ("lb.conf:2:", "lb.conf:3:", "lb.conf:5:"):
        assert place in lb.output()
