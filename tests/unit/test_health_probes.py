"""Verdicts of single checks, against servers under the test's control and against nginx."""

from __future__ import annotations

import asyncio
import errno
import re
import resource
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from observed import check_of, tcp

from fastlb import signing
from fastlb.config.checktree import EXPECT_SUCCESS
from fastlb.health.budget import Budget
from fastlb.health.expect import judge
from fastlb.health.http import About
from fastlb.health.response import READ_LIMIT_BYTES, Response
from fastlb.health.runner import Job, Runner
from fastlb.health.verdict import Outcome, Verdict, of_errno
from fastlb.plan.model import Address, Check, CheckKind, Source

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(serve: Serve):
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@contextmanager
def closed_port() -> Iterator[int]:
    """A port that nobody else gets while it is refused."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


async def verdict_of(check: Check, about: Callable[[], About] | None = None) -> tuple[Verdict, float]:
    """Runs one check to its end: (verdict, seconds it took)."""
    runner = Runner()
    result: asyncio.Future[tuple[Verdict, float]] = asyncio.get_running_loop().create_future()

    def conclude(verdict: Verdict, seconds: float) -> float:
        if not result.done():
            result.set_result((verdict, seconds))
        return 60.0

    runner.schedule(Job(check, conclude, about), time.monotonic())
    try:
        return await asyncio.wait_for(result, 5)
    finally:
        runner.close()


def saying(answer: bytes, then_s: float = 0.0) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(answer)
        await writer.drain()
        await asyncio.sleep(then_s)
        writer.close()

    return serve


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(-1)
    writer.close()


def http_verdict(serve: Serve, **changes: object) -> tuple[Verdict, float]:
    async def run() -> tuple[Verdict, float]:
        async with serving(serve) as port:
            return await verdict_of(check_of(port, CheckKind.HTTP, **changes))

    return asyncio.run(run())


def test_tcp_passes_and_ends_with_a_reset() -> None:
    ends: list[object] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            ends.append(await reader.read(1))
        except ConnectionResetError as error:
            ends.append(error.errno)
        writer.close()

    async def run() -> Verdict:
        async with serving(serve) as port:
            verdict, _ = await verdict_of(check_of(port))
            while not ends:
                await asyncio.sleep(0.01)
            return verdict

    assert asyncio.run(run()) == Verdict(Outcome.PASS, "L4OK")
    assert ends == [errno.ECONNRESET]


def begun_with(check: Callable[[int], Check]) -> tuple[Verdict, list[bytes]]:
    """The verdict on a server that answers to the whole of what it gets, and what it got."""
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(1000))
        writer.write(b"HTTP/1.0 200 OK\r\n\r\n")
        with suppress(ConnectionResetError):
            await reader.read(1)
        writer.close()

    async def run() -> Verdict:
        async with serving(serve) as port:
            verdict, _ = await verdict_of(check(port))
            return verdict

    return asyncio.run(run()), heard


@pytest.mark.parametrize("crc32c", [False, True])
def test_a_check_of_http_behind_a_proxy_header(crc32c: bool) -> None:
    """The bytes are those of HAProxy's checks: its own addresses in version 1, "LOCAL" in version 2."""
    verdict, heard = begun_with(lambda port: check_of(port, CheckKind.HTTP, proxy_version=2, proxy_crc32c=crc32c))
    local = b"\x20\x00\x00\x07\x03\x00\x04\xa9\xb8\x7e\x8f" if crc32c else b"\x20\x00\x00\x00"
    assert verdict == Verdict(Outcome.PASS, "L7OK", 200)
    assert heard == [b"\r\n\r\n\x00\r\nQUIT\n" + local + b"OPTIONS / HTTP/1.0\r\n\r\n"]


def test_a_check_with_its_own_addresses_in_a_proxy_header() -> None:
    ports: list[int] = []
    verdict, heard = begun_with(lambda port: ports.append(port) or check_of(port, CheckKind.HTTP, proxy_version=1))
    assert verdict.outcome is Outcome.PASS
    pattern = rb"PROXY TCP4 127\.0\.0\.1 127\.0\.0\.1 (\d+) %d\r\nOPTIONS / HTTP/1.0\r\n\r\n" % ports[0]
    assert re.fullmatch(pattern, heard[0])


