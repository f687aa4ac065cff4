/* What master and workers share: the layout of the shared memfd (that of a plan: plan.h).
 *
 * Every word has one kind, and its struct says which:
 *   single-writer  one process stores it, everybody may load it
 *   fetch_add      changed by atomic addition only
 *   mask           one bit for each worker, changed by atomic or/and only
 *   rate           changed by compare-and-swap only, a word that is right by itself (rate.pxi)
 * No lock exists, so no dead process can hold one. All words are 64 bits (or 32) and naturally aligned.
 */
#ifndef FASTLB_LAYOUT_H
#define FASTLB_LAYOUT_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "plan.h"

#define LAYOUT_VERSION 6u
#define SHM_MAGIC 0x666173746c622d73ull /* "fastlb-s" */

#define MAX_WORKERS 64
#define MAX_FRONTENDS 4096
#define MAX_BACKENDS 4096
#define MAX_SERVERS 16384
#define MAX_QUEUES (MAX_BACKENDS + MAX_SERVERS)
#define ARENA_ENTRIES (64u << 20)
#define HISTOGRAM_CELLS 128
#define MAX_CAUSES 32
#define LOG_RING_BYTES (1u << 20)
#define LOG_LINE_BYTES 8192

#define CACHE_LINE _Alignas(64)

/* ---- why a session ended; causes.h has the words ---- */
enum cause {
    CAUSE_NORMAL = 0,
    CAUSE_CLIENT_ABORT = 1,
    CAUSE_SERVER_ABORT = 2,
    CAUSE_CLIENT_TIMEOUT = 3,
    CAUSE_SERVER_TIMEOUT = 4,
    CAUSE_CONNECT_FAILED = 5,
    CAUSE_CONNECT_TIMEOUT = 6,
    CAUSE_CONNECT_CLIENT_TIMEOUT = 7,
    CAUSE_CONNECT_CLIENT_ABORT = 8,
    CAUSE_NO_SERVER = 9,
    CAUSE_QUEUE_TIMEOUT = 10,
    CAUSE_QUEUE_CLIENT_ABORT = 11,
    CAUSE_RESOURCE = 12,
    CAUSE_SHUTDOWN = 13,
    CAUSE_WORKER_LOST = 14, /* counted by the master, for the sessions of a worker that died */
    CAUSE_QUEUE_CLIENT_TIMEOUT = 15,
    CAUSE_QUEUE_NO_SERVER = 16,
    CAUSE_NO_BACKEND = 17,
    CAUSE_RESOURCE_DATA = 18,
    CAUSE_SERVER_DOWN = 19, /* on-marked-down shutdown-sessions */
    CAUSE_SERVER_UP = 20,   /* on-marked-up shutdown-backup-sessions: an active server is back */
    CAUSE_QUEUE_FULL = 21,  /* maxqueue */
    CAUSE_PROXY_HEADER = 22,
    CAUSE_DENIED = 23,      /* by a rule */
    CAUSE_INSPECT_CLIENT_TIMEOUT = 24,
    CAUSE_INSPECT_CLIENT_ABORT = 25,
    CAUSE_DENIED_SESSION = 26, /* by 'tcp-request session' */
    CAUSE_DENIED_RESPONSE = 27, /* by 'tcp-response content' */
    CAUSE_COUNT = 28,
};

/* ---- why a client's PROXY header was refused; the order is that of HEADER_REFUSALS in proxytools.pxi ---- */
enum refusal {
    REFUSED_CLOSED = 0,
    REFUSED_ERROR = 1,
    REFUSED_TIMEOUT = 2,
    REFUSED_TRUNCATED = 3,
    REFUSED_MISSING = 4,
    REFUSED_INVALID = 5,
    REFUSED_PROTOCOL = 6,
    REFUSED_COUNT = 7,
};

/* ---- control region: written by the master, mapped read-only by the workers (single-writer) ---- */
#define SERVER_USABLE 1ull
#define SERVER_UP 2ull /* also with weight 0, when only a rule or an older session leads there */
#define SERVER_WEIGHT_SHIFT 8
#define SERVER_SHOWN_SHIFT 24
#define CUT_ORDER_SHIFT 8

