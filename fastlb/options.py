"""The command line as a table: fastlb's own options, and those of HAProxy (management guide, section 3).

An option of HAProxy does the same here, or is accepted because what it asks for is so anyway, or is refused with the
reason. ``parse`` reads, ``cli`` acts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fastlb import places, settings
from fastlb.config.errors import quote
from fastlb.config.keywords import Tier
from fastlb.config.suggest import did_you_mean
from fastlb.plan.model import MetricsBind

COMMANDS = ("demo", "drain", "keywords", "plan", "reload", "status", "stop")
_MAX = 2147483647


class UsageError(Exception):
    """The command line is wrong; the text says how, and ends with what to do."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(f"{message}; {hint or 'try --help'}")


@dataclass(slots=True)
class Given:
    """What the command line says. ``terse``: asked for by HAProxy's ``-c``, which is silent about a valid file."""

    paths: list[str] = field(default_factory=list)
    check: bool = False
    terse: bool = False
    explain: bool = False
    help: bool = False
    version: bool = False
    about: int = 0
    keywords: bool = False
    condition: str | None = None
    verbose: bool = False
    quiet: bool = False
    background: bool = False
    foreground: bool = False
    directory: str = ""
    local_peer: str = ""
    pidfile: str | None = None
    finish: list[int] = field(default_factory=list)
    terminate: list[int] = field(default_factory=list)
    maxconn: int = 0
    proxy_maxconn: int = 0
    strict: bool = False
    diagnose: bool = False
    lenient: bool = False
    workers: int = 0
    metrics: list[MetricsBind] = field(default_factory=list)
    socket: Path | None = None
    remarks: list[str] = field(default_factory=list)


Words = deque[str]
Act = Callable[[Given, Words, str], None]


@dataclass(frozen=True, slots=True)
class Option:
    """One option. ``act`` takes what follows it from the words; for one that is ignored or refused, ``help`` says why.

    ``attached``: the name may go on, as in ``-dKall``.
    """

    names: tuple[str, ...]
    usage: str
    act: Act
    help: str
    tier: Tier = Tier.SUPPORTED
    attached: bool = False


def parse(words: Sequence[str]) -> Given:
    """Reads the words behind the program's name. Raises UsageError."""
    given, rest = Given(), deque(words)
    while rest:
        word = rest.popleft()
        if word == "--":
            given.paths += rest
            break
        name, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
        option = _find(name)
        if option.tier is Tier.REFUSED:
            raise UsageError(f"option {quote(name)} is not supported", option.help)
        if equals and not option.usage:
            raise UsageError(f"option {quote(name)} takes no value")
        if equals:
            rest.appendleft(value)
        option.act(given, rest, name)
    return given


def _find(name: str) -> Option:
    option = _BY_NAME.get(name)
    if option is not None:
        return option
    if not name.startswith("-"):
        hint = did_you_mean(name, COMMANDS) or f"a configuration is named with '-f {name}'"
        raise UsageError(f"unexpected word {quote(name)}", hint)
    for option in OPTIONS:
        if option.attached and name.startswith(option.names):
            return option
    if name.startswith(("-f", "-c")):
        raise UsageError(f"unknown option {quote(name)}", f"write '{name[:2]} {name[2:]}'")
    raise UsageError(f"unknown option {quote(name)}", did_you_mean(name, _BY_NAME))


def _take(words: Words, name: str, what: str) -> str:
    if not words or words[0].startswith("-"):
        raise UsageError(f"option {quote(name)} expects {what}")
    return words.popleft()


def _flag(*fields: str) -> Act:
    def act(given: Given, words: Words, name: str) -> None:
        for one in fields:
            setattr(given, one, True)

    return act


def _text(attribute: str, what: str) -> Act:
    return lambda given, words, name: setattr(given, attribute, _take(words, name, what))


def _number(attribute: str, what: str, low: int) -> Act:
    def act(given: Given, words: Words, name: str) -> None:
        text = _take(words, name, what)
        if not (text.isascii() and text.isdigit()) or not low <= int(text[:11]) <= _MAX:
            raise UsageError(f"option {quote(name)} expects {what}, not {quote(text)}", f"it is at least {low}")
        setattr(given, attribute, int(text))

    return act


