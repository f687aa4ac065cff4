# balance random: some draws by weight, and the least loaded of them. Unlike leastconn, several balancers with the same
# servers do not all run to the same one, and unlike round robin, a slow server gets less.

cdef uint64_t random_next(worker_t *w) noexcept nogil:
    # SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
    cdef uint64_t z
    w.random += <uint64_t>0x9e3779b97f4a7c15
    z = w.random
    z = (z ^ (z >> 30)) * <uint64_t>0xbf58476d1ce4e5b9
    z = (z ^ (z >> 27)) * <uint64_t>0x94d049bb133111eb
    return z ^ (z >> 31)


cdef int balance_random(worker_t *w, session_t *s, plan_server *avoid) noexcept nogil:
    # A server holds as much of the schedule as of the weight. When all that were drawn are full or gone, whoever comes
    # next in the schedule with room is better than the queue.
    cdef schedule_t schedule = balance_schedule(w, s.backend)
    cdef uint64_t at = 0
    cdef uint64_t load, weight, limit, best_load = 0, best_weight = 0
    cdef uint32_t k
    cdef plan_server *server
    cdef plan_server *best = NULL
    if schedule.length == 0:
        return PICK_NONE
    for k in range(s.backend.draws):
        at = random_next(w) % schedule.length
        server = balance_lookup(s, schedule.slots[at])
        if server == NULL or server == avoid or server == best or not server_usable(w, server):
            continue
        load = server_load_total(w, server.slot)
        limit = server_limit(w, s.backend, server.slot)
        weight = max(server_weight(w, server), 1)
        if (limit == 0 or load < limit) and (best == NULL or load * best_weight < best_load * weight):
            best, best_load, best_weight = server, load, weight
    if best != NULL and balance_try(w, s, best) == PICK_FOUND:
        return PICK_FOUND
    return balance_walk(w, s, avoid, schedule, at)
