"""``server`` lines to numbered servers and their health checks."""

from __future__ import annotations

from dataclasses import replace

from fastlb.config.errors import Location, Report, quote
from fastlb.config.proxytree import NO_EXTRAS
from fastlb.config.tree import (
    EndpointKind,
    Said,
    ServerLine,
    ServerOptions,
    Settings,
    SlowStart,
    merged_options,
)
from fastlb.plan.checkmodel import DEFAULT_ERROR_LIMIT, Observe, OnError
from fastlb.plan.congestion import server_congestion
from fastlb.plan.fields import plan_extras
from fastlb.plan.hashplan import hash_key
from fastlb.plan.identity import fill_ids
from fastlb.plan.initaddr import ServerAddresses
from fastlb.plan.model import (
    DEFAULT_FALL,
    DEFAULT_INTER_MS,
    DEFAULT_RISE,
    DEFAULT_WEIGHT,
    LOCAL,
    UNRESOLVED,
    Address,
    Check,
    CheckKind,
    InitState,
    Round,
    Server,
)
from fastlb.plan.resolve import Resolver
from fastlb.plan.script import Exchange, Script, script_of, script_port
from fastlb.plan.signingkey import signing_key
from fastlb.plan.sources import SourcePlanner
from fastlb.plan.values import Merged, value_of

_ANY = ("0.0.0.0", "::")
_CHECK_OPTIONS = (
    "inter", "fastinter", "downinter", "init_state", "rise", "fall", "port", "addr", "check_send_proxy", "observe",
    "error_limit", "on_error",
)  # fmt: skip


def _limits(options: ServerOptions) -> tuple[int, int]:
    """``maxconn`` and ``minconn``. Only a lower minconn has the limit follow the load, one above is the limit."""
    maxconn, minconn = value_of(options.maxconn, 0), value_of(options.minconn, 0)
    return max(maxconn, minconn), minconn if minconn < maxconn else 0


