"""What happens in a cell of the truth table: how the moment comes about, how the session ends, what is seen then."""

import contextlib
import threading
from dataclasses import dataclass, field

from .endings_stage import Stage
from .endings_table import ESTABLISHED, Cell
from .harness import netns
from .harness.client import reset
from .harness.stream import Stream
from .harness.waiting import eventually

QUESTION = 1000  # bytes


@dataclass
class Scene:
    """Both ends of one session; ``server`` is None where none is connected."""

    stage: Stage
    cell: Cell
    client: Stream
    server: Stream | None
    acknowledged: int = 0  # of what the actor said, when it acted
    holder: list[Stream] = field(default_factory=list)  # the session that has the only place of a server

    @property
    def actor(self) -> Stream | None:
        return self.client if self.cell.who == "client" else self.server

    @property
    def other(self) -> Stream | None:
        return self.server if self.cell.who == "client" else self.client


def play(stage: Stage, cell: Cell) -> None:
    """One cell, from the connect to the log line."""
    stage.new_log()
    with contextlib.ExitStack() as cut:
        scene = (established if cell.when in ESTABLISHED else waiting)(stage, cell, cut)
        act(scene, cut)
        see(scene)
    for end in (scene.client, scene.server, *scene.holder):
        if end is not None:
            end.sock.close()


# The moment


def established(stage: Stage, cell: Cell, _: contextlib.ExitStack) -> Scene:
    patience = f"{cell.who}_timeout" if cell.what in ("timeout", "black hole") else "patient"
    client, server = stage.session(f"slow_{patience}" if cell.when == "in flight" else patience)
    stage.converse(client, server)
    if cell.when == "in flight":
        actor = client if cell.who == "client" else server
        actor.say(stage.mover.burst)
        actor.wait_acknowledged()
    elif cell.when == "full":
        client.stuff(stage.mover.step, stage.mover.in_step)
        server.stuff(stage.mover.step, stage.mover.in_step)
    return Scene(stage, cell, client, server)


def waiting(stage: Stage, cell: Cell, cut: contextlib.ExitStack) -> Scene:
    """A client that has no server yet. What a server does to it is arranged before it comes."""
    holder = list(stage.session(place(cell))) if cell.when == "queued" else []
    if cell.who == "server" and cell.what == "black hole":
        cut.enter_context(netns.vanished(holder[1].peer_port if holder else stage.silent_server.port))
    client = stage.client(listener(cell))
    if cell.what == "half-close":
        client.say(QUESTION)
    if cell.who == "client":
        stage.wait_gauge("fastlb_server_connecting" if cell.when == "connecting" else "fastlb_backend_queued_sessions")
    return Scene(stage, cell, client, None, holder=holder)


def listener(cell: Cell) -> str:
    """Where a client meets this ending without a server."""
    special = {
        ("server", "RST", "connecting"): "refused",
        ("server", "black hole", "connecting"): "vanished",
        ("client", "half-close", "connecting"): "connecting_late",
    }
    plain = f"{cell.when}_{cell.who}_timeout" if cell.what in ("timeout", "black hole") else cell.when
    return special.get((cell.who, cell.what, cell.when), plain)


def place(cell: Cell) -> str:
    """Where the session comes in that holds the only place: it must not time out itself."""
    return listener(cell) if cell.who == "server" else "queued"


# The ending


def act(scene: Scene, cut: contextlib.ExitStack) -> None:
    actor, what = scene.actor, scene.cell.what
    if actor is None:
        return
    if what == "RST":
        actor.wait_steady()  # not where a timeout is near
    scene.acknowledged = actor.acknowledged()
    if what in ("FIN", "half-close"):
        actor.finish()
    elif what == "RST":
        reset(actor.sock)
    elif what == "black hole":
        cut.enter_context(netns.vanished(actor.port if actor is scene.client else actor.peer_port))
        if scene.cell.when == "in flight" and scene.other:
            scene.other.say(scene.stage.mover.burst)
    if what == "half-close" and scene.server is None:
        scene.server = late_server(scene)


def late_server(scene: Scene) -> Stream:
    """The client has said all it has to say, and only now there is a server for it."""
    for end in scene.holder:
        end.sock.close()
    accept = scene.stage.server.accept if scene.holder else scene.stage.late.accept
    return Stream(accept(), 2, 1)


# What is seen


def see(scene: Scene) -> None:
    cell, actor, other = scene.cell, scene.actor, scene.other
    if cell.what == "timeout":
        scene.stage.line(scene.client.port)
    if other is not None:
        check(cell.other, other, said(actor), scene.acknowledged)
    if actor is not None and other is not None and cell.what in ("FIN", "half-close"):
        see_the_rest(cell, actor, other)
    elif actor is not None and cell.itself != "gone":
        check(cell.itself, actor, said(other), said(other))
    check_line(scene)


def see_the_rest(cell: Cell, actor: Stream, other: Stream) -> None:
    """The other direction still works, until its end ends it as well."""
    reply = QUESTION if cell.what == "half-close" else 0
    expected = other.sent + reply

    def speak() -> None:
        other.say(reply)
        other.finish()

    speaker = threading.Thread(target=speak)
    speaker.start()
    check(cell.itself, actor, expected, expected)
    speaker.join()


def said(end: Stream | None) -> int:
    return end.sent if end else 0


def check(expected: str, hearer: Stream, sent: int, acknowledged: int) -> None:
    amount, _, end = expected.partition(" ")
    how = hearer.hear_to_end()
    assert how == end.partition("+")[0]
    if end == "FIN+RST":
        eventually(hearer.is_reset, "a reset behind the FIN")
    if amount == "prefix":
        assert 0 < hearer.heard < sent
    elif amount == "acked+":
        assert acknowledged <= hearer.heard < sent
    else:
        assert hearer.heard == {"all": sent, "acked": acknowledged}[amount]


def check_line(scene: Scene) -> None:
    """Its code, and its bytes: what the balancer sent to the client, whether the client lived to hear it or not."""
    line = scene.stage.line(scene.client.port)
    assert line.state == scene.cell.code
    if scene.client.heard == said(scene.server):
        assert line.bytes == scene.client.heard, line
    else:
        assert line.bytes >= scene.client.heard
