"""Handlers of the engine tests' servers: what a peer does with its connection."""

from __future__ import annotations

import socket
from collections.abc import Callable

Handler = Callable[[socket.socket], None]


def say(text: bytes) -> Handler:
    """A server that names itself and closes."""

    def handle(connection: socket.socket) -> None:
        connection.sendall(text)

    return handle


def echo(connection: socket.socket) -> None:
    """Send back whatever comes, until the end."""
    while data := connection.recv(65536):
        connection.sendall(data)
