# Choosing a server: a pure reading of schedule, states, gauges and cursor. No I/O, no clock.
# A schedule holds slots. Whatever it says is checked against the session's own plan: a slot of a server that this
# plan lacks, or that stands in another backend, is passed over.

cdef enum:
    PICK_NONE = 0    # nobody is usable
    PICK_FULL = 1    # somebody is usable, all at their maxconn
    PICK_FOUND = 2

ctypedef struct schedule_t:
    const uint16_t *slots
    const uint32_t *keys  # of a hash ring: the position of each slot, ascending; NULL for a list
    uint32_t length


cdef schedule_t balance_schedule(worker_t *w, plan_backend *backend) noexcept nogil:
    cdef uint64_t word = load_acquire(&w.control.backends[backend.slot].schedule)
    cdef uint64_t offset = word >> 32
    cdef bint is_ring = word & SCHEDULE_RING != 0
    cdef schedule_t schedule
    schedule.length = word & SCHEDULE_LENGTH
    schedule.slots = &w.control.arena[0] + offset
    schedule.keys = NULL
    if is_ring:
        schedule.keys = <const uint32_t *>(schedule.slots + schedule_keys_at(schedule.length))
    if offset + schedule_entries(schedule.length, is_ring) > ARENA_ENTRIES:
        schedule.length = 0
    return schedule


cdef plan_server *balance_lookup(session_t *s, uint16_t slot) noexcept nogil:
    cdef plan_header *header = s.plan.header
    cdef plan_server *server
    cdef uint32_t index
    if slot >= header.slot_count:
        return NULL
    index = (<uint32_t *>(<uint8_t *>header + header.slot_offset))[slot]
    if index - s.backend.first_server >= s.backend.server_count:
        return NULL
    server = <plan_server *>(<uint8_t *>header + header.server_offset) + index
    return server


cdef bint server_usable(worker_t *w, plan_server *server) noexcept nogil:
    return load_relaxed(&w.control.servers[server.slot].state) & SERVER_USABLE != 0


cdef bint server_up(worker_t *w, plan_server *server) noexcept nogil:
    return load_relaxed(&w.control.servers[server.slot].state) & SERVER_UP != 0


cdef bint server_reachable(worker_t *w, session_t *s, plan_server *server) noexcept nogil:
    # Of one that a rule or a table chose. "option persist" and "force-persist" have it right though it is down, unless
    # it waits for an address.
    if server_up(w, server):
        return True
    if not s.backend.flags & BACKEND_PERSIST_DOWN and not w.colds[session_index(w, s)].forced:
        return False
    return (<sockaddr *>server.address).sa_family != 0


cdef bint target_usable(worker_t *w, session_t *s) noexcept nogil:
    # Of the server that a session has: where a rule chose it, it need not have a weight.
    return server_reachable(w, s, s.target) if s.rules == RULES_PINNED else server_usable(w, s.target)


cdef uint64_t server_weight(worker_t *w, plan_server *server) noexcept nogil:
    return load_relaxed(&w.control.servers[server.slot].state) >> SERVER_WEIGHT_SHIFT & 0xffff


cdef uint64_t server_load_total(worker_t *w, uint32_t slot) noexcept nogil:
    # Over all workers: connections that count against the server's maxconn.
    cdef uint64_t total = 0
    cdef uint64_t i
    for i in range(w.control.workers):
        total += load32_relaxed(&worker_row_at(w, i).server_load[slot])
    return total


cdef uint64_t gauge_total(worker_t *w, const uint64_t *own) noexcept nogil:
    # Over all workers: the gauge that stands at `own` in this worker's row.
    cdef size_t offset = <size_t>(<const uint8_t *>own - <const uint8_t *>w.row)
    cdef uint64_t total = 0
    cdef uint64_t i
    for i in range(w.control.workers):
        total += load_relaxed(<uint64_t *>(<uint8_t *>worker_row_at(w, i) + offset))
    return total


