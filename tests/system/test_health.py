"""Health checks: who is found down, who comes back, and what the log and the statistics say about it."""

import pytest

from .harness.client import ask, connect, read_to_end
from .harness.launch import BASE
from .harness.waiting import eventually, stays

pytestmark = pytest.mark.master

CHECK = "check inter 200ms fall 2 rise 2"


def everyone(port, tries=6):
    """The names that answer; a connection that ends without a name counts as ''."""
    names = set()
    for _ in range(tries):
        with connect(("127.0.0.1", port)) as client:
            names.add(read_to_end(client)[0].decode().strip())
    return names


def pair(port, one, two, log=None, check=CHECK):
    target = f"log {log} local0" if log else ""
    return f"""
    global
        nbthread 2
        {target}
    defaults
        mode tcp
        {"log global" if log else ""}
        timeout connect 2s
        timeout client 20s
        timeout server 20s
        timeout check 1s
    frontend fe
        bind 127.0.0.1:{port}
        default_backend be
    backend be
        balance roundrobin
        server one {one} {check}
        server two {two} {check}
    """


def test_dead_server_leaves_and_comes_back(balancer, peer, port):
    one, two = peer("banner", "one"), peer("banner", "two")
    balancer.start(pair(port, one, two))
    assert everyone(port) == {"one", "two"}
    one.stop()
    eventually(lambda: everyone(port) == {"two"}, "the dead server gets nothing", every_s=0.1)
    stays(lambda: everyone(port, 2) == {"two"}, "the dead server gets nothing", 0.5)
    one.start()
    eventually(lambda: everyone(port) == {"one", "two"}, "the server is back", every_s=0.1)


def test_changes_are_logged_in_haproxys_words(balancer, peer, port, log):
    one, two = peer("banner", "one"), peer("banner", "two")
    balancer.start(pair(port, one, two, log))
    one.stop()
    log.wait_line(
        r"<129>.*: Server be/one is DOWN, reason: Layer4 connection problem, .*check duration: \d+ms. "
        r"1 active and 0 backup servers left. 0 sessions active, 0 requeued, 0 remaining in queue."
    )
    two.stop()
    log.wait_line(r"Server be/two is DOWN.* 0 active and 0 backup servers left")
    log.wait_line(r"<128>.*: backend be has no server available!")
    one.start()
    log.wait_line(
        r"<133>.*: Server be/one is UP, reason: Layer4 check passed, .*check duration: \d+ms. "
        r"1 active and 0 backup servers online. 0 sessions requeued, 0 total in queue."
    )


def test_all_down_closes_at_once_and_recovers(balancer, peer, port):
    one, two = peer("banner", "one"), peer("banner", "two")
    balancer.start(pair(port, one, two))
    one.stop()
    two.stop()
    eventually(lambda: everyone(port) == {""}, "everybody is sent away", every_s=0.1)
    two.start()
    eventually(lambda: everyone(port) == {"two"}, "the one that lives serves", every_s=0.1)


def test_backup_steps_in_and_back(balancer, peer, port):
    main, spare = peer("banner", "main"), peer("banner", "spare")
    balancer.start(f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        server main {main} {CHECK}
        server spare {spare} {CHECK} backup
    """)
    assert everyone(port) == {"main"}
    main.stop()
    eventually(lambda: everyone(port) == {"spare"}, "the backup serves", every_s=0.1)
    main.start()
    eventually(lambda: everyone(port) == {"main"}, "the backup rests", every_s=0.1)


def test_established_sessions_survive_their_server_going_down(balancer, puppet, peer, port, log):
    """The check goes to another port, so that the server can be 'down' while its sessions live."""
    server, health = puppet(), peer("banner", "health")
    balancer.start(f"""
    global
        log {log} local0
    {BASE}
        log global
    listen lb
        bind 127.0.0.1:{port}
        server s {server} {CHECK} port {health.port}
    """)
    client = connect(("127.0.0.1", port))
    far = server.accept()
    health.stop()
    log.wait_line("Server lb/s is DOWN.* 1 sessions active")
    assert everyone(port, 1) == {""}
    far.sendall(b"still with you")
    far.close()
    assert read_to_end(client)[0] == b"still with you"
    client.close()


def test_first_failed_check_downs_a_server_that_never_answered(balancer, peer, port, ports):
    """It starts UP with no credit: one failure is enough, whatever ``fall`` says (haproxy-tcp.md 10.1)."""
    alive = peer("banner", "alive")
    balancer.start(f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        retries 0
        server dead 127.0.0.1:{ports.take()} check inter 300ms fall 1000
        server alive {alive}
    """)
    eventually(lambda: everyone(port) == {"alive"}, "the dead server is out after one check", 8, every_s=0.1)


