# The kernel and libc, declared once.
from libc.stdint cimport uint32_t, uint64_t


cdef extern from "<errno.h>" nogil:
    int errno
    enum:
        EAGAIN, EINTR, EINPROGRESS, ECONNRESET, EPIPE, ETIMEDOUT, EADDRNOTAVAIL, EADDRINUSE
        ECONNABORTED, EPROTO, ENETDOWN, EHOSTUNREACH, ENONET, EOPNOTSUPP, ENETUNREACH, ENOPROTOOPT, EHOSTDOWN
        EMFILE, ENFILE, ENOMEM, ENOBUFS, EINVAL, EPERM


cdef extern from "<sys/socket.h>" nogil:
    ctypedef unsigned int socklen_t
    struct sockaddr:
        unsigned short sa_family
    struct sockaddr_storage:
        unsigned short ss_family
    struct linger:
        int l_onoff
        int l_linger
    enum:
        AF_INET, AF_INET6, AF_UNIX
        SOCK_STREAM, SOCK_DGRAM, SOCK_NONBLOCK, SOCK_CLOEXEC
        SOL_SOCKET, SO_ERROR, SO_LINGER, SO_OOBINLINE, SO_KEEPALIVE, SO_RCVLOWAT, SO_COOKIE
        SO_RCVBUF, SO_SNDBUF
        SO_REUSEADDR, SO_BINDTODEVICE
        SHUT_WR, SHUT_RDWR
        MSG_NOSIGNAL, MSG_DONTWAIT, MSG_MORE, MSG_PEEK
    int getsockname(int fd, sockaddr *address, socklen_t *size)
    int getpeername(int fd, sockaddr *address, socklen_t *size)


cdef extern from "<netinet/in.h>" nogil:
    enum:
        IPPROTO_IP, IPPROTO_TCP, IPPROTO_IPV6
        IP_BIND_ADDRESS_NO_PORT, IP_TRANSPARENT, IP_TTL, IP_TOS
        IPV6_UNICAST_HOPS, IPV6_TCLASS
        INET6_ADDRSTRLEN
    struct in_addr:
        uint32_t s_addr
    struct in6_addr:
        unsigned char s6_addr[16]
    struct sockaddr_in:
        unsigned short sin_family
        unsigned short sin_port
        in_addr sin_addr
    struct sockaddr_in6:
        unsigned short sin6_family
        unsigned short sin6_port
        in6_addr sin6_addr
    unsigned short ntohs(unsigned short value)
    unsigned short htons(unsigned short value)
    uint32_t ntohl(uint32_t value)


cdef extern from * nogil:
    """
    #define SO_ORIGINAL_DST 80 /* linux/netfilter_ipv4.h, which does not go with netinet/in.h */
    """
    const int SO_ORIGINAL_DST


cdef extern from "<netinet/tcp.h>" nogil:
    enum:
        TCP_NODELAY, TCP_INFO, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT, TCP_USER_TIMEOUT, TCP_CONGESTION
        TCP_QUICKACK


cdef extern from "<arpa/inet.h>" nogil:
    const char *inet_ntop(int family, const void *address, char *text, socklen_t size)
    int inet_pton(int family, const char *text, void *address)


cdef extern from "<sys/epoll.h>" nogil:
    ctypedef union epoll_data_t:
        uint64_t u64
    struct epoll_event:
        uint32_t events
        epoll_data_t data
    const uint32_t EPOLLIN
    const uint32_t EPOLLOUT
    const uint32_t EPOLLRDHUP
    const uint32_t EPOLLPRI
    const uint32_t EPOLLERR
    const uint32_t EPOLLHUP
    const uint32_t EPOLLET
    const uint32_t EPOLLEXCLUSIVE
    enum:
        EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD
    int epoll_create1(int flags)
    int epoll_wait(int epoll, epoll_event *events, int maximum, int timeout_ms)


