# PROXY headers, before the first byte of a session and counted nowhere as bytes of it.
#
# One that a client must begin with is waited for in SESSION_HEADER: looked at where it lies, in the socket's queue,
# until it is complete, and taken out only then. So it needs no buffer, and nothing behind it is read too early.
#
# One for a server is a part of connecting, so a retry sends it anew, and the time limit of the connect covers it.

cdef enum:
    HEADER_GLANCE = 232        # bytes of a first look: all of most headers

cdef const char *handshake_reason(int refusal) noexcept nogil:
    # HAProxy's words.
    if refusal == REFUSED_CLOSED:
        return b"Connection closed while waiting for PROXY protocol header"
    if refusal == REFUSED_ERROR:
        return b"Connection error while waiting for PROXY protocol header"
    if refusal == REFUSED_TIMEOUT:
        return b"Timeout while waiting for PROXY protocol header"
    if refusal == REFUSED_TRUNCATED:
        return b"Truncated PROXY protocol header received"
    if refusal == REFUSED_MISSING:
        return b"Received something which does not look like a PROXY protocol header"
    if refusal == REFUSED_PROTOCOL:
        return b"Received an unhandled protocol in the PROXY protocol header"
    return b"Received an invalid PROXY protocol header"


cdef void handshake_expect(worker_t *w, session_t *s) noexcept nogil:
    # The time limit is that of the whole header, however slowly it comes.
    cdef header_t *header = &w.headers[session_index(w, s)]
    memset(header, 0, sizeof(header_t))
    w.colds[session_index(w, s)].headed = 1
    s.state = SESSION_HEADER
    s.deadline_ms = after(w.now_ms, s.frontend.client_hs_ms)
    timer_update(w, s)


cdef void handshake_refuse(worker_t *w, session_t *s, int refusal) noexcept nogil:
    # What the client has sent lies unread, so closing resets the connection. "option dontlognull" is about those who
    # said nothing; with the default format, which is written at accept, HAProxy does not log any.
    cdef bint said_nothing = refusal == REFUSED_CLOSED or refusal == REFUSED_ERROR or refusal == REFUSED_TIMEOUT
    add(&w.row.frontends[s.frontend.slot].headers_refused_total[refusal], 1)
    s.cause = CAUSE_PROXY_HEADER
    if s.frontend.log & (LOG_AT_CONNECT | LOG_AT_END) and not (said_nothing and s.frontend.log & LOG_NOT_NULL):
        log_refused(w, s, w.colds[session_index(w, s)].bind.name, handshake_reason(refusal))
    session_close(w, s, CAUSE_PROXY_HEADER)


cdef int handshake_look(worker_t *w, session_t *s, header_t *header) noexcept nogil:
    # The rest of a long one is looked at once, when all of it is there (or the kernel does not say how much is).
    cdef uint32_t total = 0
    cdef int verdict = HEADER_MORE
    cdef int there
    cdef ssize_t n = net_peek(s.client.fd, w.scratch, HEADER_GLANCE)
    if n > 0:
        verdict = header_parse(w.scratch, <uint32_t>n, &header.said, &total)
    if verdict == HEADER_MORE and n == HEADER_GLANCE:
        there = net_readable_bytes(s.client.fd)
        if there < 0 or there >= <int>total:
            n = net_peek(s.client.fd, w.scratch, total)
            verdict = header_parse(w.scratch, <uint32_t>n, &header.said, &total) if n > 0 else HEADER_MORE
    if verdict == HEADER_DONE:
        header.left = <uint16_t>total
        if (header.said.fields_at and w.colds[session_index(w, s)].bind.flags & BIND_KEEPS_FIELDS
                and not fields_keep(header, w.scratch, total)):
            return REFUSED_ERROR
    if verdict != HEADER_MORE or n == -EAGAIN:
        return verdict
    if n < 0 or s.client.flags & END_ERROR:
        return REFUSED_ERROR
    if s.client.flags & END_FIN:
        return REFUSED_TRUNCATED if n > 0 else REFUSED_CLOSED
    return HEADER_MORE


cdef int handshake_take(worker_t *w, session_t *s, header_t *header) noexcept nogil:
    # The complete header leaves the queue.
    cdef ssize_t n
    while header.left:
        n = net_recv(s.client.fd, w.scratch, header.left)
        if n <= 0:
            return HEADER_MORE if n == -EAGAIN else REFUSED_ERROR
        header.left -= <uint16_t>n
    return HEADER_DONE


cdef void handshake_done(worker_t *w, session_t *s, header_t *header) noexcept nogil:
    # From here on it is a session like any other, of the client that the header names.
    cdef cold_t *cold = &w.colds[session_index(w, s)]
    if header.said.family:
        cold.declared = 1
        cold.client_family = header.said.family
        cold.client_port = header.said.source_port
        memcpy(cold.client_address, header.said.source, sizeof(cold.client_address))
    s.state = SESSION_ACCEPTED
    s.deadline_ms = NEVER
    s.active_ms = w.now_ms
    if session_enter(w, s):
        session_run(w, s)


cdef void handshake_run(worker_t *w, session_t *s) noexcept nogil:
    cdef header_t *header = &w.headers[session_index(w, s)]
    cdef int verdict = HEADER_DONE if header.left else handshake_look(w, s, header)
    if verdict == HEADER_DONE:
        verdict = handshake_take(w, s, header)
    if verdict == HEADER_DONE:
        handshake_done(w, s, header)
    elif verdict != HEADER_MORE:
        handshake_refuse(w, s, verdict)


