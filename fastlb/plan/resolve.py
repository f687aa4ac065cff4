"""Host names to addresses, once, while the configuration is loaded: the first answer of getaddrinfo, as HAProxy does.

It blocks, and is therefore called in a short-lived process only.
"""

from __future__ import annotations

import socket
import time

from fastlb.config.errors import Location, Report, quote
from fastlb.config.tree import Endpoint, EndpointKind
from fastlb.plan.model import Address

BUDGET_S = 20.0
_FAMILIES = {socket.AF_INET: "inet", socket.AF_INET6: "inet6"}
_WORDS = {"": "IPv4 or IPv6", "inet": "IPv4", "inet6": "IPv6"}


class Resolver:
    """Turns endpoints into addresses. Each name is asked for once; all of them together may take ``budget_s``."""

    def __init__(self, report: Report, budget_s: float = BUDGET_S) -> None:
        self._report = report
        self._left_s = budget_s
        self._answers: dict[tuple[str, str], tuple[str, str] | str] = {}

    def address(self, endpoint: Endpoint, where: Location) -> Address | None:
        """The address, or None when the name cannot be resolved (which is reported)."""
        found = self.look_up(endpoint)
        if isinstance(found, Address):
            return found
        self._report.error(where, f"cannot resolve {quote(endpoint.host)}: {found}")
        return None

    def look_up(self, endpoint: Endpoint) -> Address | str:
        """The address, or why there is none."""
        if endpoint.kind is not EndpointKind.NAME:
            return Address(endpoint.kind.value, endpoint.host, endpoint.port)
        asked = endpoint.host, endpoint.family
        if asked not in self._answers:
            self._answers[asked] = self._ask(*asked)
        answer = self._answers[asked]
        if isinstance(answer, str):
            return answer
        family, host = answer
        return Address(family, host, endpoint.port)

    def _ask(self, name: str, wanted: str) -> tuple[str, str] | str:
        """Family and numeric address of ``name``, or why there are none. ``wanted`` is the family, or empty for any."""
        if self._left_s <= 0:
            return "not tried, because the names before it took too long"
        began_s = time.monotonic()
        try:
            found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as failure:
            return getattr(failure, "strerror", None) or str(failure)
        finally:
            self._left_s -= time.monotonic() - began_s
        for family, _, _, _, address in found:
            if _FAMILIES.get(family) in (wanted or _FAMILIES[family],):
                return _FAMILIES[family], str(address[0])
        return f"it has no {_WORDS[wanted]} address"
