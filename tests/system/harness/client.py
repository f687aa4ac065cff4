"""Clients made of plain sockets."""

import re
import socket
import struct
import time
from pathlib import Path

from .poison import checked

Address = tuple[str, int] | str  # (host, port), or the path of a unix socket
TIMEOUT_S = 20.0
RST = "RST"
FIN = "FIN"
IP_BIND_ADDRESS_NO_PORT = 24  # ip(7): the port is chosen by connect(), and is not lost to everybody else


def connect(to: Address, source: str | None = None, timeout_s: float = TIMEOUT_S, rcvbuf: int = 0) -> socket.socket:
    """A connected socket; ``source`` is the client's own address, ``rcvbuf`` a small receive window in bytes."""
    family = socket.AF_UNIX if isinstance(to, str) else socket.AF_INET6 if ":" in to[0] else socket.AF_INET
    sock = socket.socket(family)
    try:
        sock.settimeout(timeout_s)
        if rcvbuf:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        if source:
            sock.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
            sock.bind((source, 0))
        sock.connect(to)
    except BaseException:
        sock.close()
        raise
    return sock


def read_to_end(sock: socket.socket) -> tuple[bytes, str]:
    """Everything up to the end of the stream, and how it ended: FIN or RST."""
    parts = []
    while True:
        try:
            part = sock.recv(1 << 16)
        except ConnectionResetError:
            return checked(b"".join(parts)), RST
        if not part:
            return checked(b"".join(parts)), FIN
        parts.append(part)


def read_exactly(sock: socket.socket, count: int) -> bytes:
    """``count`` bytes, or fewer when the stream ends before."""
    parts = bytearray()
    while len(parts) < count and (part := sock.recv(min(1 << 16, count - len(parts)))):
        parts += part
    return checked(bytes(parts))


def ask(to: Address, request: bytes = b"", source: str | None = None) -> bytes:
    """One whole conversation: connect, send, half-close when something was sent, read to the end, close."""
    with connect(to, source) as sock:
        if request:
            sock.sendall(request)
            sock.shutdown(socket.SHUT_WR)
        reply, how = read_to_end(sock)
        assert how == FIN, f"reset after {reply[:80]!r}"
        return reply


def who(to: Address, source: str | None = None) -> str:
    """The name of the banner server that answers."""
    return ask(to, source=source).decode().strip()


def reset(sock: socket.socket) -> None:
    """Close with RST: linger 0 (socket(7))."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def refused(to: Address) -> bool:
    try:
        connect(to, timeout_s=5).close()
    except (ConnectionRefusedError, FileNotFoundError):
        return True
    return False


def listening(*addresses: tuple[str, int]) -> bool:
    """Whether somebody listens on all of these TCP addresses here, without connecting to them."""
    listeners = [
        words[1]
        for table in ("/proc/net/tcp", "/proc/net/tcp6")
        if Path(table).exists()
        for words in map(str.split, Path(table).read_text().splitlines()[1:])
        if words[3] == "0A"
    ]
    return all(any(one.endswith(_proc_name(host, port)) for one in listeners) for host, port in addresses)


def _proc_name(host: str, port: int) -> str:
    """How /proc/net/tcp writes an address; without its host for anything but IPv4."""
    numeric = re.fullmatch(r"[\d.]+", host)
    return (socket.inet_aton(host)[::-1].hex().upper() if numeric else "") + f":{port:04X}"


def silent(sock: socket.socket, for_s: float) -> bool:
    """Whether nothing, not even an end, arrives for ``for_s`` seconds."""
    before = sock.gettimeout()
    sock.settimeout(for_s)
    try:
        sock.recv(1, socket.MSG_PEEK)
    except TimeoutError:
        return True
    except ConnectionResetError:
        return False
    finally:
        sock.settimeout(before)
    return False


def elapsed_s(since: float) -> float:
    return time.monotonic() - since
