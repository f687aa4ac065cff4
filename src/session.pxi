# A session from accept to close. session_run() is called for every session that something happened to.

cdef inline uint32_t session_index(worker_t *w, session_t *s) noexcept nogil:
    return <uint32_t>(s - w.sessions)


cdef uint64_t session_event_data(worker_t *w, session_t *s, uint32_t side) noexcept nogil:
    # The generation in it drops an event that was meant for the slot's previous user.
    return <uint64_t>(s.generation & 0x3fffffff) << 32 | session_index(w, s) << 1 | side


cdef void ready_push(worker_t *w, session_t *s) noexcept nogil:
    cdef uint32_t index = session_index(w, s)
    if s.ready:
        return
    s.ready = 1
    s.ready_next = NO_INDEX
    if w.ready_last != NO_INDEX:
        w.sessions[w.ready_last].ready_next = index
    else:
        w.ready_first = index
    w.ready_last = index


cdef uint64_t after(uint64_t since_ms, uint32_t timeout_ms) noexcept nogil:
    return since_ms + timeout_ms if timeout_ms else NEVER


cdef uint32_t session_client_ms(session_t *s) noexcept nogil:
    if s.state == SESSION_ESTABLISHED:
        if (s.up.state == FLOW_SHUT or s.down.state == FLOW_SHUT) and s.frontend.client_fin_ms:
            return s.frontend.client_fin_ms
        if s.backend.tunnel_ms:
            return s.backend.tunnel_ms
    return s.frontend.client_ms


cdef uint32_t session_server_ms(session_t *s) noexcept nogil:
    if (s.up.state == FLOW_SHUT or s.down.state == FLOW_SHUT) and s.backend.server_fin_ms:
        return s.backend.server_fin_ms
    return s.backend.tunnel_ms if s.backend.tunnel_ms else s.backend.server_ms


cdef uint64_t session_idle_end(session_t *s) noexcept nogil:
    return min(after(s.active_ms, session_client_ms(s)), after(s.active_ms, session_server_ms(s)))


cdef uint64_t session_deadline(session_t *s) noexcept nogil:
    # When session_timeout() is due, in CLOCK_MONOTONIC ms.
    if s.state == SESSION_LINGERING or s.state == SESSION_FREE or s.state == SESSION_HEADER:
        return s.deadline_ms
    if s.state == SESSION_ESTABLISHED:
        return min(s.deadline_ms, session_idle_end(s))
    return min(after(s.active_ms, s.frontend.client_ms), s.deadline_ms)


cdef void session_timeout(worker_t *w, session_t *s) noexcept nogil:
    cdef bint client
    if s.kernel and kernel_look(w, s):
        return
    client = after(s.active_ms, session_client_ms(s)) <= w.now_ms
    if s.state == SESSION_LINGERING:
        session_linger(w, s)
    elif s.state == SESSION_HEADER:
        handshake_refuse(w, s, REFUSED_TIMEOUT)
    elif s.state == SESSION_ESTABLISHED and s.rules == RULES_ANSWER and s.deadline_ms <= w.now_ms:
        answer_run(w, s, True)
    elif s.state == SESSION_ESTABLISHED and session_idle_end(s) > w.now_ms:
        connect_keepalive(w, s)
    elif s.state == SESSION_ESTABLISHED:
        session_close(w, s, CAUSE_CLIENT_TIMEOUT if client else CAUSE_SERVER_TIMEOUT)
    elif client:
        session_close(w, s, session_timeout_cause(s.state))
    elif s.state == SESSION_INSPECTING:
        inspect_run(w, s, True)
    elif s.state == SESSION_QUEUED:
        session_close(w, s, CAUSE_QUEUE_TIMEOUT)
    elif s.state == SESSION_WAITING:
        connect_again(w, s)
    elif s.state == SESSION_CONNECTING:
        connect_failed(w, s, ETIMEDOUT, True)


