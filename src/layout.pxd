# The C side of layout.h, declared once. Only the fields that Cython code touches are named.
from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t, uint64_t

from rules cimport rule_set


cdef extern from "layout.h" nogil:
    const uint32_t LAYOUT_VERSION_C "LAYOUT_VERSION"
    const uint64_t SHM_MAGIC
    const uint64_t PLAN_MAGIC
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
        CUT_ORDER_SHIFT
    const uint64_t ARENA_ENTRIES
    const uint64_t SERVER_USABLE
    const uint64_t SERVER_UP
    const uint32_t FRONTEND_KERNEL_SPLICE
    const uint32_t FRONTEND_CONNECTION_RULES
    const uint32_t FRONTEND_RULES
    const uint32_t BACKEND_KERNEL_SPLICE
    const uint32_t SERVER_SOURCE
    const uint32_t SERVER_USER_TIMEOUT
    const uint32_t SERVER_CLIENTS_ADDRESS
    const uint32_t SERVER_CLIENTS_PORT
    const uint32_t BACKEND_ALL_BACKUPS
    const uint32_t NO_INDEX
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
        CAUSE_DENIED
        CAUSE_INSPECT_CLIENT_TIMEOUT
        CAUSE_INSPECT_CLIENT_ABORT
        CAUSE_COUNT

    enum:
        PIECE_TEXT
        PIECE_CLIENT_IP
        PIECE_CLIENT_PORT
        PIECE_FRONTEND_IP
        PIECE_FRONTEND_PORT
        PIECE_BACKEND_IP
        PIECE_BACKEND_PORT
        PIECE_SERVER_IP
        PIECE_SERVER_PORT
        PIECE_BACKEND
        PIECE_SERVER
        PIECE_SERVER_NAME
        PIECE_STATE
        PIECE_REASON
        PIECE_DATE
        PIECE_DATE_GMT
        PIECE_DATE_LOCAL
        PIECE_TIMESTAMP
        PIECE_MILLISECONDS
        PIECE_NOW_S
        PIECE_NOW_MS
        PIECE_NOW_US
        PIECE_QUEUE_MS
        PIECE_CONNECT_MS
        PIECE_DATA_MS
        PIECE_TOTAL_MS
        PIECE_BYTES_DOWN
        PIECE_BYTES_UP
        PIECE_PROCESS_SESSIONS
        PIECE_FRONTEND_SESSIONS
        PIECE_BACKEND_SESSIONS
        PIECE_SERVER_SESSIONS
        PIECE_RETRIES
        PIECE_SERVER_QUEUE
        PIECE_BACKEND_QUEUE
        PIECE_PID
        PIECE_LINE_NUMBER
        PIECE_SESSION_NUMBER

    const uint32_t PIECE_QUOTE
    const uint32_t PIECE_HEX
    const uint32_t PIECE_ESCAPE
    const uint32_t PIECE_DASH
    const uint32_t PIECE_SAMPLE
    const uint32_t LOG_AT_ACCEPT
    const uint32_t LOG_AT_CONNECT
    const uint32_t LOG_AT_END
    const uint32_t LOG_NOT_NULL
    const uint32_t LOG_NOT_NORMAL
    const uint32_t LOG_ERRORS_APART
    const uint32_t LOG_ADDRESSES
    const uint32_t LOG_NUMBERED
    const uint32_t LOG_COUNTED

    enum:
        BALANCE_ROUNDROBIN
        BALANCE_STATIC_RR
        BALANCE_LEASTCONN
        BALANCE_SOURCE

    ctypedef struct server_control "struct server_control":
        uint64_t state
        uint64_t maxconn
        uint64_t minconn
        uint64_t maxqueue
        uint64_t cut

    ctypedef struct frontend_control "struct frontend_control":
        uint64_t maxconn

    ctypedef struct backend_control "struct backend_control":
        uint64_t schedule
        uint64_t fullconn

    ctypedef struct log_tail "struct log_tail":
        uint64_t bytes

    ctypedef struct shm_control "struct shm_control":
        uint64_t magic
        uint64_t version
        uint64_t total_bytes
        uint64_t workers
        uint64_t maxconn
        uint64_t cuts
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

    ctypedef struct shm_shared "struct shm_shared":
        uint64_t paused
        uint64_t sessions
        frontend_shared *frontends
        backend_shared *backends

    ctypedef struct frontend_row "struct frontend_row":
        uint64_t sessions
        uint64_t sessions_total
        uint64_t received_bytes_total
        uint64_t sent_bytes_total
        uint64_t undelivered_bytes_total
        uint64_t denied_connections_total
        uint64_t *ended_total

    ctypedef struct backend_row "struct backend_row":
        uint64_t sessions
        uint64_t queued
        uint64_t sessions_total
        uint64_t queued_total
        uint64_t retries_total
        uint64_t redispatches_total
        uint64_t no_server_total
        uint64_t *ended_total

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

    ctypedef struct plan_name "struct plan_name":
        uint32_t offset
        uint32_t size

    ctypedef struct plan_piece "struct plan_piece":
        uint16_t kind
        uint16_t flags
        plan_name text

    ctypedef struct plan_line "struct plan_line":
        uint32_t first
        uint32_t count

    ctypedef struct plan_bind "struct plan_bind":
        uint32_t frontend

    ctypedef struct plan_frontend "struct plan_frontend":
        uint32_t slot
        uint32_t backend
        uint32_t flags
        uint32_t client_ms
        uint32_t client_fin_ms
        uint32_t inspect_ms
        uint32_t own_backend
        rule_set connection_rules
        rule_set content_rules
        rule_set backend_rules
        uint32_t log
        plan_line line
        plan_line error_line
        plan_line data
        plan_name name

    ctypedef struct plan_backend "struct plan_backend":
        uint32_t slot
        uint32_t balance
        uint32_t first_server
        uint32_t server_count
        uint32_t connect_ms
        uint32_t server_ms
        uint32_t server_fin_ms
        uint32_t tunnel_ms
        uint32_t queue_ms
        uint32_t retries
        int32_t redispatch
        uint32_t keepalive_idle_s
        uint32_t keepalive_interval_s
        uint32_t keepalive_count
        uint32_t flags
        uint32_t inspect_ms
        rule_set content_rules
        rule_set server_rules
        plan_name name

    ctypedef struct plan_source "struct plan_source":
        uint32_t address_size
        uint8_t *address
        uint16_t first_port
        uint16_t port_count
        uint32_t usesrc
        char *interface

    enum:
        USESRC_NONE, USESRC_ADDRESS, USESRC_CLIENTIP, USESRC_CLIENT

    ctypedef struct plan_server "struct plan_server":
        uint32_t slot
        uint32_t backend
        uint32_t backup
        uint32_t flags
        uint32_t user_timeout_ms
        int32_t port_offset
        uint32_t address_size
        uint8_t *address
        plan_name name
        plan_source source

    ctypedef struct plan_header "struct plan_header":
        uint64_t magic
        uint32_t version
        uint32_t total_bytes
        uint64_t generation
        uint32_t bind_count
        uint32_t bind_offset
        uint32_t frontend_count
        uint32_t frontend_offset
        uint32_t backend_count
        uint32_t backend_offset
        uint32_t server_count
        uint32_t server_offset
        uint32_t slot_count
        uint32_t slot_offset
        uint32_t piece_count
        uint32_t piece_offset
        uint32_t names_offset
        uint32_t names_bytes
        uint32_t rules_offset
        uint32_t rules_bytes

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
    uint64_t fetch_or(uint64_t *p, uint64_t n)
    uint64_t fetch_and(uint64_t *p, uint64_t n)
    void full_fence()
    uint32_t load32_relaxed(const uint32_t *p)
    void store32_relaxed(uint32_t *p, uint32_t v)
    void add(uint64_t *p, uint64_t n)
    void sub(uint64_t *p, uint64_t n)
    uint64_t dynamic_limit(uint64_t minconn, uint64_t maxconn, uint64_t sessions, uint64_t fullconn)
    uint32_t histogram_cell(uint64_t us)
    uint64_t histogram_bound(uint32_t cell)


cdef extern from "causes.h" nogil:
    ctypedef struct cause_text "struct cause_text":
        const char *word
        const char *code
        const char *meaning

    const cause_text *CAUSE_TEXTS
