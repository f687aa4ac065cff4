"""Config to Plan: defaults merged, names replaced by numbers, everything that refers to something else checked."""

from __future__ import annotations

from dataclasses import replace

from fastlb.config.balancetree import BalanceLine
from fastlb.config.errors import Location, Report
from fastlb.config.globaltree import Config, DefaultPath
from fastlb.plan.advice import advise, advise_structured_data
from fastlb.plan.fields import keep_fields
from fastlb.plan.hashplan import plan_hashing
from fastlb.plan.identity import check_identity, proxy_ids
from fastlb.plan.keepalive import server_keepalive
from fastlb.plan.listeners import ListenerPlanner
from fastlb.plan.logs import LogTable
from fastlb.plan.model import DEFAULT_RETRIES, Backend, Balance, Frontend, Plan, Server
from fastlb.plan.monitors import MonitorPlanner
from fastlb.plan.process import plan_process
from fastlb.plan.resolve import Resolver
from fastlb.plan.roles import Roles, find_backend, find_roles
from fastlb.plan.rules import plan_rules
from fastlb.plan.servers import ServerPlanner
from fastlb.plan.sessionlog import plan_session_log, with_texts
from fastlb.plan.tables import plan_tables
from fastlb.plan.tracking import resolve_tracks
from fastlb.plan.values import Merged, value_of
from fastlb.rules.files import Files

_BALANCE = {
    "roundrobin": Balance.ROUNDROBIN,
    "static-rr": Balance.STATIC_RR,
    "leastconn": Balance.LEASTCONN,
    "source": Balance.SOURCE,
    "first": Balance.FIRST,
    "random": Balance.RANDOM,
    "hash": Balance.HASH,
}


def build(config: Config, files: tuple[str, ...], digest: str, report: Report, *, lenient: bool = False) -> Plan | None:
    """Plan a configuration. None when anything is wrong with it, which the report then tells.

    ``lenient``: servers whose names have no address are no error.
    """
    resolver = Resolver(report)
    roles = find_roles(config.proxies, report)
    check_identity(config.proxies, report)
    logs = LogTable(config.process.logs, config.rings, resolver, report)
    process = plan_process(config.process, logs.global_logs, report)
    listeners = ListenerPlanner(config.process, resolver, report)
    binds = listeners.binds(roles)
    ids = proxy_ids(config.proxies)
    frontends = _frontends(roles, ids, logs, report)
    backends, servers = _backends(roles, ids, logs, ServerPlanner(resolver, report, lenient=lenient), report)
    names = {f"{backends[one.backend].name}/{one.name}": number for number, one in enumerate(servers)}
    numbers = {one.name: number for number, one in enumerate(backends)}
    metrics = listeners.metrics(roles, MonitorPlanner(numbers, names, report))
    files_of_values = Files(report, value_of(config.process.default_path, DefaultPath()))
    tables = plan_tables(roles, report)
    ruled = plan_rules(roles, frontends, backends, servers, tables, config.environ, resolver, files_of_values, report)
    frontends, backends, servers, rules = ruled.frontends, ruled.backends, ruled.servers, ruled.table
    binds = keep_fields(binds, frontends, servers, asked=ruled.asks_fields)
    if not report.has_errors and not binds:
        report.error(
            Location(files[0], 0, 0), "there is nothing to balance: no section in 'mode tcp' has a 'bind' line"
        )
    if report.has_errors:
        return None
    advise(roles, report)
    return Plan(process, binds, frontends, backends, servers, logs.targets(), metrics, files, digest, rules, tables)


def _frontends(roles: Roles, ids: dict[Location, int], logs: LogTable, report: Report) -> tuple[Frontend, ...]:
    numbers = {merged.proxy.name: number for number, merged in enumerate(roles.backends)}
    planned = (_frontend(merged, numbers, roles, logs, report) for merged in roles.frontends)
    return tuple(replace(frontend, number=ids[frontend.location]) for frontend in planned)


def _frontend(merged: Merged, numbers: dict[str, int], roles: Roles, logs: LogTable, report: Report) -> Frontend:
    proxy, settings = merged.proxy, merged.settings
    if settings.default_backend is not None:
        backend = find_backend(settings.default_backend, numbers, roles, report)
    else:
        backend = numbers[proxy.name] if proxy.has_backend else -1
    targets = logs.numbers(settings.logs)
    advise_structured_data(merged, logs.formats(targets), report)
    return Frontend(
        name=proxy.name,
        backend=backend,
        location=proxy.location,
        maxconn=value_of(settings.maxconn, 0),
        rate_limit=value_of(settings.rate_limit, 0),
        client_ms=value_of(settings.client, 0),
        client_fin_ms=value_of(settings.client_fin, 0),
        client_hs_ms=value_of(settings.client_hs, 0),
        logs=targets,
        log_tag=value_of(settings.log_tag, None),
        unique_id=with_texts(value_of(settings.unique_id, ()), proxy.name),
        session_log=plan_session_log(settings, proxy.name, logs.formats(targets)),
        nolinger=value_of(settings.nolinger, False),
        kernel_splice=value_of(settings.kernel_splice, False),
        description=value_of(settings.description, None),
        id=value_of(settings.id, None),
        guid=value_of(settings.guid, None),
    )


def _backends(
    roles: Roles, ids: dict[Location, int], logs: LogTable, planner: ServerPlanner, report: Report
) -> tuple[tuple[Backend, ...], tuple[Server, ...]]:
    backends: list[Backend] = []
    servers: list[Server] = []
    for number, merged in enumerate(roles.backends):
        own = planner.servers(merged, number)
        backend = _backend(merged, len(servers), len(own), logs)
        backends.append(replace(backend, number=ids[backend.location]))
        servers += own
    return tuple(backends), resolve_tracks(servers, backends, planner.tracks, report)


def _backend(merged: Merged, first_server: int, server_count: int, logs: LogTable) -> Backend:
    settings = merged.settings
    connect = value_of(settings.connect, 0)
    balance = value_of(settings.balance, BalanceLine("roundrobin"))
    return Backend(
        name=merged.proxy.name,
        balance=_BALANCE[balance.algorithm],
        first_server=first_server,
        server_count=server_count,
        location=merged.proxy.location,
        is_listen=merged.proxy.has_frontend,
        connect_ms=connect,
        server_ms=value_of(settings.server, 0),
        server_fin_ms=value_of(settings.server_fin, 0),
        tunnel_ms=value_of(settings.tunnel, 0),
        queue_ms=value_of(settings.queue, 0) or connect,
        retries=value_of(settings.retries, DEFAULT_RETRIES),
        redispatch=value_of(settings.redispatch, 0),
        allbackups=value_of(settings.allbackups, False),
        abortonclose=value_of(settings.abortonclose, False),
        unpublished=value_of(settings.unpublished, False),
        persist_down=value_of(settings.persist_down, False) and not merged.disabled,
        nolinger=value_of(settings.nolinger, False),
        tcp_smart_connect=value_of(settings.tcp_smart_connect, False),
        fullconn=value_of(settings.fullconn, 0),
        log_health_checks=value_of(settings.log_health_checks, False),
        disable_on_404=value_of(settings.disable_on_404, False),
        draws=balance.draws,
        hashing=plan_hashing(settings),
        logs=logs.numbers(settings.logs),
        log_tag=value_of(settings.log_tag, None),
        kernel_splice=value_of(settings.kernel_splice, False),
        keepalive=server_keepalive(settings),
        description=value_of(settings.description, None),
        id=value_of(settings.id, None),
        guid=value_of(settings.guid, None),
    )
