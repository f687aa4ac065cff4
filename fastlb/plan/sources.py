"""``source`` lines to the addresses that connections to a server come from."""

from __future__ import annotations

from pathlib import Path

from fastlb.config.errors import Location, Report, quote
from fastlb.config.tree import Endpoint, Said, ServerOptions, Settings, SourceLine
from fastlb.plan.model import Address, Source
from fastlb.plan.resolve import Resolver

_ANY = {"inet": "0.0.0.0", "inet6": "::"}
_UNPRIVILEGED = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")


class SourcePlanner:
    """A server's own ``source``, or its section's, as a source for that server."""

    def __init__(self, resolver: Resolver, report: Report) -> None:
        self._resolver = resolver
        self._report = report

    def source(self, options: ServerOptions, settings: Settings, server: Address) -> Source | None:
        """None where nothing is asked for, and for unix sockets. What is impossible is reported where it is said."""
        said = options.source or settings.source
        if said is None or server.family not in _ANY:
            return None
        usesrc = said.value.usesrc
        if isinstance(usesrc, Endpoint):
            return self._plain(said, usesrc, usesrc.port, server, "address")
        if usesrc is not None:
            return Source(Address(server.family, _ANY[server.family]), 0, said.value.interface, usesrc)
        return self._plain(said, said.value.endpoint, said.value.last_port, server)

    def of_checks(self, options: ServerOptions, settings: Settings, server: Address) -> Source | None:
        """A check has no client: it comes from the address before ``usesrc``."""
        said = options.source or settings.source
        if said is None or server.family not in _ANY:
            return None
        return self._plain(said, said.value.endpoint, said.value.last_port, server)

    def _plain(
        self, said: Said[SourceLine], endpoint: Endpoint, last_port: int, server: Address, usesrc: str = ""
    ) -> Source | None:
        address = self._resolver.address(endpoint, said.location)
        if address is None:
            return None
        if address.host in _ANY.values():  # any address of the server's kind
            address = Address(server.family, _ANY[server.family], address.port)
        self._check_family(said, address, server)
        self._check_ports(said.location, address.port)
        source = Source(address, last_port, said.value.interface, usesrc)
        asks = address.port or source.interface or address.host not in _ANY.values()
        return source if asks else None

    def _check_family(self, said: Said[SourceLine], address: Address, server: Address) -> None:
        if address.family != server.family:
            message = f"'source {address.host}' cannot reach the server address {quote(str(server))}"
            hint = "one is IPv4, the other IPv6: give the server a 'source' of its own"
            self._report.error(said.location, message, hint)

    def _check_ports(self, where: Location, port: int) -> None:
        first = _first_unprivileged_port()
        if 0 < port < first:
            message = f"'source' cannot use port {port}: workers have no privilege for ports below {first}"
            self._report.error(where, message, f"use ports from {first} on, or none")


def _first_unprivileged_port() -> int:
    try:
        return int(_UNPRIVILEGED.read_text())
    except (OSError, ValueError):
        return 1024
