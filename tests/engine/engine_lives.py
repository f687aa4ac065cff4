"""Lives of a session, as scripts of its two ends, and what may come of a life in which a system call misbehaved."""

from __future__ import annotations

import contextlib
import os
import random
import socket
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from engine_actors import Acked, Actor, Finish, Read, ReadToEnd, Reset, Send, Step
from engine_inside import Inside, listen, open_descriptors
from engine_workers import make_plan
from system.harness import proxyheader

from fastlb.config.errors import Location, Report
from fastlb.config.logformat import parse_value
from fastlb.config.proxytree import ProxyField
from fastlb.plan.model import Address, Source

IDLE_LIMIT_MS = 2000 * float(os.environ.get("FASTLB_PATIENCE", "1"))  # of turns in which no peer gets anywhere
REQUEST = b"Where is it?"
ANSWER = b"Behind you."
BULK = random.Random(1).randbytes(1_000_000)
SMALL = 4096


@dataclass(frozen=True)
class Life:
    """Each client follows `client`, each connection that a server gets follows `server`."""

    client: Sequence[Step]
    server: Sequence[Step]
    client_end: str = "fin"
    server_end: str = "fin"
    clients: int = 1
    maxconn: int = 0
    refused: bool = False
    receive_bytes: int = 0
    send_bytes: int = 0
    source: Source | None = None
    early: bool = False  # the clients do what they can before the engine first turns
    header: bytes = b""  # of the PROXY protocol, which each client's script begins with
    server_header: bytes = b""  # which a server gets in its place


PROXY = proxyheader.v1(ENDS := (("192.0.2.1", 1111), ("198.51.100.2", 443)))
PROXY_V2 = proxyheader.v2(ENDS)
AUTHORITY = proxyheader.field(2, b"example.org")
PROXY_FIELDS = proxyheader.v2(ENDS, proxyheader.field(4, bytes(300)) + AUTHORITY)
OWN_FIELD = ProxyField(0xE1, parse_value("for %[fc_pp_authority]", Location("test.cfg", 1, 1), Report()))
SENT_FIELDS = proxyheader.v2(ENDS, proxyheader.field(0xE1, b"for example.org") + AUTHORITY)


def said(script: Sequence[Step]) -> bytes:
    return b"".join(step.data for step in script if isinstance(step, Send))


LIVES = {
    "request, answer, the server ends": Life(
        (Send(REQUEST), ReadToEnd()), (Read(len(REQUEST)), Send(ANSWER), Finish(), ReadToEnd())
    ),
    "request, answer, the client ends": Life(
        (Send(REQUEST), Read(len(ANSWER)), Finish(), ReadToEnd()), (Read(len(REQUEST)), Send(ANSWER), ReadToEnd())
    ),
    "download": Life((Send(REQUEST), ReadToEnd()), (Read(len(REQUEST)), Send(BULK), Finish(), ReadToEnd())),
    "download to a slow client": Life(
        (Send(REQUEST), ReadToEnd()),
        (Read(len(REQUEST)), Send(BULK[:200_000]), Finish(), ReadToEnd()),
        receive_bytes=SMALL,
        send_bytes=SMALL,
    ),
    "upload": Life((Send(BULK), Finish(), ReadToEnd()), (ReadToEnd(), Send(ANSWER))),
    "the client ends at once, half-close": Life(
        (Send(REQUEST), Finish(), ReadToEnd()), (ReadToEnd(), Send(BULK[:100_000])), early=True
    ),
    "the server ends first, half-close": Life(
        (ReadToEnd(), Send(BULK[:100_000]), Finish()), (Send(ANSWER), Finish(), ReadToEnd())
    ),
    "the first server refuses": Life(
        (Send(REQUEST), ReadToEnd()), (Read(len(REQUEST)), Send(ANSWER), Finish(), ReadToEnd()), refused=True
    ),
    "the server resets": Life(
        (Send(REQUEST), ReadToEnd()), (Read(len(REQUEST)), Send(BULK[:300_000]), Acked(), Reset()), client_end="rst",
        server_end="",
    ),
    "the client resets": Life(
        (Read(len(ANSWER)), Send(BULK[:300_000]), Acked(), Reset()), (Send(ANSWER), ReadToEnd()), client_end="",
        server_end="rst",
    ),
    "the connection comes from a port of a range": Life(
        (Send(REQUEST), ReadToEnd()), (Read(len(REQUEST)), Send(ANSWER), Finish(), ReadToEnd()),
        source=Source(Address("inet", "127.0.0.7", 23000), 23099),
    ),
    "PROXY headers on both sides": Life(
        (Send(PROXY + REQUEST), ReadToEnd()),
        (Read(len(PROXY_V2 + REQUEST)), Send(ANSWER), Finish(), ReadToEnd()),
        header=PROXY,
        server_header=PROXY_V2,
    ),
    "PROXY headers with fields on both sides": Life(
        (Send(PROXY_FIELDS + REQUEST), ReadToEnd()),
        (Read(len(SENT_FIELDS + REQUEST)), Send(ANSWER), Finish(), ReadToEnd()),
        header=PROXY_FIELDS,
        server_header=SENT_FIELDS,
    ),
    "a PROXY header in pieces, the server speaks first": Life(
        (Send(PROXY[:9]), Acked(), Send(PROXY[9:]), Read(len(ANSWER)), Send(REQUEST), Finish(), ReadToEnd()),
        (Read(len(PROXY_V2)), Send(ANSWER), ReadToEnd()),
        header=PROXY,
        server_header=PROXY_V2,
    ),
    "queued": Life(
        (Send(REQUEST), ReadToEnd()), (Read(len(REQUEST)), Send(ANSWER), Finish(), ReadToEnd()), clients=2, maxconn=1
    ),
}  # fmt: skip


