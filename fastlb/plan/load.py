"""From the names of files to a Plan, or to the reasons why there is none."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fastlb.config.errors import Diagnostic, Location, Report, TooManyErrors
from fastlb.config.limits import MAX_TEXT_BYTES
from fastlb.config.parser import parse_files
from fastlb.plan.build import build
from fastlb.plan.model import Plan


@dataclass(frozen=True, slots=True)
class LoadResult:
    """The plan, or None when there was any error; and everything there is to say about the files. It pickles."""

    plan: Plan | None
    diagnostics: tuple[Diagnostic, ...]


def load(paths: Sequence[str], *, environ: Mapping[str, str] = os.environ) -> LoadResult:
    """Read, parse and plan the files, in order. Raises nothing for anything that a file can contain.

    Host names are resolved on the way, which may block for as long as the resolver allows.
    """
    report = Report()
    plan = None
    try:
        texts = _read(paths, report)
        digest = hashlib.sha256(b"".join(data for _, data in texts)).hexdigest()
        config = parse_files(texts, _variables(environ, texts), report)
        plan = build(config, tuple(paths), digest, report)
    except TooManyErrors:
        plan = None
    return LoadResult(plan, report.diagnostics(tuple(paths)))


def _variables(environ: Mapping[str, str], texts: list[tuple[str, bytes]]) -> Mapping[str, str]:
    """The environment with what HAProxy adds to it for its configuration (manual, section 2.3)."""
    files = ";".join(name for name, _ in texts)
    return {"HAPROXY_LOCALPEER": socket.gethostname(), **environ, "HAPROXY_CFGFILES": files}


def _read(paths: Sequence[str], report: Report) -> list[tuple[str, bytes]]:
    """The texts of all files, together no longer than the limit."""
    texts: list[tuple[str, bytes]] = []
    if not paths:
        report.fatal(Location("fastlb", 0, 0), "no configuration file was named")
    left = MAX_TEXT_BYTES
    for path in paths:
        where = Location(path, 0, 0)
        try:
            with Path(path).open("rb") as file:
                data = file.read(left + 1)
        except (OSError, ValueError) as failure:
            report.error(where, f"cannot be read: {getattr(failure, 'strerror', None) or failure}")
            continue
        if len(data) > left:
            report.fatal(where, f"the configuration is longer than {MAX_TEXT_BYTES >> 20} MiB")
        left -= len(data)
        texts.append((path, data))
    return texts
