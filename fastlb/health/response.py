"""What a server answers over HTTP/1, read piece by piece (RFC 9112). No I/O, and never more than READ_LIMIT_BYTES."""

from __future__ import annotations

import re

READ_LIMIT_BYTES = 16384
# Section 4: HTTP-version SP status-code SP [ reason-phrase ]; a bare LF may end a line (section 2.2).
_STATUS_LINE = re.compile(rb"HTTP/[0-9]\.[0-9] ([0-9]{3})(?: ([^\n]*))?")
_BEGINNING = b"HTTP/"
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\0\r\n]*)")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\n]*)?")
_EMPTY = (204, 304)
_LINE, _HEADERS, _SIZED, _CHUNK_LINE, _CHUNK, _CHUNK_END, _UNTIL_CLOSE, _DONE = range(8)


class Response:
    """``feed`` it with what arrives. ``wrong`` says why this is no HTTP, else it is empty.

    ``code`` is 0 until the status line is whole, ``has_headers`` is True when all headers are; ``ended`` when there is
    no more to come or to read. ``headers`` are names in lower case, and values, in their order.
    """

    __slots__ = ("_bodiless", "_left", "_pending", "_state", "body", "code", "headers", "reason", "total", "wrong")

    def __init__(self, bodiless: bool = False) -> None:
        self.code = 0
        self.reason = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = bytearray()
        self.wrong = ""
        self.total = 0
        self._pending = bytearray()
        self._state = _LINE
        self._left = 0
        self._bodiless = bodiless

    @property
    def has_headers(self) -> bool:
        return self._state > _HEADERS

    @property
    def ended(self) -> bool:
        return self._state == _DONE

    def feed(self, data: bytes) -> None:
        """Nothing is the end of the stream."""
        self.total += len(data)
        self._pending += data
        while self._state != _DONE and not self.wrong and _STEPS[self._state](self):
            pass
        if not data or self.total >= READ_LIMIT_BYTES:
            self._cut(bool(data))

    def _cut(self, full: bool) -> None:
        """There is no more to read."""
        if self._state == _LINE and not self.wrong:
            if full:
                self.wrong = f"no end of the status line in {READ_LIMIT_BYTES} bytes"
            else:
                self.wrong = "connection closed before a status line" if self.total else "empty answer"
        elif self._state == _HEADERS and not self.wrong:
            what = f"no end of the headers in {READ_LIMIT_BYTES} bytes" if full else "connection closed in the headers"
            self.wrong = what
        self._state = _DONE

    def _take_line(self) -> bytes | None:
        """The next line without its end; None while it is not whole."""
        end = self._pending.find(b"\n")
        if end < 0:
            return None
        line = bytes(self._pending[:end]).removesuffix(b"\r")
        del self._pending[: end + 1]
        return line

    def _status_line(self) -> bool:
        beginning = self._pending[: len(_BEGINNING)]
        line = self._take_line()
        if line is None:
            if beginning != _BEGINNING[: len(beginning)]:
                self.wrong = "the answer does not begin with HTTP/"
            return False
        match = _STATUS_LINE.fullmatch(line)
        if match is None:
            self.wrong = "not an HTTP status line"
            return False
        self.code, self.reason = int(match[1]), match[2] or b""
        self._state = _HEADERS
        return True

    def _header(self) -> bool:
        line = self._take_line()
        if line is None:
            return False
        if not line:
            self._begin_body()
            return True
        match = _HEADER.fullmatch(line)
        if match is None:
            self.wrong = "not an HTTP header"
            return False
        self.headers.append((match[1].lower(), match[2].rstrip(b" \t")))
        return True

    def _begin_body(self) -> None:
        """How long it is (RFC 9112, section 6.3)."""
        said = dict(self.headers)
        length = said.get(b"content-length", b"")
        if self._bodiless or self.code in _EMPTY or self.code < 200:
            self._state = _DONE
        elif said.get(b"transfer-encoding", b"").lower().endswith(b"chunked"):
            self._state = _CHUNK_LINE
        elif length:
            if not length.isdigit() or len(length) > 18:
                self.wrong = "not a length of content"
                return
            self._left = int(length)
            self._state = _SIZED if self._left else _DONE
        else:
            self._state = _UNTIL_CLOSE

    def _take_body(self) -> bool:
        """Bytes of the body, as many as are left of it; True when these were the last."""
        part = self._pending[: self._left]
        self.body += part
        del self._pending[: len(part)]
        self._left -= len(part)
        return self._left == 0

    def _sized(self) -> bool:
        if self._take_body():
            self._state = _DONE
        return False

    def _until_close(self) -> bool:
        self.body += self._pending
        self._pending.clear()
        return False

    def _chunk_line(self) -> bool:
        line = self._take_line()
        if line is None:
            return False
        match = _CHUNK_SIZE.fullmatch(line)
        if match is None:
            self.wrong = "not a size of a chunk"
            return False
        self._left = int(match[1], 16)
        self._state = _CHUNK if self._left else _DONE
        return True

    def _chunk(self) -> bool:
        if not self._take_body():
            return False
        self._state = _CHUNK_END
        return True

    def _chunk_end(self) -> bool:
        line = self._take_line()
        if line is None:
            return False
        if line:
            self.wrong = "a chunk is longer than its size"
            return False
        self._state = _CHUNK_LINE
        return True


_STEPS = {
    _LINE: Response._status_line,
    _HEADERS: Response._header,
    _SIZED: Response._sized,
    _CHUNK_LINE: Response._chunk_line,
    _CHUNK: Response._chunk,
    _CHUNK_END: Response._chunk_end,
    _UNTIL_CLOSE: Response._until_close,
}
