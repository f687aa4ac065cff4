# What is known of a session and of its two connections, as samples. The kernel is asked when a sample is; for a line of
# the log that is written when the sockets are closed already, just before that.

cdef bint tcp_has_server(const session_t *s) noexcept nogil:
    return s.state == SESSION_ESTABLISHED or s.state == SESSION_LINGERING


cdef void tcp_note(worker_t *w, session_t *s) noexcept nogil:
    net_tcp_state(s.client.fd, &w.log_tcp[0])
    net_tcp_state(s.server.fd if tcp_has_server(s) else -1, &w.log_tcp[1])


cdef bint fetch_tcp(look_t *look, const rule_sample *sample, value_t *v) noexcept nogil:
    cdef bint server = sample.fetch == FETCH_SERVER_TCP
    cdef session_t *s = look.session
    cdef tcp_state_t now
    cdef const tcp_state_t *tcp = &now
    if server and (s == NULL or not tcp_has_server(s)):
        return False
    if s != NULL and s.client.fd < 0:
        tcp = &look.w.log_tcp[server]
    else:
        net_tcp_state(s.server.fd if server else look.fd, &now)
    if sample.first >= tcp.known:
        return False
    return value_number(v, (<int64_t>tcp.words[sample.first] + sample.second / 2) / sample.second)


cdef bint is_internet(const address_t *address) noexcept nogil:
    return address.family == AF_INET or address.family == AF_INET6


cdef bint fetch_server_end(look_t *look, uint32_t fetch, value_t *v) noexcept nogil:
    # One end of the connection to the server, as log_addresses() has noted it where that is closed.
    cdef session_t *s = look.session
    cdef bint far = fetch >= FETCH_SERVER_ADDRESS
    cdef address_t end
    if s == NULL or not tcp_has_server(s):
        return False
    if s.client.fd >= 0:
        net_address(s.server.fd, far, &end)
    else:
        end = look.w.log_reached if far else look.w.colds[look.index].source
    if fetch == FETCH_SERVER_SOURCE or fetch == FETCH_SERVER_ADDRESS:
        return value_address(v, end.family, end.bytes)
    return is_internet(&end) and value_number(v, end.port)


cdef bint fetch_state(look_t *look, value_t *v) noexcept nogil:
    # Of a session that goes on there is nothing to say.
    cdef session_t *s = look.session
    cdef char *code = <char *>value_room(look, v)
    log_state(s.cause, s.state, code)
    if s.client.fd >= 0 and s.cause == CAUSE_NORMAL:
        memset(code, c'-', 2)
    return value_text(v, <const uint8_t *>code, 2)


cdef bint fetch_shown(look_t *look, const rule_sample *sample, value_t *v) noexcept nogil:
    cdef uint32_t kind = sample.first
    if look.session == NULL:
        return False
    if sample.fetch == FETCH_REDISPATCHED:
        return value_number(v, look.session.redispatched != 0)
    if kind == PIECE_STATE:
        return fetch_state(look, v)
    if kind <= PIECE_TOTAL_MS:
        return value_number(v, line_duration(look.w, look.session, kind))
    return value_number(v, line_count(look.w, look.session, NULL, kind))


cdef bint fetch_connection(look_t *look, const rule_sample *sample, value_t *v) noexcept nogil:
    if sample.fetch <= FETCH_SERVER_TCP:
        return fetch_tcp(look, sample, v)
    if sample.fetch <= FETCH_SERVER_PORT:
        return fetch_server_end(look, sample.fetch, v)
    return fetch_shown(look, sample, v)
