"""A call of fastlb as HAProxy is called: a configuration to run, to check or to explain, or something to tell."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from fastlb import __version__, keywords, options, places, settings
from fastlb.client import EXIT_FAILED, EXIT_OK, EXIT_USAGE
from fastlb.config.condition import ConditionError, evaluate
from fastlb.config.errors import Severity
from fastlb.plan.load import Reading, load_both

_USAGE = """\
usage: fastlb -f FILE [options]   or   fastlb demo|reload|drain|stop|status|plan|keywords [options]

A TCP load balancer for one multi-core Linux host, configured in HAProxy's language.
"""
_EPILOG = """\
commands:
  fastlb -c lb.conf                  run in the foreground (or as 'daemon' in 'global' says)
  fastlb -c lb.conf --check          say whether the configuration is valid
  fastlb demo [--port N]             two ping/pong web servers behind fastlb, to try it out
  fastlb reload [-c FILE]            have a running fastlb read its configuration again, in place
  fastlb drain  [-c FILE]            accept nothing more, end when the last session has ended
  fastlb stop   [-c FILE]            end at once
  fastlb status [-c FILE] [--json]   what runs
  fastlb plan   [-c FILE] [NEW …]    what a reload (of NEW in its place) would change, for whom, or why it would fail
  fastlb keywords [WORD …]           what a configuration may say, or what one word means

signals to the master:
  HUP, USR2 reload · USR1 drain · TERM, INT stop

exit status:
  0  done, or ended as told
  1  the configuration is not valid, fastlb could not start, or a command failed (the reason is printed)
  2  the command line is wrong
  3  no running fastlb was found (reload, drain, stop, status, plan)
"""


def run(words: Sequence[str]) -> int:
    """What these options ask for; returns the exit status."""
    try:
        return _balance(options.parse(words))
    except options.UsageError as error:
        print(f"fastlb: error: {error}", file=sys.stderr)
        return EXIT_USAGE


def _balance(given: options.Given) -> int:
    if (status := _only_tell(given)) is not None:
        return status
    if not given.paths:
        raise options.UsageError("no configuration", "name one with -f FILE (try --help, or 'fastlb demo')")
    for remark in given.remarks if not given.quiet else ():
        print(f"fastlb: warning: {remark}", file=sys.stderr)
    if given.directory:
        try:
            os.chdir(given.directory)
        except OSError as error:
            print(f"fastlb: error: cannot change to {given.directory}: {error.strerror}", file=sys.stderr)
            return EXIT_FAILED
    if given.check or given.explain:
        return _check(given)
    # The engine is needed from here on; --check and --help do without it.
    from fastlb import launch

    return launch.run(settings_of(given))


def _only_tell(given: options.Given) -> int | None:
    """What is answered without a configuration; None when a configuration is what it is about."""
    if given.help:
        print(options.help_text(_USAGE, _EPILOG))
    elif given.version:
        print(f"fastlb {__version__}")
    elif given.about:
        from fastlb import about

        print(about.text(given.about))
    elif given.condition is not None:
        return _condition(given.condition, given.verbose)
    elif given.keywords:
        return keywords.run(())
    else:
        return None
    return EXIT_OK


def _condition(text: str, verbose: bool) -> int:
    try:
        holds = evaluate(text, os.environ)
    except ConditionError as error:
        raise options.UsageError(f"-cc: {error}", error.hint) from None
    if verbose:
        print(f"Result: {'true' if holds else 'false'}")
    return EXIT_OK if holds else EXIT_FAILED


def _reading(given: options.Given) -> Reading:
    return Reading(given.local_peer, given.strict, given.diagnose, given.lenient)


def settings_of(given: options.Given) -> settings.Settings:
    """What the service is started with."""
    return settings.Settings(
        paths=tuple(given.paths),
        socket=str(given.socket or places.control_socket(given.paths)),
        reading=_reading(given),
        workers=given.workers,
        maxconn=given.maxconn,
        proxy_maxconn=given.proxy_maxconn,
        daemon=False if given.foreground else given.background or None,
        pidfile=given.pidfile,
        metrics=tuple(given.metrics),
        quiet=given.quiet,
        finish=tuple(given.finish),
        terminate=tuple(given.terminate),
    )


def _check(given: options.Given) -> int:
    result, config = load_both(given.paths, _reading(given))
    for diagnostic in result.diagnostics:
        if not given.quiet or diagnostic.severity is Severity.ERROR:
            print(diagnostic, file=sys.stderr)
    if result.plan is None:
        print("fastlb: the configuration is not valid", file=sys.stderr)
        return EXIT_FAILED
    if given.explain and config is not None:
        from fastlb import explain

        print("\n".join(explain.lines(config, result.plan, settings_of(given))))
    elif given.terse and given.verbose:
        print("Configuration file is valid")
    elif not given.terse and not given.quiet:
        print("configuration is valid")
    return EXIT_OK
