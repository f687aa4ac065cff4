# "tcp-response": what the server sends is looked at where it waits, before any of it goes to the client. What the
# client sends goes on to the server meanwhile: it may have to speak first.

cdef void answer_expect(worker_t *w, session_t *s) noexcept nogil:
    # The server is connected.
    s.rules = RULES_ANSWER
    s.deadline_ms = NEVER
    w.colds[session_index(w, s)].inspected_bytes = 0


cdef void answer_close(worker_t *w, session_t *s) noexcept nogil:
    # "close": what the server has sent still goes to the client, and nothing more is taken from either.
    net_shut(s.server.fd)
    s.server.flags |= END_FIN | END_READABLE
    flow_drop(w, &s.up)
    s.up.state = FLOW_SHUT


cdef void answer_decided(worker_t *w, session_t *s, uint32_t action, bint lost) noexcept nogil:
    # The server may be `lost` already: then what it had sent before is all there is.
    s.rules = 0
    s.deadline_ms = NEVER
    connect_lasts(w, s)
    if action == RULE_REJECT or action == RULE_DROP:
        inspect_refuse(w, s, action, CAUSE_DENIED_RESPONSE)
        return
    if s.backend.store_rules.count:
        stick_answer(w, s)
    if lost:
        session_dead(w, s, False, False)
    else:
        if action == RULE_CLOSE:
            answer_close(w, s)
        timer_update(w, s)
        session_relay(w, s)


cdef uint32_t answer_ask(worker_t *w, session_t *s, bint final, bint *lost) noexcept nogil:
    # What the rules say of what has come, or RULE_LATER. A call that fails has eaten the error of the socket.
    cdef const rule_t *hit = NULL
    cdef look_t look
    cdef int verdict
    look_begin(&look, w, s.plan, s.frontend, s.client.fd)
    look_of(&look, s)
    look.answer = 1
    look.acted = w.colds[session_index(w, s)].rules_acted
    lost[0] |= inspect_peek(w, s, &s.server, &look)
    look.final = look.final or final or lost[0] or s.backend.answer_ms == 0
    verdict = rules_ask(&look, s.backend.answer_rules, &hit)
    w.colds[session_index(w, s)].rules_acted = look.acted
    if verdict == RULES_WAIT:
        return RULE_LATER
    if verdict != RULES_HIT:
        return RULE_ACCEPT
    w.colds[session_index(w, s)].last_rule = hit
    return hit.action


cdef void answer_run(worker_t *w, session_t *s, bint expired) noexcept nogil:
    # The caller must not touch the session afterwards: it may be closed.
    cdef bint lost = False
    cdef uint32_t action = answer_ask(w, s, expired, &lost)
    cdef int up
    if action == RULE_LATER:
        up = flow_pump(w, s, &s.up, &s.client, &s.server)
        if up == PUMP_SOURCE_DEAD:
            session_dead(w, s, True, True)
            return
        if up != PUMP_SINK_DEAD:
            flow_finish(w, s, &s.up, &s.server, &s.down)
            inspect_wait(w, s, s.backend.answer_ms)
            if up == PUMP_MORE:
                ready_push(w, s)
            return
        lost = True
        action = answer_ask(w, s, True, &lost)
    answer_decided(w, s, action, lost)
