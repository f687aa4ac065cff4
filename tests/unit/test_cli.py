"""The command line without a running balancer: words, statuses, what is said."""

import pytest

from fastlb import __version__, cli, client, limits, notify, settings
from fastlb.plan.model import Address, Plan, Process


def run(*words):
    """Exit status, whether argparse or we decided it."""
    try:
        return cli.main(words)
    except SystemExit as end:
        return end.code


GOOD = """\
frontend www
    mode tcp
    bind *:80
    default_backend ping

backend ping
    mode tcp
    server a 127.0.0.1:8080 check
"""


def test_check_of_a_good_file(tmp_path, capsys):
    path = tmp_path / "lb.conf"
    path.write_text(GOOD)
    assert run("-c", str(path), "--check") == client.EXIT_OK
    assert capsys.readouterr().out == "configuration is valid\n"


def test_check_of_a_bad_file_names_the_line(tmp_path, capsys):
    path = tmp_path / "lb.conf"
    path.write_text(GOOD.replace("bind", "bnid"))
    assert run("-f", str(path), "--check") == client.EXIT_FAILED
    said = capsys.readouterr()
    assert f"{path}:3:5: error: unknown keyword 'bnid'" in said.err
    assert "valid" not in said.out


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--workers", "0", "-c", "x"),
        ("--metrics", "localhost:80", "-c", "x"),
        ("--nonsense",),
        ("demo", "--port", "x"),
        ("-f",),
        ("-f", "x", "-n", "many"),
        ("-f", "x", "-n", "0"),
        ("-cc",),
        ("-cc", "nosuch("),
        ("-f", "x", "--check=yes"),
    ],
)
def test_wrong_words_are_status_2(words):
    assert run(*words) == client.EXIT_USAGE


def test_help_tells_commands_signals_and_statuses(capsys):
    assert run("--help") == 0
    text = capsys.readouterr().out
    for word in ("fastlb demo", "fastlb reload", "HUP", "exit status", "--check", "--metrics"):
        assert word in text


def test_version(capsys):
    assert run("--version") == 0
    assert capsys.readouterr().out == f"fastlb {__version__}\n"


@pytest.mark.parametrize("command", ["reload", "stop", "drain", "status"])
def test_commands_without_a_master(command, tmp_path):
    assert run(command, "--socket", str(tmp_path / "none.sock")) == client.EXIT_NOT_RUNNING


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:9101", Address("inet", "127.0.0.1", 9101)),
        (":9101", Address("inet", "0.0.0.0", 9101)),
        ("*:9101", Address("inet", "0.0.0.0", 9101)),
        ("[::1]:9101", Address("inet6", "::1", 9101)),
    ],
)
def test_addresses(text, address):
    assert settings.parse_address(text) == address


@pytest.mark.parametrize("text", ["9101", "127.0.0.1:", "host:1", "127.0.0.1:0", "127.0.0.1:65536", "1.2.3.4:²"])
def test_addresses_that_are_none(text):
    with pytest.raises(ValueError, match="is not"):
        settings.parse_address(text)


def plan(**process):
    return Plan(Process(**process), (), (), (), (), (), (), (), "")


def test_the_command_line_overrides_the_file():
    given = settings.Settings(("lb.conf",), "/s", workers=3, metrics=(settings.metrics_bind(":9101"),))
    applied = given.apply(plan(workers=8))
    assert applied.process.workers == 3
    assert given.apply(applied).metrics == applied.metrics


def test_maxconn_follows_from_the_descriptors():
    limit = limits.fit(plan(), 2, 20_000)
    assert limit.maxconn(plan(workers=2)) == 2 * limit.max_sessions
    assert 2 * limit.max_sessions < 20_000
    assert limit.maxconn(plan(workers=2, maxconn=100)) == 100
    assert limit.warning(plan(workers=2, maxconn=100)) is None


def test_too_great_a_maxconn_is_lowered_and_told():
    limit = limits.fit(plan(), 2, 1024)
    assert limit.maxconn(plan(workers=2, maxconn=100_000)) == 2 * limit.max_sessions
    assert "lowered to" in (limit.warning(plan(workers=2, maxconn=100_000)) or "")


def test_strict_limits_refuse_what_would_be_lowered():
    limit = limits.fit(plan(), 2, 1024)
    assert limits.refusal(plan(workers=2, maxconn=100_000), limit) is None
    assert "'strict-limits'" in limits.refusal(plan(workers=2, maxconn=100_000, strict_limits=True), limit)
    assert "'ulimit-n 2000'" in limits.refusal(plan(nofile=2000, strict_limits=True), limit)
    assert limits.refusal(plan(workers=2, maxconn=100, nofile=1024, strict_limits=True), limit) is None


def test_thread_hard_limit_and_shares_of_pipes():
    assert limits.worker_count(plan(workers=8, thread_hard_limit=3)) == 3
    assert limits.worker_count(plan(workers=2, thread_hard_limit=3)) == 2
    assert limits.pipes(plan(workers=4, maxpipes=100, pipesize=4096)) == (25, 4096)
    assert limits.pipes(plan(workers=4, maxpipes=2))[0] == 1
    assert limits.pipes(plan(workers=4, maxpipes=0))[0] == limits.pipes(plan(workers=4, splice=False))[0] == 0
    assert limits.pipes(plan(workers=4))[0] > 1_000_000


def test_no_room_at_all():
    with pytest.raises(limits.LimitError, match="leaves no room"):
        limits.fit(plan(), 2, 64)


def test_systemd_passes_sockets_to_the_process_it_names(monkeypatch):
    environ = {"LISTEN_PID": "1", "LISTEN_FDS": "2", "LISTEN_FDNAMES": "a:b"}
    assert notify.inherited_sockets(environ) == ()
    assert environ == {}


def test_notifications_reach_their_socket(tmp_path):
    import socket

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        environ = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "3000000"}
        notifier = notify.Notifier(environ)
        assert environ == {}
        assert notifier.watchdog_s == 1.5
        notifier.ready("serving\nwell")
        assert sock.recv(100) == b"READY=1\nSTATUS=serving well"
        notifier.reloading()
        assert sock.recv(100).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
    notifier.stopping("nobody listens any more")


def test_keywords_tells_of_every_place(capsys):
    assert run("keywords", "maxconn") == client.EXIT_OK
    text = capsys.readouterr().out
    for place in ("section 'global'", "proxy sections (defaults, listen, frontend)", "options of 'server'"):
        assert f"in: {place}" in text
    assert run("keywords", "timeout", "http-request") == client.EXIT_OK
    assert "ignored: it concerns HTTP" in capsys.readouterr().out


def test_keywords_of_an_unknown_word_names_the_nearest(capsys):
    assert run("keywords", "timeout", "cleint") == client.EXIT_FAILED
    assert "did you mean 'timeout client'?" in capsys.readouterr().err


def test_all_keywords(capsys):
    assert run("keywords") == client.EXIT_OK
    text = capsys.readouterr().out
    for part in ("\nTimeouts\n", "  option redispatch [n] ", "not supported yet:", "[fastlb's own]"):
        assert part in text
