# Samples: what there is to know of a connection, and what converters make of it. Source: HAProxy manual, section 7.3.

cdef bint fetch_local(look_t *look, uint32_t fetch, value_t *v) noexcept nogil:
    # The address the client connected to, as its PROXY header has it. When its line is written the socket is gone.
    cdef cold_t here
    cdef sockaddr_storage local
    cdef bint ours
    if look.session != NULL and look.session.client.fd < 0:  # closed: log_addresses() has noted it
        if fetch == FETCH_DST:
            return value_address(v, look.w.log_accepted.family, look.w.log_accepted.bytes)
        return is_internet(&look.w.log_accepted) and value_number(v, look.w.log_accepted.port)
    if look.session != NULL:
        if handshake_destination(look.w, look.session, &local, &ours) < 0:
            return False
    elif net_destination(look.fd, &local, &ours) < 0:
        return False
    cold_address(&here, &local)
    if fetch == FETCH_DST:
        return value_address(v, here.client_family, here.client_address)
    return here.client_family != AF_UNIX and value_number(v, here.client_port)


cdef bint fetch_payload(look_t *look, uint32_t offset, uint32_t length, value_t *v) noexcept nogil:
    # Length 0 is all there is from there on.
    if look.size < offset + length or (length == 0 and look.size < offset):
        return value_wait(look, v)
    v.waits = length == 0 and not look.final
    return value_text(v, look.data + offset, length if length else look.size - offset)


cdef bint fetch_payload_lv(look_t *look, const rule_sample *sample, value_t *v) noexcept nogil:
    # A text whose length stands before it. One that a buffer of HAProxy could not hold will never be there.
    cdef uint32_t at = sample.first & 0xffff
    cdef uint32_t width = sample.first >> 16
    cdef int64_t start = <int32_t>sample.second >> 1
    cdef uint64_t length
    if look.size < at + width:
        return value_wait(look, v)
    length = big_endian(look.data + at, width)
    if sample.second & 1:
        start += at + width
    if start < 0 or length == 0 or length > ROOM_BYTES or start + <int64_t>length > ROOM_BYTES:
        return False
    if start + <int64_t>length > look.size:
        return value_wait(look, v)
    return value_text(v, look.data + start, <uint32_t>length)


cdef bint fetch_hello(look_t *look, uint32_t fetch, value_t *v) noexcept nogil:
    cdef cursor_t message, part
    cdef int verdict
    message.left = 0
    verdict = hello_message(look.data, look.size, look.room, &message)
    if verdict == HELLO_WAIT:
        return value_wait(look, v)
    if verdict == HELLO_NONE:
        return fetch == FETCH_HELLO_TYPE and message.left and value_number(v, message.at[0])
    if fetch == FETCH_HELLO_TYPE:
        return value_number(v, CLIENT_HELLO)
    if fetch == FETCH_HELLO_VERSION:
        return message.left >= 2 and value_number(v, <int64_t>message.at[0] << 16 | message.at[1])
    if fetch == FETCH_HELLO_SNI:
        return hello_sni(message, &part) and value_text(v, part.at, part.left)
    return hello_alpn(message, &part) and value_text(v, part.at, part.left)


cdef plan_backend *plan_backend_at(plan_t *plan, uint32_t index) noexcept nogil:
    return <plan_backend *>(<uint8_t *>plan.header + plan.header.backend_offset) + index


cdef plan_server *plan_server_at(plan_t *plan, uint32_t index) noexcept nogil:
    return <plan_server *>(<uint8_t *>plan.header + plan.header.server_offset) + index


cdef int64_t backend_servers(worker_t *w, plan_t *plan, plan_backend *backend) noexcept nogil:
    # That may be chosen: the active ones, else the first backup, or all of them with "option allbackups".
    cdef int64_t active = 0, backup = 0
    cdef uint32_t i
    cdef plan_server *server
    for i in range(backend.server_count):
        server = plan_server_at(plan, backend.first_server + i)
        if server_usable(w, server) and server_weight(w, server):
            if server.backup:
                backup += 1
            else:
                active += 1
    if active or backend.flags & BACKEND_ALL_BACKUPS:
        return active or backup
    return backup != 0


