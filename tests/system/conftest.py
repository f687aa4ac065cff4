"""Fixtures of the system tests: balancers, servers, ports, each put away at the end of its test."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fastlb import _engine

from .harness import haproxy as haproxy_module
from .harness import movers, netns
from .harness import nginx as nginx_module
from .harness.launch import FastlbLauncher, HaproxyLauncher
from .harness.logsink import LogSink
from .harness.nginx import Nginx
from .harness.peer import Peer
from .harness.ports import Ports
from .harness.puppet import BlackHole, Puppet
from .harness.scale import Scale


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for ``balancer`` states what any TCP balancer must do: it runs with both.

    The oracle proves the test, once: with the release build. One that asks for ``mover`` runs with each way of moving
    bytes that this build has, or with the ``MOVERS`` of its module.
    """
    if "balancer" in metafunc.fixturenames:
        both = ["fastlb", "haproxy"] if _engine.BUILD == "release" else ["fastlb"]
        metafunc.parametrize("balancer", both, indirect=True)
    if "mover" in metafunc.fixturenames:
        wanted = getattr(metafunc.module, "MOVERS", None) or movers.available(_engine.BUILD)
        metafunc.parametrize("mover", wanted, ids=lambda one: one.name)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if _engine.BUILD == "asan":
        for item in items:
            if item.get_closest_marker("master"):
                item.add_marker(pytest.mark.skip("the master is plain Python: not repeated with sanitizers"))


@pytest.fixture(autouse=True)
def network(request: pytest.FixtureRequest) -> Iterator[None]:
    """Tests marked ``netns`` run in a network namespace of their own."""
    if not request.node.get_closest_marker("netns"):
        yield
        return
    if reason := netns.unavailable():
        pytest.skip(reason)
    with netns.fresh():
        yield


@pytest.fixture
def directory(network: None) -> Iterator[Path]:
    """A directory with a path short enough for unix sockets, readable by everyone."""
    path = Path(tempfile.mkdtemp(prefix="flb-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def ports(network: None) -> Iterator[Ports]:
    ports = Ports()
    yield ports
    ports.release()


@pytest.fixture
def port(ports: Ports) -> int:
    """Where the balancer listens."""
    return ports.take()


@pytest.fixture
def peer(ports: Ports, directory: Path) -> Iterator[Callable[..., Peer]]:
    """``peer("banner", "s1")`` starts a server process."""
    started: list[Peer] = []

    def start(behaviour: str, name: str, at: int | str = 0, host: str = "127.0.0.1") -> Peer:
        events = directory / f"{behaviour}-{name}.events"
        started.append(Peer(behaviour, name, at or ports.take(), events, host))
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.fixture
def puppet(ports: Ports) -> Iterator[Callable[..., Puppet]]:
    """``puppet()`` is a server that the test plays itself."""
    made: list[Puppet] = []

    def make(at: int = 0, host: str = "127.0.0.1") -> Puppet:
        made.append(Puppet(at or ports.take(), host))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def nginx(ports: Ports, directory: Path) -> Iterator[Callable[..., Nginx]]:
    """``nginx("one")`` is a web server whose page is its name."""
    if not shutil.which("nginx"):
        pytest.skip("nginx is not installed")
    started: list[Nginx] = []

    def start(name: str, proxied: bool = False) -> Nginx:
        started.append(Nginx(name, directory / name, ports.take(), proxied))
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.fixture
def nginx_front(directory: Path) -> Iterator[Callable[[int, int], Nginx]]:
    """``nginx_front(port, to)`` is nginx as a TCP balancer that sends PROXY headers."""
    started: list[Nginx] = []

    def start(port: int, to: int) -> Nginx:
        if not nginx_module.STREAM_MODULE.exists():
            pytest.skip("nginx has no stream module")
        started.append(Nginx("front", directory / "front", port, to=to))
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.fixture
def black_hole(ports: Ports) -> Iterator[BlackHole]:
    hole = BlackHole(ports.take())
    yield hole
    hole.close()


@pytest.fixture
def log(ports: Ports) -> Iterator[LogSink]:
    """A syslog server for ``log 127.0.0.1:PORT local0``; ``str(log)`` is the address."""
    sink = LogSink(ports.take())
    yield sink
    sink.close()


@pytest.fixture
def scale(record_property: Callable[[str, object], None], request: pytest.FixtureRequest) -> Scale:
    """``scale("connections", 100_000, least=500)``; the summary shows what was run."""
    return Scale(lambda note: record_property("scale", f"{request.node.name}: {note}"))


@pytest.fixture
def fastlb(directory: Path, ports: Ports) -> Iterator[FastlbLauncher]:
    """``fastlb.start(config)``; the balance sheet of every one that still runs is settled at the end."""
    launcher = FastlbLauncher(directory, ports)
    yield launcher
    launcher.finish()


@pytest.fixture
def haproxy(directory: Path) -> Iterator[HaproxyLauncher]:
    if reason := haproxy_module.missing():
        pytest.skip(reason)
    launcher = HaproxyLauncher(directory)
    yield launcher
    launcher.finish()


@pytest.fixture
def balancer(request: pytest.FixtureRequest) -> FastlbLauncher | HaproxyLauncher:
    """The balancer under test; its siblings' answer is the same, or one of them is wrong."""
    launcher: FastlbLauncher | HaproxyLauncher = request.getfixturevalue(request.param)
    return launcher
