"""Keywords of ``global`` that set one value: limits, switches and sizes (HAProxy manual, sections 3.1 and 3.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastlb.config.args import MAX_COUNT, Args
from fastlb.config.bindline import BIND_OPTIONS
from fastlb.config.globaltree import DefaultPath, UnixBind
from fastlb.config.keywords import Keyword, KeywordTable
from fastlb.config.lineoptions import OptionTable, parse_options, text

MAX_WORKERS = 64
MAX_PIPE_BYTES = 1 << 30
_UNIX_OPTIONS: OptionTable = KeywordTable(
    "option of 'unix-bind'",
    {
        "prefix": Keyword(text("prefix", "what goes before every path"), "text", "what goes before every path"),
        **{name: BIND_OPTIONS.supported[name] for name in ("mode", "user", "uid", "group", "gid")},
    },
)
# What 'no' goes before.
SWITCHES = {"busy-polling": "busy_polling", "set-dumpable": "dumpable", "strict-limits": "strict_limits"}


Setter = Callable[[Any, Args], None]
"""Of a GlobalSection, which has the table that these keywords go into."""


def _switch(name: str, value: bool = True) -> Setter:
    return lambda section, args: section.set(name, value, args)


def _integer(name: str, low: int, high: int = MAX_COUNT) -> Setter:
    return lambda section, args: section.set(name, args.integer(low, high), args)


def _time(name: str) -> Setter:
    return lambda section, args: section.set(name, args.time_ms(), args)


def _on_off(name: str) -> Setter:
    return lambda section, args: section.set(name, args.one_of(("off", "on"), "state").text == "on", args)


def _unix_bind(section: Any, args: Args) -> None:
    """``unix-bind [prefix p] [mode m] [user u] …``: for the ``bind`` lines of unix sockets."""
    section.set("unix_bind", UnixBind(**parse_options(args, _UNIX_OPTIONS)), args)


def _default_path(section: Any, args: Args) -> None:
    """``default-path current | config | parent | origin directory``."""
    kind = args.one_of(("current", "config", "parent", "origin"), "place").text
    origin = args.need("a directory", "default-path origin").text if kind == "origin" else ""
    section.set("default_path", DefaultPath(kind, origin), args)


def _buffer(side: str, kind: str) -> Keyword[Setter]:
    what = {"rcv": "received from", "snd": "sent to"}[kind]
    help_ = f"bytes {what} a {side} that the kernel may hold, in place of its own judgement"
    return Keyword(_integer(f"{side}_{kind}buf", 0), "n", help_)


TUNING: dict[str, Keyword[Setter]] = {
    "busy-polling": Keyword(
        _switch("busy_polling"), "", "a worker that waits keeps its CPU, and is woken without delay"
    ),
    "default-path": Keyword(
        _default_path,
        "current | config | parent | origin directory",
        "where names of files of values and maps begin: here, beside the configuration, above it, or there",
    ),
    "fd-hard-limit": Keyword(
        _integer("fd_hard_limit", 0), "n", "file descriptors that a worker takes without 'ulimit-n', at most"
    ),
    "grace": Keyword(_time("grace"), "time", "how long a soft stop still accepts while '/readyz' says that it stops"),
    "harden.reject-privileged-ports.tcp": Keyword(
        _on_off("reject_privileged_ports"), "on | off", "clients that come from a port below 1024 are rejected"
    ),
    "max-spread-checks": Keyword(
        _time("max_spread_checks"), "time", "the first checks of all servers are spread over no more than that"
    ),
    "maxconnrate": Keyword(_integer("maxconnrate", 0), "n", "connections of the whole service in a second"),
    "maxpipes": Keyword(_integer("maxpipes", 0), "n", "pipes of all workers together; what finds none is copied"),
    "maxsessrate": Keyword(
        _integer("maxsessrate", 0), "n", "the same without connections that 'tcp-request connection' rejects"
    ),
    "nosplice": Keyword(_switch("splice", value=False), "", "bytes are always copied"),
    "quiet": Keyword(_switch("quiet"), "", "nothing is said at the start, but errors"),
    "set-dumpable": Keyword(_switch("dumpable"), "", "a worker that crashes leaves a core file"),
    "strict-limits": Keyword(
        _switch("strict_limits"), "", "no start with fewer descriptors or connections than the file says"
    ),
    "thread-hard-limit": Keyword(_integer("thread_hard_limit", 1, MAX_WORKERS), "n", "workers, at most"),
    "tune.pipesize": Keyword(_integer("pipesize", 0, MAX_PIPE_BYTES), "n", "bytes that a pipe holds"),
    "tune.rcvbuf.client": _buffer("client", "rcv"),
    "tune.rcvbuf.server": _buffer("server", "rcv"),
    "tune.sndbuf.client": _buffer("client", "snd"),
    "tune.sndbuf.server": _buffer("server", "snd"),
    "unix-bind": Keyword(
        _unix_bind,
        "[prefix text] [mode m] [user u] [group g]",
        "for 'bind' lines of unix sockets that do not say it",
    ),
    "zero-warning": Keyword(_switch("zero_warning"), "", "no start, and no reload, with a warning about the files"),
}
