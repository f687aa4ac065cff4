"""``option persist``, ``force-persist`` and ``ignore-persist``: who goes to a server though it is down."""

import pytest

from .harness.client import connect, read_exactly, who
from .harness.launch import BASE
from .harness.load import in_threads
from .harness.waiting import eventually

CLIENT, STRANGER = "127.0.0.2", "127.0.0.3"
USE = "use-server x if { src 127.0.0.2 }"
FORCE = "force-persist if { src 127.0.0.2 }"
STICK = "stick match src table learn"
RDP = "persist rdp-cookie|tcp-request inspect-delay 15s|tcp-request content accept if { req.len gt 0 }"


def sections(cases, ports, x, up):
    """A section for each case, which begins with its lines."""
    for name, (lines, *_) in cases.items():
        said = "\n        ".join(lines.split("|"))
        yield f"""
    listen {name}
        bind 127.0.0.1:{ports[name]}
        {said}
        server x {x}
        server up {up}
    """


IN_MAINTENANCE = {
    "used": (USE, "up"),
    "used_option": (f"option persist|{USE}", "x"),
    "used_force": (f"{FORCE}|{USE}", "x"),
    "used_unless": (f"force-persist unless {{ src {STRANGER} }}|{USE}", "x"),
    "used_other": (f"force-persist if {{ src {STRANGER} }}|{USE}", "up"),
    "used_ignore": (f"ignore-persist if TRUE|{FORCE}|{USE}", "up"),
    "used_ignore_option": (f"ignore-persist if TRUE|option persist|{USE}", "x"),
    "stuck": (STICK, "up"),
    "stuck_option": (f"option persist|{STICK}", "x"),
    "stuck_force": (f"{FORCE}|{STICK}", "x"),
    "desktop": (RDP, "up"),
    "desktop_option": (f"{RDP}|option persist", "x"),
    "desktop_force": (f"{RDP}|{FORCE}", "up"),
    "balanced_option": ("option persist", "up"),
    "balanced_force": ("force-persist if TRUE", "up"),
}


def test_who_reaches_a_server_in_maintenance(balancer, peer, ports):
    x, up = peer("banner", "x"), peer("banner", "up")
    taken = {name: ports.take() for name in (*IN_MAINTENANCE, "learn")}
    balancer.start(
        f"""{BASE}
    listen learn
        bind 127.0.0.1:{taken["learn"]}
        stick-table type ip size 10
        stick store-request src
        server x {x}
    """
        + "".join(sections(IN_MAINTENANCE, taken, f"{x} disabled", up))
    )
    assert who(("127.0.0.1", taken["learn"]), CLIENT) == "x"
    cookie = bytes(11) + b"Cookie: msts=%d.%d.0000\r\n" % (0x0100007F, (x.port & 255) << 8 | x.port >> 8)
    for name, (_, expected) in IN_MAINTENANCE.items():
        with connect(("127.0.0.1", taken[name]), CLIENT) as client:
            client.sendall(cookie if name.startswith("desktop") else b"")
            assert read_exactly(client, 2).decode().strip() == expected, name


REDISPATCH = "option redispatch"
DOWN = "check inter 100ms fall 1"
# What comes of it when nothing listens there: who answers, and what the log says of it.
REFUSING = {
    "down": (f"retries 1|{USE}", DOWN, "up", "up 0 --"),
    "down_option": (f"retries 1|option persist|{USE}", DOWN, "", "x 1 SC"),
    "down_option_redispatch": (f"retries 2|option persist|{REDISPATCH}|{USE}", DOWN, "up", "up +1 --"),
    "down_force_redispatch": (f"retries 1|{FORCE}|{REDISPATCH}|{USE}", DOWN, "", "x 1 SC"),
    "up_redispatch": (f"retries 2|{REDISPATCH}|{USE}", "", "up", "up +2 --"),
    "up_force_redispatch": (f"retries 1|{FORCE}|{REDISPATCH}|{USE}", "", "", "x 1 SC"),
    "balanced_force_redispatch": (f"retries 1|balance first|{FORCE}|{REDISPATCH}", "", "", "x 1 SC"),
}


@pytest.fixture
def refusing(balancer, peer, ports, log):
    """Ports of the sections, once all servers are down that shall be."""
    up, closed = peer("banner", "up"), ports.take()
    taken = {name: ports.take() for name in REFUSING}
    base = BASE.replace("timeout connect 5s", f"timeout connect 400ms\n    log {log} local0\n    option tcplog")
    texts = [
        "".join(sections({name: (lines,)}, taken, f"127.0.0.1:{closed} {options}", up))
        for name, (lines, options, *_) in REFUSING.items()
    ]
    balancer.start(base + "".join(texts))
    for name, (_, options, *_) in REFUSING.items():
        if options:
            to = ("127.0.0.1", taken[name])
            eventually(lambda to=to: [who(to, STRANGER) for _ in range(2)] == ["up"] * 2, f"x is down in {name}")
    return taken


def test_what_comes_of_it_when_the_server_cannot_be_connected_to(refusing, log):
    names = list(REFUSING)
    answers = in_threads([lambda to=("127.0.0.1", refusing[name]): who(to, CLIENT) for name in names])
    assert dict(zip(names, answers, strict=True)) == {name: case[2] for name, case in REFUSING.items()}

    def lines():
        mine = [one for one in log.sessions() if one.client == CLIENT]
        return {one.backend: f"{one.server} {one.retries} {one.state}" for one in mine}

    eventually(lambda: len(lines()) == len(names), "a line of each")
    assert lines() == {name: case[3] for name, case in REFUSING.items()}
