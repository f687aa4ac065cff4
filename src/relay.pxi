# Moving the bytes of one flow. flow_pump() serves both directions, does one bounded step, and says what to do next.
# Back-pressure: a flow never reads while what it read before has not been sent.

cdef enum:
    PUMP_IDLE = 0      # waits for readiness
    PUMP_MORE = 1      # could go on at once; others first
    PUMP_SOURCE_DEAD = 2
    PUMP_SINK_DEAD = 3


cdef void flow_drop(worker_t *w, flow_t *f) noexcept nogil:
    # Whatever is pending is given up.
    if f.pipe >= 0:
        pipe_release(w, f.pipe, f.pending)
        f.pipe = -1
    if f.buffer != NULL:
        buffer_release(w, f.buffer)
        f.buffer = NULL
    f.pending = 0


cdef void flow_received(worker_t *w, session_t *s, flow_t *f, uint64_t n) noexcept nogil:
    f.received += n
    s.active_ms = w.now_ms
    if f == &s.up:
        add(&w.row.frontends[s.frontend.slot].received_bytes_total, n)
    else:
        add(&w.row.servers[s.target.slot].received_bytes_total, n)


cdef void flow_sent(worker_t *w, session_t *s, flow_t *f, uint64_t n) noexcept nogil:
    f.sent += n
    s.active_ms = w.now_ms
    if f == &s.up:
        add(&w.row.servers[s.target.slot].sent_bytes_total, n)
    else:
        add(&w.row.frontends[s.frontend.slot].sent_bytes_total, n)


cdef int flow_flush_pipe(worker_t *w, session_t *s, flow_t *f, end_t *sink) noexcept nogil:
    cdef ssize_t n = net_splice(w.pool.pipes[f.pipe].reader, sink.fd, f.pending)
    if n <= 0:
        if n != 0 and n != -EAGAIN:
            return PUMP_MORE if n == -ENOMEM else PUMP_SINK_DEAD
        sink.flags &= ~END_WRITABLE
        return PUMP_IDLE
    flow_sent(w, s, f, n)
    add(&w.row.counters.bytes_spliced_total, n)
    f.pending -= <uint32_t>n
    if f.pending:
        return PUMP_MORE  # only EAGAIN proves that the sink is full, and arms its next EPOLLOUT
    pipe_release(w, f.pipe, 0)
    f.pipe = -1
    return PUMP_MORE


cdef int flow_flush_buffer(worker_t *w, session_t *s, flow_t *f, end_t *sink) noexcept nogil:
    cdef ssize_t n = net_send(sink.fd, f.buffer + f.buffer_at, f.pending, False)
    if n < 0:
        if n != -EAGAIN:
            return PUMP_SINK_DEAD
        n = 0
    if n:
        flow_sent(w, s, f, n)
        add(&w.row.counters.bytes_copied_total, n)
    f.pending -= <uint32_t>n
    f.buffer_at += <uint32_t>n
    if f.pending:
        sink.flags &= ~END_WRITABLE
        return PUMP_IDLE
    buffer_release(w, f.buffer)
    f.buffer = NULL
    return PUMP_MORE


cdef int flow_flush(worker_t *w, session_t *s, flow_t *f, end_t *sink) noexcept nogil:
    if not sink.flags & END_WRITABLE:
        return PUMP_IDLE
    return flow_flush_pipe(w, s, f, sink) if f.pipe >= 0 else flow_flush_buffer(w, s, f, sink)


cdef int flow_keep(worker_t *w, flow_t *f, const uint8_t *data, uint32_t size) noexcept nogil:
    # What a partial send left waits in a buffer; without memory for one the stream cannot stay exact.
    f.buffer = buffer_take(w, size)
    if f.buffer == NULL:
        return -ENOMEM
    memcpy(f.buffer, data, size)
    f.buffer_at = 0
    f.pending = size
    return 0


cdef void flow_end(flow_t *f, end_t *source) noexcept nogil:
    f.state = FLOW_DRAINING
    source.flags &= ~END_READABLE
    source.flags |= END_FIN_READ


cdef int flow_read_failed(flow_t *f, end_t *source, ssize_t rc) noexcept nogil:
    # A call that failed on this socket has eaten its error (END_DEAD): then 0 is the reset, not an end of stream.
    if rc == -EAGAIN:
        source.flags &= ~(END_READABLE | END_URGENT)
        return PUMP_IDLE
    if rc == 0 and not source.flags & END_DEAD:
        flow_end(f, source)
        return PUMP_MORE
    return PUMP_SOURCE_DEAD


