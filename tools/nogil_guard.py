#!/usr/bin/env python3
"""Proves that the data plane never touches Python: reads the .pxi sources and the C that Cython made of them.

Cython accepts `raise`, `assert` and a missing `noexcept` in code that runs without the GIL: it then takes the GIL
inside, or after each call, and says so at most in a hint. What it did stands in the generated C.

    tools/nogil_guard.py [generated.c] [--sources DIR]

Exit status: 0 clean, 1 findings (one a line, with their place), 2 nothing to read.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# What Python calls: objects, exceptions, then down.
PYTHON_SIDE = {
    "compile.pxi",
    "judge.pxi",
    "maglev.pxi",
    "memory.pxi",
    "proxytools.pxi",
    "publish.pxi",
    "ring.pxi",
    "schedule.pxi",
    "tableview.pxi",
    "views.pxi",
    "worker.pxi",
}
GENERATED = ROOT / "build/cython-release/src/engine.c"

HEADER = re.compile(
    r"^cdef\s+(?!extern\b|enum\b|struct\b|union\b|packed\b|class\b)[^=\n(]*?\b(\w+)\(.*?\)([^()]*?):", re.S | re.M
)
ORIGIN = re.compile(r'^/\* "([^"]+\.pxi)":(\d+)$')
PYTHON = re.compile(r"\b(?:Py[A-Z]\w*|__Pyx_\w+)")
COMMENT = re.compile(r"/\*.*?\*/", re.S)


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the generated C: where its source stands, and its text without comments."""

    file: str
    line: int
    text: str


def headers(source: Path) -> Iterator[tuple[int, str, list[str]]]:
    """Line, name and what stands behind the parentheses (`noexcept nogil`) of each cdef function of a file."""
    text = source.read_text()
    for match in HEADER.finditer(text):
        yield text.count("\n", 0, match.start()) + 1, match[1], match[2].split()


def wrong_headers(source: Path) -> Iterator[str]:
    """Functions that are not `noexcept nogil`: all must be, those that Python calls if they go without the GIL."""
    for line, name, words in headers(source):
        exempt = source.name in PYTHON_SIDE and "nogil" not in words
        if words != ["noexcept", "nogil"] and not exempt:
            yield f"{source.name}:{line}: {name} is not declared `noexcept nogil`"


def without_gil(sources: Path) -> set[tuple[str, int]]:
    """File and line of every function that must not touch Python."""
    return {
        (source.name, line)
        for source in sources.glob("*.pxi")
        for line, _, words in headers(source)
        if source.name not in PYTHON_SIDE or "nogil" in words
    }


def functions(generated: str) -> Iterator[Function]:
    """The functions that came from .pxi files: after the comment that names the place, up to a lone brace."""
    lines = iter(generated.splitlines())
    for line in lines:
        if origin := ORIGIN.match(line):
            for line in lines:
                if line == "*/":
                    break
            body = _body(lines)
            if body:
                yield Function(origin[1], int(origin[2]), COMMENT.sub("", body))


def _body(lines: Iterator[str]) -> str:
    """The function that begins at the next line that is not blank; empty if that line begins something else."""
    taken: list[str] = []
    for line in lines:
        if not taken and not line:
            continue
        if not taken and not line.endswith("{"):
            return ""
        taken.append(line)
        if line.startswith("}"):
            break
    return "\n".join(taken)


def python_in(function: Function) -> str | None:
    """The finding for a function that calls into Python; None for a clean one."""
    tokens = sorted(set(PYTHON.findall(function.text)))
    return f"{function.file}:{function.line}: reaches into Python: {', '.join(tokens)}" if tokens else None


def findings(generated: Path, sources: Path) -> tuple[int, list[str]]:
    """How many functions were read, and what is wrong with them."""
    found = [problem for source in sorted(sources.glob("*.pxi")) for problem in wrong_headers(source)]
    wanted = without_gil(sources)
    read = [each for each in functions(generated.read_text()) if (Path(each.file).name, each.line) in wanted]
    missing = wanted - {(Path(each.file).name, each.line) for each in read}
    found += [f"{file}:{line}: not in {generated.name}: built from other sources?" for file, line in sorted(missing)]
    return len(read), found + [problem for each in read if (problem := python_in(each))]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("generated", nargs="?", type=Path, default=GENERATED)
    parser.add_argument("--sources", type=Path, default=ROOT / "src")
    options = parser.parse_args()
    if not options.generated.exists():
        print(f"{options.generated}: not there; build first: pip install -e .", file=sys.stderr)
        return 2
    count, problems = findings(options.generated, options.sources)
    print("\n".join(problems) or f"{count} functions, none touches Python")
    if not count:
        print(f"{options.generated}: no function of a .pxi file in it", file=sys.stderr)
        return 2
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
