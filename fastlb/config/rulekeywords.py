"""The keywords of proxy sections that are about rules."""

from __future__ import annotations

from fastlb.config.args import Args
from fastlb.config.errors import ConfigError, Location, quote
from fastlb.config.keywords import Keyword
from fastlb.config.proxysection import PLACES, ProxyKeyword, ProxySection, Side
from fastlb.config.ruleline import TCP_REQUEST, TCP_RESPONSE
from fastlb.config.ruletree import Action, ProxyRules


def _check_place(section: ProxySection, args: Args) -> None:
    """Raises ConfigError in a ``defaults`` section that has no name."""
    if section.kind == "defaults" and not section.name:
        message = f"{quote(args.words[0].text)} is not allowed in a 'defaults' section without a name"
        raise ConfigError(args.location, message, "give it one, and write 'from NAME' behind the names of its users")


def check_inherited(kind: str, rules: ProxyRules, where: Location) -> None:
    """Raises ConfigError for rules that such a section cannot inherit: as in HAProxy, none of the other side."""
    unusable = {
        "defaults": (*rules.connection, *rules.session, *rules.content, *rules.answer),
        "listen": (*rules.connection, *rules.session, *rules.content, *rules.answer),
        "frontend": rules.answer,
        "backend": (*rules.connection, *rules.session),
    }[kind]
    if unusable:
        message = f"a {kind!r} section cannot inherit the rule at {unusable[0].location}"
        raise ConfigError(where, message, "rules of 'defaults' are for 'frontend' or for 'backend' sections")


def acl(section: ProxySection, args: Args) -> None:
    """``acl name sample flags values``."""
    _check_place(section, args)
    section.rules.add_acl(args)


def use_backend(section: ProxySection, args: Args) -> None:
    """``use_backend name [condition]``."""
    section.rules.add_backend(args)


def use_server(section: ProxySection, args: Args) -> None:
    """``use-server name condition``."""
    section.rules.add_server(args)


def force_be_switch(section: ProxySection, args: Args) -> None:
    """``force-be-switch condition``."""
    section.rules.add_switch(args)


def force_persist(section: ProxySection, args: Args) -> None:
    """``force-persist condition``."""
    section.rules.add_force(args, Action.ACCEPT)


def ignore_persist(section: ProxySection, args: Args) -> None:
    """``ignore-persist condition``: of HAProxy's persistence that is the one by cookies of HTTP."""
    section.rules.add_force(args, Action.REJECT)
    message = "'ignore-persist' concerns cookies of HTTP: here it ends the search for a 'force-persist', no more"
    args.report.warning(args.location, message)


def stick(section: ProxySection, args: Args) -> None:
    """``stick on|match|store-request|store-response sample``."""
    section.rules.add_stick(args)


def stick_table(section: ProxySection, args: Args) -> None:
    """``stick-table type … size …``."""
    section.rules.set_table(args)


# Actions that one side alone may have.
_SIDES = {"capture": Side.FRONTEND, "set-retries": Side.BACKEND}


def tcp_request(section: ProxySection, args: Args) -> None:
    """``tcp-request``, and what kind of rule follows."""
    _check_place(section, args)
    word = args.need(f"a kind of rule: one of {', '.join(TCP_REQUEST.supported)}")
    add = TCP_REQUEST.find(word, args.report)
    assert add is not None  # the table ignores nothing
    if word.text in ("connection", "session") and not section.side & Side.FRONTEND:
        message = f"{quote(args.said)} is not allowed in {section.title}"
        raise ConfigError(word.location, message, f"it belongs in {PLACES[Side.FRONTEND]}")
    action = args.peek()
    side = _SIDES.get(action.text, Side.BOTH) if action is not None else Side.BOTH
    if action is not None and (not section.side & side or (side is Side.BACKEND and section.kind == "defaults")):
        message = f"{quote(action.text)} is not allowed in {section.title}"
        raise ConfigError(action.location, message, f"it belongs in {PLACES[side]}")
    add(section.rules, args)


def tcp_response(section: ProxySection, args: Args) -> None:
    """``tcp-response``, and what kind of rule follows."""
    _check_place(section, args)
    word = args.need(f"a kind of rule: one of {', '.join(TCP_RESPONSE.supported)}")
    add = TCP_RESPONSE.find(word, args.report)
    assert add is not None  # the table ignores nothing
    add(section.rules, args)


RULE_KEYWORDS: dict[str, Keyword[ProxyKeyword]] = {
    "acl": Keyword(
        ProxyKeyword(acl),
        "name sample [flags] [value …]",
        "a name for a test of the connection, for the conditions of rules",
    ),
    "force-be-switch": Keyword(
        ProxyKeyword(force_be_switch, Side.FRONTEND, in_defaults=False),
        "condition",
        "who may go to a backend with 'be-unpublished'",
    ),
    "force-persist": Keyword(
        ProxyKeyword(force_persist, Side.BACKEND, in_defaults=False),
        "condition",
        "who goes to the server of a 'use-server' or 'stick' though it is down, and stays there",
    ),
    "ignore-persist": Keyword(
        ProxyKeyword(ignore_persist, Side.BACKEND, in_defaults=False),
        "condition",
        "for whom the 'force-persist' lines below it do not count",
    ),
    "stick": Keyword(
        ProxyKeyword(stick, Side.BACKEND, in_defaults=False),
        "on|match|store-request|store-response sample [table name] [condition]",
        "a client that comes back goes to the server that it had",
    ),
    "stick-table": Keyword(
        ProxyKeyword(stick_table, in_defaults=False),
        "type … size n [expire time] [nopurge] [store …]",
        "what is known of clients, shared by all workers: their servers, counters and rates",
    ),
    "tcp-request": Keyword(
        ProxyKeyword(tcp_request),
        "connection|session|content action [condition]",
        "who is let in; 'tcp-request inspect-delay time': how long what a client sends is waited for",
    ),
    "tcp-response": Keyword(
        ProxyKeyword(tcp_response, Side.BACKEND, strict=True),
        "content accept|reject|close|silent-drop [condition]",
        "what becomes of what a server sends first; 'tcp-response inspect-delay time': how long it is waited for",
    ),
    "use-server": Keyword(
        ProxyKeyword(use_server, Side.BACKEND, in_defaults=False), "name condition", "the server a session goes to"
    ),
    "use_backend": Keyword(
        ProxyKeyword(use_backend, Side.FRONTEND, in_defaults=False),
        "name [condition]",
        "the backend a session goes to, if the condition holds",
    ),
}