cdef void session_open(worker_t *w, listener_t *listener, int fd, sockaddr_storage *peer) noexcept nogil:
    # The frontend's gauge has been raised by listen_admit().
    cdef uint32_t index
    cdef session_t *s
    w.free_count -= 1
    index = w.free_sessions[w.free_count]
    s = &w.sessions[index]
    session_init(w, s, listener, fd)
    cold_init(w, &w.colds[index], peer)
    if w.arriving_vars != NULL:
        w.colds[index].vars = w.arriving_vars
        w.arriving_vars = NULL
    w.colds[index].bind = listener.bind
    if w.arriving_tracked:
        arrival_taken(w, s)
    add(&w.row.counters.accepts_total, 1)
    add(&w.row.counters.sessions_total, 1)
    add(&w.row.counters.connections, 1)
    add(&w.row.frontends[s.frontend.slot].sessions_total, 1)
    if peer.ss_family == AF_UNIX:
        s.client.flags |= END_UNIX
    if listener.bind.flags & BIND_ACCEPT_PROXY or w.arriving_header:
        w.arriving_header = 0
        handshake_expect(w, s)
    elif not session_enter(w, s):
        return
    if net_watch(w.epoll, fd, SESSION_EVENTS, session_event_data(w, s, 0)) < 0:
        session_close(w, s, CAUSE_RESOURCE)


cdef void session_init(worker_t *w, session_t *s, listener_t *listener, int fd) noexcept nogil:
    # It waits for the first report of epoll, which comes at once and says whether the client has gone already.
    # (The slot may still stand in the ready list, from its previous use.)
    cdef uint32_t generation = s.generation + 1
    cdef uint32_t ready_next = s.ready_next
    cdef uint8_t ready = s.ready
    memset(s, 0, sizeof(session_t))
    s.generation = generation
    s.ready = ready
    s.ready_next = ready_next
    s.state = SESSION_ACCEPTED
    s.client.fd = fd
    s.server.fd = -1
    s.up.pipe = -1
    s.down.pipe = -1
    s.active_ms = w.now_ms
    s.deadline_ms = NEVER
    s.timer_tick = NO_INDEX
    s.plan = listener.plan
    s.plan.references += 1
    s.frontend = listener.frontend


cdef bint session_enter(worker_t *w, session_t *s) noexcept nogil:
    # The client is known: its session belongs to a backend from now on, or to the rules that choose one. False: a rule
    # has refused it, and it is closed.
    if s.frontend.flags & FRONTEND_SESSION_RULES and not inspect_enters(w, s):
        return False
    if s.frontend.flags & FRONTEND_RATED:
        pace_count(w, &w.row.frontends[s.frontend.slot].rate)
    if s.tracked:
        track_all(w, w.colds[session_index(w, s)].tracks, session_index(w, s), 0, 0, False)
    if s.frontend.flags & FRONTEND_RULES:
        s.rules = RULES_FRONTEND
    else:
        session_use_backend(w, s, s.frontend.backend)
    if s.frontend.log & (LOG_AT_ACCEPT | LOG_NUMBERED):
        log_accepted(w, s)
    return True


cdef void cold_init(worker_t *w, cold_t *cold, sockaddr_storage *peer) noexcept nogil:
    memset(cold, 0, sizeof(cold_t))
    cold.accepted_us = w.now_us
    cold.accepted_real_us = net_clock_us(CLOCK_REALTIME)
    cold.queue = NO_INDEX
    cold_address(cold, peer)


cdef void cold_address(cold_t *cold, sockaddr_storage *peer) noexcept nogil:
    cdef address_t client
    address_read(&client, peer)
    cold.client_family = client.family
    cold.client_port = client.port
    memcpy(cold.client_address, client.bytes, sizeof(client.bytes))


cdef bint session_client_left(session_t *s) noexcept nogil:
    # While nothing is connected yet: a reset, or a FIN with no byte before it, ends the matter (as HAProxy decides).
    if s.client.flags & END_ERROR:
        return True
    return s.client.flags & END_FIN and (
        (s.state != SESSION_ACCEPTED and session_gives_up(s)) or net_readable_bytes(s.client.fd) <= 0)


