# Waiting for a server's maxconn. A queue belongs to a backend (any server will do) or to a server (that one only).
# Tickets order the arrivals over all workers: only the holder of the lowest one may claim what was freed. A worker
# publishes the first ticket of each of its queues, and its bit in the backend's `waiting` mask.

cdef uint32_t queue_of(session_t *s) noexcept nogil:
    return s.backend.slot if s.target == NULL else MAX_BACKENDS_C + s.target.slot


cdef void queue_publish(worker_t *w, uint32_t queue) noexcept nogil:
    cdef uint32_t first = w.queue_first[queue]
    store_relaxed(&w.row.queue_heads[queue], 0 if first == NO_INDEX else w.colds[first].ticket)


cdef void queue_mark(worker_t *w, plan_backend *backend) noexcept nogil:
    # Set before the gauges are looked at once more, so that whoever frees a server sees one or the other.
    cdef uint64_t *waiting = &w.shared.backends[backend.slot].waiting
    cdef uint64_t bit = <uint64_t>1 << w.number
    if load_relaxed(&w.row.backends[backend.slot].queued):
        fetch_or(waiting, bit)
    else:
        fetch_and(waiting, ~bit)


cdef uint32_t queue_length(worker_t *w, uint32_t queue) noexcept nogil:
    # How many wait in that queue, over all workers.
    if queue < MAX_BACKENDS_C:
        return <uint32_t>gauge_total(w, &w.row.backends[queue].queued)
    return <uint32_t>gauge_total(w, &w.row.servers[queue - MAX_BACKENDS_C].queued)


cdef bint queue_claim(worker_t *w, plan_server *server) noexcept nogil:
    # A place in the queue of this server: as server_claim() does it. But to step back ends a session here, so whoever
    # does looks again: of several who claim the last place at once, one gets it.
    cdef uint64_t *queued = &w.row.servers[server.slot].queued
    cdef uint64_t limit = load_relaxed(&w.control.servers[server.slot].maxqueue)
    while True:
        add(queued, 1)
        if limit == 0:
            return True
        full_fence()
        if gauge_total(w, queued) <= limit:
            return True
        sub(queued, 1)
        full_fence()
        if gauge_total(w, queued) >= limit:
            return False


cdef uint64_t queue_ticket(worker_t *w, session_t *s, cold_t *cold) noexcept nogil:
    # In the order of arrival. With priorities: 12 bits for the class, 38 for when it came, in ms and with its offset,
    # and 14 that order those of the same millisecond.
    cdef uint64_t arrival = fetch_add(&w.shared.backends[s.backend.slot].tickets, 1) + 1
    cdef uint64_t order, when, times = ~<uint64_t>0 >> 26
    if not s.backend.flags & BACKEND_PRIORITIES:
        return <uint64_t>(PRIORITY_CLASSES + 1) << 52 | arrival
    order = <uint64_t>(cold.priority_class + PRIORITY_CLASSES + 1)
    when = w.now_ms + PRIORITY_OFFSETS + <uint64_t><int64_t>cold.priority_offset_ms
    return order << 52 | (when & times) << 14 | (arrival & 0x3fff)


cdef void queue_link(worker_t *w, uint32_t queue, uint32_t index, cold_t *cold) noexcept nogil:
    # Behind all with a lower ticket: mostly behind the last.
    cold.queue_next = NO_INDEX
    cold.queue_previous = w.queue_last[queue]
    while cold.queue_previous != NO_INDEX and w.colds[cold.queue_previous].ticket > cold.ticket:
        cold.queue_next = cold.queue_previous
        cold.queue_previous = w.colds[cold.queue_previous].queue_previous
    if cold.queue_previous != NO_INDEX:
        w.colds[cold.queue_previous].queue_next = index
    else:
        w.queue_first[queue] = index
    if cold.queue_next != NO_INDEX:
        w.colds[cold.queue_next].queue_previous = index
    else:
        w.queue_last[queue] = index


cdef void queue_enter(worker_t *w, session_t *s) noexcept nogil:
    cdef uint32_t index = session_index(w, s)
    cdef cold_t *cold = &w.colds[index]
    cdef uint32_t queue = queue_of(s)
    add(&w.row.backends[s.backend.slot].queued, 1)
    add(&w.row.backends[s.backend.slot].queued_total, 1)
    cold.queue = queue
    cold.queue_position = queue_length(w, queue)
    cold.queue_on_server = queue >= MAX_BACKENDS_C
    cold.queued_us = w.now_us
    cold.ticket = queue_ticket(w, s, cold)
    queue_link(w, queue, index, cold)
    w.queued_sessions += 1
    s.target = NULL  # nothing is claimed while it waits
    s.state = SESSION_QUEUED
    s.deadline_ms = w.now_ms + s.backend.queue_ms if s.backend.queue_ms else NEVER
    queue_publish(w, queue)
    queue_mark(w, s.backend)
    timer_update(w, s)
    w.queues_dirty = 1
    if load_relaxed(&w.control.backends[s.backend.slot].fullconn):
        queue_wake(w, s.backend)  # one session more may have raised the limits of the servers


