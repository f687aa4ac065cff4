"""nginx with whatever servers a test describes, and with TLS."""

import ssl
import subprocess
from pathlib import Path

from ..harness.client import connect
from ..harness.nginx import HTTP
from .program import found

TLS = """
    ssl_certificate {certificate};
    ssl_certificate_key {certificate};
"""


def certificate(path: Path, *names: str) -> Path:
    """A new key and its certificate in one file, for names as ``IP:192.0.2.10`` or ``DNS:*.example.com``."""
    words = f"req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=test -keyout {path}"
    done = subprocess.run(
        ["openssl", *words.split(), "-addext", f"subjectAltName={','.join(names)}"], check=True, capture_output=True
    )
    path.write_bytes(path.read_bytes() + done.stdout)
    path.chmod(0o644)
    return path


def nginx(directory: Path, certificate: Path, servers: str) -> list[str]:
    """The words that run it."""
    config = directory / "nginx.conf"
    config.write_text(HTTP.format(directory=directory, servers=TLS.format(certificate=certificate) + servers))
    config.chmod(0o644)
    return [found("nginx") or "nginx", "-c", str(config), "-e", str(directory / "error.log")]


def secure(to: tuple[str, int], trust: Path, name: str, source: str | None = None) -> ssl.SSLSocket:
    """A connection whose ClientHello asks for ``name`` (SNI), to a server that proves to have it."""
    context = ssl.create_default_context(cafile=str(trust))
    sock = connect(to, source)
    try:
        return context.wrap_socket(sock, server_hostname=name)
    except BaseException:
        sock.close()
        raise


def ask(sock: ssl.SSLSocket, path: str = "/") -> None:
    sock.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())


def answer(sock: ssl.SSLSocket) -> str:
    """The whole body, to the end of the connection, which this closes."""
    with sock:
        got = b""
        while part := sock.recv(1 << 16):
            got += part
    head, _, body = got.partition(b"\r\n\r\n")
    if f"\r\nContent-Length: {len(body)}".encode() not in head:
        raise OSError(f"cut short: {got[-300:]!r}")
    return body.decode()


def get(sock: ssl.SSLSocket, path: str = "/") -> str:
    ask(sock, path)
    return answer(sock)
