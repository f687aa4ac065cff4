"""API servers of a control plane, played by nginx with TLS: watches go on, servers leave and no request is lost."""

import time

from ..harness.load import Load
from ..harness.waiting import eventually
from .example import HERE, SITE
from .program import home, needs
from .web import answer, ask, certificate, get, nginx, secure

pytestmark = [*SITE, needs("nginx", "openssl")]
NODES = {f"cp{n}": f"192.0.2.6{n}" for n in (1, 2, 3)}
SERVERS = """
    server {{
        listen {host}:6443 ssl;
        location / {{ return 200 "{name}\\n"; }}
        location = /watch {{ root {directory}; limit_rate 8k; }}
    }}
    server {{
        listen {host}:8080;
        location = /readyz {{
            if (-f {directory}/unready) {{ return 500; }}
            return 200 "ok\\n";
        }}
    }}
"""
EVENTS = "".join(f"event {n:06}\n" for n in range(1500))  # at 8 KiB a second: 2 s


def test_watches_outlast_what_happens_to_servers(fastlb, program, directory, text):
    trust = certificate(directory / "all.pem", f"IP:{HERE}")
    nodes = {}
    for name, host in NODES.items():
        path = home(directory, name)
        path.chmod(0o755)
        (path / "watch").write_text(EVENTS)
        (path / "watch").chmod(0o644)
        words = nginx(path, trust, SERVERS.format(host=host, name=name, directory=path))
        nodes[name] = program(name, words, listens=(host, 6443))
    lb = fastlb.start(text("kubernetes.conf"))

    def request():
        return get(secure((HERE, 6443), trust, HERE)).strip()

    def watched():
        """Where the watch goes."""
        return [labels["server"] for labels, count in lb.samples().select("fastlb_server_sessions") if count]

    assert {request() for _ in range(6)} == set(NODES)
    watch = secure((HERE, 6443), trust, HERE)
    ask(watch, "/watch")
    (busy,) = watched()
    first, second = (name for name in NODES if name != busy)

    with Load(request, clients=3, pause_s=0.01) as load:
        (directory / busy / "unready").touch()
        eventually(lambda: _answering(load) == {first, second}, "one that is not ready gets nothing new", 20)
        lb.reload(lb.config_path.read_text().replace("slowstart 30s", "slowstart 60s"))
        (directory / first / "unready").touch()
        eventually(lambda: _answering(load) == {second}, "one is left", 20)
        nodes[first].end()
    assert load.failures == [], "nobody else has noticed"
    assert answer(watch) == EVENTS


def _answering(load):
    """Who has answered within the last moment."""
    before = load.answers.copy()
    time.sleep(0.2)
    return set(load.answers - before)
