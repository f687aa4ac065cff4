"""The command line: what to do, and the exit statuses."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from fastlb import __version__, client, places, settings
from fastlb.plan.model import MetricsBind

EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_NOT_RUNNING = 0, 1, 2, 3

_DESCRIPTION = "A TCP load balancer for one multi-core Linux host, configured in HAProxy's language."
_EPILOG = """\
commands:
  fastlb -c lb.conf                  run in the foreground (or as 'daemon' in 'global' says)
  fastlb -c lb.conf --check          say whether the configuration is valid
  fastlb demo [--port N]             two ping/pong web servers behind fastlb, to try it out
  fastlb reload [-c FILE]            have a running fastlb read its configuration again, in place
  fastlb drain  [-c FILE]            accept nothing more, end when the last session has ended
  fastlb stop   [-c FILE]            end at once
  fastlb status [-c FILE] [--json]   what runs
  fastlb keywords [WORD …]           what a configuration may say, or what one word means

signals to the master:
  HUP, USR2 reload · USR1 drain · TERM, INT stop

exit status:
  0  done, or ended as told
  1  the configuration is not valid, fastlb could not start, or a command failed (the reason is printed)
  2  the command line is wrong
  3  no running fastlb was found (reload, drain, stop, status)
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs fastlb with these arguments (without the program's name); returns the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words and words[0] in ("reload", "drain", "stop", "status"):
        return _command(words[0], words[1:])
    if words and words[0] == "demo":
        return _demo(words[1:])
    if words and words[0] == "keywords":
        return _keywords(words[1:])
    return _balance(words)


def _balance(words: Sequence[str]) -> int:
    parser = _parser()
    given = parser.parse_args(words)
    if not given.config:
        parser.print_usage(sys.stderr)
        parser.exit(EXIT_USAGE, "fastlb: error: no configuration: -c FILE (try --help, or 'fastlb demo')\n")
    if given.check:
        return _check(given.config)
    # The engine is needed from here on; --check and --help do without it.
    from fastlb import launch

    return launch.run(
        settings.Settings(
            paths=tuple(given.config),
            socket=str(given.socket or places.control_socket(given.config)),
            workers=given.workers,
            metrics=tuple(given.metrics),
        )
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fastlb",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="fastlb -c FILE [options]   or   fastlb demo|reload|drain|stop|status|keywords [options]",
    )
    _add_config(parser, "a configuration file; may be repeated, the files are read as one")
    parser.add_argument("--check", action="store_true", help="check the configuration, bind nothing, exit 0 or 1")
    parser.add_argument(
        "--workers", type=_workers, default=0, metavar="N", help="worker processes (default: nbthread, or one a CPU)"
    )
    parser.add_argument(
        "--metrics",
        type=_metrics,
        action="append",
        default=[],
        metavar="ADDR:PORT",
        help="serve /metrics (Prometheus), /healthz and /readyz there, e.g. 127.0.0.1:9101",
    )
    parser.add_argument("--version", action="version", version=f"fastlb {__version__}")
    return parser


def _add_config(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument("-c", "-f", "--config", action="append", default=[], metavar="FILE", help=text)
    parser.add_argument(
        "--socket", type=Path, metavar="PATH", help=f"control socket (default: {places.runtime_directory()}/NAME.sock)"
    )


def _workers(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of workers")
    return int(text)


def _metrics(text: str) -> MetricsBind:
    try:
        return settings.metrics_bind(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _check(paths: Sequence[str]) -> int:
    from fastlb.plan.load import load

    result = load(paths)
    for diagnostic in result.diagnostics:
        print(diagnostic, file=sys.stderr)
    if result.plan is None:
        print("fastlb: the configuration is not valid", file=sys.stderr)
        return EXIT_FAILED
    print("configuration is valid")
    return EXIT_OK


def _command(name: str, words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog=f"fastlb {name}", description=_COMMANDS[name])
    _add_config(parser, "the configuration that the running fastlb was started with")
    if name == "status":
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
        return client.run(name, path, as_json=name == "status" and given.json)
    except KeyboardInterrupt:
        return 130


_COMMANDS = {
    "reload": "Has a running fastlb read its configuration again, and prints what came of it.",
    "drain": "Has a running fastlb accept nothing more, and waits until its last session has ended.",
    "stop": "Ends a running fastlb, cutting its sessions, and waits until it is gone.",
    "status": "Prints what a running fastlb does.",
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
    from fastlb import keywords

    return keywords.run(parser.parse_args(words).word)
