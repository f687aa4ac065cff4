# The compiled engine. Python objects exist only in the last eight files (the master's side and the
# Engine class); everything else runs without the GIL.
# Included bottom-up: each file uses what stands above it, and session_close() and its like by name.
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, qsort, realloc, strtoll
from libc.string cimport memchr, memcmp, memcpy, memmove, memset, strchr, strcmp, strlen, strncmp

from layout cimport *
from linux cimport *
from plan cimport *
from rules cimport *
from session cimport *
from table cimport *


cdef extern from *:
    """
    #include <assert.h>
    #include <malloc.h>
    #include <string.h>
    #include <sys/ioctl.h>
    #ifdef FASTLB_DEBUG
    static int debug_is_empty(int pipe) { int n = 0; return ioctl(pipe, FIONREAD, &n) != 0 || n == 0; }
    #define debug_poison(p, n) memset((p), 0xA5, (n))
    #else
    #define debug_is_empty(pipe) 1
    #define debug_poison(p, n) ((void)0)
    #endif
    #define debug_assert(x) assert(x)
    #define count_trailing_zeros(x) __builtin_ctzll(x)
    #define byte_swap(x) __builtin_bswap64(x)
    #if defined(__x86_64__)
    #define cpu_relax() __builtin_ia32_pause()
    #elif defined(__aarch64__)
    #define cpu_relax() __asm__ __volatile__("yield")
    #else
    #define cpu_relax() ((void)0)
    #endif
    #if defined(__SANITIZE_ADDRESS__)
    #define BUILD_NAME "asan"
    #elif defined(FASTLB_DEBUG)
    #define BUILD_NAME "debug"
    #else
    #define BUILD_NAME "release"
    #endif
    """
    const char *BUILD_NAME
    bint debug_is_empty(int pipe) noexcept nogil
    void debug_poison(void *p, size_t n) noexcept nogil
    void debug_assert(bint condition) noexcept nogil
    int count_trailing_zeros(uint64_t x) noexcept nogil
    uint64_t byte_swap(uint64_t x) noexcept nogil
    void cpu_relax() noexcept nogil
    size_t malloc_usable_size(void *p) noexcept nogil


cdef extern from "debug.h":
    void debug_start(uint32_t worker) noexcept nogil
    int debug_mover(int mover) noexcept nogil


cdef enum:
    SOURCE_TRIES = 256
    PIPES_IDLE_LIMIT = 64
    PIPES_LARGE = 32
    PIPE_LARGE_BYTES = 131072
    SPLICE_SMALL_BYTES = 16384
    SMALL_SPLICES_TO_COPY = 3
    RETRY_PAUSE_MS = 1000
    KEEPALIVE_AFTER_MS = 250
    LIMIT_PAUSE_MS = 50
    CUT_BATCH = 256
    RESOURCE_PAUSE_MS = 100
    PAGE_BYTES = 4096
    KERNEL_TURNS = 12
    KERNEL_TURNS_AGAIN = 3
    KERNEL_SMALL_BYTES = 4096
    KERNEL_HOLD = 8
    KERNEL_CREDIT = 262144
    KERNEL_OVERHEAD = 512
    KERNEL_LOOK_MS = 1000
    KERNEL_SPINS = 16
    KERNEL_LOOKS = KERNEL_SPINS + 12
    LINGER_FIRST_MS = 10
    LINGER_LAST_MS = 640
    HEARTBEAT_MS = 500
    LOG_FLUSH_MS = 20
    RETRIES_LIMIT = 100
    PRIORITY_CLASSES = 2047
    PRIORITY_OFFSETS = 524287
    LOG_SILENT = 9
    INTERLEAVE_LIMIT = 64 << 20
    RING_NODES = 16
    RING_LIMIT = 1 << 20
    SHAPE_SPREAD = 0
    SHAPE_INTERLEAVED = 1
    SHAPE_RING = 2
    SHAPE_MAGLEV = 3
    NO_SLOT = 0xffff
    RUN_IS_CONTROL = 1
    RUN_IS_DRAINED = 2
    RUN_IS_TIMEOUT = 3

cdef uint64_t NEVER = ~<uint64_t>0
cdef uint64_t SESSION_BYTES = sizeof(session_t) + sizeof(cold_t) + sizeof(header_t)
cdef uint64_t EVENT_KIND = <uint64_t>3 << 62
cdef uint64_t EVENT_SESSION = 0
cdef uint64_t EVENT_LISTENER = <uint64_t>1 << 62
cdef uint64_t EVENT_CONTROL = <uint64_t>2 << 62
cdef uint64_t EVENT_KICK = <uint64_t>3 << 62
cdef uint64_t EVENT_RING = EVENT_KICK | 1
cdef uint32_t SESSION_EVENTS = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET


cdef inline worker_row *worker_row_at(worker_t *w, uint64_t number) noexcept nogil:
    return <worker_row *>(w.rows + number * SHM_ROW_BYTES)


include "net.pxi"
include "pipe.pxi"
include "timer.pxi"
include "balance.pxi"
include "random.pxi"
include "hashes.pxi"
include "hashing.pxi"
include "queue.pxi"
include "relay.pxi"
include "promote.pxi"
include "kernel.pxi"
include "plan.pxi"
include "line.pxi"
include "log.pxi"
include "tls_hello.pxi"
include "regex.pxi"
include "match.pxi"
include "value.pxi"
include "digest.pxi"
include "encode.pxi"
include "sha.pxi"
include "json.pxi"
include "mqtt.pxi"
include "fix.pxi"
include "rdp.pxi"
include "argument.pxi"
include "convert.pxi"
include "dates.pxi"
include "table.pxi"
include "tabledata.pxi"
include "tablesample.pxi"
include "tcp.pxi"
include "moment.pxi"
include "surroundings.pxi"
include "sample.pxi"
include "vars.pxi"
include "act.pxi"
include "rules.pxi"
include "inspect.pxi"
include "answer.pxi"
include "track.pxi"
include "stick.pxi"
include "session.pxi"
include "source.pxi"
include "proxyheader.pxi"
include "proxyparse.pxi"
include "fields.pxi"
include "handshake.pxi"
include "observe.pxi"
include "connect.pxi"
include "close.pxi"
include "cut.pxi"
include "rate.pxi"
include "pace.pxi"
include "listen.pxi"
include "loop.pxi"
include "compile.pxi"
include "proxytools.pxi"
include "schedule.pxi"
include "ring.pxi"
include "maglev.pxi"
include "publish.pxi"
include "memory.pxi"
include "views.pxi"
include "tableview.pxi"
include "worker.pxi"
include "judge.pxi"
include "alarms.pxi"
