# From "a session wants a server" to "connected": choice, connect, retries, redispatch.

cdef void target_bind(worker_t *w, session_t *s) noexcept nogil:
    # s.target was chosen and claimed.
    cdef server_row *row = &w.row.servers[s.target.slot]
    cdef cold_t *cold = &w.colds[session_index(w, s)]
    add(&row.picked_total, 1)
    add(&row.sessions, 1)
    store_relaxed(&row.last_session_us, cold.accepted_real_us + (w.now_us - cold.accepted_us))
    cold.cut_order = w.cuts_going
    if cold.assigned_us == 0:
        cold.assigned_us = w.now_us
    if cold.queued_us:
        add(&row.queue_us_total, w.now_us - cold.queued_us)
        cold.queued_us = 0


cdef void target_release(worker_t *w, session_t *s) noexcept nogil:
    sub(&w.row.servers[s.target.slot].sessions, 1)
    server_unclaim(w, s.target)
    s.target = NULL
    queue_wake(w, s.backend)


cdef void session_assign(worker_t *w, session_t *s) noexcept nogil:
    # The caller must not touch the session afterwards: it may be closed.
    cdef cold_t *cold = &w.colds[session_index(w, s)]
    cdef int verdict
    if s.attempts == 0 and s.rules == 0 and queue_is_busy(w, s, s.backend.slot):
        queue_enter(w, s)
        return
    verdict = balance_pick(w, s, cold.avoid)
    if verdict == PICK_FOUND:
        connect_begin(w, s)
    elif verdict == PICK_FULL and (s.target == NULL or queue_claim(w, s.target)):
        queue_enter(w, s)
    elif verdict == PICK_FULL:
        queue_overflow(w, s)
    else:
        add(&w.row.backends[s.backend.slot].no_server_total, 1)
        session_close(w, s, CAUSE_NO_SERVER)


cdef void connect_begin(worker_t *w, session_t *s) noexcept nogil:
    target_bind(w, s)
    connect_attempt(w, s)


cdef void connect_attempt(worker_t *w, session_t *s) noexcept nogil:
    cdef plan_server *server = s.target
    cdef cold_t *cold = &w.colds[session_index(w, s)]
    cdef int family = (<sockaddr *>server.address).sa_family
    cdef int rc
    s.state = SESSION_CONNECTING
    s.attempts += 1
    cold.attempt_us = w.now_us
    cold.header_bytes = 0
    if cold.made != NULL:
        handshake_forget(cold)
    add(&w.row.servers[server.slot].connecting, 1)
    s.server.flags = END_UNIX if family == AF_UNIX else 0
    if server.flags:
        rc = source_connect(w, s, &s.server.fd)
    else:
        rc = net_open(family)
        if rc >= 0:
            s.server.fd = rc
            rc = net_connect(s.server.fd, server.address, server.address_size)
    if rc == 0 or rc == -EINPROGRESS:
        rc = net_watch(w.epoll, s.server.fd, SESSION_EVENTS, session_event_data(w, s, 1))
    if rc < 0:
        connect_failed(w, s, -rc, False)
        return
    if server.rated:
        pace_count(w, &w.row.servers[server.slot].rate)
    s.deadline_ms = w.now_ms + s.backend.connect_ms if s.backend.connect_ms else NEVER
    timer_update(w, s)


cdef uint32_t connect_retries(worker_t *w, session_t *s) noexcept nogil:
    # Attempts that it may have after the first.
    cdef uint8_t said = w.colds[session_index(w, s)].retries
    return said - 1 if said else s.backend.retries


cdef bint connect_redispatches(worker_t *w, session_t *s) noexcept nogil:
    # HAProxy manual, "option redispatch": n > 0 is every n-th retry; -1 the last one, but at once where the algorithm
    # may choose another server anyway. A server that has gone down meanwhile is left without the option, unless
    # "option persist" led there; one of "force-persist" is not left.
    cdef int32_t interval = s.backend.redispatch
    cdef bint pinned = s.rules == RULES_PINNED
    if w.colds[session_index(w, s)].forced:
        return False
    if not target_usable(w, s):
        return True
    if pinned and not server_up(w, s.target):
        return interval != 0
    if interval == 0 or balance_choices(w, s) < 2:
        return False
    if interval > 0:
        return s.attempts % interval == 0
    return not (pinned or balance_is_hashed(s.backend)) or s.attempts == connect_retries(w, s)