def test_a_plain_check_with_a_proxy_header_over_a_unix_socket(tmp_path: Path) -> None:
    """It passes once the header is sent. The reset behind it does not reach a unix socket, so the server may read."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        address = Address("unix", str(tmp_path / "s"))
        verdict, _ = asyncio.run(verdict_of(check_of(1, address=address, proxy_version=1)))
        assert verdict == Verdict(Outcome.PASS, "L4OK")
        assert listener.accept()[0].recv(100) == b"PROXY UNKNOWN\r\n"


def test_tcp_refused() -> None:
    with closed_port() as port:
        verdict, _ = asyncio.run(verdict_of(check_of(port)))
    assert verdict == Verdict(Outcome.FAIL, "L4CON", None, "ECONNREFUSED returned by OS (Connection refused)")


def test_tcp_timeout_takes_its_time_and_no_more() -> None:
    """A listener whose queue is full lets further connects hang."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for sock in waiting:
            sock.setblocking(False)
            sock.connect_ex(listener.getsockname())
        verdict, seconds = asyncio.run(verdict_of(check_of(listener.getsockname()[1], connect_ms=200)))
        for sock in waiting:
            sock.close()
    assert (verdict.outcome, verdict.status) == (Outcome.FAIL, "L4TOUT")
    assert 0.19 <= seconds < 5


def test_unix_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    missing, _ = asyncio.run(verdict_of(check_of(0, address=Address("unix", path))))
    assert (missing.status, missing.info) == ("SOCKERR", "ENOENT returned by OS (No such file or directory)")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        there, _ = asyncio.run(verdict_of(check_of(0, address=Address("unix", path))))
    assert there.status == "L4OK"


def test_a_server_that_wants_signatures() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        try:
            signing.set_key(listener, "secret")
        except OSError:
            pytest.skip("this kernel cannot sign TCP segments")
        port = listener.getsockname()[1]
        signed, _ = asyncio.run(verdict_of(check_of(port, md5_key="secret")))
        plain, _ = asyncio.run(verdict_of(check_of(port, inter_ms=1000, connect_ms=1000)))
    assert (signed.status, plain.status) == ("L4OK", "L4TOUT")


@pytest.mark.parametrize("family", ["abstract", "exact"])
def test_a_name_that_is_no_file(family: str) -> None:
    address = Address(family, f"fastlb-test-{id(family)}")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address.name)
        listener.listen()
        verdict, _ = asyncio.run(verdict_of(check_of(0, address=address)))
    assert verdict.status == "L4OK"


def test_a_connection_to_itself_fails() -> None:
    """B13: the dead port is forced to be the source port as well."""
    from fastlb.health.tcp import TcpProbe

    probe = TcpProbe(check_of(0))
    with closed_port() as port:
        pass
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", port))
    sock.connect(("127.0.0.1", port))
    sock.setblocking(False)
    probe.sock = sock
    verdict = probe.ready()
    probe.close()
    assert verdict is not None
    assert (verdict.outcome, verdict.status) == (Outcome.FAIL, "L4CON")
    assert "itself" in verdict.info


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL])
def test_local_failures_say_nothing(number: int) -> None:
    assert of_errno(number, connecting=True).outcome is Outcome.UNKNOWN


def test_no_descriptors_left_is_unknown() -> None:
    """F13, with a real EMFILE."""

    async def run() -> Verdict:
        async with serving(silent) as port:
            runner = Runner()
            result: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()

            def conclude(verdict: Verdict, seconds: float) -> float:
                result.set_result(verdict)
                return 60.0

            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
            try:
                runner.schedule(Job(check_of(port), conclude), time.monotonic())
                return await asyncio.wait_for(result, 5)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
                runner.close()

    verdict = asyncio.run(run())
    assert verdict.outcome is Outcome.UNKNOWN
    assert "EMFILE" in verdict.info


