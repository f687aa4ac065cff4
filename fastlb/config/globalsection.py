"""The ``global`` section (HAProxy manual, section 3)."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from typing import Any

from fastlb.config import known, knownglobal
from fastlb.config.address import expand_address, parse_bind
from fastlb.config.args import Args
from fastlb.config.environment import LOCAL_PEER
from fastlb.config.errors import ConfigError, Location, quote
from fastlb.config.globaltree import Global, MetricsLine
from fastlb.config.globaltuning import SWITCHES, TUNING
from fastlb.config.identity import parse_description, parse_node
from fastlb.config.keywords import Keyword, KeywordTable, Tier
from fastlb.config.lexer import Word
from fastlb.config.limits import check_logs
from fastlb.config.logline import parse_log
from fastlb.config.statistics import parse_runtime_socket
from fastlb.config.tree import EndpointKind, LogGlobal, LogLine, Said

MAX_WORKERS = 64
MAX_ID = 4294967294
METRICS_PATH = "/metrics"
_LOG_FIELD = re.compile(r"[!-~]{1,64}")
_AUTO_MAP = re.compile(r"auto(?::1/1-([0-9]{1,4}))?")
_CPU_RANGE = re.compile(r"0(?:-([0-9]{1,4}))?")

# Said twice, the first counts (as for HAProxy); 'user' and 'uid' are two ways to say the same.
_FIRST_COUNTS = {
    "maxconn": "maxconn",
    "nofile": "nofile",
    "chroot": "chroot",
    "pidfile": "pidfile",
    "user": "user",
    "uid": "user",
    "group": "group",
    "gid": "group",
}

GlobalKeyword = Callable[["GlobalSection", Args], None]


class GlobalSection:
    """Collects what the ``global`` sections say, of which there may be several."""

    def __init__(self) -> None:
        self._values: dict[str, Said[Any]] = {}
        self._first: dict[str, Location] = {}
        self._logs: list[LogLine] = []
        self._metrics: list[MetricsLine] = []

    def statement(self, args: Args) -> None:
        word = args.need("a keyword")
        if word.text in ("no", "default"):
            self._negated(args)
            return
        keyword = GLOBAL_KEYWORDS.find(word, args.report, args.peek())
        if keyword is not None:
            keyword(self, args)

    def result(self) -> Global:
        return Global(logs=tuple(self._logs), metrics=tuple(self._metrics), **self._values)

    def set(self, name: str, value: Any, args: Args) -> None:
        """Record a value at the end of a statement: nothing may follow. Said twice, one of the two counts."""
        args.end()
        key = _FIRST_COUNTS.get(name)
        first = self._first.setdefault(key, args.location) if key else args.location
        if first != args.location:
            message = (
                f"{quote(args.words[0].text)} is ignored: line {first.line} said it already, and the first one counts"
            )
            args.report.warning(args.location, message)
            return
        self._values[name] = Said(value, args.value_location)

    def add_log(self, args: Args) -> None:
        log = parse_log(args)
        if isinstance(log, LogGlobal):
            raise ConfigError(log.location, "'log global' belongs in 'defaults' or a proxy", "name a target here")
        check_logs(len(self._logs), log.location)
        self._logs.append(log)

    def add_metrics(self, args: Args) -> None:
        """``prometheus bind ADDRESS [path PATH]``: a keyword of our own."""
        if not args.accept("bind"):
            raise ConfigError(args.location, "'prometheus' expects 'bind <address>:<port> [path <path>]'")
        word = args.need("an address, such as '127.0.0.1:9101'")
        addresses = parse_bind(expand_address(word, args.environ, args.report), word.location)
        first = addresses[0]
        inet = first.endpoint.kind in (EndpointKind.INET, EndpointKind.INET6, EndpointKind.NAME)
        if len(addresses) > 1 or not inet or first.last_port != first.endpoint.port:
            raise ConfigError(word.location, f"the metrics need one address and port, not {quote(word.text)}")
        path = metrics_path(args) if args.accept("path") else METRICS_PATH
        args.end()
        self._metrics.append(MetricsLine(first, path))

    def _negated(self, args: Args) -> None:
        """``no log`` clears the targets, ``no`` before a switch puts it off; what is ignored is so with ``no``, too."""
        word = args.need("a keyword")
        if args.words[0].text == "no" and word.text in SWITCHES:
            self.set(SWITCHES[word.text], False, args)
            return
        if args.words[0].text == "no" and word.text == "log":
            args.end()
            self._logs.clear()
            return
        if word.text not in GLOBAL_KEYWORDS.supported:
            GLOBAL_KEYWORDS.find(word, args.report)
            return
        hint = f"'no' goes before 'log', {', '.join(map(quote, SWITCHES))}"
        raise ConfigError(word.location, f"{quote(args.said)} is not possible", hint)


def metrics_path(args: Args) -> str:
    """A path to serve metrics on."""
    word = args.need("a path, such as '/metrics'")
    if not word.text.startswith("/") or any(c <= " " or c in "?#\x7f" for c in word.text):
        raise ConfigError(word.location, f"{quote(word.text)} is no path: it begins with '/', such as '/metrics'")
    return word.text


def _setenv(section: GlobalSection, args: Args, *, always: bool) -> None:
    """``setenv`` and ``presetenv NAME VALUE``: for what is read after it; the latter only if it is not set."""
    name, value = args.need("a name and a value").text, args.need("a value").text
    args.end()
    if always or name not in args.environ:
        args.environ.assign(name, value)


def _unsetenv(section: GlobalSection, args: Args) -> None:
    args.environ.remove(args.need("the name of a variable").text)
    while (word := args.take()) is not None:
        args.environ.remove(word.text)


def _resetenv(section: GlobalSection, args: Args) -> None:
    """``resetenv [NAME …]``: forget all variables but these."""
    args.environ.keep_only({word.text for word in args.words[1:]})


def _local_peer(section: GlobalSection, args: Args) -> None:
    word = args.need("a name")
    section.set("localpeer", word.text, args)
    if not args.environ.set_locally(LOCAL_PEER, word.text):
        args.report.warning(word.location, "'localpeer' is ignored: the command line says it, with '-L'")


def _integer(name: str, low: int, high: int) -> GlobalKeyword:
    return lambda section, args: section.set(name, args.integer(low, high), args)


def _time(name: str) -> GlobalKeyword:
    return lambda section, args: section.set(name, args.time_ms(), args)


def _text(name: str, what: str) -> GlobalKeyword:
    return lambda section, args: section.set(name, args.need(what).text, args)


def _chroot(section: GlobalSection, args: Args) -> None:
    word = args.need("a directory")
    if word.text == "auto":
        raise ConfigError(word.location, "'chroot auto' is not supported yet", "name an empty directory")
    section.set("chroot", word.text, args)


def _log_tag(section: GlobalSection, args: Args) -> None:
    section.set("log_tag", log_field(args.need("a tag for the log lines")), args)


def _log_hostname(section: GlobalSection, args: Args) -> None:
    word = args.take()
    section.set("log_hostname", log_field(word) if word else socket.gethostname(), args)


def log_field(word: Word) -> str:
    """A field of a log line's header, which blanks or control characters would tear apart."""
    if _LOG_FIELD.fullmatch(word.text) is None:
        message = f"{quote(word.text)} cannot be part of a log line: 1 to 64 printable ASCII characters are expected"
        raise ConfigError(word.location, message)
    return word.text


