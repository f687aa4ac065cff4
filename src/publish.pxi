# Schedules into the shared memory, where the workers read them: one word says where, and changes last.

cdef int publish_weights(shm_control *control, uint32_t backend, entries) except -1:
    # What a server's share of the traffic is reckoned from: see hash_share().
    cdef uint64_t total = 0
    for slot, weight in entries:
        if not 0 <= slot < MAX_SERVERS_C:
            raise IndexError(slot)
        store_relaxed(&control.servers[<uint32_t>slot].before, total)
        total += weight
    store_relaxed(&control.backends[backend].weight, total)
    return 0


cdef int publish_list(shm_control *control, _Arena arena, uint32_t backend, order) except -1:
    cdef uint64_t offset = arena.place(backend, len(order))
    cdef uint64_t k
    for k in range(len(order)):
        control.arena[offset + k] = order[k]
    store_release(&control.backends[backend].schedule, offset << 32 | <uint64_t>len(order))
    return 0


cdef int publish_maglev(shm_control *control, _Arena arena, uint32_t backend, entries, seeds, uint32_t cells) except -1:
    cdef uint64_t offset
    if cells <= len(entries):
        raise ValueError(f"{cells} cells are too few for {len(entries)} servers")
    offset = arena.place(backend, cells)
    _maglev(entries, seeds, &control.arena[0] + offset, cells)
    store_release(&control.backends[backend].schedule, offset << 32 | cells)
    return 0


cdef int publish_ring(shm_control *control, _Arena arena, uint32_t backend, entries, seeds) except -1:
    cdef uint64_t length = 0
    cdef uint64_t *nodes = _ring(entries, seeds, &length)
    cdef uint64_t k, offset
    cdef uint32_t *keys
    try:
        offset = arena.place(backend, schedule_entries(length, True))
        keys = <uint32_t *>(&control.arena[0] + offset + schedule_keys_at(length))
        for k in range(length):
            control.arena[offset + k] = <uint16_t>nodes[k]
            keys[k] = <uint32_t>(nodes[k] >> 32)
        store_release(&control.backends[backend].schedule, offset << 32 | SCHEDULE_RING | length)
    finally:
        free(nodes)
    return 0
