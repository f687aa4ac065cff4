"""The truth table of endings: who ends a session, how and when, and what both ends and the log must show.

``other`` is what the other end gets, ``itself`` what the one that ends still gets: which bytes, then what kind of end.

    all      every byte that was said, exactly
    acked    exactly the bytes that the balancer had acknowledged when it happened: a reset takes the rest along
    acked+   those at least, as an acknowledgement may have been cut off too; from the first on without a gap
    prefix   some, not all, and from the first one on without a gap
    FIN RST  how the stream ends; FIN+RST: the end of the stream, then a reset behind it
    gone     it cannot see anything: it has closed, or it is cut off
    nothing  there is no such end (yet)

``code`` is HAProxy's termination state (its manual, "Session state at disconnection"). A timeout is that of the side it
names; queued, the server's is ``timeout queue``; connecting, ``timeout connect``. Nothing here depends on who moves the
bytes: each row is run with every mover of MOVERS. Before a server is connected nothing moves: one mover is enough.
"""

from dataclasses import dataclass

SIDES = ("client", "server")
ENDINGS = ("FIN", "RST", "half-close", "timeout", "black hole")
ESTABLISHED = ("idle", "in flight", "full")
WAITING = ("connecting", "queued")


@dataclass(frozen=True)
class Cell:
    who: str
    what: str
    when: str
    other: str
    itself: str
    code: str

    def __str__(self) -> str:
        return f"{self.who} {self.what}, {self.when}"


@dataclass(frozen=True)
class Impossible:
    """A cell that cannot happen, and why."""

    who: str
    what: str
    when: str
    why: str


@dataclass(frozen=True)
class Mover:
    """How to make a mover move: the messages of a session, and the lines of ``defaults`` that allow it.

    ``label`` is its name in fastlb_worker_moved_bytes_total, where most bytes of each cell must appear.
    """

    label: str
    messages: int  # each way, one after the other
    message: int  # bytes
    burst: int  # bytes that are in flight: more than the receiver's window
    step: int  # bytes of one write while everything is stuffed
    in_step: bool = False  # each read before the next one, so that no read is ever full
    begun: str = ""  # the gauge that is 1 when it has the session; until then messages go on
    lines: tuple[str, ...] = ()


MOVERS = (
    Mover("copy", messages=20, message=1000, burst=12_000, step=8000, in_step=True),
    Mover("splice", messages=1, message=512 << 10, burst=192 << 10, step=256 << 10),
    Mover(
        "kernel",
        messages=20,
        message=100,
        burst=12_000,
        step=8000,
        begun="fastlb_worker_kernel_sessions",
        lines=("option kernel-splice",),
    ),
)

TABLE = (
    # who, what, when, the other end gets, itself gets, code
    Cell("client", "FIN", "idle", "all FIN", "all FIN", "--"),
    Cell("client", "FIN", "in flight", "all FIN", "all FIN", "--"),
    Cell("client", "FIN", "full", "all FIN", "all FIN", "--"),
    Cell("client", "FIN", "connecting", "nothing", "all FIN", "CC"),
    Cell("client", "FIN", "queued", "nothing", "all FIN", "CQ"),
    Cell("server", "FIN", "idle", "all FIN", "all FIN", "--"),
    Cell("server", "FIN", "in flight", "all FIN", "all FIN", "--"),
    Cell("server", "FIN", "full", "all FIN", "all FIN", "--"),
    Cell("client", "RST", "idle", "all RST", "gone", "CD"),
    Cell("client", "RST", "in flight", "all RST", "gone", "CD"),
    Cell("client", "RST", "full", "acked RST", "gone", "CD"),
    Cell("client", "RST", "connecting", "nothing", "gone", "CC"),
    Cell("client", "RST", "queued", "nothing", "gone", "CQ"),
    Cell("server", "RST", "idle", "all RST", "gone", "SD"),
    Cell("server", "RST", "in flight", "all RST", "gone", "SD"),
    Cell("server", "RST", "full", "acked RST", "gone", "SD"),
    Cell("server", "RST", "connecting", "all FIN", "nothing", "SC"),
    # Then the other end answers with one more message; waiting, the client's request goes before its FIN.
    Cell("client", "half-close", "idle", "all FIN", "all FIN", "--"),
    Cell("client", "half-close", "in flight", "all FIN", "all FIN", "--"),
    Cell("client", "half-close", "full", "all FIN", "all FIN", "--"),
    Cell("client", "half-close", "connecting", "all FIN", "all FIN", "--"),
    Cell("client", "half-close", "queued", "all FIN", "all FIN", "--"),
    Cell("server", "half-close", "idle", "all FIN", "all FIN", "--"),
    Cell("server", "half-close", "in flight", "all FIN", "all FIN", "--"),
    Cell("server", "half-close", "full", "all FIN", "all FIN", "--"),
    # What a kernel has not sent when the session times out still goes to a client; a server's port is not worth that.
    Cell("client", "timeout", "idle", "all FIN+RST", "all FIN", "cD"),
    Cell("client", "timeout", "in flight", "prefix RST", "all FIN", "cD"),
    Cell("client", "timeout", "full", "prefix RST", "prefix RST", "cD"),
    Cell("client", "timeout", "connecting", "nothing", "all FIN", "cC"),
    Cell("client", "timeout", "queued", "nothing", "all FIN", "cQ"),
    Cell("server", "timeout", "idle", "all FIN", "all FIN+RST", "sD"),
    Cell("server", "timeout", "in flight", "all FIN", "all FIN+RST", "sD"),
    Cell("server", "timeout", "full", "prefix RST", "prefix RST", "sD"),
    Cell("server", "timeout", "connecting", "all FIN", "nothing", "sC"),
    Cell("server", "timeout", "queued", "all FIN", "nothing", "sQ"),
    # In flight, the other end goes on sending to the one that is not there any more.
    Cell("client", "black hole", "idle", "all FIN+RST", "gone", "cD"),
    Cell("client", "black hole", "in flight", "all FIN+RST", "gone", "cD"),
    Cell("client", "black hole", "full", "acked+ FIN+RST", "gone", "cD"),
    Cell("client", "black hole", "connecting", "nothing", "gone", "cC"),
    Cell("client", "black hole", "queued", "nothing", "gone", "cQ"),
    Cell("server", "black hole", "idle", "all FIN", "gone", "sD"),
    Cell("server", "black hole", "in flight", "all FIN", "gone", "sD"),
    Cell("server", "black hole", "full", "acked+ RST", "gone", "sD"),
    Cell("server", "black hole", "connecting", "all FIN", "nothing", "sC"),
    Cell("server", "black hole", "queued", "all FIN", "nothing", "sQ"),
)

IMPOSSIBLE = (
    Impossible("server", "FIN", "connecting", "a FIN needs a connection; the first answer to a SYN is SYN-ACK or RST"),
    Impossible("server", "half-close", "connecting", "as its FIN: a FIN needs a connection"),
    Impossible("server", "FIN", "queued", "no server has been chosen, so none has a connection that it could end"),
    Impossible("server", "RST", "queued", "no server has been chosen, and none has been asked"),
    Impossible("server", "half-close", "queued", "as its FIN: no server has a connection that it could end"),
)
