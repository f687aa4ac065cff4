# The PROXY header that a server is sent before the first byte: a part of connecting, so a retry sends it anew, and the
# time limit of the connect covers it. It is counted nowhere as bytes of the session.

cdef void handshake_local(session_t *s, cold_t *here) noexcept nogil:
    # Where the client connected to, in the fields of a client's address.
    cdef sockaddr_storage local
    cdef bint ours
    if net_destination(s.client.fd, &local, &ours) < 0:
        local.ss_family = 0
    cold_address(here, &local)


cdef uint32_t handshake_header(worker_t *w, session_t *s, uint8_t *room) noexcept nogil:
    # The same bytes at each call. Both addresses are of one family, always: a connection has them from one socket.
    cdef cold_t *cold = &w.colds[session_index(w, s)]
    cdef cold_t here
    cdef endpoints_t ends
    memset(&ends, 0, sizeof(ends))
    handshake_local(s, &here)
    if here.client_family == cold.client_family and (here.client_family in (AF_INET, AF_INET6)):
        ends.family = cold.client_family
        ends.source_port = cold.client_port
        ends.destination_port = here.client_port
        memcpy(ends.source, cold.client_address, sizeof(ends.source))
        memcpy(ends.destination, here.client_address, sizeof(ends.destination))
    return header_make(s.target.send_proxy, &ends, room)


cdef bint handshake_sent(worker_t *w, session_t *s) noexcept nogil:
    # True when the server has all of it. What the client has said already follows in the same packet: it is read and
    # sent next, in this turn.
    cdef cold_t *cold = &w.colds[session_index(w, s)]
    cdef uint32_t size = handshake_header(w, s, w.scratch)
    cdef ssize_t n = net_send(s.server.fd, w.scratch + cold.header_bytes, size - cold.header_bytes,
                              net_readable_bytes(s.client.fd) > 0)
    if n < 0 and n != -EAGAIN:
        connect_failed(w, s, <int>-n, False)
        return False
    if n > 0:
        cold.header_bytes += <uint16_t>n
    if cold.header_bytes == size:
        return True
    s.server.flags &= ~END_WRITABLE
    return False