struct server_control {
    /* SERVER_USABLE | SERVER_UP | weight in the schedule << SERVER_WEIGHT_SHIFT | the file's << SERVER_SHOWN_SHIFT */
    uint64_t state;
    uint64_t maxconn;
    uint64_t minconn;  /* below maxconn: the limit follows the load of the backend; 0: it does not */
    uint64_t maxqueue; /* who waits for this very server, 0 = no limit */
    uint64_t cut; /* the last order to end its sessions: cause | number << CUT_ORDER_SHIFT */
    uint64_t before; /* the weights of those before it in the published schedule of its backend */
};

struct frontend_control {
    uint64_t maxconn;
    uint64_t rate; /* sessions a second, 0 = no limit */
};

/* A schedule is `length` slots of servers; a ring has their positions behind them, as uint32 in ascending order. */
#define SCHEDULE_LENGTH 0x0fffffffull
#define SCHEDULE_RING (1ull << 28)

struct backend_control {
    uint64_t schedule; /* offset << 32 | SCHEDULE_RING or not | length; offset into the arena */
    uint64_t weight;   /* of all servers in it */
    uint64_t fullconn; /* sessions at which servers with a minconn get their maxconn; 0: no server has one */
};

struct log_tail {
    CACHE_LINE uint64_t bytes; /* read so far from that worker's ring */
};

struct shm_control {
    uint64_t magic;
    uint64_t version;
    uint64_t total_bytes;
    uint64_t workers; /* rows that may be in use: 0 .. workers-1 */
    uint64_t maxconn; /* of the whole service, 0 = none */
    uint64_t cuts;    /* number of the latest order to end the sessions of some servers */
    uint64_t rates;   /* whether any rate is limited */
    uint64_t connection_rate; /* of the whole service, a second; 0 = no limit */
    uint64_t session_rate;
    CACHE_LINE struct log_tail log_tails[MAX_WORKERS];
    CACHE_LINE struct frontend_control frontends[MAX_FRONTENDS];
    CACHE_LINE struct backend_control backends[MAX_BACKENDS];
    CACHE_LINE struct server_control servers[MAX_SERVERS];
    /* Schedules: slots of servers. A reader checks that the server belongs to its backend in its own plan, so a
     * torn or recycled read can only cost another look, never a wrong destination. */
    CACHE_LINE uint16_t arena[ARENA_ENTRIES];
};

/* ---- shared region: the few words that several workers write ---- */
struct backend_shared {
    CACHE_LINE uint64_t cursor;  /* fetch_add: position in the schedule */
    CACHE_LINE uint64_t tickets; /* fetch_add: order of arrival in the queues; the first ticket is 1 */
    uint64_t waiting;            /* mask: workers that have a session queued here or for a server of it */
};

struct frontend_shared {
    CACHE_LINE uint64_t paused; /* mask: workers that stopped accepting for it */
    uint64_t lines;             /* fetch_add: log lines, where a format counts them */
    uint64_t rate;              /* rate: sessions */
};

struct server_shared { /* where the server line says 'observe' */
    uint32_t errors; /* fetch_add, and 0 again: failed connections since a good one, or a check that passed */
    uint32_t alarms; /* fetch_add: how often they reached error-limit */
};

struct shm_shared {
    CACHE_LINE uint64_t paused; /* mask: workers that stopped accepting for the limit of the service */
    uint64_t sessions; /* fetch_add: sessions of frontends whose log format numbers them */
    uint64_t connection_rate; /* rate */
    uint64_t session_rate;    /* rate */
    uint64_t alarms;          /* fetch_add: those of all servers */
    struct frontend_shared frontends[MAX_FRONTENDS];
    struct backend_shared backends[MAX_BACKENDS];
    struct server_shared servers[MAX_SERVERS];
};

/* ---- one row for each worker: written by that worker alone (single-writer) ---- */
struct frontend_row {
    uint64_t sessions;
    uint64_t sessions_total;
    uint64_t received_bytes_total;
    uint64_t sent_bytes_total;
    uint64_t undelivered_bytes_total;
    uint64_t denied_connections_total; /* by 'tcp-request connection': they never became sessions */
    uint64_t ended_total[MAX_CAUSES];
    uint64_t headers_refused_total[REFUSED_COUNT];
    uint64_t rate; /* of sessions, where a sample asks for it: pace.pxi */
};

struct backend_row {
    uint64_t sessions;
    uint64_t queued;
    uint64_t sessions_total;
    uint64_t queued_total;
    uint64_t retries_total;
    uint64_t redispatches_total;
    uint64_t no_server_total;
    uint64_t ended_total[MAX_CAUSES];
    uint64_t rate;
};