cdef uint64_t server_limit(worker_t *w, plan_backend *backend, uint32_t slot) noexcept nogil:
    # Connections that the server may have now; 0 for any number.
    cdef server_control *control = &w.control.servers[slot]
    cdef uint64_t maxconn = load_relaxed(&control.maxconn)
    cdef uint64_t minconn = load_relaxed(&control.minconn)
    if minconn == 0:
        return maxconn
    return dynamic_limit(minconn, maxconn, gauge_total(w, &w.row.backends[backend.slot].sessions),
                         load_relaxed(&w.control.backends[backend.slot].fullconn))


cdef bint server_claim(worker_t *w, plan_backend *backend, plan_server *server, uint64_t share) noexcept nogil:
    # Within the server's maxconn, and within a share of the traffic unless that is 0. Add first, then sum: of several
    # workers that claim at once, the last to add sees all the others, so the limit is never passed. Two may both step
    # back where one had room; the waiting one looks again within 50 ms.
    cdef uint32_t *load = &w.row.server_load[server.slot]
    cdef uint64_t limit
    store32_relaxed(load, load[0] + 1)
    if share == 0 and load_relaxed(&w.control.servers[server.slot].maxconn) == 0:
        return True
    full_fence()
    limit = server_limit(w, backend, server.slot)
    if share and (limit == 0 or share < limit):
        limit = share
    if server_load_total(w, server.slot) <= limit:
        return True
    store32_relaxed(load, load[0] - 1)
    return False


cdef void server_unclaim(worker_t *w, plan_server *server) noexcept nogil:
    cdef uint32_t *load = &w.row.server_load[server.slot]
    store32_relaxed(load, load[0] - 1)


cdef int balance_try(worker_t *w, session_t *s, plan_server *server) noexcept nogil:
    if server == NULL or not server_usable(w, server):
        return PICK_NONE
    if not server_claim(w, s.backend, server, 0):
        return PICK_FULL
    s.target = server
    return PICK_FOUND


cdef uint64_t balance_turn(worker_t *w, session_t *s, plan_server *avoid) noexcept nogil:
    # One fetch_add a session. A redispatch takes no turn of its own: it would shift everybody else's by one, and
    # with two servers send each of them to the failing one first.
    cdef uint64_t *cursor = &w.shared.backends[s.backend.slot].cursor
    return fetch_add(cursor, 1) if avoid == NULL else load_relaxed(cursor)


cdef int balance_walk(worker_t *w, session_t *s, plan_server *avoid, schedule_t schedule,
                      uint64_t start) noexcept nogil:
    # The first from there on that has room. One that cannot be used is stepped over without taking another turn.
    cdef uint32_t k
    cdef int verdict, best = PICK_NONE
    cdef plan_server *server
    for k in range(schedule.length):
        server = balance_lookup(s, schedule.slots[(start + k) % schedule.length])
        if server == avoid:
            continue
        verdict = balance_try(w, s, server)
        if verdict == PICK_FOUND:
            return PICK_FOUND
        best = max(best, verdict)
    return best


cdef int balance_roundrobin(worker_t *w, session_t *s, plan_server *avoid) noexcept nogil:
    cdef schedule_t schedule = balance_schedule(w, s.backend)
    return balance_walk(w, s, avoid, schedule, balance_turn(w, s, avoid)) if schedule.length else PICK_NONE


cdef int balance_first(worker_t *w, session_t *s, plan_server *avoid) noexcept nogil:
    # The schedule is the servers in the order of their ids.
    return balance_walk(w, s, avoid, balance_schedule(w, s.backend), 0)