@pytest.mark.parametrize(
    ("answer", "status", "code", "info"),
    [
        (b"HTTP/1.0 200 OK\r\n\r\n", "L7OK", 200, ""),
        (b"HTTP/1.1 302 Found\r\n\r\n", "L7OK", 302, ""),
        (b"HTTP/1.1 399\r\n", "L7OK", 399, ""),
        (b"HTTP/1.1 200 OK\n", "L7OK", 200, ""),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", "L7STS", 404, "Not Found"),
        (b"HTTP/1.1 101 Switching\r\n\r\n", "L7STS", 101, "Switching"),
        (b'HTTP/1.1 503 a\x1bb\xff"c\r\n\r\n', "L7STS", 503, 'a\x1bb\xff"c'),
        (b"HTTP/1.1 2000 OK\r\n", "L7RSP", None, "not an HTTP status line"),
        (b"HTTP/1.1 20\r\n", "L7RSP", None, "not an HTTP status line"),
        (b"HTTP/11 200 OK\r\n", "L7RSP", None, "not an HTTP status line"),
        (b"HTTP/1.1  200 OK\r\n", "L7RSP", None, "not an HTTP status line"),
        (b"SSH-2.0-OpenSSH\r\n", "L7RSP", None, "not an HTTP status line"),
        (b"SSH-2.0-OpenSSH", "L7RSP", None, "the answer does not begin with HTTP/"),
        (b"HTTP/1.1 200", "L7RSP", None, "connection closed before a status line"),
        (b"", "L7RSP", None, "empty answer"),
    ],
)
def test_http_answers(answer: bytes, status: str, code: int | None, info: str) -> None:
    verdict, _ = http_verdict(saying(answer))
    assert (verdict.status, verdict.code, verdict.info) == (status, code, info)
    assert verdict.outcome is (Outcome.PASS if status == "L7OK" else Outcome.FAIL)


def test_judging_needs_no_more_than_the_status_line() -> None:
    line = b"HTTP/1.1 204 No Content\r\n"
    response = Response()
    for byte in line:
        assert judge(EXPECT_SUCCESS, response, Budget()) is None
        response.feed(bytes([byte]))
    assert judge(EXPECT_SUCCESS, response, Budget()) == Verdict(Outcome.PASS, "L7OK", 204)


def test_http_reset() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    verdict, _ = http_verdict(serve)
    assert (verdict.status, verdict.info) == ("SOCKERR", "ECONNRESET returned by OS (Connection reset by peer)")


def test_http_timeout_covers_the_whole_check() -> None:
    verdict, seconds = http_verdict(silent, connect_ms=200)
    assert verdict.status == "L7TOUT"
    assert 0.19 <= seconds < 5


def test_timeout_check_counts_from_the_connect() -> None:
    verdict, seconds = http_verdict(silent, connect_ms=100, read_ms=250)
    assert verdict.status == "L7TOUT"
    assert 0.24 <= seconds < 5


def test_an_endless_banner_is_read_up_to_the_limit() -> None:
    taken = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal taken
        try:
            writer.write(b"HTTP/1.1 200 ")
            while True:
                writer.write(b"x" * 1024)
                await writer.drain()
                taken += 1024
        except OSError:
            writer.close()

    verdict, _ = http_verdict(serve)
    assert (verdict.outcome, verdict.status) == (Outcome.FAIL, "L7RSP")
    assert str(READ_LIMIT_BYTES) in verdict.info


def test_one_byte_at_a_time_ends_at_the_timeout() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            for byte in b"HTTP/1.1 200 " + b"O" * 100:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.05)
        except OSError:
            writer.close()

    verdict, seconds = http_verdict(serve, connect_ms=300)
    assert verdict.status == "L7TOUT"
    assert 0.29 <= seconds < 5


def test_a_stall_of_our_own_is_unknown() -> None:
    """X14: the loop is held up beyond the deadline; a silent server cannot be blamed."""

    async def run() -> Verdict:
        async with serving(silent) as port:
            asyncio.get_running_loop().call_later(0.05, time.sleep, 0.5)
            verdict, _ = await verdict_of(check_of(port, CheckKind.HTTP, connect_ms=200))
            return verdict

    assert asyncio.run(run()).outcome is Outcome.UNKNOWN


