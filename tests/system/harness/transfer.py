"""Two-way transfers whose every byte is checked by hash, and the kernel's own byte counts."""

import hashlib
import random
import socket
import struct
import threading
import time
from dataclasses import dataclass

from .client import RST, Address, connect, read_to_end

SEND_BUFFER = 3_000_000  # what a kernel takes at once from the balancer, about (net.ipv4.tcp_wmem)
TCP_INFO_BYTES_RECEIVED = 128  # offset of tcpi_bytes_received in struct tcp_info (linux/tcp.h)


@dataclass(frozen=True)
class Transfer:
    """What one two-way transfer moves: sizes in bytes, the chunk each side writes, pauses up to ``pause_ms``.

    With a small ``window`` (the client's receive buffer, 0: the system's) and readers that begin ``late_ms`` after the
    writers, what the balancer sends falls short.
    """

    seed: int
    up: int
    down: int
    chunk: int
    pause_ms: int
    window: int = 0
    late_ms: int = 0


def random_transfers(count: int, seed: int, largest: int) -> list[Transfer]:
    """Sizes log-uniform from 0 to ``largest``; writes from 100 bytes up, but not more than some hundred of them."""
    rng = random.Random(seed)
    return [_random_transfer(number, rng, largest) for number in range(1, count + 1)]


def _random_transfer(number: int, rng: random.Random, largest: int) -> Transfer:
    up, down = _size(rng, largest), _size(rng, largest)
    chunk = max(rng.choice([100, 4000, 65536]), max(up, down) // 300)
    pause_ms = rng.choice([0, 0, 0, 3])
    if max(up, down) > SEND_BUFFER:
        return Transfer(number, up, down, chunk, pause_ms, 65536, 200)
    return Transfer(number, up, down, chunk, pause_ms)


def _size(rng: random.Random, largest: int) -> int:
    return int(largest ** rng.random()) if rng.random() > 0.05 else 0


def header(transfer: Transfer) -> bytes:
    """The first line that the ``duplex`` server reads."""
    return f"{transfer.down} {transfer.seed} {transfer.chunk} {transfer.pause_ms} {transfer.late_ms}\n".encode()


def run(to: Address, transfer: Transfer) -> str:
    """Send and receive at once; assert the received hash, return the SHA-256 of what was sent."""
    upload = random.Random(-transfer.seed).randbytes(transfer.up)
    with connect(to, timeout_s=60, rcvbuf=transfer.window) as sock:
        sock.sendall(header(transfer))
        sender = threading.Thread(target=_send, args=(sock, upload, transfer.chunk), daemon=True)
        sender.start()
        digest, count = hashlib.sha256(), 0
        time.sleep(transfer.late_ms / 1000)
        while part := sock.recv(1 << 16):
            digest.update(part)
            count += len(part)
        sender.join()
    expected = hashlib.sha256(random.Random(transfer.seed).randbytes(transfer.down)).hexdigest()
    assert (count, digest.hexdigest()) == (transfer.down, expected), f"{transfer}: {count} bytes came down"
    return hashlib.sha256(upload).hexdigest()


def attempt(to: Address, transfer: Transfer) -> str:
    """The same where faults are made: "exact", "reset", or "refused" (an end before the first byte).

    A FIN says that this was all: with fewer bytes than promised, or others, it is a lie and fails the test.
    """
    upload = random.Random(-transfer.seed).randbytes(transfer.up)
    expected = random.Random(transfer.seed).randbytes(transfer.down)
    try:
        with connect(to, timeout_s=60) as sock:
            sock.sendall(header(transfer))
            lost: list[OSError] = []  # a reset is told once: to the sender, say, and recv() then says end of stream
            sender = threading.Thread(target=_send_keeping, args=(lost, sock, upload, transfer.chunk), daemon=True)
            sender.start()
            got, how = read_to_end(sock)
            sender.join()
    except OSError:
        return "reset"
    assert expected.startswith(got), f"{transfer}: other bytes came down"
    if how == RST or lost:
        return "reset"
    if got != expected:
        assert not got, f"{transfer}: an orderly end after {len(got)} bytes"
        return "refused"
    return "exact"


def upload_sha256(transfer: Transfer) -> str:
    """What the server must have received if it saw an orderly end."""
    return hashlib.sha256(random.Random(-transfer.seed).randbytes(transfer.up)).hexdigest()


def _send_keeping(lost: list[OSError], sock: socket.socket, data: bytes, chunk: int) -> None:
    try:
        _send(sock, data, chunk)
    except OSError as error:
        lost.append(error)


def _send(sock: socket.socket, data: bytes, chunk: int) -> None:
    for start in range(0, len(data), chunk):
        sock.sendall(data[start : start + chunk])
    sock.shutdown(socket.SHUT_WR)


def bytes_received(sock: socket.socket) -> int:
    """What this end's kernel has taken and acknowledged so far, read by the application or not."""
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    (count,) = struct.unpack_from("=Q", info, TCP_INFO_BYTES_RECEIVED)
    return int(count)
