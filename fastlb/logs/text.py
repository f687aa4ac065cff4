"""What may appear in a log line: the bytes 0x20 to 0x7e, and nothing else. One event is one line, whatever a peer, a
health answer or a configuration name contains. Pure functions.
"""

from __future__ import annotations

import re

_UNSAFE = re.compile(rb"[^\x20-\x7e]")
_UNSAFE_INFO = re.compile(r'[^\x20-\x7e]|["<>]')


def escape_line(line: bytes) -> bytes:
    """Every other byte becomes ``#XX``, HAProxy's escape in log lines."""
    return _UNSAFE.sub(_hexadecimal, line)


def escape_text(text: str) -> bytes:
    """The same for text; characters outside ASCII are escaped byte by byte, as UTF-8."""
    return escape_line(text.encode("utf-8", "surrogateescape"))


def escape_info(info: str) -> str:
    """Words of a server or of the system, for inside double quotes: as HAProxy, ``<XX>`` for each unsafe character.

    ``info`` holds one character for each byte (latin-1) where it came from a server.
    """
    return _UNSAFE_INFO.sub(lambda match: "".join(f"<{byte:02X}>" for byte in _bytes(match[0])), info)


def _bytes(character: str) -> bytes:
    return character.encode("latin-1") if character <= "\xff" else character.encode("utf-8", "surrogateescape")


def _hexadecimal(match: re.Match[bytes]) -> bytes:
    return b"#%02X" % match[0][0]
