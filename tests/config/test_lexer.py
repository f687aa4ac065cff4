"""Words of a line: blanks, comments, quotes, escapes, variables. The expectations were checked against HAProxy 2.6."""

from __future__ import annotations

import pytest

from fastlb.config.errors import Report
from fastlb.config.lexer import Word, read_lines

ENVIRON = {"HOME": "/root", "LIST": "x y  z", "EMPTY": "", "SPACED": "a b", "DOLLAR": "$HOME"}


def read(data: bytes | str) -> tuple[list[list[Word]], list[str]]:
    report = Report()
    raw = data.encode() if isinstance(data, str) else data
    lines = list(read_lines("f", raw, ENVIRON, report))
    return lines, [str(found) for found in report.diagnostics()]


def texts(data: bytes | str) -> list[str]:
    lines, said = read(data)
    assert said == []
    return [word.text for line in lines for word in line]


GOOD = [
    ("a b", ["a", "b"]),
    ("  a\t b \v\f", ["a", "b"]),
    ("a b\r", ["a", "b"]),
    ("# all comment", []),
    ("   # all comment, however long " + "x" * 3000, []),
    ("a b # comment", ["a", "b"]),
    ("a#b", ["a"]),
    ('"a#b" c', ["a#b", "c"]),
    ("'a#b' c#", ["a#b", "c"]),
    (r"a\#b", ["a#b"]),
    (r"two\ words", ["two words"]),
    ('"two words"', ["two words"]),
    ("'two words'", ["two words"]),
    ("""a"b"'c'd""", ["abcd"]),
    (r"back\\slash", ["back\\slash"]),
    (r"kept\qhere", [r"kept\qhere"]),
    (r'"kept\qhere"', [r"kept\qhere"]),
    ("end\\", ["end\\"]),
    (r"'lite\ral$HOME'", [r"lite\ral$HOME"]),
    (r"\"a\'", ["\"a'"]),
    (r'''"a\"b'c"''', ["a\"b'c"]),
    (r"crlf\r\n\t", ["crlf\r\n\t"]),
    (r"\x41\x62", ["Ab"]),
    (r"\xc3\xa9", ["é".encode().decode("ascii", "surrogateescape")]),
    ("$HOME", ["$HOME"]),
    ('"$HOME"', ["/root"]),
    ('"${HOME}x"', ["/rootx"]),
    ('a"$HOME"b', ["a/rootb"]),
    (r'"\$HOME"', ["$HOME"]),
    (r"\$HOME", [r"\$HOME"]),
    ('"${NOPE-x y}"', ["x y"]),
    ('"${EMPTY-x}y"', ["y"]),
    ('"$SPACED"', ["a b"]),
    ('"$DOLLAR"', ["$HOME"]),
    ('"${LIST[*]}"', ["x", "y", "z"]),
    ('"a${LIST[*]}b" c', ["ax", "y", "zb", "c"]),
    ('a "${EMPTY[*]}" b', ["a", "b"]),
    ("é ü", ["é", "ü"]),
]


@pytest.mark.parametrize(("line", "words"), GOOD)
@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_words(line: str, words: list[str], ending: str) -> None:
    assert texts(line + ending) == words


BAD = [
    ('a "b', "f:1:3: error: this double quote is never closed"),
    ("a 'b", "f:1:3: error: this single quote is never closed"),
    ('"', "f:1:1: error: this double quote is never closed"),
    ('a ""', "f:1:3: error: this word is empty"),
    ("'' a", "f:1:1: error: this word is empty"),
    ('a "$NOPE"', "f:1:3: error: this word is empty: the environment variable 'NOPE' is not set"),
    ('a "$EMPTY" b', "f:1:3: error: this word is empty"),
    (r"a\xq", "f:1:2: error: '\\x' needs two hexadecimal digits"),
    (r"a\x4", "f:1:2: error: '\\x' needs two hexadecimal digits"),
    (r"a\x00", "f:1:2: error: '\\x00' cannot be part of a word"),
    ('"${HOME:-x}"', "f:1:2: error: '${' does not begin an environment variable"),
    ('"${HOME"', "f:1:2: error: '${' does not begin an environment variable"),
    ('"${}"', "f:1:2: error: '${' does not begin an environment variable"),
    ('"a$"', "f:1:3: error: '$' is not followed by the name of an environment variable"),
    ('"${.NOPE}"', "f:1:2: error: there is no pseudo variable '.NOPE'"),
    ("x " * 65, "f:1:129: error: too many words on this line: at most 64 are allowed"),
    ("x" * 2048 + "\n", "f:1:1: error: the line is 2049 bytes long; at most 2048 are allowed"),
]


@pytest.mark.parametrize(("line", "message"), BAD)
def test_bad_line(line: str, message: str) -> None:
    lines, said = read(f"{line}\nnext line\n")
    assert [word.text for word in lines[-1]] == ["next", "line"], "the lines after it are read all the same"
    assert len(said) == 1
    assert said[0].startswith(message)


def test_columns_count_characters_from_one() -> None:
    lines, _ = read('ab  "c d"\té f')
    assert [(word.text, word.line, word.column) for word in lines[0]] == [
        ("ab", 1, 1),
        ("c d", 1, 5),
        ("é", 1, 11),
        ("f", 1, 13),
    ]


def test_lines_are_counted_with_those_that_are_empty() -> None:
    lines, _ = read("\n# comment\r\n\n  a\n\nb")
    assert [(word.text, word.line) for line in lines for word in line] == [("a", 4), ("b", 6)]


def test_bytes_that_are_no_utf8_survive() -> None:
    assert [text.encode("utf-8", "surrogateescape") for text in texts(b"a\xff\xfe b")] == [b"a\xff\xfe", b"b"]


def test_a_limit_holds_after_expansion() -> None:
    report = Report()
    assert list(read_lines("f", b'a "' + b"$BIG" * 20 + b'"', {"BIG": "x" * 1000}, report)) == []
    assert report.has_errors


def test_a_variable_cannot_make_too_many_words() -> None:
    report = Report()
    assert list(read_lines("f", b'a "${BIG[*]}"', {"BIG": "x " * 5000}, report)) == []
    assert report.has_errors


def test_byte_order_mark_and_nul() -> None:
    lines, said = read(b"\xef\xbb\xbfa b\n")
    assert [word.text for word in lines[0]] == ["a", "b"]
    assert said == ["f:1:1: error: the file begins with a byte-order mark; save it as UTF-8 without BOM"]
    assert read(b"a\nb\0c\n") == ([], ["f:2:2: error: the file contains a NUL byte; a configuration is a text file"])
    assert "UTF-8" in read("a b".encode("utf-16"))[1][0]
