"""results.json: what has been measured, part by part. A part says when, where and on what it was measured, so that a
file whose parts are of different days still tells the truth."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from bench import machine
from bench.settings import Settings

FORMAT = 1
Document = dict[str, Any]
Record = dict[str, Any]


def part(results: Sequence[Record], settings: Settings) -> Document:
    """The records of one part with everything that they mean nothing without."""
    return {
        "taken": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": _commit(),
        "machine": machine.describe(),
        "settings": asdict(settings),
        "results": list(results),
    }


def _commit() -> str:
    """Of the tree that was measured; a plus sign when it had changes that were in no commit."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--exclude=*", "--dirty=+"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def load(path: Path) -> Document:
    """What is kept there; nothing yet when there is no such file. ValueError when it is not ours."""
    if not path.exists():
        return {"format": FORMAT, "parts": {}}
    document: Document = json.loads(path.read_text())
    if document.get("format") != FORMAT or not isinstance(document.get("parts"), dict):
        raise ValueError(f"{path}: not a result file of format {FORMAT}")
    return document


def save(document: Document, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_text(document) + "\n")


def _text(value: Any, indent: str = "") -> str:
    """JSON in which lists of numbers, and small records, stand on one line: made to be compared with `git diff`."""
    flat = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, (dict, list)) or len(flat) + len(indent) <= 120:
        return flat
    deeper = indent + " "
    if isinstance(value, list):
        if all(isinstance(each, (int, float)) for each in value):
            return flat
        inner = [deeper + _text(each, deeper) for each in value]
        return "[\n" + ",\n".join(inner) + f"\n{indent}]"
    inner = [f"{deeper}{json.dumps(str(key))}: {_text(each, deeper)}" for key, each in value.items()]
    return "{\n" + ",\n".join(inner) + f"\n{indent}}}"
