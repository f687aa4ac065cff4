"""``source``: where connections to servers come from (HAProxy manual, sections 4.2 ``source`` and 5.2)."""

from __future__ import annotations

from fastlb.config.address import expand_address, parse_source
from fastlb.config.args import Args
from fastlb.config.errors import ConfigError, NotSupported, quote
from fastlb.config.lineoptions import interface
from fastlb.config.tree import Endpoint, SourceLine

_CLIENTS = ("clientip", "client")


def parse_source_words(args: Args, *, ranges: bool) -> SourceLine:
    """``source addr[:port[-port]] [interface name] [usesrc …]``; ``ranges`` of ports belong to one server."""
    word = args.need("an address, such as '192.0.2.1', or '*' for the system's choice")
    endpoint, last_port = parse_source(expand_address(word, args.environ, args.report), word.location, ranges=ranges)
    device, usesrc = None, None
    while True:
        if args.accept("interface"):
            device = interface(args)[1]
        elif args.accept("usesrc"):
            usesrc = _usesrc(args)
        else:
            return SourceLine(endpoint, last_port, device, usesrc)


def _usesrc(args: Args) -> str | Endpoint:
    word = args.need("'clientip', 'client' or an address", "usesrc")
    if word.text in _CLIENTS:
        return word.text
    if word.text.startswith("hdr_ip("):
        raise NotSupported(word.location, "'usesrc hdr_ip' is not supported: it concerns HTTP, and fastlb balances TCP")
    endpoint, _ = parse_source(expand_address(word, args.environ, args.report), word.location, ranges=False)
    if endpoint.host in ("0.0.0.0", "::"):
        raise ConfigError(word.location, f"'usesrc' needs an address, not {quote(word.text)}", "leave 'usesrc' out")
    return endpoint


def server_source(args: Args) -> tuple[str, SourceLine]:
    """The option of a server, in the middle of its line."""
    return "source", parse_source_words(args, ranges=True)


def source_statement(args: Args) -> SourceLine:
    """The statement of a section."""
    line = parse_source_words(args, ranges=False)
    word = args.peek()
    if word is not None:
        raise ConfigError(word.location, "after its address, 'source' knows only 'interface' and 'usesrc'")
    return line
