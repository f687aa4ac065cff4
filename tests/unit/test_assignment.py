"""Every listening socket has exactly one acceptor, whichever workers are there."""

import itertools
import socket

import pytest

from fastlb.assignment import assigned, owner
from fastlb.heartbeat import Pulse
from fastlb.listeners import Listener
from fastlb.plan.model import Address


@pytest.mark.parametrize("workers", [1, 2, 3, 4])
def test_every_socket_has_one_owner(workers):
    for count in range(1, workers + 1):
        for present in itertools.combinations(range(workers), count):
            for slot in range(8):
                assert owner(slot, workers, present) in present


def test_everybody_at_home():
    assert [owner(slot, 4, [0, 1, 2, 3]) for slot in range(4)] == [0, 1, 2, 3]


def test_slots_beyond_the_number_of_workers_and_lent_ones():
    assert [owner(slot, 2, [0, 1]) for slot in range(4)] == [0, 1, 0, 1]
    assert [owner(slot, 3, [0, 2]) for slot in range(3)] == [0, 2, 2]
    assert [owner(slot, 3, [0, 1]) for slot in range(3)] == [0, 1, 0]
    assert owner(0, 2, []) is None


def test_shared_sockets_are_everybodys():
    with socket.socket() as sock:
        listeners = [Listener(1, "a", 0, True, sock, Address("inet", "", 1))]
        listeners += [Listener(2 + slot, "b", slot, False, sock, Address("inet", "", 2)) for slot in range(2)]
        assert [one.number for one in assigned(listeners, 0, 2, [0, 1])] == [1, 2]
        assert [one.number for one in assigned(listeners, 1, 2, [0, 1])] == [1, 3]
        assert [one.number for one in assigned(listeners, 1, 2, [])] == [1, 2, 3]


def test_silence_is_measured_in_time_that_was_lived():
    pulse = Pulse(0, 0)
    for now in range(500, 5001, 500):
        pulse.tick(now, now)
    assert pulse.silent_ms(1000) == 4000
    pulse.tick(5500, 5500 + 60_000)  # the machine slept for a minute
    assert pulse.silent_ms(1000) == 0
    pulse.tick(9500, 69_500)  # the master itself did not run for 4 s
    assert pulse.silent_ms(1000) == 0
    pulse.tick(10_000, 70_000)
    assert pulse.silent_ms(1000) == 500