cdef void handshake_sockaddr(endpoints_t *said, sockaddr_storage *address) noexcept nogil:
    # The destination that a header names.
    cdef sockaddr_in *v4 = <sockaddr_in *>address
    cdef sockaddr_in6 *v6 = <sockaddr_in6 *>address
    memset(address, 0, sizeof(sockaddr_storage))
    address.ss_family = said.family
    if said.family == AF_INET:
        v4.sin_port = htons(said.destination_port)
        memcpy(&v4.sin_addr, said.destination, 4)
    else:
        v6.sin6_port = htons(said.destination_port)
        memcpy(&v6.sin6_addr, said.destination, 16)


cdef int handshake_destination(worker_t *w, session_t *s, sockaddr_storage *address, bint *ours) noexcept nogil:
    # Where the client connected to, or says that it did: net_destination() for a client with or without a header.
    cdef sockaddr_storage said
    cdef size_t size
    cdef int rc = net_destination(s.client.fd, address, ours)
    if not w.colds[session_index(w, s)].declared:
        return rc
    handshake_sockaddr(&w.headers[session_index(w, s)].said, &said)
    size = sizeof(sockaddr_in) if said.ss_family == AF_INET else sizeof(sockaddr_in6)
    ours[0] = rc == 0 and ours[0] and memcmp(&said, address, size) == 0
    address[0] = said
    return 0


cdef void handshake_said(worker_t *w, session_t *s, address_t *destination) noexcept nogil:
    cdef endpoints_t *said = &w.headers[session_index(w, s)].said
    destination.family = said.family
    destination.port = said.destination_port
    memcpy(destination.bytes, said.destination, sizeof(destination.bytes))


cdef uint32_t handshake_header(worker_t *w, session_t *s, uint8_t *room) noexcept nogil:
    # As the server's `send_proxy` says. As in HAProxy, the second version wins, and addresses that are not known make
    # it "UNKNOWN" in the first and "LOCAL" in the second. Both addresses are of one family, always: they come from one
    # socket, or one header. Without fields they are the same bytes at each call.
    cdef cold_t *cold = &w.colds[session_index(w, s)]
    cdef sockaddr_storage local
    cdef address_t destination
    cdef endpoints_t ends
    cdef uint32_t size, checksum = 0
    cdef bint ours
    memset(&ends, 0, sizeof(ends))
    memset(&destination, 0, sizeof(destination))
    if handshake_destination(w, s, &local, &ours) == 0:
        address_read(&destination, &local)
    if destination.family == cold.client_family and (cold.client_family in (AF_INET, AF_INET6)):
        ends.family = cold.client_family
        ends.source_port = cold.client_port
        ends.destination_port = destination.port
        memcpy(ends.source, cold.client_address, sizeof(ends.source))
        memcpy(ends.destination, destination.bytes, sizeof(ends.destination))
    if not s.target.send_proxy & SEND_PROXY_V2:
        return header_make_v1(&ends, room)
    if s.target.send_proxy & (SEND_PROXY_FIELDS | SEND_PROXY_UNIQUE_ID):
        log_addresses(w, s)  # what their formats may show
    size = session_fields(w, s, room + HEADER_LIMIT, &checksum)
    return header_make_v2(&ends, room + HEADER_LIMIT, size, checksum, room)


cdef void handshake_forget(cold_t *cold) noexcept nogil:
    free(cold.made)
    cold.made = NULL


cdef void session_forget(worker_t *w, session_t *s) noexcept nogil:
    # What was allocated to measure, at the end of a session.
    cdef cold_t *cold = &w.colds[session_index(w, s)]
    if cold.made != NULL:
        handshake_forget(cold)
    if cold.unique_id != NULL:
        free(cold.unique_id)
    if cold.headed:
        free(w.headers[session_index(w, s)].fields)


cdef bint handshake_make(worker_t *w, session_t *s, uint32_t *size) noexcept nogil:
    # In the scratch. False: there is no memory to keep one whose second making might differ. It is kept from the first
    # on, for only a send that moves a part tells that it has to be.
    cdef cold_t *cold = &w.colds[session_index(w, s)]
    cdef uint32_t whole
    if cold.made != NULL:
        memcpy(&whole, cold.made, 4)
        memcpy(w.scratch, cold.made + 4, whole)
        size[0] = whole
        return True
    size[0] = handshake_header(w, s, w.scratch)
    if not s.target.send_proxy & SEND_PROXY_FIELDS:
        return True
    cold.made = <uint8_t *>malloc(size[0] + 4)
    if cold.made == NULL:
        return False
    memcpy(cold.made, size, 4)
    memcpy(cold.made + 4, w.scratch, size[0])
    return True


cdef bint handshake_sent(worker_t *w, session_t *s) noexcept nogil:
    # True when the server has all of it. What the client has said already follows in the same packet: it is read and
    # sent next, in this turn.
    cdef cold_t *cold = &w.colds[session_index(w, s)]
    cdef uint32_t size
    cdef ssize_t n = -ENOMEM
    if handshake_make(w, s, &size):
        n = net_send(s.server.fd, w.scratch + cold.header_bytes, size - cold.header_bytes,
                     net_readable_bytes(s.client.fd) > 0)
    if n < 0 and n != -EAGAIN:
        connect_failed(w, s, <int>-n, False)
        return False
    if n > 0:
        cold.header_bytes += <uint16_t>n
    if cold.header_bytes == size:
        if cold.made != NULL:
            handshake_forget(cold)
        return True
    s.server.flags &= ~END_WRITABLE
    return False
