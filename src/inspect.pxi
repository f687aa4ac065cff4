# A session and the rules: what the client has sent is looked at where it waits, in the kernel (MSG_PEEK), until each
# rule has its answer. Edge-triggered events suffice: what comes later is reported.

cdef void session_use_backend(worker_t *w, session_t *s, uint32_t index) noexcept nogil:
    if index == NO_INDEX:
        return
    s.backend = plan_backend_at(s.plan, index)
    add(&w.row.backends[s.backend.slot].sessions, 1)
    add(&w.row.backends[s.backend.slot].sessions_total, 1)
    if s.backend.flags & BACKEND_RATED:
        pace_count(w, &w.row.backends[s.backend.slot].rate)


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
    look.w.colds[session_index(w, s)].rules_acted = look.acted
    if verdict == RULES_WAIT:
        inspect_wait(w, s, delay_ms)
        return False
    s.deadline_ms = NEVER
    if verdict == RULES_HIT:
        look.w.colds[session_index(w, s)].last_rule = hit
    if verdict == RULES_HIT and hit.action != RULE_ACCEPT:
        inspect_refuse(w, s, hit.action, CAUSE_DENIED)
        return False
    return True


cdef bint switch_serves(look_t *look, uint32_t index) noexcept nogil:
    # Whether the frontend may send there: "be-unpublished" is passed over, unless "force-be-switch" holds. A listen's
    # own clients are not sent anywhere.
    cdef const rule_t *hit = NULL
    if not plan_backend_at(look.plan, index).flags & BACKEND_UNPUBLISHED or index == look.frontend.own_backend:
        return True
    return rules_ask(look, look.frontend.switch_rules, &hit) == RULES_HIT


cdef uint32_t switch_rule(look_t *look) noexcept nogil:
    # "use_backend": what the first says that applies, and does not lead to a backend that is passed over. NO_INDEX if
    # there is none, or it makes a name that nobody has.
    cdef rule_set set = look.frontend.backend_rules
    cdef const rule_t *rule = <const rule_t *>(plan_rules(look.plan) + set.offset)
    cdef uint32_t i, index
    look.final = 1
    for i in range(set.count):
        if rule_answer(look, &rule[i]) == ANSWER_YES:
            index = rule_backend(look, &rule[i])
            if index == NO_INDEX or switch_serves(look, index):
                return index
    return NO_INDEX


cdef void inspect_switch(worker_t *w, session_t *s, look_t *look) noexcept nogil:
    # Asked once and without waiting.
    cdef uint32_t index = switch_rule(look)
    if index == NO_INDEX:
        index = s.frontend.backend
        if index != NO_INDEX and not switch_serves(look, index):
            return
    session_use_backend(w, s, index)


cdef void inspect_force(worker_t *w, session_t *s, look_t *look) noexcept nogil:
    # "force-persist" accepts, "ignore-persist" rejects; asked once and without waiting.
    cdef const rule_t *hit = NULL
    look.final = 1
    if rules_ask(look, s.backend.force_rules, &hit) == RULES_HIT:
        w.colds[session_index(w, s)].forced = hit.action == RULE_ACCEPT


cdef void inspect_server(worker_t *w, session_t *s, look_t *look) noexcept nogil:
    # "use-server": the first that applies and whose server can be reached. A name that nobody has ends the search.
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
            if server_reachable(w, s, server):
                w.colds[session_index(w, s)].pinned = server
                s.rules = RULES_PINNED
                return


