"""The words of the language: each has its help; docs/configuration.md tells of those that work, and of no others."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fastlb.config import known
from fastlb.config.catalogue import TABLES, items, look_up
from fastlb.config.keywords import KeywordTable, Tier

DOCS = (Path(__file__).resolve().parents[2] / "docs/configuration.md").read_text()
SPAN = re.compile(r"`([^`]+)`")
BY_PLACE = {place: (prefix, table) for place, prefix, table in TABLES}

# Each table of the documentation: the heading it stands under, the heading of its first column, and what it is about.
DOCUMENTED = (
    ("## A file", "section", "sections"),
    ("## global", "keyword", "section 'global'"),
    ("## Proxies", "keyword", "proxy sections"),
    ("### Timeouts", "timeout", "timeouts"),
    ("### bind", "option", "options of 'bind'"),
    ("### server", "option", "options of 'server' and 'default-server'"),
    ("### balance", "algorithm", "algorithms of 'balance'"),
)
# Where else the words of a place may be described.
ELSEWHERE = {
    "directives": ("## Conditions",),
    "section 'global'": ("## Words, quotes, variables", "## Statistics"),
    "proxy sections": (
        "### Timeouts",
        "### Keep-alive",
        "### Health checks",
        "## Rules",
        "### Conditions of rules",
        "## Metrics",
        "## Statistics",
        "## Probes of the balancer",
    ),
    "options of proxies": ("## Proxies", "### Health checks", "## Logging", "## Differences from HAProxy"),
    "timeouts": ("### Health checks",),
    "section 'ring'": ("### Rings",),
    "rules of 'tcp-request'": ("## Rules",),
    "rules of 'tcp-response'": ("## Rules",),
    "actions of 'tcp-request' rules": (
        "## Rules",
        "### What rules change",
        "### Variables",
        "### Limits for each client",
    ),
    "actions of 'tcp-response' rules": (
        "## Rules",
        "### What rules change",
        "### Variables",
        "### Limits for each client",
    ),
    "samples": ("### Conditions of rules", "### Limits for each client"),
    "converters of samples": ("### Converters and maps", "### Limits for each client"),
    "words of 'stick-table'": ("## Stick tables",),
    "what stick tables store": ("## Stick tables",),
    "'stick' rules": ("### Sticking to a server",),
    "ways to compare": ("### Conditions of rules",),
    "checks over HTTP": ("### Health checks",),
    "words of 'http-check expect'": ("### Health checks",),
    "words of 'http-check send'": ("### Health checks",),
    "words of 'http-check connect'": ("### Health checks",),
}


def below(heading: str) -> str:
    """The text under a heading, down to the next one."""
    return DOCS.split(f"\n{heading}\n")[1].split("\n#")[0]


def first_cells(heading: str, column: str) -> list[str]:
    """The code spans in the first column of the table with that column, below that heading."""
    rows = below(heading).split(f"\n| {column} |")[1].split("\n\n")[0].splitlines()[2:]
    return [span for row in rows for span in SPAN.findall(re.split(r"(?<!\\)\|", row)[1])]


@pytest.mark.parametrize("item", [item for item in items() if item.supported], ids=lambda item: item.text)
def test_a_word_that_works_has_help_and_is_documented(item) -> None:
    assert item.help and not item.help.endswith("."), "a line of help, without a full stop"
    headings = [heading for heading, _, place in DOCUMENTED if place == item.place]
    text = "\n".join(below(heading) for heading in (*headings, *ELSEWHERE.get(item.place, ())))
    spans = SPAN.findall(text) + re.findall(r"^ {4,}(\S.*)", text, re.M)
    word = item.text.removeprefix("balance ").removeprefix("-m ").removeprefix(",").removeprefix("store ")
    word = re.sub(r"^sc[0-2]_", "sc_", word)  # the number is in the name or in the arguments
    written = [f"{span.removeprefix(',').replace('(', ' ')} " for span in spans]
    assert any(one.startswith(f"{word} ") for one in written), f"{item.text}, one of the {item.place}"


@pytest.mark.parametrize(("heading", "column", "place"), DOCUMENTED, ids=[place for _, _, place in DOCUMENTED])
def test_what_is_documented_works(heading: str, column: str, place: str) -> None:
    prefix, table = BY_PLACE[place]
    options = BY_PLACE["options of proxies"][1]
    cells = first_cells(heading, column)
    assert cells
    for cell in cells:
        words = cell.removeprefix("no ").removeprefix(prefix).split()
        words[0] = words[0].partition("(")[0] if words[0].partition("(")[0] in table.called else words[0]
        assert words[0] in table.supported, cell
        if words[0] == "option":
            assert words[1] in options.supported, cell


def test_the_sections_are_those_that_the_parser_knows() -> None:
    assert set(BY_PLACE["sections"][1].supported) == set(known.SECTIONS)


@pytest.mark.parametrize(("place", "prefix", "table"), TABLES, ids=[place for place, _, _ in TABLES])
def test_a_word_has_one_verdict(place: str, prefix: str, table: KeywordTable[object]) -> None:
    words = list(table.words())
    assert sorted(words) == sorted(set(words))
    for word in words:
        assert any(item.place == place for item in look_up(prefix + word))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("timeout client", [("timeouts", ("defaults", "listen", "frontend"), Tier.SUPPORTED)]),
        ("option redispatch", [("options of proxies", ("defaults", "listen", "backend"), Tier.SUPPORTED)]),
        ("server", [("timeouts", ("defaults", "listen", "backend"), Tier.SUPPORTED),
                    ("proxy sections", ("listen", "backend"), Tier.SUPPORTED),
                    ("section 'ring'", (), Tier.SUPPORTED)]),
        ("tune.ssl.cachesize", [("section 'global'", (), Tier.IGNORED)]),
        ("nbproc", [("section 'global'", (), Tier.REMOVED)]),
        ("nosuchword", []),
    ],
)  # fmt: skip
def test_where_a_word_stands(text: str, expected: list[object]) -> None:
    found = [(item.place, item.sections, item.tier) for item in look_up(text)]
    assert sorted(found, key=str) == sorted(expected, key=str)
