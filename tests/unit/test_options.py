"""HAProxy's options on fastlb's command line: what each does, and what is said about those that do nothing."""

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from fastlb import cli, client, invocation, options, settings
from fastlb.config.keywords import Tier
from fastlb.plan.load import Reading, load
from fastlb.plan.model import Frontend, Location, Plan, Process

QUIET = "defaults\n mode tcp\n timeout connect 1s\n timeout client 1s\n timeout server 1s\n"
LISTEN = "listen {0}\n bind 127.0.0.1:{1}\n server s 127.0.0.1:1\n"
GOOD = QUIET + LISTEN.format("l", 18099)
WARNED = GOOD.replace(" timeout client 1s\n", "")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, text in {"good.cfg": GOOD, "warned.cfg": WARNED, "bad.cfg": GOOD.replace("bind", "bnid")}.items():
        Path(name).write_text(text)
    folder = Path("folder")
    (folder / "sub.cfg").mkdir(parents=True)
    (folder / "b.cfg").write_text(LISTEN.format("b", 18098))
    (folder / "a.cfg").write_text(QUIET + LISTEN.format("a", 18099))
    for name in ("x.conf", ".hidden.cfg"):
        (folder / name).write_text("nonsense\n")
    Path("empty").mkdir()


# Each is accepted or refused as HAProxy does; what both say of a valid file is compared with '-V'.
CHECKS = """
-c -V -f good.cfg|-c -q -V -f good.cfg|-c -V -f warned.cfg|-c -V -dW -f warned.cfg|-c -V -dW -f good.cfg|-c -f bad.cfg
-f good.cfg -c -V|-c -V -- good.cfg|-c -V -f folder|-c -V -f empty|-c -V -f empty -f good.cfg|-c -f missing.cfg
-c -V -C folder -f a.cfg|-c -C missing -f a.cfg|-c -V -f folder/b.cfg -f folder/a.cfg|-c -V -f good.cfg -sf
-c -V -f good.cfg -sf 1 2 -n 100|-c -V -D -f good.cfg|-c -V -W -f good.cfg|-c -V -Ws -p x -f good.cfg
-c -V -db -f good.cfg -N 10|-c -V -f good.cfg -L peer|-c -V -dM -dp -dV -f good.cfg|-c -V good.cfg|-c -f|-c -V -zz
-c -V -f good.cfg -S /run/x,mode,600|-cc 1|-cc 0|-cc nosuch(|-cc version_atleast(2.4)|-cc defined(PATH)|-cc
"""


@pytest.mark.skipif(shutil.which("haproxy") is None, reason="haproxy is not installed")
@pytest.mark.parametrize("line", CHECKS.strip().replace("\n", "|").split("|"))
def test_haproxy_agrees(line, capsys):
    there = subprocess.run(["haproxy", *line.split()], capture_output=True, text=True, timeout=30, check=False)
    before = Path.cwd()
    try:
        here = cli.main(line.split())
    finally:
        os.chdir(before)
    assert (here == 0) == (there.returncode == 0), there.stderr
    valid = "Configuration file is valid" in there.stdout
    assert (capsys.readouterr().out == "Configuration file is valid\n") == valid


def test_a_bare_c_is_silent_about_a_valid_file(capsys):
    assert cli.main(["-c", "-f", "good.cfg"]) == 0
    assert capsys.readouterr() == ("", "")
    assert cli.main(["-c", "good.cfg", "--check"]) == 0
    assert capsys.readouterr() == ("configuration is valid\n", "")


def test_quiet_says_errors_only(capsys):
    assert cli.main(["-c", "-q", "-f", "warned.cfg"]) == 0
    assert capsys.readouterr() == ("", "")
    assert cli.main(["-q", "-f", "bad.cfg", "--check"]) == 1
    assert "bad.cfg:7:2: error: unknown keyword 'bnid'" in capsys.readouterr().err


def test_a_directory_is_read_in_order_and_defaults_go_on(tmp_path):
    result = load(["folder"])
    assert [frontend.name for frontend in result.plan.frontends] == ["a", "b"]
    assert [frontend.client_ms for frontend in result.plan.frontends] == [1000, 1000]
    assert result.plan.files == ("folder/a.cfg", "folder/b.cfg")
    assert [str(one) for one in load(["empty"]).diagnostics] == ["empty: error: there is no '*.cfg' in this directory"]


