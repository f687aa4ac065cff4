# The one way out of a session: sockets, pipes, claims, gauges, counters, log line, slot.

cdef void session_close_end(end_t *end, bint reset) noexcept nogil:
    if end.fd < 0:
        return
    if reset and not end.flags & END_UNIX:
        net_reset(end.fd)
    else:
        net_close(end.fd)
    end.fd = -1
    end.flags = 0


cdef bint flow_is_cut(worker_t *w, session_t *s, flow_t *f, end_t *source, uint8_t cause) noexcept nogil:
    # A timeout gives up bytes of this flow that the sink's kernel does not have. (Of an abort the sink is told anyway.)
    if cause != CAUSE_CLIENT_TIMEOUT and cause != CAUSE_SERVER_TIMEOUT or f.state == FLOW_SHUT:
        return False
    if f.pending != 0:
        return True
    if kernel_has(s, f):
        return kernel_holds(w, s, f)
    return source.flags & END_READABLE != 0 and net_readable_bytes(source.fd) > 0


cdef bint session_resets_client(worker_t *w, session_t *s, uint8_t cause, bint up_is_cut) noexcept nogil:
    # A FIN would tell the client that all is well: never after an abort of the server's or our own end, nor in the
    # middle of what the server said. With bytes of the client's unread the kernel resets by itself, but those that a
    # program left for us it does not see.
    return (cause == CAUSE_SHUTDOWN or cause == CAUSE_SERVER_DOWN or cause == CAUSE_SERVER_UP
            or s.frontend.flags & FRONTEND_NO_LINGER != 0 or (s.client.flags | s.server.flags) & END_DEAD != 0
            or flow_is_cut(w, s, &s.down, &s.server, cause) or (s.kernel != 0 and up_is_cut))


cdef bint session_resets_server(session_t *s, uint8_t cause, bint up_is_cut) noexcept nogil:
    # As long as its FIN is unseen nothing more is wanted from it; RST leaves no TIME_WAIT on a port of ours.
    if s.backend != NULL and s.backend.flags & BACKEND_NO_LINGER:
        return True
    return cause != CAUSE_NORMAL and (
        s.server.flags & END_FIN_READ == 0 or (s.client.flags | s.server.flags) & END_DEAD != 0 or up_is_cut)


cdef void session_say_fin(worker_t *w, session_t *s, uint8_t cause, bint up_is_cut) noexcept nogil:
    # A timeout ends both sides by FIN, as HAProxy does; the RST behind it only keeps the port out of TIME_WAIT.
    if s.state != SESSION_ESTABLISHED or up_is_cut:
        return
    if cause != CAUSE_CLIENT_TIMEOUT and cause != CAUSE_SERVER_TIMEOUT:
        return
    if not s.backend.flags & BACKEND_NO_LINGER:
        net_finish(s.server.fd)
    if s.frontend.flags & FRONTEND_NO_LINGER and not flow_is_cut(w, s, &s.down, &s.server, cause):
        net_finish(s.client.fd)


cdef uint64_t flow_undelivered(flow_t *f, end_t *sink, bint reset, uint32_t handshake) noexcept nogil:
    # Received from one side and never acknowledged by the other. A connect's SYN counts as one acknowledged byte, and a
    # PROXY header is none of the session's.
    cdef int64_t acked
    if sink.fd < 0 or not reset or f.sent == 0 or sink.flags & END_UNIX:
        return f.received - f.sent
    acked = net_acked_bytes(sink.fd) - <int64_t>handshake
    return f.received - min(f.sent, <uint64_t>max(acked, 0))


cdef void session_count_bytes(worker_t *w, session_t *s, bint reset_client, bint reset_server) noexcept nogil:
    cdef uint64_t n
    n = flow_undelivered(&s.down, &s.client, reset_client, 0)
    if n:
        add(&w.row.frontends[s.frontend.slot].undelivered_bytes_total, n)
    n = flow_undelivered(&s.up, &s.server, reset_server, 1 + w.colds[session_index(w, s)].header_bytes)
    if n and s.target != NULL:
        add(&w.row.servers[s.target.slot].undelivered_bytes_total, n)


