# The turn of a worker: wait, note what epoll reports, run the sessions concerned, then timers, queues and pauses.
# Sessions run only after all events of the batch are noted, so no event of the batch can meet a recycled slot.

cdef uint32_t loop_flags(uint32_t events) noexcept nogil:
    cdef uint32_t flags = 0
    if events & EPOLLIN:
        flags |= END_READABLE
    if events & EPOLLOUT:
        flags |= END_WRITABLE
    if events & (EPOLLRDHUP | EPOLLHUP):
        flags |= END_FIN | END_READABLE
    if events & EPOLLERR:
        flags |= END_ERROR | END_READABLE
    if events & EPOLLPRI:
        flags |= END_URGENT | END_READABLE
    return flags


cdef void loop_session_event(worker_t *w, uint64_t data, uint32_t events) noexcept nogil:
    cdef uint32_t index = <uint32_t>data >> 1
    cdef session_t *s = &w.sessions[index]
    cdef end_t *end = &s.server if data & 1 else &s.client
    if s.state == SESSION_FREE or end.fd < 0 or (s.generation & 0x3fffffff) != <uint32_t>(data >> 32):
        add(&w.row.counters.stale_events_total, 1)
        return
    end.flags |= loop_flags(events)
    ready_push(w, s)


cdef bint loop_event(worker_t *w, epoll_event *event) noexcept nogil:
    # True when Python has to read the control socket.
    cdef uint64_t data = event.data.u64
    cdef uint64_t kind = data & EVENT_KIND
    if kind == EVENT_SESSION:
        loop_session_event(w, data, event.events)
    elif kind == EVENT_LISTENER:
        listen_accept(w, &w.listeners[<uint32_t>data])
    elif data == EVENT_RING:
        kernel_told(w)
    elif kind == EVENT_KICK:
        net_unkick(w.kick_fd)
        w.queues_dirty = 1
        w.resume_ms = w.now_ms
    return kind == EVENT_CONTROL


cdef void loop_ready(worker_t *w) noexcept nogil:
    # Only those that are ready now: who asks for more waits for its next turn.
    cdef uint32_t index = w.ready_first
    cdef session_t *s
    w.ready_first = NO_INDEX
    w.ready_last = NO_INDEX
    while index != NO_INDEX:
        s = &w.sessions[index]
        index = s.ready_next
        s.ready = 0
        session_run(w, s)


cdef void loop_clock(worker_t *w) noexcept nogil:
    w.now_us = net_clock_us(CLOCK_MONOTONIC)
    w.now_ms = w.now_us / 1000
    store_relaxed(&w.row.counters.heartbeat_ms, w.now_ms)
    add(&w.row.counters.turns_total, 1)


cdef bint loop_is_drained(worker_t *w) noexcept nogil:
    return w.draining and w.row.counters.connections == 0


cdef int loop_timeout(worker_t *w, uint64_t deadline_ms) noexcept nogil:
    # How long the next wait may take, in ms.
    cdef uint64_t until = min(w.now_ms + HEARTBEAT_MS, deadline_ms)
    if w.ready_first != NO_INDEX or w.queues_dirty or cut_is_due(w) or loop_is_drained(w):
        return 0
    until = min(until, timer_next_ms(w))
    if w.paused:
        until = min(until, w.resume_ms)
    if w.queued_sessions:
        until = min(until, w.now_ms + LIMIT_PAUSE_MS)
    if w.log_waiting:
        until = min(until, w.logged_ms + LOG_FLUSH_MS)
    return <int>(until - w.now_ms) if until > w.now_ms else 0


cdef void loop_housekeeping(worker_t *w, bint waited) noexcept nogil:
    timer_serve(w)
    if cut_is_due(w):
        cut_serve(w)
    if w.queues_dirty or (waited and w.queued_sessions):
        queue_serve(w)
    w.queues_dirty = w.queues_dirty and w.queued_sessions
    if w.paused and w.now_ms >= w.resume_ms:
        listen_resume(w)
    if w.now_ms - w.tables_ticked_ms >= HEARTBEAT_MS:
        tables_serve(w)
    log_flush(w)


cdef int loop_wait(worker_t *w, int timeout_ms) noexcept nogil:
    # A CPU that sleeps takes longer to wake than a small message takes to be forwarded. Who only finishes what it has
    # shall not take a CPU from the others for that.
    cdef uint64_t until_us
    cdef int n
    if not w.busy_polling or w.draining:
        return epoll_wait(w.epoll, w.events, EVENT_BATCH, timeout_ms)
    until_us = w.now_us + <uint64_t>timeout_ms * 1000
    while True:
        n = epoll_wait(w.epoll, w.events, EVENT_BATCH, 0)
        if n != 0 or net_clock_us(CLOCK_MONOTONIC) >= until_us:
            return n


cdef int loop_run(worker_t *w, uint64_t deadline_ms) noexcept nogil:
    cdef int n, i
    cdef bint control = False
    while True:
        n = loop_wait(w, loop_timeout(w, deadline_ms))
        loop_clock(w)
        for i in range(n):
            control |= loop_event(w, &w.events[i])
        loop_ready(w)
        loop_housekeeping(w, n == 0)
        if control:
            return RUN_IS_CONTROL
        if loop_is_drained(w):
            log_flush(w)
            return RUN_IS_DRAINED
        if w.now_ms >= deadline_ms:
            return RUN_IS_TIMEOUT
