"""The program that decides about each segment a promoted socket receives: to the session's other socket, or left here.

It runs under the lock of the receiving socket, so its half of an entry has one writer; src/layout.h (kernel_entry) says
what the words mean, src/kernel.pxi what the worker does with them. Three facts of the kernel shape it:

- It is shown whole segments. A retransmission that overlaps what had arrived is not cut to fit, as reads would have it
  (tcp_read_skb() does not look at copied_seq): so the program cuts it, by the sequence number in the control block.
- A bare FIN arrives as a segment of no bytes. It is dropped: the worker learns of a FIN from epoll.
- What it leaves (SK_PASS) waits in a queue that counts against the receive buffer, so the window closes: back-pressure.
"""

from __future__ import annotations

from fastlb.bpf.assembler import Assembler

LICENCE = b"Dual MIT/GPL"  # of this program: the kernel shows its own structures to GPL-compatible ones only
ENTRY_BYTES = 128
USED, COST, PASSED, ACTIVE, NEXT, BROKEN = 0, 8, 16, 24, 32, 36
LIMIT, SOFT, TAKEN, PEER = 64, 72, 80, 88
OVERHEAD = 512  # what a segment costs beside its bytes: thousands of tiny ones take memory too

_DROP, _PASS = 0, 1
_LOOKUP, _COOKIE, _ADJUST_ROOM, _REDIRECT, _RINGBUF_OUTPUT, _TCP_SOCK, _CLOCK = 1, 46, 50, 52, 130, 137, 160
_SKB_LEN, _SKB_SEQUENCE, _SKB_SOCKET = 0, 48, 168  # of struct __sk_buff; the sequence number is its cb[0]
_CUT_BYTES, _CUTS = 4095, 18  # the most that one call cuts off, and enough of them for a segment of 64 KiB
_COOKIE_AT, _INDEX_AT, _EXPECTED_AT = -8, -16, -24  # on the stack
_SKB, _LEN, _ENTRY, _WORK = 6, 7, 8, 9


def program(cookies: int, entries: int, sinks: int, ring: int, copied_seq: int) -> bytes:
    """The code, for these maps and the offset of copied_seq in struct tcp_sock."""
    a = Assembler()
    a.move(_SKB, 1)
    a.load(4, _LEN, _SKB, _SKB_LEN)
    a.jump_if_value(_LEN, "==", 0, "drop")
    _find_entry(a, cookies, entries)
    _expect(a, copied_seq)
    _fit(a)
    a.label("fits")
    a.call(_CLOCK)
    a.store(8, _ENTRY, ACTIVE, 0)
    _advance(a)
    _redirect(a, sinks)
    _charge(a)
    a.label("leave")
    _leave(a)
    a.label("tell")
    _tell(a, ring)
    a.label("pass")
    a.leave(_PASS)
    a.label("broken")
    a.set(1, 1)
    a.store(4, _ENTRY, BROKEN, 1)
    _tell(a, ring)
    a.label("drop")
    a.leave(_DROP)
    return a.code()


def _find_entry(a: Assembler, cookies: int, entries: int) -> None:
    a.move(1, _SKB)
    a.call(_COOKIE)
    a.store(8, 10, _COOKIE_AT, 0)
    a.load_map(1, cookies)
    a.move(2, 10)
    a.add_value(2, _COOKIE_AT)
    a.call(_LOOKUP)
    a.jump_if_value(0, "==", 0, "pass")
    a.load(4, 1, 0, 0)
    a.store(8, 10, _INDEX_AT, 1)
    a.load_map(1, entries)
    a.move(2, 10)
    a.add_value(2, _INDEX_AT)
    a.call(_LOOKUP)
    a.jump_if_value(0, "==", 0, "pass")
    a.move(_ENTRY, 0)


