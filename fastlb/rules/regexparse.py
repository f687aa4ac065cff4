"""Regular expressions as HAProxy's users write them: Perl's (PCRE2), of bytes, without what no automaton can do."""

from __future__ import annotations

import re

from fastlb.rules.regextree import (
    ALL_BYTES,
    DIGITS,
    LETTERS,
    LOWER,
    SPACE,
    UPPER,
    WORD,
    At,
    Either,
    Group,
    Node,
    OneOf,
    Place,
    Repeat,
    Row,
    byte_range,
    byte_set,
    folded,
)

MAX_REPEAT = 1000
MAX_DEPTH = 50
_COUNTS = re.compile(rb"\{([0-9]{1,5})(,([0-9]{1,5})?)?\}")
_NAMED = re.compile(rb"\?(?:P?<[A-Za-z_]\w*>|'[A-Za-z_]\w*')")
_FLAGS = re.compile(rb"\?([a-zA-Z]*)(?:-([a-zA-Z]*))?([:)])")
_HEX = re.compile(rb"\{([0-9A-Fa-f]{1,2})\}|([0-9A-Fa-f]{0,2})")
_OCTAL = re.compile(rb"[0-7]{1,2}")
_POSIX = re.compile(rb"\[:(\^?)([a-z]+):\]")
_REFUSED_GROUPS = {
    b"?=": "a look ahead", b"?!": "a look ahead", b"?<=": "a look behind", b"?<!": "a look behind",
    b"?>": "an atomic group", b"?(": "a condition", b"?|": "a branch reset", b"?R": "a recursion", b"*": "a verb",
    b"?&": "a recursion", b"?P=": "a back reference", b"?P>": "a recursion",
}  # fmt: skip
_SETS = {
    "d": DIGITS, "w": WORD, "s": SPACE, "h": byte_set("\t \xa0"), "v": byte_set("\n\v\f\r\x85"), "N": byte_set("\n"),
}  # fmt: skip
_NEGATED = {"D": "d", "W": "w", "S": "s", "H": "h", "V": "v", "N": "N"}
_BYTES = {"t": 9, "n": 10, "r": 13, "f": 12, "e": 27, "a": 7}
_PLACES = {"b": Place.WORD_EDGE, "B": Place.NO_WORD_EDGE, "A": Place.START, "Z": Place.END_OR_NEWLINE, "z": Place.END}
_GRAPH = byte_range(0x21, 0x7E)
_NAMES = {
    "alpha": LETTERS, "lower": LOWER, "upper": UPPER, "digit": DIGITS, "alnum": LETTERS | DIGITS, "word": WORD,
    "space": SPACE, "blank": byte_set(" \t"), "cntrl": byte_range(0, 31) | 1 << 127, "graph": _GRAPH,
    "print": _GRAPH | 1 << 32, "punct": _GRAPH & ~(LETTERS | DIGITS), "xdigit": byte_set("0123456789abcdefABCDEF"),
    "ascii": byte_range(0, 127),
}  # fmt: skip


class RegexError(ValueError):
    """The expression is wrong, or needs what this engine does not have; the message completes "…: "."""


def parse_regex(text: bytes, *, ignore_case: bool) -> tuple[Node, int]:
    """The tree of an expression, and how many groups it has. Raises RegexError."""
    reader = _Reader(text, ignore_case)
    node = reader.either(0)
    if reader.at < len(text):
        raise RegexError("')' closes nothing")
    return node, reader.groups