class ServerPlanner:
    """Plans the servers of one backend after the other. ``tracks``: what they say to track, by their number.

    ``lenient``: a server whose name has no address is planned without one.
    """

    def __init__(self, resolver: Resolver, report: Report, *, lenient: bool = False) -> None:
        self._resolver = resolver
        self._addresses = ServerAddresses(resolver, report, lenient=lenient)
        self._report = report
        self._sources = SourcePlanner(resolver, report)
        self._planned = 0
        self._script: Script = ()
        self.tracks: dict[int, Said[str]] = {}

    def servers(self, merged: Merged, backend: int) -> list[Server]:
        """The servers of one backend, in their order. Names used twice are reported."""
        planned: list[Server] = []
        first: dict[str, Location] = {}
        self._script = script_of(merged.settings, merged.proxy.own, self._report)
        for line in merged.proxy.servers:
            where = first.setdefault(line.name, line.location)
            if where is not line.location:
                message = f"{merged.title} has a server {quote(line.name)} already, at line {where.line}"
                self._report.error(line.location, message)
            server = self._server(line, merged, backend, self._planned + len(planned))
            if server is not None:
                planned.append(server)
        self._planned += len(planned)
        return self._numbered(planned)

    def _numbered(self, planned: list[Server]) -> list[Server]:
        """With an id for those that say none."""
        ids = fill_ids(server.id for server in planned)
        return [replace(server, id=number) for server, number in zip(planned, ids, strict=True)]

    def _server(self, line: ServerLine, merged: Merged, backend: int, number: int) -> Server | None:
        inherited = merged.proxy.inherited.server_options
        options = merged_options(line.own, merged_options(line.defaults, inherited))
        address = self._addresses.address(line, options)
        if address is None:
            return None
        if address.host in _ANY and line.address.value.kind is EndpointKind.NAME:
            message = f"the server address {quote(str(address))} is no address to connect to"
            self._report.error(line.address.location, message)
            return None
        source = self._sources.source(options, merged.settings, address)
        if options.track is not None:
            self._track(line, options, options.track, number)
        maxconn, minconn = _limits(options)
        extras = plan_extras(options, _proxy_version(options), self._report)
        slowstart = value_of(options.slowstart, SlowStart(0, False))
        return Server(
            name=line.name,
            backend=backend,
            address=address,
            location=line.location,
            weight=value_of(options.weight, DEFAULT_WEIGHT),
            backup=value_of(options.backup, False),
            disabled=value_of(options.disabled, False) or merged.disabled or address.family == UNRESOLVED,
            maxconn=maxconn,
            minconn=minconn,
            maxqueue=value_of(options.maxqueue, 0),
            track=value_of(options.track, None),
            hash_key=hash_key(options, merged.settings),
            check=self._check(line, options, merged.settings, address),
            source=source,
            user_timeout_ms=value_of(options.user_timeout, 0) if address.family not in LOCAL else 0,
            port_offset=line.port_offset,
            id=value_of(line.own.id, 0),
            guid=value_of(options.guid, None),
            slowstart_ms=slowstart.ms,
            slowstart_new=slowstart.new_servers,
            shutdown_when_down=value_of(options.shutdown_when_down, False),
            shutdown_backups_when_up=value_of(options.shutdown_backups_when_up, False),
            proxy_version=_proxy_version(options),
            proxy_crc32c="crc32c" in extras.options,
            proxy_authority="authority" in extras.options,
            proxy_unique_id="unique-id" in extras.options,
            proxy_fields=extras.fields,
            md5_key=signing_key(options.md5_key, self._report) if address.family not in LOCAL else "",
            congestion=server_congestion(options.congestion, self._report) if address.family not in LOCAL else None,
            non_stick=value_of(options.non_stick, False),
        )

    def _track(self, line: ServerLine, options: ServerOptions, track: Said[str], number: int) -> None:
        self.tracks[number] = track
        if value_of(options.check, False):
            message = f"server {quote(line.name)} cannot have both a 'check' of its own and 'track'"
            self._report.error(track.location, message, "say 'no-check'")

    def _check(self, line: ServerLine, options: ServerOptions, settings: Settings, server: Address) -> Check | None:
        if not value_of(options.check, False):
            self._warn_unchecked(line)
            return None
        address = self._check_address(line, options, server)
        if address is None:
            return None
        inter = value_of(options.inter, DEFAULT_INTER_MS)
        limit = value_of(settings.check_timeout, 0)
        connect = (value_of(settings.connect, 0) or inter) if limit else inter
        check = Check(
            kind=CheckKind.HTTP if self._script else CheckKind.TCP,
            address=address,
            inter_ms=inter,
            fastinter_ms=value_of(options.fastinter, inter),
            downinter_ms=value_of(options.downinter, inter),
            rise=value_of(options.rise, DEFAULT_RISE),
            fall=value_of(options.fall, DEFAULT_FALL),
            init_state=InitState(value_of(options.init_state, InitState.UP.value)),
            connect_ms=min(connect, inter),
            read_ms=limit,
            source=self._sources.of_checks(options, settings, address),
            md5_key=value_of(options.md5_key, "") if address.family not in LOCAL else "",
            proxy_version=_check_proxy_version(options),
            proxy_crc32c="crc32c" in value_of(options.proxy_extras, NO_EXTRAS).options,
            disable_on_404=value_of(settings.disable_on_404, False),
            send_state=value_of(settings.send_state, False),
            observe=_observe(options),
        )
        rounds = tuple(self._round(exchange, check, options, settings, line) for exchange in self._script)
        return replace(check, rounds=rounds, address=rounds[0].address if rounds else address)

    def _round(
        self, exchange: Exchange, check: Check, options: ServerOptions, settings: Settings, line: ServerLine
    ) -> Round:
        """One connection: where the server line says, or where ``http-check connect`` says."""
        rule = exchange.connect
        if rule is None:
            return Round(
                check.address,
                exchange.request,
                exchange.expects,
                check.source,
                check.proxy_version,
                check.proxy_crc32c,
            )
        address = check.address
        if rule.addr is not None:
            found = self._resolver.address(rule.addr, rule.location)
            address = replace(found, port=address.port) if found else address
        if rule.port is not None and address.family not in LOCAL:
            address = replace(address, port=rule.port)
        if address.port == 0 and address.family not in LOCAL:
            message = f"this connection has no port: server {quote(line.name)} is a unix socket"
            self._report.error(rule.location, message, "add 'port'")
        proxy_version = check.proxy_version if rule.default else 0
        return Round(
            address,
            exchange.request,
            exchange.expects,
            self._sources.of_checks(options, settings, address),
            (_proxy_version(options) or 1) if rule.send_proxy else proxy_version,
            check.proxy_crc32c,
            rule.linger,
            True,
            rule.port or 0,
            rule.comment,
        )

    def _check_address(self, line: ServerLine, options: ServerOptions, server: Address) -> Address | None:
        """The server's own address, with ``addr`` and ``port`` in place of its parts."""
        base = server
        if options.addr is not None:
            found = self._resolver.address(options.addr.value, options.addr.location)
            if found is None:
                return None
            base = found
        if base.family in LOCAL:
            if line.own.port is not None:
                self._report.warning(line.own.port.location, "'port' has no effect on a unix socket")
            return base
        if base.host in _ANY:
            message = f"the check of server {quote(line.name)} has no address: the server is where a client wants to go"
            self._report.error(line.location, message, "add 'addr'")
            return None
        port = value_of(options.port, server.port) or script_port(self._script)
        if port == 0:
            where = options.addr.location if options.addr else line.location
            self._report.error(where, f"the check of server {quote(line.name)} has no port", "add 'port'")
            return None
        return Address(base.family, base.host, port)

    def _warn_unchecked(self, line: ServerLine) -> None:
        """Options of a check on a server that has none: most likely 'check' was forgotten."""
        for name in _CHECK_OPTIONS:
            said = getattr(line.own, name)
            if said is not None and line.own.check is None:
                word = quote(name.replace("_", "-"))
                self._report.warning(said.location, f"{word} has no effect: server {quote(line.name)} has no 'check'")
                return


def _observe(options: ServerOptions) -> Observe | None:
    if not value_of(options.observe, False):
        return None
    limit = value_of(options.error_limit, DEFAULT_ERROR_LIMIT)
    return Observe(limit, OnError(value_of(options.on_error, OnError.FAIL_CHECK.value)))


def _proxy_version(options: ServerOptions) -> int:
    """Of the header that goes to the server: with both versions asked for it is the second, as in HAProxy."""
    if value_of(options.send_proxy_v2, False):
        return 2
    return 1 if value_of(options.send_proxy, False) else 0


def _check_proxy_version(options: ServerOptions) -> int:
    """HAProxy manual, section 5.2, ``check-send-proxy``: without it, checks that go elsewhere have no header."""
    if value_of(options.check_send_proxy, False):
        return _proxy_version(options) or 1
    return 0 if options.port is not None or options.addr is not None else _proxy_version(options)
