/* Stick tables: the layout of the memfd that holds all of them, and how a change becomes whole.
 *
 *   directory  the shape of each table: written by the master, mapped read-only by the workers
 *   holds      for each worker what its sessions track: written by that worker, and by the master once it is dead
 *   regions    the tables: written by whoever has the table's lock
 *
 * A lock is the number of its holder. Under it every word that counts is noted before it is changed, and the notes are
 * dropped when the change is whole (commit). When a worker has died, the master puts back what it had noted and frees
 * its locks: each change has happened then, or has not. A kill falls between two instructions and what was stored before
 * is there, so it is only the compiler that must keep the order (table_fence).
 * Numbers found in a region are checked before they are followed: a worker may be compromised.
 */
#ifndef FASTLB_TABLE_H
#define FASTLB_TABLE_H

#include <stdint.h>

#include "layout.h"

#define TABLE_MAGIC 0x666173746c620000ull /* and the layout's version */
#define MAX_TABLES 4096
#define TRACK_SLOTS 3
#define HOLD_SESSIONS (1u << 22)
#define TABLE_KEY_BYTES 1024 /* of a key, at most */
#define TABLE_NOTES 40
#define TABLE_NO_WORD 0xffffu
#define TABLE_NOPURGE 1u
#define TABLE_MASTER (MAX_WORKERS + 1ull)
#define TABLE_RATE_WORDS 3

enum table_kind { TABLE_IP = 0, TABLE_IPV6 = 1, TABLE_INTEGER = 2, TABLE_STRING = 3, TABLE_BINARY = 4 };

/* What an entry may hold, as whole words; fastlb/rules/tablemodel.py has the same numbers. A rate is three words:
 * when its period began, the count in it, and that of the period before. */
enum table_data {
    DATA_SERVER = 0, /* slot + 1 in the upper half, id in the lower */
    DATA_CONN_CNT = 1,
    DATA_CONN_CUR = 2,
    DATA_CONN_RATE = 3,
    DATA_SESS_CNT = 4,
    DATA_SESS_RATE = 5,
    DATA_BYTES_IN_CNT = 6,
    DATA_BYTES_IN_RATE = 7,
    DATA_BYTES_OUT_CNT = 8,
    DATA_BYTES_OUT_RATE = 9,
    DATA_GPC0 = 10,
    DATA_GPC0_RATE = 11,
    DATA_GPC1 = 12,
    DATA_GPC1_RATE = 13,
    DATA_GPC = 14,
    DATA_GPC_RATE = 15,
    DATA_GPT0 = 16,
    DATA_GPT = 17,
    DATA_COUNT = 18,
};

/* The directory: single-writer, the master's. Only expire_ms, flags and periods change while a table lives. */
struct table_shape {
    uint64_t offset; /* of its region; 0: there is no such table */
    uint64_t entries_at;
    uint32_t kind;
    uint32_t key_bytes;
    uint32_t size; /* entries */
    uint32_t bucket_mask;
    uint32_t entry_bytes;
    uint32_t key_at; /* within an entry */
    uint32_t expire_ms; /* 0: never */
    uint32_t flags;
    uint16_t at[DATA_COUNT]; /* words behind the head of an entry, or TABLE_NO_WORD */
    uint16_t count[DATA_COUNT];
    uint32_t period_ms[DATA_COUNT];
};

struct table_directory {
    uint64_t magic;
    uint64_t seed; /* of the hash: clients must not choose their buckets */
    CACHE_LINE struct table_shape shapes[MAX_TABLES];
};

/* slot of the table << 32 | number of the entry; 0: nothing */
struct table_holds {
    CACHE_LINE uint64_t high; /* sessions up to this one may hold something */
    CACHE_LINE uint64_t words[HOLD_SESSIONS * TRACK_SLOTS];
};

struct table_note {
    uint64_t at; /* offset in the memfd, + 1 where a half word stands */
    uint64_t old;
};

