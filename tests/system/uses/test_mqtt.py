"""MQTT: mosquitto's own clients and two brokers that know nothing of each other."""

import subprocess

import pytest

from ..harness.waiting import eventually
from .example import HERE, SITE
from .program import found, home, needs

pytestmark = [*SITE, needs("mosquitto", "mosquitto_sub", "mosquitto_pub")]
BROKERS = {"mq1": "192.0.2.51", "mq2": "192.0.2.52"}
DEVICES = [f"127.0.1.{n}" for n in range(1, 9)]


@pytest.fixture
def brokers(program, directory):
    def run(name, host):
        config = home(directory, name) / "mosquitto.conf"
        config.write_text(f"listener 1883 {host}\nallow_anonymous true\npersistence false\n")
        config.chmod(0o644)
        return program(name, [found("mosquitto"), "-c", str(config)], listens=(host, 1883))

    return {name: run(name, host) for name, host in BROKERS.items()}


def sub(device, *more):
    """Words of a client that keeps its session (`-c`) at the broker and wants each message at least once."""
    return ["mosquitto_sub", "-h", HERE, "-A", device, "-i", device, "-c", "-q", "1", "-t", device, *more]


def publish(device, text):
    """To a device, from its own address: so it goes to its broker."""
    words = ["mosquitto_pub", "-h", HERE, "-A", device, "-q", "1", "-t", device, "-m", text]
    subprocess.run(words, check=True, timeout=30)


def test_devices_keep_their_broker(fastlb, brokers, program, text):
    lb = fastlb.start(text("mqtt.conf"))
    devices = {at: program(f"device-{at}", sub(at), account=None) for at in DEVICES}

    def sessions(server):
        return lb.samples().sum("fastlb_server_sessions", server=server)

    eventually(lambda: sessions("mq1") + sessions("mq2") == len(DEVICES), "all are connected")
    had = {server: sessions(server) for server in BROKERS}
    assert min(had.values()) > 0
    eventually(lambda: all(publish(at, "subscribed?") or str(devices[at]) for at in DEVICES), "all have subscribed")

    lb.reload(lb.config_path.read_text().replace("timeout client 2m", "timeout client 3m"))
    for at in DEVICES:
        publish(at, "after the reload")
    eventually(lambda: all("after the reload" in str(device) for device in devices.values()), "everybody gets it")
    assert lb.samples().sum("fastlb_frontend_sessions") == len(DEVICES)

    away = DEVICES[0]
    devices[away].end()
    publish(away, "while you were away")
    devices[away] = program(f"device-{away}-again", sub(away), account=None)
    eventually(lambda: "while you were away" in str(devices[away]), "its session waited for it")

    eventually(lambda: sessions("mq1") + sessions("mq2") == len(DEVICES), "all are connected")
    must_move = sessions("mq2")
    before = lb.samples().sum("fastlb_server_sessions_total", server="mq1")
    brokers["mq2"].end()
    eventually(lambda: sessions("mq1") == len(DEVICES), "the devices of the other broker come here", 20)
    moved = lb.samples().sum("fastlb_server_sessions_total", server="mq1") - before
    assert moved == must_move, "those of this broker have not noticed"
    for at in DEVICES:
        publish(at, "one broker is enough")
    eventually(lambda: all("one broker is enough" in str(device) for device in devices.values()), "everybody gets it")
