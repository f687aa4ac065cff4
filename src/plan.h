/* A compiled plan: one sealed memfd, offsets from its start, no pointer. compile.pxi writes it, every worker reads it. */
#ifndef FASTLB_PLAN_H
#define FASTLB_PLAN_H

#include <stdint.h>

#include "rules.h"

#define PLAN_MAGIC 0x666173746c622d70ull /* "fastlb-p" */
#define NO_INDEX 0xffffffffu

#define FRONTEND_KERNEL_SPLICE 8u
#define FRONTEND_CONNECTION_RULES 16u /* to be asked at accept */
#define FRONTEND_RULES 32u            /* its sessions are inspected: it, or its backend, has rules */
#define FRONTEND_SESSION_RULES 64u    /* to be asked once the client is known */
#define BACKEND_KERNEL_SPLICE 1u
#define BIND_ACCEPT_PROXY 1u
#define BIND_KEEPS_FIELDS 2u /* of PROXY headers: somebody asks for them */
#define BACKEND_ALL_BACKUPS 2u
#define BACKEND_PERSIST_DOWN 8u /* whom rules or tables send to a server goes there though it is down */
#define BACKEND_UNPUBLISHED 16u /* frontends do not send here */
#define FRONTEND_RATED 0x100u /* its sessions in a second are counted: a sample asks */
#define BACKEND_RATED 0x100u
#define BACKEND_PRIORITIES 4u /* some rule gives sessions a priority in the queues */
#define FRONTEND_NO_LINGER 0x1000u
#define FRONTEND_PORTS_ABOVE_1023 0x4000u /* clients from other ports are rejected at accept */
#define FRONTEND_ASKS (FRONTEND_CONNECTION_RULES | FRONTEND_PORTS_ABOVE_1023)
#define BACKEND_NO_LINGER 0x1000u
#define BACKEND_ABORT_ON_CLOSE 0x2000u /* a client's FIN ends a session that is not connected yet, whatever it has sent */

struct plan_name {
    uint32_t offset;
    uint32_t size;
};

/* A log line, compiled: pieces that follow each other. fastlb/config/logpieces.py has the same numbers. */
enum piece_kind {
    PIECE_TEXT = 0,
    PIECE_CLIENT_IP = 1,
    PIECE_CLIENT_PORT = 2,
    PIECE_FRONTEND_IP = 3,
    PIECE_FRONTEND_PORT = 4,
    PIECE_BACKEND_IP = 5,
    PIECE_BACKEND_PORT = 6,
    PIECE_SERVER_IP = 7,
    PIECE_SERVER_PORT = 8,
    PIECE_BACKEND = 9,
    PIECE_SERVER = 10,
    PIECE_SERVER_NAME = 11,
    PIECE_STATE = 12,
    PIECE_REASON = 13,
    PIECE_DATE = 14,
    PIECE_DATE_GMT = 15,
    PIECE_DATE_LOCAL = 16,
    PIECE_TIMESTAMP = 17,
    PIECE_MILLISECONDS = 18,
    PIECE_NOW_S = 19,
    PIECE_NOW_MS = 20,
    PIECE_NOW_US = 21,
    PIECE_QUEUE_MS = 22,
    PIECE_CONNECT_MS = 23,
    PIECE_DATA_MS = 24,
    PIECE_TOTAL_MS = 25,
    PIECE_BYTES_DOWN = 26,
    PIECE_BYTES_UP = 27,
    PIECE_PROCESS_SESSIONS = 28,
    PIECE_FRONTEND_SESSIONS = 29,
    PIECE_BACKEND_SESSIONS = 30,
    PIECE_SERVER_SESSIONS = 31,
    PIECE_RETRIES = 32,
    PIECE_SERVER_QUEUE = 33,
    PIECE_BACKEND_QUEUE = 34,
    PIECE_PID = 35,
    PIECE_LINE_NUMBER = 36,
    PIECE_SESSION_NUMBER = 37,
    PIECE_VALUE = 38, /* of a rule_sample, at text.offset of the rules */
    PIECE_UNIQUE_ID = 64,
    PIECE_HEADER_FIELD = 65, /* of the client's PROXY header; the text is a byte, its type */
    PIECE_FRONTEND_NAME = 66,
};