cdef void queue_overflow(worker_t *w, session_t *s) noexcept nogil:
    # The server that this session must wait for has its maxqueue. Whoever is bound to a server by its hash ends here,
    # as in HAProxy, unless a redispatch is allowed.
    cdef plan_server *full = s.target
    cdef bint stays = w.colds[session_index(w, s)].forced != 0
    if s.backend.redispatch and not stays and balance_other(w, s, full) == PICK_FOUND:
        add(&w.row.backends[s.backend.slot].redispatches_total, 1)
        add(&w.row.servers[full.slot].redispatches_total, 1)
        s.redispatched = 1
        connect_begin(w, s)
        return
    s.target = full  # for the log and the counters: nothing is claimed, and session_leave_backend() knows
    session_close(w, s, CAUSE_QUEUE_FULL)


cdef void queue_leave(worker_t *w, session_t *s) noexcept nogil:
    cdef cold_t *cold = &w.colds[session_index(w, s)]
    cdef uint32_t queue = cold.queue
    if queue == NO_INDEX:
        return
    if cold.queue_previous != NO_INDEX:
        w.colds[cold.queue_previous].queue_next = cold.queue_next
    else:
        w.queue_first[queue] = cold.queue_next
    if cold.queue_next != NO_INDEX:
        w.colds[cold.queue_next].queue_previous = cold.queue_previous
    else:
        w.queue_last[queue] = cold.queue_previous
    cold.queue = NO_INDEX
    w.queued_sessions -= 1
    sub(&w.row.backends[s.backend.slot].queued, 1)
    if queue >= MAX_BACKENDS_C:
        sub(&w.row.servers[queue - MAX_BACKENDS_C].queued, 1)
    queue_publish(w, queue)
    queue_mark(w, s.backend)
    queue_wake(w, s.backend)


cdef void queue_wake(worker_t *w, plan_backend *backend) noexcept nogil:
    # A server of this backend may have room, or the first in a queue has gone: those who wait look again.
    cdef uint64_t waiting
    cdef uint32_t i
    full_fence()
    waiting = load_relaxed(&w.shared.backends[backend.slot].waiting)
    if waiting == 0:
        return
    for i in range(w.kick_count):
        if waiting >> i & 1:
            if i == w.number:
                w.queues_dirty = 1
            else:
                net_kick(w.kick_fds[i])


cdef uint64_t queue_lowest(worker_t *w, uint32_t queue) noexcept nogil:
    # The lowest ticket that waits in this queue, over all workers; 0 for none.
    cdef uint64_t i, ticket, lowest = 0
    for i in range(w.control.workers):
        ticket = load_relaxed(&worker_row_at(w, i).queue_heads[queue])
        if ticket and (lowest == 0 or ticket < lowest):
            lowest = ticket
    return lowest


cdef bint queue_is_busy(worker_t *w, session_t *s, uint32_t queue) noexcept nogil:
    # Somebody waits there already: a newcomer must not overtake.
    return (s.state != SESSION_QUEUED and load_relaxed(&w.shared.backends[s.backend.slot].waiting) != 0
            and queue_lowest(w, queue) != 0)


cdef bint queue_serve_first(worker_t *w, uint32_t queue) noexcept nogil:
    # Let the first of this queue go on, if it is the oldest of all workers and finds room. True: look again.
    cdef uint32_t index = w.queue_first[queue]
    cdef session_t *s
    cdef int verdict
    if index == NO_INDEX or queue_lowest(w, queue) != w.colds[index].ticket:
        return False
    s = &w.sessions[index]
    verdict = balance_pick(w, s, NULL)
    if verdict == PICK_FULL:
        s.target = NULL
        return False
    queue_leave(w, s)
    if verdict == PICK_NONE:
        add(&w.row.backends[s.backend.slot].no_server_total, 1)
        session_close(w, s, CAUSE_QUEUE_NO_SERVER)
    else:
        connect_begin(w, s)
    return True


cdef void queue_serve_backend(worker_t *w, plan_t *plan, plan_backend *backend) noexcept nogil:
    cdef plan_server *servers = <plan_server *>(<uint8_t *>plan.header + plan.header.server_offset)
    cdef uint32_t i
    while queue_serve_first(w, backend.slot):
        pass
    for i in range(backend.first_server, backend.first_server + backend.server_count):
        while queue_serve_first(w, MAX_BACKENDS_C + servers[i].slot):
            pass


cdef void queue_serve(worker_t *w) noexcept nogil:
    # Sessions of older plans wait too. The reference keeps the plan at hand while its last session may end.
    cdef plan_t *plan = w.plans
    cdef plan_t *following
    cdef plan_backend *backends
    cdef uint32_t i
    w.queues_dirty = 0
    while plan != NULL and w.queued_sessions:
        plan.references += 1
        backends = <plan_backend *>(<uint8_t *>plan.header + plan.header.backend_offset)
        for i in range(plan.header.backend_count):
            if load_relaxed(&w.row.backends[backends[i].slot].queued):
                queue_serve_backend(w, plan, &backends[i])
        following = plan.next
        plan_release(w, plan)
        plan = following
