# Accepting. Listeners are level-triggered, so a turn may stop at its budget without a call that says "no more".
# A limit that is reached stops the accepting (the kernel's backlog holds the clients), it never refuses anybody.

cdef bint limit_allows(worker_t *w, uint64_t limit, const uint64_t *gauge) noexcept nogil:
    # The gauge has been raised by whoever asks: see server_claim(). A limit that even full workers cannot reach (the
    # automatic one) costs no look at the rows of the others.
    if limit == 0 or limit >= w.control.workers * w.session_limit:
        return True
    full_fence()
    return gauge_total(w, gauge) <= limit


cdef bint listen_allows(worker_t *w, uint32_t slot) noexcept nogil:
    # Of a frontend, or of an address with a limit of its own.
    return limit_allows(w, load_relaxed(&w.control.frontends[slot].maxconn), &w.row.frontends[slot].sessions)


cdef bint listen_admit(worker_t *w, listener_t *listener) noexcept nogil:
    # Raise the gauges of one more session, or say no and mark this worker as waiting.
    cdef uint32_t slot = listener.frontend.slot
    cdef uint32_t own = listener.bind.slot
    if w.free_count == 0:
        return False
    add(&w.row.frontends[slot].sessions, 1)
    add(&w.row.counters.sessions, 1)
    if own != NO_INDEX:
        add(&w.row.frontends[own].sessions, 1)
    if (listen_allows(w, slot) and (own == NO_INDEX or listen_allows(w, own))
            and limit_allows(w, load_relaxed(&w.control.maxconn), &w.row.counters.sessions)):
        return True
    listen_unadmit(w, listener)
    return False


cdef void listen_unadmit(worker_t *w, listener_t *listener) noexcept nogil:
    sub(&w.row.frontends[listener.frontend.slot].sessions, 1)
    sub(&w.row.counters.sessions, 1)
    if listener.bind.slot != NO_INDEX:
        sub(&w.row.frontends[listener.bind.slot].sessions, 1)


cdef void listen_poll(worker_t *w, listener_t *listener) noexcept nogil:
    # A listener that nobody accepts from is a black hole: when epoll has no room for it, it is tried again.
    cdef uint32_t events = EPOLLIN | (EPOLLEXCLUSIVE if listener.shared else 0)
    cdef uint64_t data = EVENT_LISTENER | <uint64_t>(listener - w.listeners)
    if listener.polled:
        return
    listener.polled = net_watch(w.epoll, listener.fd, events, data) == 0
    if not listener.polled:
        w.paused = 1
        w.resume_ms = min(w.resume_ms, w.now_ms + RESOURCE_PAUSE_MS)


cdef void listen_unpoll(worker_t *w, listener_t *listener) noexcept nogil:
    if listener.polled:
        net_unwatch(w.epoll, listener.fd)
        listener.polled = 0


cdef void listen_mark(worker_t *w, plan_frontend *frontend, bint waiting) noexcept nogil:
    # Whoever ends a session looks at these masks, and kicks who waits.
    cdef uint64_t bit = <uint64_t>1 << w.number
    if waiting:
        fetch_or(&w.shared.frontends[frontend.slot].paused, bit)
        fetch_or(&w.shared.paused, bit)
    elif load_relaxed(&w.shared.frontends[frontend.slot].paused) & bit:
        fetch_and(&w.shared.frontends[frontend.slot].paused, ~bit)


cdef void listen_pause(worker_t *w, listener_t *listener, uint64_t pause_ms) noexcept nogil:
    # The kick of whoever ends a session resumes it; the time is the backstop.
    listen_unpoll(w, listener)
    listen_mark(w, listener.frontend, True)
    w.paused = 1
    w.resume_ms = min(w.resume_ms, w.now_ms + pause_ms)
    add(&w.row.counters.accept_pauses_total, 1)


cdef void listen_rest(worker_t *w, listener_t *listener, uint64_t pause_ms) noexcept nogil:
    # A rate is used up: nobody's end makes room, only time does.
    listen_unpoll(w, listener)
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
        listener = &w.listeners[i]
        if listener.used and listener.serving and not listener.polled:
            listen_mark(w, listener.frontend, False)
            listen_poll(w, listener)


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


cdef bint listen_lets_in(worker_t *w, listener_t *listener, int fd, sockaddr_storage *peer) noexcept nogil:
    # "harden.reject-privileged-ports.tcp", then the connection rules. If not, it is closed.
    cdef address_t client
    if listener.frontend.flags & FRONTEND_PORTS_ABOVE_1023:
        address_read(&client, peer)
        if 0 < client.port < 1024:
            add(&w.row.frontends[listener.frontend.slot].denied_connections_total, 1)
            net_reset(fd)
            return False
    return not listener.frontend.flags & FRONTEND_CONNECTION_RULES or rules_admit(w, listener, fd, peer)


cdef int listen_accept_one(worker_t *w, listener_t *listener) noexcept nogil:
    # 1 accepted · 0 nothing left · -1 that one was lost, try again · -2 paused
    cdef sockaddr_storage peer
    cdef uint32_t slot = listener.frontend.slot
    cdef bint rated = listener.serving and load_relaxed(&w.control.rates)
    cdef uint64_t pause_ms = rates_take(w, slot) if rated else 0
    cdef int fd
    if pause_ms:
        listen_rest(w, listener, pause_ms)
        return -2
    if not listen_admit(w, listener):
        if rated:
            rates_give_back(w, slot, False)
        listen_pause(w, listener, LIMIT_PAUSE_MS)
        return -2
    fd = net_accept(listener.fd, &peer)
    if fd >= 0:
        if listener.frontend.flags & FRONTEND_ASKS and not listen_lets_in(w, listener, fd, &peer):
            listen_unadmit(w, listener)
            if rated:
                rates_give_back(w, slot, True)
            return 1
        session_open(w, listener, fd, &peer)
        return 1
    listen_unadmit(w, listener)
    if rated:
        rates_give_back(w, slot, False)
    if fd == -EAGAIN:
        return 0
    add(&w.row.counters.accept_errors_total, 1)
    if net_accept_again(-fd):
        return -1
    listen_pause(w, listener, RESOURCE_PAUSE_MS)
    return -2


cdef void listen_accept(worker_t *w, listener_t *listener) noexcept nogil:
    # The batch grows while the backlog outlasts it from turn to turn, and shrinks to what was there: so that the
    # accept that would only say EAGAIN is seldom made.
    cdef int taken = 0, rc = 1
    cdef uint64_t turn = w.row.counters.turns_total
    if not listener.serving:
        return
    while taken < listener.batch and (rc == 1 or rc == -1):
        rc = listen_accept_one(w, listener)
        taken += 1
    if rc == 0:
        listener.batch = <uint16_t>max(taken - 1, 1)
    elif listener.turn + 1 == turn and listener.batch < ACCEPT_BATCH:
        listener.batch *= 2
    listener.turn = turn


cdef void listen_retire(worker_t *w, listener_t *listener) noexcept nogil:
    # The master has closed its copy: whoever is in the queue is served, whatever the rate, then the socket goes.
    cdef int rc = 1
    listener.serving = 0
    while rc == 1 or rc == -1:
        rc = listen_accept_one(w, listener)
    listen_unpoll(w, listener)
    net_close(listener.fd)
    listen_mark(w, listener.frontend, False)
    plan_release(w, listener.plan)
    memset(listener, 0, sizeof(listener_t))
    listener.fd = -1