def test_an_answer_that_waits_unread_counts_after_a_stall() -> None:
    """The answer of another process arrives while the loop is held up."""
    child = subprocess.Popen(["python3", "-c", _OTHER_PROCESS], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    port = int(child.stdout.readline())

    async def run() -> Verdict:
        loop = asyncio.get_running_loop()
        loop.call_later(0.02, time.sleep, 0.6)
        verdict, _ = await verdict_of(check_of(port, CheckKind.HTTP, connect_ms=400))
        return verdict

    try:
        assert asyncio.run(run()).status == "L7OK"
    finally:
        child.wait(5)
        child.stdout.close()


_OTHER_PROCESS = """
import socket, time
s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
c, _ = s.accept()
c.recv(100)
time.sleep(0.2)
c.send(b"HTTP/1.0 200 OK\\r\\n\\r\\n")
time.sleep(0.5)
"""

_NGINX = """
daemon off; master_process off; pid {dir}/pid; error_log stderr;
events {{}}
http {{ access_log off; client_body_temp_path {dir}; proxy_temp_path {dir}; fastcgi_temp_path {dir};
  uwsgi_temp_path {dir}; scgi_temp_path {dir};
  server {{ listen 127.0.0.1:{port};
    location /ok {{ return 200 "hey"; }} location /moved {{ return 301 /ok; }} location /broken {{ return 500; }} }} }}
"""


@pytest.mark.skipif(not shutil.which("nginx"), reason="nginx is not installed")
def test_nginx(tmp_path: Path) -> None:
    with closed_port() as port:
        pass
    (tmp_path / "nginx.conf").write_text(_NGINX.format(dir=tmp_path, port=port))
    nginx = subprocess.Popen(["nginx", "-c", str(tmp_path / "nginx.conf")], stderr=subprocess.DEVNULL)
    try:
        verdicts = {}
        deadline = time.monotonic() + 5
        while asyncio.run(verdict_of(check_of(port)))[0].status != "L4OK":
            assert time.monotonic() < deadline
        for path in ("/ok", "/moved", "/broken", "/none"):
            request = f"GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode()
            verdict, _ = asyncio.run(verdict_of(check_of(port, CheckKind.HTTP, request=request)))
            verdicts[path] = (verdict.status, verdict.code, verdict.info)
    finally:
        nginx.terminate()
        nginx.wait(5)
    assert verdicts == {
        "/ok": ("L7OK", 200, ""),
        "/moved": ("L7OK", 301, ""),
        "/broken": ("L7STS", 500, "Internal Server Error"),
        "/none": ("L7STS", 404, "Not Found"),
    }


def test_nothing_is_left_open() -> None:
    async def run() -> int:
        async with serving(saying(b"HTTP/1.0 200 OK\r\n\r\n")) as port:
            await verdict_of(check_of(port, CheckKind.HTTP))
            return len(list(Path("/proc/self/fd").iterdir()))

    counts = {asyncio.run(run()) for _ in range(5)}
    assert len(counts) == 1
    assert tcp(1).port == 1


@pytest.mark.parametrize("source", [Source(tcp(0)), Source(tcp(23100), 23109), Source(tcp(0), 0, "lo")])
def test_a_check_comes_from_the_source_of_its_server(source: Source) -> None:
    source = replace(source, address=replace(source.address, host="127.0.0.9"))
    with socket.create_server(("127.0.0.1", 0)) as server:
        verdict, _ = asyncio.run(verdict_of(check_of(server.getsockname()[1], source=source)))
        host, port = server.accept()[1]
    assert verdict.outcome is Outcome.PASS
    assert host == "127.0.0.9"
    assert source.ports == 0 or source.address.port <= port <= source.last_port


def test_a_source_that_is_not_here_says_nothing_about_the_server() -> None:
    source = Source(Address("inet", "192.0.2.7"))
    with socket.create_server(("127.0.0.1", 0)) as server:
        verdict, _ = asyncio.run(verdict_of(check_of(server.getsockname()[1], source=source)))
    assert verdict.outcome is Outcome.UNKNOWN
