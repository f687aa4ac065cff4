# What entries of stick tables hold: counters, rates, tags, and who is tracked. Called with the table's lock held.

cdef uint64_t *table_word(const table_shape *shape, table_entry *entry, uint32_t data, uint32_t index) noexcept nogil:
    # NULL where the table does not store that.
    cdef uint32_t words = TABLE_RATE_WORDS if shape.period_ms[data] else 1
    if shape.at[data] == TABLE_NO_WORD or index >= shape.count[data]:
        return NULL
    return &entry.words[shape.at[data] + index * words]


cdef void rate_turn(const tables_t *t, table_head *head, uint64_t *rate, uint64_t period_ms) noexcept nogil:
    # A new period, if it is time for one: what was counted is then the previous one, if it ended just now.
    cdef uint64_t age_ms = t.now_ms - rate[0]
    if age_ms < period_ms:
        return
    table_put(t, head, &rate[2], rate[1] if age_ms < 2 * period_ms else 0)
    table_put(t, head, &rate[1], 0)
    table_put(t, head, &rate[0], t.now_ms - age_ms % period_ms if age_ms < 2 * period_ms else t.now_ms)


cdef uint64_t rate_read(const tables_t *t, const uint64_t *rate, uint64_t period_ms) noexcept nogil:
    # Events in the last period: all of the current one, and of the previous one the share that is still in the window.
    cdef uint64_t age_ms = t.now_ms - rate[0]
    cdef uint64_t current = rate[1], previous = rate[2]
    if age_ms >= period_ms:
        previous = current if age_ms < 2 * period_ms else 0
        current = 0
        age_ms %= period_ms
    return current + <uint64_t>(<double>previous * (period_ms - age_ms) / period_ms)


cdef void table_count(const tables_t *t, const table_shape *shape, table_head *head, table_entry *entry,
                      uint32_t data, uint32_t index, uint64_t n) noexcept nogil:
    # To a counter or a rate, if it is stored.
    cdef uint64_t *word = table_word(shape, entry, data, index)
    if word == NULL:
        return
    if shape.period_ms[data]:
        rate_turn(t, head, word, shape.period_ms[data])
        word += 1
    table_put(t, head, word, word[0] + n)


cdef uint64_t table_value(const tables_t *t, const table_shape *shape, table_entry *entry, uint32_t data,
                          uint32_t index) noexcept nogil:
    # Of something that is stored.
    cdef uint64_t *word = table_word(shape, entry, data, index)
    return rate_read(t, word, shape.period_ms[data]) if shape.period_ms[data] else word[0]


# ---- who is tracked ----

cdef table_holds *table_holds_of(const tables_t *t, uint32_t worker) noexcept nogil:
    return <table_holds *>(t.memory + TABLE_DIRECTORY_BYTES + worker * TABLE_HOLDS_BYTES)


cdef void table_track(const tables_t *t, uint32_t slot, table_head *head, uint32_t number, table_entry *entry,
                      uint64_t *hold) noexcept nogil:
    # A connection more. That it is held, and all that counts it, is one change.
    cdef const table_shape *shape = table_shape_at(t, slot)
    if entry.trackers == 0:
        table_unqueue(t, shape, head, entry)
    table_put32(t, head, &entry.trackers, entry.trackers + 1)
    table_count(t, shape, head, entry, DATA_CONN_CUR, 0, 1)
    table_count(t, shape, head, entry, DATA_CONN_CNT, 0, 1)
    table_count(t, shape, head, entry, DATA_CONN_RATE, 0, 1)
    table_put(t, head, hold, <uint64_t>slot << 32 | number)
    table_commit(head)


cdef void table_untrack(const tables_t *t, const table_shape *shape, table_head *head, uint32_t number,
                        table_entry *entry, uint64_t *hold) noexcept nogil:
    cdef uint64_t *current = table_word(shape, entry, DATA_CONN_CUR, 0)
    if current != NULL and current[0]:
        table_put(t, head, current, current[0] - 1)
    if entry.trackers:
        table_put32(t, head, &entry.trackers, entry.trackers - 1)
        if entry.trackers == 0:
            table_queue(t, shape, head, number, entry)
    table_put(t, head, hold, 0)
    table_commit(head)


cdef bint table_give_back(const tables_t *t, uint64_t *hold) noexcept nogil:
    # Whatever a hold says is held. False: not now, the table is locked.
    cdef uint64_t held = hold[0]
    cdef const table_shape *shape
    cdef table_head *head
    cdef table_entry *entry
    if held == 0:
        return True
    shape = table_shape_at(t, held >> 32 & (MAX_TABLES_C - 1))
    entry = table_entry_at(t, shape, <uint32_t>held) if shape.offset else NULL
    if entry == NULL:
        hold[0] = 0
        return True
    head = table_head_of(t, shape)
    if not table_lock(t, head):
        return False
    table_untrack(t, shape, head, <uint32_t>held, entry, hold)
    table_unlock(head)
    return True


cdef uint64_t table_give_back_all(const tables_t *t, uint32_t worker) noexcept nogil:
    # Of a worker that is no more. Returns how many could not be given back now.
    cdef table_holds *holds = table_holds_of(t, worker)
    cdef uint64_t high = min(holds.high, HOLD_SESSIONS)
    cdef uint64_t at, left = 0
    for at in range(high * TRACK_SLOTS):
        if holds.words[at] and (left or not table_give_back(t, &holds.words[at])):
            left += 1
    if left == 0:
        holds.high = 0
    return left