struct server_row {
    uint64_t sessions;
    uint64_t connecting;
    uint64_t queued;
    uint64_t picked_total;
    uint64_t sessions_total;
    uint64_t connect_errors_total;
    uint64_t connect_timeouts_total;
    uint64_t local_errors_total;
    uint64_t retries_total;
    uint64_t redispatches_total;
    uint64_t received_bytes_total;
    uint64_t sent_bytes_total;
    uint64_t undelivered_bytes_total;
    uint64_t connect_us_total;
    uint64_t session_us_total;
    uint64_t queue_us_total;
    uint64_t closed_first_total; /* our FIN was the first: the port is in TIME_WAIT */
    uint64_t last_session_us; /* CLOCK_REALTIME */
    uint64_t ended_total[MAX_CAUSES];
    uint64_t connect_cells[HISTOGRAM_CELLS];
    uint64_t session_cells[HISTOGRAM_CELLS];
    uint64_t rate;
};

struct worker_counters {
    uint64_t pid;
    uint64_t heartbeat_ms; /* CLOCK_MONOTONIC */
    uint64_t generation;
    uint64_t oldest_generation; /* of any session that still lives */
    uint64_t sessions;
    uint64_t sessions_total;
    uint64_t accepts_total;
    uint64_t accept_errors_total;
    uint64_t accept_pauses_total;
    uint64_t pipes;
    uint64_t pipes_idle;
    uint64_t buffers;
    uint64_t bytes_copied_total;
    uint64_t bytes_spliced_total;
    uint64_t log_lines_total;
    uint64_t log_dropped_total;
    uint64_t stale_events_total;
    uint64_t turns_total;
    uint64_t pipes_taken_total;
    uint64_t pipes_returned_total;
    uint64_t local_errors_total;
    uint64_t sessions_closed_total;
    uint64_t connections; /* accepted sockets that are open, in whatever state */
    uint64_t kernel_sessions; /* whose bytes the kernel forwards */
    uint64_t kernel_sessions_total;
    uint64_t bytes_kernel_total;
};

struct worker_row {
    CACHE_LINE struct worker_counters counters;
    CACHE_LINE uint64_t log_head; /* bytes written so far to log_ring */
    /* Compact gauge: connections to a server that count against its maxconn, connecting ones included. */
    CACHE_LINE uint32_t server_load[MAX_SERVERS];
    CACHE_LINE uint64_t queue_heads[MAX_QUEUES]; /* ticket of the first in the queue, 0 = empty */
    CACHE_LINE struct frontend_row frontends[MAX_FRONTENDS];
    CACHE_LINE struct backend_row backends[MAX_BACKENDS];
    CACHE_LINE struct server_row servers[MAX_SERVERS];
    CACHE_LINE uint8_t log_ring[LOG_RING_BYTES];
};

/* A record in the ring: this header, then `size` bytes of text, padded to 8. size 0 = skip to the ring's start.
 * The text's first `data_size` bytes are structured data, for targets in format rfc5424. */
struct log_record {
    uint16_t size;
    uint16_t data_size;
    uint8_t level;
    uint8_t kind;
    uint16_t frontend; /* slot */
    uint64_t time_us;  /* CLOCK_REALTIME */
};
_Static_assert(sizeof(struct log_record) == 16, "log records are 8-byte aligned");
_Static_assert(LOG_RING_BYTES % 16 == 0, "a record header always fits before the ring's end");

#define PAGE 4096ull
#define PAGE_ROUND(n) (((uint64_t)(n) + PAGE - 1) & ~(PAGE - 1))
#define SHM_CONTROL_BYTES PAGE_ROUND(sizeof(struct shm_control))
#define SHM_SHARED_BYTES PAGE_ROUND(sizeof(struct shm_shared))
#define SHM_ROW_BYTES PAGE_ROUND(sizeof(struct worker_row))
#define SHM_WRITABLE_BYTES (SHM_SHARED_BYTES + MAX_WORKERS * SHM_ROW_BYTES)
#define SHM_TOTAL_BYTES (SHM_CONTROL_BYTES + SHM_WRITABLE_BYTES)

/* ---- one direction of a session that the kernel forwards: an entry of a BPF array, mapped by its worker ----
 * The program runs under the lock of the receiving socket, so each half has a single writer. It redirects as long as
 * passed == taken (the worker has sent on all that the program left to it) and cost stays within limit.
 * fastlb/bpf/verdict.py has the same offsets. */
