"""The control socket: one master, bounded clients, honest answers."""

import asyncio
import json
import os
import socket
import stat
import threading

import pytest

from fastlb import admin, client, places


def serve(path, scenario, **commands):
    """Runs ``scenario(path)``, blocking, in a thread while the server answers on the loop."""

    async def answer(name):
        return commands[name]

    async def main():
        table = {name: (lambda request, name=name: answer(name)) for name in commands}
        server = admin.AdminServer(path, table, lambda *_: None)
        await server.open()
        try:
            return await asyncio.wait_for(asyncio.to_thread(scenario, path), 20)
        finally:
            await server.close()

    return asyncio.run(main())


def talk(path, line):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(10)
        sock.connect(str(path))
        sock.sendall(line)
        with sock.makefile("rb") as stream:
            return stream.readline()


def test_one_line_in_one_object_out(tmp_path):
    path = tmp_path / "lb.sock"
    for line in (b"status\n", b'{"command": "status"}\n'):
        assert json.loads(serve(path, lambda p, line=line: talk(p, line), status=admin.done("fine", n=1))) == {
            "ok": True,
            "message": "fine",
            "n": 1,
        }


def test_unknown_commands_are_told_what_there_is(tmp_path):
    answer = json.loads(serve(tmp_path / "s", lambda p: talk(p, b"frobnicate\n"), status=admin.done("")))
    assert answer == {"ok": False, "message": "unknown command 'frobnicate'; there are: status"}


def test_too_long_a_line_ends_the_conversation(tmp_path):
    line = b"x" * (3 * admin.LINE_BYTES) + b"\n"

    def scenario(path):
        try:
            return talk(path, line)
        except OSError:
            return b""

    assert serve(tmp_path / "s", scenario, status=admin.done("")) == b""


def test_more_clients_than_allowed_are_turned_away(tmp_path):
    def scenario(path):
        held = [socket.socket(socket.AF_UNIX) for _ in range(admin.CLIENTS)]
        for sock in held:
            sock.connect(str(path))
        last = socket.socket(socket.AF_UNIX)
        last.settimeout(10)
        last.connect(str(path))
        end = last.recv(1)
        for sock in [*held, last]:
            sock.close()
        return end

    assert serve(tmp_path / "s", scenario, status=admin.done("")) == b""


def test_nobody_else_may_even_connect(tmp_path):
    path = tmp_path / "s"
    assert serve(path, lambda p: stat.S_IMODE(p.stat().st_mode), status=admin.done("")) == 0o600
    assert not path.exists()


def test_stale_sockets_are_replaced_but_nothing_else(tmp_path):
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
    assert b"fine" in serve(path, lambda p: talk(p, b"status\n"), status=admin.done("fine"))
    path.write_text("data")
    with pytest.raises(admin.AdminError, match="left alone"):
        serve(path, lambda p: None)
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(admin.AdminError, match="left alone"):
        serve(path, lambda p: None)


def test_one_master_for_each_socket(tmp_path):
    first = admin.Lock(tmp_path / "lb.sock")
    with pytest.raises(admin.AdminError, match=rf"another fastlb \(pid {os.getpid()}\)"):
        admin.Lock(tmp_path / "lb.sock")
    first.release()
    admin.Lock(tmp_path / "lb.sock").release()


def test_a_successor_takes_the_lock_when_it_is_ready(tmp_path):
    path = tmp_path / "lb.sock"
    first = admin.Lock(path)
    with pytest.raises(admin.AdminError, match=f"'-sf {os.getpid()}'"):
        admin.Lock(path, [1])
    second = admin.Lock(path, [1, os.getpid()])
    with pytest.raises(admin.AdminError, match="another fastlb"):
        admin.Lock(path)  # nothing is taken yet
    second.take_over()
    first.release()
    with pytest.raises(admin.AdminError, match="another fastlb"):
        admin.Lock(path)
    second.release()
    admin.Lock(path).release()
    assert list(tmp_path.iterdir()) == [tmp_path / "lb.sock.lock"]


def test_the_socket_of_a_successor_stays(tmp_path):
    def scenario(path):
        path.unlink()
        with socket.socket(socket.AF_UNIX) as successor:
            successor.bind(str(path))

    serve(tmp_path / "s", scenario, status=admin.done(""))
    assert (tmp_path / "s").exists()


def test_the_command_prints_the_answer(tmp_path, capsys):
    answers = {
        "reload": admin.failed("not reloaded", diagnostics=["lb.conf:1:1: error: x"]),
        "status": admin.done("up"),
    }
    assert serve(tmp_path / "s", lambda p: client.run("reload", p), **answers) == client.EXIT_FAILED
    assert capsys.readouterr().err == "lb.conf:1:1: error: x\nfastlb: not reloaded\n"
    assert serve(tmp_path / "s", lambda p: client.run("status", p), **answers) == client.EXIT_OK
    assert capsys.readouterr().out == "up\n"
    assert serve(tmp_path / "s", lambda p: client.run("status", p, as_json=True), **answers) == client.EXIT_OK
    assert json.loads(capsys.readouterr().out) == {"ok": True, "message": "up"}


def test_no_master_is_a_status_of_its_own(tmp_path, capsys):
    assert client.run("status", tmp_path / "none.sock") == client.EXIT_NOT_RUNNING
    assert "no fastlb runs" in capsys.readouterr().err


def test_stop_returns_when_the_master_has_let_go(tmp_path):
    path = tmp_path / "s"
    lock = admin.Lock(path)
    timer = threading.Timer(0.3, lock.release)
    timer.start()
    assert serve(path, lambda p: client.run("stop", p), stop=admin.done("stopped")) == client.EXIT_OK
    assert not timer.is_alive()
    timer.join()


def test_directories_that_others_can_write_are_refused(tmp_path):
    made = tmp_path / "new" / "run"
    places.make_directory(made)
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    with pytest.raises(places.PlaceError, match="can be written by others"):
        places.make_directory(open_to_all)
    open_to_all.chmod(0o1777)
    places.make_directory(open_to_all)
    link = tmp_path / "link"
    link.symlink_to(made)
    with pytest.raises(places.PlaceError, match="not a directory"):
        places.make_directory(link)


def test_default_places(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert str(places.control_socket(["/etc/fastlb/lb.conf", "x.conf"], {})) == "/run/fastlb/lb.sock"
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert (
        str(places.control_socket(["lb.conf"], {"XDG_RUNTIME_DIR": "/run/user/1000"}))
        == "/run/user/1000/fastlb/lb.sock"
    )
    assert str(places.control_socket(["lb"], {})) == "/tmp/fastlb-1000/lb.sock"
