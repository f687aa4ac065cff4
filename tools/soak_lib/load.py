"""The load: conversations of all kinds, begun at random moments at a given rate; can be brought to rest."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from random import Random

from soak_lib.books import END, Books
from soak_lib.clients import KINDS, Kind
from soak_lib.link import Door, Link
from soak_lib.wire import EarlyEnd, WrongBytes

STALL_S = 32.0  # more than any timeout of the configuration: a connection that stands still that long is lost
CLIENTS = 8  # addresses that PROXY headers declare
BREAK_AFTER = 20  # conversations, before the load does what it was told to do wrong


@dataclass(eq=False)
class Conversation:
    """One that runs; ``stalled`` once it was given up."""

    kind: Kind
    link: Link
    began: float
    stalled: bool = False


class Load:
    """``doors``: where the balancer listens. ``broken``: ``bytes`` sends one wrong byte, ``sessions`` hides a
    connection from the books, ``ending`` takes an abort for something that should not have happened."""

    def __init__(self, books: Books, doors: list[Door], rate: float, seed: int, broken: str = "") -> None:
        self.doors = doors
        self._books, self._rate, self._broken = books, rate, broken
        self._rng = Random(seed)
        self._active: dict[asyncio.Task[None], Conversation] = {}
        self._paused = False
        self._hidden: Link | None = None
        self.begun = 0

    # Rest

    def pause(self) -> None:
        """Begin nothing more, and bring what runs to its end; idle connections stay."""
        self._paused = True

    def go_on(self) -> None:
        self._paused = False

    def unsettled(self) -> Counter[str]:
        """Conversations that still move, by kind."""
        return Counter(each.kind.name for each in self._active.values() if not each.link.settled)

    def held(self) -> int:
        """Connections that clients hold, nothing moving on them but a few bytes now and then."""
        return sum(each.link.settled for each in self._active.values())

    # Running

    async def run(self) -> None:
        """Until cancelled."""
        watch = asyncio.ensure_future(self._watch())
        try:
            while True:
                await asyncio.sleep(self._rng.expovariate(self._rate))
                if not self._paused:
                    self._begin()
        finally:
            watch.cancel()
            for task in list(self._active):
                task.cancel()
            await asyncio.gather(*self._active, watch, return_exceptions=True)
            if self._hidden:
                self._hidden.close()

    def _begin(self) -> None:
        self.begun += 1
        kind = self._choose()
        client = f"198.51.100.{self._rng.randint(1, CLIENTS)}"
        link = Link(self._rng.choice(self.doors), kind.header(self.begun, self._rng), client)
        conversation = Conversation(kind, link, time.monotonic())
        if self.begun >= BREAK_AFTER:
            self._break(link)
        task = asyncio.ensure_future(self._converse(conversation, Random(self.begun)))
        self._active[task] = conversation
        task.add_done_callback(self._active.pop)

    def _choose(self) -> Kind:
        """By the kinds' shares; a kind of which there are enough makes room for a short connection."""
        kind = self._rng.choices(KINDS, [each.share for each in KINDS])[0]
        running = sum(each.kind is kind for each in self._active.values())
        return kind if running < kind.at_once else KINDS[0]

    async def _converse(self, conversation: Conversation, rng: Random) -> None:
        kind, link = conversation.kind, conversation.link
        try:
            await kind.run(link, rng, lambda: self._paused)
            took_s = time.monotonic() - conversation.began
            self._books.went_well(kind.name, link.sent + link.received, took_s if kind is KINDS[0] else None)
        except WrongBytes as error:
            self._books.violate("bytes", f"{kind.name} {link.header}: {error}")
        except (EarlyEnd, OSError) as error:
            self._books.ended(kind.name, f"{link.header} after {time.monotonic() - conversation.began:.1f} s: {error}")
        except asyncio.CancelledError:
            if not conversation.stalled:
                raise
            self._books.ended(
                kind.name,
                f"{link.header} stands still since {STALL_S} s at {link.received} bytes",
                link.touched + 0.5,  # what is to explain it happened then: a lost reset is not repeated
            )
        finally:
            link.close()

    async def _watch(self) -> None:
        """Gives up what stands still."""
        while True:
            await asyncio.sleep(1)
            for task, conversation in list(self._active.items()):
                if time.monotonic() - conversation.link.touched > STALL_S:
                    conversation.stalled = True
                    task.cancel()

    # Doing it wrong, to see that it is noticed

    def _break(self, link: Link) -> None:
        if self._broken == "bytes" and link.header.kind == "echo" and link.header.up > 0:
            link.corrupt, self._broken = True, ""
        elif self._broken == "ending" and not self._books.explanation(END):
            self._broken = ""
            self._books.ended("abort", "reset by the client, as --break ending asks for")
        elif self._broken == "sessions":
            self._broken, self._hidden = "", Link(self.doors[0], KINDS[-1].header(0, self._rng))
            self._hide = asyncio.ensure_future(self._hidden.connect())
