# balance source and balance hash: what of a connection is hashed, and which server that means.

ctypedef struct hash_key_t:
    uint32_t size
    const uint8_t *text    # of a sample: in the worker's scratch, or NULL
    uint8_t data[16]       # of an address or a port


cdef bint is_mapped_v4(const uint8_t *address) noexcept nogil:
    cdef uint64_t high
    memcpy(&high, address, sizeof(high))
    return high == 0 and hash_words(address + 8, 4) == 0xffff


cdef bint hash_key_address(hash_key_t *key, const plan_hash *how, const cold_t *end) noexcept nogil:
    # With "ipmask", an IPv4 client of an IPv6 socket counts as what it is; IPv6 needs a mask of its own.
    cdef uint32_t i
    cdef bint is_v4 = end.client_family == AF_INET
    if not is_v4 and end.client_family != AF_INET6:
        return False
    key.size = 4 if is_v4 else 16
    memcpy(key.data, end.client_address, key.size)
    if not how.flags & HASH_MASK:
        return True
    if not is_v4 and is_mapped_v4(key.data):
        key.size = 4
        memcpy(key.data, end.client_address + 12, 4)
    elif not is_v4 and not how.flags & HASH_MASK6:
        return False
    for i in range(key.size):
        key.data[i] &= how.mask4[i] if key.size == 4 else how.mask6[i]
    return True


cdef bint hash_key(worker_t *w, session_t *s, hash_key_t *key) noexcept nogil:
    # False: the connection has no such thing (a unix socket has no address).
    cdef const plan_hash *how = &s.backend.hash
    cdef cold_t *end = &w.colds[session_index(w, s)]
    cdef cold_t here
    cdef sockaddr_storage local
    cdef socklen_t size = sizeof(local)
    key.text = NULL
    if how.fetch == HASH_SAMPLE:
        return inspect_hash(w, s, key)
    if how.fetch == HASH_DST or how.fetch == HASH_DST_PORT:
        local.ss_family = 0
        getsockname(s.client.fd, <sockaddr *>&local, &size)
        cold_address(&here, &local)
        end = &here
    if how.fetch == HASH_SRC or how.fetch == HASH_DST:
        return hash_key_address(key, how, end)
    key.size = 8  # a number is 8 bytes, the highest first
    memset(key.data, 0, 6)
    key.data[6] = end.client_port >> 8
    key.data[7] = end.client_port & 0xff
    return end.client_family == AF_INET or end.client_family == AF_INET6


cdef uint64_t ring_find(schedule_t schedule, uint32_t h) noexcept nogil:
    # The place of the nearest node; of two as near, the one before.
    cdef uint64_t low = 0
    cdef uint64_t high = schedule.length
    cdef uint64_t middle, before
    while low < high:
        middle = (low + high) / 2
        if schedule.keys[middle] < h:
            low = middle + 1
        else:
            high = middle
    before = low - 1 if low else schedule.length - 1
    low = low if low < schedule.length else 0
    return before if <uint32_t>(h - schedule.keys[before]) <= <uint32_t>(schedule.keys[low] - h) else low


cdef uint64_t hash_share(worker_t *w, session_t *s, plan_server *server) noexcept nogil:
    # "hash-balance-factor": of the factor times all connections to the backend's servers, this one included, what falls
    # to the server by its weight. Rounded so that the shares add up, as HAProxy does it.
    cdef uint64_t total = load_relaxed(&w.control.backends[s.backend.slot].weight)
    cdef uint64_t before = load_relaxed(&w.control.servers[server.slot].before)
    cdef uint64_t served = gauge_total(w, &w.row.backends[s.backend.slot].sessions)
    cdef uint64_t places
    served -= min(served, gauge_total(w, &w.row.backends[s.backend.slot].queued))
    if s.state == SESSION_QUEUED:
        served += 1
    places = (served * s.backend.hash.factor + 99) / 100
    if total == 0:
        return places
    return max((before + server_weight(w, server)) * places / total - before * places / total, 1)


