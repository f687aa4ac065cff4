"""Where connections to servers, and checks, come from."""

from __future__ import annotations

from dataclasses import dataclass

from fastlb.plan.address import Address


@dataclass(frozen=True, slots=True)
class Source:
    """Where connections to a server come from: an address (any for the kernel's choice), ports and an interface.

    ``address.port`` is the first of a range up to ``last_port``; both are 0 for a port of the kernel's choice.
    ``usesrc`` is ``clientip`` or ``client`` for the client's address (and port) in place of these, ``address`` where
    this machine need not have the address, or empty.
    """

    address: Address
    last_port: int = 0
    interface: str | None = None
    usesrc: str = ""

    @property
    def ports(self) -> int:
        """How many ports there are in the range, 0 without one."""
        return self.last_port - self.address.port + 1 if self.address.port else 0

    def __str__(self) -> str:
        host = f"[{self.address.host}]" if self.address.family == "inet6" else self.address.host
        ports = f":{self.address.port}" if self.address.port else ""
        ports += f"-{self.last_port}" if self.ports > 1 else ""
        device = f" interface {self.interface}" if self.interface else ""
        if self.usesrc == "address":
            return f"*{device} usesrc {host}{ports}"
        return f"{host}{ports}{device}{f' usesrc {self.usesrc}' if self.usesrc else ''}"
