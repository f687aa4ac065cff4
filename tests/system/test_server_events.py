"""What happens to sessions when servers go down or come back, where the configuration says so."""

import pytest

from .harness.client import connect, read_exactly, who
from .harness.launch import BASE
from .harness.waiting import eventually

CHECK = "check inter 200ms fall 2 rise 2"


def config(port, log, servers, more=""):
    return f"""
    global
        log {log} local0
    {BASE}
        log global
        option tcplog
    listen lb
        bind 127.0.0.1:{port}
        {more}
        {servers}
    """


def ended(sock):
    """Whether the peer has ended the session: by FIN (HAProxy), or by RST (fastlb)."""
    try:
        return sock.recv(100) == b""
    except ConnectionResetError:
        return True


def answers(client):
    try:
        client.sendall(b"go on")
        return read_exactly(client, 5) == b"go on"
    except OSError:
        return False


def sessions(port, server, count):
    """``count`` clients, each connected through to the server."""
    clients = [connect(("127.0.0.1", port)) for _ in range(count)]
    return clients, [server.accept() for _ in clients]


def test_marked_down_shutdown_sessions(balancer, puppet, peer, port, log):
    """The check goes to another port, so that the server is 'down' while its sessions live; those of others go on."""
    server, health, other = puppet(), peer("banner", "health"), peer("echo", "other")
    balancer.start(
        config(
            port,
            log,
            f"""server s {server} {CHECK} port {health.port} on-marked-down shutdown-sessions
            server other {other}""",
            "balance roundrobin",
        )
    )
    clients = [connect(("127.0.0.1", port)) for _ in range(8)]
    far = [server.accept() for _ in range(4)]
    health.stop()
    log.wait_line("Server lb/s is DOWN.* 4 sessions active")
    assert all(ended(sock) for sock in far)
    for _ in far:
        log.wait_line(r" lb lb/s \d+/\d+/\d+ 0 D- ")
    assert sum(answers(client) for client in clients) == 4


def test_marked_up_shutdown_backup_sessions(balancer, puppet, peer, port, log):
    spare, health = puppet(), peer("banner", "health")
    main = peer("banner", "main")
    health.stop()
    balancer.start(
        config(
            port,
            log,
            f"""server main {main} {CHECK} port {health.port} on-marked-up shutdown-backup-sessions
            server spare {spare} backup""",
        )
    )
    log.wait_line("Server lb/main is DOWN")
    clients, far = sessions(port, spare, 4)
    health.start()
    log.wait_line("Server lb/main is UP")
    assert all(ended(sock) for sock in (*far, *clients))
    for _ in far:
        log.wait_line(r" lb lb/spare \d+/\d+/\d+ 0 U- ")
    with connect(("127.0.0.1", port)) as client:
        assert read_exactly(client, 5) == b"main\n"


def test_failed_connections_of_clients_take_a_server_down(balancer, peer, ports, port, log):
    """Counted over all workers. The check goes to a port that is well."""
    health = peer("banner", "health")
    line = f"server s 127.0.0.1:{ports.take()} check inter 60s port {health.port} observe layer4"
    balancer.start(config(port, log, f"{line} error-limit 20 on-error mark-down", "retries 0"))
    for _ in range(20):
        assert who(("127.0.0.1", port)) == ""
    log.wait_line(
        r'<129>.*: Server lb/s is DOWN, reason: Health analyze, info: "Detected 20 consecutive errors, last one was: '
        r'L4 unsuccessful connection". 0 active and 0 backup servers left. \d+ sessions active, 0 requeued'
    )


@pytest.mark.parametrize("how", ["check", "maintenance"])
def test_sessions_that_began_before_a_reload_end_too(fastlb, puppet, peer, port, log, how):
    """Also when it is the reload that takes the server out."""
    server, health = puppet(), peer("banner", "health")
    line = f"server s {server} {CHECK} port {health.port} on-marked-down shutdown-sessions"
    lb = fastlb.start(config(port, log, line))
    clients, far = sessions(port, server, 4)
    if how == "check":
        lb.reload(config(port, log, line, "retries 1"))
        health.stop()
    else:
        lb.reload(config(port, log, f"{line} disabled"))
    assert all(ended(sock) for sock in (*far, *clients))
    eventually(
        lambda: lb.samples().sum("fastlb_server_session_ends_total", server="s", reason="server_down") == 4, "counted"
    )


def test_slowstart_gives_a_server_that_is_back_little_at_first(balancer, peer, port, log):
    one, two = peer("banner", "one"), peer("banner", "two")
    balancer.start(
        config(port, log, f"server one {one} {CHECK}\nserver two {two} {CHECK} slowstart 4s", "balance roundrobin")
    )

    def share():
        return sum(who(("127.0.0.1", port)) == "two" for _ in range(40))

    assert 18 <= share() <= 22, "not at the start"
    two.stop()
    log.wait_line("Server lb/two is DOWN")
    two.start()
    log.wait_line("Server lb/two is UP")
    assert share() <= 14
    eventually(lambda: 18 <= share() <= 22, "it has its full share in the end", every_s=0.3)
