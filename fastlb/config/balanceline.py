"""``balance`` lines (HAProxy manual, section 4.2 ``balance``)."""

from __future__ import annotations

import re

from fastlb.config import known
from fastlb.config.args import Args
from fastlb.config.balancetree import DEFAULT_DRAWS, BalanceLine
from fastlb.config.errors import ConfigError, quote
from fastlb.config.hashline import parse_hashed_by, parse_hashed_cookie
from fastlb.config.keywords import Keyword, KeywordTable
from fastlb.config.lexer import Word
from fastlb.config.proxysection import ProxySection
from fastlb.config.units import UnitError, parse_integer

MAX_DRAWS = 256
_CALL = re.compile(r"([a-z_-]+)\((.*)\)")

BALANCE_ALGORITHMS: KeywordTable[str] = KeywordTable(
    "balance algorithm",
    {
        "roundrobin": Keyword("roundrobin", "", "the servers in turn, as often as their weights say"),
        "static-rr": Keyword("static-rr", "", "the same as roundrobin"),
        "leastconn": Keyword("leastconn", "", "the server with the fewest connections for its weight"),
        "source": Keyword("source", "", "the same server for the same client address"),
        "first": Keyword("first", "", "the first server, by id, whose 'maxconn' is not reached"),
        "random": Keyword("random", "", "random(n): the less loaded of n servers drawn by weight (2)"),
        "hash": Keyword(
            "hash",
            "sample",
            "the same server for the same sample: src, src,ipmask(24), dst_port, req.ssl_sni and so on",
        ),
        "rdp-cookie": Keyword(
            "rdp-cookie", "", "rdp-cookie(name): the same server for the same cookie of a remote desktop (mstshash)"
        ),
    },
    refused=known.BALANCE_REFUSED,
)


def parse_balance(section: ProxySection, args: Args) -> None:
    """Read ``balance ALGORITHM``. Raises ConfigError."""
    word = args.need(f"an algorithm: one of {', '.join(BALANCE_ALGORITHMS.supported)}")
    call = _CALL.fullmatch(word.text)
    name = BALANCE_ALGORITHMS.find(word._replace(text=call[1]) if call else word, args.report)
    assert name is not None
    if name == "rdp-cookie":
        by = parse_hashed_cookie(word, call[2] if call else "mstshash", args)
        section.set("balance", BalanceLine("hash", by=by), args)
    elif call is None:
        section.set("balance", BalanceLine(name, by=parse_hashed_by(args) if name == "hash" else None), args)
    elif name == "random":
        section.set("balance", BalanceLine(name, _draws(word, call[2])), args)
    else:
        raise ConfigError(word.location, f"{quote(name)} takes no argument in parentheses")


def _draws(word: Word, text: str) -> int:
    try:
        return parse_integer(text, 1, MAX_DRAWS) if text else DEFAULT_DRAWS
    except UnitError as failure:
        message = f"the draws of 'random' cannot be {quote(text)}: {failure}"
        raise ConfigError(word.location, message, "'random(2)' draws two servers and takes the less loaded") from None
