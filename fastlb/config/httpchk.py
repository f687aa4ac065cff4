"""``option httpchk``: from its arguments to the request that is sent, byte for byte as HAProxy sends it.

HAProxy manual, section 4.2 ``option httpchk``. One argument is the URI, two are method and URI. Headers hidden behind
the version (``HTTP/1.1\\r\\nHost:\\ example.com``) are the old way to add them, and still common.
"""

from __future__ import annotations

import re

from fastlb.config.args import Args
from fastlb.config.errors import ConfigError, quote
from fastlb.config.lexer import Word
from fastlb.config.tree import HttpCheck

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VERSIONS = ("HTTP/1.0", "HTTP/1.1")
_BODILESS = ("GET", "HEAD", "OPTIONS", "DELETE", "CONNECT")


def parse_httpchk(args: Args) -> HttpCheck:
    """Read the arguments after ``option httpchk``. Raises ConfigError."""
    words = [word for word in (args.take(), args.take()) if word]
    version_word, host = args.take(), args.take()
    args.end()
    method = _method(words[0]) if len(words) == 2 else "OPTIONS"
    uri = _uri(words[-1]) if words else "/"
    if not uri.startswith(("/", "*", "http://", "https://")):
        request = f"{method} {uri}"
        meant = f"option httpchk {uri} /" if len(words) == 1 else f"option httpchk {method} /{uri}"
        message = f"the check sends {quote(request)}, and a URI begins with '/'"
        args.report.warning(words[-1].location, message, f"did you mean {quote(meant)}?")
    version, headers = _version(version_word) if version_word else ("HTTP/1.0", [])
    if host:
        headers.append(("host", _visible(host, "host")))
    return HttpCheck(_request(method, uri, version, headers))


def _request(method: str, uri: str, version: str, headers: list[tuple[str, str]]) -> bytes:
    """Header names go out in lower case; ``connection: close`` is added for HTTP/1.1 unless the user named one."""
    lines = [f"{method} {uri} {version}"]
    lines += [f"{name}: {value}" for name, value in headers if name != "connection"]
    if method not in _BODILESS:
        lines.append("content-length: 0")
    if version == "HTTP/1.1" and all(name != "connection" for name, _ in headers):
        lines.append("connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")


def _method(word: Word) -> str:
    if _TOKEN.fullmatch(word.text) is None:
        raise ConfigError(word.location, f"{quote(word.text)} is no HTTP method", "such as GET, HEAD or OPTIONS")
    return word.text


def _uri(word: Word) -> str:
    hint = "write 'option httpchk GET /path' without quotes around the whole" if " " in word.text else None
    return _visible(word, "URI", hint)


def _visible(word: Word, what: str, hint: str | None = None) -> str:
    """A URI or host goes into the request as it is: blanks and control characters would change its meaning."""
    if any(ord(c) <= 32 or ord(c) == 127 for c in word.text):
        raise ConfigError(word.location, f"the {what} {quote(word.text)} contains a blank or a control character", hint)
    return word.text


def _version(word: Word) -> tuple[str, list[tuple[str, str]]]:
    """Split ``HTTP/1.1\\r\\nHost: example.com`` into the version and its headers."""
    head, _, body = word.text.partition("\r\n\r\n")
    version, *lines = head.removesuffix("\r\n").split("\r\n")
    if version not in _VERSIONS:
        hint = f"it is {' or '.join(_VERSIONS)}"
        raise ConfigError(word.location, f"unknown HTTP version {quote(version)}", hint)
    if body:
        raise ConfigError(word.location, "a body in the request of a health check is not supported yet")
    return version, [_header(line, word) for line in lines]


def _header(line: str, word: Word) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or _TOKEN.fullmatch(name) is None or any(ord(c) < 32 and c != "\t" for c in value):
        raise ConfigError(word.location, f"{quote(line)} is no HTTP header", "it is written 'Name:\\ value'")
    return name.lower(), value.strip()
