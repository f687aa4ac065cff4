"""The service manager's side of sd_notify(3): a datagram socket that keeps every message."""

import contextlib
import socket

from .waiting import eventually


class NotifySocket:
    def __init__(self, path: str) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(path)
        self._socket.setblocking(False)
        self._messages: list[str] = []

    def messages(self) -> list[str]:
        with contextlib.suppress(BlockingIOError):
            while True:
                self._messages.append(self._socket.recv(65536).decode())
        return self._messages

    def said(self, word: str) -> int:
        """In how many messages a line like READY=1 occurred."""
        return sum(word in message.splitlines() for message in self.messages())

    def wait(self, word: str, times: int = 1, within_s: float = 20) -> None:
        eventually(lambda: self.said(word) >= times, f"{times} times {word} on the notify socket", within_s)

    def close(self) -> None:
        self._socket.close()