/* A region begins with this. Entries are numbered from 1; 0 is none. Fresh memory is an empty table. */
struct table_head {
    CACHE_LINE uint64_t lock; /* 0, or who: number of the worker + 1, TABLE_MASTER */
    uint64_t noted;
    uint32_t used;
    uint32_t fresh; /* entries up to this one have been used */
    uint32_t free;  /* the first of those given back, linked by `next` */
    uint32_t oldest; /* of those that nobody tracks, in the order of their last use */
    uint32_t newest;
    uint32_t unused;
    uint64_t evicted_total;
    uint64_t refused_total; /* no room: all are tracked, or 'nopurge' */
    CACHE_LINE struct table_note notes[TABLE_NOTES];
};

/* Words of data and the key follow. An entry is in its bucket's chain, and in the order of use unless it is tracked. */
struct table_entry {
    uint32_t next;
    uint32_t hash;
    uint32_t older;
    uint32_t newer;
    uint32_t trackers;
    uint32_t key_size;
    uint64_t expires_ms; /* CLOCK_MONOTONIC; when nobody tracks it */
    uint64_t words[];
};
_Static_assert(sizeof(struct table_entry) == 32, "docs/configuration.md: what an entry takes");

#define TABLE_HEAD_BYTES PAGE_ROUND(sizeof(struct table_head))
#define TABLE_DIRECTORY_BYTES PAGE_ROUND(sizeof(struct table_directory))
#define TABLE_HOLDS_BYTES PAGE_ROUND(sizeof(struct table_holds))
#define TABLE_REGIONS_AT (TABLE_DIRECTORY_BYTES + MAX_WORKERS * TABLE_HOLDS_BYTES)
#define TABLE_REGIONS_BYTES (64ull << 30)
#define TABLE_TOTAL_BYTES (TABLE_REGIONS_AT + TABLE_REGIONS_BYTES)

/* The mapping of one process. `memory` is where offset 0 of the memfd would be. */
struct tables {
    uint8_t *memory;
    const struct table_directory *directory; /* NULL: this worker has no tables */
    uint64_t owner;
    uint64_t patience_us; /* how long a lock is waited for */
    uint64_t now_ms;
};

/* ---- debug builds: die before the n-th step of a change ---- */
#ifdef FASTLB_DEBUG
#include <signal.h>
static uint64_t table_steps_left;
static inline void table_step(void)
{
    if (table_steps_left && --table_steps_left == 0)
        raise(SIGKILL);
}
static inline void table_die_after(uint64_t steps) { table_steps_left = steps; }
#else
#define table_step() ((void)0)
static inline void table_die_after(uint64_t steps) { (void)steps; }
#endif

/* ---- changes ---- */
static inline void table_fence(void) { __atomic_signal_fence(__ATOMIC_SEQ_CST); }

