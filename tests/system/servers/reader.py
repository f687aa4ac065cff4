"""Many readers in a process of their own: ``python -I -S reader.py HOST PORT CONNECTIONS BYTES_PER_S SECONDS REQUEST``.

Each connection sends REQUEST (may be empty) and then reads, at BYTES_PER_S (0: as fast as it comes), for SECONDS after
all are connected, or until stdin ends. Prints "reading" when it begins, and at the end one JSON list: the bytes that
each connection got.
"""

import json
import select
import socket
import sys
import time

READ = 1 << 18
PACES = 20  # a slow reader reads this often in a second


def opened(host, port, request, slow):
    sock = socket.socket()
    if slow:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.settimeout(20)
    sock.connect((host, port))
    sock.sendall(request)
    sock.setblocking(False)
    return sock


def take(sock, most):
    """How many bytes were thrown away unseen (MSG_TRUNC, tcp(7))."""
    try:
        return len(sock.recv(most)) if most < READ else sock.recv_into(BUFFER, READ, socket.MSG_TRUNC)
    except BlockingIOError:
        return 0


def told_to_stop():
    return bool(select.select([0], [], [], 0)[0])


def read_fast(socks, until):
    counts = dict.fromkeys((sock.fileno() for sock in socks), 0)
    by_fd = {sock.fileno(): sock for sock in socks}
    poll = select.epoll()
    for fd in by_fd:
        poll.register(fd, select.EPOLLIN)
    while (left_s := until - time.monotonic()) > 0 and not told_to_stop():
        for fd, _ in poll.poll(min(left_s, 0.1)):
            counts[fd] += take(by_fd[fd], READ)
    return list(counts.values())


def read_slowly(socks, until, bytes_per_s):
    counts = [0] * len(socks)
    due = time.monotonic()
    while due < until and not told_to_stop():
        for number, sock in enumerate(socks):
            counts[number] += take(sock, bytes_per_s // PACES)
        due += 1 / PACES
        time.sleep(max(0.0, due - time.monotonic()))
    return counts


def main(host, port, connections, bytes_per_s, seconds, request):
    rate = int(bytes_per_s)
    socks = [opened(host, int(port), request.encode(), rate > 0) for _ in range(int(connections))]
    print("reading", flush=True)
    until = time.monotonic() + float(seconds)
    print(json.dumps(read_slowly(socks, until, rate) if rate else read_fast(socks, until)), flush=True)


BUFFER = bytearray(READ)

if __name__ == "__main__":
    main(*sys.argv[1:])
