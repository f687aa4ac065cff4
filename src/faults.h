/*
 * The system calls of the data path, made through call_*(). In debug builds the n-th one of a kind can be made to fail,
 * to move little, or to say EAGAIN: a test fills in `fastlb_faults`, an exported symbol. Other builds have none of it.
 *
 * A fault is only ever what a kernel could do, so that the engine is held to what it promises:
 *  - EAGAIN, and a short recv or send, are followed by a new edge of epoll, as when the peer moves just afterwards
 *  - an error that says that the connection is lost comes with its loss: the socket is disconnected, the peer reset
 *  - a recv is not cut short in front of a FIN: one that has arrived is in the queue with all its data
 *  - what cannot fail on a good descriptor (SO_LINGER, EPOLL_CTL_DEL, close) is neither counted nor failed
 */
#ifndef FASTLB_FAULTS_H
#define FASTLB_FAULTS_H

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef FASTLB_DEBUG

#define call_recv recv
#define call_send send
#define call_splice splice
#define call_accept4 accept4
#define call_bind bind
#define call_connect connect
#define call_socket socket
#define call_setsockopt setsockopt
#define call_getsockopt getsockopt
#define call_epoll_ctl epoll_ctl
#define call_pipe2 pipe2
#define call_fcntl fcntl
#define call_shutdown shutdown
#define call_ioctl ioctl

#else

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>

enum fault_call {
    CALL_RECV, CALL_SEND, CALL_SPLICE, CALL_ACCEPT4, CALL_BIND, CALL_CONNECT, CALL_SOCKET, CALL_SETSOCKOPT,
    CALL_GETSOCKOPT, CALL_EPOLL_CTL, CALL_PIPE2, CALL_FCNTL, CALL_SHUTDOWN, CALL_IOCTL, CALL_KINDS
};

enum fault_mode { FAULT_NONE, FAULT_ERROR, FAULT_ONE_BYTE, FAULT_HALF };

/* tests/engine/engine_faults.py has its mirror. */
struct fastlb_faults {
    uint64_t calls[CALL_KINDS];  /* made so far, the struck one included */
    uint64_t kinds;              /* bit i: calls of kind i count down */
    uint64_t countdown;          /* that call is struck when this comes to 0; 0 for none */
    uint32_t mode;
    int32_t error;               /* errno of FAULT_ERROR */
    uint32_t struck;             /* 1: the fault took place */
    uint32_t spare;
};

_Static_assert(sizeof(struct fastlb_faults) == 8 * (CALL_KINDS + 4), "as its mirror has it");

__attribute__((visibility("default"))) struct fastlb_faults fastlb_faults;

#define FAULT_DESCRIPTORS 1024
static struct { int epoll; struct epoll_event event; } fault_watched[FAULT_DESCRIPTORS];

/* A new edge: epoll reports once more whatever is ready. */
static void fault_edge(int fd)
{
    if (fd >= 0 && fd < FAULT_DESCRIPTORS && fault_watched[fd].epoll)
        epoll_ctl(fault_watched[fd].epoll, EPOLL_CTL_MOD, fd, &fault_watched[fd].event);
}

/* AF_UNSPEC takes a TCP socket's connection away and sends the peer an RST. */
static void fault_disconnect(int fd)
{
    struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    connect(fd, &nobody, sizeof(nobody));
}

static int fault_is_due(enum fault_call call)
{
    struct fastlb_faults *f = &fastlb_faults;
    f->calls[call]++;
    return f->countdown && f->kinds >> call & 1 && --f->countdown == 0;
}

static int fault_error(int fd, int other)
{
    int error = fastlb_faults.error;
    if (error == EAGAIN) {
        fault_edge(fd);
        fault_edge(other);
    }
    if (error == ECONNRESET || error == EPIPE || error == ETIMEDOUT || error == EHOSTUNREACH || error == ENOTCONN) {
        fault_disconnect(fd);
        fault_disconnect(other);
    }
    fastlb_faults.struck = 1;
    errno = error;
    return 1;
}

/* A call that moves no bytes: 1 if it has failed. */
static int fault_fails(enum fault_call call, int fd)
{
    return fault_is_due(call) && fastlb_faults.mode == FAULT_ERROR && fault_error(fd, -1);
}

