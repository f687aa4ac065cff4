/* An open-loop HTTP client: requests are due on a fixed schedule, whether or not earlier ones have been answered, and
 * latency counts from the moment a request was due. A closed-loop client (wrk) sends less while the server is slow, and
 * so leaves out the very requests that would have waited: coordinated omission.
 *
 *     openloop PORT PATH RATE CONNECTIONS WARMUP_SECONDS SECONDS     (to 127.0.0.1; one line of JSON on stdout)
 *
 * Each connection carries one request at a time. A request that is due while all are busy waits for the first one that
 * becomes free: that wait is the server's and part of the latency. What the client itself adds is told apart as its lag:
 * from the moment when a request was due and a connection was free to the moment it was sent. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS 1000000000ull
#define GRACE_NS (2 * SECOND_NS) /* after the last due time, for what is still on its way */
#define EVENTS 256
#define HEAD_BYTES 4096

/* Log-linear: 64 cells for each power of two, so that a value is known to better than 1 %. */
#define CELLS_BITS 6
#define CELLS (1u << CELLS_BITS)
#define OCTAVES 40

typedef struct {
    uint64_t cells[OCTAVES * CELLS];
    uint64_t count, max_ns;
} histogram;

typedef struct {
    int fd;
    bool busy;
    uint64_t due_ns;  /* of the request under way */
    uint64_t free_ns; /* since when it has none */
    uint64_t body;    /* bytes of the answer's body that are still to come; only when the head is complete */
    uint32_t have;    /* bytes of the head so far; HEAD_BYTES when it is complete */
    char head[HEAD_BYTES + 1];
} connection;

typedef struct {
    uint64_t start_ns, interval_ns, measured_from_ns, end_ns;
    uint64_t total, sent, answered, waited, errors;
    connection *all;
    uint32_t connections, alive, busy;
    int timer;
    bool realtime;
    uint32_t *free_ring, free_first, free_count; /* in turn, so that every connection has its share */
    char request[512];
    size_t request_bytes;
    histogram latency, lag;
} client;

static void die(const char *format, ...) {
    va_list values;
    va_start(values, format);
    vfprintf(stderr, format, values);
    va_end(values);
    fputc('\n', stderr);
    exit(1);
}

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

static void histogram_add(histogram *h, uint64_t ns) {
    uint32_t exponent = ns < CELLS ? 0 : 63 - (uint32_t)__builtin_clzll(ns) - CELLS_BITS;
    uint64_t cell = (uint64_t)exponent * CELLS + (ns >> exponent);
    if (cell >= OCTAVES * CELLS) cell = OCTAVES * CELLS - 1;
    h->cells[cell]++;
    h->count++;
    if (ns > h->max_ns) h->max_ns = ns;
}

static uint64_t cell_middle_ns(uint64_t cell) {
    uint64_t exponent = cell < 2 * CELLS ? 0 : cell / CELLS - 1;
    return ((cell - exponent * CELLS) << exponent) + ((1ull << exponent) >> 1);
}

static void histogram_print(const char *name, const histogram *h) {
    const char *comma = "";
    printf(", \"%s\": {\"max_ns\": %llu, \"cells\": [", name, (unsigned long long)h->max_ns);
    for (uint64_t cell = 0; cell < OCTAVES * CELLS; cell++) {
        if (!h->cells[cell]) continue;
        printf("%s[%llu, %llu]", comma, (unsigned long long)cell_middle_ns(cell), (unsigned long long)h->cells[cell]);
        comma = ", ";
    }
    printf("]}");
}

static void give_free(client *c, uint32_t index) {
    c->free_ring[(c->free_first + c->free_count++) % c->connections] = index;
}

static uint32_t take_free(client *c) {
    uint32_t index = c->free_ring[c->free_first];
    c->free_first = (c->free_first + 1) % c->connections;
    c->free_count--;
    return index;
}

static void open_connections(client *c, uint16_t port, int poller) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (uint32_t i = 0; i < c->connections; i++) {
        int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.u64 = i};
        if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to)) die("connection %u: %s", i, strerror(errno));
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event)) die("epoll: %s", strerror(errno));
        c->all[i].fd = fd;
        give_free(c, i);
    }
    c->alive = c->connections;
}

/* A connection that failed is not opened again: a run with errors is no measurement. */
static void lose(client *c, connection *one) {
    c->errors++;
    c->alive--;
    c->busy -= one->busy;
    close(one->fd);
    one->fd = -1;
    one->busy = false;
}

static void send_due(client *c, uint64_t due_ns) {
    connection *one = &c->all[take_free(c)];
    if (one->fd < 0) return; /* its request is among those never sent */
    uint64_t now = now_ns(), ready_ns = one->free_ns > due_ns ? one->free_ns : due_ns;
    one->busy = true;
    c->busy++;
    one->due_ns = due_ns;
    one->have = 0;
    if (send(one->fd, c->request, c->request_bytes, MSG_NOSIGNAL) != (ssize_t)c->request_bytes) {
        lose(c, one);
        return;
    }
    c->sent++;
    c->waited += one->free_ns > due_ns;
    if (due_ns >= c->measured_from_ns) histogram_add(&c->lag, now - ready_ns);
}

static void answer_complete(client *c, connection *one, uint32_t index) {
    uint64_t now = now_ns();
    one->busy = false;
    c->busy--;
    one->free_ns = now;
    c->answered++;
    if (one->due_ns >= c->measured_from_ns) histogram_add(&c->latency, now - one->due_ns);
    give_free(c, index);
}

