/* The floor: a proxy that makes the system calls which moving the bytes takes, and nothing else. No timeouts, counters,
 * logs, choice of a server, or answer to a failure: what a balancer costs above it is the price of being one.
 *
 *     floor PORT TARGET [PORT TARGET]...     (all on 127.0.0.1)
 *
 * It moves bytes by fastlb's rules: one recv() of up to 64 KiB and one send(), splice() through a pipe after a full
 * read and until three small ones in a row, a short read means that there is nothing more. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS 256
#define COPY_BYTES 65536
#define PIPE_BYTES 131072
#define SPLICE_BYTES 262144
#define SMALL_BYTES 16384
#define SMALL_IN_A_ROW 3

typedef struct end {
    int fd;
    int target;       /* a listener's; 0 for the end of a session */
    struct end *far;
    int pipe[2];      /* made when first needed */
    size_t pending;   /* in the pipe, on its way to the far end */
    char *kept;       /* what a partial send left */
    size_t at, left;
    int small;
    bool bulk, fin, ended;
} end_t;

static char buffer[COPY_BYTES];
static end_t *finished;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static struct sockaddr_in address(int port) {
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return here;
}

static end_t *watched(int epoll, int fd, unsigned events) {
    end_t *end = calloc(1, sizeof(end_t));
    struct epoll_event event = {.events = events, .data.ptr = end};
    if (end == NULL)
        fail("calloc");
    end->fd = fd;
    end->pipe[0] = -1;
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        fail("epoll_ctl");
    return end;
}

static void listen_at(int epoll, int port, int target) {
    struct sockaddr_in here = address(port);
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&here, sizeof here) < 0 || listen(fd, 4096) < 0)
        fail("listen");
    watched(epoll, fd, EPOLLIN)->target = target;
}

static void begin(int epoll, end_t *listener) {
    struct sockaddr_in there = address(listener->target);
    unsigned events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    int one = 1, near = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK);
    if (near < 0)
        return;
    int far = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(near, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(far, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(far, (struct sockaddr *)&there, sizeof there) < 0 && errno != EINPROGRESS)
        fail("connect");
    end_t *client = watched(epoll, near, events), *server = watched(epoll, far, events);
    client->far = server;
    server->far = client;
}

/* Both ends close as soon as one of them ends; they are freed after the turn, which may name them again. */
static void finish(end_t *end) {
    end_t *far = end->far;
    if (end->ended)
        return;
    end->ended = far->ended = true;
    close(end->fd);
    close(far->fd);
    end->far = finished;
    far->far = end;
    finished = far;
}

static void forget_finished(void) {
    while (finished) {
        end_t *end = finished;
        finished = end->far;
        if (end->pipe[0] >= 0) {
            close(end->pipe[0]);
            close(end->pipe[1]);
        }
        free(end->kept);
        free(end);
    }
}

static bool flushed(end_t *from) {
    while (from->pending) {
        ssize_t n = splice(from->pipe[0], NULL, from->far->fd, NULL, from->pending, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
        if (n <= 0)
            return false;
        from->pending -= (size_t)n;
    }
    while (from->left) {
        ssize_t n = send(from->far->fd, from->kept + from->at, from->left, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        from->at += (size_t)n;
        from->left -= (size_t)n;
    }
    return true;
}

static void keep(end_t *from, size_t sent, size_t size) {
    if (from->kept == NULL && (from->kept = malloc(COPY_BYTES)) == NULL)
        fail("malloc");
    memcpy(from->kept, buffer + sent, size - sent);
    from->at = 0;
    from->left = size - sent;
}

static ssize_t spliced(end_t *from) {
    if (from->pipe[0] < 0) {
        if (pipe2(from->pipe, O_NONBLOCK) < 0)
            fail("pipe2");
        fcntl(from->pipe[1], F_SETPIPE_SZ, PIPE_BYTES);
    }
    ssize_t n = splice(from->fd, NULL, from->pipe[1], NULL, SPLICE_BYTES, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
    if (n > 0) {
        from->pending = (size_t)n;
        from->small = n < SMALL_BYTES ? from->small + 1 : 0;
        from->bulk = from->small < SMALL_IN_A_ROW;
    }
    return n;
}

static void pump(end_t *from) {
    while (flushed(from)) {
        if (from->bulk) {
            ssize_t n = spliced(from);
            if (n > 0)
                continue;
            if (n == 0)
                finish(from);
            return;
        }
        ssize_t n = recv(from->fd, buffer, COPY_BYTES, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN))
            finish(from);
        if (n <= 0)
            return;
        ssize_t sent = send(from->far->fd, buffer, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < n)
            keep(from, sent > 0 ? (size_t)sent : 0, (size_t)n);
        if (n < COPY_BYTES) {
            if (from->fin && from->left == 0)
                finish(from);
            return;
        }
        from->bulk = true;
        from->small = 0;
    }
}

static void serve(int epoll, struct epoll_event *event) {
    end_t *end = event->data.ptr;
    if (end->target) {
        begin(epoll, end);
        return;
    }
    if (event->events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        end->fin = true;
    if (!end->ended && event->events & EPOLLOUT && (end->far->pending || end->far->left))
        pump(end->far);
    if (!end->ended && event->events & EPOLLIN)
        pump(end);
}

int main(int argc, char **argv) {
    struct epoll_event events[EVENTS];
    int epoll = epoll_create1(0);
    for (int i = 1; i + 1 < argc; i += 2)
        listen_at(epoll, atoi(argv[i]), atoi(argv[i + 1]));
    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++)
            serve(epoll, &events[i]);
        forget_finished();
    }
}
