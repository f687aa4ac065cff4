"""``addr`` of a health check: another address than the server's, without a port."""

from __future__ import annotations

from fastlb.config.address import expand_address, parse_host, parse_local
from fastlb.config.args import Args
from fastlb.config.endpoint import Endpoint
from fastlb.config.errors import ConfigError, quote


def parse_check_address(args: Args) -> Endpoint:
    """The next word. Raises ConfigError."""
    word = args.need("an IP address or a host name")
    text = expand_address(word, args.environ, args.report)
    if parse_local(text, word.location) is not None:
        raise ConfigError(word.location, f"'addr' cannot be the unix socket {quote(text)}: it is not supported yet")
    if text.count(":") == 1:
        raise ConfigError(word.location, f"'addr' takes no port: {quote(text)}", "the port of the checks is 'port'")
    return parse_host(text, word.location)