/* Returns how many of these bytes belong to the body, or -1 when this is no good answer. */
static ssize_t head_bytes(connection *one, const char *bytes, size_t count) {
    size_t room = HEAD_BYTES - one->have, taken = count < room ? count : room, before = one->have;
    memcpy(one->head + before, bytes, taken);
    one->have += (uint32_t)taken;
    one->head[one->have] = 0;
    char *end = strstr(one->head, "\r\n\r\n");
    if (!end) return one->have == HEAD_BYTES ? -1 : 0;
    char *length = strcasestr(one->head, "\r\ncontent-length:");
    if (strncmp(one->head, "HTTP/1.1 200", 12) || !length || length > end) return -1;
    one->body = strtoull(length + 17, NULL, 10);
    one->have = HEAD_BYTES;
    return (ssize_t)(count - ((size_t)(end + 4 - one->head) - before));
}

static void receive(client *c, uint32_t index) {
    static char buffer[256 << 10];
    connection *one = &c->all[index];
    if (one->fd < 0) return;
    ssize_t got = recv(one->fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) return;
    if (got > 0 && one->busy && one->have < HEAD_BYTES) {
        got = head_bytes(one, buffer, (size_t)got);
        if (got >= 0 && one->have < HEAD_BYTES) return;
    } else if (got == 0) {
        got = -1;
    }
    if (got < 0 || !one->busy || (uint64_t)got > one->body) {
        lose(c, one);
        return;
    }
    one->body -= (uint64_t)got;
    if (one->body == 0) answer_complete(c, one, index);
}

/* Expires at every due time. The kernel does not start the next interval before somebody has read the last expiry. */
static void arm_schedule(client *c, int poller) {
    int fd = c->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    struct itimerspec when = {
        .it_value = {(time_t)(c->start_ns / SECOND_NS), (long)(c->start_ns % SECOND_NS)},
        .it_interval = {(time_t)(c->interval_ns / SECOND_NS), (long)(c->interval_ns % SECOND_NS)},
    };
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = UINT64_MAX};
    if (fd < 0 || timerfd_settime(fd, TFD_TIMER_ABSTIME, &when, NULL) || epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event))
        die("timer: %s", strerror(errno));
}

/* Where client and server share a CPU, the client must not wait for the server's time slice to end. As root only. */
static bool take_precedence(void) {
    struct sched_param lowest = {.sched_priority = sched_get_priority_min(SCHED_FIFO)};
    return sched_setscheduler(0, SCHED_FIFO, &lowest) == 0;
}

static void run(client *c, int poller) {
    struct epoll_event events[EVENTS];
    uint64_t next = 0;
    while (c->alive && now_ns() < c->end_ns + GRACE_NS) {
        /* Nothing is sent after the end: what had to wait until then counts as never sent. */
        while (next < c->total && c->free_count) {
            uint64_t due_ns = c->start_ns + next * c->interval_ns, now = now_ns();
            if (due_ns > now || now >= c->end_ns) break;
            next++;
            send_due(c, due_ns);
        }
        if (!c->busy && (next == c->total || now_ns() >= c->end_ns)) break;
        int ready = epoll_wait(poller, events, EVENTS, 100);
        for (int i = 0; i < ready; i++) {
            uint64_t expiries;
            if (events[i].data.u64 != UINT64_MAX)
                receive(c, (uint32_t)events[i].data.u64);
            else if (read(c->timer, &expiries, sizeof expiries) < 0 && errno != EAGAIN)
                die("timer: %s", strerror(errno));
        }
    }
}

static void report(const client *c) {
    printf("{\"scheduled\": %llu, \"sent\": %llu, \"answered\": %llu, \"unanswered\": %llu, \"waited\": %llu, "
           "\"errors\": %llu, \"realtime\": %s",
           (unsigned long long)c->total, (unsigned long long)c->sent, (unsigned long long)c->answered,
           (unsigned long long)c->busy, (unsigned long long)c->waited, (unsigned long long)c->errors,
           c->realtime ? "true" : "false");
    histogram_print("latency", &c->latency);
    histogram_print("lag", &c->lag);
    printf("}\n");
}

int main(int argc, char **argv) {
    if (argc != 7) die("usage: openloop PORT PATH RATE CONNECTIONS WARMUP_SECONDS SECONDS");
    static client c;
    double rate = atof(argv[3]), warmup = atof(argv[5]), seconds = atof(argv[6]);
    c.connections = (uint32_t)atoi(argv[4]);
    if (rate < 1 || c.connections < 1 || warmup < 0 || seconds <= 0) die("rate, connections and seconds: more than 0");
    c.all = calloc(c.connections, sizeof *c.all);
    c.free_ring = calloc(c.connections, sizeof *c.free_ring);
    c.request_bytes = (size_t)snprintf(c.request, sizeof c.request, "GET %s HTTP/1.1\r\nHost: bench\r\n\r\n", argv[2]);
    int poller = epoll_create1(EPOLL_CLOEXEC);
    if (!c.all || !c.free_ring || c.request_bytes >= sizeof c.request || poller < 0) die("cannot start");
    open_connections(&c, (uint16_t)atoi(argv[1]), poller);
    c.realtime = take_precedence();
    c.interval_ns = (uint64_t)((double)SECOND_NS / rate);
    c.total = (uint64_t)((warmup + seconds) * (double)SECOND_NS) / c.interval_ns;
    c.start_ns = now_ns() + 10000000;
    c.measured_from_ns = c.start_ns + (uint64_t)(warmup * (double)SECOND_NS);
    c.end_ns = c.start_ns + c.total * c.interval_ns;
    arm_schedule(&c, poller);
    run(&c, poller);
    report(&c);
    return 0;
}
