# "track-sc0" and its like: a connection that is counted at an entry of a stick table until it ends. What it holds
# stands in the shared memory, too, in words of its session: whoever cleans up after a dead worker gives it back.

cdef void track_begin(look_t *look, const rule_track *rule) noexcept nogil:
    # The first one to track something counts; what is no key, or finds no room, is not tracked.
    cdef tables_t *t = tables_now(look.w)
    cdef uint32_t slot = plan_table_slot(look.plan, rule.table)
    cdef const table_shape *shape = table_shape_at(t, slot)
    cdef table_head *head = table_head_of(t, shape)
    cdef uint8_t key[TABLE_KEY_BYTES + 1]
    cdef uint32_t size, number
    cdef uint64_t *hold
    cdef value_t v
    if look.tracks == NULL or look.tracks[rule.track].number or look.index >= HOLD_SESSIONS:
        return
    if not sample_get(look, &rule.sample, &v):
        return
    size = key_make(shape, &v, key)
    hold = track_hold(look.w, look.index, rule.track)
    # (What a session before this one could not give back is given back now.)
    if size == 0 or not table_give_back(t, hold) or not table_lock(t, head):
        return
    number = table_get(t, shape, head, key, size, True)
    if number:
        table_track(t, slot, head, number, table_entry_at(t, shape, number), hold)
        look.tracks[rule.track].slot = slot
        look.tracks[rule.track].number = number
        look.tracked[0] |= 1 << rule.track
    table_unlock(head)


cdef uint64_t *track_hold(worker_t *w, uint32_t index, uint32_t track) noexcept nogil:
    cdef table_holds *holds = table_holds_of(&w.tables, w.number)
    if holds.high <= index:
        holds.high = index + 1
    return &holds.words[<uint64_t>index * TRACK_SLOTS + track]


cdef void track_count(look_t *look, const rule_count *rule) noexcept nogil:
    # "sc-inc-gpc0" and its like: of what is tracked, or nothing.
    cdef tables_t *t = tables_now(look.w)
    cdef track_t *track
    cdef const table_shape *shape
    cdef table_head *head
    cdef int64_t said = rule.value
    cdef value_t v
    if look.tracks == NULL or look.tracks[rule.what >> 24].number == 0:
        return
    if rule.is_sample:
        if not sample_get(look, &rule.sample, &v):
            return
        said = v.number
    track = &look.tracks[rule.what >> 24]
    shape = table_shape_at(t, track.slot)
    head = table_head_of(t, shape)
    if table_lock(t, head):
        entry_do(t, shape, head, track.number, table_entry_at(t, shape, track.number), rule.what, said, &said)
        table_unlock(head)


cdef void track_all(worker_t *w, track_t *tracks, uint32_t index, uint64_t received, uint64_t sent,
                    bint ends) noexcept nogil:
    # At the beginning of a session, or at the end of a connection, which gives back what it held.
    cdef tables_t *t = tables_now(w)
    cdef const table_shape *shape
    cdef table_head *head
    cdef table_entry *entry
    cdef uint32_t i
    for i in range(TRACK_SLOTS):
        if tracks[i].number == 0:
            continue
        shape = table_shape_at(t, tracks[i].slot)
        head = table_head_of(t, shape)
        if not table_lock(t, head):
            continue
        entry = table_entry_at(t, shape, tracks[i].number)
        if ends:
            table_count(t, shape, head, entry, DATA_BYTES_IN_CNT, 0, received)
            table_count(t, shape, head, entry, DATA_BYTES_IN_RATE, 0, received)
            table_count(t, shape, head, entry, DATA_BYTES_OUT_CNT, 0, sent)
            table_count(t, shape, head, entry, DATA_BYTES_OUT_RATE, 0, sent)
            table_untrack(t, shape, head, tracks[i].number, entry, track_hold(w, index, i))
        else:
            table_count(t, shape, head, entry, DATA_SESS_CNT, 0, 1)
            table_count(t, shape, head, entry, DATA_SESS_RATE, 0, 1)
        table_unlock(head)


cdef void track_act(look_t *look, const rule_t *rule) noexcept nogil:
    cdef const uint8_t *argument = plan_rules(look.plan) + rule.argument
    if rule.action == RULE_TRACK:
        track_begin(look, <const rule_track *>argument)
    elif rule.action == RULE_COUNT:
        track_count(look, <const rule_count *>argument)


# ---- before there is a session: its place is known, it will be the next free one ----

cdef uint32_t arrival_index(worker_t *w) noexcept nogil:
    return w.free_sessions[w.free_count - 1]


cdef void arrival_look(look_t *look, worker_t *w) noexcept nogil:
    look.tracks = w.arriving
    look.tracked = &w.arriving_tracked
    look.index = arrival_index(w)


cdef void arrival_refused(worker_t *w) noexcept nogil:
    track_all(w, w.arriving, arrival_index(w), 0, 0, True)
    memset(w.arriving, 0, sizeof(w.arriving))
    w.arriving_tracked = 0


cdef void arrival_taken(worker_t *w, session_t *s) noexcept nogil:
    memcpy(w.colds[session_index(w, s)].tracks, w.arriving, sizeof(w.arriving))
    s.tracked = w.arriving_tracked
    memset(w.arriving, 0, sizeof(w.arriving))
    w.arriving_tracked = 0