cdef int flow_send(worker_t *w, session_t *s, flow_t *f, end_t *source, end_t *sink, uint32_t size) noexcept nogil:
    cdef bint last = f.state == FLOW_DRAINING and not source.flags & END_DEAD and not session_resets(s)
    cdef ssize_t n = net_send(sink.fd, w.scratch, size, last)
    if n < 0:
        if n != -EAGAIN:
            return PUMP_SINK_DEAD
        n = 0
    if n:
        flow_sent(w, s, f, n)
        add(&w.row.counters.bytes_copied_total, n)
    if <uint32_t>n < size:
        sink.flags &= ~END_WRITABLE
        if flow_keep(w, f, w.scratch + n, size - <uint32_t>n) < 0:
            s.cause = CAUSE_RESOURCE_DATA
            return PUMP_SINK_DEAD
    return PUMP_MORE


cdef int flow_copy(worker_t *w, session_t *s, flow_t *f, end_t *source, end_t *sink) noexcept nogil:
    # A short read means that the queue is empty, so it saves the read that would say EAGAIN; and with the FIN already
    # reported it means end of stream. Not so at an urgent mark, with an error behind the data, or on a unix socket
    # (where passed descriptors cut a read short).
    cdef ssize_t n = net_recv(source.fd, w.scratch, COPY_BYTES)
    if n <= 0:
        return flow_read_failed(f, source, n)
    flow_received(w, s, f, n)
    if n == COPY_BYTES:
        flow_use(f, MOVER_COPY if source.flags & END_URGENT else MOVER_SPLICE)
    elif not source.flags & (END_URGENT | END_ERROR | END_UNIX):
        if source.flags & END_FIN:
            flow_end(f, source)
        else:
            source.flags &= ~END_READABLE
    return flow_send(w, s, f, source, sink, <uint32_t>n)


cdef void flow_use(flow_t *f, uint8_t mover) noexcept nogil:
    f.mover = mover
    f.small_splices = 0


cdef void flow_judge(flow_t *f, ssize_t n) noexcept nogil:
    # The end of an answer is small too: only several small ones in a row mean that the stream has ceased.
    f.small_splices = f.small_splices + 1 if n < SPLICE_SMALL_BYTES else 0
    if f.small_splices == SMALL_SPLICES_TO_COPY:
        flow_use(f, MOVER_COPY)


cdef int flow_splice(worker_t *w, session_t *s, flow_t *f, end_t *source, end_t *sink) noexcept nogil:
    # One bounded splice a turn. "Nothing there" is ambiguous (urgent mark, FIN, error): then a read is asked.
    cdef ssize_t n
    cdef int pipe = pipe_take(w)
    if pipe < 0:
        return flow_copy(w, s, f, source, sink)
    n = net_splice(source.fd, w.pool.pipes[pipe].writer, SPLICE_BYTES)
    if n <= 0:
        pipe_release(w, pipe, 0)
        if n == -ECONNRESET or n == -EPIPE or n == -ETIMEDOUT or n == -EHOSTUNREACH:
            return PUMP_SOURCE_DEAD  # splice has eaten the error: a read would now say 0
        if n == -EAGAIN and not source.flags & (END_FIN | END_ERROR | END_URGENT):
            source.flags &= ~END_READABLE
            return PUMP_IDLE
        flow_use(f, MOVER_COPY)
        return flow_copy(w, s, f, source, sink)
    flow_received(w, s, f, n)
    flow_judge(f, n)
    f.pipe = pipe
    f.pending = <uint32_t>n
    return flow_flush_pipe(w, s, f, sink)


cdef bint flow_is_idle(flow_t *f, end_t *source, end_t *sink) noexcept nogil:
    if f.pending:
        return not sink.flags & END_WRITABLE
    return f.state != FLOW_OPEN or not source.flags & END_READABLE


cdef int flow_pump(worker_t *w, session_t *s, flow_t *f, end_t *source, end_t *sink) noexcept nogil:
    cdef int verdict = PUMP_IDLE
    if f.pending:
        verdict = flow_flush(w, s, f, sink)
        if f.pending or verdict == PUMP_SINK_DEAD:
            return verdict
    if s.kernel and kernel_has(s, f):
        return kernel_pump(w, s, f, source, sink)
    if f.state != FLOW_OPEN or not source.flags & END_READABLE or not sink.flags & END_WRITABLE:
        return verdict if f.state != FLOW_OPEN else PUMP_IDLE
    if debug_mover(f.mover) == MOVER_SPLICE and not source.flags & END_URGENT:
        verdict = flow_splice(w, s, f, source, sink)
    else:
        verdict = flow_copy(w, s, f, source, sink)
    if verdict == PUMP_MORE and flow_is_idle(f, source, sink):
        return PUMP_IDLE
    return verdict
