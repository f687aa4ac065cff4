"""BPF instructions with labels (Documentation/bpf/standardization/instruction-set.rst of the kernel)."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

_SIZES = {4: 0x00, 8: 0x18}
_CONDITIONS = {"==": 0x10, ">": 0x20, ">=": 0x30, "!=": 0x50, "<": 0xA0, "<=": 0xB0, "signed<": 0xC0}
_LDX_MEM, _STX_MEM, _LD_IMM64 = 0x61, 0x63, 0x18
_PSEUDO_MAP_FD = 1


@dataclass(slots=True)
class Assembler:
    """Registers are numbers: 0 result, 1-5 arguments (lost by a call), 6-9 kept, 10 the frame, read-only."""

    _code: list[tuple[int, int, int, int, int]] = field(default_factory=list)
    _labels: dict[str, int] = field(default_factory=dict)
    _jumps: dict[int, str] = field(default_factory=dict)

    def code(self) -> bytes:
        """The program, labels resolved."""
        rows = [
            (op, target, source, self._labels[self._jumps[at]] - at - 1 if at in self._jumps else offset, value)
            for at, (op, target, source, offset, value) in enumerate(self._code)
        ]
        return b"".join(
            struct.pack("=BBhi", op, target | source << 4, offset, value) for op, target, source, offset, value in rows
        )

    def label(self, name: str) -> None:
        """Names the next instruction."""
        self._labels[name] = len(self._code)

    def load(self, size: int, target: int, source: int, offset: int) -> None:
        """target = *(source + offset), of 4 or 8 bytes."""
        self._add(_LDX_MEM | _SIZES[size], target, source, offset)

    def store(self, size: int, target: int, offset: int, source: int) -> None:
        """*(target + offset) = source, of 4 or 8 bytes."""
        self._add(_STX_MEM | _SIZES[size], target, source, offset)

    def load_map(self, target: int, map_fd: int) -> None:
        """target = the map; an instruction of double width."""
        self._add(_LD_IMM64, target, _PSEUDO_MAP_FD, 0, map_fd)
        self._add(0)

    def move(self, target: int, source: int) -> None:
        self._add(0xBF, target, source)

    def set(self, target: int, value: int) -> None:
        self._add(0xB7, target, value=value)

    def add(self, target: int, source: int) -> None:
        self._add(0x0F, target, source)

    def add_value(self, target: int, value: int) -> None:
        self._add(0x07, target, value=value)

    def subtract(self, target: int, source: int) -> None:
        self._add(0x1F, target, source)

    def either(self, target: int, source: int) -> None:
        """target |= source."""
        self._add(0x4F, target, source)

    def fetch_add(self, target: int, offset: int, source: int) -> None:
        """Atomically: *(target + offset) += source, and source = what was there. 8 bytes; a full barrier."""
        self._add(0xDB, target, source, offset, 0x01)

    def negate(self, target: int) -> None:
        self._add(0x87, target)

    def low_half(self, target: int) -> None:
        """Keeps the low 32 bits."""
        self._add(0xBC, target, target)

    def jump(self, label: str) -> None:
        self._jumps[len(self._code)] = label
        self._add(0x05)

    def jump_if(self, target: int, condition: str, source: int, label: str) -> None:
        """Compares two registers, as unsigned 64-bit numbers unless the condition says ``signed``."""
        self._jumps[len(self._code)] = label
        self._add(0x0D | _CONDITIONS[condition], target, source)

    def jump_if_value(self, target: int, condition: str, value: int, label: str) -> None:
        self._jumps[len(self._code)] = label
        self._add(0x05 | _CONDITIONS[condition], target, value=value)

    def jump_if_low(self, target: int, condition: str, value: int, label: str) -> None:
        """Compares the low 32 bits with a value."""
        self._jumps[len(self._code)] = label
        self._add(0x06 | _CONDITIONS[condition], target, value=value)

    def call(self, helper: int) -> None:
        self._add(0x85, value=helper)

    def leave(self, verdict: int) -> None:
        self.set(0, verdict)
        self._add(0x95)

    def _add(self, operation: int, target: int = 0, source: int = 0, offset: int = 0, value: int = 0) -> None:
        self._code.append((operation, target, source, offset, value))