static size_t fault_available(int source, size_t size)
{
    int n = 0;
    return source >= 0 && ioctl(source, FIONREAD, &n) == 0 && n >= 0 && (size_t)n < size ? (size_t)n : size;
}

/* A call that moves bytes from `fd`, or to it, or both: 1 if it has failed; else `size` may be less now. */
static int fault_moves(enum fault_call call, int fd, int other, int source, size_t *size)
{
    struct pollfd end = {.fd = fd, .events = POLLRDHUP};
    size_t n;
    if (!fault_is_due(call))
        return 0;
    if (fastlb_faults.mode == FAULT_ERROR)
        return fault_error(fd, other);
    n = fault_available(source, *size);
    if (n < 2 || (call == CALL_RECV && poll(&end, 1, 0) == 1))
        return 0;
    *size = fastlb_faults.mode == FAULT_HALF ? n / 2 : 1;
    if (call != CALL_SPLICE)
        fault_edge(fd);
    fastlb_faults.struck = 1;
    return 0;
}

static ssize_t call_recv(int fd, void *data, size_t size, int flags)
{
    return fault_moves(CALL_RECV, fd, -1, fd, &size) ? -1 : recv(fd, data, size, flags);
}

static ssize_t call_send(int fd, const void *data, size_t size, int flags)
{
    return fault_moves(CALL_SEND, fd, -1, -1, &size) ? -1 : send(fd, data, size, flags);
}

static ssize_t call_splice(int source, void *from, int sink, void *to, size_t size, unsigned flags)
{
    return fault_moves(CALL_SPLICE, source, sink, source, &size) ? -1 : splice(source, from, sink, to, size, flags);
}

static int call_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
    return fault_fails(CALL_ACCEPT4, fd) ? -1 : accept4(fd, address, size, flags);
}

static int call_bind(int fd, const struct sockaddr *address, socklen_t size)
{
    return fault_fails(CALL_BIND, fd) ? -1 : bind(fd, address, size);
}

static int call_connect(int fd, const struct sockaddr *address, socklen_t size)
{
    if (!fault_fails(CALL_CONNECT, fd))
        return connect(fd, address, size);
    if (errno == EINTR) {  /* the connect goes on */
        connect(fd, address, size);
        errno = EINTR;
    }
    return -1;
}

static int call_socket(int family, int kind, int protocol)
{
    return fault_fails(CALL_SOCKET, -1) ? -1 : socket(family, kind, protocol);
}

static int call_setsockopt(int fd, int level, int name, const void *value, socklen_t size)
{
    int fails = !(level == SOL_SOCKET && name == SO_LINGER) && fault_fails(CALL_SETSOCKOPT, fd);
    return fails ? -1 : setsockopt(fd, level, name, value, size);
}

static int call_getsockopt(int fd, int level, int name, void *value, socklen_t *size)
{
    return fault_fails(CALL_GETSOCKOPT, fd) ? -1 : getsockopt(fd, level, name, value, size);
}

static int call_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    if (operation == EPOLL_CTL_ADD) {
        if (fault_fails(CALL_EPOLL_CTL, fd))
            return -1;
        if (fd < FAULT_DESCRIPTORS) {
            fault_watched[fd].epoll = event->events & EPOLLET ? epoll : 0;
            fault_watched[fd].event = *event;
        }
    }
    return epoll_ctl(epoll, operation, fd, event);
}

static int call_pipe2(int *fds, int flags)
{
    return fault_fails(CALL_PIPE2, -1) ? -1 : pipe2(fds, flags);
}

/* Short: what a user gets whose pipes have used up pipe-user-pages-soft. */
static int call_fcntl(int fd, int command, int value)
{
    int is_due = fault_is_due(CALL_FCNTL);
    if (is_due && fastlb_faults.mode == FAULT_ERROR)
        return -fault_error(-1, -1);
    if (!is_due || command != F_GETPIPE_SZ)
        return fcntl(fd, command, value);
    fastlb_faults.struck = 1;
    return 8192;
}

static int call_shutdown(int fd, int how)
{
    return fault_fails(CALL_SHUTDOWN, fd) ? -1 : shutdown(fd, how);
}

static int call_ioctl(int fd, unsigned long request, int *value)
{
    return fault_fails(CALL_IOCTL, fd) ? -1 : ioctl(fd, request, value);
}

#endif
#endif
