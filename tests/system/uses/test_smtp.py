"""Mail for two Postfix servers that are told by the PROXY protocol who sends."""

import shutil
import signal
import smtplib
from pathlib import Path

import pytest

from ..harness.client import listening
from ..harness.load import in_threads
from ..harness.waiting import eventually
from .example import HERE, SITE
from .program import found, needs

pytestmark = [*SITE, needs("postfix")]
SERVERS = {"mx1": "192.0.2.41", "mx2": "192.0.2.42"}
FRIEND, STRANGER = "192.0.2.63", "198.51.100.7"

MAIN = """
compatibility_level = 3.6
queue_directory = {directory}/queue
data_directory = {directory}/data
maillog_file = {directory}/log
maillog_file_prefixes = {directory}
inet_interfaces = {host}
inet_protocols = ipv4
myhostname = {name}.example
mydestination = example.org
mynetworks = 127.0.0.0/8
alias_maps =
local_recipient_maps =
local_transport = discard
smtpd_peername_lookup = no
smtpd_client_restrictions = check_client_access inline:{{ {{ {stranger} = 554 not from you }} }}
smtpd_upstream_proxy_protocol = haproxy
smtpd_upstream_proxy_timeout = 5s
"""
MASTER = """
smtp      inet  n  -  n  -     -  smtpd
cleanup   unix  n  -  n  -     0  cleanup
qmgr      unix  n  -  n  300   1  qmgr
rewrite   unix  -  -  n  -     -  trivial-rewrite
bounce    unix  -  -  n  -     0  bounce
defer     unix  -  -  n  -     0  bounce
discard   unix  -  -  n  -     -  discard
anvil     unix  -  -  n  -     1  anvil
postlog   unix-dgram n -  n  -  1  postlogd
"""


@pytest.fixture
def servers(program, directory):
    """Postfix as it is: its master as root, all that talks to others as ``postfix``. What each has logged."""
    logs = {}
    for name, host in SERVERS.items():
        settings = directory / name / "etc"
        settings.mkdir(parents=True)
        for made in ("queue", "data"):
            (directory / name / made).mkdir()
        shutil.chown(directory / name / "data", "postfix")
        main = MAIN.format(directory=directory / name, host=host, name=name, stranger=STRANGER)
        (settings / "main.cf").write_text(main)
        (settings / "master.cf").write_text(MASTER)
        program(name, [found("postfix"), "-c", str(settings), "start-fg"], account=None, ends=signal.SIGTERM)
        logs[name] = directory / name / "log"
    eventually(lambda: listening(*((host, 25) for host in SERVERS.values())), "both listen", 20)
    return logs


def send(source):
    """A message through the balancer, from this address of ours."""
    with smtplib.SMTP(HERE, 25, "client.example", timeout=30, source_address=(source, 0)) as smtp:
        smtp.sendmail("us@client.example", ["you@example.org"], "Subject: hello\n\nHello.\n")


def text_of(log: Path) -> str:
    return log.read_text() if log.exists() else ""


def test_servers_know_who_sends(fastlb, servers, text):
    lb = fastlb.start(text("smtp.conf"))
    in_threads([lambda: send(FRIEND)] * 8, width=4)
    known = f"client=unknown[{FRIEND}]"
    eventually(lambda: all(known in text_of(log) for log in servers.values()), "both say who sent something")
    with pytest.raises(smtplib.SMTPRecipientsRefused, match="not from you"):
        send(STRANGER)
    eventually(lambda: lb.samples().sum("fastlb_server_checks_total") > 4, "checks", 20)
    said = "".join(map(text_of, servers.values()))
    assert f"reject: RCPT from unknown[{STRANGER}]" in said
    assert "proxy protocol" not in said, "the checks say who they are, too"
