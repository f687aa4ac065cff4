"""``fastlb plan``: what a reload would do is told by the running master, and nothing of it happens."""

import json

import pytest

from .harness.client import connect, read_exactly, refused, who
from .harness.launch import BASE

pytestmark = pytest.mark.master


def test_a_plan_tells_and_changes_nothing(fastlb, peer, ports, puppet, directory):
    port, fresh, taken = ports.take(), ports.take(), puppet().port
    text = f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        server s {peer("echo", "s")}
    """
    lb = fastlb.start(text)
    new = directory / "new.conf"
    with connect(("127.0.0.1", port)) as kept:
        kept.sendall(b"x")
        assert read_exactly(kept, 1) == b"x"
        new.write_text(text.replace("server s", "server t").replace("listen lb", f"listen lb\n bind 127.0.0.1:{fresh}"))
        done = lb.command("plan", str(new))
        assert done.returncode == 0, done.stderr
        assert f"+ 127.0.0.1:{fresh} is listened on, for lb" in done.stdout
        assert "- server lb/s" in done.stdout and "(1 session go on until they end)" in done.stdout
        assert refused(("127.0.0.1", fresh))

        new.write_text(
            text + f"frontend taken\n bind 127.0.0.1:{taken}\n bind /nowhere/at/all\n"
            f"global\n prometheus bind 127.0.0.1:{puppet().port}\n"
        )
        done = lb.command("plan", "--json", str(new))
        assert done.returncode == 1
        answer = json.loads(done.stdout)
        assert ["in use" in line or "No such" in line for line in answer["diagnostics"]].count(True) == 3, answer
        new.write_text(text.replace("server s", "source * usesrc clientip\n server s"))
        assert "'usesrc' needs a restart" in lb.command("plan", str(new)).stderr
        assert lb.command("plan").stdout == "a reload would change nothing\n"
        kept.sendall(b"y")
        assert read_exactly(kept, 1) == b"y"
    status = json.loads(lb.command("status", "--json").stdout)
    assert (status["generation"], status["reloads_ok"], status["reloads_failed"]) == (1, 0, 0)


def test_a_plan_is_what_the_reload_then_does(fastlb, peer, port, directory):
    text = f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        server s {peer("banner", "s")}
    """
    lb = fastlb.start(text)
    lb.config_path.write_text(text.replace("listen lb", "listen lb\n        maxconn 7"))
    assert "~ frontend lb: maxconn no limit of its own → 7, at once" in lb.command("plan").stdout
    lb.reload()
    assert lb.command("plan").stdout == "a reload would change nothing\n"
    assert who(("127.0.0.1", port)) == "s"
