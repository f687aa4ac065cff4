# The third mover: the kernel forwards, by a BPF program on both sockets of a chatty session (fastlb/bpf/verdict.py).
#
# A promoted session stays so until it is closed, because taking a live socket out of the map can lose a segment. In
# each direction the program redirects while it has credit; beyond that it leaves segments to the worker, which then
# copies: it receives (never splices: the segments are not in the queue that splice reads) and sends by itself. Order
# holds because the worker sends only when all that was redirected stands in the sink's send queue, and because the
# program redirects again only when the worker has sent on all that was left to it (passed == taken).

cdef inline bint kernel_has(session_t *s, flow_t *f) noexcept nogil:
    return s.kernel & (KERNEL_UP if f == &s.up else KERNEL_DOWN) != 0


cdef inline uint32_t kernel_index(worker_t *w, session_t *s, flow_t *f) noexcept nogil:
    return session_index(w, s) << 1 | (f == &s.down)


cdef uint64_t kernel_delivered(kernel_side_t *side, flow_t *f, end_t *sink) noexcept nogil:
    # How much of what was redirected the sink has. Acknowledged first, unacknowledged second: what is acknowledged
    # between the two calls is then missed, not counted twice, and may be more than was ever redirected (delivered < 0).
    # A dead sink gets nothing more: no use in waiting.
    cdef int64_t acked, delivered
    cdef int unacked
    if sink.flags & (END_DEAD | END_ERROR):
        return side.received
    acked = net_acked_bytes(sink.fd)
    unacked = net_unacked_bytes(sink.fd)
    if acked < 0 or unacked < 0:
        return side.sent
    delivered = acked + unacked - <int64_t>(side.base + side.read - f.pending)
    return min(side.received, <uint64_t>max(<int64_t>side.sent, delivered))


cdef void kernel_count(worker_t *w, session_t *s, flow_t *f, end_t *sink) noexcept nogil:
    # What the program has done since the last look becomes received and sent bytes, and activity.
    cdef kernel_side_t *side = &w.kernel.sides[kernel_index(w, s, f)]
    cdef kernel_entry *entry = &w.kernel.entries[kernel_index(w, s, f)]
    cdef uint64_t used = load_acquire(&entry.used)
    cdef uint64_t active_ms = s.active_ms
    cdef uint64_t delivered
    if used != side.received:
        flow_received(w, s, f, used - side.received)
        side.received = used
        s.active_ms = max(active_ms, min(w.now_ms, load_relaxed(&entry.active_ns) / 1000000))
    if side.sent == used:
        return
    active_ms = s.active_ms
    delivered = kernel_delivered(side, f, sink)
    if delivered > side.sent:
        flow_sent(w, s, f, delivered - side.sent)
        add(&w.row.counters.bytes_kernel_total, delivered - side.sent)
        side.sent = delivered
        side.looks = 0
        if delivered == used:
            s.active_ms = active_ms


cdef int kernel_wait(worker_t *w, session_t *s, kernel_side_t *side) noexcept nogil:
    # The kernel delivers from a work queue, mostly within microseconds; with a sink that does not read, much later.
    # Nothing would tell when.
    if side.looks < KERNEL_SPINS:
        side.looks += 1
        return PUMP_MORE
    s.deadline_ms = min(s.deadline_ms, w.now_ms + 8 * (side.looks - KERNEL_SPINS + 1))
    side.looks += side.looks < KERNEL_LOOKS
    timer_update(w, s)
    return PUMP_IDLE


cdef void kernel_watch(worker_t *w, session_t *s, bint quiet) noexcept nogil:
    # Every redirected segment would wake the worker, were it still interested in input.
    cdef uint32_t events = EPOLLRDHUP | EPOLLET if quiet else SESSION_EVENTS
    if quiet == (s.kernel & KERNEL_QUIET != 0):
        return
    s.kernel ^= KERNEL_QUIET
    net_rewatch(w.epoll, s.client.fd, events, session_event_data(w, s, 0))
    net_rewatch(w.epoll, s.server.fd, events, session_event_data(w, s, 1))


cdef bint kernel_is_bulk(kernel_side_t *side, kernel_entry *entry) noexcept nogil:
    # Judged by the segments since the last grant: each costs its bytes and KERNEL_OVERHEAD.
    cdef uint64_t bytes = side.received - side.mark_used
    cdef uint64_t segments = (load_relaxed(&entry.cost) - side.mark_cost - bytes) / KERNEL_OVERHEAD
    return bytes >= segments * KERNEL_SMALL_BYTES and segments > 0


