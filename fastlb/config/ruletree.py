"""Rules, conditions and samples as written; the proxy sections hold them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum

from fastlb.config.errors import Location
from fastlb.config.lexer import Word


class Kind(Enum):
    """What a sample is; the value completes "it is …"."""

    BOOL = "true or false"
    INTEGER = "a number"
    VERSION = "a version"
    ADDRESS = "an address"
    TEXT = "text"
    BYTES = "bytes"
    ANY = "of any kind"


class Asks(IntEnum):
    """What a sample has to ask the kernel for, which must be done while the sockets are open."""

    NOTHING = 0
    ADDRESSES = 1
    TCP = 2


@dataclass(frozen=True, slots=True)
class Part:
    """A fetch or a converter, under the name it has in its table, with its arguments."""

    name: str
    arguments: tuple[str, ...]
    location: Location


@dataclass(frozen=True, slots=True)
class Sample:
    """Something to look at: ``req.ssl_sni,lower``. ``kind`` is what comes out; ``content``: the client must speak.

    ``answer``: the server must; ``server``: it must be connected.
    """

    fetch: Part
    converters: tuple[Part, ...]
    kind: Kind
    content: bool
    answer: bool = False
    server: bool = False
    asks: Asks = Asks.NOTHING


@dataclass(frozen=True, slots=True)
class Test:
    """A sample and what it is compared with: it holds when any pattern matches. ``match`` is a word after ``-m``."""

    sample: Sample
    match: str
    ignore_case: bool
    resolve: bool
    patterns: tuple[Word, ...]
    files: tuple[Word, ...]
    location: Location


@dataclass(frozen=True, slots=True)
class Acl:
    """One ``acl`` line; lines of the same name are alternatives."""

    name: str
    test: Test


@dataclass(frozen=True, slots=True)
class Term:
    """One word of a condition, or ``{ … }``: then ``test`` is what stands in it."""

    negated: bool
    name: str
    test: Test | None
    location: Location


@dataclass(frozen=True, slots=True)
class Condition:
    """``if`` or ``unless`` any of the alternatives holds; each needs all of its terms."""

    unless: bool
    alternatives: tuple[tuple[Term, ...], ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """Of a name that is made for each connection: text as it is, or what a sample gives."""

    text: str
    sample: Sample | None = None


class Action(Enum):
    """What a rule does."""

    ACCEPT = "accept"
    REJECT = "reject"
    DROP = "silent-drop"
    CLOSE = "close"
    SET_VAR = "set-var"
    SET_FORMAT = "set-var-fmt"
    UNSET_VAR = "unset-var"
    CAPTURE = "capture"
    SET_CLASS = "set-priority-class"
    SET_OFFSET = "set-priority-offset"
    SET_SRC = "set-src"
    SET_SRC_PORT = "set-src-port"
    SET_DST = "set-dst"
    SET_DST_PORT = "set-dst-port"
    SET_TOS = "set-tos"
    SET_LOG_LEVEL = "set-log-level"
    EXPECT_PROXY = "expect-proxy"
    SET_RETRIES = "set-retries"
    USE = "use"
    TRACK = "track"
    COUNT = "count"
    STICK = "stick"


@dataclass(frozen=True, slots=True)
class TableUse:
    """What a rule does with a stick table: tracks, counts (``operation`` on ``data``), or sticks (``flags``).

    ``table`` is None for the section's own. ``value`` is what the sample gives, if there is one.
    """

    sample: Sample | None
    table: Word | None
    track: int = 0
    flags: int = 0
    operation: str = ""
    data: str = ""
    index: int = 0
    value: int = 1


@dataclass(frozen=True, slots=True)
class Assign:
    """What an action sets. Of a variable, ``scope.name``: a sample, or a text of pieces; ``conditions`` are set-var's.

    ``number`` is what other actions set where that is no sample, or the most bytes of a capture.
    """

    variable: str
    conditions: tuple[str, ...] = ()
    sample: Sample | None = None
    pieces: tuple[Piece, ...] = ()
    number: int = 0


@dataclass(frozen=True, slots=True)
class Rule:
    """An action and its condition, or always. ``target`` is whom USE names; ``pieces`` if it is made at run time.

    ``assign`` is what an action sets.
    """

    action: Action
    condition: Condition | None
    location: Location
    target: Word | None = None
    pieces: tuple[Piece, ...] = ()
    assign: Assign | None = None
    use: TableUse | None = None


@dataclass(frozen=True, slots=True)
class StoreLine:
    """One thing that a stick table stores: ``count`` of it, with a period if it is a rate."""

    name: str
    count: int
    period_ms: int
    location: Location


@dataclass(frozen=True, slots=True)
class TableLine:
    """A ``stick-table`` line. ``kind`` is ip, ipv6, integer, string or binary; ``expire_ms`` 0 is never."""

    kind: str
    key_bytes: int
    size: int
    expire_ms: int
    nopurge: bool
    stored: tuple[StoreLine, ...]
    location: Location
    text: str


@dataclass(frozen=True, slots=True)
class ProxyRules:
    """All rules of one section, in their order; ``lines`` are they and the ``acl`` lines, as they were read.

    Of ``forces`` the first that holds counts: ACCEPT is ``force-persist``, REJECT ``ignore-persist``. ``switches`` are
    ``force-be-switch``, ``stores`` the ``stick`` rules about what the server says.
    """

    acls: tuple[Acl, ...] = ()
    inspect_delay_ms: int = 0
    connection: tuple[Rule, ...] = ()
    session: tuple[Rule, ...] = ()
    content: tuple[Rule, ...] = ()
    backends: tuple[Rule, ...] = ()
    servers: tuple[Rule, ...] = ()
    answer_delay_ms: int = 0
    answer: tuple[Rule, ...] = ()
    lines: tuple[Word, ...] = ()
    sticks: tuple[Rule, ...] = ()
    table: TableLine | None = None
    forces: tuple[Rule, ...] = ()
    switches: tuple[Rule, ...] = ()
    stores: tuple[Rule, ...] = ()


NO_RULES = ProxyRules()
