"""A small independent server, run as a process of its own: ``python -I -S peer.py BEHAVIOUR NAME LISTEN_FD EVENTS``.

It serves one inherited listening socket. Every finished connection appends one JSON line to EVENTS. It shares no code
with anything else: what it counts is the truth the balancer's figures are compared with.
"""

import contextlib
import hashlib
import json
import os
import random
import socket
import struct
import sys
import threading
import time

BLOCK = 1 << 16
PERIOD = 1_000_003


def banner(sock, name):
    """Speaks first: its name, then FIN."""
    sock.sendall(name.encode() + b"\n")
    return {}


def hold(sock, name):
    """Says its name and keeps the connection until the client ends it."""
    sock.sendall(name.encode() + b"\n")
    return {"received": sum(map(len, parts(sock)))}


def silent(sock, name):
    """Reads, never answers."""
    return {"received": sum(map(len, parts(sock)))}


def echo(sock, name):
    """Sends back what comes, until the client's FIN; no small piece waits for an ACK here."""
    count = 0
    if sock.family != socket.AF_UNIX:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for part in parts(sock):
        sock.sendall(part)
        count += len(part)
    return {"received": count, "sent": count}


def ping(sock, name):
    """One byte in, one byte out, then the client closes."""
    count = 0
    while sock.recv(1):
        sock.sendall(b"!")
        count += 1
    return {"received": count, "sent": count}


def duplex(sock, name):
    """Both directions at once. First line: bytes to send, seed, chunk size, ms between chunks and before reading."""
    size, seed, chunk, pause_ms, late_ms = map(int, line(sock).split())
    failures = []  # a reset is told once, to whichever thread calls first: the other one sees an end of stream
    sender = threading.Thread(target=keeping, args=(failures, send_seeded, sock, size, seed, chunk, pause_ms))
    sender.start()
    digest, count = hashlib.sha256(), 0
    time.sleep(late_ms / 1000)
    for part in parts(sock):
        digest.update(part)
        count += len(part)
    sender.join()
    if failures:
        raise failures[0]
    return {"seed": seed, "received": count, "sha256": digest.hexdigest(), "sent": size}


def tagged(sock, name):
    """The first 16 bytes are the client's tag: it gets half a megabyte of it, and nothing else may come from it."""
    tag = exactly(sock, 16)
    threading.Thread(target=send_quietly, args=(sock, tag * 32768), daemon=True).start()
    foreign, count = 0, len(tag)
    with contextlib.suppress(OSError):
        for part in parts(sock):
            foreign += not in_step(part, tag, count)
            count += len(part)
    return {"tag": tag.decode("latin-1"), "foreign": foreign, "received": count}


def rst(sock, name):
    """Resets at once."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return {}


def firehose(sock, name):
    """Sends without end until the client goes away."""
    count, block = 0, bytes(BLOCK)
    try:
        while True:
            count += sock.send(block)
    except OSError:
        return {"sent": count}


def doomed(sock, name):
    """Sends random.Random(1) without end; when it is killed, its kernel resets its connections (linger 0)."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    block = random.Random(1).randbytes(1_000_003)
    while True:
        sock.sendall(block)


def stream(sock, name):
    """Endless order: as many bytes of a pattern as the first line says, then FIN; its length is prime."""
    wanted, sent = int(line(sock)), 0
    pattern = memoryview(random.Random(PERIOD).randbytes(PERIOD) * 2)
    while sent < wanted:
        start = sent % PERIOD
        sent += sock.send(pattern[start : start + min(4 * BLOCK, wanted - sent)])
    sock.shutdown(socket.SHUT_WR)
    return {"sent": sent, "received": sum(map(len, parts(sock)))}


def parts(sock):
    while part := sock.recv(BLOCK):
        yield part


def exactly(sock, count):
    got = b""
    while len(got) < count and (part := sock.recv(count - len(got))):
        got += part
    return got


def line(sock):
    got = b""
    while not got.endswith(b"\n"):
        got += exactly(sock, 1) or b"\n"
    return got


def in_step(part, tag, offset):
    start = offset % len(tag)
    repeated = tag * (len(part) // len(tag) + 2)
    return repeated[start : start + len(part)] == part


def keeping(failures, function, *arguments):
    try:
        function(*arguments)
    except OSError as error:
        failures.append(error)


def send_quietly(sock, data):
    with contextlib.suppress(OSError):
        sock.sendall(data)


def send_seeded(sock, size, seed, chunk, pause_ms):
    """``size`` bytes of random.Random(seed), in chunks, with a pause after some of them; then FIN."""
    data, pauses = random.Random(seed).randbytes(size), random.Random(seed + 1)
    for start in range(0, size, chunk):
        sock.sendall(data[start : start + chunk])
        if pause_ms and pauses.random() < 0.2:
            time.sleep(pauses.random() * pause_ms / 1000)
    sock.shutdown(socket.SHUT_WR)


def serve(sock, behaviour, name, events):
    try:
        with sock:
            event = behaviour(sock, name)
    except OSError as error:
        event = {"error": error.errno}
    except ValueError as error:  # the client did not say what it wants
        event = {"error": str(error)}
    os.write(events, json.dumps({"name": name, **event}).encode() + b"\n")


def main(behaviour, name, listen_fd, events_path):
    run = {f.__name__: f for f in (banner, hold, silent, echo, ping, duplex, tagged, rst, firehose, doomed, stream)}[
        behaviour
    ]
    listener = socket.socket(fileno=int(listen_fd))
    events = os.open(events_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    threading.stack_size(128 * 1024)
    while True:
        sock, _ = listener.accept()
        if run in (banner, rst):
            serve(sock, run, name, events)
        else:
            threading.Thread(target=serve, args=(sock, run, name, events), daemon=True).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
