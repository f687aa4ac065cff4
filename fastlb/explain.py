"""``--explain``: the configuration in force, after defaults and derivations, with the origin of every value.

An origin is the place where the value was said (in the section itself, in ``defaults`` or ``default-server``), the
command line, what it is derived from, or "default". A new field of the plan appears by itself, under its own name, and
is looked for in what was said by that name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from typing import Any, NamedTuple

from fastlb import limits
from fastlb.config import tree
from fastlb.config.errors import Location
from fastlb.config.globaltree import Config
from fastlb.config.logformat import format_text
from fastlb.config.tree import (
    BindLine,
    Endpoint,
    EndpointKind,
    LogGlobal,
    LogLine,
    Proxy,
    RingTarget,
    Said,
    ServerLine,
    StreamTarget,
    merged_options,
    merged_settings,
)
from fastlb.plan import balancewords
from fastlb.plan.model import Address, Backend, Bind, Check, Frontend, Plan, Process, Server
from fastlb.plan.values import Merged, value_of
from fastlb.rules.tablemodel import Data
from fastlb.settings import Settings
from fastlb.spelling import destination_of, has_word_for, name_of, text_of

_COLUMN = 52
_DEFAULT = "default"
# What was said is called in the tree, where that is not the name of the plan's field. One of several will do.
_SAID = {
    (Process, "workers"): ("nbthread",),
    (Check, "read_ms"): ("check_timeout",),
    (Server, "slowstart_new"): ("slowstart",),
    (Bind, "remark"): ("label",),
    (Server, "proxy_crc32c"): ("proxy_extras",),
    (Server, "proxy_authority"): ("proxy_extras",),
    (Server, "proxy_unique_id"): ("proxy_extras",),
    (Server, "proxy_fields"): ("proxy_extras",),
    (Check, "proxy_crc32c"): ("proxy_extras",),
    (Bind, "keepalive"): tuple(f"client_keepalive{part}" for part in ("", "_idle", "_interval", "_count")),
    (Backend, "keepalive"): tuple(f"server_keepalive{part}" for part in ("", "_idle", "_interval", "_count")),
}
# What a bind or a server takes from its section if it says nothing itself.
_OF_SECTION = {"backlog", "source", "tcp_smart_accept", *_SAID[Bind, "keepalive"]}
# What identifies a thing or orders it in the plan, or is told in another way.
UNTOLD = {
    "name", "key", "location", "first_server", "server_count", "is_listen", "logs", "groups", "frontend", "address",
    "backend", "check", "request", "inherited_fd", "kind", "session_log", "moment", "line", "error_line", "data",
    "port_offset", "tracked", "balance", "draws", "hashing", "rules", "label", "keeps_fields", "rounds", "number",
    "rated",
}  # fmt: skip
# Of what has not been said: the field that counts instead, and its name.
_DERIVED = {
    (Frontend, "client_fin_ms"): ("client_ms", "'timeout client'"),
    (Backend, "server_fin_ms"): ("server_ms", "'timeout server'"),
    (Backend, "keepalive"): ("keepalive", "the timeouts, which leave time for a probe"),
    (Backend, "queue_ms"): ("connect_ms", "'timeout connect'"),
    (Check, "fastinter_ms"): ("inter_ms", "'inter'"),
    (Check, "downinter_ms"): ("inter_ms", "'inter'"),
    (Check, "connect_ms"): ("connect_ms", "'inter' and 'timeout connect'"),
    (Process, "uid"): ("uid", "'user'"),
    (Process, "gid"): ("gid", "'user'"),
    (Process, "pin"): ("pin", "'tune.reuseport'"),
    (Process, "node"): ("node", "the name of the host"),
}


class Row(NamedTuple):
    """One line: what is set and to what, and where that comes from."""

    text: str
    origin: str


def lines(config: Config, plan: Plan, settings: Settings) -> Iterator[str]:
    """The whole configuration as ``settings`` puts it in force, a line for each value."""
    plan = settings.apply(plan)
    yield "global"
    yield from _written(1, _process(config, plan, settings))
    frontends = {frontend.location: number for number, frontend in enumerate(plan.frontends)}
    backends = {backend.location: backend for backend in plan.backends}
    for proxy in config.proxies:
        merged = Merged(proxy, merged_settings(proxy.own, proxy.inherited))
        if proxy.location not in frontends and proxy.location not in backends and not merged.disabled:
            continue  # its addresses, if it serves the metrics, are told below
        yield ""
        yield from _written(0, [Row(f"{proxy.kind} {proxy.name}", _place(proxy.location))])
        yield from _written(1, _state(merged))
        if proxy.location in frontends:
            yield from _written(1, _frontend(frontends[proxy.location], merged, plan, settings))
        if proxy.location in backends:
            yield from _written(1, _backend(backends[proxy.location], merged, proxy.location in frontends))
        yield from _written(1, _table(proxy, plan))
        rules = (*proxy.inherited.rules.lines, *proxy.rules.lines)
        yield from _written(1, (Row(line.text, _place(line.location)) for line in rules))
        yield from _written(1, _logs(merged.settings.logs))
        if proxy.location in frontends:
            yield from _binds(frontends[proxy.location], merged, plan)
        if proxy.location in backends:
            yield from _servers(backends[proxy.location], merged, plan)
    yield ""
    yield from _written(
        0, (Row(f"{'metrics' if one.path else 'monitor'} {one}", _place(one.location)) for one in plan.metrics)
    )


def _written(depth: int, rows: Iterable[Row]) -> Iterator[str]:
    for row in rows:
        yield f"{'    ' * depth + row.text:<{_COLUMN}}  # {row.origin}"


# ---- the parts ---------------------------------------------------------------------------------------------------


def _state(merged: Merged) -> Iterator[Row]:
    yield Row(f"mode {value_of(merged.settings.mode, 'tcp')}", _origin(merged.settings.mode))
    if merged.disabled:
        yield Row("disabled", _origin(merged.settings.disabled))


def _process(config: Config, plan: Plan, settings: Settings) -> Iterator[Row]:
    process = plan.process
    overridden = {
        "workers": "--workers" if settings.workers else "",
        "maxconn": "-n" if settings.maxconn else "",
        "daemon": {True: "-D", False: "-db"}.get(settings.daemon, "") if settings.daemon is not None else "",
        "pidfile": "-p" if settings.pidfile else "",
    }
    automatic = {
        "workers": lambda: Row(f"nbthread {limits.worker_count(plan)}", "derived from the CPUs of this process"),
        "maxconn": lambda: Row(f"maxconn {_room(plan)}", "derived from the limit on file descriptors"),
        "nofile": lambda: Row("ulimit-n automatic", "derived from 'maxconn'"),
    }
    for field, row in _rows(process, lambda name: getattr(config.process, name, None)):
        if overridden.get(field):
            yield Row(row.text, f"command line, {overridden[field]}")
        elif field in automatic and not getattr(process, field):
            yield automatic[field]()
        else:
            yield row
    if settings.reading.local_peer:
        yield Row(f"localpeer {settings.reading.local_peer}", "command line, -L")
    elif config.process.localpeer:
        yield Row(f"localpeer {config.process.localpeer.value}", _origin(config.process.localpeer))
    yield from _logs(config.process.logs)


def _room(plan: Plan) -> str:
    try:
        nofile = limits.raise_nofile(plan.process.nofile, plan.process.fd_hard_limit)
        return str(limits.fit(plan, limits.worker_count(plan), nofile).maxconn(plan))
    except limits.LimitError:
        return "none"


def _frontend(number: int, merged: Merged, plan: Plan, settings: Settings) -> Iterator[Row]:
    frontend, said = plan.frontends[number], merged.settings
    if frontend.backend >= 0:
        origin = _origin(said.default_backend) if said.default_backend else "derived from being a 'listen'"
        yield Row(f"default_backend {plan.backends[frontend.backend].name}", origin)
    yield from _session_log(frontend, said)
    for field, row in _rows(frontend, lambda name: getattr(said, name, None)):
        by_option = field == "maxconn" and settings.proxy_maxconn and not (said.maxconn and said.maxconn.value)
        if getattr(frontend, field) is not None:
            yield Row(row.text, "command line, -N") if by_option else row


def _session_log(frontend: Frontend, said: tree.Settings) -> Iterator[Row]:
    line = said.log_format if said.log_format and said.log_format.value else None
    if line is None:
        tcplog = said.tcplog or said.httplog
        yield Row(f"option tcplog {text_of('', tcplog is not None)}", _origin(tcplog))
    formats = (("log-format", line), ("error-log-format", said.error_log_format), ("log-format-sd", said.log_format_sd))
    for name, one in formats:
        if one is not None:
            yield Row(f"{name} '{format_text(one.value)}'", _origin(one))
    yield Row(f"option logasap {text_of('', value_of(said.logasap, False))}", _origin(said.logasap))
    yield from (row for _, row in _rows(frontend.session_log, lambda name: getattr(said, name, None)))


def _backend(backend: Backend, merged: Merged, told: bool) -> Iterator[Row]:
    """What concerns both sides of a ``listen`` has been ``told`` of the frontend."""
    for text, name in balancewords.lines(backend):
        yield Row(text, _origin(getattr(merged.settings, name)))
    both = {field.name for field in fields(Frontend)} if told else set()
    rows = _rows(backend, lambda name: getattr(merged.settings, name, None))
    yield from (row for field, row in rows if field not in both and _is_told(backend, field))


def _is_told(thing: object, field: str) -> bool:
    """Not what has no value, and no word for having none."""
    return getattr(thing, field) is not None or has_word_for(field, None)


def _binds(frontend: int, merged: Merged, plan: Plan) -> Iterator[str]:
    """A line for each word of addresses; what follows holds for all of them."""
    for line in merged.proxy.binds:
        planned = [bind for bind in plan.binds if bind.frontend == frontend and bind.location == line.location]
        addresses = ",".join(
            _spell(part.endpoint) + (f"-{part.last_port}" if part.last_port > part.endpoint.port else "")
            for part in line.addresses
        )
        yield from _written(1, [Row(f"bind {addresses}", _place(line.location))])
        yield from _written(2, _bind(max(planned, key=lambda bind: bind.v6only is not None), line, merged))


def _bind(bind: Bind, line: BindLine, merged: Merged) -> Iterator[Row]:
    return _told(bind, _either(line, merged))


def _either(own: Any, merged: Merged) -> Callable[[str], Any]:
    """Finds what a line says, or what its section says in its place."""
    return lambda name: getattr(own, name, None) or (name in _OF_SECTION and getattr(merged.settings, name, None))


def _told(thing: Any, said: Callable[[str], Any]) -> Iterator[Row]:
    """The rows of a part, but for what may be set and is not."""
    return (row for field, row in _rows(thing, said) if _is_told(thing, field))


def _servers(backend: Backend, merged: Merged, plan: Plan) -> Iterator[str]:
    written = {line.location: line for line in merged.proxy.servers}
    for server in plan.servers[backend.first_server : backend.first_server + backend.server_count]:
        line = written[server.location]
        name = f" ({line.address.value.host})" if line.address.value.kind is EndpointKind.NAME else ""
        place = _place(line.address.location)
        yield from _written(1, [Row(f"server {server.name} {destination_of(server)}{name}", place)])
        yield from _server(server, line, merged)


def _server(server: Server, line: ServerLine, merged: Merged) -> Iterator[str]:
    said = merged_options(line.own, merged_options(line.defaults, merged.proxy.inherited.server_options))
    for row in _told(server, _either(said, merged)):
        by_section = row.text == "disabled on" and row.origin == _DEFAULT
        why = "'init-addr': its name has no address" if server.unresolved else "the 'disabled' of the section"
        yield from _written(2, [Row(row.text, f"derived from {why}") if by_section else row])
    yield from _written(2, [Row("check" if server.check else "no-check", _origin(said.check))])
    if server.check is not None:
        where = said.addr or said.port
        yield from _written(3, [_kind(server.check, merged)])
        yield from _written(
            3, [Row(f"addr {server.check.address}", _origin(where) if where else "derived from the server's address")]
        )
        settings = merged.settings
        yield from _written(
            3, _told(server.check, lambda name: getattr(said, name, None) or getattr(settings, name, None))
        )


def _kind(check: Check, merged: Merged) -> Row:
    first = check.request.partition(b"\r")[0].decode(errors="replace")
    return Row(f"option httpchk {first}" if first else "option tcp-check", _origin(merged.settings.check))


def _table(proxy: Proxy, plan: Plan) -> Iterator[Row]:
    line = proxy.rules.table
    if line is None:
        return
    yield Row(line.text, _place(line.location))
    stored = [one.data for table in plan.tables if table.name == proxy.name for one in table.stored]
    if Data.SERVER_ID in stored and all(one.name != "server_id" for one in line.stored):
        yield Row("    store server_id", "derived from a 'stick' rule")


def _logs(logs: Iterable[LogLine | LogGlobal]) -> Iterator[Row]:
    for log in logs:
        if isinstance(log, LogGlobal):
            yield Row("log global", _place(log.location))
        else:
            length = f" len {log.length}" if log.length else ""
            format_ = f" format {log.format}" if log.format else ""
            sample = f" sample {log.sample}" if log.sample else ""
            yield Row(f"log {_log_target(log)}{length}{format_}{sample}", _place(log.location))


def _log_target(log: LogLine) -> str:
    if isinstance(log.target, Endpoint):
        return _spell(log.target)
    if isinstance(log.target, StreamTarget):
        return f"tcp@{_spell(log.target.endpoint)}"
    return f"ring@{log.target.name}" if isinstance(log.target, RingTarget) else log.target


# ---- any value ---------------------------------------------------------------------------------------------------


def _rows(thing: Any, said: Callable[[str], Any]) -> Iterator[tuple[str, Row]]:
    """The fields of a part of the plan; ``said`` finds what was said by a name, if anything was."""
    for field in fields(thing):
        if field.name not in UNTOLD or (isinstance(thing, Bind) and field.name == "name"):
            yield field.name, _row(thing, field.name, said)


def _row(thing: Any, field: str, said: Callable[[str], Any]) -> Row:
    value = getattr(thing, field)
    names = _SAID.get((type(thing), field), (field.removesuffix("_ms"),))
    found = next((one for one in map(said, names) if isinstance(one, Said)), None)
    base, source = _DERIVED.get((type(thing), field), ("", ""))
    name = name_of(thing, field)
    if isinstance(found, Said) and (type(thing), field) != (Check, "connect_ms"):
        return Row(f"{name} {text_of(field, value)}", _origin(found))
    if source and getattr(thing, base):
        return Row(f"{name} {text_of(field, getattr(thing, base))}", f"derived from {source}")
    return Row(f"{name} {text_of(field, value)}", _DEFAULT)


def _spell(endpoint: Endpoint) -> str:
    return str(Address(endpoint.kind.value, endpoint.host, endpoint.port))


def _origin(said: Any) -> str:
    return _place(said.location) if isinstance(said, Said) else _DEFAULT


def _place(location: Location) -> str:
    """File and line; an option of the command line has none."""
    return f"{location.file}:{location.line}" if location.line else f"command line, {location.file}"
