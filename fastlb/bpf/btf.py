"""Where the running kernel keeps a field of one of its structures (Documentation/bpf/btf.rst of the kernel)."""

from __future__ import annotations

import struct
from pathlib import Path

VMLINUX = Path("/sys/kernel/btf/vmlinux")

_MAGIC = 0xEB9F
_HEADER = struct.Struct("=HBBIIIII")
_TYPE = struct.Struct("=III")
_MEMBER_BYTES = 12
_STRUCT = 4
# What follows a type's 12 bytes: a fixed part, and a part for each of its members, by kind.
_FIXED = {1: 4, 3: 12, 14: 4, 17: 4}
_EACH = {4: 12, 5: 12, 6: 8, 13: 8, 15: 12, 19: 12}


def field_offset(structure: str, name: str, path: Path = VMLINUX) -> int:
    """The offset of a field in bytes. OSError without type information, LookupError when it lacks the field."""
    data = path.read_bytes()
    magic, _, _, header, types_at, types_bytes, strings_at, strings_bytes = _HEADER.unpack_from(data)
    if magic != _MAGIC:
        raise LookupError(f"{path} is not type information")
    types = memoryview(data)[header + types_at : header + types_at + types_bytes]
    strings = data[header + strings_at : header + strings_at + strings_bytes]
    wanted, at = _name(strings, structure), 0
    while at < len(types):
        named, info, _ = _TYPE.unpack_from(types, at)
        kind, count = info >> 24 & 0x1F, info & 0xFFFF
        if kind == _STRUCT and named == wanted:
            return _member(types[at + _TYPE.size :], strings, count, name, bool(info >> 31))
        at += _TYPE.size + _FIXED.get(kind, 0) + _EACH.get(kind, 0) * count
    raise LookupError(f"{path} has no struct {structure}")


def _member(members: memoryview, strings: bytes, count: int, name: str, has_sizes: bool) -> int:
    for index in range(count):
        named, _, bits = _TYPE.unpack_from(members, index * _MEMBER_BYTES)
        if strings[named : strings.index(b"\0", named)] == name.encode():
            return int(bits & 0xFFFFFF if has_sizes else bits) // 8
    raise LookupError(f"no field {name}")


def _name(strings: bytes, name: str) -> int:
    at = strings.find(b"\0" + name.encode() + b"\0")
    if at == -1:
        raise LookupError(f"no type {name}")
    return at + 1
