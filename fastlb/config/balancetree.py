"""``balance`` and ``hash-type`` as written."""

from __future__ import annotations

from dataclasses import dataclass

from fastlb.config.ruletree import Sample

DEFAULT_DRAWS = 2


@dataclass(frozen=True, slots=True)
class HashedBy:
    """What ``balance hash`` goes by: ``src``, ``dst``, ``src_port`` or ``dst_port``, and the masks of ``ipmask``.

    Any other is ``sample``; ``fetch`` is then how it was written. ``or_nothing``: an empty one counts as none.
    """

    fetch: str
    mask4: bytes | None = None
    mask6: bytes | None = None
    sample: Sample | None = None
    or_nothing: bool = False


@dataclass(frozen=True, slots=True)
class BalanceLine:
    """``balance``: the algorithm, how many servers ``random`` draws, what ``hash`` goes by."""

    algorithm: str
    draws: int = DEFAULT_DRAWS
    by: HashedBy | None = None


@dataclass(frozen=True, slots=True)
class HashTypeLine:
    """``hash-type``: the kind of table, the function, and whether ``avalanche`` follows it."""

    type: str
    function: str
    avalanche: bool
