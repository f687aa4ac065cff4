"""Where log lines go, as ``log`` and the servers of rings say it (HAProxy manual, section 4.2 ``log``)."""

from __future__ import annotations

from fastlb.config.address import parse_log_target
from fastlb.config.errors import ConfigError, Location, quote
from fastlb.config.tree import Endpoint, EndpointKind, RingTarget, StreamTarget

_KINDS = {"4": EndpointKind.INET, "6": EndpointKind.INET6}

Target = Endpoint | StreamTarget | RingTarget | str


def parse_target(text: str, where: Location) -> Target:
    """``ring@name``, ``tcp@host:port``, or what datagrams and streams of our own go to. Raises ConfigError."""
    prefix, at, rest = text.partition("@")
    if at and prefix == "ring":
        if not rest:
            raise ConfigError(where, f"'ring@' needs the name of a 'ring' section: {quote(text)}")
        return RingTarget(rest)
    transport, family = prefix[:3], prefix[3:]
    if not at or transport not in ("tcp", "udp") or family not in ("", *_KINDS):
        return parse_log_target(text, where)
    endpoint = parse_log_target(rest, where)
    if not isinstance(endpoint, Endpoint) or endpoint.kind not in (*_KINDS.values(), EndpointKind.NAME):
        raise ConfigError(where, f"{quote(prefix + '@')} needs an address and a port: {quote(text)}")
    if family and endpoint.kind is not _KINDS[family]:
        raise ConfigError(where, f"{quote(prefix + '@')} needs an IPv{family} address: {quote(text)}")
    return StreamTarget(endpoint) if transport == "tcp" else endpoint