cdef void connect_count_failure(worker_t *w, session_t *s, int error, bint timed_out) noexcept nogil:
    cdef server_row *row = &w.row.servers[s.target.slot]
    sub(&row.connecting, 1)
    if net_error_is_local(error) and not timed_out:
        add(&row.local_errors_total, 1)
        add(&w.row.counters.local_errors_total, 1)
        return
    add(&row.connect_timeouts_total if timed_out else &row.connect_errors_total, 1)
    if s.target.error_limit:
        observe_failure(w, s.target)


cdef uint8_t connect_cause(int error, bint timed_out) noexcept nogil:
    if timed_out:
        return CAUSE_CONNECT_TIMEOUT
    return CAUSE_RESOURCE if net_error_is_local(error) else CAUSE_CONNECT_FAILED


cdef void connect_redispatch(worker_t *w, session_t *s) noexcept nogil:
    # Assigned anew from the ready list: no recursion, whatever `retries` says.
    add(&w.row.backends[s.backend.slot].redispatches_total, 1)
    add(&w.row.servers[s.target.slot].redispatches_total, 1)
    w.colds[session_index(w, s)].avoid = s.target
    s.redispatched = 1
    target_release(w, s)
    s.state = SESSION_ACCEPTED
    s.deadline_ms = NEVER
    ready_push(w, s)


cdef void connect_again(worker_t *w, session_t *s) noexcept nogil:
    # The pause is over; meanwhile the server may have gone down.
    if target_usable(w, s) or w.colds[session_index(w, s)].forced:
        connect_attempt(w, s)
    else:
        connect_redispatch(w, s)


cdef void connect_failed(worker_t *w, session_t *s, int error, bint timed_out) noexcept nogil:
    # Nothing has been forwarded, so another attempt is safe.
    cdef uint64_t pause_ms
    connect_count_failure(w, s, error, timed_out)
    if s.frontend.log & LOG_ADDRESSES:
        log_addresses(w, s)
    session_close_end(&s.server, True)
    s.state = SESSION_WAITING
    if s.attempts > connect_retries(w, s):
        session_close(w, s, connect_cause(error, timed_out))
        return
    if connect_redispatches(w, s):
        connect_redispatch(w, s)
        return
    add(&w.row.backends[s.backend.slot].retries_total, 1)
    add(&w.row.servers[s.target.slot].retries_total, 1)
    pause_ms = min(s.backend.connect_ms, RETRY_PAUSE_MS) if s.backend.connect_ms else RETRY_PAUSE_MS
    s.deadline_ms = w.now_ms if timed_out else w.now_ms + pause_ms
    timer_update(w, s)


cdef void connect_done(worker_t *w, session_t *s) noexcept nogil:
    cdef server_row *row = &w.row.servers[s.target.slot]
    cdef cold_t *cold = &w.colds[session_index(w, s)]
    cdef uint64_t took_us = w.now_us - cold.attempt_us
    sub(&row.connecting, 1)
    add(&row.sessions_total, 1)
    add(&row.connect_us_total, took_us)
    add(&row.connect_cells[histogram_cell(took_us)], 1)
    cold.connected_us = w.now_us
    if s.backend.stick_rules.count:
        stick_store(w, s)
    s.state = SESSION_ESTABLISHED
    s.deadline_ms = NEVER
    s.active_ms = w.now_ms
    if s.frontend.log & LOG_AT_CONNECT:
        log_connected(w, s)
    if s.target.error_limit:
        observe_success(w, s.target)
    if cold.vars != NULL:
        vars_forget(cold.vars, VAR_REQ)
    connect_lasts(w, s)
    if s.backend.answer_rules.count or s.backend.store_rules.count:
        answer_expect(w, s)
    timer_update(w, s)


cdef void connect_lasts(worker_t *w, session_t *s) noexcept nogil:
    # Keep-alive takes four calls, so only of a connection that lasts: KEEPALIVE_AFTER_MS is nothing to the first probe.
    if s.backend.keepalive_idle_s and not s.server.flags & END_UNIX:
        s.deadline_ms = w.now_ms + KEEPALIVE_AFTER_MS


cdef void connect_keepalive(worker_t *w, session_t *s) noexcept nogil:
    net_keepalive(s.server.fd, s.backend.keepalive_idle_s, s.backend.keepalive_interval_s, s.backend.keepalive_count)
    s.deadline_ms = NEVER
    timer_update(w, s)


cdef void connect_event(worker_t *w, session_t *s) noexcept nogil:
    if s.server.flags & END_ERROR:
        connect_failed(w, s, net_error(s.server.fd), False)
    elif s.server.flags & END_WRITABLE:
        if s.target.send_proxy and not handshake_sent(w, s):
            return
        connect_done(w, s)
        session_relay(w, s)
