# Ending the sessions of a server because the master orders it: the server went down, or it is a backup and an active
# server is back. Orders are numbered. An order concerns the sessions that a worker has given the server before it
# notices; whoever notices sees the states and schedules that were published with the order, so none is added.

cdef bint cut_is_due(worker_t *w) noexcept nogil:
    return load_relaxed(&w.control.cuts) != w.cuts_done


cdef void cut_session(worker_t *w, session_t *s) noexcept nogil:
    # Those who wait in a queue have no server, and those who linger have ended already.
    # Whose server was chosen since the order was noticed are not meant, however long the pass over the others takes.
    cdef uint64_t order
    if s.state == SESSION_FREE or s.state == SESSION_LINGERING or s.target == NULL:
        return
    order = load_relaxed(&w.control.servers[s.target.slot].cut)
    if order >> CUT_ORDER_SHIFT > w.colds[session_index(w, s)].cut_order:
        session_close(w, s, <uint8_t>order)


cdef void cut_serve(worker_t *w) noexcept nogil:
    # A part of the sessions in each turn, so that the others have theirs. A further order begins anew.
    cdef uint64_t latest = load_acquire(&w.control.cuts)
    cdef uint32_t i, end
    if latest != w.cuts_going:
        w.cuts_going = latest
        w.cut_at = 0
    end = min(w.cut_at + CUT_BATCH, w.session_limit)
    for i in range(w.cut_at, end):
        cut_session(w, &w.sessions[i])
    w.cut_at = end
    if end == w.session_limit:
        w.cuts_done = latest