class _Reader:
    def __init__(self, text: bytes, ignore_case: bool) -> None:
        self._text = text
        self.at = 0
        self.groups = 0
        self._flags = frozenset("i" if ignore_case else "")

    def _next(self) -> bytes:
        """The byte that comes, or none."""
        return self._text[self.at : self.at + 1]

    def _take(self) -> bytes:
        found = self._next()
        self.at += 1
        return found

    def either(self, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise RegexError(f"groups are nested more than {MAX_DEPTH} deep")
        parts = [self._row(depth)]
        while self._next() == b"|":
            self.at += 1
            parts.append(self._row(depth))
        return parts[0] if len(parts) == 1 else Either(tuple(parts))

    def _row(self, depth: int) -> Node:
        parts: list[Node] = []
        while self._next() not in (b"", b"|", b")"):
            node = self._atom(depth)
            if node is not None:
                parts.append(self._repeated(node))
        return Row(tuple(parts))

    def _repeated(self, node: Node) -> Node:
        counts = self._counts()
        if counts is None:
            return node
        lazy = self._next() == b"?"
        if lazy:
            self.at += 1
        elif self._next() == b"+":
            raise RegexError("a possessive repetition is not supported: write it without the '+'")
        if self._counts() is not None:
            raise RegexError("a repetition cannot be repeated: put it into a group")
        return Repeat(node, *counts, lazy)

    def _counts(self) -> tuple[int, int | None] | None:
        simple: dict[bytes, tuple[int, int | None]] = {b"*": (0, None), b"+": (1, None), b"?": (0, 1)}
        if self._next() in simple:
            return simple[self._take()]
        found = _COUNTS.match(self._text, self.at)
        if found is None:
            return None
        self.at = found.end()
        least = int(found[1])
        most = least if not found[2] else int(found[3]) if found[3] else None
        if max(least, most or 0) > MAX_REPEAT:
            raise RegexError(f"'{found[0].decode()}' is more than {MAX_REPEAT} times")
        if most is not None and most < least:
            raise RegexError(f"'{found[0].decode()}' is upside down")
        return least, most

    def _atom(self, depth: int) -> Node | None:
        """None for flags, which are nothing by themselves."""
        byte = self._take()
        if byte == b"(":
            return self._group(depth)
        if byte == b"[":
            return OneOf(self._class())
        if byte == b"\\":
            return self._escape()
        if byte in b"*+?":
            raise RegexError(f"there is nothing that '{byte.decode()}' could repeat")
        if byte == b"^":
            return At(Place.LINE_START if "m" in self._flags else Place.START)
        if byte == b"$":
            return At(Place.LINE_END if "m" in self._flags else Place.END_OR_NEWLINE)
        if byte == b".":
            return OneOf(ALL_BYTES if "s" in self._flags else ALL_BYTES & ~byte_set("\n"))
        return self._byte(byte[0])

    def _byte(self, byte: int) -> OneOf:
        return OneOf(self._cased(1 << byte))

    def _cased(self, found: int) -> int:
        return folded(found) if "i" in self._flags else found

    # ---- groups ----

    def _group(self, depth: int) -> Node | None:
        flags = self._flags
        number = self._group_begins()
        if number is None:
            return None
        node = self.either(depth + 1)
        if self._take() != b")":
            raise RegexError("a '(' is never closed")
        self._flags = flags
        return Group(node, number) if number else node

    def _group_begins(self) -> int | None:
        """The number of the group; 0 for one that is not remembered, None for what is no group: flags, a comment."""
        named = _NAMED.match(self._text, self.at)
        if named is None and self._next() not in (b"?", b"*"):
            self.groups += 1
            return self.groups
        if named is not None:
            self.at = named.end()
            self.groups += 1
            return self.groups
        if self._text.startswith(b"?#", self.at):
            end = self._text.find(b")", self.at)
            if end < 0:
                raise RegexError("a '(' is never closed")
            self.at = end + 1
            return None
        self._refuse_group()
        found = _FLAGS.match(self._text, self.at)
        if found is None:
            raise RegexError(f"'({self._shown(2)}' begins no group")
        self._set_flags(found[1].decode(), (found[2] or b"").decode())
        self.at = found.end()
        return 0 if found[3] == b":" else None

    def _refuse_group(self) -> None:
        for size in (3, 2, 1):
            what = _REFUSED_GROUPS.get(self._text[self.at : self.at + size])
            if what is not None:
                raise RegexError(f"{what}, '({self._shown(size)}', is not supported")

    def _shown(self, size: int) -> str:
        return self._text[self.at : self.at + size].decode("utf-8", "replace")

    def _set_flags(self, on: str, off: str) -> None:
        unknown = (set(on) | set(off)) - set("ims")
        if unknown:
            raise RegexError(f"the flag '{min(unknown)}' is not supported: there are i, m and s")
        self._flags = (self._flags | set(on)) - set(off)

    # ---- escapes and classes ----

    def _escape(self) -> Node:
        name = self._take().decode("latin-1")
        if name in _PLACES:
            return At(_PLACES[name])
        if name in _NEGATED or name in _SETS:
            return OneOf(self._named_set(name))
        if name in "123456789" and name:
            raise RegexError(f"a back reference, '\\{name}', is not supported")
        return self._byte(self._escaped(name))

    def _named_set(self, name: str) -> int:
        return ALL_BYTES & ~_SETS[_NEGATED[name]] if name in _NEGATED else _SETS[name]

    def _escaped(self, name: str) -> int:
        """The byte that an escape stands for."""
        if name in _BYTES:
            return _BYTES[name]
        if name == "x":
            found = _HEX.match(self._text, self.at)
            assert found is not None  # it matches nothing, too
            self.at = found.end()
            return int(found[1] or found[2] or b"0", 16)
        if name == "0":
            octal = _OCTAL.match(self._text, self.at)
            self.at = octal.end() if octal else self.at
            return int(octal[0], 8) if octal else 0
        if not name:
            raise RegexError("it ends with a single '\\'")
        if name.isalnum() and name.isascii():
            raise RegexError(f"the escape '\\{name}' is not supported")
        return ord(name)

    def _class(self) -> int:
        negated = self._next() == b"^"
        self.at += negated
        found, first = 0, True
        while first or self._next() != b"]":
            first = False
            found |= self._class_part()
        self.at += 1
        found = self._cased(found)
        return ALL_BYTES & ~found if negated else found

    def _class_part(self) -> int:
        """A set, a byte or a range."""
        low = self._class_item()
        if self._next() != b"-" or self._text[self.at + 1 : self.at + 2] in (b"]", b""):
            return low[0]
        self.at += 1
        high = self._class_item()
        if low[1] is None or high[1] is None:
            raise RegexError("a range needs a single character at both ends: put the '-' last")
        if high[1] < low[1]:
            raise RegexError("a range in '[…]' is upside down")
        return byte_range(low[1], high[1])

    def _class_item(self) -> tuple[int, int | None]:
        """What stands in a class: its set, and the byte if it is one."""
        posix = _POSIX.match(self._text, self.at)
        if posix is not None:
            return self._posix(posix), None
        byte = self._take()
        if not byte:
            raise RegexError("a '[' is never closed")
        if byte == b"[" and self._next() in (b".", b"="):
            raise RegexError(f"'[{self._next().decode()}' is not supported")
        if byte != b"\\":
            return 1 << byte[0], byte[0]
        name = self._take().decode("latin-1")
        if name in _NEGATED or (name in _SETS and name):
            return self._named_set(name), None
        if name and name in "1234567":
            raise RegexError(f"the octal number '\\{name}' is not supported: write '\\x'")
        code = 8 if name == "b" else self._escaped(name)
        return 1 << code, code

    def _posix(self, found: re.Match[bytes]) -> int:
        self.at = found.end()
        name = found[2].decode()
        if name not in _NAMES:
            raise RegexError(f"'[:{name}:]' is no class")
        return ALL_BYTES & ~_NAMES[name] if found[1] else _NAMES[name]