def _cpu_map(section: GlobalSection, args: Args) -> None:
    """``cpu-map auto`` or ``cpu-map auto:1/1-N 0-M``: each worker on a CPU of its own. Other maps are not built."""
    word = args.need("'auto'")
    threads = _AUTO_MAP.fullmatch(word.text)
    if threads is None:
        raise ConfigError(word.location, f"the CPU map {quote(word.text)} is not supported yet", "write 'cpu-map auto'")
    if threads[1] is not None:
        cpus = args.need("a range of CPUs, such as '0-3'")
        spread = _CPU_RANGE.fullmatch(cpus.text)
        if spread is None:
            hint = "write 'cpu-map auto', which takes the CPUs this process may use in their order"
            raise ConfigError(cpus.location, f"the CPU set {quote(cpus.text)} is not supported yet", hint)
        if int(spread[1] or 0) + 1 != int(threads[1]):
            message = f"{threads[1]} threads cannot be mapped to the CPUs {quote(cpus.text)}: there must be as many"
            raise ConfigError(cpus.location, message)
    section.set("pin", True, args)


def _reuseport(section: GlobalSection, args: Args) -> None:
    """``tune.reuseport cpu|hash``, a keyword of our own: how the kernel chooses among the workers' sockets."""
    section.set("steer", args.one_of(("hash", "cpu"), "way to choose a worker").text == "cpu", args)


