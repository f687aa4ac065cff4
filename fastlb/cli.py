"""The command line: what to do, and the exit statuses."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from fastlb import __version__, client, keywords, options, places, settings
from fastlb.config.condition import ConditionError, evaluate
from fastlb.config.errors import Severity
from fastlb.plan.load import Reading, load_both

EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_NOT_RUNNING = 0, 1, 2, 3

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


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs fastlb with these arguments (without the program's name); returns the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words and words[0] in _COMMANDS:
        return _command(words[0], words[1:])
    if words and words[0] == "demo":
        return _demo(words[1:])
    if words and words[0] == "keywords":
        return _keywords(words[1:])
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


def _command(name: str, words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog=f"fastlb {name}", description=_COMMANDS[name])
    parser.add_argument(
        "-f",
        "-c",
        "--config",
        action="append",
        default=[],
        metavar="FILE",
        help="the configuration that the running fastlb was started with",
    )
    parser.add_argument(
        "--socket", type=Path, metavar="PATH", help=f"control socket (default: {places.runtime_directory()}/NAME.sock)"
    )
    if name == "plan":
        parser.add_argument("new", nargs="*", metavar="NEW", help="what to read in place of the running configuration")
    if name in ("status", "plan"):
        parser.add_argument("--json", action="store_true", help="print everything as JSON")
    given = parser.parse_args(words)
    path = given.socket or (places.control_socket(given.config) if given.config else places.only_running())
    if path is None:
        where = places.runtime_directory()
        print(
            f"fastlb: not exactly one control socket in {where}: say which with -c FILE or --socket PATH",
            file=sys.stderr,
        )
        return EXIT_NOT_RUNNING
    try:
        more = {"paths": [str(Path(new).absolute()) for new in given.new]} if name == "plan" and given.new else {}
        return client.run(name, path, as_json=name in ("status", "plan") and given.json, **more)
    except KeyboardInterrupt:
        return 130


_COMMANDS = {
    "reload": "Has a running fastlb read its configuration again, and prints what came of it.",
    "drain": "Has a running fastlb accept nothing more, and waits until its last session has ended.",
    "stop": "Ends a running fastlb, cutting its sessions, and waits until it is gone.",
    "status": "Prints what a running fastlb does.",
    "plan": "Tells what a reload would change, for which sessions, or why it would be refused. Nothing is changed.",
}


def _demo(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="fastlb demo", description="Two ping/pong web servers behind fastlb.")
    parser.add_argument("--port", type=int, default=0, metavar="N", help="the balancer's port (default: a free one)")
    given = parser.parse_args(words)
    if not 0 <= given.port < 65536:
        parser.error(f"{given.port} is not a port")
    from fastlb import demo

    return demo.run(given.port)


def _keywords(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="fastlb keywords", description="The words of a configuration: all of them, or what is known of one."
    )
    parser.add_argument("word", nargs="*", metavar="WORD", help="such as 'maxconn' or 'timeout client'")
    return keywords.run(parser.parse_args(words).word)
