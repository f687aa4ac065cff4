"""Every word of the language in one list: where it stands, what follows it, what becomes of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fastlb.config import known
from fastlb.config.acl import MATCHES
from fastlb.config.balanceline import BALANCE_ALGORITHMS
from fastlb.config.bindline import BIND_OPTIONS
from fastlb.config.blocks import DIRECTIVES
from fastlb.config.globalsection import GLOBAL_KEYWORDS
from fastlb.config.httpcheck import CONNECT, HTTP_CHECKS, SEND
from fastlb.config.httpexpect import EXPECT
from fastlb.config.keywords import Keyword, KeywordTable, Tier
from fastlb.config.proxykeywords import PROXY_KEYWORDS
from fastlb.config.proxyoptions import OPTIONS, OptionKeyword
from fastlb.config.proxysection import SIDES, ProxyKeyword, Side
from fastlb.config.ringsection import RING_KEYWORDS
from fastlb.config.ruleline import ACTIONS, ANSWER_ACTIONS, TCP_REQUEST, TCP_RESPONSE
from fastlb.config.samples import CONVERTERS, FETCHES
from fastlb.config.serverline import SERVER_OPTIONS
from fastlb.config.tableline import OPTIONS as TABLE_WORDS
from fastlb.config.tableline import STICKS
from fastlb.config.tablewords import STORES
from fastlb.config.timeouts import TIMEOUTS

_SECTIONS: KeywordTable[None] = KeywordTable(
    "section",
    {
        "global": Keyword(None, "", "the service as a whole"),
        "defaults": Keyword(None, "[name] [from other]", "settings for the proxy sections below it"),
        "frontend": Keyword(None, "name [from defaults]", "where clients connect"),
        "backend": Keyword(None, "name [from defaults]", "the servers that may serve them"),
        "listen": Keyword(None, "name [from defaults]", "a frontend and a backend in one"),
        "ring": Keyword(None, "name", "log lines on their way to a server over TCP"),
    },
    not_yet=known.NOT_YET_SECTIONS,
    ignored=dict.fromkeys(known.IGNORED_SECTIONS, known.OTHER_ONLY),
)

# What each table is about, what goes before its words in a file, and the table.
TABLES: tuple[tuple[str, str, KeywordTable[Any]], ...] = (
    ("directives", "", DIRECTIVES),
    ("sections", "", _SECTIONS),
    ("section 'global'", "", GLOBAL_KEYWORDS),
    ("proxy sections", "", PROXY_KEYWORDS),
    ("options of proxies", "option ", OPTIONS),
    ("timeouts", "timeout ", TIMEOUTS),
    ("algorithms of 'balance'", "balance ", BALANCE_ALGORITHMS),
    ("options of 'bind'", "", BIND_OPTIONS),
    ("options of 'server' and 'default-server'", "", SERVER_OPTIONS),
    ("section 'ring'", "", RING_KEYWORDS),
    ("rules of 'tcp-request'", "tcp-request ", TCP_REQUEST),
    ("rules of 'tcp-response'", "tcp-response ", TCP_RESPONSE),
    ("actions of 'tcp-request' rules", "", ACTIONS),
    ("actions of 'tcp-response' rules", "", ANSWER_ACTIONS),
    ("'stick' rules", "stick ", STICKS),
    ("words of 'stick-table'", "", TABLE_WORDS),
    ("what stick tables store", "store ", STORES),
    ("samples", "", FETCHES),
    ("converters of samples", ",", CONVERTERS),
    ("ways to compare", "-m ", MATCHES),
    ("checks over HTTP", "http-check ", HTTP_CHECKS),
    ("words of 'http-check expect'", "", EXPECT),
    ("words of 'http-check send'", "", SEND),
    ("words of 'http-check connect'", "", CONNECT),
)


@dataclass(frozen=True, slots=True)
class Item:
    """One word. ``text`` is the word as a file has it (``timeout client``), ``usage`` what follows it.

    ``place`` is one of TABLES; ``sections`` are those of proxies it may stand in, if it is about them; ``help`` is one
    line for a supported word, for others the reason or what to write instead.
    """

    text: str
    usage: str
    place: str
    sections: tuple[str, ...]
    tier: Tier
    help: str

    @property
    def supported(self) -> bool:
        return self.tier in (Tier.SUPPORTED, Tier.OWN, Tier.INACTIVE)


def items() -> Iterator[Item]:
    """All words, in the order of TABLES; of a family that only a prefix tells of, ``tune.…``."""
    for place, prefix, table in TABLES:
        for word in table.words():
            yield _item(place, prefix, table, word)
        families = {**dict.fromkeys(table.not_yet_prefixes, (Tier.NOT_YET, "")), **_ignored_families(table)}
        for family, (tier, why) in families.items():
            yield Item(f"{prefix}{family}…", "", place, (), tier, why)


def look_up(text: str) -> list[Item]:
    """What the language knows by this name: in each place, and after ``option``, ``timeout`` or ``balance``, too."""
    found = []
    for place, prefix, table in TABLES:
        word = text.removeprefix(prefix)
        if table.knows(word):
            found.append(_item(place, prefix, table, word))
    return found


def _item(place: str, prefix: str, table: KeywordTable[Any], word: str) -> Item:
    verdict = table.verdict(word)
    assert verdict is not None
    tier, text = verdict
    keyword = table.supported.get(word)
    usage, sections = (keyword.usage, _sections(keyword.handler)) if keyword else ("", ())
    return Item(prefix + word, usage, place, sections, tier, text or "")


def _sections(handler: Any) -> tuple[str, ...]:
    """The sections that a keyword of proxies may stand in."""
    match handler:
        case ProxyKeyword(side=side, in_defaults=in_defaults):
            pass
        case OptionKeyword(side=side) | (_, Side() as side):
            in_defaults = True
        case _:
            return ()
    return tuple(kind for kind, sides in SIDES.items() if sides & side and (in_defaults or kind != "defaults"))


def _ignored_families(table: KeywordTable[Any]) -> dict[str, tuple[Tier, str]]:
    return {prefix: (Tier.IGNORED, why) for prefix, why in table.ignored_prefixes.items()}
