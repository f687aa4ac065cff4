# The C side of plan.h, declared once. Only the fields that Cython code touches are named.
from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t, uint64_t

from rules cimport rule_set


cdef extern from "plan.h" nogil:
    const uint64_t PLAN_MAGIC
    const uint32_t FRONTEND_KERNEL_SPLICE
    const uint32_t FRONTEND_CONNECTION_RULES
    const uint32_t FRONTEND_SESSION_RULES
    const uint32_t FRONTEND_RULES
    const uint32_t BACKEND_KERNEL_SPLICE
    const uint32_t BACKEND_ALL_BACKUPS
    const uint32_t FRONTEND_RATED
    const uint32_t BACKEND_RATED
    const uint32_t BACKEND_PRIORITIES
    const uint32_t BACKEND_PERSIST_DOWN
    const uint32_t BACKEND_UNPUBLISHED
    const uint32_t FRONTEND_NO_LINGER
    const uint32_t FRONTEND_PORTS_ABOVE_1023
    const uint32_t FRONTEND_ASKS
    const uint32_t SERVER_BUFFERS
    const uint32_t SERVER_SMART_CONNECT
    const uint32_t BACKEND_NO_LINGER
    const uint32_t BACKEND_ABORT_ON_CLOSE
    const uint32_t BIND_ACCEPT_PROXY
    const uint32_t BIND_KEEPS_FIELDS
    const uint32_t SERVER_SOURCE
    const uint32_t SERVER_USER_TIMEOUT
    const uint32_t SERVER_CLIENTS_ADDRESS
    const uint32_t SERVER_CLIENTS_PORT
    const uint32_t SERVER_CONGESTION
    const uint32_t SERVER_SIGNED
    const uint32_t HASH_AVALANCHE
    const uint32_t HASH_MASK
    const uint32_t HASH_MASK6
    const uint32_t HASH_OR_NOTHING
    const uint32_t SEND_PROXY_V1
    const uint32_t SEND_PROXY_V2
    const uint32_t SEND_PROXY_CRC32C
    const uint32_t SEND_PROXY_AUTHORITY
    const uint32_t SEND_PROXY_UNIQUE_ID
    const uint32_t SEND_PROXY_FIELDS
    const uint32_t NO_INDEX
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
    const uint32_t LOG_TCP

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
        PIECE_VALUE
        PIECE_UNIQUE_ID
        PIECE_HEADER_FIELD
        PIECE_FRONTEND_NAME

    enum:
        BALANCE_ROUNDROBIN
        BALANCE_STATIC_RR
        BALANCE_LEASTCONN
        BALANCE_SOURCE
        BALANCE_FIRST
        BALANCE_RANDOM
        BALANCE_HASH

    enum:
        HASH_SRC
        HASH_DST
        HASH_SRC_PORT
        HASH_DST_PORT
        HASH_SAMPLE

    enum:
        AFFINITY_ALWAYS
        AFFINITY_MAXCONN
        AFFINITY_MAXQUEUE

    enum:
        HASH_WORDS
        HASH_SDBM
        HASH_DJB2
        HASH_WT6
        HASH_CRC32

    enum:
        USESRC_NONE, USESRC_ADDRESS, USESRC_CLIENTIP, USESRC_CLIENT

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

    ctypedef struct plan_field "struct plan_field":
        uint32_t kind
        plan_line line

    ctypedef struct plan_bind "struct plan_bind":
        uint32_t frontend
        uint32_t flags
        uint32_t slot
        plan_name name
        plan_name said
        uint32_t id

    ctypedef struct plan_frontend "struct plan_frontend":
        uint32_t slot
        uint32_t backend
        uint32_t flags
        uint32_t client_ms
        uint32_t client_fin_ms
        uint32_t inspect_ms
        uint32_t own_backend
        rule_set connection_rules
        rule_set session_rules
        rule_set content_rules
        rule_set backend_rules
        uint32_t log
        plan_line line
        plan_line error_line
        plan_line data
        uint32_t client_hs_ms
        plan_line unique_id
        rule_set switch_rules
        plan_name name
        uint32_t id

    ctypedef struct plan_hash "struct plan_hash":
        uint32_t fetch
        uint32_t function
        uint32_t flags
        uint32_t affinity
        uint32_t sample
        uint32_t factor
        uint8_t *mask4
        uint8_t *mask6

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
        uint32_t draws
        plan_hash hash
        uint32_t inspect_ms
        rule_set content_rules
        rule_set server_rules
        uint32_t answer_ms
        rule_set answer_rules
        plan_name cookie
        rule_set stick_rules
        rule_set force_rules
        rule_set store_rules
        plan_name name
        uint32_t id

    ctypedef struct plan_source "struct plan_source":
        uint32_t address_size
        uint8_t *address
        uint16_t first_port
        uint16_t port_count
        uint32_t usesrc
        char *interface

    ctypedef struct plan_server "struct plan_server":
        uint32_t slot
        uint32_t backend
        uint32_t backup
        uint32_t flags
        uint32_t user_timeout_ms
        int32_t port_offset
        uint32_t send_proxy
        uint32_t error_limit
        uint32_t id
        uint32_t non_stick
        uint32_t address_size
        uint8_t *address
        plan_name name
        plan_source source
        char *congestion
        plan_name md5_key
        uint32_t fields
        uint32_t field_count
        uint32_t weight
        uint32_t rated

    ctypedef struct plan_table "struct plan_table":
        uint32_t slot

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
        uint32_t server_rcvbuf
        uint32_t server_sndbuf
        uint32_t field_count
        uint32_t field_offset
        uint32_t table_count
        uint32_t table_offset
