# How a session comes into the kernel's hands, and how the kernel calls the worker.

cdef int promote_map(int command, int fd, void *key, void *value) noexcept nogil:
    # bpf(2), BPF_MAP_UPDATE_ELEM and BPF_MAP_DELETE_ELEM: descriptor, key, value, flags.
    cdef uint64_t[4] attributes
    attributes[0] = <uint64_t>fd
    attributes[1] = <uint64_t>key
    attributes[2] = <uint64_t>value
    attributes[3] = 0
    return 0 if syscall(SYS_bpf, command, attributes, sizeof(attributes)) == 0 else -errno


cdef int promote_insert(int map_fd, uint32_t index, int fd) noexcept nogil:
    cdef uint32_t value = <uint32_t>fd
    return promote_map(BPF_MAP_UPDATE_ELEM, map_fd, &index, &value)


cdef void promote_forget(worker_t *w, uint32_t index) noexcept nogil:
    promote_map(BPF_MAP_DELETE_ELEM, w.kernel.cookies, &w.kernel.sides[index].cookie, NULL)


cdef bint promote_wanted(session_t *s) noexcept nogil:
    if session_resets(s):
        return False
    return s.frontend.flags & FRONTEND_KERNEL_SPLICE != 0 or s.backend.flags & BACKEND_KERNEL_SPLICE != 0


cdef bint promote_fits(session_t *s) noexcept nogil:
    # Both directions open and at rest, nothing seen of an end, an error, urgent data or a stream.
    cdef uint32_t flags = s.client.flags | s.server.flags
    if flags & (END_READABLE | END_FIN | END_ERROR | END_URGENT | END_DEAD | END_UNIX):
        return False
    if s.up.state != FLOW_OPEN or s.down.state != FLOW_OPEN or s.up.pending or s.down.pending:
        return False
    return s.up.mover == MOVER_COPY and s.down.mover == MOVER_COPY


cdef void promote_consider(worker_t *w, session_t *s) noexcept nogil:
    # A session that has exchanged small messages for some turns will probably go on so.
    cdef uint32_t index = session_index(w, s)
    cdef uint64_t bytes = s.up.received + s.down.received
    cdef kernel_side_t *side
    if index >= w.kernel.slots or s.state != SESSION_ESTABLISHED or not promote_wanted(s):
        return
    side = &w.kernel.sides[index << 1]
    if s.exchanges == 0 or bytes - side.mark_used > s.exchanges * <uint64_t>KERNEL_SMALL_BYTES:
        side.mark_used = bytes
        s.exchanges = 1
        return
    if s.exchanges < KERNEL_TURNS:
        s.exchanges += 1
    elif promote_fits(s):
        promote(w, s)


cdef bint promote_prepare(worker_t *w, uint32_t index, int source, int sink) noexcept nogil:
    # The entry is complete before the first segment can meet it.
    cdef kernel_side_t *side = &w.kernel.sides[index]
    cdef kernel_entry *entry = &w.kernel.entries[index]
    cdef int64_t acked
    cdef int unacked
    memset(side, 0, sizeof(kernel_side_t))
    memset(entry, 0, sizeof(kernel_entry))
    side.cookie = net_cookie(source)
    while True:  # what was written so far, exactly: an acknowledgement between the calls would be missed
        acked = net_acked_bytes(sink)
        unacked = net_unacked_bytes(sink)
        if acked < 0 or unacked < 0:
            return False
        if net_acked_bytes(sink) == acked:
            break
    side.base = <uint64_t>(acked + unacked)
    entry.peer = index ^ 1
    kernel_grant(side, entry)
    return side.cookie != 0 and promote_map(BPF_MAP_UPDATE_ELEM, w.kernel.cookies, &side.cookie, &index) == 0


cdef bint promote_sinks(worker_t *w, session_t *s, uint32_t index) noexcept nogil:
    # Where to redirect to stands in the map before anything can be redirected.
    return (promote_prepare(w, index, s.client.fd, s.server.fd)
            and promote_prepare(w, index | 1, s.server.fd, s.client.fd)
            and promote_insert(w.kernel.sinks, index, s.client.fd) == 0
            and promote_insert(w.kernel.sinks, index | 1, s.server.fd) == 0)


cdef void promote_undo(worker_t *w, uint32_t index) noexcept nogil:
    cdef uint32_t other = index | 1
    promote_forget(w, index)
    promote_forget(w, other)
    promote_map(BPF_MAP_DELETE_ELEM, w.kernel.sinks, &index, NULL)
    promote_map(BPF_MAP_DELETE_ELEM, w.kernel.sinks, &other, NULL)


cdef void promote(worker_t *w, session_t *s) noexcept nogil:
    # Both queues must be empty: the program would see a partly read segment whole. What arrives from here on until the
    # socket is in the map is whole, and handed to the program by setting SO_RCVLOWAT, which looks at the queue.
    cdef uint32_t index = session_index(w, s) << 1
    s.exchanges = 0
    if not net_is_empty(s.client.fd) or not net_is_empty(s.server.fd):
        s.exchanges = KERNEL_TURNS - KERNEL_TURNS_AGAIN
        s.client.flags |= END_READABLE
        s.server.flags |= END_READABLE
        ready_push(w, s)
        return
    if not promote_sinks(w, s, index) or promote_insert(w.kernel.sources, index, s.client.fd) < 0:
        promote_undo(w, index)
        return
    s.kernel = KERNEL_UP
    if promote_insert(w.kernel.sources, index | 1, s.server.fd) == 0:
        s.kernel |= KERNEL_DOWN
    add(&w.row.counters.kernel_sessions, 1)
    add(&w.row.counters.kernel_sessions_total, 1)
    kernel_after(w, s)
    net_set(s.client.fd, SOL_SOCKET, SO_RCVLOWAT, 1)
    net_set(s.server.fd, SOL_SOCKET, SO_RCVLOWAT, 1)
    if s.deadline_ms != NEVER:
        connect_keepalive(w, s)
    s.deadline_ms = w.now_ms + KERNEL_LOOK_MS
    timer_update(w, s)


cdef void kernel_told(worker_t *w) noexcept nogil:
    # The ring: an 8-byte header (length and flags), then the index of an entry, padded to 8.
    cdef kernel_t *kernel = w.kernel
    cdef uint64_t at = load_relaxed(kernel.consumed)
    cdef uint32_t *record
    cdef uint32_t session
    while at < load_acquire(kernel.produced):
        record = <uint32_t *>(kernel.ring + (at & (kernel.ring_bytes - 1)))
        if load32_relaxed(record) & <uint32_t>BPF_RINGBUF_BUSY_BIT:
            break
        session = record[2] >> 1
        if (session < kernel.slots and w.sessions[session].state == SESSION_ESTABLISHED
                and w.sessions[session].kernel):
            ready_push(w, &w.sessions[session])
        at += BPF_RINGBUF_HDR_SZ + 8
        store_release(kernel.consumed, at)