def _pids(attribute: str) -> Act:
    """All words up to the next option: there may be none, as in ``-sf $(cat /run/haproxy.pid)``."""

    def act(given: Given, words: Words, name: str) -> None:
        while words and not words[0].startswith("-"):
            text = words.popleft()
            # 0 would be our own process group.
            if not (text.isascii() and text.isdigit()) or not 0 < int(text[:11]) <= _MAX:
                raise UsageError(f"option {quote(name)} expects process ids, not {quote(text)}")
            getattr(given, attribute).append(int(text))

    return act


def _config(given: Given, words: Words, name: str) -> None:
    given.paths.append(_take(words, name, "a configuration file or directory"))


def _check(given: Given, words: Words, name: str) -> None:
    """``-c FILE`` names a configuration, and a bare ``-c`` asks for a check: HAProxy has no words of their own."""
    if words and not words[0].startswith("-"):
        given.paths.append(words.popleft())
    else:
        given.check = given.terse = True


def _condition(given: Given, words: Words, name: str) -> None:
    if not words:
        raise UsageError("option '-cc' expects a condition", "such as 'version_atleast(2.4)'")
    given.condition = words.popleft()


def _metrics(given: Given, words: Words, name: str) -> None:
    text = _take(words, name, "an address and a port")
    try:
        given.metrics.append(settings.metrics_bind(text))
    except ValueError as error:
        raise UsageError(f"option {quote(name)}: {error}", "such as 127.0.0.1:9101") from None


def _socket(given: Given, words: Words, name: str) -> None:
    given.socket = Path(_take(words, name, "a path"))


def _about(level: int) -> Act:
    return lambda given, words, name: setattr(given, "about", level)


def _runtime_socket(given: Given, words: Words, name: str) -> None:
    _take(words, name, "an address")
    given.remarks.append("'-S' is inactive: there is no runtime socket yet; 'fastlb status' says what runs")


def _nothing(given: Given, words: Words, name: str) -> None:
    """So it is anyway, or it is refused."""


def _ignored(names: str, why: str) -> Option:
    return Option(tuple(names.split()), "", _nothing, why, Tier.IGNORED)


def _refused(names: str, why: str, *, attached: bool = False) -> Option:
    return Option(tuple(names.split()), "", _nothing, why, Tier.REFUSED, attached)


