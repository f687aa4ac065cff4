"""A TCP socket rebuilt with a sequence number further back: what it sends next overlaps what its peer has."""

import socket
import struct

TCP_REPAIR, TCP_REPAIR_QUEUE, TCP_QUEUE_SEQ, TCP_REPAIR_OPTIONS, TCP_TIMESTAMP, TCP_REPAIR_WINDOW = (
    19,
    20,
    21,
    22,
    24,
    29,
)
RECEIVE_QUEUE, SEND_QUEUE = 1, 2
OPTION_MSS, OPTION_WINDOW, OPTION_SACK, OPTION_TIMESTAMP = 2, 3, 4, 8


def rewound(sock: socket.socket, by: int) -> socket.socket:
    """The same connection as a new socket that will send again from ``by`` bytes before. The old one is gone."""
    tcp, near, far = socket.IPPROTO_TCP, sock.getsockname(), sock.getpeername()
    sock.setsockopt(tcp, TCP_REPAIR, 1)
    sent, received = _sequence(sock, SEND_QUEUE), _sequence(sock, RECEIVE_QUEUE)
    clock, window = sock.getsockopt(tcp, TCP_TIMESTAMP), sock.getsockopt(tcp, TCP_REPAIR_WINDOW, 20)
    sock.close()
    new = socket.socket()
    new.setsockopt(tcp, TCP_REPAIR, 1)
    new.bind(near)
    for queue, number in ((SEND_QUEUE, sent - by), (RECEIVE_QUEUE, received)):
        new.setsockopt(tcp, TCP_REPAIR_QUEUE, queue)
        new.setsockopt(tcp, TCP_QUEUE_SEQ, struct.pack("=I", number & 0xFFFFFFFF))
    new.setsockopt(tcp, TCP_REPAIR_QUEUE, 0)
    new.connect(far)
    options = (OPTION_MSS, 65483, OPTION_WINDOW, 7 | 7 << 16, OPTION_SACK, 0, OPTION_TIMESTAMP, 0)
    new.setsockopt(tcp, TCP_REPAIR_OPTIONS, struct.pack("=8I", *options))
    new.setsockopt(tcp, TCP_TIMESTAMP, struct.pack("=i", clock + 1))
    new.setsockopt(tcp, TCP_REPAIR_WINDOW, window)
    new.setsockopt(tcp, TCP_REPAIR, 0)
    return new


def _sequence(sock: socket.socket, queue: int) -> int:
    sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR_QUEUE, queue)
    return sock.getsockopt(socket.IPPROTO_TCP, TCP_QUEUE_SEQ) & 0xFFFFFFFF
