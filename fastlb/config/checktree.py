"""What checks do, and ``http-check`` lines, as written (HAProxy manual, section 4.2). All frozen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from fastlb.config.endpoint import Endpoint
from fastlb.config.errors import Location


@dataclass(frozen=True, slots=True)
class TcpCheck:
    """``option tcp-check`` without a script: to be connected is enough."""


@dataclass(frozen=True, slots=True)
class HttpCheck:
    """``option httpchk``: what it sends is one of the section's ``http_checks``."""


class ExpectKind(Enum):
    """What a rule looks at; the value is its keyword."""

    STATUS = "status"
    STATUS_REGEX = "rstatus"
    BODY = "string"
    BODY_REGEX = "rstring"
    HEADER = "hdr"


class MatchKind(Enum):
    """How a header's name or value is compared; the value is the word behind ``-m``."""

    EXACT = "str"
    BEGINNING = "beg"
    END = "end"
    SUBSTRING = "sub"
    REGEX = "reg"


@dataclass(frozen=True, slots=True)
class Match:
    """``text`` is a regular expression with MatchKind.REGEX."""

    kind: MatchKind
    text: bytes


@dataclass(frozen=True, slots=True)
class Expect:
    """``http-check expect``. ``codes`` are ranges, both ends included; ``pattern`` is text or a regular expression.

    A header's value is a list with commas, of which each element is compared; with ``full`` it is one text.
    ``min_recv``: bytes of the body to wait for before looking, -1: look at what there is, again and again.
    An empty status is HAProxy's own, an empty ``on_error`` too.
    """

    kind: ExpectKind
    negated: bool = False
    codes: tuple[tuple[int, int], ...] = ()
    pattern: bytes = b""
    name: Match | None = None
    value: Match | None = None
    full: bool = False
    min_recv: int = -1
    comment: str = ""
    ok_status: str = ""
    error_status: str = ""
    tout_status: str = ""
    on_success: str = ""
    on_error: str = ""


EXPECT_SUCCESS = Expect(ExpectKind.STATUS, codes=((200, 399),))
"""What counts where nothing is said: HAProxy's rule behind a request without one."""


@dataclass(frozen=True, slots=True)
class HttpSend:
    """``http-check send``, or what ``option httpchk`` says (``by_option``). None, or no header: not said.

    ``headers`` are names in lower case, and values.
    """

    location: Location
    method: str | None = None
    uri: str | None = None
    version: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body: str | None = None
    by_option: bool = False
    comment: str = ""

    def overwritten(self, later: HttpSend) -> HttpSend:
        """What is said later replaces what was said before, part by part; the headers are one part."""
        said = {name: value for name in _PARTS if (value := getattr(later, name))}
        return replace(self, **said)


_PARTS = ("method", "uri", "version", "headers", "body", "comment")


@dataclass(frozen=True, slots=True)
class HttpConnect:
    """``http-check connect``. ``default``: with what the server line says of its checks, such as ``send-proxy``."""

    location: Location
    port: int | None = None
    addr: Endpoint | None = None
    default: bool = False
    send_proxy: bool = False
    linger: bool = False
    comment: str = ""


@dataclass(frozen=True, slots=True)
class HttpExpect:
    """``http-check expect`` and where it is."""

    location: Location
    rule: Expect
    comment: str = ""


@dataclass(frozen=True, slots=True)
class HttpComment:
    """``http-check comment``: for the steps of one kind that follow it."""

    location: Location
    text: str


HttpStep = HttpSend | HttpConnect | HttpExpect


def merged_steps(
    own: tuple[HttpStep | HttpComment, ...], base: tuple[HttpStep | HttpComment, ...]
) -> tuple[HttpStep | HttpComment, ...]:
    """A section's steps on top of those of its ``defaults``."""
    if not own or any(_is_option(step) for step in own):
        return own or base
    return (*(step for step in base if _is_option(step)), *own)


def _is_option(step: HttpStep | HttpComment) -> bool:
    return isinstance(step, HttpSend) and step.by_option
