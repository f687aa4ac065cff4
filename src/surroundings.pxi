# Samples that do not look at the connection, but at what surrounds it. Source: HAProxy manual, sections 7.3.2, 7.3.3.

cdef bint value_name(look_t *look, plan_name name, value_t *v) noexcept nogil:
    return name.size != 0 and value_text(v, <const uint8_t *>plan_text(look.plan, name), name.size)


cdef bint fetch_frontend_name(look_t *look, uint32_t fetch, value_t *v) noexcept nogil:
    # Its own, or that of its "default_backend", which a listen section is not to itself.
    cdef plan_frontend *frontend = look.frontend
    if fetch == FETCH_FRONTEND_NAME:
        return value_name(look, frontend.name, v)
    if frontend.backend == NO_INDEX or frontend.backend == frontend.own_backend:
        return False
    return value_name(look, plan_backend_at(look.plan, frontend.backend).name, v)


cdef bint fetch_backend_identity(look_t *look, uint32_t fetch, value_t *v) noexcept nogil:
    # As in HAProxy, a session belongs to its frontend until a backend is chosen; before the content rules to neither.
    cdef session_t *s = look.session
    cdef plan_frontend *frontend = look.frontend
    if s == NULL or (s.backend == NULL and s.state < SESSION_QUEUED):
        return False
    if fetch == FETCH_BACKEND_ID:
        return value_number(v, frontend.id if s.backend == NULL else s.backend.id)
    return value_name(look, frontend.name if s.backend == NULL else s.backend.name, v)


cdef bint fetch_server_identity(look_t *look, uint32_t fetch, value_t *v) noexcept nogil:
    cdef plan_server *server = look.session.target if look.session != NULL else NULL
    if server == NULL:
        return False
    return value_number(v, server.id) if fetch == FETCH_SERVER_ID else value_name(look, server.name, v)


cdef bint fetch_socket_identity(look_t *look, uint32_t fetch, value_t *v) noexcept nogil:
    if look.bind == NULL:
        return False
    return value_number(v, look.bind.id) if fetch == FETCH_SOCKET_ID else value_name(look, look.bind.said, v)


cdef bint fetch_is_local(look_t *look, bint destination, value_t *v) noexcept nogil:
    # A unix socket is local.
    cdef sockaddr_storage there
    cdef int local
    if not destination and look.family == AF_UNIX:
        return value_number(v, 1)
    if destination and not fetch_local(look, FETCH_DST, v):
        return look.family == AF_UNIX and value_number(v, 1)
    if destination:
        address_write(&there, v.family, 0, v.address)
    else:
        address_write(&there, look.family, 0, look.address)
    local = net_is_local(&there, sizeof(sockaddr_in) if there.ss_family == AF_INET else sizeof(sockaddr_in6))
    return local >= 0 and value_number(v, local)


cdef uint64_t server_shown_weight(worker_t *w, plan_server *server) noexcept nogil:
    # In the measure of the file, while that of the schedule may have another one.
    return load_relaxed(&w.control.servers[server.slot].state) >> SERVER_SHOWN_SHIFT & 0xffff


cdef int64_t backend_slots(worker_t *w, plan_t *plan, plan_backend *backend) noexcept nogil:
    # Connections that servers which are up still take, or queue; -1 where one of them has no limit of either.
    cdef int64_t total = 0
    cdef uint64_t maxconn, maxqueue
    cdef uint32_t i
    cdef plan_server *server
    for i in range(backend.server_count):
        server = plan_server_at(plan, backend.first_server + i)
        if not server_up(w, server):
            continue
        maxconn = load_relaxed(&w.control.servers[server.slot].maxconn)
        maxqueue = load_relaxed(&w.control.servers[server.slot].maxqueue)
        if maxconn == 0 or maxqueue == 0:
            return -1
        total += <int64_t>(maxconn + maxqueue - server_load_total(w, server.slot)
                           - gauge_total(w, &w.row.servers[server.slot].queued))
    return total


cdef int64_t server_free(worker_t *w, plan_t *plan, plan_server *server) noexcept nogil:
    # Connections that it still takes; -1: any number.
    cdef uint64_t limit = server_limit(w, plan_backend_at(plan, server.backend), server.slot)
    cdef uint64_t load = server_load_total(w, server.slot)
    if limit == 0:
        return -1
    return <int64_t>(limit - load if limit > load else 0)