cdef bint session_gives_up(session_t *s) noexcept nogil:
    # "option abortonclose": a FIN behind bytes, too, unless rules have still to say what they mean.
    return (s.backend != NULL and s.backend.flags & BACKEND_ABORT_ON_CLOSE != 0 and s.rules != RULES_BACKEND
            and s.client.flags & END_FIN != 0)


cdef uint8_t session_timeout_cause(uint8_t state) noexcept nogil:
    # Of the client's timeout before a server is connected.
    if state == SESSION_QUEUED:
        return CAUSE_QUEUE_CLIENT_TIMEOUT
    return CAUSE_INSPECT_CLIENT_TIMEOUT if state == SESSION_INSPECTING else CAUSE_CONNECT_CLIENT_TIMEOUT


cdef uint8_t session_left_cause(uint8_t state) noexcept nogil:
    if state == SESSION_QUEUED:
        return CAUSE_QUEUE_CLIENT_ABORT
    return CAUSE_INSPECT_CLIENT_ABORT if state == SESSION_INSPECTING else CAUSE_CONNECT_CLIENT_ABORT


cdef void session_run(worker_t *w, session_t *s) noexcept nogil:
    if s.state == SESSION_FREE:
        return
    if s.state == SESSION_ESTABLISHED:
        session_relay(w, s)
    elif s.state == SESSION_LINGERING:
        session_linger(w, s)
    elif s.state == SESSION_HEADER:
        handshake_run(w, s)
    elif session_client_left(s):
        session_close(w, s, session_left_cause(s.state))
    elif s.state == SESSION_CONNECTING:
        connect_event(w, s)
    elif s.rules == RULES_FRONTEND or s.rules == RULES_BACKEND:
        inspect_run(w, s, False)
    elif s.state == SESSION_ACCEPTED:
        session_go_on(w, s)


cdef void session_go_on(worker_t *w, session_t *s) noexcept nogil:
    if s.backend == NULL:
        session_close(w, s, CAUSE_NO_BACKEND)
    else:
        session_place(w, s)


cdef void session_place(worker_t *w, session_t *s) noexcept nogil:
    # Who has given up is placed all the same, so that the log says where it was when that was noticed.
    cdef bint gives_up = session_gives_up(s)
    session_assign(w, s)
    if gives_up:
        ready_push(w, s)


cdef void flow_finish(worker_t *w, session_t *s, flow_t *f, end_t *sink, flow_t *other) noexcept nogil:
    # Everything has been delivered: pass the FIN on. Where the other flow is shut already, closing does it.
    if f.state != FLOW_DRAINING or f.pending:
        return
    f.state = FLOW_SHUT
    if sink == &s.server and s.backend.flags & BACKEND_NO_LINGER:
        other.state = max(other.state, <uint8_t>FLOW_DRAINING)  # a reset will end it: nothing more is read of it
    elif other.state != FLOW_SHUT:
        net_finish(sink.fd)
        if not sink.flags & END_FIN:
            sink.flags |= END_FIN_FIRST
        timer_update(w, s)


cdef void session_relay(worker_t *w, session_t *s) noexcept nogil:
    cdef int up, down
    if (s.client.flags | s.server.flags) & END_DEAD:
        session_abort(w, s)
        return
    if s.rules == RULES_ANSWER:
        answer_run(w, s, False)
        return
    up = flow_pump(w, s, &s.up, &s.client, &s.server)
    if up >= PUMP_SOURCE_DEAD:
        session_dead(w, s, up == PUMP_SOURCE_DEAD, up == PUMP_SOURCE_DEAD)
        return
    down = flow_pump(w, s, &s.down, &s.server, &s.client)
    if down >= PUMP_SOURCE_DEAD:
        session_dead(w, s, down == PUMP_SINK_DEAD, down == PUMP_SOURCE_DEAD)
        return
    flow_finish(w, s, &s.up, &s.server, &s.down)
    flow_finish(w, s, &s.down, &s.client, &s.up)
    if s.up.state == FLOW_SHUT and s.down.state == FLOW_SHUT:
        session_end(w, s)
        return
    if up == PUMP_MORE or down == PUMP_MORE:
        ready_push(w, s)
    if w.kernel != NULL:
        kernel_after(w, s)


