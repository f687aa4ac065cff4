# Stick tables: entries found by their key, in an order of use, bounded in number. Every function here that changes
# something is called with the table's lock held (table_lock), and leaves the table whole (table_commit) or in the
# middle of a change that its caller ends. table.h says why a worker may be killed anywhere in between.

cdef enum:
    TABLE_SPINS = 200
    TABLE_YIELDS = 16
    TABLE_PURGE = 2
    TABLE_BATCH = 64
    TABLE_PATIENCE_US = 1000000
    TABLE_MASTER_PATIENCE_US = 20000

cdef inline tables_t *tables_now(worker_t *w) noexcept nogil:
    w.tables.now_ms = w.now_ms
    return &w.tables


cdef uint32_t plan_table_slot(plan_t *plan, uint32_t table) noexcept nogil:
    return (<plan_table *>(<uint8_t *>plan.header + plan.header.table_offset))[table].slot


cdef inline const table_shape *table_shape_at(const tables_t *t, uint32_t slot) noexcept nogil:
    return &t.directory.shapes[slot]


cdef inline table_head *table_head_of(const tables_t *t, const table_shape *shape) noexcept nogil:
    return <table_head *>(t.memory + shape.offset)


cdef inline uint32_t *table_bucket(const tables_t *t, const table_shape *shape, uint32_t hash) noexcept nogil:
    return <uint32_t *>(t.memory + shape.offset + TABLE_HEAD_BYTES) + (hash & shape.bucket_mask)


cdef inline table_entry *table_entry_at(const tables_t *t, const table_shape *shape, uint32_t number) noexcept nogil:
    # NULL for none, and for a number that no table of this shape has.
    if number - 1 >= shape.size:
        return NULL
    return <table_entry *>(t.memory + shape.offset + shape.entries_at + <uint64_t>(number - 1) * shape.entry_bytes)


cdef inline uint8_t *table_key_of(const table_shape *shape, table_entry *entry) noexcept nogil:
    return <uint8_t *>entry + shape.key_at


cdef bint table_lock(const tables_t *t, table_head *head) noexcept nogil:
    # False: whoever has it did not give it back in time. It was stopped, or it died and nobody is there to clean up.
    cdef uint32_t spin
    cdef uint64_t deadline_us
    for spin in range(TABLE_SPINS):
        if load_relaxed(&head.lock) == 0 and table_try(head, t.owner):
            return True
        cpu_relax()
    deadline_us = net_clock_us(CLOCK_MONOTONIC) + t.patience_us
    while True:
        for spin in range(TABLE_YIELDS):
            sched_yield()
            if load_relaxed(&head.lock) == 0 and table_try(head, t.owner):
                return True
        if net_clock_us(CLOCK_MONOTONIC) >= deadline_us:
            return False


# ---- the order of use ----

cdef void table_unqueue(const tables_t *t, const table_shape *shape, table_head *head,
                        table_entry *entry) noexcept nogil:
    cdef table_entry *older = table_entry_at(t, shape, entry.older)
    cdef table_entry *newer = table_entry_at(t, shape, entry.newer)
    if older != NULL:
        table_put32(t, head, &older.newer, entry.newer)
    else:
        table_put32(t, head, &head.oldest, entry.newer)
    if newer != NULL:
        table_put32(t, head, &newer.older, entry.older)
    else:
        table_put32(t, head, &head.newest, entry.older)


cdef void table_queue(const tables_t *t, const table_shape *shape, table_head *head, uint32_t number,
                      table_entry *entry) noexcept nogil:
    cdef table_entry *newest = table_entry_at(t, shape, head.newest)
    table_put32(t, head, &entry.older, head.newest)
    table_put32(t, head, &entry.newer, 0)
    table_put(t, head, &entry.expires_ms, t.now_ms + shape.expire_ms)
    if newest != NULL:
        table_put32(t, head, &newest.newer, number)
    else:
        table_put32(t, head, &head.oldest, number)
    table_put32(t, head, &head.newest, number)


cdef void table_touch(const tables_t *t, const table_shape *shape, table_head *head, uint32_t number,
                      table_entry *entry) noexcept nogil:
    # It was used. One that is tracked gets its place in the order when that ends.
    if entry.trackers == 0:
        if head.newest != number:
            table_unqueue(t, shape, head, entry)
            table_queue(t, shape, head, number, entry)
        else:
            table_put(t, head, &entry.expires_ms, t.now_ms + shape.expire_ms)


cdef bint table_expired(const tables_t *t, const table_shape *shape, table_entry *entry) noexcept nogil:
    return shape.expire_ms != 0 and entry.trackers == 0 and entry.expires_ms <= t.now_ms


# ---- entries ----

