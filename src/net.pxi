# Every system call on a socket or pipe, once: EINTR retried, failure returned as -errno, never both. So this is also
# where debug builds inject faults: see faults.h.

cdef ssize_t net_recv(int fd, void *data, size_t size) noexcept nogil:
    cdef ssize_t n
    while True:
        n = recv(fd, data, size, MSG_DONTWAIT)
        if n >= 0:
            return n
        if errno != EINTR:
            return -errno


cdef ssize_t net_peek(int fd, void *data, size_t size) noexcept nogil:
    cdef ssize_t n
    while True:
        n = recv(fd, data, size, MSG_DONTWAIT | MSG_PEEK)
        if n >= 0:
            return n
        if errno != EINTR:
            return -errno


cdef ssize_t net_send(int fd, const void *data, size_t size, bint more) noexcept nogil:
    # With more bytes or a shutdown to come at once, the kernel keeps the last segment for them: they leave as one.
    cdef ssize_t n
    cdef int flags = MSG_DONTWAIT | MSG_NOSIGNAL | (MSG_MORE if more else 0)
    while True:
        n = send(fd, data, size, flags)
        if n >= 0:
            return n
        if errno != EINTR:
            return -errno


cdef ssize_t net_splice(int source, int destination, size_t size) noexcept nogil:
    # Never SPLICE_F_MORE: it holds the last segment back for 200 ms, TCP_NODELAY or not.
    cdef ssize_t n
    while True:
        n = splice(source, NULL, destination, NULL, size, SPLICE_F_MOVE | SPLICE_F_NONBLOCK)
        if n >= 0:
            return n
        if errno != EINTR:
            return -errno


cdef int net_accept(int listener, sockaddr_storage *peer) noexcept nogil:
    cdef socklen_t size
    cdef int fd
    while True:
        size = sizeof(sockaddr_storage)
        peer.ss_family = 0
        fd = accept4(listener, <sockaddr *>peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC)
        if fd >= 0:
            return fd
        if errno != EINTR:
            return -errno


cdef int net_connect(int fd, const uint8_t *address, uint32_t size) noexcept nogil:
    # An interrupted connect goes on in the kernel: EINTR means what EINPROGRESS means.
    if connect(fd, <const sockaddr *>address, size) == 0:
        return 0
    return -EINPROGRESS if errno == EINTR else -errno


cdef int net_destination(int fd, sockaddr_storage *address, bint *ours) noexcept nogil:
    # Where the client wanted to go: what netfilter has diverted here (REDIRECT, DNAT) knows more than the socket.
    # `ours`: nothing has diverted it, neither that nor a transparent socket.
    cdef sockaddr_storage before
    cdef socklen_t size = sizeof(sockaddr_storage)
    if getsockname(fd, <sockaddr *>address, &size) == -1:
        return -errno
    size = sizeof(before)
    memset(&before, 0, sizeof(before))
    if address.ss_family == AF_INET and getsockopt(fd, IPPROTO_IP, SO_ORIGINAL_DST, &before, &size) == 0:
        ours[0] = memcmp(&before, address, size) == 0 and not net_is_transparent(fd)
        address[0] = before
    else:
        ours[0] = not net_is_transparent(fd)
    return 0


cdef int net_peer(int fd, sockaddr_storage *address) noexcept nogil:
    cdef socklen_t size = sizeof(sockaddr_storage)
    return 0 if getpeername(fd, <sockaddr *>address, &size) == 0 else -errno


cdef void net_unmap(sockaddr_storage *address) noexcept nogil:
    # ::ffff:192.0.2.1 to 192.0.2.1, at the same port.
    cdef sockaddr_in6 six = (<sockaddr_in6 *>address)[0]
    cdef sockaddr_in *four = <sockaddr_in *>address
    if address.ss_family == AF_INET6 and memcmp(&six.sin6_addr, b"\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) == 0:
        memset(address, 0, sizeof(sockaddr_storage))
        four.sin_family = AF_INET
        four.sin_port = six.sin6_port
        memcpy(&four.sin_addr, &six.sin6_addr.s6_addr[12], 4)


cdef bint net_is_transparent(int fd) noexcept nogil:
    # One bit of the socket, whatever its family.
    cdef int yes = 0
    cdef socklen_t size = sizeof(yes)
    return getsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &yes, &size) == 0 and yes != 0


cdef int net_error(int fd) noexcept nogil:
    # SO_ERROR is cleared by reading it: only for sockets that are not connected yet.
    cdef int error = 0
    cdef socklen_t size = sizeof(error)
    if getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == -1:
        return errno
    return error


cdef int net_set(int fd, int level, int name, int value) noexcept nogil:
    return 0 if setsockopt(fd, level, name, &value, sizeof(value)) == 0 else -errno


cdef int net_open(int family) noexcept nogil:
    # TCP_NODELAY as HAProxy sets it always; urgent bytes stay in the stream, where they cannot block splice.
    cdef int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
    if fd == -1:
        return -errno
    if family != AF_UNIX:
        net_set(fd, IPPROTO_TCP, TCP_NODELAY, 1)
        net_set(fd, SOL_SOCKET, SO_OOBINLINE, 1)
    return fd


