"""What is known of a session and of its two connections (HAProxy manual, sections 7.3.2 and 7.3.3)."""

from __future__ import annotations

from fastlb.config.keywords import Keyword
from fastlb.config.logpieces import PieceKind
from fastlb.config.ruletree import Asks, Kind
from fastlb.config.sampletypes import Fetch

_TIME = "[(us|ms)]"


def _tcp(text: str, *, server: bool = False, time: bool = False) -> Keyword[Fetch]:
    """What the kernel says of a connection."""
    fetch = Fetch(Kind.INTEGER, ("precision?",) if time else (), server=server, asks=Asks.TCP)
    return Keyword(fetch, _TIME if time else "", text)


def _end(kind: Kind, text: str) -> Keyword[Fetch]:
    return Keyword(Fetch(kind, server=True, asks=Asks.ADDRESSES), "", text)


TCP = {
    "fc_rtt": _tcp("round trip time to the client, in ms unless us is said", time=True),
    "fc_rttvar": _tcp("how much it varies", time=True),
    "fc_unacked": _tcp("segments that the client has not acknowledged"),
    "fc_sacked": _tcp("segments of those that it has selectively"),
    "fc_retrans": _tcp("segments that were sent to it again, and are not acknowledged"),
    "fc_fackets": _tcp("segments up to the last that it has; 0 since Linux 4.15"),
    "fc_lost": _tcp("segments of those that are taken for lost"),
    "fc_reordering": _tcp("segments that may overtake each other before one is taken for lost"),
    "bc_rtt": _tcp("round trip time to the server, in ms unless us is said", server=True, time=True),
    "bc_rttvar": _tcp("how much it varies", server=True, time=True),
}
SERVER_ENDS = {
    "bc_src": _end(Kind.ADDRESS, "our address towards the server"),
    "bc_src_port": _end(Kind.INTEGER, "our port towards it"),
    "bc_dst": _end(Kind.ADDRESS, "address of the server"),
    "bc_dst_port": _end(Kind.INTEGER, "its port"),
}
# As log lines show them, at the moment of the sample.
SHOWN = {
    "bytes_in": PieceKind.BYTES_UP,
    "bytes_out": PieceKind.BYTES_DOWN,
    "req.bytes_in": PieceKind.BYTES_UP,
    "res.bytes_in": PieceKind.BYTES_DOWN,
    "fc.timer.handshake": PieceKind.HANDSHAKE_MS,
    "req.timer.queue": PieceKind.QUEUE_MS,
    "bc.timer.connect": PieceKind.CONNECT_MS,
    "res.timer.data": PieceKind.DATA_MS,
    "fc.timer.total": PieceKind.TOTAL_MS,
    "txn.timer.user": PieceKind.TOTAL_MS,
    "bc_be_queue": PieceKind.BACKEND_QUEUE,
    "bc_srv_queue": PieceKind.SERVER_QUEUE,
    "txn.conn_retries": PieceKind.RETRIES,
    "txn.sess_term_state": PieceKind.STATE,
}
_SHOWN_AS = {
    PieceKind.BYTES_UP: "bytes from the client so far, %U of log lines",
    PieceKind.BYTES_DOWN: "bytes from the server so far, %B",
    PieceKind.HANDSHAKE_MS: "always 0, %Th",
    PieceKind.QUEUE_MS: "ms in the queue, %Tw",
    PieceKind.CONNECT_MS: "ms of connecting, %Tc",
    PieceKind.DATA_MS: "ms since the server was connected, %Td",
    PieceKind.TOTAL_MS: "ms since the accept, %Tt",
    PieceKind.BACKEND_QUEUE: "its position when it came into the backend's queue, %bq",
    PieceKind.SERVER_QUEUE: "its position when it came into the server's queue, %sq",
    PieceKind.RETRIES: "connects that were tried again, %rc",
    PieceKind.STATE: "how it ended, %ts",
}
SESSION = {
    **{
        name: Keyword(Fetch(Kind.TEXT if kind is PieceKind.STATE else Kind.INTEGER), "", _SHOWN_AS[kind])
        for name, kind in SHOWN.items()
    },
    "txn.redispatched": Keyword(Fetch(Kind.BOOL), "", "whether another server was tried than the first one"),
}
CONNECTIONS = {**TCP, **SERVER_ENDS, **SESSION}
