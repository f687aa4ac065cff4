# Servers of which more is said than where they are: a connection comes from the address, port or interface that was
# asked for. A port of a range serves several destinations at a time: it is bound with SO_REUSEADDR, and connect() says
# when it is in use towards this one. So no worker has to know of the ports of the others, and each can use all of them.

cdef int source_bind(worker_t *w, plan_server *server, int fd) noexcept nogil:
    # 0; -EADDRINUSE: another port may do; what else the kernel says is one trouble, and our own.
    cdef plan_source *source = &server.source
    cdef sockaddr_storage address
    cdef uint32_t place
    cdef int rc
    if source.interface[0] and net_bind_to_device(fd, &source.interface[0]) < 0:
        return -EADDRNOTAVAIL
    if source.address_size == 0:
        return 0
    memcpy(&address, &source.address[0], source.address_size)
    if source.port_count:
        # Each worker begins in another place, and takes the port that it has not used for longest.
        place = w.source_cursors[server.slot] + w.number * source.port_count / <uint32_t>w.control.workers
        w.source_cursors[server.slot] += 1
        (<sockaddr_in *>&address).sin_port = htons(<unsigned short>(source.first_port + place % source.port_count))
        net_set(fd, SOL_SOCKET, SO_REUSEADDR, 1)
    else:
        # The kernel chooses when it knows the destination: else the port would be lost to all others.
        net_set(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
    rc = net_bind(fd, &address, source.address_size)
    return rc if rc == 0 or rc == -EADDRINUSE else -EADDRNOTAVAIL


cdef int source_connect(worker_t *w, plan_server *server, int *fd) noexcept nogil:
    # What net_open() and net_connect() are for others. `fd` is open or -1, whatever the answer is.
    cdef int tries = min(<int>server.source.port_count, SOURCE_TRIES)
    cdef int rc
    while True:
        fd[0] = -1
        rc = net_open((<sockaddr *>server.address).sa_family)
        if rc < 0:
            return rc
        fd[0] = rc
        if server.flags & SERVER_USER_TIMEOUT:
            net_set(fd[0], IPPROTO_TCP, TCP_USER_TIMEOUT, <int>server.user_timeout_ms)
        rc = source_bind(w, server, fd[0]) if server.flags & SERVER_SOURCE else 0
        if rc == 0:
            rc = net_connect(fd[0], server.address, server.address_size)
            if rc == -EADDRNOTAVAIL and tries:
                rc = -EADDRINUSE
        tries -= 1
        if rc != -EADDRINUSE or tries <= 0:
            return rc
        net_close(fd[0])
