"""What a frontend writes about its sessions: its log formats and options (HAProxy manual, sections 8.2 and 8.3)."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable, Iterator
from dataclasses import replace

from fastlb.config.errors import Location, Report
from fastlb.config.logformat import parse_format
from fastlb.config.logpieces import CONNECTED, TCPLOG, LogPiece, PieceFlag, PieceKind
from fastlb.config.tree import Settings
from fastlb.plan.model import LogMoment, SessionLog
from fastlb.plan.values import value_of

_HERE = Location("fastlb", 0, 0)
_CONNECTED = parse_format(CONNECTED, _HERE, Report())
_TCPLOG = parse_format(TCPLOG, _HERE, Report())
_UNSAFE = re.compile(r'(["\\\]])')

# Known before the session ends; a line of these alone is written when the server is connected.
_EARLY = frozenset(
    {
        *(PieceKind.TEXT, PieceKind.FRONTEND, PieceKind.HOSTNAME, PieceKind.HANDSHAKE_MS, PieceKind.PID),
        *(PieceKind.CLIENT_IP, PieceKind.CLIENT_PORT, PieceKind.FRONTEND_IP, PieceKind.FRONTEND_PORT),
        *(PieceKind.BACKEND_IP, PieceKind.BACKEND_PORT, PieceKind.SERVER_IP, PieceKind.SERVER_PORT),
        *(PieceKind.BACKEND, PieceKind.SERVER, PieceKind.SERVER_NAME),
        *(PieceKind.DATE, PieceKind.DATE_GMT, PieceKind.DATE_LOCAL, PieceKind.TIMESTAMP, PieceKind.MILLISECONDS),
        *(PieceKind.UNIQUE_ID, PieceKind.HEADER_FIELD),
        *(PieceKind.NOW_S, PieceKind.NOW_MS, PieceKind.NOW_US, PieceKind.LINE_NUMBER, PieceKind.SESSION_NUMBER),
    }
)


def plan_session_log(settings: Settings, name: str, formats: Iterable[str]) -> SessionLog:
    """The lines of the frontend ``name``, whose targets have these ``formats``; without targets there are none."""
    used = set(formats)
    if not used:
        return SessionLog()
    custom = value_of(settings.log_format, ())
    line = custom or (_TCPLOG if value_of(settings.tcplog or settings.httplog, False) else ())
    data = value_of(settings.log_format_sd, ()) if line and "rfc5424" in used else ()
    early = value_of(settings.logasap, False) or all(piece.kind in _EARLY for piece in (*line, *data))
    moment = LogMoment.ACCEPT if not line else LogMoment.CONNECT if early else LogMoment.END
    return SessionLog(
        moment=moment,
        line=with_texts(line or _CONNECTED, name),
        error_line=with_texts(value_of(settings.error_log_format, ()), name),
        data=with_texts(data, name),
        dontlognull=value_of(settings.dontlognull, False),
        dontlog_normal=value_of(settings.dontlog_normal, False),
        log_separate_errors=value_of(settings.log_separate_errors, False),
    )


def with_texts(pieces: tuple[LogPiece, ...], frontend: str) -> tuple[LogPiece, ...]:
    """What is known already becomes text, and texts in a row become one."""
    known = {PieceKind.FRONTEND: frontend, PieceKind.HOSTNAME: socket.gethostname()}
    return tuple(_joined(_with_text(piece, known) for piece in pieces))


def known_texts(pieces: tuple[LogPiece, ...]) -> tuple[LogPiece, ...]:
    """The same for a format of many frontends: which it is becomes known with the connection."""
    named = (replace(one, kind=PieceKind.FRONTEND_NAME) if one.kind is PieceKind.FRONTEND else one for one in pieces)
    known = {PieceKind.HOSTNAME: socket.gethostname()}
    return tuple(_joined(_with_text(piece, known) for piece in named))


def _with_text(piece: LogPiece, known: dict[PieceKind, str]) -> LogPiece:
    if piece.kind is PieceKind.HANDSHAKE_MS:
        return LogPiece(PieceKind.TEXT, text="0")
    if piece.kind not in known:
        return piece
    text = known[piece.kind]
    if piece.flags & PieceFlag.ESCAPE:
        text = _UNSAFE.sub(r"\\\1", text)
    return LogPiece(PieceKind.TEXT, text=f'"{text}"' if piece.flags & PieceFlag.QUOTE else text)


def _joined(pieces: Iterable[LogPiece]) -> Iterator[LogPiece]:
    text = ""
    for piece in pieces:
        if piece.kind is PieceKind.TEXT:
            text += piece.text
            continue
        if text:
            yield LogPiece(PieceKind.TEXT, text=text)
            text = ""
        yield piece
    if text:
        yield LogPiece(PieceKind.TEXT, text=text)
