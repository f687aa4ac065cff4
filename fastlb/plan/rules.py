"""Rules of the sections to the table that the engine evaluates, and to the rules of each frontend and backend."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple, TypeVar

from fastlb.config.address import parse_host
from fastlb.config.errors import Location, Report
from fastlb.config.logpieces import LogPiece, PieceKind
from fastlb.config.ruletree import Kind, Part, Sample
from fastlb.config.tree import Proxy, Said
from fastlb.plan.model import Backend, Frontend, Server
from fastlb.plan.resolve import Resolver
from fastlb.plan.roles import Roles, find_backend
from fastlb.plan.values import Merged, value_of
from fastlb.rules.compiler import RuleCompiler, captures
from fastlb.rules.files import Files
from fastlb.rules.model import EMPTY, NO_BACKEND_RULES, BackendRules
from fastlb.rules.samples import Names
from fastlb.rules.tablemodel import StickTable

Row = TypeVar("Row", Frontend, Backend, Server)


class Ruled(NamedTuple):
    """Everything with its rules. ``asks_fields``: something asks for the fields of PROXY headers."""

    frontends: tuple[Frontend, ...]
    backends: tuple[Backend, ...]
    servers: tuple[Server, ...]
    table: bytes
    asks_fields: bool


def plan_rules(
    roles: Roles,
    frontends: tuple[Frontend, ...],
    backends: tuple[Backend, ...],
    servers: tuple[Server, ...],
    tables: tuple[StickTable, ...],
    environ: Mapping[str, str],
    resolver: Resolver,
    files: Files,
    report: Report,
) -> Ruled:
    """Frontends, backends and servers with their rules, and the table that these refer to. Errors are reported."""
    names = Names(
        frontends={one.name: number for number, one in enumerate(frontends)},
        backends={one.name: number for number, one in enumerate(backends)},
        servers={f"{backends[one.backend].name}/{one.name}": number for number, one in enumerate(servers)},
        tables={one.name: one for one in tables},
        environ=environ,
    )

    def target(name: Said[str]) -> int:
        return find_backend(name, names.backends, roles, report, "use_backend")

    def resolve(name: str, where: Location) -> str | None:
        address = resolver.address(parse_host(name, where), where)
        return address.host if address else None

    compiler = RuleCompiler(names, target, resolve, files, report)
    ruled_backends = tuple(
        replace(backend, rules=_backend(merged, compiler))
        for backend, merged in zip(backends, roles.backends, strict=True)
    )
    ruled_frontends = tuple(
        _ruled(frontend, merged.proxy, compiler, names, ruled_backends)
        for frontend, merged in zip(frontends, roles.frontends, strict=True)
    )
    if compiler.prioritizes:
        ruled_backends = tuple(replace(one, rules=replace(one.rules, priorities=True)) for one in ruled_backends)
    ruled_servers = tuple(
        _told(server, roles.backends[server.backend].proxy, compiler) if server.proxy_fields else server
        for server in servers
    )
    return Ruled(
        _rated(ruled_frontends, "frontend", compiler.rated),
        _rated(ruled_backends, "backend", compiler.rated),
        _rated(ruled_servers, "server", compiler.rated),
        compiler.table(),
        compiler.asks_fields,
    )


def _rated(rows: tuple[Row, ...], what: str, asked: set[tuple[str, int]]) -> tuple[Row, ...]:
    """With a mark on those whose sessions in a second are asked for."""
    return tuple(replace(one, rated=True) if (what, number) in asked else one for number, one in enumerate(rows))


def _backend(merged: Merged, compiler: RuleCompiler) -> BackendRules:
    balance, persist = merged.settings.balance, merged.settings.persist
    by = balance.value.by if balance else None
    rules = compiler.backend(merged.proxy, by.sample if by else None, value_of(persist, ""))
    return replace(rules, forces=EMPTY) if merged.disabled else rules


def _ruled(
    frontend: Frontend, proxy: Proxy, compiler: RuleCompiler, names: Names, backends: tuple[Backend, ...]
) -> Frontend:
    rules = compiler.frontend(proxy, names.backends[proxy.name] if proxy.has_backend else -1)
    default = backends[frontend.backend] if frontend.backend >= 0 else None
    destination = default.rules if default else NO_BACKEND_RULES
    hidden = default is not None and default.unpublished and frontend.backend != rules.own_backend
    own = (rules.content, rules.backends)
    theirs = (destination.content, destination.servers, destination.cookie, destination.sticks, destination.forces)
    log = frontend.session_log
    log = replace(
        log,
        line=_shown(log.line, proxy, compiler),
        error_line=_shown(log.error_line, proxy, compiler),
        data=_shown(log.data, proxy, compiler),
    )
    unique_id = _shown(frontend.unique_id, proxy, compiler)
    looks = hidden or any(found.size for found in (*own, *theirs))
    return replace(frontend, rules=replace(rules, needed=looks), session_log=log, unique_id=unique_id)


def _told(server: Server, proxy: Proxy, compiler: RuleCompiler) -> Server:
    """A server and the samples of what it is told."""
    fields = (replace(field, line=_shown(field.line, proxy, compiler)) for field in server.proxy_fields)
    return replace(server, proxy_fields=tuple(fields))


def _shown(pieces: tuple[LogPiece, ...], proxy: Proxy, compiler: RuleCompiler) -> tuple[LogPiece, ...]:
    """Pieces of a log line, with the places of their samples; captures as HAProxy writes them: ``{one|two}``."""
    count = captures(proxy.inherited.rules) + captures(proxy.rules)
    shown: list[LogPiece] = []
    for piece in pieces:
        shown += _captured(count, proxy) if piece.kind is PieceKind.CAPTURES else [piece]
    return tuple(compiler.shown(piece, proxy) for piece in shown)


def _captured(count: int, proxy: Proxy) -> Iterator[LogPiece]:
    for number in range(count):
        yield LogPiece(PieceKind.TEXT, text="|" if number else "{")
        part = Part("capture.req.hdr", (str(number),), proxy.location)
        yield LogPiece(PieceKind.VALUE, sample=Sample(part, (), Kind.TEXT, content=False))
    if count:
        yield LogPiece(PieceKind.TEXT, text="}")
