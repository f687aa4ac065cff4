"""Fields of PROXY headers: those a server is sent, and whether those of clients have to be kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from fastlb.config.errors import Report, quote
from fastlb.config.logpieces import LogPiece, PieceKind
from fastlb.config.proxytree import NO_EXTRAS, ProxyExtras, ProxyField
from fastlb.config.tree import ServerOptions
from fastlb.plan.model import Bind, Frontend, Server
from fastlb.plan.sessionlog import known_texts
from fastlb.plan.values import value_of


def plan_extras(options: ServerOptions, version: int, report: Report) -> ProxyExtras:
    """What a server's header has besides addresses. A warning tells that version 1 has nothing of it."""
    extras = value_of(options.proxy_extras, NO_EXTRAS)
    if options.proxy_extras is not None and version == 1:
        names = [*sorted(extras.options), *(f"set-proxy-v2-tlv-fmt({field.kind})" for field in extras.fields)]
        report.warning(
            options.proxy_extras.location, f"{quote(', '.join(names))} has no effect without 'send-proxy-v2'"
        )
    return replace(extras, fields=tuple(ProxyField(field.kind, known_texts(field.line)) for field in extras.fields))


def keep_fields(
    binds: tuple[Bind, ...], frontends: Iterable[Frontend], servers: Iterable[Server], *, asked: bool
) -> tuple[Bind, ...]:
    """The binds, which keep the fields of their clients if a rule has ``asked`` for any, a format or a server does."""
    servers = tuple(servers)
    asked = asked or any(server.proxy_authority for server in servers)
    asked = asked or any(piece.kind is PieceKind.HEADER_FIELD for piece in _pieces(frontends, servers))
    return tuple(replace(bind, keeps_fields=True) for bind in binds) if asked else binds


def _pieces(frontends: Iterable[Frontend], servers: Iterable[Server]) -> Iterator[LogPiece]:
    for frontend in frontends:
        log = frontend.session_log
        yield from (*log.line, *log.error_line, *log.data, *frontend.unique_id)
    for server in servers:
        for field in server.proxy_fields:
            yield from field.line