cdef void kernel_grant(kernel_side_t *side, kernel_entry *entry) noexcept nogil:
    cdef uint64_t cost = load_relaxed(&entry.cost)
    side.mark_used = side.received
    side.mark_cost = cost
    store_relaxed(&entry.soft, cost + KERNEL_CREDIT / 4)
    store_relaxed(&entry.limit, cost + KERNEL_CREDIT)


cdef int kernel_resume(kernel_side_t *side, kernel_entry *entry) noexcept nogil:
    # Everything that was left to the worker is sent: the kernel may go on, unless another segment was left meanwhile.
    if side.held:
        return PUMP_IDLE
    kernel_grant(side, entry)
    store_release(&entry.taken, side.read)
    full_fence()  # the program stores `passed`, then loads `taken`
    return PUMP_MORE if load_acquire(&entry.passed) != side.read else PUMP_IDLE


cdef int kernel_renew(worker_t *w, session_t *s, flow_t *f, kernel_side_t *side, kernel_entry *entry) noexcept nogil:
    # Called with nothing left to the worker. Credit is renewed only when all of it has been delivered. Bulk is the
    # worker's, but not while bytes for the source are on their way: what the program leaves would queue behind them.
    cdef flow_t *other = &s.down if f == &s.up else &s.up
    cdef kernel_side_t *reverse = &w.kernel.sides[kernel_index(w, s, other)]
    if load_relaxed(&entry.taken) != side.read:
        return kernel_resume(side, entry)
    if load_relaxed(&entry.cost) <= load_relaxed(&entry.soft):
        return PUMP_IDLE
    if side.sent != side.received:
        return kernel_wait(w, s, side)
    if kernel_is_bulk(side, entry) and reverse.sent == reverse.received:
        side.held = KERNEL_HOLD
        store_relaxed(&entry.soft, NEVER)
        store_relaxed(&entry.limit, 0)
    else:
        kernel_grant(side, entry)
    return PUMP_IDLE


cdef int kernel_ended(worker_t *w, session_t *s, flow_t *f, end_t *source, ssize_t rc) noexcept nogil:
    # The source has nothing (more), says a read. Only when the program's count agrees is that the whole truth: what it
    # left may still be on its way to where reads look, and what it redirected, to the sink. What has not come to a
    # dead source after all the waiting has been lost with it.
    cdef kernel_side_t *side = &w.kernel.sides[kernel_index(w, s, f)]
    cdef kernel_entry *entry = &w.kernel.entries[kernel_index(w, s, f)]
    cdef bint dead = side.failed or source.flags & END_DEAD != 0
    if load_acquire(&entry.used) != side.sent:
        return kernel_wait(w, s, side)
    if load_acquire(&entry.passed) != side.read and not (dead and side.looks == KERNEL_LOOKS):
        return kernel_wait(w, s, side)
    if dead:
        return PUMP_SOURCE_DEAD
    if rc == 0:
        flow_end(f, source)
        return PUMP_MORE
    source.flags &= ~(END_READABLE | END_URGENT | END_ERROR)
    return PUMP_IDLE


cdef int kernel_copy(worker_t *w, session_t *s, flow_t *f, end_t *source, end_t *sink, uint64_t left) noexcept nogil:
    # Not more than was left when the redirected bytes were counted: in front of what came since, there may be others.
    cdef kernel_side_t *side = &w.kernel.sides[kernel_index(w, s, f)]
    cdef ssize_t n
    if left == 0:
        n = net_peek(source.fd, w.scratch, 1)
        if n > 0:
            return PUMP_MORE
    else:
        n = net_recv(source.fd, w.scratch, <size_t>min(left, COPY_BYTES))
    if n <= 0:
        side.failed |= n < 0 and n != -EAGAIN
        return kernel_ended(w, s, f, source, n)
    side.read += <uint64_t>n
    side.looks = 0
    side.held = KERNEL_HOLD if n >= KERNEL_SMALL_BYTES else side.held - (side.held > 0)
    flow_received(w, s, f, n)
    return flow_send(w, s, f, source, sink, <uint32_t>n)


