"""A server whose strings the test pulls: it accepts when asked, and hands the accepted socket to the test."""

import socket
import time

from .client import TIMEOUT_S


class Puppet:
    """Listens from the start (the kernel completes handshakes), speaks only when the test does."""

    def __init__(self, port: int, host: str = "127.0.0.1", backlog: int = 512, rcvbuf: int = 0) -> None:
        self.host, self.port = host, port
        self._listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        if rcvbuf:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)  # accepted sockets inherit it
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind((host, port))
        self._listener.listen(backlog)
        self._open: list[socket.socket] = []

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def accept(self, timeout_s: float = TIMEOUT_S) -> socket.socket:
        """The next connection; it is closed at the end of the test if the test did not."""
        self._listener.settimeout(timeout_s)
        sock, _ = self._listener.accept()
        sock.settimeout(TIMEOUT_S)
        self._open.append(sock)
        return sock

    def nobody_comes(self, for_s: float) -> bool:
        """Whether no connection arrives for ``for_s`` seconds."""
        try:
            self.accept(for_s)
        except TimeoutError:
            return True
        return False

    def close(self) -> None:
        self._listener.close()
        for sock in self._open:
            sock.close()


class BlackHole:
    """An address that never answers a SYN: a listener whose accept queue is full (listen(2), backlog 0)."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self.host, self.port = host, port
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind((host, port))
        self._listener.listen(0)
        self._fillers = [self._fill() for _ in range(4)]
        time.sleep(0.05)  # lets the kernel decide which fillers it queues and which SYN it drops

    def _fill(self) -> socket.socket:
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex((self.host, self.port))
        return filler

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    def accept(self, timeout_s: float = TIMEOUT_S) -> socket.socket:
        """From now on it answers: the next SYN that a client repeats is taken. Returns the first such connection."""
        ours = {filler.getsockname()[1] for filler in self._fillers}
        self._listener.settimeout(timeout_s)
        while True:
            sock, (_, port) = self._listener.accept()
            if port not in ours:
                sock.settimeout(TIMEOUT_S)
                return sock
            self._fillers.append(sock)

    def close(self) -> None:
        for filler in self._fillers:
            filler.close()
        self._listener.close()
