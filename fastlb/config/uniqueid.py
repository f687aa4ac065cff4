"""``unique-id-format`` (HAProxy manual, section 4.2): a name for each connection."""

from __future__ import annotations

from fastlb.config.args import Args
from fastlb.config.errors import ConfigError
from fastlb.config.logformat import parse_value
from fastlb.config.logpieces import PieceKind
from fastlb.config.proxysection import ProxySection


def unique_id_format(section: ProxySection, args: Args) -> None:
    """A format, in one word."""
    word = args.need("a format, such as '%{+X}o%ci:%cp_%fi:%fp_%Ts_%rt:%pid'")
    pieces = parse_value(word.text, word.location, args.report)
    if any(piece.kind is PieceKind.UNIQUE_ID for piece in pieces):
        raise ConfigError(word.location, "the unique id cannot be made of itself")
    args.end('a format is one word: write unique-id-format "…"')
    section.set("unique_id", pieces, args)