cdef void table_remove(const tables_t *t, const table_shape *shape, table_head *head, uint32_t number,
                       table_entry *entry) noexcept nogil:
    # One that nobody tracks.
    cdef uint32_t *link = table_bucket(t, shape, entry.hash)
    cdef table_entry *other
    cdef uint32_t steps = 0
    while link[0] != number:
        other = table_entry_at(t, shape, link[0])
        steps += 1
        if other == NULL or steps > shape.size:
            return
        link = &other.next
    table_put32(t, head, link, entry.next)
    table_unqueue(t, shape, head, entry)
    table_put32(t, head, &entry.next, head.free)
    table_put32(t, head, &head.free, number)
    table_put32(t, head, &head.used, head.used - 1)
    table_commit(head)


cdef uint32_t table_purge(const tables_t *t, const table_shape *shape, table_head *head,
                          uint32_t limit) noexcept nogil:
    # Give up some that have expired; returns how many.
    cdef table_entry *oldest
    cdef uint32_t done
    for done in range(limit):
        oldest = table_entry_at(t, shape, head.oldest)
        if oldest == NULL or not table_expired(t, shape, oldest):
            return done
        table_remove(t, shape, head, head.oldest, oldest)
    return limit


cdef uint32_t table_find(const tables_t *t, const table_shape *shape, table_head *head, const uint8_t *key,
                         uint32_t size, uint32_t hash) noexcept nogil:
    # The number of the entry, 0 for none. What has expired is gone, whether somebody has noticed or not.
    cdef uint32_t number = table_bucket(t, shape, hash)[0]
    cdef uint32_t steps = 0
    cdef table_entry *entry = table_entry_at(t, shape, number)
    while entry != NULL and steps <= shape.size:
        if entry.hash == hash and entry.key_size == size and memcmp(table_key_of(shape, entry), key, size) == 0:
            if not table_expired(t, shape, entry):
                return number
            table_remove(t, shape, head, number, entry)
            return 0
        number = entry.next
        entry = table_entry_at(t, shape, number)
        steps += 1
    return 0


cdef bint table_make_room(const tables_t *t, const table_shape *shape, table_head *head) noexcept nogil:
    cdef table_entry *oldest = table_entry_at(t, shape, head.oldest)
    if head.used < shape.size:
        return True
    if oldest == NULL or shape.flags & TABLE_NOPURGE:
        head.refused_total += 1
        return False
    table_remove(t, shape, head, head.oldest, oldest)
    head.evicted_total += 1
    return True


cdef uint32_t table_insert(const tables_t *t, const table_shape *shape, table_head *head, const uint8_t *key,
                           uint32_t size, uint32_t hash) noexcept nogil:
    # A new entry, all of its data 0. Its number, or 0 when there is no room.
    cdef uint32_t *bucket = table_bucket(t, shape, hash)
    cdef uint32_t number
    cdef table_entry *entry
    table_purge(t, shape, head, TABLE_PURGE)
    if not table_make_room(t, shape, head):
        return 0
    number = head.free if head.free else head.fresh + 1
    entry = table_entry_at(t, shape, number)
    if entry == NULL:
        return 0
    if head.free:
        table_put32(t, head, &head.free, entry.next)
    else:
        table_put32(t, head, &head.fresh, number)
    # What follows is not noted: as long as it is in no chain nobody reads it.
    entry.hash = hash
    entry.key_size = size
    entry.trackers = 0
    memset(entry.words, 0, shape.key_at - sizeof(table_entry))
    memcpy(table_key_of(shape, entry), key, size)
    table_put32(t, head, &entry.next, bucket[0])
    table_put32(t, head, bucket, number)
    table_queue(t, shape, head, number, entry)
    table_put32(t, head, &head.used, head.used + 1)
    table_commit(head)
    return number


cdef uint32_t table_get(const tables_t *t, const table_shape *shape, table_head *head, const uint8_t *key,
                        uint32_t size, bint create) noexcept nogil:
    cdef uint32_t hash = table_hash(t.directory.seed, key, size)
    cdef uint32_t number = table_find(t, shape, head, key, size, hash)
    return table_insert(t, shape, head, key, size, hash) if number == 0 and create else number


cdef void tables_tick(tables_t *t, uint32_t slot) noexcept nogil:
    # Now and then: what has expired is given up, so that the number of entries is that of living ones.
    cdef const table_shape *shape = table_shape_at(t, slot)
    cdef table_head *head
    cdef uint32_t done
    if shape.offset == 0 or shape.expire_ms == 0:
        return
    head = table_head_of(t, shape)
    while head.used and table_try(head, t.owner):
        done = table_purge(t, shape, head, TABLE_BATCH)
        table_unlock(head)
        if done < TABLE_BATCH:
            return


cdef void tables_serve(worker_t *w) noexcept nogil:
    cdef uint32_t i
    w.tables_ticked_ms = w.now_ms
    if w.plan == NULL:
        return
    for i in range(w.plan.header.table_count):
        tables_tick(tables_now(w), plan_table_slot(w.plan, i))
