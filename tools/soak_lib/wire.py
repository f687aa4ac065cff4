"""What the soak's clients and servers say to each other.

A conversation begins with one line, ``KIND SEED UP DOWN PACE``: the server's behaviour, the seed of both streams, how
many bytes go up and down (-1: until the end of the stream) and how fast the server sends (bytes a second, 0: at once).
Every byte of both streams follows from the seed, so that each side knows what must come, also of a stream that ends in
the middle. What the server sends ends with a trailer: SHA-256 of what it received, SHA-256 of what it sent.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from random import Random

TRAILER = 64
HEADER_LIMIT = 120
BLOCK = 4096


class WrongBytes(Exception):
    """Something arrived that was not sent: the one thing that nothing explains."""


class EarlyEnd(Exception):
    """The stream ended, by FIN or by reset, before what was announced had arrived."""


@dataclass(frozen=True)
class Header:
    """The first line. Sizes in bytes, ``pace`` in bytes a second."""

    kind: str
    seed: int
    up: int
    down: int
    pace: int = 0

    def line(self) -> bytes:
        return f"{self.kind} {self.seed} {self.up} {self.down} {self.pace}\n".encode()


def parse(line: bytes) -> Header:
    """The header of a line without its LF. Raises WrongBytes: no client writes another."""
    try:
        kind, *numbers = line.decode("ascii").split(" ")
        seed, up, down, pace = map(int, numbers)
    except ValueError:
        raise WrongBytes(f"not a header: {line[:HEADER_LIMIT]!r}") from None
    return Header(kind, seed, up, down, pace)


class Stream:
    """The bytes that one side sends, made as they are needed."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._ready = b""

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes."""
        while len(self._ready) < count:
            self._ready += self._random.randbytes(max(BLOCK, count - len(self._ready) + 3 & ~3))
        taken, self._ready = self._ready[:count], self._ready[count:]
        return taken


def up_stream(header: Header) -> Stream:
    return Stream(2 * header.seed)


def down_stream(header: Header) -> Stream:
    """What comes down: for an echo the same as goes up."""
    return Stream(2 * header.seed + (header.kind != "echo"))


class Checker:
    """Compares what arrives with what must, byte for byte, as it arrives; the last ``hold`` bytes are a trailer."""

    def __init__(self, expected: Stream, hold: int = 0) -> None:
        self.count = 0
        self._expected, self._hold, self._held = expected, hold, b""
        self._digest = hashlib.sha256()

    def feed(self, part: bytes) -> None:
        """Raises WrongBytes."""
        data = self._held + part
        payload = data[: max(0, len(data) - self._hold)]
        self._held = data[len(payload) :]
        if payload != self._expected.take(len(payload)):
            raise WrongBytes(f"wrong bytes after {self.count} right ones, in {len(payload)}")
        self._digest.update(payload)
        self.count += len(payload)

    def digest(self) -> bytes:
        """SHA-256 of the payload so far."""
        return self._digest.digest()

    def trailer(self) -> bytes:
        return self._held
