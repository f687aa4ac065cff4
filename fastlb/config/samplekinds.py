"""What kinds of samples become of others by themselves, where a converter or a comparison needs them."""

from __future__ import annotations

from dataclasses import replace

from fastlb.config.errors import Location
from fastlb.config.ruletree import Kind, Part, Sample

# What a variable holds is known when it is looked at. The names are no words of the language.
CASTS = {
    (Kind.ANY, Kind.BOOL): "to number", (Kind.ANY, Kind.INTEGER): "to number", (Kind.ANY, Kind.ADDRESS): "to address",
    (Kind.ANY, Kind.TEXT): "to text", (Kind.ANY, Kind.BYTES): "to text",
}  # fmt: skip


def can_be(kind: Kind, wanted: Kind) -> bool:
    """Whether a sample of one kind becomes another by itself."""
    return kind is wanted or (kind, wanted) in CASTS


def as_kind(sample: Sample, wanted: Kind, where: Location) -> Sample:
    """The sample as another kind, which it can be."""
    name = "" if sample.kind is wanted else CASTS[sample.kind, wanted]
    converters = (*sample.converters, Part(name, (), where)) if name else sample.converters
    return replace(sample, kind=wanted, converters=converters)