#define PIECE_QUOTE 1u
#define PIECE_HEX 2u
#define PIECE_ESCAPE 4u
#define PIECE_DASH 8u    /* nothing shows as "-" */
#define PIECE_SAMPLE 16u /* quotes go around numbers, too */

struct plan_piece {
    uint16_t kind;
    uint16_t flags;
    struct plan_name text;
};

struct plan_line {
    uint32_t first; /* piece */
    uint32_t count;
};

#define LOG_AT_ACCEPT 1u
#define LOG_AT_CONNECT 2u /* or at the end, if that was not reached */
#define LOG_AT_END 4u
#define LOG_NOT_NULL 16u
#define LOG_NOT_NORMAL 32u
#define LOG_ERRORS_APART 64u
#define LOG_ADDRESSES 128u /* a line shows addresses that the sockets know */
#define LOG_NUMBERED 256u  /* … the session's number */
#define LOG_COUNTED 512u   /* … the line's number */
#define LOG_TCP 1024u      /* … what the kernel knows of the connections */

struct plan_bind {
    uint32_t frontend;
    uint32_t flags;
    uint32_t slot; /* of a frontend, to count its own connections where it limits them; or NO_INDEX */
    struct plan_name name; /* in log lines */
    struct plan_name said; /* its "name", or empty */
    uint32_t id;
};

struct plan_frontend {
    uint32_t slot;
    uint32_t backend; /* or NO_INDEX */
    uint32_t flags;
    uint32_t client_ms;
    uint32_t client_fin_ms;
    uint32_t inspect_ms;
    uint32_t own_backend; /* the other half of a listen, or NO_INDEX: its content rules run once */
    struct rule_set connection_rules;
    struct rule_set session_rules;
    struct rule_set content_rules;
    struct rule_set backend_rules;
    uint32_t log; /* LOG_… */
    struct plan_line line;
    struct plan_line error_line; /* empty: the same */
    struct plan_line data;       /* structured data of rfc5424 before it */
    uint32_t client_hs_ms; /* for a PROXY header */
    struct plan_line unique_id;
    struct rule_set switch_rules;
    struct plan_name name;
    uint32_t id;
};

enum { HASH_SRC = 0, HASH_DST = 1, HASH_SRC_PORT = 2, HASH_DST_PORT = 3, HASH_SAMPLE = 4 };
enum { AFFINITY_ALWAYS = 0, AFFINITY_MAXCONN = 1, AFFINITY_MAXQUEUE = 2 };
enum { HASH_WORDS = 0, HASH_SDBM = 1, HASH_DJB2 = 2, HASH_WT6 = 3, HASH_CRC32 = 4 };
#define HASH_AVALANCHE 1u
#define HASH_MASK 2u  /* an address is masked; without HASH_MASK6, one of IPv6 counts as none */
#define HASH_MASK6 4u
#define HASH_OR_NOTHING 8u /* an empty sample counts as none */

struct plan_hash { /* of balance source and hash */
    uint32_t fetch;
    uint32_t function;
    uint32_t flags;
    uint32_t affinity; /* AFFINITY_… */
    uint32_t sample;   /* rule_sample */
    uint32_t factor; /* percent of the average that a server may have, 0 for no limit; of a ring only */
    uint8_t mask4[4];
    uint8_t mask6[16];
};

struct plan_backend {
    uint32_t slot;
    uint32_t balance;
    uint32_t first_server;
    uint32_t server_count;
    uint32_t connect_ms;
    uint32_t server_ms;
    uint32_t server_fin_ms;
    uint32_t tunnel_ms;
    uint32_t queue_ms;
    uint32_t retries;
    int32_t redispatch;
    uint32_t keepalive_idle_s; /* 0: no keep-alive */
    uint32_t keepalive_interval_s;
    uint32_t keepalive_count;
    uint32_t flags;
    uint32_t draws; /* of balance random */
    struct plan_hash hash;
    uint32_t inspect_ms;
    struct rule_set content_rules;
    struct rule_set server_rules;
    uint32_t answer_ms; /* how long what a server sends is waited for */
    struct rule_set answer_rules;
    struct plan_name cookie; /* of "persist rdp-cookie", within the rules; empty: none */
    struct rule_set stick_rules;
    struct rule_set force_rules;
    struct rule_set store_rules; /* "stick" rules about what the server says */
    struct plan_name name;
    uint32_t id;
};

