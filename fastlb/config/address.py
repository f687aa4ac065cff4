"""Addresses as HAProxy writes them: ``host:port``, ``[v6]:port``, ``/path``, or with a prefix (``ipv4@``, ``abns@``).

HAProxy manual, sections 2.3 (variables in addresses), 4.2 ``bind`` and ``server``, 11 (prefixes). The last colon
separates the port.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping

from fastlb.config.environment import EnvironmentSyntaxError, expand
from fastlb.config.errors import ConfigError, Location, Report, quote
from fastlb.config.keywords import because, words
from fastlb.config.lexer import Word
from fastlb.config.tree import BindAddress, Endpoint, EndpointKind

MAX_PORT = 65535
MAX_UNIX_PATH_BYTES = 107
MAX_FD = 1 << 20

_PREFIX = re.compile(r"(stream\+)?([a-z][a-z0-9+]*)@")
_FAMILIES = {"tcp": "", "tcp4": "inet", "tcp6": "inet6", "ipv4": "inet", "ipv6": "inet6"}
_LOCAL = {
    "unix": EndpointKind.UNIX,
    "uxst": EndpointKind.UNIX,
    "abns": EndpointKind.ABSTRACT,
    "abnsz": EndpointKind.EXACT,
}
_OF_LOGS = {"udp@": "", "udp4@": "ipv4@", "udp6@": "ipv6@", "uxdg@": "unix@"}
_NOT_YET_PREFIXES = words("mptcp mptcp4 mptcp6 ring")
_REFUSED_PREFIXES = {
    **because("it is not for TCP", "udp udp4 udp6 uxdg quic quic4 quic6 dgram+unix dgram+ipv4 dgram+ipv6"),
    **because("it passes connections between processes of HAProxy", "sockpair"),
    **because("it concerns HTTP, and fastlb balances TCP", "rhttp"),
}
_WORDS = {"inet": "IPv4", "inet6": "IPv6"}
_HOST_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252})")
_RANGE = re.compile(r"([0-9]{1,9})-([0-9]{1,9})")
_ANY = ("0.0.0.0", "::")
_STANDARD = {Endpoint(EndpointKind.FD, "1"): "stdout", Endpoint(EndpointKind.FD, "2"): "stderr"}


def expand_address(word: Word, environ: Mapping[str, str], report: Report) -> str:
    """Expand variables, in addresses also outside of quotes. One that is not set vanishes, with a warning."""
    try:
        text, unset = expand(word.text, environ)
    except EnvironmentSyntaxError as failure:
        raise ConfigError(word.location, f"{failure} in {quote(word.text)}", failure.hint) from None
    for name in unset:
        message = f"the environment variable {quote(name)} is not set: {quote(word.text)} becomes {quote(text)}"
        report.warning(word.location, message, f'give it a default: "${{{name}-default}}"')
    if not text:
        raise ConfigError(word.location, f"the address {quote(word.text)} is empty")
    return text


def parse_bind(text: str, where: Location) -> tuple[BindAddress, ...]:
    """The addresses of a ``bind`` line: a comma-separated list, each with a port or a range of ports."""
    parts = text.split(",")
    if parts[-1] == "" and len(parts) > 1:
        parts.pop()  # HAProxy accepts a final comma
    return tuple(_bind_address(part, where) for part in parts)


def parse_server(text: str, where: Location, report: Report) -> tuple[Endpoint, int | None]:
    """The address of a ``server``: a host with a port, or a local socket. ``*`` is where the client wanted to go.

    The second is None, or what is added to the port that the client connected to, when the server has none of its own.
    """
    local = parse_local(text, where)
    if local is not None:
        if local.kind is EndpointKind.FD:
            raise ConfigError(where, f"a server cannot be a file descriptor: {quote(text)}")
        return local, None
    if "://" in text:
        raise ConfigError(where, f"a server is an address, not a URL: {quote(text)}", "write host:port")
    family, host, port = _split(text)
    offset = _port_offset(text, port, where)
    number = _server_port(text, port, where, report) if port and offset is None else 0
    return _host(host, where, number, text, family), offset


def parse_source(text: str, where: Location, *, ranges: bool) -> tuple[Endpoint, int]:
    """Where connections come from, and the last port of a range; port 0 is any."""
    if parse_local(text, where) is not None:
        raise ConfigError(where, f"'source' needs an IP address or '*', not {quote(text)}")
    family, host, port = _split(text)
    if not port or (port.isascii() and port.isdigit() and not port.strip("0")):
        return _host(host, where, 0, text, family), 0
    spread = _RANGE.fullmatch(port)
    if spread and not ranges:
        hint = "give each server a 'source' with a range of its own"
        raise ConfigError(where, f"'source' of a section takes one port, not a range: {quote(text)}", hint)
    first, last = _port_range(port, text, where)
    return _host(host, where, first, text, family), last


def parse_log_target(text: str, where: Location) -> Endpoint | str:
    """The target of a ``log`` line: ``stdout``, ``stderr``, ``fd@n``, a path, or an address; its port is 514 if unsaid.

    ``udp@`` and ``uxdg@`` before an address say what it is anyway.
    """
    for prefix, other in _OF_LOGS.items():
        if text.startswith(prefix):
            text = other + text.removeprefix(prefix)
    if text in ("stdout", "stderr"):
        return text
    found = _PREFIX.match(text)
    if found and found[2].startswith("tcp"):
        raise ConfigError(where, f"a log over TCP, '{found[2]}@', is not supported yet")
    local = parse_local(text, where)
    if local is not None:
        return _STANDARD.get(local, local)
    family, host, port = _split(text)
    endpoint = _host(host, where, _port(port, text, where) if port else 514, text, family)
    if endpoint.host in _ANY:
        raise ConfigError(where, f"a log target needs an address: {quote(text)}")
    return endpoint


def parse_local(text: str, where: Location) -> Endpoint | None:
    """``/path``, ``unix@path``, ``abns@name``, ``abnsz@name`` or ``fd@n``; None for an address of the network."""
    prefix = _PREFIX.match(text)
    name, rest = (prefix[2], text[prefix.end() :]) if prefix else ("", text)
    if name in _REFUSED_PREFIXES:
        message = f"the address prefix '{name}@' is not supported: {_REFUSED_PREFIXES[name]}"
        raise ConfigError(where, message)
    if name in _NOT_YET_PREFIXES:
        raise ConfigError(where, f"the address prefix '{name}@' is not supported yet")
    if name == "fd":
        return _descriptor(rest, text, where)
    if name in _LOCAL or text.startswith("/"):
        return _local(_LOCAL.get(name, EndpointKind.UNIX), rest, text, where)
    return None


def parse_host(text: str, where: Location) -> Endpoint:
    """A numeric address, ``*`` or nothing for any IPv4 address, or a host name that is resolved later; no port."""
    family, host = _unprefixed(text)
    return _host(host, where, 0, text, family)


def _unprefixed(text: str) -> tuple[str, str]:
    """``ipv4@…`` and its like: the family that is asked for, empty for any, and the rest."""
    prefix = _PREFIX.match(text)
    if prefix is None or prefix[2] not in _FAMILIES:
        return "", text
    return _FAMILIES[prefix[2]], text[prefix.end() :]


def _split(text: str) -> tuple[str, str, str | None]:
    """Family, host and port; the port is None without a colon."""
    family, rest = _unprefixed(text)
    return family, *split_port(rest)


def _host(host: str, where: Location, port: int, text: str, family: str) -> Endpoint:
    """``text`` is the whole address, for messages."""
    if host in ("", "*"):
        six = family == "inet6"
        return Endpoint(EndpointKind.INET6 if six else EndpointKind.INET, "::" if six else "0.0.0.0", port)
    endpoint = _numeric(host, where, port, text)
    if endpoint is None:
        if _HOST_NAME.fullmatch(host) is None:
            raise ConfigError(where, f"{quote(host)} is neither an IP address nor a host name")
        return Endpoint(EndpointKind.NAME, host, port, family)
    if family not in ("", endpoint.kind.value):
        raise ConfigError(where, f"{quote(host)} is no {_WORDS[family]} address, as the prefix has it: {quote(text)}")
    return endpoint


def _numeric(host: str, where: Location, port: int, text: str) -> Endpoint | None:
    if ":" in host or host.startswith("["):
        return Endpoint(EndpointKind.INET6, _ipv6(host, text, where), port)
    try:
        return Endpoint(EndpointKind.INET, str(ipaddress.IPv4Address(host)), port)
    except ValueError:
        return None


def split_port(text: str) -> tuple[str, str | None]:
    """Split at the last colon behind any bracket; the port is None without one."""
    colon = text.rfind(":")
    if colon <= text.rfind("]"):
        return text, None
    return text[:colon], text[colon + 1 :]


def _ipv6(host: str, text: str, where: Location) -> str:
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if "%" in bare:
        raise ConfigError(where, f"an IPv6 address with a zone is not supported yet: {quote(host)}")
    try:
        return str(ipaddress.IPv6Address(bare))
    except ValueError:
        hint = "an IPv6 address is written in brackets before its port: [::1]:80"
        raise ConfigError(where, f"{quote(host)} is no IPv6 address, in {quote(text)}", hint) from None


def _descriptor(number: str, text: str, where: Location) -> Endpoint:
    if not (number.isascii() and number.isdigit()) or len(number) > 7 or int(number) > MAX_FD:
        raise ConfigError(where, f"'fd@' needs the number of a file descriptor: {quote(text)}")
    return Endpoint(EndpointKind.FD, str(int(number)))


def _local(kind: EndpointKind, name: str, text: str, where: Location) -> Endpoint:
    size = len(name.encode("utf-8", "surrogateescape"))
    if not 0 < size <= MAX_UNIX_PATH_BYTES:
        message = f"the name of a unix socket has 1 to {MAX_UNIX_PATH_BYTES} bytes, not {size}: {quote(text)}"
        raise ConfigError(where, message)
    return Endpoint(kind, name)


def _bind_address(text: str, where: Location) -> BindAddress:
    if not text:
        raise ConfigError(where, "an address of the list is empty")
    local = parse_local(text, where)
    if local is not None:
        return BindAddress(local, 0, where)
    family, host, port = _split(text)
    if not port:
        hint = (
            f"did you mean {quote(':' + text)}?"
            if text.isdigit()
            else "write address:port, or *:port for every address"
        )
        raise ConfigError(where, f"missing port in {quote(text)}", hint)
    low, high = _port_range(port, text, where)
    return BindAddress(_host(host, where, low, text, family), high, where)


def _port_range(port: str, text: str, where: Location) -> tuple[int, int]:
    spread = _RANGE.fullmatch(port)
    first, last = (spread[1], spread[2]) if spread else (port, port)
    low, high = _port(first, text, where), _port(last, text, where)
    if high < low:
        raise ConfigError(where, f"the port range {quote(port)} ends before it begins")
    return low, high


def _port(port: str, text: str, where: Location) -> int:
    if not (port.isascii() and port.isdigit()):
        raise ConfigError(
            where, f"invalid port {quote(port)} in {quote(text)}: a number within 1 and {MAX_PORT} is expected"
        )
    number = int(port) if len(port.lstrip("0")) <= 5 else MAX_PORT + 1
    if not 1 <= number <= MAX_PORT:
        raise ConfigError(where, f"invalid port {quote(port)} in {quote(text)}: it must be within 1 and {MAX_PORT}")
    return number


def _port_offset(text: str, port: str | None, where: Location) -> int | None:
    """What is added to the client's destination port, for a server with no port, with 0, or with a signed number."""
    if not port or (port.isascii() and port.isdigit() and not port.strip("0")):
        return 0
    if port[0] not in "+-":
        return None
    digits = port[1:]
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 9 or int(digits) > MAX_PORT:
        message = f"invalid port offset {quote(port)} in {quote(text)}: a number within 0 and {MAX_PORT} is expected"
        raise ConfigError(where, message)
    return int(port)


def _server_port(text: str, port: str, where: Location, report: Report) -> int:
    """The port of a server that has one of its own."""
    if _RANGE.fullmatch(port):
        raise ConfigError(where, f"a server has one port, not a range: {quote(text)}")
    digits, slash, path = port.partition("/")
    number = _port(digits if slash and digits else port, text, where)
    if slash:
        hint = f"to check that path, add {quote('option httpchk GET /' + path)}"
        report.warning(where, f"{quote('/' + path)} after the port is ignored: a server address has no path", hint)
    return number
