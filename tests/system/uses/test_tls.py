"""TLS passed through by name to real web servers, by the example as it stands."""

import ssl

import pytest

from ..harness.client import connect, read_to_end
from ..harness.waiting import eventually
from .example import HERE, SITE
from .program import home, needs
from .web import certificate, get, nginx, secure

pytestmark = [*SITE, needs("nginx", "openssl")]
SERVERS = {"www1": 11, "www2": 12, "api1": 21, "api2": 22, "admin1": 31, "admin2": 32, "sorry": 41}
SERVER = """
    server {{
        listen 192.0.2.{number}:443 ssl;
        location / {{ return 200 "{name} for $ssl_server_name\\n"; }}
    }}
"""


@pytest.fixture
def trust(directory):
    return certificate(directory / "all.pem", "DNS:*.example.com", "DNS:*.api.example.com")


@pytest.fixture
def servers(program, directory, trust):
    """One nginx for the two web servers, which end before the others, and one for the rest."""

    def run(title, names):
        text = "".join(SERVER.format(number=SERVERS[name], name=name) for name in names)
        words = nginx(home(directory, title), trust, text)
        return program(title, words, listens=(f"192.0.2.{SERVERS[names[-1]]}", 443))

    run("others", [name for name in SERVERS if not name.startswith("www")])
    return run("www", ["www1", "www2"])


def test_names_lead_to_their_servers(fastlb, servers, trust, text):
    fastlb.start(text("tls.conf"))
    here = (HERE, 443)

    def asked(name, source="192.0.2.13"):
        return get(secure(here, trust, name, source)).strip()

    assert {asked("www.example.com") for _ in range(4)} == {f"www{n} for www.example.com" for n in (1, 2)}
    assert {asked("EU.api.example.com") for _ in range(4)} == {f"api{n} for EU.api.example.com" for n in (1, 2)}
    assert {asked("admin.example.com") for _ in range(4)} == {"admin1 for admin.example.com"}
    assert asked("admin.example.com", "127.0.0.1").startswith("www"), "not from outside of the office"

    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        asked("www.example.com", "198.51.100.7")
    with connect(here) as plain:
        plain.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert read_to_end(plain)[0] == b""

    servers.end()
    eventually(lambda: _or_none(asked, "www.example.com") == "sorry for www.example.com", "nobody else is left", 20)


def _or_none(function, *arguments):
    try:
        return function(*arguments)
    except OSError:
        return None