@pytest.fixture
def two_nginx(nginx):
    return nginx("one"), nginx("two")


def http(port, one, two, option):
    return f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        {option}
        server one {one} {CHECK}
        server two {two} {CHECK}
    """


def pages(port):
    return {ask(("127.0.0.1", port), b"GET / HTTP/1.0\r\n\r\n").rpartition(b"\n\r\n")[2].strip() for _ in range(6)}


@pytest.mark.parametrize("option", ["option httpchk GET /healthy", "option httpchk GET /healthy HTTP/1.0"])
def test_http_check_judges_by_the_status(balancer, two_nginx, port, option):
    one, two = two_nginx
    balancer.start(http(port, one, two, option))
    assert pages(port) == {b"one", b"two"}
    one.set_health(503)
    eventually(lambda: pages(port) == {b"two"}, "503 takes it out", every_s=0.1)
    one.set_health(302)
    eventually(lambda: pages(port) == {b"one", b"two"}, "302 is healthy", every_s=0.1)
    one.set_health(404)
    eventually(lambda: pages(port) == {b"two"}, "404 takes it out", every_s=0.1)


def test_probes_of_the_balancer_are_told_when_nobody_is_left(balancer, peer, ports, port):
    """monitor-uri and monitor fail; both say it with the same bytes."""
    one, two, probes = peer("banner", "one"), peer("banner", "two"), ports.take()
    balancer.start(
        f"""{pair(port, one, two)}
    frontend probes
        mode http
        bind 127.0.0.1:{probes}
        acl alone nbsrv(be) lt 1
        monitor-uri /healthz
        monitor fail if alone
    """
    )

    def answer(path="/healthz"):
        return ask(("127.0.0.1", probes), f"GET {path} HTTP/1.0\r\n\r\n".encode())

    head = b"cache-control: no-cache\r\ncontent-type: text/html\r\nconnection: close\r\n\r\n<html>"
    assert answer().startswith(b"HTTP/1.1 200 OK\r\ncontent-length: 58\r\n" + head)
    assert answer("/other").startswith(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 107\r\n" + head)
    one.stop()
    two.stop()
    eventually(lambda: answer().startswith(b"HTTP/1.1 503 "), "nobody is left", every_s=0.1)
    two.start()
    eventually(lambda: answer().startswith(b"HTTP/1.1 200 "), "somebody is back", every_s=0.1)


def test_http_check_expects_what_the_configuration_says(balancer, two_nginx, port, log):
    """HAProxy's words in the log, with a server that asks for no new sessions among them."""
    one, two = two_nginx
    checks = """option httpchk
        http-check send meth GET uri /healthy ver HTTP/1.1 hdr Host one.example.com
        http-check expect ! hdr name server value -m beg apache
        http-check expect comment "as expected" status 200-299
        http-check disable-on-404"""
    balancer.start(
        f"global\n log {log} local0\n{http(port, one, two, checks)}".replace("listen lb", "log global\nlisten lb")
    )
    assert pages(port) == {b"one", b"two"}
    one.set_health(404)
    log.wait_line(
        r"<133>.*: Server lb/one is stopping, reason: Layer7 check conditionally passed, code: 404, "
        r"check duration: \d+ms. 1 active and 0 backup servers online. 0 sessions requeued, 0 total in queue.$"
    )
    eventually(lambda: pages(port) == {b"two"}, "404 takes it out", every_s=0.1)
    one.set_health(200)
    log.wait_line(
        r"<133>.*: Server lb/one is UP, reason: Layer7 check passed, code: 200, check duration: \d+ms. 2 active"
    )
    eventually(lambda: pages(port) == {b"one", b"two"}, "it is back", every_s=0.1)
    one.set_health(302)
    log.wait_line(
        r"<129>.*: Server lb/one is DOWN, reason: Layer7 wrong status, code: 302, "
        r'info: "(Found|Moved Temporarily) comment: as expected", check duration: \d+ms. 1 active'
    )