cdef int64_t backend_free(worker_t *w, plan_t *plan, plan_backend *backend) noexcept nogil:
    # Connections that the usable servers still take; -1 where one has no limit.
    cdef int64_t total = 0
    cdef uint64_t limit, load
    cdef uint32_t i
    cdef plan_server *server
    for i in range(backend.server_count):
        server = plan_server_at(plan, backend.first_server + i)
        limit = load_relaxed(&w.control.servers[server.slot].maxconn)
        load = server_load_total(w, server.slot)
        if server_usable(w, server):
            if limit == 0:
                return -1
            total += limit - load if limit > load else 0
    return total


cdef bint fetch_backend(look_t *look, uint32_t fetch, plan_backend *backend, value_t *v) noexcept nogil:
    cdef worker_t *w = look.w
    cdef int64_t servers, queued
    if fetch == FETCH_BACKEND_SERVERS:
        return value_number(v, backend_servers(w, look.plan, backend))
    if fetch == FETCH_BACKEND_SESSIONS:
        return value_number(v, gauge_total(w, &w.row.backends[backend.slot].sessions))
    if fetch == FETCH_BACKEND_FREE:
        return value_number(v, backend_free(w, look.plan, backend))
    queued = gauge_total(w, &w.row.backends[backend.slot].queued)
    servers = backend_servers(w, look.plan, backend) if fetch == FETCH_BACKEND_QUEUE_EACH else 1
    return value_number(v, (queued + servers - 1) / servers if servers else queued)


cdef bint fetch_server(look_t *look, uint32_t fetch, plan_server *server, value_t *v) noexcept nogil:
    cdef worker_t *w = look.w
    if fetch == FETCH_SERVER_UP:
        return value_number(v, server_up(w, server))
    if fetch == FETCH_SERVER_SESSIONS:
        return value_number(v, gauge_total(w, &w.row.servers[server.slot].sessions))
    return value_number(v, gauge_total(w, &w.row.servers[server.slot].queued))


cdef uint32_t server_named(look_t *look, const rule_converter *c, const value_t *v) noexcept nogil:
    # Without its backend a name means a server of the section, whose name and a slash the converter has. Or NO_INDEX.
    cdef const uint8_t *table = plan_rules(look.plan)
    cdef uint32_t names = (<const rule_head *>table).servers
    cdef uint8_t name[512]
    if memchr(v.text, c'/', v.size) != NULL:
        return names_equal(table, names, v.text, v.size)
    if v.size > sizeof(name) or c.text_size > sizeof(name) - v.size:
        return NO_INDEX
    memcpy(name, table + c.text, c.text_size)
    memcpy(name + c.text_size, v.text, v.size)
    return names_equal(table, names, name, c.text_size + v.size)


cdef bint convert_named(look_t *look, const rule_converter *c, value_t *v) noexcept nogil:
    # "nbsrv", "srv_is_up" and "srv_queue" of what a text names. False where nothing has that name.
    cdef const uint8_t *table = plan_rules(look.plan)
    cdef uint32_t index
    if c.kind == CONVERT_NBSRV:
        index = names_equal(table, (<const rule_head *>table).backends, v.text, v.size)
        return index != NO_INDEX and fetch_backend(
            look, FETCH_BACKEND_SERVERS, plan_backend_at(look.plan, index), v)
    index = server_named(look, c, v)
    return index != NO_INDEX and fetch_server(
        look, FETCH_SERVER_UP if c.kind == CONVERT_SRV_IS_UP else FETCH_SERVER_QUEUE,
        plan_server_at(look.plan, index), v)


cdef bint fetch_gauge(look_t *look, const rule_sample *sample, value_t *v) noexcept nogil:
    cdef plan_header *header = look.plan.header
    cdef plan_frontend *frontend
    if sample.fetch >= FETCH_SERVER_UP:
        return fetch_server(look, sample.fetch, plan_server_at(look.plan, sample.first), v)
    if sample.fetch == FETCH_FRONTEND_SESSIONS:
        frontend = <plan_frontend *>(<uint8_t *>header + header.frontend_offset) + sample.first
        return value_number(v, gauge_total(look.w, &look.w.row.frontends[frontend.slot].sessions))
    return fetch_backend(look, sample.fetch, plan_backend_at(look.plan, sample.first), v)


