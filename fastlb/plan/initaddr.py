"""The address of a server when the file is read: what ``init-addr`` and ``-dr`` make of a name without an answer."""

from __future__ import annotations

import ipaddress

from fastlb.config.errors import Report, quote
from fastlb.config.tree import EndpointKind, ServerLine, ServerOptions
from fastlb.plan.model import UNRESOLVED, Address
from fastlb.plan.resolve import Resolver
from fastlb.plan.values import value_of

_DEFAULT = ("last", "libc")


class ServerAddresses:
    """``lenient`` is ``-dr``: whatever else is said, a name without an answer does not refuse the configuration."""

    def __init__(self, resolver: Resolver, report: Report, *, lenient: bool) -> None:
        self._resolver = resolver
        self._report = report
        self._lenient = lenient

    def address(self, line: ServerLine, options: ServerOptions) -> Address | None:
        """The address, one in its place, or UNRESOLVED; None, with an error, where none of it is allowed.

        ``last`` is what a file of states says, and there is none: the next method is asked.
        """
        endpoint, where = line.address.value, line.address.location
        if endpoint.kind is not EndpointKind.NAME:
            return self._resolver.address(endpoint, where)
        failure = ""
        for method in (*value_of(options.init_addr, _DEFAULT), *(("none",) if self._lenient else ())):
            if method == "libc":
                found = self._resolver.look_up(endpoint)
                if isinstance(found, Address):
                    return found
                failure = found
            elif method == "none":
                self._warn(line, failure, "it is in maintenance until a reload finds an address")
                return Address(UNRESOLVED, endpoint.host, endpoint.port)
            elif method != "last":
                if failure:
                    self._warn(line, failure, f"it is taken to be at {method}, as 'init-addr' says")
                version = ipaddress.ip_address(method).version
                return Address("inet" if version == 4 else "inet6", method, endpoint.port)
        message = f"cannot resolve {quote(endpoint.host)}: {failure or 'no method of init-addr asks for it'}"
        self._report.error(where, message, "'init-addr libc,none' starts without an address")
        return None

    def _warn(self, line: ServerLine, failure: str, what: str) -> None:
        name = quote(line.address.value.host)
        why = f"cannot resolve {name}: {failure}" if failure else f"nobody asked for the address of {name}"
        self._report.warning(line.address.location, f"{why}: server {quote(line.name)}: {what}")
