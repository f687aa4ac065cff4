"""The keywords of proxy sections that are about rules."""

from __future__ import annotations

from fastlb.config.args import Args
from fastlb.config.errors import ConfigError, quote
from fastlb.config.proxysection import PLACES, ProxySection, Side
from fastlb.config.ruleline import TCP_REQUEST


def acl(section: ProxySection, args: Args) -> None:
    """``acl name sample flags values``."""
    section.rules.add_acl(args)


def use_backend(section: ProxySection, args: Args) -> None:
    """``use_backend name [condition]``."""
    section.rules.add_backend(args)


def use_server(section: ProxySection, args: Args) -> None:
    """``use-server name condition``."""
    section.rules.add_server(args)


def tcp_request(section: ProxySection, args: Args) -> None:
    """``tcp-request``, and what kind of rule follows."""
    word = args.need(f"a kind of rule: one of {', '.join(TCP_REQUEST.supported)}")
    add = TCP_REQUEST.find(word, args.report)
    assert add is not None  # the table ignores nothing
    if word.text in ("connection", "session") and not section.side & Side.FRONTEND:
        message = f"{quote(args.said)} is not allowed in {section.title}"
        raise ConfigError(word.location, message, f"it belongs in {PLACES[Side.FRONTEND]}")
    add(section.rules, args)
