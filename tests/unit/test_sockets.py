"""Listening sockets: options, addresses, errors, and who may take whose place."""

import contextlib
import socket
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from fastlb import arrivals, signing, sockets
from fastlb.listeners import WIDE_RANGE, Listeners
from fastlb.plan.model import Address, Bind, Keepalive, Location, Plan, Process

SO_BUF_LOCK = 72  # socket(7)
IP_FREEBIND = 15
HERE = Location("lb.conf", 3, 10)


def tcp(port, key=None, **more):
    return Bind(key or f"127.0.0.1:{port}", 0, Address("inet", "127.0.0.1", port), HERE, **more)


def unix(path, **more):
    return Bind(str(path), 0, Address("unix", str(path)), HERE, **more)


def plan(*binds):
    return Plan(Process(), binds, (), (), (), (), (), (), "")


@pytest.fixture
def listeners():
    made = Listeners()
    yield made
    made.close()


def test_accepted_connections_inherit_the_options(port):
    with sockets.open_tcp(tcp(port), reuseport=True) as listener:
        listener.setblocking(True)
        with socket.create_connection(("127.0.0.1", port)), listener.accept()[0] as accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE) == 1
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60


def inherited(sock):
    """What a connection accepted by ``sock`` has of mss, tcp-ut and keep-alive's idle time (0: no keep-alive)."""
    sock.setblocking(True)
    with socket.create_connection(sock.getsockname()[:2]), sock.accept()[0] as accepted:
        idle = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
        return (
            accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG),
            accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT),
            idle * accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
        )


def test_what_is_inherited_changes_while_a_socket_listens(port, listeners):
    usual, said = tcp(port), tcp(port, mss=500, user_timeout_ms=7000, keepalive=Keepalive(100), transparent=True)
    listeners.adopt(listeners.prepare(plan(usual), 1))
    (listener,) = listeners.all()
    plain = inherited(listener.sock)
    assert plain[0] > 500
    assert plain[1:] == (0, 60)
    listeners.refresh(plan(said))
    mss, *others = inherited(listener.sock)
    assert 400 < mss <= 500
    assert others == [7000, 100]
    assert listener.sock.getsockopt(socket.IPPROTO_IP, IP_FREEBIND) == 1
    listeners.refresh(plan(tcp(port, keepalive=None)))
    assert inherited(listener.sock) == (plain[0], 0, 0)
    assert listener.sock.getsockopt(socket.IPPROTO_IP, IP_FREEBIND) == 0


def test_smart_accept_has_first_bytes_acknowledged_with_the_answer(port, listeners):
    def quick():
        listener.sock.setblocking(True)
        with socket.create_connection(listener.sock.getsockname()[:2]), listener.sock.accept()[0] as accepted:
            return accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK)

    listeners.adopt(listeners.prepare(plan(tcp(port)), 1))
    (listener,) = listeners.all()
    assert quick() == 1
    listeners.refresh(plan(tcp(port, tcp_smart_accept=True)))
    assert quick() == 0
    listeners.refresh(plan(tcp(port)))
    assert quick() == 1


def test_sizes_of_buffers_are_inherited_and_given_back_to_the_kernel(port, listeners):
    def sizes():
        listener.sock.setblocking(True)
        with socket.create_connection(listener.sock.getsockname()[:2]), listener.sock.accept()[0] as accepted:
            options = socket.SO_RCVBUF, socket.SO_SNDBUF, SO_BUF_LOCK
            return [accepted.getsockopt(socket.SOL_SOCKET, option) for option in options]

    listeners.adopt(listeners.prepare(plan(tcp(port)), 1))
    (listener,) = listeners.all()
    usual = sizes()
    listeners.refresh(plan(tcp(port, rcvbuf=8000, sndbuf=9000)))
    assert sizes() == [16000, 18000, 3]
    listeners.refresh(plan(tcp(port, sndbuf=9000)))
    assert sizes() == [usual[0], 18000, 1]
    listeners.refresh(plan(tcp(port)))
    assert sizes()[0] == usual[0]
    assert sizes()[2] == usual[2] == 0


