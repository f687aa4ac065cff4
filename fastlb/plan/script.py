"""``option httpchk`` and ``http-check`` lines, put together as HAProxy does (manual, section 4.2 ``http-check …``).

A script is a row of exchanges: a connection, a request over it, and rules about the answer. The request of the first
one is that of ``option httpchk``, overwritten part by part by the first ``http-check send`` (or the other way round if
the option is said later).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from fastlb.config.checktree import (
    EXPECT_SUCCESS,
    Expect,
    HttpComment,
    HttpConnect,
    HttpExpect,
    HttpSend,
    HttpStep,
)
from fastlb.config.errors import Location, Report
from fastlb.config.tree import HttpCheck, Settings
from fastlb.plan.checkmodel import Request

_BODILESS_REQUESTS = ("GET", "HEAD", "OPTIONS", "DELETE", "CONNECT")


@dataclass(frozen=True, slots=True)
class Exchange:
    """One connection of the script. Without ``connect`` it goes where the server line says."""

    connect: HttpConnect | None
    request: Request | None
    expects: tuple[Expect, ...]


@dataclass(slots=True)
class _Draft:
    connect: HttpConnect | None = None
    send: HttpSend | None = None
    expects: list[Expect] | None = None


Script = tuple[Exchange, ...]


def script_of(settings: Settings, own: Settings, report: Report) -> Script:
    """The script of a section's checks; empty where they are not over HTTP. ``own`` is what the section itself says."""
    if settings.check is not None and isinstance(settings.check.value, HttpCheck):
        return _arrange(settings.http_checks, report)
    where = [step.location for step in own.http_checks if not (isinstance(step, HttpSend) and step.by_option)]
    if where:
        report.warning(where[0], "'http-check' has no effect here", "'option httpchk' has checks speak HTTP")
    return ()


def script_port(script: Script) -> int:
    """The port that the first connection names itself, or 0."""
    return script[0].connect.port or 0 if script and script[0].connect else 0


def _arrange(steps: Sequence[HttpStep | HttpComment], report: Report) -> Script:
    """The exchanges of these steps. An order that means nothing is reported."""
    option, sent_before = None, False
    drafts: list[_Draft] = []
    for step in _commented(steps):
        if isinstance(step, HttpSend) and step.by_option:
            option, sent_before = step, bool(drafts and drafts[0].send)
        elif complaint := _add(drafts, step):
            report.error(step.location, complaint[0], complaint[1])
    first = drafts[0] if drafts else _Draft()
    if option is None:
        option = HttpSend(Location("", 0, 0), by_option=True)
    if first.send is None:
        first.send = option
    else:
        first.send = first.send.overwritten(option) if sent_before else option.overwritten(first.send)
    return tuple(_exchange(draft) for draft in drafts or [first])


def _commented(steps: Iterable[HttpStep | HttpComment]) -> Iterable[HttpStep]:
    """Without the comments: each goes to the steps of one kind that follow it, to one connection at most."""
    comment, kind = "", None
    for step in steps:
        if isinstance(step, HttpComment):
            comment, kind = step.text, None
            continue
        if kind not in (None, type(step)):
            comment = ""
        kind = type(step)
        yield step if step.comment or not comment else _with_comment(step, comment)
        if isinstance(step, HttpConnect):
            comment = ""


def _with_comment(step: HttpStep, comment: str) -> HttpStep:
    if isinstance(step, HttpExpect):
        return replace(step, comment=comment, rule=replace(step.rule, comment=comment))
    return replace(step, comment=comment)


def _add(drafts: list[_Draft], step: HttpStep) -> tuple[str, str] | None:
    """The step goes to the exchange it belongs to; what is wrong with it, and what to do, if it belongs to none."""
    last = drafts[-1] if drafts else None
    if isinstance(step, HttpConnect):
        if last is not None and drafts[0].connect is None:
            return "'http-check connect' comes behind other steps", "the first step must be one, too"
        if last is not None and not last.expects:
            return (
                "this 'http-check connect' comes before the answer is looked at",
                "'http-check expect' goes before it",
            )
        drafts.append(_Draft(connect=step))
    elif isinstance(step, HttpSend):
        if last is not None and (last.send is not None or last.expects):
            return "a second request needs a connection of its own", "'http-check connect' goes before it"
        if last is None:
            drafts.append(_Draft())
        drafts[-1].send = step
    else:
        if last is None:
            drafts.append(_Draft())
        elif last.send is None and last.connect is not None:
            return "nothing has been sent over this connection", "'http-check send' goes before it"
        drafts[-1].expects = [*(drafts[-1].expects or []), step.rule]
    return None


def _exchange(draft: _Draft) -> Exchange:
    if draft.send is None:
        return Exchange(draft.connect, None, ())
    return Exchange(draft.connect, request_of(draft.send), tuple(draft.expects or [EXPECT_SUCCESS]))


def request_of(send: HttpSend) -> Request:
    """The bytes, as HAProxy sends them: header names in lower case, a length where there is a body or where the method
    may have one, and ``connection`` where it is not the version's default: ``close`` unless the user says otherwise."""
    method, version = send.method or "OPTIONS", send.version or "HTTP/1.0"
    lines = [f"{method} {send.uri or '/'} {version}"]
    lines += [f"{name}: {value}" for name, value in send.headers if name != "connection"]
    body = _encoded(send.body or "")
    end = [f"content-length: {len(body)}"] if body or method not in _BODILESS_REQUESTS else []
    keeps = any(name == "connection" and "keep-alive" in value.lower() for name, value in send.headers)
    if keeps != (version == "HTTP/1.1"):
        end.append("connection: keep-alive" if keeps else "connection: close")
    tail = b"".join(_encoded(line) + b"\r\n" for line in end) + b"\r\n" + body
    head = b"".join(_encoded(line) + b"\r\n" for line in lines)
    return Request(head, tail, bodiless=method == "HEAD", comment=send.comment)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
