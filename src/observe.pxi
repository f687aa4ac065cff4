# Passive checks: failed connections in a row, over all workers. The master, which owns the states, acts on alarms.

cdef void observe_failure(worker_t *w, plan_server *server) noexcept nogil:
    # Each multiple of the limit is one alarm, whichever worker reaches it.
    cdef server_shared *seen = &w.shared.servers[server.slot]
    if (fetch_add32(&seen.errors, 1) + 1) % server.error_limit:
        return
    fetch_add32(&seen.alarms, 1)
    fetch_add(&w.shared.alarms, 1)
    net_kick(w.master_fd)


cdef void observe_success(worker_t *w, plan_server *server) noexcept nogil:
    # The word is only written where there is something to forget.
    cdef uint32_t *errors = &w.shared.servers[server.slot].errors
    if load32_relaxed(errors):
        store32_relaxed(errors, 0)
