"""How the health of a server is probed. Values of a Plan."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from fastlb.config.checktree import Expect
from fastlb.plan.address import Address
from fastlb.plan.origin import Source

DEFAULT_INTER_MS = 2000
DEFAULT_RISE = 2
DEFAULT_FALL = 3
DEFAULT_ERROR_LIMIT = 10


class InitState(Enum):
    """What a server is before its first check (HAProxy manual, section 5.2 ``init-state``)."""

    FULLY_UP = "fully-up"
    UP = "up"
    DOWN = "down"
    FULLY_DOWN = "fully-down"


class OnError(Enum):
    """What too many failed connections in a row do (HAProxy manual, section 5.2 ``on-error``)."""

    FASTINTER = "fastinter"
    FAIL_CHECK = "fail-check"
    SUDDEN_DEATH = "sudden-death"
    MARK_DOWN = "mark-down"


@dataclass(frozen=True, slots=True)
class Observe:
    """Passive checks: ``limit`` failed connections in a row, at all workers together, and what they do."""

    limit: int
    on_error: OnError

    def __str__(self) -> str:
        return f"layer4 error-limit {self.limit} on-error {self.on_error.value}"


class CheckKind(Enum):
    """What a health check does once it is connected."""

    TCP = "tcp"
    HTTP = "http"


@dataclass(frozen=True, slots=True)
class Request:
    """The bytes that are sent: ``head``, the header of ``http-check send-state`` where it is wanted, and ``tail``.

    ``bodiless``: the answer has no body, whatever it says (HEAD).
    """

    head: bytes
    tail: bytes = b"\r\n"
    bodiless: bool = False
    comment: str = ""

    @property
    def text(self) -> bytes:
        return self.head + self.tail


@dataclass(frozen=True, slots=True)
class Round:
    """One connection: what is sent over it, and what must come back, rule by rule.

    Without a request it is enough to be connected. ``by_rule``: asked for by ``http-check connect``, with ``port`` if
    that names one. ``linger``: it ends by a FIN.
    """

    address: Address
    request: Request | None
    expects: tuple[Expect, ...] = ()
    source: Source | None = None
    proxy_version: int = 0
    proxy_crc32c: bool = False
    linger: bool = False
    by_rule: bool = False
    port: int = 0
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """How a server's health is probed. Times as HAProxy counts them: from the end of one check to the next start.

    ``connect_ms`` bounds the connect; ``read_ms`` bounds what follows it, and 0 means that the whole check shares
    ``connect_ms``. ``rounds`` are the connections of an HTTP check, of which ``address`` is the first one's.
    ``proxy_version`` and ``proxy_crc32c`` are a Server's. ``disable_on_404``: that answer means that the server goes on
    with what it has, and gets nothing new. ``send_state``: requests tell the server its state. ``observe`` is None
    where connections of clients do not count.
    """

    kind: CheckKind
    address: Address
    inter_ms: int = DEFAULT_INTER_MS
    fastinter_ms: int = DEFAULT_INTER_MS
    downinter_ms: int = DEFAULT_INTER_MS
    rise: int = DEFAULT_RISE
    fall: int = DEFAULT_FALL
    connect_ms: int = DEFAULT_INTER_MS
    read_ms: int = 0
    rounds: tuple[Round, ...] = ()
    source: Source | None = None
    md5_key: str = ""
    init_state: InitState = InitState.UP
    proxy_version: int = 0
    proxy_crc32c: bool = False
    disable_on_404: bool = False
    send_state: bool = False
    observe: Observe | None = None

    @property
    def request(self) -> bytes:
        """What the first connection sends; nothing where the connection itself is the check."""
        return self.rounds[0].request.text if self.rounds and self.rounds[0].request else b""