cdef void net_keepalive(int fd, int idle_s, int interval_s, int count) noexcept nogil:
    net_set(fd, SOL_SOCKET, SO_KEEPALIVE, 1)
    net_set(fd, IPPROTO_TCP, TCP_KEEPIDLE, idle_s)
    net_set(fd, IPPROTO_TCP, TCP_KEEPINTVL, interval_s)
    net_set(fd, IPPROTO_TCP, TCP_KEEPCNT, count)


cdef void net_buffers(int fd, uint32_t receive, uint32_t send) noexcept nogil:
    # The kernel doubles each, and cuts it to net.core.rmem_max or wmem_max; 0 leaves it alone.
    if receive:
        net_set(fd, SOL_SOCKET, SO_RCVBUF, <int>receive)
    if send:
        net_set(fd, SOL_SOCKET, SO_SNDBUF, <int>send)


cdef int net_bind_to_device(int fd, const char *name) noexcept nogil:
    # Since Linux 5.7 without a privilege, for a socket's first device.
    return 0 if setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, 16) == 0 else -errno


cdef void net_hide(int fd) noexcept nogil:
    # From here on what this connection sends goes to the loopback device, which passes on nothing to another machine.
    # A socket that is bound to a device already needs CAP_NET_RAW for that: then nothing gets beyond the first router.
    cdef char loopback[16]
    memset(loopback, 0, sizeof(loopback))
    memcpy(loopback, b"lo", 2)
    if net_bind_to_device(fd, loopback) < 0:
        net_set(fd, IPPROTO_IP, IP_TTL, 1)
        net_set(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 1)


cdef void net_set_congestion(int fd, const char *name) noexcept nogil:
    # The plan has asked the kernel for it; what it has unlearnt since is no reason to fail.
    setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, <socklen_t>strlen(name))


cdef int net_sign(int fd, int family, const char *key, uint32_t size) noexcept nogil:
    # linux/tcp.h, struct tcp_md5sig: an address of 128 bytes (any of this family: with a prefix of length 0), flags,
    # the length of the prefix, that of the key in two bytes, an interface, the key. TCP_MD5SIG_EXT is 32, the flag 1.
    cdef uint8_t row[216]
    cdef uint16_t length = <uint16_t>size
    memset(row, 0, sizeof(row))
    (<sockaddr *>row).sa_family = <unsigned short>family
    row[128] = 1
    memcpy(&row[130], &length, 2)
    memcpy(&row[136], key, min(size, 80))
    return 0 if setsockopt(fd, IPPROTO_TCP, 32, row, sizeof(row)) == 0 else -errno


cdef int net_bind(int fd, const sockaddr_storage *address, uint32_t size) noexcept nogil:
    return 0 if bind(fd, <const sockaddr *>address, size) == 0 else -errno


cdef int net_is_local(const sockaddr_storage *address, uint32_t size) noexcept nogil:
    # Whether it is an address of this machine, with port 0: the kernel binds to no other. Negative: it cannot be told.
    cdef int fd = socket(address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0)
    cdef int rc
    if fd == -1:
        return -errno
    rc = net_bind(fd, address, size)
    net_close(fd)
    return rc == 0


cdef void net_finish(int fd) noexcept nogil:
    # It fails when the connection is lost already, which epoll reports by itself.
    shutdown(fd, SHUT_WR)


cdef void net_shut(int fd) noexcept nogil:
    # What has come is still there to be read, and an end behind it; a peer that sends more is reset.
    shutdown(fd, SHUT_RDWR)


cdef void net_close(int fd) noexcept nogil:
    close(fd)


cdef void net_reset(int fd) noexcept nogil:
    # Linger 0: close() sends RST, drops what is unsent and leaves no TIME_WAIT.
    cdef linger hard
    hard.l_onoff = 1
    hard.l_linger = 0
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard))
    close(fd)


cdef int net_pipe(int *fds, int wanted) noexcept nogil:
    # Its size in bytes, which is not always the one wanted (0: any). The kernel gives less than usual to a user whose
    # pipes are over pipe-user-pages-soft.
    cdef int size
    if pipe2(fds, O_NONBLOCK | O_CLOEXEC) == -1:
        return -errno
    if wanted:
        pipe_fcntl(fds[0], F_SETPIPE_SZ, wanted)
    size = pipe_fcntl(fds[0], F_GETPIPE_SZ, 0)
    if size >= 0:
        return size
    size = -errno
    close(fds[0])
    close(fds[1])
    return size


cdef int net_readable_bytes(int fd) noexcept nogil:
    cdef int n = 0
    return n if ioctl(fd, FIONREAD, &n) == 0 else -errno


cdef int net_unacked_bytes(int fd) noexcept nogil:
    cdef int n = 0
    return n if ioctl(fd, SIOCOUTQ, &n) == 0 else -errno