def test_congestion_control_comes_and_goes(port, listeners):
    default = Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip()
    other = next(one for one in ("reno", "cubic") if one != default)
    usual, said = tcp(port), tcp(port, congestion=other)
    listeners.adopt(listeners.prepare(plan(usual), 1))
    (listener,) = listeners.all()
    listener.sock.setblocking(True)
    for bind, wanted in ((said, other), (usual, default)):
        listeners.refresh(plan(bind))
        with socket.create_connection(("127.0.0.1", port)), listener.sock.accept()[0] as accepted:
            name = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16)
            assert name.rstrip(b"\0").decode() == wanted
    with pytest.raises(sockets.BindError, match="'cc nosuch' cannot be had: this kernel lacks it"):
        sockets.open_tcp(tcp(0, congestion="nosuch"), reuseport=True)


def can_sign():
    with socket.socket() as sock:
        try:
            signing.set_key(sock, "key")
        except OSError:
            return False
    return True


@pytest.mark.skipif(not can_sign(), reason="this kernel cannot sign TCP segments")
@pytest.mark.parametrize(("family", "host"), [("inet", "127.0.0.1"), ("inet6", "::")])
def test_signatures_come_and_go(family, host, port, listeners):
    """An IPv6 socket wants them from clients of IPv4, too."""
    usual = Bind("x", 0, Address(family, host, port), HERE, v6only=False)
    said = replace(usual, md5_key="secret")
    listeners.adopt(listeners.prepare(plan(said), 1))

    def connects(key):
        with socket.socket() as client:
            if key:
                signing.set_key(client, key)
            client.settimeout(0.3 if key != "secret" else 10)
            return client.connect_ex(("127.0.0.1", port)) == 0

    assert [connects(key) for key in ("secret", "other", "")] == [True, False, False]
    listeners.refresh(plan(usual))
    assert connects("")
    listeners.refresh(plan(said))
    assert connects("secret")


@pytest.mark.parametrize(("family", "zeros"), [("abstract", 107), ("exact", 0)])
def test_names_that_are_no_files(family, zeros):
    name = f"fastlb-test-{id(zeros)}"
    address = Address(family, name)
    with sockets.open_unix(Bind("x", 0, address, HERE)) as sock, socket.socket(socket.AF_UNIX) as client:
        assert sock.getsockname() == b"\0" + name.encode().ljust(zeros, b"\0")
        assert sockets.address_of(sock) == address
        client.connect(address.name)


@pytest.mark.parametrize(("family", "host"), [("inet", "192.0.2.77"), ("inet6", "2001:db8::77")])
def test_transparent_listens_on_an_address_that_is_not_here(family, host, port, listeners):
    change = listeners.prepare(plan(Bind("x", 0, Address(family, host, port), HERE, transparent=True)), 2)
    assert [one.sock.getsockname()[:2] for one in change.opened] == [(host, port)] * 2
    listeners.abandon(change)


def test_interface(port, listeners):
    with pytest.raises(sockets.BindError, match="there is no interface 'nosuch0'"):
        sockets.open_tcp(tcp(port, interface="nosuch0"), reuseport=True)
    listeners.adopt(listeners.prepare(plan(tcp(port, interface="lo")), 1))
    (listener,) = listeners.all()
    assert listener.sock.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16) == b"lo\0"
    with sockets.take_over(tcp(port, interface="lo"), listener.sock.fileno()) as again:
        assert sockets.is_listener(again)


def test_address_in_use_names_the_line_the_address_and_says_so(port):
    with socket.create_server(("127.0.0.1", port)), pytest.raises(sockets.BindError) as caught:
        sockets.probe(tcp(port))
    assert str(caught.value).startswith(
        f"lb.conf:3:10: error: cannot listen on 127.0.0.1:{port}: the address is in use"
    )
    assert caught.value.busy


def test_probe_finds_a_forgotten_instance_that_shares_its_port(port):
    with sockets.open_tcp(tcp(port), reuseport=True), pytest.raises(sockets.BindError):
        sockets.probe(tcp(port))
    sockets.probe(tcp(port))


def test_foreign_address_is_explained(port):
    bind = Bind("x", 0, Address("inet", "192.0.2.1", port), HERE)
    with pytest.raises(sockets.BindError, match="this machine has no such address"):
        sockets.open_tcp(bind, reuseport=False)