GLOBAL_KEYWORDS: KeywordTable[GlobalKeyword] = KeywordTable(
    "keyword",
    {
        "chroot": Keyword(_chroot, "dir", "root directory of the workers"),
        "cpu-map": Keyword(_cpu_map, "auto", "each worker stays on a CPU of its own"),
        "daemon": Keyword(
            lambda section, args: section.set("daemon", True, args),
            "",
            "into the background once everything is bound",
        ),
        "gid": Keyword(_integer("gid", 0, MAX_ID), "n", "the workers' group, as a number"),
        "group": Keyword(_text("group", "the name of a group"), "name", "the workers' group"),
        "hard-stop-after": Keyword(
            _time("hard_stop_after"), "time", "how long a soft stop waits for the last connection"
        ),
        "description": Keyword(
            lambda section, args: section.set("description", parse_description(args), args),
            "text",
            "what 'fastlb status' says of this service",
        ),
        "localpeer": Keyword(_local_peer, "name", "HAPROXY_LOCALPEER for the lines below (the name of the host)"),
        "node": Keyword(
            lambda section, args: section.set("node", parse_node(args), args),
            "name",
            "the name of this machine in 'fastlb status' (that of the host)",
        ),
        "log": Keyword(GlobalSection.add_log, "target facility [level]", "where log lines go; 'no log': nowhere"),
        "log-send-hostname": Keyword(_log_hostname, "[name]", "the name of the host in log lines"),
        "log-tag": Keyword(_log_tag, "tag", "the name of the program in log lines (fastlb)"),
        "maxconn": Keyword(_integer("maxconn", 0, 100_000_000), "n", "connections of the whole service at a time"),
        "nbthread": Keyword(_integer("nbthread", 1, MAX_WORKERS), "n", "number of workers (one for each CPU)"),
        "pidfile": Keyword(_text("pidfile", "the name of a file"), "file", "where the master's process id is written"),
        "prometheus": Keyword(
            GlobalSection.add_metrics, "bind address:port [path /path]", "serves Prometheus metrics there", Tier.OWN
        ),
        "stats": Keyword(
            lambda section, args: parse_runtime_socket(args),
            "socket … | timeout time | maxconn n",
            "HAProxy's runtime socket",
            Tier.INACTIVE,
        ),
        "presetenv": Keyword(
            lambda section, args: _setenv(section, args, always=False),
            "name value",
            "sets an environment variable for the lines below, unless it is set",
        ),
        "resetenv": Keyword(_resetenv, "[name …]", "forgets all environment variables but these"),
        "setenv": Keyword(
            lambda section, args: _setenv(section, args, always=True),
            "name value",
            "sets an environment variable for the lines below",
        ),
        "unsetenv": Keyword(_unsetenv, "name …", "forgets environment variables"),
        "spread-checks": Keyword(
            _integer("spread_checks", 0, 50), "n", "varies intervals of checks by up to n percent (0)"
        ),
        "tune.reuseport": Keyword(
            _reuseport, "hash | cpu", "which worker gets a new connection: by its addresses, or by CPU", Tier.OWN
        ),
        "uid": Keyword(_integer("uid", 0, MAX_ID), "n", "the workers' user, as a number"),
        "ulimit-n": Keyword(_integer("nofile", 1, 1 << 30), "n", "limit on file descriptors (what 'maxconn' needs)"),
        "user": Keyword(_text("user", "the name of a user"), "name", "the workers' user"),
        **TUNING,
    },
    not_yet=knownglobal.NOT_YET,
    not_yet_prefixes=knownglobal.NOT_YET_PREFIXES,
    ignored=knownglobal.IGNORED,
    ignored_prefixes=knownglobal.IGNORED_PREFIXES,
    removed=knownglobal.REMOVED,
    refused=knownglobal.REFUSED,
    within="in section 'global'",
    also=known.SECTIONS,
)
