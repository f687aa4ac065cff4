"""From the command line's settings to a running master: the configuration is read, the background entered."""

from __future__ import annotations

import asyncio
import dataclasses
import sys
from collections.abc import Callable

from fastlb import daemon, loading, master, notify
from fastlb.config.errors import Severity
from fastlb.settings import Settings

_INTERRUPTED = 130


def run(settings: Settings, ready: Callable[[], None] = lambda: None) -> int:
    """Runs the service until it ends; returns the exit status. ``ready`` is called when connections are served."""
    try:
        return _run(settings, ready)
    except KeyboardInterrupt:
        return _INTERRUPTED


def _run(settings: Settings, ready: Callable[[], None]) -> int:
    # Before anything forks: these belong to the process that was started.
    notifier, inherited = notify.Notifier(), notify.inherited_sockets()
    try:
        result = asyncio.run(loading.load_apart(settings.paths, settings.reading))
    except loading.LoadError as error:
        return _refuse(str(error))
    quiet = settings.quiet or (result.plan is not None and result.plan.process.quiet)
    for diagnostic in result.diagnostics:
        if not quiet or diagnostic.severity is Severity.ERROR:
            _say(str(diagnostic))
    if result.plan is None:
        return _refuse("the configuration is not valid")
    plan = settings.apply(result.plan)
    start = master.Start(settings, plan, inherited, notifier, _say, ready)
    if plan.process.daemon:
        start = dataclasses.replace(start, started=daemon.into_background())
    return asyncio.run(master.run(start))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _refuse(reason: str) -> int:
    _say(f"fastlb: not started: {reason}")
    return master.EXIT_FAILED
