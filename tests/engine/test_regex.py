"""Regular expressions, against those of Python, which are Perl's as HAProxy's are."""

from __future__ import annotations

import random
import re
import time
from pathlib import Path

import pytest

from fastlb.rules.regex import RegexError, compile_regex

# Where Python and PCRE agree.
ATOMS = (
    "a",
    "b",
    "c",
    ".",
    r"\d",
    r"\w",
    r"\s",
    "[ab]",
    "[^a]",
    "[a-c0]",
    r"[\d_-]",
    "^",
    "$",
    r"\b",
    r"\B",
    r"\.",
    r"\n",
)
COUNTS = ("*", "+", "?", "{2}", "{0,2}", "{1,}", "*?", "+?", "??", "{1,3}?")


def expression(chance: random.Random, depth: int = 0) -> str:
    parts = []
    for _ in range(chance.randint(1, 4)):
        kind = chance.random()
        if kind < 0.25 and depth < 3:
            inner = "|".join(expression(chance, depth + 1) for _ in range(chance.randint(1, 3)))
            part = chance.choice(("({})", "(?:{})", "(?i:{})")).format(inner)
        else:
            part = chance.choice(ATOMS)
        if chance.random() < 0.35 and part not in ("^", "$", r"\b", r"\B"):
            part += chance.choice(COUNTS)
        parts.append(part)
    return "".join(parts)


def texts(chance: random.Random, count: int, written: str) -> list[bytes]:
    """In an empty text there is no ``\\B`` in Python, but in Perl."""
    least = 1 if r"\B" in written else 0
    return [bytes(chance.choices(b"abcABC01 ._-\n\0", k=chance.randint(least, 9))) for _ in range(count)]


@pytest.mark.parametrize("flag", ["", "-i "])
def test_random_expressions_match_what_they_match_in_python(judge, tmp_path: Path, flag: str) -> None:
    chance = random.Random(17)
    for _ in range(150):
        written = expression(chance)
        expected = re.compile(written.encode(), re.IGNORECASE if flag else 0)
        (tmp_path / "r").write_text(f"{written}\n")
        content = judge(f"tcp-request content reject if {{ req.payload(0,0) -m reg {flag}-f {tmp_path}/r }}").content
        for text in texts(chance, 25, written):
            assert (content(text) == "reject") == (expected.search(text) is not None), (written, text)


def test_what_regsub_makes_is_what_python_makes(judge) -> None:
    """Once, where the rest is as it was. (Everywhere, HAProxy looks at the rest as if nothing came before it.)"""
    chance = random.Random(23)
    written = [expression(chance) for _ in range(100)]
    written = [one for one in written if not re.search(r"\)[*+{?]", one)]  # what is remembered of rounds differs
    rules = "\n".join(f'use_backend \'%[req.payload(0,0),regsub("{one}","<\\0|\\1>")]\'' for one in written)
    asked = judge(rules)
    for number, one in enumerate(written):
        expected = re.compile(one.encode())
        for text in texts(chance, 20, one):
            found = expected.search(text)
            group = (found[1] or b"") if found and expected.groups else b""
            result = text if not found else text[: found.start()] + b"<%s|%s>" % (found[0], group) + text[found.end() :]
            assert asked.value(number, text) == result, (one, text)


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        (r"^(.+\.)?example\.(com|net)$", ["example.com", "a.b.example.net"], ["myexample.com", "example.com.au", ""]),
        (r"(^|\.)example\.com$", ["example.com", "a.example.com"], ["aexample.com"]),
        (r"^[[:alnum:]-]+$", ["a-b", "7"], ["a.b", ""]),
        (r"^[]a]+$", ["]a]"], ["b"]),
        (r"\x41\x{42}\0?\t", ["AB\t", "AB\0\t"], ["AB"]),
        (r"^\w{3,}\h\d+$", ["abc 12", "abcd\t1"], ["ab 1", "abc-1"]),
        (r"(?i)^get", ["GET /", "get"], ["xget"]),
        (r"a(?i)b|c(?-i)d", ["aB", "Cd", "cd"], ["AB", "CD"]),
        (r"(?m)^b$", ["a\nb\nc"], ["ab"]),
        (r"(?s)a.b", ["a\nb"], ["ab"]),
        (r"(?<name>a)(?P<other>b)(?'third'c)(?#no)d", ["abcd"], ["abc"]),
        (r"x*", ["", "y"], []),
        ("a{,2}b", ["a{,2}b"], ["aab"]),
        ("a{2", ["a{2"], ["aa"]),
        (r"^\Aa\Z", ["a", "a\n"], ["ab"]),
        (r"^a\z", ["a"], ["a\n"]),
        ("é", ["é", "caféx"], ["e"]),
    ],
)
def test_expressions(judge, tmp_path: Path, pattern: str, yes: list[str], no: list[str]) -> None:
    (tmp_path / "r").write_text(f"{pattern}\n")
    content = judge(f"tcp-request content reject if {{ req.payload(0,0) -m reg -f {tmp_path}/r }}").content
    assert [text for text in yes if content(text.encode()) != "reject"] == []
    assert [text for text in no if content(text.encode()) == "reject"] == []