cdef void session_dead(worker_t *w, session_t *s, bint client, bint read_to_end) noexcept nogil:
    # One end is lost. What it had sent still goes to the other end; what was meant for it is given up.
    cdef end_t *lost = &s.client if client else &s.server
    cdef flow_t *to_it = &s.down if client else &s.up
    cdef flow_t *from_it = &s.up if client else &s.down
    if s.cause == CAUSE_NORMAL:  # else it was our own fault, and is told already
        s.cause = CAUSE_CLIENT_ABORT if client else CAUSE_SERVER_ABORT
    lost.flags |= END_DEAD | END_READABLE
    flow_drop(w, to_it)
    to_it.state = FLOW_SHUT
    if read_to_end and from_it.state == FLOW_OPEN:
        from_it.state = FLOW_DRAINING
    session_abort(w, s)


cdef void session_abort(worker_t *w, session_t *s) noexcept nogil:
    cdef bint client = s.client.flags & END_DEAD != 0
    cdef end_t *lost = &s.client if client else &s.server
    cdef end_t *other = &s.server if client else &s.client
    cdef flow_t *f = &s.up if client else &s.down
    cdef int verdict = flow_pump(w, s, f, lost, other)
    if verdict == PUMP_SINK_DEAD:
        other.flags |= END_DEAD
        session_close(w, s, s.cause)
        return
    if verdict == PUMP_SOURCE_DEAD or (f.state == FLOW_OPEN and not lost.flags & END_READABLE):
        f.state = FLOW_DRAINING  # it is read empty: one that lives (we had no memory for it) may never say more
    if f.state != FLOW_OPEN and not f.pending:
        session_linger_begin(w, s)
    elif verdict == PUMP_MORE:
        ready_push(w, s)


cdef bint session_resets(session_t *s) noexcept nogil:
    # "option nolinger" of one side: RST at its end, behind everything that was sent.
    return s.frontend.flags & FRONTEND_NO_LINGER != 0 or s.backend.flags & BACKEND_NO_LINGER != 0


cdef void session_end(worker_t *w, session_t *s) noexcept nogil:
    if session_resets(s):
        session_linger_begin(w, s)
    else:
        session_close(w, s, CAUSE_NORMAL)


cdef int session_unacked(session_t *s) noexcept nogil:
    # What those who are going to be reset have not got yet.
    cdef int client = 0, server = 0
    if not s.client.flags & (END_UNIX | END_ERROR | END_DEAD):
        client = max(net_unacked_bytes(s.client.fd), 0)
    if not s.server.flags & (END_UNIX | END_ERROR | END_DEAD):
        server = max(net_unacked_bytes(s.server.fd), 0)
    return client + server


cdef void session_linger_begin(worker_t *w, session_t *s) noexcept nogil:
    # A reset must be passed on as a reset, but not before the peer has what was sent to it: RST discards it.
    cdef cold_t *cold = &w.colds[session_index(w, s)]
    s.state = SESSION_LINGERING
    s.deadline_ms = w.now_ms  # at once
    cold.outq_bytes = ~<uint64_t>0
    cold.linger_ms = LINGER_FIRST_MS
    session_linger(w, s)


cdef void session_linger(worker_t *w, session_t *s) noexcept nogil:
    cdef cold_t *cold = &w.colds[session_index(w, s)]
    cdef end_t *other = &s.server if s.client.flags & END_DEAD else &s.client
    cdef int unacked
    if s.deadline_ms != NEVER and s.deadline_ms > w.now_ms and not other.flags & END_ERROR:
        timer_update(w, s)
        return
    unacked = session_unacked(s)
    if unacked == 0 or (<uint64_t>unacked == cold.outq_bytes and cold.linger_ms >= LINGER_LAST_MS):
        session_close(w, s, s.cause)
        return
    if <uint64_t>unacked != cold.outq_bytes:
        cold.outq_bytes = <uint64_t>unacked
        cold.linger_ms = LINGER_FIRST_MS
    s.deadline_ms = w.now_ms + cold.linger_ms
    cold.linger_ms *= 2
    timer_update(w, s)
