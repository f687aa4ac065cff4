"""TLS servers with certificates of their own, and clients that cut their handshake into pieces."""

import contextlib
import socket
import ssl
import subprocess
import threading
from pathlib import Path

from .client import TIMEOUT_S, Address, connect


class TlsServer:
    """Accepts, shakes hands, says its name and closes. ``certificate`` is what clients see of it."""

    def __init__(self, name: str, directory: Path) -> None:
        self.name = name
        key, cert = directory / f"{name}.key", directory / f"{name}.pem"
        words = f"req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN={name}"
        command = ["openssl", *words.split(), "-keyout", str(key), "-out", str(cert)]
        subprocess.run(command, check=True, capture_output=True)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(cert, key)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        threading.Thread(target=self._serve, daemon=True).start()

    def __str__(self) -> str:
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                threading.Thread(target=self._answer, args=(sock,), daemon=True).start()

    def _answer(self, sock: socket.socket) -> None:
        sock.settimeout(TIMEOUT_S)
        with contextlib.suppress(OSError), self._context.wrap_socket(sock, server_side=True) as tls:
            tls.sendall(self.name.encode())
            tls.unwrap()

    def close(self) -> None:
        self._listener.close()


def greeting(to: Address, server_name: str | None, piece: int = 1 << 16) -> str:
    """What a TLS server says to a client that asks for ``server_name`` and writes ``piece`` bytes at a time."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=server_name)
    with connect(to) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            try:
                return tls.read(100).decode()
            except ssl.SSLWantReadError:
                data = outgoing.read()
                for at in range(0, len(data), piece):
                    sock.sendall(data[at : at + piece])
                received = sock.recv(1 << 16)
                assert received, "the connection ended in the middle of the handshake"
                incoming.write(received)