cdef bint fetch_content(look_t *look, const rule_sample *sample, value_t *v) noexcept nogil:
    # Of what one side has sent: the other's is not at hand.
    cdef uint32_t fetch = sample.fetch & ~FETCH_OF_ANSWER
    if look.answer != (sample.fetch & FETCH_OF_ANSWER != 0):
        return False
    if fetch == FETCH_PAYLOAD:
        return fetch_payload(look, sample.first, sample.second, v)
    if fetch == FETCH_RDP_COOKIE or fetch == FETCH_RDP_COUNT:
        return fetch_rdp_cookie(look, sample, v)
    if fetch == FETCH_PAYLOAD_LV:
        return fetch_payload_lv(look, sample, v)
    if fetch >= FETCH_HELLO_TYPE:
        return fetch_hello(look, fetch, v)
    v.waits = not look.final
    return value_number(v, look.size)


cdef bint fetch_constant(look_t *look, const rule_sample *sample, value_t *v) noexcept nogil:
    cdef const uint8_t *at = plan_rules(look.plan) + sample.first
    if sample.fetch == FETCH_TEXT:
        return value_text(v, at, sample.second)
    if sample.fetch == FETCH_ADDRESS:
        return value_address(v, <uint16_t>sample.second, at)
    return value_number(v, sample_argument(sample))


cdef bint sample_fetch(look_t *look, const rule_sample *sample, value_t *v) noexcept nogil:
    # False: there is no such thing, or not yet (v.waits).
    cdef uint32_t fetch = sample.fetch
    if FETCH_HEADER_RECEIVED <= fetch <= FETCH_HEADER_UNIQUE_ID:
        return fetch_header(look, sample, v)
    if FETCH_CLIENT_TCP <= fetch <= FETCH_SHOWN:
        return fetch_connection(look, sample, v)
    if FETCH_FRONTEND_ID <= fetch <= FETCH_RETRIES:
        return fetch_surroundings(look, sample, v)
    if FETCH_TABLE <= fetch < FETCH_OF_ANSWER:
        return fetch_table(look, sample, v)
    if fetch >= FETCH_OF_ANSWER or FETCH_RDP_COOKIE <= fetch <= FETCH_PAYLOAD_LV:
        return fetch_content(look, sample, v)
    if fetch == FETCH_VAR:
        return fetch_var(look, sample, v)
    if fetch >= FETCH_TEXT:
        return fetch_constant(look, sample, v)
    if fetch >= FETCH_BACKEND_SERVERS:
        return fetch_gauge(look, sample, v)
    if fetch >= FETCH_LENGTH:
        return fetch_content(look, sample, v)
    if fetch == FETCH_SRC:
        return value_address(v, look.family, look.address)
    if fetch == FETCH_SRC_PORT:
        return look.family != AF_UNIX and value_number(v, look.port)
    if fetch == FETCH_DST or fetch == FETCH_DST_PORT:
        return fetch_local(look, fetch, v)
    if fetch == FETCH_WAIT_END:
        return value_number(v, 1) if look.final else value_wait(look, v)
    return value_number(v, fetch == FETCH_ALWAYS_TRUE)


cdef bint sample_get(look_t *look, const rule_sample *sample, value_t *v) noexcept nogil:
    # False: there is none, or not yet (v.waits).
    cdef const rule_converter *c
    cdef uint32_t i
    memset(v, 0, sizeof(value_t))
    if not sample_fetch(look, sample, v):
        return False
    c = <const rule_converter *>(plan_rules(look.plan) + sample.converters)
    for i in range(sample.converter_count):
        if c[i].kind == CONVERT_TABLE:
            if not convert_table(look, &c[i], v):
                return False
        elif not value_convert(look, &c[i], v):
            return False
    return True