struct kernel_entry {
    CACHE_LINE uint64_t used; /* the program's half: bytes redirected */
    uint64_t cost;            /* what they count against the limit */
    uint64_t passed;          /* bytes left to the worker to receive */
    uint64_t active_ns;       /* CLOCK_MONOTONIC of the last segment, to a few ms */
    uint32_t next_sequence;   /* of TCP, expected next */
    uint32_t broken;          /* a segment could not be cut to fit the stream */
    CACHE_LINE uint64_t limit; /* the worker's half */
    uint64_t soft;            /* at this cost the worker is told */
    uint64_t taken;           /* passed bytes that were received and sent on */
    uint32_t peer;            /* where to redirect to */
};
_Static_assert(sizeof(struct kernel_entry) == 128, "fastlb/bpf/verdict.py");
_Static_assert(offsetof(struct kernel_entry, next_sequence) == 32, "fastlb/bpf/verdict.py");
_Static_assert(offsetof(struct kernel_entry, peer) == 88, "fastlb/bpf/verdict.py");

/* ---- atomics: Cython has none ---- */
static inline uint64_t load_relaxed(const uint64_t *p) { return __atomic_load_n(p, __ATOMIC_RELAXED); }
static inline uint64_t load_acquire(const uint64_t *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
static inline void store_relaxed(uint64_t *p, uint64_t v) { __atomic_store_n(p, v, __ATOMIC_RELAXED); }
static inline void store_release(uint64_t *p, uint64_t v) { __atomic_store_n(p, v, __ATOMIC_RELEASE); }
static inline uint64_t fetch_add(uint64_t *p, uint64_t n) { return __atomic_fetch_add(p, n, __ATOMIC_SEQ_CST); }
static inline uint32_t fetch_add32(uint32_t *p, uint32_t n) { return __atomic_fetch_add(p, n, __ATOMIC_SEQ_CST); }
static inline uint64_t fetch_or(uint64_t *p, uint64_t n) { return __atomic_fetch_or(p, n, __ATOMIC_SEQ_CST); }
static inline uint64_t fetch_and(uint64_t *p, uint64_t n) { return __atomic_fetch_and(p, n, __ATOMIC_SEQ_CST); }
static inline int compare_exchange(uint64_t *p, uint64_t from, uint64_t to)
{
    return __atomic_compare_exchange_n(p, &from, to, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}
static inline void full_fence(void) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
static inline uint32_t load32_relaxed(const uint32_t *p) { return __atomic_load_n(p, __ATOMIC_RELAXED); }
static inline void store32_relaxed(uint32_t *p, uint32_t v) { __atomic_store_n(p, v, __ATOMIC_RELAXED); }

/* A single-writer counter or gauge: its owner adds, readers load. */
static inline void add(uint64_t *p, uint64_t n) { store_relaxed(p, load_relaxed(p) + n); }
static inline void sub(uint64_t *p, uint64_t n) { store_relaxed(p, load_relaxed(p) - n); }

/* HAProxy manual, "minconn": the share of maxconn that the backend's sessions are of fullconn, at least minconn. */
static inline uint64_t dynamic_limit(uint64_t minconn, uint64_t maxconn, uint64_t sessions, uint64_t fullconn)
{
    if (sessions >= fullconn)
        return maxconn;
    uint64_t share = sessions * maxconn / fullconn;
    return share > minconn ? share : minconn;
}

/* ---- schedules: where the positions of a ring begin, and what all of it takes of the arena ---- */
static inline uint64_t schedule_keys_at(uint64_t length) { return (length + 1) & ~1ull; }
static inline uint64_t schedule_entries(uint64_t length, int is_ring)
{
    return is_ring ? schedule_keys_at(length) + 2 * length : length;
}

/* ---- histograms: 4 cells an octave from 16 us up, the first for less, the last for more ---- */
static inline uint32_t histogram_cell(uint64_t us)
{
    if (us < 16)
        return 0;
    uint32_t octave = 63u - (uint32_t)__builtin_clzll(us);
    uint32_t cell = 1 + (octave - 4) * 4 + (uint32_t)((us >> (octave - 2)) & 3);
    return cell < HISTOGRAM_CELLS ? cell : HISTOGRAM_CELLS - 1;
}

static inline uint64_t histogram_bound(uint32_t cell)
{
    if (cell == 0)
        return 16;
    uint32_t octave = 4 + (cell - 1) / 4, quarter = (cell - 1) % 4;
    return (1ull << octave) + ((uint64_t)(quarter + 1) << (octave - 2));
}

#endif
