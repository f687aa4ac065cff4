"""From the names of files to a Plan, or to the reasons why there is none."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fastlb.config.environment import LOCAL_PEER
from fastlb.config.errors import Diagnostic, Location, Report, Severity, TooManyErrors, quote
from fastlb.config.globaltree import Config
from fastlb.config.limits import MAX_TEXT_BYTES
from fastlb.config.logpieces import TCPLOG
from fastlb.config.parser import parse_files
from fastlb.plan.build import build
from fastlb.plan.model import Plan


@dataclass(frozen=True, slots=True)
class LoadResult:
    """The plan, or None when there was any error; and everything there is to say about the files. It pickles."""

    plan: Plan | None
    diagnostics: tuple[Diagnostic, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """How files are read, besides what they say: HAProxy's ``-L``, ``-dW``, ``-dD`` and ``-dr``."""

    local_peer: str = ""
    strict: bool = False
    diagnose: bool = False
    lenient: bool = False


AS_IT_IS = Reading()


def load(paths: Sequence[str], how: Reading = AS_IT_IS, *, environ: Mapping[str, str] = os.environ) -> LoadResult:
    """Read, parse and plan the files, in order. Raises nothing for anything that a file can contain.

    Of a directory, its ``*.cfg`` files are read. Host names are resolved on the way, which may block for as long as the
    resolver allows.
    """
    return load_both(paths, how, environ=environ)[0]


def load_both(
    paths: Sequence[str], how: Reading = AS_IT_IS, *, environ: Mapping[str, str] = os.environ
) -> tuple[LoadResult, Config | None]:
    """The same, and what was said; None when it could not be read to its end."""
    report = Report(diagnose=how.diagnose)
    plan, config = None, None
    files = tuple(file for path in paths for file in _files(path))
    try:
        if not files:
            message = "there is no '*.cfg' in this directory" if paths else "no configuration file was named"
            report.fatal(Location(paths[0] if paths else "fastlb", 0, 0), message)
        texts = _read(files, report)
        settled = {LOCAL_PEER: how.local_peer} if how.local_peer else None
        digest = hashlib.sha256(b"".join(data for _, data in texts)).hexdigest()
        config = parse_files(texts, _variables(environ, texts), report, settled)
        plan = build(config, files, digest, report, lenient=how.lenient)
    except TooManyErrors:
        plan = None
    word = "-dW" if how.strict else "zero-warning" if config and config.process.zero_warning else ""
    if word and plan is not None:
        plan = _unless_warned(plan, word, report)
    return LoadResult(plan, report.diagnostics(files)), config


def _files(path: str) -> list[str]:
    """The file itself, or those of a directory that end in ``.cfg``, in lexical order."""
    try:
        if not Path(path).is_dir():
            return [path]
        found = [entry for entry in Path(path).iterdir() if entry.suffix == ".cfg" and entry.is_file()]
    except (OSError, ValueError):
        return [path]
    return sorted(str(entry) for entry in found if not entry.name.startswith("."))


def _unless_warned(plan: Plan, word: str, report: Report) -> Plan | None:
    warned = [found for found in report.diagnostics(plan.files) if found.severity is Severity.WARNING]
    if not warned:
        return plan
    where = Location(warned[-1].location.file, 0, 0)
    report.error(where, f"there are warnings, and with {quote(word)} none is allowed")
    return None


def _variables(environ: Mapping[str, str], texts: list[tuple[str, bytes]]) -> Mapping[str, str]:
    """The environment with what HAProxy adds to it for its configuration (manual, section 2.3)."""
    files = ";".join(name for name, _ in texts)
    ours = {LOCAL_PEER: socket.gethostname(), "HAPROXY_TCP_LOG_FMT": TCPLOG}
    return {**ours, **environ, "HAPROXY_CFGFILES": files}


def _read(paths: Sequence[str], report: Report) -> list[tuple[str, bytes]]:
    """The texts of all files, together no longer than the limit."""
    texts: list[tuple[str, bytes]] = []
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
