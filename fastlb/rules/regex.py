"""Regular expressions to steps that the engine follows all at once: src/regex.pxi. Time grows with text times steps.

The steps are those of Thompson's construction (Ken Thompson, "Regular expression search algorithm", 1968), in the
order in which Perl would try them.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from fastlb.rules.regexparse import RegexError as RegexError
from fastlb.rules.regexparse import parse_regex
from fastlb.rules.regextree import At, Either, Group, Node, OneOf, Place, Repeat, Row

MAX_STEPS = 1000
MAX_CAPTURING_STEPS = 250
MAX_GROUPS = 9


class Op(IntEnum):
    """What a step does. The values are src/rules.h's."""

    BYTE = 0  # takes this byte
    SET = 1  # takes one of a set
    JUMP = 2
    SPLIT = 3  # goes both ways, the first is better
    AT = 4  # goes on at a place
    SAVE = 5  # remembers where it is
    MATCH = 6


class Step(NamedTuple):
    """``first`` is a byte, a set, a place, a number, or where to go on."""

    op: Op
    first: int = 0
    second: int = 0


class Regex(NamedTuple):
    """``firsts``: bytes that a match can begin with, or None where it may be empty; ``anchored``: only at the start."""

    steps: tuple[Step, ...]
    firsts: int | None
    anchored: bool
    groups: int


def compile_regex(text: bytes, *, ignore_case: bool = False, captures: bool = False) -> Regex:
    """The steps of an expression; with ``captures`` they remember where it and its groups match. Raises RegexError."""
    node, groups = parse_regex(text, ignore_case=ignore_case)
    steps: list[Step] = []
    writer = _Writer(steps, captures)
    if captures:
        node = Group(node, 0)
    writer.write(node)
    writer.step(Op.MATCH)
    firsts, anchored = _beginnings(steps)
    return Regex(tuple(steps), firsts, anchored, groups)


class _Writer:
    def __init__(self, steps: list[Step], captures: bool) -> None:
        self._steps = steps
        self._captures = captures
        self._most = MAX_CAPTURING_STEPS if captures else MAX_STEPS

    def step(self, op: Op, first: int = 0, second: int = 0) -> int:
        if len(self._steps) >= self._most:
            raise RegexError(f"it takes more than {self._most} steps: repeat less")
        self._steps.append(Step(op, first, second))
        return len(self._steps) - 1

    def write(self, node: Node) -> None:
        if isinstance(node, OneOf):
            single = node.bytes and node.bytes & (node.bytes - 1) == 0
            self.step(*((Op.BYTE, node.bytes.bit_length() - 1) if single else (Op.SET, node.bytes)))
        elif isinstance(node, At):
            self.step(Op.AT, node.place)
        elif isinstance(node, Row):
            for part in node.parts:
                self.write(part)
        elif isinstance(node, Either):
            self._either(node.parts)
        elif isinstance(node, Repeat):
            self._repeat(node)
        else:
            self._group(node)

    def _group(self, node: Group) -> None:
        remembered = self._captures and node.number <= MAX_GROUPS
        if remembered:
            self.step(Op.SAVE, 2 * node.number)
        self.write(node.part)
        if remembered:
            self.step(Op.SAVE, 2 * node.number + 1)

    def _either(self, parts: tuple[Node, ...]) -> None:
        ends = []
        for part in parts[:-1]:
            split = self.step(Op.SPLIT)
            self.write(part)
            ends.append(self.step(Op.JUMP))
            self._steps[split] = Step(Op.SPLIT, split + 1, len(self._steps))
        self.write(parts[-1])
        for end in ends:
            self._steps[end] = Step(Op.JUMP, len(self._steps))

    def _repeat(self, node: Repeat) -> None:
        for _ in range(node.least):
            self.write(node.part)
        if node.most is None:
            split = self.step(Op.SPLIT)
            self.write(node.part)
            self.step(Op.JUMP, split)
            self._split(split, len(self._steps), node.lazy)
            return
        splits = []
        for _ in range(node.most - node.least):
            splits.append(self.step(Op.SPLIT))
            self.write(node.part)
        for split in splits:
            self._split(split, len(self._steps), node.lazy)

    def _split(self, at: int, end: int, lazy: bool) -> None:
        """At this step, either what follows it or what follows the repetition."""
        self._steps[at] = Step(Op.SPLIT, end, at + 1) if lazy else Step(Op.SPLIT, at + 1, end)


def _beginnings(steps: list[Step]) -> tuple[int | None, bool]:
    """The bytes that a match can begin with, or None; and whether it begins at the start of the text only."""
    firsts, empty, anchored = 0, False, True
    waiting, seen = [(0, False)], set()
    while waiting:
        place = waiting.pop()
        if place in seen:
            continue
        seen.add(place)
        at, started = place
        step = steps[at]
        if step.op is Op.SPLIT:
            waiting += [(step.first, started), (step.second, started)]
        elif step.op is Op.JUMP:
            waiting.append((step.first, started))
        elif step.op in (Op.SAVE, Op.AT):
            is_start = step.op is Op.AT and step.first == Place.START
            waiting.append((at + 1, started or is_start))
        else:
            anchored &= started
            empty |= step.op is Op.MATCH
            firsts |= _taken(step)
    return None if empty else firsts, anchored


def _taken(step: Step) -> int:
    """The bytes that a step takes."""
    if step.op is Op.BYTE:
        return 1 << step.first
    return step.first if step.op is Op.SET else 0