cdef int balance_leastconn(worker_t *w, session_t *s, plan_server *avoid) noexcept nogil:
    # Least (served + queued) / weight; equals take turns, because the scan starts one further each time.
    cdef schedule_t schedule = balance_schedule(w, s.backend)
    cdef uint64_t start, load, weight, limit, best_load = 0, best_weight = 0
    cdef uint32_t k
    cdef int outcome = PICK_NONE
    cdef plan_server *server
    cdef plan_server *best = NULL
    if schedule.length == 0:
        return PICK_NONE
    start = balance_turn(w, s, avoid)
    for k in range(schedule.length):
        server = balance_lookup(s, schedule.slots[(start + k) % schedule.length])
        if server == NULL or server == avoid or not server_usable(w, server):
            continue
        load = server_load_total(w, server.slot)
        limit = server_limit(w, s.backend, server.slot)
        if limit and load >= limit:
            outcome = PICK_FULL
            continue
        load += gauge_total(w, &w.row.servers[server.slot].queued)
        weight = max(server_weight(w, server), 1)
        if best == NULL or load * best_weight < best_load * weight:
            best, best_load, best_weight = server, load, weight
    return outcome if best == NULL else balance_try(w, s, best)


cdef bint balance_is_hashed(plan_backend *backend) noexcept nogil:
    return backend.balance == BALANCE_SOURCE or backend.balance == BALANCE_HASH


cdef int balance_pinned(worker_t *w, session_t *s, plan_server *avoid) noexcept nogil:
    # The server that a rule chose: full or not, but not once it has failed or gone.
    cdef plan_server *server = w.colds[session_index(w, s)].pinned
    if server == avoid or not server_reachable(w, s, server):
        s.rules = 0
        return PICK_NONE
    s.target = server
    if queue_is_busy(w, s, MAX_BACKENDS_C + server.slot) or not server_claim(w, s.backend, server, 0):
        return PICK_FULL
    return PICK_FOUND


cdef int balance_pick(worker_t *w, session_t *s, plan_server *avoid) noexcept nogil:
    """Choose and claim a server: s.target. PICK_FULL leaves s.target NULL, or at the one server to wait for."""
    cdef int verdict
    s.target = NULL
    if s.rules == RULES_PINNED:
        verdict = balance_pinned(w, s, avoid)
        if verdict != PICK_NONE:
            return verdict
    if s.backend.balance == BALANCE_LEASTCONN:
        verdict = balance_leastconn(w, s, avoid)
    elif balance_is_hashed(s.backend):
        verdict = balance_hash(w, s, avoid)
    elif s.backend.balance == BALANCE_RANDOM:
        verdict = balance_random(w, s, avoid)
    elif s.backend.balance == BALANCE_FIRST:
        verdict = balance_first(w, s, avoid)
    else:
        verdict = balance_roundrobin(w, s, avoid)
    if verdict == PICK_NONE and avoid != NULL:
        return balance_pick(w, s, NULL)
    return verdict


cdef int balance_other(worker_t *w, session_t *s, plan_server *full) noexcept nogil:
    # Any other server that has room and nobody waiting, beginning behind the full one.
    cdef schedule_t schedule = balance_schedule(w, s.backend)
    cdef plan_server *server
    cdef uint32_t k, start = 0
    while start < schedule.length and schedule.slots[start] != full.slot:
        start += 1
    for k in range(schedule.length):
        server = balance_lookup(s, schedule.slots[(start + k) % schedule.length])
        if server == NULL or server == full or queue_is_busy(w, s, MAX_BACKENDS_C + server.slot):
            continue
        if balance_try(w, s, server) == PICK_FOUND:
            return PICK_FOUND
    return PICK_NONE


cdef uint32_t balance_choices(worker_t *w, session_t *s) noexcept nogil:
    # Usable servers of the schedule, counted to 2: is there another one to go to?
    cdef schedule_t schedule = balance_schedule(w, s.backend)
    cdef plan_server *server
    cdef plan_server *first = NULL
    cdef uint32_t k
    for k in range(schedule.length):
        server = balance_lookup(s, schedule.slots[k])
        if server == NULL or server == first or not server_usable(w, server):
            continue
        if first != NULL:
            return 2
        first = server
    return 1 if first != NULL else 0