def test_of_a_map_the_first_that_matches(judge, tmp_path: Path) -> None:
    (tmp_path / "m").write_text("^a 1\n^ab 2\nb$ 3\n")
    value = judge(f"use_backend %[req.payload(0,0),map_reg({tmp_path}/m,none)]").value
    assert [value(0, text) for text in (b"abb", b"bab", b"c")] == [b"1", b"3", b"none"]


@pytest.mark.parametrize("pattern", ["^(a*)*$", "^(a|aa)+$", "(.*)*b$", "(a+)+(a+)+b", "((a?){20}){20}b"])
def test_no_text_takes_long(judge, tmp_path: Path, pattern: str) -> None:
    """What makes a backtracking matcher take for ever. The longest text takes some milliseconds."""
    (tmp_path / "r").write_text(f"{pattern}\n")
    content = judge(f"tcp-request content reject if {{ req.payload(0,0) -m reg -f {tmp_path}/r }}").content
    began = time.process_time()
    assert content(b"a" * 15359 + b"c", final=True) == "accept"
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        (r"(a)\1", r"a back reference, '\1', is not supported"),
        ("a(?=b)", "a look ahead, '(?=', is not supported"),
        ("(?<!b)a", "a look behind, '(?<!', is not supported"),
        ("(?>a)", "an atomic group, '(?>', is not supported"),
        ("a++", "a possessive repetition is not supported: write it without the '+'"),
        ("a**", "a repetition cannot be repeated: put it into a group"),
        ("*a", "there is nothing that '*' could repeat"),
        ("(*UTF8)a", "a verb, '(*', is not supported"),
        ("(?x)a b", "the flag 'x' is not supported: there are i, m and s"),
        ("(a", "a '(' is never closed"),
        ("(?#a", "a '(' is never closed"),
        ("a)", "')' closes nothing"),
        ("[a", "a '[' is never closed"),
        ("[", "a '[' is never closed"),
        ("[b-a]", "a range in '[…]' is upside down"),
        (r"[\d-z]", "a range needs a single character at both ends: put the '-' last"),
        ("[[:alnam:]]", "'[:alnam:]' is no class"),
        ("[[.a.]]", "'[.' is not supported"),
        ("a\\", "it ends with a single '\\'"),
        (r"\pL", r"the escape '\p' is not supported"),
        ("a{3,2}", "'{3,2}' is upside down"),
        ("a{2000}", "'{2000}' is more than 1000 times"),
        ("(a{100}){100}", "it takes more than 1000 steps: repeat less"),
        ("(" * 60 + ")" * 60, "groups are nested more than 50 deep"),
    ],
)
def test_what_is_refused(pattern: str, reason: str) -> None:
    with pytest.raises(RegexError) as failure:
        compile_regex(pattern.encode())
    assert str(failure.value) == reason


def test_any_bytes_are_an_expression_or_refused() -> None:
    chance = random.Random(29)
    for _ in range(5000):
        text = bytes(
            chance.choices(rb"ab()[]{}|*+?^$\.-,:=<>!#dxi012P'&R" + bytes(range(256)), k=chance.randint(0, 12))
        )
        try:
            compile_regex(text)
        except RegexError as failure:
            assert str(failure)