cdef int hash_try(worker_t *w, session_t *s, plan_server *server, bint bounded) noexcept nogil:
    # Full or not, a hashed client stays with its own server, behind those who wait for it; unless it has its share.
    cdef uint64_t share = hash_share(w, s, server) if bounded else 0
    if not queue_is_busy(w, s, MAX_BACKENDS_C + server.slot) and server_claim(w, s.backend, server, share):
        s.target = server
        return PICK_FOUND
    if bounded and server_load_total(w, server.slot) >= share:
        return PICK_NONE
    s.target = server
    return PICK_FULL


cdef int hash_walk(worker_t *w, session_t *s, plan_server *avoid, schedule_t schedule, uint64_t start,
                   bint bounded) noexcept nogil:
    cdef plan_server *server
    cdef plan_server *tried = NULL
    cdef uint32_t k
    cdef int verdict
    for k in range(schedule.length):
        server = balance_lookup(s, schedule.slots[(start + k) % schedule.length])
        if server == NULL or server == avoid or server == tried or not server_usable(w, server):
            continue
        verdict = hash_try(w, s, server, bounded)
        if verdict != PICK_NONE:
            return verdict
        tried = server
    return PICK_NONE


cdef bint hash_leaves(worker_t *w, session_t *s, plan_server *server) noexcept nogil:
    # "hash-preserve-affinity": whether a client leaves this server, which is full, for the next one. Whoever has a
    # place in its queue is not of those who find that full.
    cdef uint64_t limit = load_relaxed(&w.control.servers[server.slot].maxqueue)
    if s.backend.hash.affinity == AFFINITY_MAXCONN:
        return True
    if s.state == SESSION_QUEUED and w.colds[session_index(w, s)].queue == MAX_BACKENDS_C + server.slot:
        return False
    return limit != 0 and gauge_total(w, &w.row.servers[server.slot].queued) >= limit


cdef int hash_walk_on(worker_t *w, session_t *s, plan_server *avoid, schedule_t schedule, uint64_t start,
                      bint bounded) noexcept nogil:
    # The first server from the client's own one on that it need not leave. Each is asked once, however many places it
    # has. When all would be left, the client's own one is.
    cdef uint64_t asked[MAX_SERVERS_C / 64]
    cdef uint32_t left = s.backend.server_count, k, index
    cdef plan_server *server
    cdef int verdict
    memset(asked, 0, (left + 63) / 64 * 8)
    for k in range(schedule.length):
        server = balance_lookup(s, schedule.slots[(start + k) % schedule.length])
        if server == NULL or server == avoid or not server_usable(w, server):
            continue
        index = <uint32_t>(server - plan_server_at(s.plan, s.backend.first_server))
        if asked[index >> 6] >> (index & 63) & 1:
            continue
        asked[index >> 6] |= <uint64_t>1 << (index & 63)
        verdict = hash_try(w, s, server, bounded)
        if verdict == PICK_FOUND or (verdict == PICK_FULL and not hash_leaves(w, s, server)):
            return verdict
        left -= 1
        if left == 0:
            break
    s.target = NULL
    return PICK_NONE


cdef int balance_hash(worker_t *w, session_t *s, plan_server *avoid) noexcept nogil:
    cdef schedule_t schedule = balance_schedule(w, s.backend)
    cdef hash_key_t key
    cdef uint32_t h
    cdef uint64_t start
    cdef bint bounded
    cdef int verdict
    if schedule.length == 0:
        return PICK_NONE
    if not hash_key(w, s, &key):
        return balance_walk(w, s, avoid, schedule, balance_turn(w, s, avoid))
    h = hash_bytes(&s.backend.hash, key.text if key.text != NULL else key.data, key.size)
    start = ring_find(schedule, h) if schedule.keys != NULL else h
    bounded = s.backend.hash.factor != 0 and schedule.keys != NULL
    if s.backend.hash.affinity != AFFINITY_ALWAYS:
        verdict = hash_walk_on(w, s, avoid, schedule, start, bounded)
        if verdict != PICK_NONE:
            return verdict
    verdict = hash_walk(w, s, avoid, schedule, start, bounded)
    if verdict == PICK_NONE and bounded:
        return hash_walk(w, s, avoid, schedule, start, False)  # every share was taken while it was looked at
    return verdict
