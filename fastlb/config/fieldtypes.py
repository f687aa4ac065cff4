"""Types of the fields of PROXY headers (proxy-protocol.txt, section 2.2)."""

from __future__ import annotations

import os
import re

AUTHORITY, CRC32C, UNIQUE_ID = 2, 3, 5
NAMES = {"ALPN": 1, "AUTHORITY": AUTHORITY, "UNIQUE_ID": UNIQUE_ID, "SSL": 0x20, "NETNS": 0x30}
_DECIMAL, _HEXADECIMAL = re.compile("[0-9]{1,3}"), re.compile("0[xX]([0-9a-fA-F]{1,2})")
_SAMPLE = re.compile(r"fc_pp_tlv\(([^()]*)\)")


def field_type(text: str) -> int | None:
    """0 to 255, decimal or with 0x before it, or a name in capitals; None for anything else."""
    found = _HEXADECIMAL.fullmatch(text)
    if found:
        return int(found[1], 16)
    if _DECIMAL.fullmatch(text) and int(text) <= 255:
        return int(text)
    return NAMES.get(text)


def field_of_sample(name: str) -> int | None:
    """The type that ``fc_pp_tlv(type)``, ``fc_pp_authority`` or ``fc_pp_unique_id`` asks for."""
    found = _SAMPLE.fullmatch(name)
    return field_type(found[1]) if found else {"fc_pp_authority": AUTHORITY, "fc_pp_unique_id": UNIQUE_ID}.get(name)


def type_text(kind: int) -> str:
    """A type as the text of a piece: one byte."""
    return os.fsdecode(bytes([kind]))
