# The C side of layout.h, declared once. Only the fields that Cython code touches are named.
from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t, uint64_t


cdef extern from "layout.h" nogil:
    const uint32_t LAYOUT_VERSION_C "LAYOUT_VERSION"
    const uint64_t SHM_MAGIC
    enum:
        MAX_WORKERS_C "MAX_WORKERS"
        MAX_FRONTENDS_C "MAX_FRONTENDS"
        MAX_BACKENDS_C "MAX_BACKENDS"
        MAX_SERVERS_C "MAX_SERVERS"
        MAX_CAUSES
        HISTOGRAM_CELLS_C "HISTOGRAM_CELLS"
        LOG_RING_BYTES
        LOG_LINE_BYTES
        SERVER_WEIGHT_SHIFT
        SERVER_SHOWN_SHIFT
        CUT_ORDER_SHIFT
    const uint64_t ARENA_ENTRIES
    const uint64_t SERVER_USABLE
    const uint64_t SERVER_UP
    const uint64_t SCHEDULE_LENGTH
    const uint64_t SCHEDULE_RING
    const uint64_t SHM_CONTROL_BYTES
    const uint64_t SHM_SHARED_BYTES
    const uint64_t SHM_ROW_BYTES
    const uint64_t SHM_TOTAL_BYTES

    enum:
        CAUSE_NORMAL
        CAUSE_CLIENT_ABORT
        CAUSE_SERVER_ABORT
        CAUSE_CLIENT_TIMEOUT
        CAUSE_SERVER_TIMEOUT
        CAUSE_CONNECT_FAILED
        CAUSE_CONNECT_TIMEOUT
        CAUSE_CONNECT_CLIENT_TIMEOUT
        CAUSE_CONNECT_CLIENT_ABORT
        CAUSE_NO_SERVER
        CAUSE_QUEUE_TIMEOUT
        CAUSE_QUEUE_CLIENT_ABORT
        CAUSE_RESOURCE
        CAUSE_SHUTDOWN
        CAUSE_WORKER_LOST
        CAUSE_QUEUE_CLIENT_TIMEOUT
        CAUSE_QUEUE_NO_SERVER
        CAUSE_NO_BACKEND
        CAUSE_RESOURCE_DATA
        CAUSE_SERVER_DOWN
        CAUSE_SERVER_UP
        CAUSE_QUEUE_FULL
        CAUSE_PROXY_HEADER
        CAUSE_DENIED
        CAUSE_INSPECT_CLIENT_TIMEOUT
        CAUSE_INSPECT_CLIENT_ABORT
        CAUSE_DENIED_SESSION
        CAUSE_DENIED_RESPONSE
        CAUSE_COUNT

    enum:
        REFUSED_CLOSED
        REFUSED_ERROR
        REFUSED_TIMEOUT
        REFUSED_TRUNCATED
        REFUSED_MISSING
        REFUSED_INVALID
        REFUSED_PROTOCOL
        REFUSED_COUNT

    ctypedef struct server_control "struct server_control":
        uint64_t state
        uint64_t maxconn
        uint64_t minconn
        uint64_t maxqueue
        uint64_t cut
        uint64_t before

    ctypedef struct frontend_control "struct frontend_control":
        uint64_t maxconn
        uint64_t rate

    ctypedef struct backend_control "struct backend_control":
        uint64_t schedule
        uint64_t fullconn
        uint64_t weight

    ctypedef struct log_tail "struct log_tail":
        uint64_t bytes

    ctypedef struct shm_control "struct shm_control":
        uint64_t magic
        uint64_t version
        uint64_t total_bytes
        uint64_t workers
        uint64_t maxconn
        uint64_t cuts
        uint64_t rates
        uint64_t connection_rate
        uint64_t session_rate
        log_tail *log_tails
        frontend_control *frontends
        backend_control *backends
        server_control *servers
        uint16_t *arena

    ctypedef struct backend_shared "struct backend_shared":
        uint64_t cursor
        uint64_t tickets
        uint64_t waiting

    ctypedef struct frontend_shared "struct frontend_shared":
        uint64_t paused
        uint64_t lines
        uint64_t rate

    ctypedef struct server_shared "struct server_shared":
        uint32_t errors
        uint32_t alarms

    ctypedef struct shm_shared "struct shm_shared":
        uint64_t paused
        uint64_t sessions
        uint64_t connection_rate
        uint64_t session_rate
        uint64_t alarms
        frontend_shared *frontends
        backend_shared *backends
        server_shared *servers

    ctypedef struct frontend_row "struct frontend_row":
        uint64_t sessions
        uint64_t sessions_total
        uint64_t received_bytes_total
        uint64_t sent_bytes_total
        uint64_t undelivered_bytes_total
        uint64_t denied_connections_total
        uint64_t *ended_total
        uint64_t *headers_refused_total
        uint64_t rate

    ctypedef struct backend_row "struct backend_row":
        uint64_t sessions
        uint64_t queued
        uint64_t sessions_total
        uint64_t queued_total
        uint64_t retries_total
        uint64_t redispatches_total
        uint64_t no_server_total
        uint64_t *ended_total
        uint64_t rate

    ctypedef struct server_row "struct server_row":
        uint64_t sessions
        uint64_t connecting
        uint64_t queued
        uint64_t picked_total
        uint64_t sessions_total
        uint64_t connect_errors_total
        uint64_t connect_timeouts_total
        uint64_t local_errors_total
        uint64_t retries_total
        uint64_t redispatches_total
        uint64_t received_bytes_total
        uint64_t sent_bytes_total
        uint64_t undelivered_bytes_total
        uint64_t connect_us_total
        uint64_t session_us_total
        uint64_t queue_us_total
        uint64_t closed_first_total
        uint64_t last_session_us
        uint64_t *ended_total
        uint64_t *connect_cells
        uint64_t *session_cells
        uint64_t rate

    ctypedef struct worker_counters "struct worker_counters":
        uint64_t pid
        uint64_t heartbeat_ms
        uint64_t generation
        uint64_t oldest_generation
        uint64_t sessions
        uint64_t sessions_total
        uint64_t accepts_total
        uint64_t accept_errors_total
        uint64_t accept_pauses_total
        uint64_t pipes
        uint64_t pipes_idle
        uint64_t buffers
        uint64_t bytes_copied_total
        uint64_t bytes_spliced_total
        uint64_t log_lines_total
        uint64_t log_dropped_total
        uint64_t stale_events_total
        uint64_t turns_total
        uint64_t pipes_taken_total
        uint64_t pipes_returned_total
        uint64_t local_errors_total
        uint64_t sessions_closed_total
        uint64_t connections
        uint64_t kernel_sessions
        uint64_t kernel_sessions_total
        uint64_t bytes_kernel_total

    ctypedef struct worker_row "struct worker_row":
        worker_counters counters
        uint64_t log_head
        uint32_t *server_load
        uint64_t *queue_heads
        frontend_row *frontends
        backend_row *backends
        server_row *servers
        uint8_t *log_ring

    ctypedef struct log_record "struct log_record":
        uint16_t size
        uint16_t data_size
        uint8_t level
        uint8_t kind
        uint16_t frontend
        uint64_t time_us

    ctypedef struct kernel_entry "struct kernel_entry":
        uint64_t used
        uint64_t cost
        uint64_t passed
        uint64_t active_ns
        uint32_t next_sequence
        uint32_t broken
        uint64_t limit
        uint64_t soft
        uint64_t taken
        uint32_t peer

    uint64_t load_relaxed(const uint64_t *p)
    uint64_t load_acquire(const uint64_t *p)
    void store_relaxed(uint64_t *p, uint64_t v)
    void store_release(uint64_t *p, uint64_t v)
    uint64_t fetch_add(uint64_t *p, uint64_t n)
    uint32_t fetch_add32(uint32_t *p, uint32_t n)
    uint64_t fetch_or(uint64_t *p, uint64_t n)
    uint64_t fetch_and(uint64_t *p, uint64_t n)
    bint compare_exchange(uint64_t *p, uint64_t from_, uint64_t to)
    void full_fence()
    uint32_t load32_relaxed(const uint32_t *p)
    void store32_relaxed(uint32_t *p, uint32_t v)
    void add(uint64_t *p, uint64_t n)
    void sub(uint64_t *p, uint64_t n)
    uint64_t dynamic_limit(uint64_t minconn, uint64_t maxconn, uint64_t sessions, uint64_t fullconn)
    uint64_t schedule_keys_at(uint64_t length)
    uint64_t schedule_entries(uint64_t length, bint is_ring)
    uint32_t histogram_cell(uint64_t us)
    uint64_t histogram_bound(uint32_t cell)


cdef extern from "causes.h" nogil:
    ctypedef struct cause_text "struct cause_text":
        const char *word
        const char *code
        const char *meaning

    const cause_text *CAUSE_TEXTS
