# Accepting. Listeners are level-triggered, so a turn may stop at its budget without a call that says "no more".
# A limit that is reached stops the accepting (the kernel's backlog holds the clients), it never refuses anybody.

cdef bint limit_allows(worker_t *w, uint64_t limit, size_t offset) noexcept nogil:
    # The gauge at `offset` of each row has been raised by whoever asks: see server_claim().
    cdef uint64_t total = 0
    cdef uint64_t i
    if limit == 0:
        return True
    full_fence()
    for i in range(w.control.workers):
        total += load_relaxed(<uint64_t *>(<uint8_t *>worker_row_at(w, i) + offset))
    return total <= limit


cdef bint listen_admit(worker_t *w, listener_t *l) noexcept nogil:
    # Raise the gauges of one more session, or say no and mark this worker as waiting.
    cdef uint32_t slot = l.frontend.slot
    cdef uint64_t *gauge = &w.row.frontends[slot].sessions
    if w.free_count == 0:
        return False
    add(gauge, 1)
    add(&w.row.counters.sessions, 1)
    if (limit_allows(w, load_relaxed(&w.control.frontends[slot].maxconn), <size_t>(<uint8_t *>gauge - <uint8_t *>w.row))
            and limit_allows(w, load_relaxed(&w.control.maxconn),
                             <size_t>(<uint8_t *>&w.row.counters.sessions - <uint8_t *>w.row))):
        return True
    listen_unadmit(w, l)
    return False


cdef void listen_unadmit(worker_t *w, listener_t *l) noexcept nogil:
    sub(&w.row.frontends[l.frontend.slot].sessions, 1)
    sub(&w.row.counters.sessions, 1)


cdef void listen_poll(worker_t *w, listener_t *l) noexcept nogil:
    cdef uint32_t events = EPOLLIN | (EPOLLEXCLUSIVE if l.shared else 0)
    if not l.polled and net_watch(w.epoll, l.fd, events, EVENT_LISTENER | <uint64_t>(l - w.listeners)) == 0:
        l.polled = 1


cdef void listen_unpoll(worker_t *w, listener_t *l) noexcept nogil:
    if l.polled:
        net_unwatch(w.epoll, l.fd)
        l.polled = 0


cdef void listen_mark(worker_t *w, plan_frontend *frontend, bint waiting) noexcept nogil:
    # Whoever ends a session looks at these masks, and kicks who waits.
    cdef uint64_t bit = <uint64_t>1 << w.number
    if waiting:
        fetch_or(&w.shared.frontends[frontend.slot].paused, bit)
        fetch_or(&w.shared.paused, bit)
    elif load_relaxed(&w.shared.frontends[frontend.slot].paused) & bit:
        fetch_and(&w.shared.frontends[frontend.slot].paused, ~bit)


cdef void listen_pause(worker_t *w, listener_t *l, uint64_t pause_ms) noexcept nogil:
    # The kick of whoever ends a session resumes it; the time is the backstop.
    listen_unpoll(w, l)
    listen_mark(w, l.frontend, True)
    w.paused = 1
    w.resume_ms = min(w.resume_ms, w.now_ms + pause_ms)
    add(&w.row.counters.accept_pauses_total, 1)


cdef void listen_resume(worker_t *w) noexcept nogil:
    # Level-triggered: whoever is still in a backlog is reported at once, and a limit still reached pauses again.
    cdef uint32_t i
    cdef listener_t *l
    w.paused = 0
    w.resume_ms = NEVER
    fetch_and(&w.shared.paused, ~(<uint64_t>1 << w.number))
    for i in range(w.listener_count):
        l = &w.listeners[i]
        if l.used and l.serving and not l.polled:
            listen_mark(w, l.frontend, False)
            listen_poll(w, l)


cdef void listen_wake(worker_t *w, plan_frontend *frontend) noexcept nogil:
    # A session of this frontend has ended: those who stopped accepting may go on.
    cdef uint64_t waiting
    cdef uint32_t i
    full_fence()
    waiting = load_relaxed(&w.shared.frontends[frontend.slot].paused) | load_relaxed(&w.shared.paused)
    if waiting == 0:
        return
    for i in range(w.kick_count):
        if waiting >> i & 1:
            if i == w.number:
                w.resume_ms = w.now_ms
            else:
                net_kick(w.kick_fds[i])


cdef int listen_accept_one(worker_t *w, listener_t *l) noexcept nogil:
    # 1 accepted · 0 nothing left · -1 that one was lost, try again · -2 paused
    cdef sockaddr_storage peer
    cdef int fd
    if not listen_admit(w, l):
        listen_pause(w, l, LIMIT_PAUSE_MS)
        return -2
    fd = net_accept(l.fd, &peer)
    if fd >= 0:
        session_open(w, l, fd, &peer)
        return 1
    listen_unadmit(w, l)
    if fd == -EAGAIN:
        return 0
    add(&w.row.counters.accept_errors_total, 1)
    if net_accept_again(-fd):
        return -1
    listen_pause(w, l, RESOURCE_PAUSE_MS)
    return -2


cdef void listen_accept(worker_t *w, listener_t *l) noexcept nogil:
    # The batch grows while the backlog fills it: then the accept that would say EAGAIN is never made.
    cdef int taken = 0, rc = 1
    if not l.serving:
        return
    while taken < l.batch and (rc == 1 or rc == -1):
        rc = listen_accept_one(w, l)
        taken += 1
    if rc == 1 and l.batch < ACCEPT_BATCH:
        l.batch *= 2
    elif rc == 0 and taken < l.batch:
        l.batch = <uint16_t>max(taken, 1)


cdef void listen_retire(worker_t *w, listener_t *l) noexcept nogil:
    # The master has closed its copy: whoever is in the queue is served, then the socket goes.
    cdef int rc = 1
    while rc == 1 or rc == -1:
        rc = listen_accept_one(w, l)
    listen_unpoll(w, l)
    net_close(l.fd)
    plan_release(w, l.plan)
    listen_mark(w, l.frontend, False)
    memset(l, 0, sizeof(listener_t))
    l.fd = -1