cdef int64_t net_acked_bytes(int fd) noexcept nogil:
    # tcpi_bytes_acked stands 120 bytes into struct tcp_info (Linux 4.2); glibc's header lacks it.
    cdef uint64_t words[16]
    cdef socklen_t size = sizeof(words)
    memset(words, 0, sizeof(words))
    if getsockopt(fd, IPPROTO_TCP, TCP_INFO, words, &size) == -1:
        return -errno
    return <int64_t>words[15]


cdef void net_tcp_state(int fd, tcp_state_t *tcp) noexcept nogil:
    cdef socklen_t size = sizeof(tcp.words)
    tcp.known = 0
    if fd >= 0 and getsockopt(fd, IPPROTO_TCP, TCP_INFO, tcp.words, &size) == 0:
        tcp.known = size / 4


cdef int net_watch(int epoll, int fd, uint32_t events, uint64_t data) noexcept nogil:
    cdef epoll_event event
    event.events = events
    event.data.u64 = data
    return 0 if epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0 else -errno


cdef int net_rewatch(int epoll, int fd, uint32_t events, uint64_t data) noexcept nogil:
    # What is ready already is reported again.
    cdef epoll_event event
    event.events = events
    event.data.u64 = data
    return 0 if epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event) == 0 else -errno


cdef bint net_is_empty(int fd) noexcept nogil:
    # No byte to receive, no FIN, no error.
    cdef uint8_t byte
    return recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == -1 and errno == EAGAIN


cdef uint64_t net_cookie(int fd) noexcept nogil:
    cdef uint64_t cookie = 0
    cdef socklen_t size = sizeof(cookie)
    return cookie if getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size) == 0 else 0


cdef void net_unwatch(int epoll, int fd) noexcept nogil:
    # close() alone does not end the watch while another process holds the same socket.
    cdef epoll_event event
    epoll_ctl(epoll, EPOLL_CTL_DEL, fd, &event)


cdef void net_kick(int eventfd) noexcept nogil:
    cdef uint64_t one = 1
    if eventfd >= 0 and write(eventfd, &one, sizeof(one)) == -1:
        pass  # EAGAIN: the counter is full, so the kick is pending anyway


cdef void net_unkick(int eventfd) noexcept nogil:
    cdef uint64_t count
    if read(eventfd, &count, sizeof(count)) == -1:
        pass  # somebody else has read it


cdef uint64_t net_clock_us(int clock) noexcept nogil:
    cdef timespec now
    clock_gettime(clock, &now)
    return <uint64_t>now.tv_sec * 1000000 + <uint64_t>now.tv_nsec / 1000


cdef bint net_error_is_local(int error) noexcept nogil:
    # Says nothing about the server: our own ports, descriptors or memory ran out.
    return error in (EADDRNOTAVAIL, EADDRINUSE, EAGAIN, EMFILE, ENFILE, ENOMEM, ENOBUFS, EPERM)


cdef bint net_accept_again(int error) noexcept nogil:
    # That one connection was lost before it was accepted; the next one may be fine (accept(2), "Error handling").
    # Not so EPERM: a security policy says it again and again of the same connection, which would cost a whole CPU.
    return error in (
        ECONNABORTED, EPROTO, ENETDOWN, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH)


cdef void address_read(address_t *address, const sockaddr_storage *from_) noexcept nogil:
    cdef const sockaddr_in *v4 = <const sockaddr_in *>from_
    cdef const sockaddr_in6 *v6 = <const sockaddr_in6 *>from_
    memset(address, 0, sizeof(address_t))
    address.family = from_.ss_family
    if from_.ss_family == AF_INET:
        address.port = ntohs(v4.sin_port)
        memcpy(address.bytes, &v4.sin_addr, 4)
    elif from_.ss_family == AF_INET6:
        address.port = ntohs(v6.sin6_port)
        memcpy(address.bytes, &v6.sin6_addr, 16)


cdef void address_write(sockaddr_storage *to, uint16_t family, uint16_t port, const uint8_t *bytes) noexcept nogil:
    cdef sockaddr_in *v4 = <sockaddr_in *>to
    cdef sockaddr_in6 *v6 = <sockaddr_in6 *>to
    memset(to, 0, sizeof(sockaddr_storage))
    to.ss_family = family
    if family == AF_INET:
        v4.sin_port = htons(port)
        memcpy(&v4.sin_addr, bytes, 4)
    elif family == AF_INET6:
        v6.sin6_port = htons(port)
        memcpy(&v6.sin6_addr, bytes, 16)


cdef void net_address(int fd, bint far, address_t *address) noexcept nogil:
    # Of our end of a connection, or of the far one; family 0 where there is none.
    cdef sockaddr_storage end
    cdef socklen_t size = sizeof(end)
    memset(address, 0, sizeof(address_t))
    if (getpeername(fd, <sockaddr *>&end, &size) if far else getsockname(fd, <sockaddr *>&end, &size)) == 0:
        address_read(address, &end)