cdef int kernel_pump(worker_t *w, session_t *s, flow_t *f, end_t *source, end_t *sink) noexcept nogil:
    # flow_pump() for a direction that the program decides about; nothing is pending. What was left is asked first, what
    # was redirected second: the other way round, both could happen in between, and the second would overtake the first.
    cdef kernel_side_t *side = &w.kernel.sides[kernel_index(w, s, f)]
    cdef kernel_entry *entry = &w.kernel.entries[kernel_index(w, s, f)]
    cdef uint64_t left
    if f.state != FLOW_OPEN:
        return PUMP_IDLE
    left = load_acquire(&entry.passed) - side.read
    kernel_count(w, s, f, sink)
    if load32_relaxed(&entry.broken):
        return PUMP_SINK_DEAD  # the stream cannot be continued exactly: both ends are reset
    if left and s.kernel & KERNEL_QUIET:
        kernel_watch(w, s, False)
    if not left and not source.flags & (END_FIN | END_ERROR | END_DEAD):
        return kernel_renew(w, s, f, side, entry)
    if side.sent != side.received:
        return kernel_wait(w, s, side)
    if left and not sink.flags & END_WRITABLE:
        return PUMP_IDLE
    return kernel_copy(w, s, f, source, sink, left)


cdef bint kernel_look(worker_t *w, session_t *s) noexcept nogil:
    # The timer of a promoted session. True when it is not over: the kernel had something to do meanwhile.
    if s.state != SESSION_ESTABLISHED:
        return False
    if s.kernel & KERNEL_UP:
        kernel_count(w, s, &s.up, &s.server)
    if s.kernel & KERNEL_DOWN:
        kernel_count(w, s, &s.down, &s.client)
    if session_idle_end(s) <= w.now_ms:
        return False
    s.deadline_ms = w.now_ms + KERNEL_LOOK_MS
    ready_push(w, s)
    timer_update(w, s)
    return True


cdef bint kernel_is_quiet(worker_t *w, session_t *s, flow_t *f) noexcept nogil:
    # The program redirects, and whatever stops it is told through the ring.
    cdef kernel_side_t *side = &w.kernel.sides[kernel_index(w, s, f)]
    cdef kernel_entry *entry = &w.kernel.entries[kernel_index(w, s, f)]
    return kernel_has(s, f) and not f.pending and not side.held and load_relaxed(&entry.taken) == side.read


cdef bint kernel_holds(worker_t *w, session_t *s, flow_t *f) noexcept nogil:
    # Bytes that were received and are in no send queue: left to the worker, or redirected and still on their way.
    cdef kernel_side_t *side = &w.kernel.sides[kernel_index(w, s, f)]
    cdef kernel_entry *entry = &w.kernel.entries[kernel_index(w, s, f)]
    kernel_count(w, s, f, &s.server if f == &s.up else &s.client)
    return load_acquire(&entry.passed) != side.read or side.sent != side.received


cdef void kernel_after(worker_t *w, session_t *s) noexcept nogil:
    # The end of a turn of an established session.
    if not s.kernel:
        promote_consider(w, s)
    elif s.state == SESSION_ESTABLISHED and not s.kernel & KERNEL_QUIET:
        if kernel_is_quiet(w, s, &s.up) and kernel_is_quiet(w, s, &s.down):
            kernel_watch(w, s, True)


cdef void kernel_leave(worker_t *w, session_t *s) noexcept nogil:
    # The sockets leave the maps by being closed.
    cdef uint32_t index = session_index(w, s) << 1
    if s.kernel & KERNEL_UP:
        kernel_count(w, s, &s.up, &s.server)
    if s.kernel & KERNEL_DOWN:
        kernel_count(w, s, &s.down, &s.client)
    promote_forget(w, index)
    promote_forget(w, index | 1)
    s.kernel = 0
    sub(&w.row.counters.kernel_sessions, 1)


cdef void kernel_free(kernel_t *kernel) noexcept nogil:
    if kernel.entries != NULL:
        munmap(kernel.entries, kernel.entries_bytes)
    if kernel.consumed != NULL:
        munmap(kernel.consumed, PAGE_BYTES)
    if kernel.produced != NULL:
        munmap(kernel.produced, PAGE_BYTES + 2 * kernel.ring_bytes)
    free(kernel.sides)
    free(kernel)
