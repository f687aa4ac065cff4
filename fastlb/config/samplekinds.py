"""What kinds of samples become of others by themselves, where a converter or a comparison needs them."""

from __future__ import annotations

from dataclasses import replace

from fastlb.config.errors import Location
from fastlb.config.ruletree import Kind, Part, Sample

# Of those that stand for "the same, named differently" there is nothing to do. The names are no words of the language.
_NOTHING = ""
# What a variable holds is known when it is looked at.
CASTS = {
    (Kind.ANY, Kind.BOOL): "to number", (Kind.ANY, Kind.INTEGER): "to number", (Kind.ANY, Kind.ADDRESS): "to address",
    (Kind.ANY, Kind.TEXT): "to text", (Kind.ANY, Kind.BYTES): "to bytes",
    (Kind.BOOL, Kind.INTEGER): _NOTHING, (Kind.BOOL, Kind.TEXT): "to text", (Kind.BOOL, Kind.BYTES): "to bytes",
    (Kind.INTEGER, Kind.BOOL): _NOTHING, (Kind.INTEGER, Kind.TEXT): "to text", (Kind.INTEGER, Kind.BYTES): "to bytes",
    (Kind.INTEGER, Kind.ADDRESS): "to address", (Kind.VERSION, Kind.INTEGER): _NOTHING,
    (Kind.VERSION, Kind.TEXT): "to text", (Kind.VERSION, Kind.BYTES): "to bytes",
    (Kind.ADDRESS, Kind.TEXT): "to text", (Kind.ADDRESS, Kind.BYTES): "to bytes",
    (Kind.ADDRESS, Kind.INTEGER): "to number", (Kind.TEXT, Kind.BYTES): _NOTHING, (Kind.TEXT, Kind.BOOL): "to number",
    (Kind.TEXT, Kind.INTEGER): "to number", (Kind.TEXT, Kind.ADDRESS): "to address", (Kind.BYTES, Kind.TEXT): _NOTHING,
}  # fmt: skip
GIVES = {"to number": Kind.INTEGER, "to address": Kind.ADDRESS, "to text": Kind.TEXT, "to bytes": Kind.BYTES}


def can_be(kind: Kind, wanted: Kind) -> bool:
    """Whether a sample of one kind becomes another by itself."""
    return kind is wanted or (kind, wanted) in CASTS


def as_kind(sample: Sample, wanted: Kind, where: Location) -> Sample:
    """The sample as another kind, which it can be."""
    name = _NOTHING if sample.kind is wanted else CASTS[sample.kind, wanted]
    converters = (*sample.converters, Part(name, (), where)) if name else sample.converters
    return replace(sample, kind=wanted, converters=converters)