static inline int table_try(struct table_head *head, uint64_t owner)
{
    uint64_t nobody = 0;
    if (!__atomic_compare_exchange_n(&head->lock, &nobody, owner, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        return 0;
    table_step();
    return 1;
}

static inline void table_commit(struct table_head *head)
{
    table_fence();
    table_step();
    head->noted = 0;
    table_fence();
    table_step();
}

static inline void table_unlock(struct table_head *head)
{
    table_commit(head);
    store_release(&head->lock, 0);
    table_step();
}

static inline void table_note(struct table_head *head, uint64_t at, uint64_t old)
{
    assert(head->noted < TABLE_NOTES);
    if (head->noted >= TABLE_NOTES) /* what another process may have written */
        head->noted = 0;
    struct table_note *note = &head->notes[head->noted];
    note->at = at;
    note->old = old;
    table_fence();
    table_step();
    head->noted++;
    table_fence();
    table_step();
}

static inline void table_put(const struct tables *t, struct table_head *head, uint64_t *word, uint64_t value)
{
    table_note(head, (uint64_t)((uint8_t *)word - t->memory), *word);
    *word = value;
    table_fence();
    table_step();
}

static inline void table_put32(const struct tables *t, struct table_head *head, uint32_t *half, uint32_t value)
{
    table_note(head, (uint64_t)((uint8_t *)half - t->memory) + 1, *half);
    *half = value;
    table_fence();
    table_step();
}

/* Of a holder that is dead, by the master: the newest note first. It trusts no offset: [from, to) is what the dead may
 * have written, by the layout. */
static inline void table_undo(struct tables *t, struct table_head *head, uint64_t from, uint64_t to,
                              uint64_t holds_from, uint64_t holds_to)
{
    uint64_t noted = head->noted < TABLE_NOTES ? head->noted : TABLE_NOTES;
    while (noted--) {
        struct table_note note = head->notes[noted];
        uint64_t at = note.at & ~3ull, bytes = note.at & 1 ? 4 : 8;
        int fits = (at >= from && at + bytes <= to) || (at >= holds_from && at + bytes <= holds_to);
        if (!fits || at % bytes)
            continue;
        if (bytes == 4)
            *(uint32_t *)(t->memory + at) = (uint32_t)note.old;
        else
            *(uint64_t *)(t->memory + at) = note.old;
    }
    head->noted = 0;
    store_release(&head->lock, 0);
}

/* A keyed hash by multiplication: 16 bytes folded to 8 for each word of the key. */
static inline uint64_t table_mix(uint64_t a, uint64_t b)
{
    __uint128_t product = (__uint128_t)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint32_t table_hash(uint64_t seed, const uint8_t *key, uint32_t size)
{
    uint64_t hash = seed ^ size, word;
    uint32_t at;
    for (at = 0; at + 8 <= size; at += 8) {
        __builtin_memcpy(&word, key + at, 8);
        hash = table_mix(hash ^ word, 0x9e3779b97f4a7c15ull ^ seed);
    }
    word = 0;
    __builtin_memcpy(&word, key + at, size - at);
    hash = table_mix(hash ^ word, 0xd6e8feb86659fd93ull ^ seed);
    return (uint32_t)(hash ^ hash >> 32);
}

/* ---- what rules say of tables; fastlb/rules/tablemodel.py has the same numbers ---- */
enum table_action { RULE_TRACK = 64, RULE_COUNT = 65, RULE_STICK = 66 };
enum table_fetch { FETCH_TABLE = 200, FETCH_TABLE_TRACKED = 200, FETCH_TABLE_SOURCE = 201, FETCH_TABLE_USE = 202 };
enum table_convert { CONVERT_TABLE = 200 };

/* What is done: operation | data << 8 | index << 16 | track << 24. A sample has the number of its table in `first`, or
 * NO_INDEX for the one that the track stands in, and this in `second`; a converter in `values` and `first`. */
enum table_operation {
    TABLE_GET = 0,
    TABLE_KILO = 1,
    TABLE_INC = 2,
    TABLE_CLEAR = 3,
    TABLE_TRACKED = 4,
    TABLE_TRACKERS = 5,
    TABLE_FOUND = 6,
    TABLE_USED = 7,
    TABLE_LEFT = 8,
    TABLE_ADD = 9,
    TABLE_SET = 10,
    TABLE_UPDATE = 11,
};

struct rule_track {
    uint32_t table;
    uint32_t track;
    struct rule_sample sample;
};

struct rule_count {
    uint32_t what;
    uint32_t value;
    uint32_t is_sample;
    struct rule_sample sample;
};

#define STICK_MATCH 1u
#define STICK_STORE 2u
struct rule_stick {
    uint32_t table;
    uint32_t flags;
    struct rule_sample sample;
};
_Static_assert(sizeof(struct rule_track) == 28, "fastlb/rules/tables.py");
_Static_assert(sizeof(struct rule_count) == 32, "fastlb/rules/tables.py");

#endif