def test_warnings_may_be_fatal():
    assert load(["warned.cfg"]).plan is not None
    result = load(["warned.cfg"], Reading(strict=True))
    assert result.plan is None
    assert str(result.diagnostics[-1]).startswith("warned.cfg: error: there are warnings, and with '-dW'")


def test_local_peer_and_diagnostics():
    Path("peer.cfg").write_text(f'.if streq("$HAPROXY_LOCALPEER",me)\n .diag "it is me"\n.endif\n{GOOD}')
    result = load(["peer.cfg"], Reading(local_peer="me", diagnose=True), environ={"HAPROXY_LOCALPEER": "you"})
    assert [str(one) for one in result.diagnostics] == ["peer.cfg:2:2: notice: 'it is me'"]
    assert load(["peer.cfg"], Reading(local_peer="me")).diagnostics == ()


def test_names_without_an_address_may_be_no_error():
    Path("lost.cfg").write_text(GOOD + "backend lost\n server s nosuch.invalid:80\n")
    assert load(["lost.cfg"]).plan is None
    plan = load(["lost.cfg"], Reading(lenient=True)).plan
    assert plan.servers[-1].unresolved


def test_what_settings_override():
    frontends = tuple(Frontend(name, 0, Location("x", 1, 1), maxconn=n) for name, n in (("a", 0), ("b", 5)))
    plan = Plan(Process(maxconn=7, daemon=True, pidfile="/p"), (), frontends, (), (), (), (), (), "")
    given = settings.Settings(("x",), "/s", maxconn=9, proxy_maxconn=3, daemon=False, pidfile="/q")
    applied = given.apply(plan)
    assert (applied.process.maxconn, applied.process.daemon, applied.process.pidfile) == (9, False, "/q")
    assert [frontend.maxconn for frontend in applied.frontends] == [3, 5]
    assert settings.Settings(("x",), "/s").apply(plan) == plan
    assert replace(given, daemon=True).apply(plan).process.daemon


@pytest.mark.parametrize(
    ("words", "daemon"), [("", None), ("-D", True), ("-D -db", False), ("-db -D", False), ("-d", False)]
)
def test_background_and_foreground(words, daemon):
    given = options.parse(["-f", "x", *words.split()])
    assert invocation.settings_of(given).daemon is daemon


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("good.cfg", "unexpected word 'good.cfg'; a configuration is named with '-f good.cfg'"),
        ("reloda", "unexpected word 'reloda'; did you mean 'reload'?"),
        ("-fgood.cfg", "unknown option '-fgood.cfg'; write '-f good.cfg'"),
        ("--chekc", "unknown option '--chekc'; did you mean '--check'?"),
        ("-f", "option '-f' expects a configuration file or directory; try --help"),
        ("-f a -x /sock", "option '-x' is not supported; sockets are kept"),
        ("-f a -sf 0", "option '-sf' expects process ids, not '0'"),
        ("-f a -st -1", "unknown option '-1'"),
        ("-f a --workers=0", "option '--workers' expects a number of workers, not '0'; it is at least 1"),
        ("-f a --metrics x", "option '--metrics': 'x' is not ADDRESS:PORT"),
    ],
)
def test_one_line_says_what_is_wrong(words, said, capsys):
    assert cli.main(words.split()) == client.EXIT_USAGE
    text = capsys.readouterr().err
    assert text.startswith(f"fastlb: error: {said}")
    assert text.count("\n") == 1


@pytest.mark.parametrize("option", options.OPTIONS, ids=lambda option: option.names[0])
def test_every_option_is_told_in_help_and_documented(option, capsys):
    cli.main(["--help"])
    told = capsys.readouterr().out
    docs = (Path(__file__).resolve().parents[2] / "docs/operations.md").read_text()
    for name in option.names:
        assert name in told
        assert f"`{name}" in docs, f"{name} is not in docs/operations.md"
    if option.tier is Tier.REFUSED:
        assert cli.main([option.names[0]]) == client.EXIT_USAGE


def test_versions(capsys):
    assert cli.main(["-v"]) == 0
    assert "HAProxy" in capsys.readouterr().out
    assert cli.main(["-vv"]) == 0
    assert "features" in capsys.readouterr().out
    assert cli.main(["-cc", "streq(a,a)", "-V"]) == 0
    assert capsys.readouterr().out == "Result: true\n"
    assert cli.main(["-dKall"]) == 0
    assert "Timeouts" in capsys.readouterr().out