class Scene:
    """One engine, one life."""

    def __init__(self, life: Life) -> None:
        self.life = life
        self._listener = listen(life.receive_bytes)
        self._silent = socket.socket()
        self._silent.bind(("127.0.0.1", 0))  # bound, not listening: refuses
        ports = [self._silent.getsockname()[1]] * life.refused + [self._listener.getsockname()[1]]
        plan = make_plan(
            ports, maxconn=life.maxconn, retries=5, redispatch=-1, connect_ms=20, client_ms=60_000, queue_ms=60_000,
            accept_proxy=bool(life.header), proxy_version=2 if life.server_header else 0,
            keeps_fields=life.server_header == SENT_FIELDS, proxy_authority=life.server_header == SENT_FIELDS,
            proxy_fields=(OWN_FIELD,) if life.server_header == SENT_FIELDS else (),
        )  # fmt: skip
        plan = replace(plan, servers=tuple(replace(server, source=life.source) for server in plan.servers))
        self.inside = Inside(plan, life.send_bytes)
        self.servers: list[Actor] = []
        self.clients: list[Actor] = []

    def play(self) -> None:
        """Until every peer has done its part and the engine has no session left. AssertionError if that never is."""
        self.clients += [self._connect() for _ in range(self.life.clients)]
        if self.life.early:
            self._step()
        idle_ms = 0
        while not self._is_over():
            idle_ms = 0 if self._step() else idle_ms + 1
            self.inside.turn(min(idle_ms, 1))
            if idle_ms > IDLE_LIMIT_MS:
                raise AssertionError(f"it does not end: {self.outcome()}, {self.inside.engine.balance_sheet()}")

    def _connect(self) -> Actor:
        connection = socket.socket()
        if self.life.receive_bytes:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.life.receive_bytes)
        connection.connect(("127.0.0.1", self.inside.port))
        return Actor(connection, self.life.client)

    def _step(self) -> bool:
        moved = False
        with contextlib.suppress(BlockingIOError):
            self.servers.append(Actor(self._listener.accept()[0], self.life.server))
            moved = True
        for actor in (*self.clients, *self.servers):
            moved |= actor.step()
            if actor.idle:
                actor.close()
        return moved

    def _is_over(self) -> bool:
        return all(actor.closed for actor in (*self.clients, *self.servers)) and not self.inside.engine.sessions()

    def outcome(self) -> str:
        ends = [f"{who} {len(a.received)} bytes, {a.end or 'no end'}" for who, a in self._named()]
        return "; ".join(ends)

    def _named(self) -> list[tuple[str, Actor]]:
        return [("client", a) for a in self.clients] + [("server", a) for a in self.servers]

    def close(self) -> None:
        for actor in (*self.clients, *self.servers):
            actor.close()
        self._listener.close()
        self._silent.close()
        self.inside.close()

    # ---- the verdict ----

    def wrong(self, harmless: bool) -> list[str]:
        """What no fault excuses; and, after one that must not show, whatever is not as in an undisturbed life."""
        found = self._inexact()
        return found + self._incomplete() if harmless else found

    def _inexact(self) -> list[str]:
        """Each end has a prefix of what the other said, all of it if it saw a FIN.

        A client whose session never reached a server may be turned away by a FIN, as long as it got nothing.
        """
        found = []
        turned_away = self.life.clients - self.inside.counters()["server sessions_total"]
        for who, actor in self._named():
            full = said(self.life.server) if who == "client" else self._for_servers()
            if not full.startswith(actor.received):
                found.append(f"the {who} received {len(actor.received)} bytes that are not what was sent")
            elif actor.end == "fin" and len(actor.received) < len(full):
                if who == "server" or actor.received or turned_away <= 0:
                    found.append(f"the {who} received a FIN after {len(actor.received)} of {len(full)} bytes")
                turned_away -= 1
        return found

    def _for_servers(self) -> bytes:
        return self.life.server_header + said(self.life.client)[len(self.life.header) :]

    def _incomplete(self) -> list[str]:
        """Attempts that came to nothing may leave a server with connections that were reset before any byte."""
        life = self.life
        clients = Counter((len(a.received), a.end) for a in self.clients)
        servers = Counter((len(a.received), a.end) for a in self.servers if a.received or a.end != "rst")
        expected_clients = Counter({(len(said(life.server)), life.client_end): life.clients})
        expected_servers = Counter({(len(self._for_servers()), life.server_end): life.clients})
        found = [f"clients {dict(clients)}"] if clients != expected_clients else []
        return found + ([f"servers {dict(servers)}"] if servers != expected_servers else [])


def live(life: Life, before: Callable[[], None], after: Callable[[], None], harmless: bool) -> list[str]:
    """One life from the engine's start to its end; what was wrong with it.

    `before` and `after` enclose what a fault may befall. Then, in the same engine, another session must go well.
    """
    descriptors = open_descriptors()
    scene = Scene(life)
    try:
        before()
        scene.play()
        after()
        found = scene.wrong(harmless) + scene.inside.unbalanced()
        scene.clients, scene.servers = [], []
        scene.play()
        found += scene.wrong(True) + scene.inside.unbalanced()
    except AssertionError as error:
        found = [str(error)]
    finally:
        after()
        scene.close()
    left = open_descriptors() - descriptors
    return found + ([f"{left} descriptors"] if left else [])
