"""What log lines can be made of: HAProxy's variables for TCP (its manual, section 8.2.6), and samples (section 7.3)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, IntFlag

from fastlb.config.keywords import HTTP_ONLY, TLS_ONLY, because
from fastlb.config.ruletree import Sample


class PieceKind(IntEnum):
    """What a piece shows. The values are plan.h's; what stands last is known to the plan, which makes text of it."""

    TEXT = 0
    CLIENT_IP = 1
    CLIENT_PORT = 2
    FRONTEND_IP = 3
    FRONTEND_PORT = 4
    BACKEND_IP = 5
    BACKEND_PORT = 6
    SERVER_IP = 7
    SERVER_PORT = 8
    BACKEND = 9
    SERVER = 10
    SERVER_NAME = 11
    STATE = 12
    REASON = 13
    DATE = 14
    DATE_GMT = 15
    DATE_LOCAL = 16
    TIMESTAMP = 17
    MILLISECONDS = 18
    NOW_S = 19
    NOW_MS = 20
    NOW_US = 21
    QUEUE_MS = 22
    CONNECT_MS = 23
    DATA_MS = 24
    TOTAL_MS = 25
    BYTES_DOWN = 26
    BYTES_UP = 27
    PROCESS_SESSIONS = 28
    FRONTEND_SESSIONS = 29
    BACKEND_SESSIONS = 30
    SERVER_SESSIONS = 31
    RETRIES = 32
    SERVER_QUEUE = 33
    BACKEND_QUEUE = 34
    PID = 35
    LINE_NUMBER = 36
    SESSION_NUMBER = 37
    VALUE = 38
    UNIQUE_ID = 64
    HEADER_FIELD = 65
    FRONTEND_NAME = 66
    FRONTEND = 256
    HOSTNAME = 257
    HANDSHAKE_MS = 258
    CAPTURES = 259


class PieceFlag(IntFlag):
    """How a piece is written. The values are plan.h's. SAMPLE: quotes go around numbers, too."""

    NONE = 0
    QUOTE = 1
    HEX = 2
    ESCAPE = 4
    DASH = 8
    SAMPLE = 16


@dataclass(frozen=True, slots=True)
class LogPiece:
    """One piece of a log line; ``text`` is what a TEXT says, or how the sample of a VALUE is written; of a HEADER_FIELD
    it is its type, as one byte.

    ``offset`` is where the sample stands in the plan's rules.
    """

    kind: PieceKind
    flags: PieceFlag = PieceFlag.NONE
    text: str = ""
    sample: Sample | None = field(default=None, compare=False)
    offset: int = field(default=0, compare=False)


FLAGS = {"Q": PieceFlag.QUOTE, "X": PieceFlag.HEX, "E": PieceFlag.ESCAPE, "M": PieceFlag.DASH}

VARIABLES = {
    "B": PieceKind.BYTES_DOWN,
    "H": PieceKind.HOSTNAME,
    "ID": PieceKind.UNIQUE_ID,
    "T": PieceKind.DATE_GMT,
    "Tc": PieceKind.CONNECT_MS,
    "Td": PieceKind.DATA_MS,
    "Th": PieceKind.HANDSHAKE_MS,
    "Tl": PieceKind.DATE_LOCAL,
    "Ts": PieceKind.TIMESTAMP,
    "Tt": PieceKind.TOTAL_MS,
    "Tu": PieceKind.TOTAL_MS,
    "Tw": PieceKind.QUEUE_MS,
    "U": PieceKind.BYTES_UP,
    "ac": PieceKind.PROCESS_SESSIONS,
    "b": PieceKind.BACKEND,
    "bc": PieceKind.BACKEND_SESSIONS,
    "bi": PieceKind.BACKEND_IP,
    "bp": PieceKind.BACKEND_PORT,
    "bq": PieceKind.BACKEND_QUEUE,
    "ci": PieceKind.CLIENT_IP,
    "cp": PieceKind.CLIENT_PORT,
    "f": PieceKind.FRONTEND,
    "fc": PieceKind.FRONTEND_SESSIONS,
    "fi": PieceKind.FRONTEND_IP,
    "fp": PieceKind.FRONTEND_PORT,
    "ft": PieceKind.FRONTEND,
    "hr": PieceKind.CAPTURES,
    "lc": PieceKind.LINE_NUMBER,
    "ms": PieceKind.MILLISECONDS,
    "pid": PieceKind.PID,
    "rc": PieceKind.RETRIES,
    "rt": PieceKind.SESSION_NUMBER,
    "s": PieceKind.SERVER,
    "sc": PieceKind.SERVER_SESSIONS,
    "si": PieceKind.SERVER_IP,
    "sp": PieceKind.SERVER_PORT,
    "sq": PieceKind.SERVER_QUEUE,
    "t": PieceKind.DATE,
    "ts": PieceKind.STATE,
}
"""name → what it shows; ``%o`` shows nothing and only sets flags."""

REFUSED_VARIABLES = {
    **because(TLS_ONLY, "sslc sslv"),
    **because(HTTP_ONLY, "CC CS HM HP HPO HQ HU HV ST TR Ta Ti Tq Tr hs hsl r tr trg trl tsc"),
}
NOT_YET_VARIABLES = frozenset({"hrl"})

SAMPLES = {
    "src": PieceKind.CLIENT_IP,
    "src_port": PieceKind.CLIENT_PORT,
    "dst": PieceKind.FRONTEND_IP,
    "dst_port": PieceKind.FRONTEND_PORT,
    "fe_name": PieceKind.FRONTEND,
    "be_name": PieceKind.BACKEND,
    "srv_name": PieceKind.SERVER_NAME,
    "hostname": PieceKind.HOSTNAME,
    "unique-id": PieceKind.UNIQUE_ID,
    "reason": PieceKind.REASON,
    "date": PieceKind.NOW_S,
    "date(0,s)": PieceKind.NOW_S,
    "date(0,ms)": PieceKind.NOW_MS,
    "date(0,us)": PieceKind.NOW_US,
}
"""``reason`` is ours: the word for why the session ended, as the metrics have it."""

TCPLOG = "%ci:%cp [%t] %ft %b/%s %Tw/%Tc/%Tt %B %ts %ac/%fc/%bc/%sc/%rc %sq/%bq"
"""What ``option tcplog`` writes at the end of a session (manual, section 8.2.2)."""

CONNECTED = "Connect from %ci:%cp to %fi:%fp (%f/TCP)"
"""What is written at the accept without it (section 8.2.1)."""
