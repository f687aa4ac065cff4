"""Sessions that exchange small messages, until the kernel forwards for them (``option kernel-splice``)."""

import socket

from .client import read_exactly
from .fastlb import Fastlb
from .waiting import eventually

ROUNDS = 10  # small exchanges that may make a session the kernel's: a busy worker sees two turns of it as one


def chat(client: socket.socket, far: socket.socket, rounds: int = ROUNDS) -> None:
    for number in range(rounds):
        question, answer = b"?%d" % number, b"!%d" % number
        client.sendall(question)
        assert read_exactly(far, len(question)) == question
        far.sendall(answer)
        assert read_exactly(client, len(answer)) == answer


def promoted(lb: Fastlb) -> int:
    """Sessions that are the kernel's now."""
    return lb.samples().sum("fastlb_worker_kernel_sessions")


def chat_until_promoted(lb: Fastlb, client: socket.socket, far: socket.socket, count: int = 1) -> None:
    """Small exchanges until ``count`` sessions are the kernel's."""

    def done() -> bool:
        chat(client, far)
        return promoted(lb) == count

    eventually(done, "the session is the kernel's")
