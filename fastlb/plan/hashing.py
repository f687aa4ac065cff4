"""``balance source`` and ``balance hash``: what is hashed, how, and into what (HAProxy manual, section 4.2)."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from enum import Enum, IntEnum


class HashType(Enum):
    """Which table leads from a hash to a server."""

    MAP = "map-based"
    CONSISTENT = "consistent"
    MAGLEV = "maglev"


class HashFetch(IntEnum):
    """What of a connection is hashed. The values are plan.h's."""

    SRC = 0
    DST = 1
    SRC_PORT = 2
    DST_PORT = 3
    SAMPLE = 4


class Affinity(IntEnum):
    """When a client leaves its server for the next one: never, when it is full, or when its queue is, too.

    The values are plan.h's.
    """

    ALWAYS = 0
    MAXCONN = 1
    MAXQUEUE = 2


class HashFunction(IntEnum):
    """The function. WORDS is "none": the key's 32-bit words, XORed. The values are plan.h's."""

    WORDS = 0
    SDBM = 1
    DJB2 = 2
    WT6 = 3
    CRC32 = 4


class HashKey(Enum):
    """What the places of a server in the table follow from. NAME is what a Maglev table has unless another is said."""

    NAME = "name"
    ID = "id"
    ADDR = "addr"
    ADDR_PORT = "addr-port"


@dataclass(frozen=True, slots=True)
class Hashing:
    """How a backend hashes. ``mask4`` and ``mask6`` are 4 and 16 bytes, or None without ``ipmask`` and its second mask.

    ``factor`` is percent of the average load that a server may have, 0 for no limit. ``sample`` is how a sample was
    written that is hashed; ``or_nothing``: an empty one counts as none.
    """

    type: HashType = HashType.MAP
    fetch: HashFetch = HashFetch.SRC
    function: HashFunction = HashFunction.WORDS
    avalanche: bool = False
    mask4: bytes | None = None
    mask6: bytes | None = None
    factor: int = 0
    affinity: Affinity = Affinity.ALWAYS
    sample: str = ""
    or_nothing: bool = False

    def __str__(self) -> str:
        """For messages: ``src,ipmask(24) by consistent sdbm avalanche``."""
        affinity = f", affinity {self.affinity.name.lower()}" if self.affinity else ""
        return f"{self.key} by {self.table}{f', factor {self.factor}' if self.factor else ''}{affinity}"

    @property
    def key(self) -> str:
        """What stands after ``balance hash``."""
        if self.fetch is HashFetch.SAMPLE:
            return self.sample
        masks = ",".join(_mask(mask) for mask in (self.mask4, self.mask6) if mask is not None)
        return f"{self.fetch.name.lower()},ipmask({masks})" if masks else self.fetch.name.lower()

    @property
    def table(self) -> str:
        """What stands after ``hash-type``."""
        function = "none" if self.function is HashFunction.WORDS else self.function.name.lower()
        return f"{self.type.value} {function}{' avalanche' * self.avalanche}"


def _mask(mask: bytes) -> str:
    """As a number of bits when it is one."""
    bits = f"{int.from_bytes(mask, 'big'):0{8 * len(mask)}b}"
    return str(ipaddress.ip_address(mask)) if "01" in bits else str(bits.count("1"))


DEFAULT_HASHING = Hashing()