def _expect(a: Assembler, copied_seq: int) -> None:
    """The sequence number that continues the stream: the socket's at first, the entry's from then on."""
    a.load(8, 1, _ENTRY, USED)
    a.load(8, 2, _ENTRY, PASSED)
    a.either(1, 2)
    a.load(4, _WORK, _ENTRY, NEXT)
    a.jump_if_value(1, "!=", 0, "expected")
    a.load(8, 1, _SKB, _SKB_SOCKET)
    a.jump_if_value(1, "==", 0, "pass")
    a.call(_TCP_SOCK)
    a.jump_if_value(0, "==", 0, "pass")
    a.load(4, _WORK, 0, copied_seq)
    a.label("expected")
    a.store(8, 10, _EXPECTED_AT, _WORK)


def _fit(a: Assembler) -> None:
    """Cuts off what the stream has already. A gap, or nothing new, cannot be."""
    a.load(4, 1, _SKB, _SKB_SEQUENCE)
    a.subtract(_WORK, 1)
    a.low_half(_WORK)
    a.jump_if_value(_WORK, "==", 0, "fits")
    a.jump_if(_WORK, ">=", _LEN, "broken")
    for _ in range(_CUTS):
        more = f"cut {_}"
        a.move(2, _WORK)
        a.jump_if_value(2, "<=", _CUT_BYTES, more)
        a.set(2, _CUT_BYTES)
        a.label(more)
        a.subtract(_WORK, 2)
        a.subtract(_LEN, 2)
        a.negate(2)
        a.move(1, _SKB)
        a.set(3, 0)
        a.set(4, 0)
        a.call(_ADJUST_ROOM)
        a.jump_if_value(0, "!=", 0, "broken")
        a.jump_if_value(_WORK, "==", 0, "fits")
    a.jump("broken")


def _advance(a: Assembler) -> None:
    a.load(8, 1, 10, _EXPECTED_AT)
    a.add(1, _LEN)
    a.store(4, _ENTRY, NEXT, 1)


def _redirect(a: Assembler, sinks: int) -> None:
    """Goes on behind it only when the segment is on its way; sends nothing that would overtake what was left."""
    a.load(8, 1, _ENTRY, PASSED)
    a.load(8, 2, _ENTRY, TAKEN)
    a.jump_if(1, "!=", 2, "leave")
    a.load(8, _WORK, _ENTRY, COST)
    a.add(_WORK, _LEN)
    a.add_value(_WORK, OVERHEAD)
    a.load(8, 1, _ENTRY, LIMIT)
    a.jump_if(_WORK, ">", 1, "leave")
    a.move(1, _SKB)
    a.load_map(2, sinks)
    a.load(4, 3, _ENTRY, PEER)
    a.set(4, 0)
    a.call(_REDIRECT)
    a.jump_if_value(0, "!=", _PASS, "leave")


def _charge(a: Assembler) -> None:
    a.load(8, 2, _ENTRY, COST)
    a.store(8, _ENTRY, COST, _WORK)
    a.load(8, 1, _ENTRY, USED)
    a.add(1, _LEN)
    a.store(8, _ENTRY, USED, 1)
    a.load(8, 1, _ENTRY, SOFT)
    a.jump_if(2, ">", 1, "pass")
    a.jump_if(_WORK, ">", 1, "tell")
    a.leave(_PASS)


def _leave(a: Assembler) -> None:
    """Leaves the segment to the worker, and tells it when it thought that nothing was left (see kernel_resume)."""
    a.load(8, _WORK, _ENTRY, PASSED)
    a.move(1, _LEN)
    a.fetch_add(_ENTRY, PASSED, 1)
    a.load(8, 1, _ENTRY, TAKEN)
    a.jump_if(1, "!=", _WORK, "pass")


def _tell(a: Assembler, ring: int) -> None:
    a.load_map(1, ring)
    a.move(2, 10)
    a.add_value(2, _INDEX_AT)
    a.set(3, 8)
    a.set(4, 0)
    a.call(_RINGBUF_OUTPUT)
