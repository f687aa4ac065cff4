"""What a sample fetch and a converter are, to those who list them and those who read them."""

from __future__ import annotations

from dataclasses import dataclass

from fastlb.config.ruletree import Asks, Kind


@dataclass(frozen=True, slots=True)
class Fetch:
    """``arguments`` are their kinds, a ``?`` behind those that may be left out; ``name`` where it is another's alias.

    ``content``: it looks at what the client has sent; ``answer``: at what the server has sent; ``server``: at the
    connection to the server.
    """

    kind: Kind
    arguments: tuple[str, ...] = ()
    content: bool = False
    answer: bool = False
    name: str = ""
    server: bool = False
    asks: Asks = Asks.NOTHING


@dataclass(frozen=True, slots=True)
class Converter:
    """Takes any of ``takes``, or what becomes the first of them by itself, and gives ``gives``, or what it took."""

    takes: tuple[Kind, ...]
    gives: Kind | None = None
    arguments: tuple[str, ...] = ()


STRINGS = (Kind.TEXT, Kind.BYTES)