cdef extern from "<fcntl.h>" nogil:
    enum:
        O_NONBLOCK, O_CLOEXEC, O_RDONLY
        F_GETPIPE_SZ, F_SETPIPE_SZ, F_ADD_SEALS
        F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_WRITE
        FALLOC_FL_PUNCH_HOLE, FALLOC_FL_KEEP_SIZE
        SPLICE_F_MOVE, SPLICE_F_NONBLOCK
    int fcntl(int fd, int command, ...)
    int fallocate(int fd, int mode, long long offset, long long size)
    int open(const char *path, int flags, ...)


cdef extern from "<unistd.h>" nogil:
    int close(int fd)
    ssize_t read(int fd, void *data, size_t size)
    ssize_t write(int fd, const void *data, size_t size)
    int ftruncate(int fd, long long size)
    int getpid()
    long syscall(long number, ...)


cdef extern from "<sched.h>" nogil:
    int sched_yield()


cdef extern from "<sys/syscall.h>" nogil:
    const long SYS_bpf


cdef extern from "<linux/bpf.h>" nogil:
    enum:
        BPF_MAP_UPDATE_ELEM, BPF_MAP_DELETE_ELEM
        BPF_RINGBUF_BUSY_BIT, BPF_RINGBUF_DISCARD_BIT, BPF_RINGBUF_HDR_SZ


cdef extern from "<sys/ioctl.h>" nogil:
    const unsigned long FIONREAD


cdef extern from "<linux/sockios.h>" nogil:
    const unsigned long SIOCOUTQ


cdef extern from "<sys/mman.h>" nogil:
    void *mmap(void *address, size_t size, int protection, int flags, int fd, long long offset)
    int munmap(void *address, size_t size)
    int madvise(void *address, size_t size, int advice)
    int memfd_create(const char *name, unsigned int flags)
    void *MAP_FAILED
    enum:
        PROT_READ, PROT_WRITE
        MAP_SHARED, MAP_PRIVATE, MAP_ANONYMOUS, MAP_NORESERVE
        MADV_DONTFORK
        MFD_CLOEXEC, MFD_ALLOW_SEALING


cdef extern from "<sys/stat.h>" nogil:
    struct stat_t "stat":
        long long st_size
    int fstat(int fd, stat_t *result)


cdef extern from "<time.h>" nogil:
    struct timespec:
        long tv_sec
        long tv_nsec
    struct tm:
        int tm_sec
        int tm_min
        int tm_hour
        int tm_mday
        int tm_mon
        int tm_year
        long tm_gmtoff
    enum:
        CLOCK_MONOTONIC, CLOCK_REALTIME
    int clock_gettime(int clock, timespec *now)
    tm *localtime_r(const long *seconds, tm *result)
    tm *gmtime_r(const long *seconds, tm *result)
    size_t strftime(char *text, size_t size, const char *format, const tm *date)


cdef extern from "<stdio.h>" nogil:
    int snprintf(char *text, size_t size, const char *format, ...)


# What only net.pxi calls: debug builds can make these fail.
cdef extern from "faults.h" nogil:
    ssize_t recv "call_recv"(int fd, void *data, size_t size, int flags)
    ssize_t send "call_send"(int fd, const void *data, size_t size, int flags)
    ssize_t splice "call_splice"(int source, void *source_at, int sink, void *sink_at, size_t size, unsigned int flags)
    int accept4 "call_accept4"(int fd, sockaddr *address, socklen_t *size, int flags)
    int bind "call_bind"(int fd, const sockaddr *address, socklen_t size)
    int connect "call_connect"(int fd, const sockaddr *address, socklen_t size)
    int socket "call_socket"(int family, int kind, int protocol)
    int setsockopt "call_setsockopt"(int fd, int level, int name, const void *value, socklen_t size)
    int getsockopt "call_getsockopt"(int fd, int level, int name, void *value, socklen_t *size)
    int epoll_ctl "call_epoll_ctl"(int epoll, int operation, int fd, epoll_event *event)
    int pipe2 "call_pipe2"(int *fds, int flags)
    int pipe_fcntl "call_fcntl"(int fd, int command, int value)
    int shutdown "call_shutdown"(int fd, int how)
    int ioctl "call_ioctl"(int fd, unsigned long request, int *value)


cdef extern from "<string.h>" nogil:
    void *memchr(const void *text, int byte, size_t size)
    void *memmem(const void *text, size_t size, const void *part, size_t part_size)
