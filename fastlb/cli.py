"""The command line: whose words they are.

What a command needs is imported for that command alone, so that one that asks a running fastlb answers at once.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from fastlb import client, places
from fastlb.client import EXIT_NOT_RUNNING


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs fastlb with these arguments (without the program's name); returns the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words and words[0] in _COMMANDS:
        return _command(words[0], words[1:])
    if words and words[0] == "demo":
        return _demo(words[1:])
    if words and words[0] == "keywords":
        return _keywords(words[1:])
    from fastlb import invocation

    return invocation.run(words)


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
    from fastlb import keywords

    return keywords.run(parser.parse_args(words).word)