#define SERVER_SOURCE 1u
#define SERVER_USER_TIMEOUT 2u
#define SERVER_CLIENTS_ADDRESS 4u /* the one that the client wanted to reach */
#define SERVER_CLIENTS_PORT 8u    /* likewise, plus port_offset */
#define SERVER_CONGESTION 16u
#define SERVER_BUFFERS 32u /* of sizes that the header of the plan says */
#define SERVER_SMART_CONNECT 64u /* bytes that the client has sent leave with the handshake's last ACK */
#define SERVER_SIGNED 128u

/* The PROXY header that a server is sent. */
#define SEND_PROXY_V1 1u
#define SEND_PROXY_V2 2u
#define SEND_PROXY_CRC32C 4u
#define SEND_PROXY_AUTHORITY 8u
#define SEND_PROXY_UNIQUE_ID 16u
#define SEND_PROXY_FIELDS 32u /* field_count is not 0 */

/* A further field of it. */
struct plan_field {
    uint32_t kind;
    struct plan_line line;
};

/* Where connections to a server come from. */
struct plan_source {
    uint32_t address_size; /* 0: any address */
    uint8_t address[28];
    uint16_t first_port;
    uint16_t port_count; /* 0: a port of the kernel's choice */
    uint32_t usesrc;
    char interface[16]; /* empty: any */
};

enum { USESRC_NONE = 0, USESRC_ADDRESS = 1, USESRC_CLIENTIP = 2, USESRC_CLIENT = 3 };

struct plan_server {
    uint32_t slot;
    uint32_t backend;
    uint32_t backup;
    uint32_t flags; /* 0: nothing to do but to connect */
    uint32_t user_timeout_ms;
    int32_t port_offset;
    uint32_t send_proxy; /* 0: no header */
    uint32_t error_limit; /* failed connections in a row that make an alarm, 0: nobody counts them */
    uint32_t id;
    uint32_t non_stick;  /* stick tables do not learn of it */
    uint32_t address_size;
    uint8_t address[112];
    struct plan_name name;
    struct plan_source source;
    char congestion[16]; /* name of an algorithm */
    struct plan_name md5_key;
    uint32_t fields;     /* of the PROXY header: the first of field_count */
    uint32_t field_count;
    uint32_t weight;     /* that of the file */
    uint32_t rated;
};

/* A stick table; its shape stands in the directory of the tables (table.h). */
struct plan_table {
    uint32_t slot;
};

struct plan_header {
    uint64_t magic;
    uint32_t version;
    uint32_t total_bytes;
    uint64_t generation;
    uint32_t bind_count, bind_offset;
    uint32_t frontend_count, frontend_offset;
    uint32_t backend_count, backend_offset;
    uint32_t server_count, server_offset;
    uint32_t slot_count, slot_offset; /* slot of a server -> its index, or NO_INDEX */
    uint32_t piece_count, piece_offset;
    uint32_t names_offset, names_bytes;
    uint32_t rules_offset, rules_bytes; /* see rules.h */
    uint32_t server_rcvbuf, server_sndbuf; /* 0: the kernel's judgement */
    uint32_t field_count, field_offset;
    uint32_t table_count, table_offset;
};

enum {
    BALANCE_ROUNDROBIN = 0,
    BALANCE_STATIC_RR = 1,
    BALANCE_LEASTCONN = 2,
    BALANCE_SOURCE = 3,
    BALANCE_FIRST = 4,
    BALANCE_RANDOM = 5,
    BALANCE_HASH = 6,
};

#endif