def test_http_check_fails_on_a_server_that_speaks_something_else(balancer, peer, port):
    babble, good = peer("banner", "babble"), peer("banner", "good")
    balancer.start(f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        option httpchk
        server babble {babble} check inter 200ms
        server good {good}
    """)
    eventually(lambda: everyone(port) == {"good"}, "a banner is no HTTP answer", every_s=0.1)


def test_http_check_fails_on_a_silent_server(balancer, peer, port, log):
    mute, good = peer("silent", "mute"), peer("banner", "good")
    balancer.start(f"""
    global
        log {log} local0
    {BASE}
        log global
    listen lb
        bind 127.0.0.1:{port}
        option httpchk
        timeout check 300ms
        server mute {mute} check inter 300ms
        server good {good}
    """)
    log.wait_line("Server lb/mute is DOWN, reason: Layer7 timeout")
    assert everyone(port) == {"good"}


def test_check_goes_to_its_own_port_and_address(balancer, peer, port):
    server, health = peer("banner", "s"), peer("banner", "h", host="127.0.0.3")
    spare = peer("banner", "spare")
    balancer.start(f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        server s {server} {CHECK} addr 127.0.0.3 port {health.port}
        server spare {spare} backup
    """)
    assert everyone(port) == {"s"}
    health.stop()
    eventually(lambda: everyone(port) == {"spare"}, "the checked port decides", every_s=0.1)


def test_state_of_checks_is_in_the_metrics(fastlb, peer, port):
    one, two = peer("banner", "one"), peer("banner", "two")
    lb = fastlb.start(pair(port, one, two))
    eventually(lambda: lb.samples().sum("fastlb_server_up", server="one") == 1, "up")
    one.stop()
    eventually(lambda: lb.samples().sum("fastlb_server_up", server="one") == 0, "down")
    now = lb.samples()
    assert now.sum("fastlb_server_up", server="two") == 1
    assert now.sum("fastlb_server_check_failures_total", server="one") >= 2
    assert now.sum("fastlb_server_check_failures_total", server="two") == 0


def test_log_health_checks_says_every_change_of_a_result(balancer, peer, port, log):
    """The reason is said once: not again with the change of state."""
    one, two = peer("banner", "one"), peer("banner", "two")
    balancer.start(pair(port, one, two, log).replace("timeout check 1s", "option log-health-checks"))
    log.wait_line(
        r"<133>.*: Health check for server be/one succeeded, reason: Layer4 check passed, "
        r"check duration: \d+ms, status: 2/2 UP\.$"
    )
    one.stop()
    log.wait_line(r"<133>.*: Health check for server be/one failed, reason: Layer4 connection problem, .*1/2 UP\.$")
    log.wait_line(r"<133>.*: Health check for server be/one failed, .*status: 0/2 DOWN\.$")
    log.wait_line(r"<129>.*: Server be/one is DOWN\. 1 active and 0 backup servers left\.")
    one.start()
    log.wait_line(r"Health check for server be/one succeeded, .*status: 1/2 DOWN\.$")
    log.wait_line(r"Health check for server be/one succeeded, .*status: 2/2 UP\.$")
    log.wait_line(r"Server be/one is UP\. 2 active and 0 backup servers online\.")


def test_track_takes_over_the_state_of_another_server(balancer, peer, port, log):
    """One check for two ports of one machine."""
    main, side, spare = peer("banner", "main"), peer("banner", "side"), peer("banner", "spare")
    balancer.start(f"""
    global
        log {log} local0
    {BASE}
        log global
    listen lb
        bind 127.0.0.1:{port}
        server side {side} track other/main
        server spare {spare} backup
    backend other
        server main {main} {CHECK}
    """)
    assert everyone(port) == {"side"}
    main.stop()
    log.wait_line(r"<129>.*: Server lb/side is DOWN via other/main\. 0 active and 1 backup servers left\. Running on")
    eventually(lambda: everyone(port) == {"spare"}, "the backup serves", every_s=0.1)
    main.start()
    log.wait_line(r"<133>.*: Server lb/side is UP via other/main\. 1 active and 1 backup servers online\.")
    eventually(lambda: everyone(port) == {"side"}, "it is back", every_s=0.1)