cdef bint fetch_last_rule(look_t *look, uint32_t fetch, value_t *v) noexcept nogil:
    cdef const uint8_t *table = plan_rules(look.plan)
    cdef const rule_t *rule = look.w.colds[look.index].last_rule if look.session != NULL else NULL
    cdef const plan_name *file
    if rule == NULL:
        return False
    if fetch == FETCH_LAST_RULE_LINE:
        return value_number(v, rule.line)
    file = <const plan_name *>(table + rule.file)
    return value_text(v, table + file.offset, file.size)


cdef bint fetch_rate(look_t *look, const rule_sample *sample, value_t *v) noexcept nogil:
    cdef plan_header *header = look.plan.header
    cdef worker_row *row = look.w.row
    cdef plan_frontend *frontend = <plan_frontend *>(<uint8_t *>header + header.frontend_offset) + sample.first
    cdef const uint64_t *own
    if sample.fetch == FETCH_FRONTEND_RATE:
        own = &row.frontends[frontend.slot].rate
    elif sample.fetch == FETCH_BACKEND_RATE:
        own = &row.backends[plan_backend_at(look.plan, sample.first).slot].rate
    else:
        own = &row.servers[plan_server_at(look.plan, sample.first).slot].rate
    return value_number(v, <int64_t>pace_total(look.w, own))


cdef bint fetch_counter(look_t *look, const rule_sample *sample, value_t *v) noexcept nogil:
    cdef worker_t *w = look.w
    cdef plan_server *server
    if sample.fetch == FETCH_PROCESS_SESSIONS:
        return value_number(v, gauge_total(w, &w.row.counters.sessions))
    if sample.fetch == FETCH_BACKEND_SLOTS:
        return value_number(v, backend_slots(w, look.plan, plan_backend_at(look.plan, sample.first)))
    server = plan_server_at(look.plan, sample.first)
    if sample.fetch == FETCH_SERVER_WEIGHT:
        return value_number(v, server_shown_weight(w, server))
    if sample.fetch == FETCH_SERVER_SAID_WEIGHT:
        return value_number(v, server.weight)
    return value_number(v, server_free(w, look.plan, server))


cdef plan_backend *look_backend(look_t *look) noexcept nogil:
    # The one that was chosen, or a listen section's own; NULL where there is none yet.
    cdef session_t *s = look.session
    if s == NULL or s.backend != NULL:
        return NULL if s == NULL else s.backend
    if s.state < SESSION_QUEUED or look.frontend.own_backend == NO_INDEX:
        return NULL
    return plan_backend_at(look.plan, look.frontend.own_backend)


cdef bint fetch_limits(look_t *look, uint32_t fetch, value_t *v) noexcept nogil:
    # Timeouts in ms, 0 for none, and retries.
    cdef plan_backend *backend = look_backend(look)
    if fetch == FETCH_CLIENT_MS:
        return value_number(v, look.frontend.client_ms)
    if backend == NULL:
        return False
    if fetch == FETCH_SERVER_MS:
        return value_number(v, backend.server_ms)
    if fetch == FETCH_TUNNEL_MS:
        return value_number(v, backend.tunnel_ms)
    if fetch == FETCH_CONNECT_MS:
        return value_number(v, backend.connect_ms)
    return value_number(v, backend.queue_ms if fetch == FETCH_QUEUE_MS else backend.retries)


cdef bint fetch_surroundings(look_t *look, const rule_sample *sample, value_t *v) noexcept nogil:
    cdef uint32_t fetch = sample.fetch
    if fetch == FETCH_FRONTEND_ID:
        return value_number(v, look.frontend.id)
    if fetch <= FETCH_FRONTEND_DEFAULT:
        return fetch_frontend_name(look, fetch, v)
    if fetch <= FETCH_BACKEND_NAME:
        return fetch_backend_identity(look, fetch, v)
    if fetch <= FETCH_SERVER_NAME:
        return fetch_server_identity(look, fetch, v)
    if fetch <= FETCH_SOCKET_NAME:
        return fetch_socket_identity(look, fetch, v)
    if fetch == FETCH_IS_LOCAL:
        return fetch_is_local(look, sample.first != 0, v)
    if fetch <= FETCH_SERVER_FREE:
        return fetch_counter(look, sample, v)
    if fetch <= FETCH_SERVER_RATE:
        return fetch_rate(look, sample, v)
    if fetch <= FETCH_LAST_RULE_LINE:
        return fetch_last_rule(look, fetch, v)
    return fetch_moment(look, sample, v) if fetch < FETCH_CLIENT_MS else fetch_limits(look, fetch, v)