OPTIONS = (
    Option(
        ("-f", "--config"), "FILE|DIR", _config, "a configuration, or a directory of *.cfg; several are read as one"
    ),
    Option(("--",), "FILE…", _nothing, "all that follows are configurations"),
    Option(("-c",), "[FILE]", _check, "with a file the same as -f; alone: check, silent if valid (see -V)"),
    Option(("--check",), "", _flag("check"), "check the configuration, bind nothing, exit 0 or 1", Tier.OWN),
    Option(
        ("--explain",),
        "",
        _flag("explain"),
        "check, and print every value in force with the place where it was said",
        Tier.OWN,
    ),
    Option(
        ("--workers",),
        "N",
        _number("workers", "a number of workers", 1),
        "worker processes (default: nbthread, or one a CPU)",
        Tier.OWN,
    ),
    Option(
        ("--metrics",),
        "ADDR:PORT",
        _metrics,
        "serve /metrics (Prometheus), /healthz and /readyz there, e.g. 127.0.0.1:9101",
        Tier.OWN,
    ),
    Option(
        ("--socket",),
        "PATH",
        _socket,
        f"control socket (default: {places.runtime_directory()}/NAME.sock)",
        Tier.OWN,
    ),
    Option(("-D",), "", _flag("background"), "to the background once everything is bound, as 'daemon' in 'global'"),
    Option(("-db", "-d"), "", _flag("foreground"), "stay in the foreground, whatever -D and 'daemon' say"),
    Option(("-p",), "FILE", _text("pidfile", "a file"), "write the master's process id there, instead of to 'pidfile'"),
    Option(("-n",), "N", _number("maxconn", "a number of connections", 1), "in place of 'maxconn' in 'global'"),
    Option(
        ("-N",), "N", _number("proxy_maxconn", "a number of connections", 1), "'maxconn' of frontends that say none"
    ),
    Option(("-C",), "DIR", _text("directory", "a directory"), "change to that directory before anything is read"),
    Option(("-L",), "NAME", _text("local_peer", "a name"), "HAPROXY_LOCALPEER, if not the name of the host"),
    Option(("-sf",), "PID…", _pids("finish"), "once this one serves, have those processes end softly (SIGUSR1)"),
    Option(("-st",), "PID…", _pids("terminate"), "once this one serves, have those processes end at once (SIGTERM)"),
    Option(("-dW",), "", _flag("strict"), "a warning about the configuration refuses it"),
    Option(("-dD",), "", _flag("diagnose"), "show what '.diag' says"),
    Option(("-dr",), "", _flag("lenient"), "servers whose names cannot be resolved are in maintenance, no error"),
    Option(("-q",), "", _flag("quiet"), "say nothing but errors"),
    Option(("-V",), "", _flag("verbose"), "with -c: say so when the configuration is valid; with -cc: the result"),
    Option(("-v",), "", _about(1), "print the version"),
    Option(("-vv",), "", _about(2), "print the version, how it was built, and what this machine allows"),
    Option(("-cc",), "CONDITION", _condition, "evaluate a condition as '.if' does: exit 0 if it holds, else 1"),
    Option(("-dK",), "", _flag("keywords"), "print the keywords, as 'fastlb keywords'", attached=True),
    Option(("--version",), "", _flag("version"), "print the version in one line", Tier.OWN),
    Option(("--help", "-h"), "", _flag("help"), "print this", Tier.OWN),
    Option(("-S",), "ADDR", _runtime_socket, "HAProxy's master socket", Tier.INACTIVE),
    _ignored("-W", "fastlb always runs a master and its workers"),
    _ignored("-Ws", "that, and it tells systemd whenever NOTIFY_SOCKET is set"),
    _ignored("-dp -dG -dF -dZ", "fastlb does not use what this switches off"),
    _ignored("-dV", "there is no TLS"),
    Option(("-dM",), "", _nothing, "only builds for debugging watch their memory", Tier.IGNORED, attached=True),
    _refused("-m", "limit the memory from outside: MemoryMax= in the systemd unit"),
    _refused("-x", "sockets are kept over 'fastlb reload', or are passed by systemd (fastlb.socket)"),
    _refused("-de", "fastlb works with epoll alone"),
    _refused("-dS", "fastlb splices only where that is faster"),
    _refused("-dR", "each worker has a socket of its own, for which SO_REUSEPORT is needed"),
    _refused("-dC", "'fastlb -f FILE --explain' shows what a configuration comes to", attached=True),
    _refused("-dL", "'fastlb -vv' says what is there", attached=True),
    _refused("-dI", "there are no external checks that a worker would fork for"),
    _refused("-dA -dt", "there are no traces; see docs/operations.md for what can be seen of sessions", attached=True),
    _refused("-4", "names are resolved as the system says, once"),
)
_BY_NAME = {name: option for option in OPTIONS for name in option.names}


def help_text(before: str, after: str) -> str:
    """What ``--help`` prints: the options by what becomes of them, between these two texts."""
    lines = [before, "options:"]
    lines += [_line(option) for option in OPTIONS if option.tier in (Tier.SUPPORTED, Tier.OWN)]
    lines += ["", "options of HAProxy without effect:"]
    lines += [_line(option) for option in OPTIONS if option.tier in (Tier.INACTIVE, Tier.IGNORED)]
    lines += ["", "options of HAProxy that are refused:"]
    lines += [_line(option) for option in OPTIONS if option.tier is Tier.REFUSED]
    return "\n".join([*lines, "", after.rstrip()])


def _line(option: Option) -> str:
    head = f"{', '.join(option.names)} {option.usage}"
    return f"  {head:<25} {option.help}" if len(head) <= 25 else f"  {head}\n{'':<27} {option.help}"
