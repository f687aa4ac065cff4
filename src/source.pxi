# Servers of which more is said than an address: a connection goes where the client wanted to go, in part or in whole,
# and comes from the address, port or interface that was asked for.
#
# A port of a range serves several destinations at a time: it is bound with SO_REUSEADDR, and connect() says when it is
# in use towards this one. So no worker has to know of the ports of the others, and each can use all of them.

cdef int source_bind(worker_t *w, session_t *s, int family, int fd) noexcept nogil:
    # 0; -EADDRINUSE: another port may do; what else the kernel says is one trouble, and our own.
    cdef plan_source *source = &s.target.source
    cdef sockaddr_storage address
    cdef int rc = 0
    if source.interface[0]:
        rc = net_bind_to_device(fd, &source.interface[0])
    if rc == 0 and source.usesrc != USESRC_NONE:
        rc = net_set(fd, IPPROTO_IP, IP_TRANSPARENT, 1)
    if rc == 0 and source.usesrc >= USESRC_CLIENTIP:
        rc = source_of_client(w, s, family, &address)
    elif rc == 0 and source.address_size:
        source_of_plan(w, s.target, &address)
    elif rc == 0:
        return 0
    if rc == 0:
        # Without a port the kernel chooses one when it knows the destination: else it would be lost to all others.
        if (<sockaddr_in *>&address).sin_port:
            net_set(fd, SOL_SOCKET, SO_REUSEADDR, 1)
        else:
            net_set(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        rc = net_bind(fd, &address, sizeof(sockaddr_in) if family == AF_INET else sizeof(sockaddr_in6))
    return rc if rc == 0 or rc == -EADDRINUSE else -EADDRNOTAVAIL


cdef void source_of_plan(worker_t *w, plan_server *server, sockaddr_storage *address) noexcept nogil:
    # Each worker begins in another place of a range, and takes the port that it has not used for longest.
    cdef plan_source *source = &server.source
    cdef uint32_t place
    memcpy(address, &source.address[0], source.address_size)
    if source.port_count:
        place = w.source_cursors[server.slot] + w.number * source.port_count / <uint32_t>w.control.workers
        w.source_cursors[server.slot] += 1
        (<sockaddr_in *>address).sin_port = htons(<unsigned short>(source.first_port + place % source.port_count))


cdef int source_of_client(worker_t *w, session_t *s, int family, sockaddr_storage *address) noexcept nogil:
    # A client of IPv4 that came by a socket of IPv6 is still one of IPv4; one of another family cannot be imitated.
    # Or the address that a rule has given it.
    cdef cold_t *cold = &w.colds[session_index(w, s)]
    cdef int rc = net_peer(s.client.fd, address)
    if cold.renamed:
        address_write(address, cold.client_family, cold.client_port, cold.client_address)
    if rc == 0 and family == AF_INET:
        net_unmap(address)
    if rc < 0 or address.ss_family != family:
        return -EADDRNOTAVAIL
    if s.target.source.usesrc == USESRC_CLIENTIP:
        (<sockaddr_in *>address).sin_port = 0
    return 0


cdef int source_target(worker_t *w, session_t *s, sockaddr_storage *address, socklen_t *size) noexcept nogil:
    # Where to connect to. A client that came by a unix socket wanted to go to no port: no server is to blame for that.
    cdef plan_server *server = s.target
    cdef sockaddr_storage asked
    cdef bint ours
    cdef uint16_t port
    memcpy(address, server.address, server.address_size)
    size[0] = server.address_size
    if not server.flags & (SERVER_CLIENTS_ADDRESS | SERVER_CLIENTS_PORT):
        return 0
    if handshake_destination(w, s, &asked, &ours) < 0 or asked.ss_family == AF_UNIX:
        return -EADDRNOTAVAIL
    port = (<sockaddr_in *>address).sin_port
    if server.flags & SERVER_CLIENTS_PORT:
        port = htons(<uint16_t>(ntohs((<sockaddr_in *>&asked).sin_port) + server.port_offset))
    if server.flags & SERVER_CLIENTS_ADDRESS:
        if ours and port == (<sockaddr_in *>&asked).sin_port:
            return -EADDRNOTAVAIL  # it would come back to us, again and again
        address[0] = asked
        size[0] = sizeof(sockaddr_in) if asked.ss_family == AF_INET else sizeof(sockaddr_in6)
    (<sockaddr_in *>address).sin_port = port  # sin6_port has the same place
    return 0


cdef int source_open(worker_t *w, session_t *s, int family, int *fd) noexcept nogil:
    # A socket that is ready to connect. `fd` is open or -1, whatever the answer is.
    cdef plan_server *server = s.target
    cdef int rc = net_open(family)
    fd[0] = max(rc, -1)
    if rc < 0:
        return rc
    # Only where there is something to send: a server that speaks first would wait 200 ms for the delayed ACK.
    if server.flags & SERVER_SMART_CONNECT and (s.client.flags & END_READABLE or server.send_proxy):
        net_set(rc, IPPROTO_TCP, TCP_QUICKACK, 0)
    if server.flags & SERVER_BUFFERS:
        net_buffers(rc, s.plan.header.server_rcvbuf, s.plan.header.server_sndbuf)
    if server.flags & SERVER_USER_TIMEOUT:
        net_set(rc, IPPROTO_TCP, TCP_USER_TIMEOUT, <int>server.user_timeout_ms)
    if server.flags & SERVER_SIGNED:
        net_sign(rc, family, plan_text(s.plan, server.md5_key), server.md5_key.size)
    if server.flags & SERVER_CONGESTION:
        net_set_congestion(rc, &server.congestion[0])
    return source_bind(w, s, family, rc) if server.flags & SERVER_SOURCE else 0


cdef int source_connect(worker_t *w, session_t *s, int *fd) noexcept nogil:
    # What net_open() and net_connect() are for other servers, and `fd` as above.
    cdef sockaddr_storage address
    cdef socklen_t size
    cdef int tries = min(<int>s.target.source.port_count, SOURCE_TRIES)
    cdef int rc = source_target(w, s, &address, &size)
    fd[0] = -1
    while rc == 0:
        rc = source_open(w, s, address.ss_family, fd)
        if rc == 0:
            rc = net_connect(fd[0], <uint8_t *>&address, size)
            if rc == -EADDRNOTAVAIL and tries:
                rc = -EADDRINUSE
        tries -= 1
        if rc != -EADDRINUSE or tries <= 0:
            return rc
        net_close(fd[0])
        fd[0] = -1
        rc = 0
    return rc
