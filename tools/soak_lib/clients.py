"""The kinds of clients. Each is one conversation; it returns when all was as announced, and raises when it was not."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random

from soak_lib.link import Link
from soak_lib.together import together
from soak_lib.wire import EarlyEnd, Header

Paused = Callable[[], bool]  # whether conversations are to come to their ends, for a quiet moment
Run = Callable[[Link, Random, Paused], Awaitable[None]]


@dataclass(frozen=True)
class Kind:
    """A kind of client: the share of conversations, at most how many at once, and what it says."""

    name: str
    share: float
    at_once: int
    header: Callable[[int, Random], Header]
    run: Run


def size(rng: Random, largest: int) -> int:
    """Log-uniform up to ``largest`` bytes, sometimes nothing."""
    return int(largest ** rng.random()) if rng.random() > 0.05 else 0


def chunk(rng: Random, total: int) -> int:
    """How much is written at once: small writes too, but no more than some hundred of them."""
    return max(rng.choice([1, 100, 4000, 65536]), total // 200)


async def short(link: Link, rng: Random, paused: Paused) -> None:
    """Connect, a few bytes, the answer, close."""
    await link.connect()
    await link.send_all(1 << 16)
    await link.receive_all()
    link.verify()


async def both_ways(link: Link, rng: Random, paused: Paused) -> None:
    """Sends and receives at once, in random parts with random pauses (echo, duplex)."""
    await link.connect()
    await together(link.send_all(chunk(rng, link.header.up), rng), link.receive_all())
    link.verify()


async def stream(link: Link, rng: Random, paused: Paused) -> None:
    """Takes a long stream; half-closes when it has had enough, as the quiet moment asks for."""
    await link.connect()
    while await link.receive():
        if paused():
            link.finish()
            await link.receive_all()
            return link.verify(whole=False)
    link.finish()
    return link.verify()


async def slow(link: Link, rng: Random, paused: Paused) -> None:
    """A small window and a slow reader, while the server sends what it can."""
    await link.connect(window=8192)
    while await link.receive(16384):
        if not paused():
            await asyncio.sleep(0.05)
    link.finish()
    link.verify()


async def answer(link: Link, rng: Random, paused: Paused) -> None:
    """Half-closes after the request; the whole reply comes after that."""
    await link.connect()
    await link.send_all(chunk(rng, link.header.up))
    await link.receive_all()
    link.verify()


async def tail(link: Link, rng: Random, paused: Paused) -> None:
    """The server half-closes first; what goes up afterwards must arrive too (the server checks that)."""
    await link.connect()
    await link.receive_all()
    link.verify(uploaded=False)
    await link.send_all(chunk(rng, link.header.up))


async def abort(link: Link, rng: Random, paused: Paused) -> None:
    """Resets, somewhere in the middle of a transfer both ways."""

    async def reset_later() -> None:
        await asyncio.sleep(rng.random() ** 2 * 0.3)
        raise _Enough

    await link.connect()
    with contextlib.suppress(_Enough):
        await together(link.send_all(chunk(rng, link.header.up), rng), _all_of(link), reset_later())
    link.reset()


class _Enough(Exception):
    """The aborting client has decided to."""


async def _all_of(link: Link) -> None:
    await link.receive_all()
    raise EarlyEnd(f"FIN after {link.received} bytes, before the client has reset")


async def reset(link: Link, rng: Random, paused: Paused) -> None:
    """The server resets: what it sent before must come, and then a reset, not an end."""
    await link.connect()
    try:
        await link.receive_all()
    except ConnectionResetError:
        if link.received == link.header.down:
            return
        raise
    raise EarlyEnd(f"FIN after {link.received} bytes, where the server reset")


async def idle(link: Link, rng: Random, paused: Paused) -> None:
    """Keeps its connection for up to a minute, with a few bytes now and then; stays over quiet moments."""
    await link.connect()
    for _ in range(rng.randint(2, 12)):
        await _ping(link, rng)
    while paused():
        await _ping(link, rng)
    link.settled = False
    link.finish()
    await link.receive_all()
    link.verify(whole=False)


async def _ping(link: Link, rng: Random) -> None:
    await link.send(rng.randint(1, 50))
    while link.arrived < link.sent:
        if not await link.receive():
            raise EarlyEnd(f"FIN after {link.arrived} bytes of an idle connection")
    link.settled = True
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(link.receive(), rng.uniform(1, 6))
        raise EarlyEnd("something came though nothing was asked for, or FIN")


def _echo(largest: int) -> Callable[[int, Random], Header]:
    def header(seed: int, rng: Random) -> Header:
        count = size(rng, largest)
        return Header("echo", seed, count, count)

    return header


def _transfer(kind: str, up: int, down: int) -> Callable[[int, Random], Header]:
    """Random sizes up to these."""
    return lambda seed, rng: Header(kind, seed, size(rng, up), size(rng, down))


def _endless(seed: int, rng: Random) -> Header:
    """More than can come down before the client aborts; mostly paced, sometimes as fast as it goes."""
    return Header("abort", seed, size(rng, 4_000_000), 500_000_000, rng.choice([0, 1_000_000, 1_000_000, 1_000_000]))


def _paced(seed: int, rng: Random) -> Header:
    pace = rng.choice([20_000, 100_000, 400_000])
    return Header("stream", seed, 0, pace * rng.randint(3, 20), pace)


KINDS = (
    Kind("short", 45, 64, _echo(200), short),
    Kind("echo", 15, 40, _echo(1_000_000), both_ways),
    Kind("duplex", 10, 40, _transfer("duplex", 1_000_000, 1_000_000), both_ways),
    Kind("large", 0.3, 2, _transfer("duplex", 8_000_000, 8_000_000), both_ways),
    Kind("stream", 1, 4, _paced, stream),
    Kind("slow", 1, 4, _transfer("stream", 0, 2_000_000), slow),
    Kind("answer", 8, 40, _transfer("answer", 200_000, 300_000), answer),
    Kind("tail", 6, 40, _transfer("tail", 200_000, 300_000), tail),
    Kind("abort", 6, 20, _endless, abort),
    Kind("reset", 4, 20, _transfer("reset", 0, 10_000), reset),
    Kind("idle", 0.6, 16, lambda seed, rng: Header("echo", seed, -1, -1), idle),
)