cdef void session_count_end(worker_t *w, session_t *s, uint8_t cause, bint reset_server) noexcept nogil:
    cdef cold_t *cold = &w.colds[session_index(w, s)]
    cdef server_row *server
    cdef uint64_t took_us
    add(&w.row.frontends[s.frontend.slot].ended_total[cause], 1)
    if s.backend != NULL:
        add(&w.row.backends[s.backend.slot].ended_total[cause], 1)
    if s.target == NULL:
        return
    server = &w.row.servers[s.target.slot]
    add(&server.ended_total[cause], 1)
    if s.server.flags & END_FIN_FIRST and not reset_server:
        add(&server.closed_first_total, 1)
    if cold.connected_us:
        took_us = w.now_us - cold.accepted_us
        add(&server.session_us_total, took_us)
        add(&server.session_cells[histogram_cell(took_us)], 1)


cdef void session_leave_backend(worker_t *w, session_t *s, uint8_t state) noexcept nogil:
    if s.backend == NULL:
        return
    queue_leave(w, s)
    if s.target != NULL and s.cause != CAUSE_QUEUE_FULL:
        if state == SESSION_CONNECTING:
            sub(&w.row.servers[s.target.slot].connecting, 1)
        sub(&w.row.servers[s.target.slot].sessions, 1)
        server_unclaim(w, s.target)
        queue_wake(w, s.backend)
    sub(&w.row.backends[s.backend.slot].sessions, 1)


cdef void session_poison(worker_t *w, session_t *s) noexcept nogil:
    # Debug builds: what is read of a session after its end is garbage. These few outlive it; see session_init().
    cdef uint32_t generation = s.generation
    cdef uint32_t ready_next = s.ready_next
    cdef uint8_t ready = s.ready
    debug_poison(&w.colds[session_index(w, s)], sizeof(cold_t))
    debug_poison(&w.headers[session_index(w, s)], sizeof(header_t))
    debug_poison(s, sizeof(session_t))
    s.generation = generation
    s.ready_next = ready_next
    s.ready = ready


cdef void session_close(worker_t *w, session_t *s, uint8_t cause) noexcept nogil:
    cdef uint32_t index = session_index(w, s)
    cdef uint8_t state = s.state
    cdef bint up_is_cut, reset_client, reset_server
    if state == SESSION_FREE:
        return
    s.cause = cause
    up_is_cut = flow_is_cut(w, s, &s.up, &s.client, cause)
    reset_client = session_resets_client(w, s, cause, up_is_cut)
    reset_server = session_resets_server(s, cause, up_is_cut)
    if s.kernel:
        kernel_leave(w, s)
    session_count_bytes(w, s, reset_client, reset_server)
    session_count_end(w, s, cause, reset_server)
    session_say_fin(w, s, cause, up_is_cut)
    if s.frontend.log & LOG_ADDRESSES:
        log_addresses(w, s)
    flow_drop(w, &s.up)
    flow_drop(w, &s.down)
    session_close_end(&s.client, reset_client)
    session_close_end(&s.server, reset_server)
    timer_unlink(w, index)
    if s.tracked:
        track_all(w, w.colds[index].tracks, index, s.up.received, s.down.received, True)
    session_leave_backend(w, s, state)
    if s.frontend.log & LOG_AT_END and cause != CAUSE_PROXY_HEADER:
        log_ended(w, s)
    if w.colds[index].vars != NULL:
        vars_free(&w.colds[index].vars)
    sub(&w.row.frontends[s.frontend.slot].sessions, 1)
    sub(&w.row.counters.sessions, 1)
    if w.colds[index].bind.slot != NO_INDEX:
        sub(&w.row.frontends[w.colds[index].bind.slot].sessions, 1)
    sub(&w.row.counters.connections, 1)
    add(&w.row.counters.sessions_closed_total, 1)
    listen_wake(w, s.frontend)
    session_forget(w, s)
    plan_release(w, s.plan)
    session_poison(w, s)
    s.state = SESSION_FREE
    s.deadline_ms = NEVER
    w.free_sessions[w.free_count] = index
    w.free_count += 1
