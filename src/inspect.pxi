# A session and the rules: what the client has sent is looked at where it waits, in the kernel (MSG_PEEK), until each
# rule has its answer. Edge-triggered events suffice: what comes later is reported.

cdef void session_use_backend(worker_t *w, session_t *s, uint32_t index) noexcept nogil:
    if index == NO_INDEX:
        return
    s.backend = plan_backend_at(s.plan, index)
    add(&w.row.backends[s.backend.slot].sessions, 1)
    add(&w.row.backends[s.backend.slot].sessions_total, 1)


cdef void inspect_refuse(worker_t *w, session_t *s, uint32_t verdict, uint8_t cause) noexcept nogil:
    # "silent-drop": a reset that reaches nobody. "reject": a FIN, so what the client had sent to content rules is taken
    # from the kernel, or closing would reset the connection.
    if verdict == RULE_DROP:
        net_hide(s.client.fd)
        s.client.flags |= END_DEAD
    elif cause == CAUSE_DENIED:
        net_recv(s.client.fd, w.scratch, COPY_BYTES)
    session_close(w, s, cause)


cdef bint inspect_enters(worker_t *w, session_t *s) noexcept nogil:
    # "tcp-request session": whether the client may stay, now that its PROXY header is known, too. False: it is closed,
    # without a line in the log.
    cdef look_t look
    cdef uint32_t verdict
    look_begin(&look, w, s.plan, s.frontend, s.client.fd)
    look_of(&look, s)
    verdict = rules_verdict(&look, s.frontend.session_rules)
    if verdict == RULE_ACCEPT:
        return True
    w.colds[session_index(w, s)].logged = 1
    inspect_refuse(w, s, verdict, CAUSE_DENIED_SESSION)
    return False


cdef bint inspect_peek(worker_t *w, session_t *s, end_t *end, look_t *look) noexcept nogil:
    # True: the call has failed for good. Nothing more is waited for once this end's peer has ended, or has sent all
    # that a rule may see. An urgent mark stops the peeking for good.
    cdef cold_t *cold = &w.colds[session_index(w, s)]
    cdef ssize_t n = net_peek(end.fd, w.scratch, INSPECT_BYTES)
    look.size = <uint32_t>n if n > 0 else 0
    if look.size > cold.inspected_bytes:
        cold.inspected_bytes = look.size
        s.active_ms = w.now_ms
    look.final = end.flags & (END_FIN | END_ERROR | END_URGENT) != 0 or look.size == INSPECT_BYTES
    return n < 0 and n != -EAGAIN


cdef void inspect_wait(worker_t *w, session_t *s, uint32_t delay_ms) noexcept nogil:
    if s.deadline_ms == NEVER:
        s.deadline_ms = w.now_ms + delay_ms
    timer_update(w, s)


cdef bint inspect_content(worker_t *w, session_t *s, look_t *look, rule_set rules, uint32_t delay_ms,
                          bint expired) noexcept nogil:
    # "tcp-request content". True: the session goes on. The time of a frontend's rules is not that of its backend's.
    cdef const rule_t *hit = NULL
    cdef uint8_t final = look.final
    cdef int verdict
    look.final = final or expired or delay_ms == 0
    verdict = rules_ask(look, rules, &hit)
    look.final = final
    if verdict == RULES_WAIT:
        inspect_wait(w, s, delay_ms)
        return False
    s.deadline_ms = NEVER
    if verdict == RULES_HIT and hit.action != RULE_ACCEPT:
        inspect_refuse(w, s, hit.action, CAUSE_DENIED)
        return False
    return True


cdef void inspect_switch(worker_t *w, session_t *s, look_t *look) noexcept nogil:
    # "use_backend", asked once and without waiting. A name that nobody has means the default backend.
    cdef const rule_t *hit = NULL
    cdef uint32_t index = NO_INDEX
    look.final = 1
    if rules_ask(look, s.frontend.backend_rules, &hit) == RULES_HIT:
        index = rule_backend(look, hit)
    session_use_backend(w, s, s.frontend.backend if index == NO_INDEX else index)


cdef void inspect_server(worker_t *w, session_t *s, look_t *look) noexcept nogil:
    # "use-server": the first that applies and whose server is usable. A name that nobody has ends the search.
    cdef const rule_t *rule = <const rule_t *>(plan_rules(s.plan) + s.backend.server_rules.offset)
    cdef plan_server *server
    cdef uint32_t i, index
    look.final = 1
    for i in range(s.backend.server_rules.count):
        if rule_answer(look, &rule[i]) == ANSWER_YES:
            index = rule_server(look, &rule[i])
            if index == NO_INDEX:
                return
            server = plan_server_at(s.plan, index)
            if server_up(w, server):
                w.colds[session_index(w, s)].pinned = server
                s.rules = RULES_PINNED
                return


cdef bint inspect_is_own_backend(session_t *s) noexcept nogil:
    return s.frontend.own_backend != NO_INDEX and s.backend == plan_backend_at(s.plan, s.frontend.own_backend)


cdef void inspect_run(worker_t *w, session_t *s, bint expired) noexcept nogil:
    # The caller must not touch the session afterwards: it may be closed.
    cdef look_t look
    cdef uint8_t final
    s.state = SESSION_INSPECTING
    look_begin(&look, w, s.plan, s.frontend, s.client.fd)
    look_of(&look, s)
    inspect_peek(w, s, &s.client, &look)
    final = look.final
    if s.rules == RULES_FRONTEND:
        if not inspect_content(w, s, &look, s.frontend.content_rules, s.frontend.inspect_ms, expired):
            return
        inspect_switch(w, s, &look)
        s.rules = RULES_BACKEND
        expired = False
    if s.backend != NULL:
        look.final = final
        if not inspect_is_own_backend(s) and not inspect_content(
                w, s, &look, s.backend.content_rules, s.backend.inspect_ms, expired):
            return
        s.rules = 0
        inspect_server(w, s, &look)
    s.state = SESSION_ACCEPTED
    session_go_on(w, s)