cdef bint rdp_endpoint(const value_t *v, uint32_t *address, uint32_t *port) noexcept nogil:
    # "3640205228.15629.0000": the bytes of an IPv4 address and of a port, each read as a number, the lowest first.
    cdef cursor_t c
    cdef uint64_t numbers[2]
    cdef uint32_t i
    c.at = v.text
    c.left = v.size
    for i in range(2):
        numbers[i] = 0
        while c.left and c'0' <= c.at[0] <= c'9' and numbers[i] >> 32 == 0:
            numbers[i] = 10 * numbers[i] + (c.at[0] - c'0')
            cursor_number(&c, 1)
        if cursor_number(&c, 1) != c'.' or numbers[i] >> 32 != 0:
            return False
    for i in range(4):
        (<uint8_t *>address)[i] = <uint8_t>(numbers[0] >> (8 * i))
    port[0] = <uint32_t>(numbers[1] >> 8 & 0xff | (numbers[1] & 0xff) << 8)
    return True


cdef void inspect_persist(worker_t *w, session_t *s, look_t *look) noexcept nogil:
    # "persist rdp-cookie": the server that a terminal server has told the client to come back to, if it is up or with
    # "option persist". ("force-persist" does not count here, as in HAProxy.)
    cdef plan_backend *backend = s.backend
    cdef plan_server *server
    cdef sockaddr_in *there
    cdef value_t v
    cdef uint32_t address, port, i
    if rdp_cookie(look.data, look.size, plan_rules(s.plan) + backend.cookie.offset, backend.cookie.size,
                  &v) != RDP_FOUND or not rdp_endpoint(&v, &address, &port):
        return
    for i in range(backend.server_count):
        server = plan_server_at(s.plan, backend.first_server + i)
        there = <sockaddr_in *>server.address
        if (there.sin_family == AF_INET and address == there.sin_addr.s_addr and port == ntohs(there.sin_port)
                and (server_up(w, server) or backend.flags & BACKEND_PERSIST_DOWN)):
            w.colds[session_index(w, s)].pinned = server
            s.rules = RULES_PINNED
            return


cdef bint inspect_hash(worker_t *w, session_t *s, hash_key_t *key) noexcept nogil:
    # The sample of "balance hash", of what the client has said by now. False: there is none.
    cdef look_t look
    cdef value_t v
    look_begin(&look, w, s.plan, s.frontend, s.client.fd)
    look_of(&look, s)
    inspect_peek(w, s, &s.client, &look)
    look.final = 1
    if not sample_get(&look, <const rule_sample *>(plan_rules(s.plan) + s.backend.hash.sample), &v):
        return False
    key.text = v.text
    key.size = v.size
    return v.size != 0 or not s.backend.hash.flags & HASH_OR_NOTHING


cdef bint inspect_is_own_backend(session_t *s) noexcept nogil:
    return s.frontend.own_backend != NO_INDEX and s.backend == plan_backend_at(s.plan, s.frontend.own_backend)


cdef void inspect_run(worker_t *w, session_t *s, bint expired) noexcept nogil:
    # The caller must not touch the session afterwards: it may be closed.
    cdef look_t look
    cdef uint8_t final
    s.state = SESSION_INSPECTING
    look_begin(&look, w, s.plan, s.frontend, s.client.fd)
    look_of(&look, s)
    look.acted = w.colds[session_index(w, s)].rules_acted
    inspect_peek(w, s, &s.client, &look)
    final = look.final
    if s.rules == RULES_FRONTEND:
        if not inspect_content(w, s, &look, s.frontend.content_rules, s.frontend.inspect_ms, expired):
            return
        inspect_switch(w, s, &look)
        if s.backend != NULL and s.backend.force_rules.count:
            inspect_force(w, s, &look)
        s.rules = RULES_BACKEND
        expired = False
    if s.backend != NULL:
        look.final = final
        if not inspect_is_own_backend(s) and not inspect_content(
                w, s, &look, s.backend.content_rules, s.backend.inspect_ms, expired):
            return
        s.rules = 0
        inspect_server(w, s, &look)
        if s.backend.cookie.size and s.rules == 0:
            inspect_persist(w, s, &look)
        if s.backend.stick_rules.count:
            stick_choose(&look, s)
    s.state = SESSION_ACCEPTED
    session_go_on(w, s)
