"""``option httpchk``: from its arguments to what is sent.

HAProxy manual, section 4.2 ``option httpchk``. One argument is the URI, two are method and URI. Headers hidden behind
the version (``HTTP/1.1\\r\\nHost:\\ example.com``) are the old way to add them, and still common.
"""

from __future__ import annotations

from fastlb.config.args import Args
from fastlb.config.checktree import HttpSend
from fastlb.config.errors import ConfigError, quote
from fastlb.config.lexer import Word
from fastlb.config.tokens import TOKEN

VERSIONS = ("HTTP/1.0", "HTTP/1.1")


def parse_httpchk(args: Args) -> HttpSend:
    """Read the arguments after ``option httpchk``. Raises ConfigError."""
    words = [word for word in (args.take(), args.take()) if word]
    version_word, host = args.take(), args.take()
    args.end()
    method = method_name(words[0]) if len(words) == 2 else None
    uri = _uri(words[-1]) if words else None
    if uri is not None and not uri.startswith(("/", "*", "http://", "https://")):
        request = f"{method or 'OPTIONS'} {uri}"
        meant = f"option httpchk {uri} /" if len(words) == 1 else f"option httpchk {method} /{uri}"
        message = f"the check sends {quote(request)}, and a URI begins with '/'"
        args.report.warning(words[-1].location, message, f"did you mean {quote(meant)}?")
    version, headers, body = _version(version_word) if version_word else (None, [], None)
    if host:
        headers.append(("host", visible_text(host, "host")))
    return HttpSend(args.location, method, uri, version, tuple(headers), body, by_option=True)


def method_name(word: Word) -> str:
    """The method of a request. Raises ConfigError."""
    if TOKEN.fullmatch(word.text) is None:
        raise ConfigError(word.location, f"{quote(word.text)} is no HTTP method", "such as GET, HEAD or OPTIONS")
    return word.text


def _uri(word: Word) -> str:
    hint = "write 'option httpchk GET /path' without quotes around the whole" if " " in word.text else None
    return visible_text(word, "URI", hint)


def visible_text(word: Word, what: str, hint: str | None = None) -> str:
    """A word that goes into the request as it is, so blanks and control characters would change its meaning."""
    if any(ord(c) <= 32 or ord(c) == 127 for c in word.text):
        raise ConfigError(word.location, f"the {what} {quote(word.text)} contains a blank or a control character", hint)
    return word.text


def _version(word: Word) -> tuple[str, list[tuple[str, str]], str | None]:
    """Split ``HTTP/1.1\\r\\nHost: example.com`` into the version, its headers, and what follows an empty line."""
    head, _, body = word.text.partition("\r\n\r\n")
    version, *lines = head.removesuffix("\r\n").split("\r\n")
    if version not in VERSIONS:
        hint = f"it is {' or '.join(VERSIONS)}"
        raise ConfigError(word.location, f"unknown HTTP version {quote(version)}", hint)
    return version, [_header(line, word) for line in lines], body or None


def _header(line: str, word: Word) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or TOKEN.fullmatch(name) is None or any(ord(c) < 32 and c != "\t" for c in value):
        raise ConfigError(word.location, f"{quote(line)} is no HTTP header", "it is written 'Name:\\ value'")
    return name.lower(), value.strip()
