"""``source``: where connections to servers come from (HAProxy manual, sections 4.2 ``source`` and 5.2)."""

from __future__ import annotations

from fastlb.config.address import expand_address, parse_source
from fastlb.config.args import Args
from fastlb.config.errors import ConfigError, NotSupported
from fastlb.config.lineoptions import interface
from fastlb.config.tree import SourceLine


def parse_source_words(args: Args, *, ranges: bool) -> SourceLine:
    """``source addr[:port[-port]] [interface name]``; ``ranges`` of ports belong to one server."""
    word = args.need("an address, such as '192.0.2.1', or '*' for the system's choice")
    endpoint, last_port = parse_source(expand_address(word, args.environ, args.report), word.location, ranges=ranges)
    device = None
    while (option := args.peek()) is not None:
        if args.accept("interface"):
            device = interface(args)[1]
        elif option.text == "usesrc":
            raise NotSupported(option.location, "'usesrc' is not supported yet")
        else:
            break
    return SourceLine(endpoint, last_port, device)


def server_source(args: Args) -> tuple[str, SourceLine]:
    """The option of a server, in the middle of its line."""
    return "source", parse_source_words(args, ranges=True)


def source_statement(args: Args) -> SourceLine:
    """The statement of a section."""
    line = parse_source_words(args, ranges=False)
    word = args.peek()
    if word is not None:
        raise ConfigError(word.location, "after its address, 'source' knows only 'interface' and a name")
    return line