def test_unix_socket_gets_its_mode_and_replaces_a_stale_one(tmp_path):
    path = tmp_path / "lb.sock"
    sockets.open_unix(unix(path)).close()
    assert path.exists()
    with sockets.open_unix(unix(path, mode=0o640)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
    assert list(tmp_path.iterdir()) == [path]


def test_unix_socket_in_use_is_left_alone(tmp_path):
    path = tmp_path / "lb.sock"
    with sockets.open_unix(unix(path)), pytest.raises(sockets.BindError, match="another process listens there"):
        sockets.open_unix(unix(path))


def test_a_file_that_is_no_socket_is_left_alone(tmp_path):
    path = tmp_path / "precious"
    path.write_text("data")
    with pytest.raises(sockets.BindError, match="not a socket"):
        sockets.open_unix(unix(path))
    assert path.read_text() == "data"


def test_a_successors_socket_file_is_not_removed(tmp_path):
    path = tmp_path / "lb.sock"
    path.touch()
    sockets.unlink_if_same(str(path), path.stat().st_ino + 1)
    assert path.exists()
    sockets.unlink_if_same(str(path), path.stat().st_ino)
    assert not path.exists()


def test_take_over_wants_a_listening_socket():
    bind = Bind("fd@9", 0, Address("inet", "0.0.0.0", 0), HERE, inherited_fd=9)
    with socket.socket() as idle, pytest.raises(sockets.BindError, match="not a listening stream socket"):
        sockets.take_over(bind, idle.fileno())
    with pytest.raises(sockets.BindError, match="not a socket that was passed"):
        sockets.take_over(bind, 999)


def test_newcomers_are_ignored_and_the_queue_is_served(port):
    with (
        sockets.open_tcp(tcp(port), reuseport=True) as listener,
        socket.create_connection(("127.0.0.1", port)) as early,
        socket.socket() as late,
    ):
        arrivals.refuse_newcomers(listener)
        late.settimeout(0.1)
        with contextlib.suppress(TimeoutError):
            late.connect(("127.0.0.1", port))
        accepted, address = listener.accept()
        with accepted:
            assert address == early.getsockname()


def test_one_socket_for_each_worker_slot_and_more_when_it_grows(listeners, port):
    first = listeners.prepare(plan(tcp(port)), workers=2)
    listeners.adopt(first)
    assert [one.slot for one in listeners.all()] == [0, 1]
    listeners.adopt(listeners.prepare(plan(tcp(port)), workers=4))
    assert [one.slot for one in listeners.all()] == [0, 1, 2, 3]
    assert listeners.prepare(plan(tcp(port)), workers=1).opened == []


def test_removed_binds_are_closed_by_retire_only(listeners, port):
    listeners.adopt(listeners.prepare(plan(tcp(port)), workers=2))
    change = listeners.prepare(plan(), workers=2)
    assert len(listeners.all()) == 2
    assert listeners.retire(change) == 2
    sockets.probe(tcp(port))


def test_failed_prepare_leaves_nothing_open(listeners, port, tmp_path):
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(sockets.BindError):
        listeners.prepare(plan(tcp(port), unix(tmp_path / "no" / "such" / "dir")), workers=2)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    sockets.probe(tcp(port))


def test_wide_ranges_and_unix_sockets_are_shared(listeners, tmp_path):
    wide = [tcp(0, key=f"wide{n}") for n in range(WIDE_RANGE + 1)]
    own = Bind("own", 0, Address("unix", str(tmp_path / "s")), Location("lb.conf", 9, 1))
    listeners.adopt(listeners.prepare(plan(*wide, own), workers=2))
    assert len(listeners.all()) == len(wide) + 1
    assert all(one.shared for one in listeners.all())


@pytest.mark.parametrize("passed", ["127.0.0.1", "::"])
def test_passed_sockets_are_matched_by_address(passed):
    family = socket.AF_INET6 if passed == "::" else socket.AF_INET
    with socket.create_server((passed, 0), family=family, dualstack_ipv6=passed == "::") as sock:
        port = sock.getsockname()[1]
        host = "0.0.0.0" if passed == "::" else passed
        listeners = Listeners([sock.fileno()])
        listeners.adopt(listeners.prepare(plan(Bind("k", 0, Address("inet", host, port), HERE)), workers=2))
        assert [one.shared for one in listeners.all()] == [True]
        assert listeners.unused(plan()) == []
        listeners.close()
