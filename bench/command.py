"""`tools/bench-report`: measures, keeps what was measured, and renders it."""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import faceoff, latency, page, scaling, sessions, settings, sizes, store, syscalls
from bench.lab import Lab

ROOT = Path(__file__).resolve().parent.parent
PARTS: dict[str, Callable[[Lab], list[dict[str, Any]]]] = {
    "faceoff": faceoff.measure,
    "latency": latency.measure,
    "sessions": sessions.measure,
    "sizes": sizes.measure,
    "workers": scaling.measure,
    "syscalls": syscalls.measure,
}


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 0; 1 when a part could not be measured (the others are kept) or nothing can be rendered."""
    options = _parser().parse_args(arguments)
    if importlib.util.find_spec("matplotlib") is None:
        print("matplotlib is needed for the plots: pip install -e '.[bench]'", file=sys.stderr)
        return 1
    folder = options.to or ROOT / (".benchmarks" if options.quick else "docs")
    results = folder / "benchmarks" / "results.json"
    try:
        document = store.load(options.source or results)
        failed = [] if options.source else _measure(document, options.only or list(PARTS), options.quick, results)
    except (RuntimeError, ValueError, OSError) as error:
        print(f"bench-report: {error}", file=sys.stderr)
        return 1
    _render(document, folder)
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tools/bench-report", description="Compares fastlb with HAProxy and nginx; writes the page and its plots."
    )
    parser.add_argument("--from", dest="source", type=Path, metavar="JSON", help="measure nothing, render this file")
    parser.add_argument(
        "--only", action="append", choices=PARTS, metavar="PART", help=f"measure only this part: {', '.join(PARTS)}"
    )
    parser.add_argument("--quick", action="store_true", help="seconds: does it run, not how fast; never commit it")
    parser.add_argument(
        "--to", type=Path, metavar="DIR", help="benchmarks.md and benchmarks/ go here: docs, or .benchmarks if --quick"
    )
    return parser


def _measure(document: store.Document, parts: list[str], quick: bool, results: Path) -> list[str]:
    """Measures and keeps each part as soon as it is there. Returns the names of those that failed."""
    chosen, failed = settings.wanted(quick), []
    with tempfile.TemporaryDirectory(prefix="fastlb-bench.") as folder, Lab(Path(folder), chosen) as lab:
        for name in parts:
            started = time.monotonic()
            try:
                document["parts"][name] = store.part(PARTS[name](lab), chosen)
            except (RuntimeError, OSError) as error:
                print(f"{name}: {error}", file=sys.stderr)
                failed.append(name)
                continue
            store.save(document, results)
            print(f"{name}: measured in {time.monotonic() - started:.0f} s", flush=True)
    return failed


def _render(document: store.Document, folder: Path) -> None:
    from bench import plots  # matplotlib takes its time to load, and must not be loaded while something is measured

    pictures = plots.draw_all(document, folder / "benchmarks")
    target = folder / "benchmarks.md"
    target.write_text(page.render(document))
    print(f"written: {target} and {len(pictures)} plots")
