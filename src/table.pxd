# The C side of table.h.
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from rules cimport rule_sample


cdef extern from "table.h" nogil:
    enum:
        MAX_TABLES_C "MAX_TABLES"
        TRACK_SLOTS
        TABLE_KEY_BYTES
        TABLE_NO_WORD
        TABLE_NOPURGE
        TABLE_IP
        TABLE_IPV6
        TABLE_INTEGER
        TABLE_STRING
        TABLE_BINARY
        DATA_SERVER
        DATA_CONN_CNT
        DATA_CONN_CUR
        DATA_CONN_RATE
        DATA_SESS_CNT
        DATA_SESS_RATE
        DATA_BYTES_IN_CNT
        DATA_BYTES_IN_RATE
        DATA_BYTES_OUT_CNT
        DATA_BYTES_OUT_RATE
        DATA_GPC0
        DATA_GPC0_RATE
        DATA_GPC1
        DATA_GPC1_RATE
        DATA_GPC
        DATA_GPC_RATE
        DATA_GPT0
        DATA_GPT
        DATA_COUNT_C "DATA_COUNT"
        TABLE_RATE_WORDS
        RULE_TRACK
        RULE_COUNT
        RULE_STICK
        FETCH_TABLE
        FETCH_TABLE_TRACKED
        FETCH_TABLE_SOURCE
        FETCH_TABLE_USE
        CONVERT_TABLE
        TABLE_GET
        TABLE_KILO
        TABLE_INC
        TABLE_CLEAR
        TABLE_TRACKED
        TABLE_TRACKERS
        TABLE_FOUND
        TABLE_USED
        TABLE_LEFT
        TABLE_ADD
        TABLE_SET
        TABLE_UPDATE
        STICK_MATCH
        STICK_STORE
    const uint64_t TABLE_MAGIC
    const uint32_t HOLD_SESSIONS
    const uint64_t TABLE_MASTER
    const uint64_t TABLE_HEAD_BYTES
    const uint64_t TABLE_DIRECTORY_BYTES
    const uint64_t TABLE_HOLDS_BYTES
    const uint64_t TABLE_REGIONS_AT
    const uint64_t TABLE_REGIONS_BYTES
    const uint64_t TABLE_TOTAL_BYTES

    ctypedef struct table_shape "struct table_shape":
        uint64_t offset
        uint64_t entries_at
        uint32_t kind
        uint32_t key_bytes
        uint32_t size
        uint32_t bucket_mask
        uint32_t entry_bytes
        uint32_t key_at
        uint32_t expire_ms
        uint32_t flags
        uint16_t at[1]
        uint16_t count[1]
        uint32_t period_ms[1]

    ctypedef struct table_directory "struct table_directory":
        uint64_t magic
        uint64_t seed
        table_shape shapes[1]

    ctypedef struct table_holds "struct table_holds":
        uint64_t high
        uint64_t words[1]

    ctypedef struct table_head "struct table_head":
        uint64_t lock
        uint64_t noted
        uint32_t used
        uint32_t fresh
        uint32_t free
        uint32_t oldest
        uint32_t newest
        uint64_t evicted_total
        uint64_t refused_total

    ctypedef struct table_entry "struct table_entry":
        uint32_t next
        uint32_t hash
        uint32_t older
        uint32_t newer
        uint32_t trackers
        uint32_t key_size
        uint64_t expires_ms
        uint64_t words[1]

    ctypedef struct tables_t "struct tables":
        uint8_t *memory
        const table_directory *directory
        uint64_t owner
        uint64_t patience_us
        uint64_t now_ms

    ctypedef struct rule_track "struct rule_track":
        uint32_t table
        uint32_t track
        rule_sample sample

    ctypedef struct rule_count "struct rule_count":
        uint32_t what
        uint32_t value
        uint32_t is_sample
        rule_sample sample

    ctypedef struct rule_stick "struct rule_stick":
        uint32_t table
        uint32_t flags
        rule_sample sample

    void table_step() noexcept
    void table_die_after(uint64_t steps) noexcept
    bint table_try(table_head *head, uint64_t owner) noexcept
    void table_commit(table_head *head) noexcept
    void table_unlock(table_head *head) noexcept
    void table_put(const tables_t *t, table_head *head, uint64_t *word, uint64_t value) noexcept
    void table_put32(const tables_t *t, table_head *head, uint32_t *half, uint32_t value) noexcept
    void table_undo(tables_t *t, table_head *head, uint64_t start, uint64_t end, uint64_t holds_start,
                    uint64_t holds_end) noexcept
    uint32_t table_hash(uint64_t seed, const uint8_t *key, uint32_t size) noexcept
