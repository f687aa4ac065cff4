# One timer for each session, in a wheel of 4096 slots of 8 ms. Timers are lazy: progress only moves `active_ms`,
# and a session whose slot comes round before its real deadline is put back. So a busy session costs nothing.

cdef void timer_unlink(worker_t *w, uint32_t index) noexcept nogil:
    cdef session_t *s = &w.sessions[index]
    cdef uint32_t slot = s.timer_tick
    if slot == NO_INDEX:
        return
    if s.timer_previous != NO_INDEX:
        w.sessions[s.timer_previous].timer_next = s.timer_next
    else:
        w.wheel[slot] = s.timer_next
        if s.timer_next == NO_INDEX:
            w.wheel_bits[slot >> 6] &= ~(<uint64_t>1 << (slot & 63))
    if s.timer_next != NO_INDEX:
        w.sessions[s.timer_next].timer_previous = s.timer_previous
    s.timer_tick = NO_INDEX


cdef void timer_link(worker_t *w, uint32_t index, uint64_t deadline_ms) noexcept nogil:
    # A deadline beyond the wheel waits in the farthest slot and is looked at again there.
    cdef session_t *s = &w.sessions[index]
    cdef uint64_t tick = (deadline_ms + WHEEL_TICK_MS - 1) / WHEEL_TICK_MS
    cdef uint32_t slot
    if tick <= w.wheel_tick:
        tick = w.wheel_tick + 1
    elif tick >= w.wheel_tick + WHEEL_SLOTS:
        tick = w.wheel_tick + WHEEL_SLOTS - 1
    slot = <uint32_t>(tick & (WHEEL_SLOTS - 1))
    s.timer_tick = slot
    s.timer_previous = NO_INDEX
    s.timer_next = w.wheel[slot]
    if s.timer_next != NO_INDEX:
        w.sessions[s.timer_next].timer_previous = index
    w.wheel[slot] = index
    w.wheel_bits[slot >> 6] |= <uint64_t>1 << (slot & 63)


cdef void timer_update(worker_t *w, session_t *s) noexcept nogil:
    # To be called when the deadline may have come nearer; one that moved away is found out by the wheel.
    cdef uint32_t index = session_index(w, s)
    cdef uint64_t deadline_ms = session_deadline(s)
    cdef uint64_t tick, distance
    if deadline_ms == NEVER:
        return
    if s.timer_tick != NO_INDEX:
        tick = (deadline_ms + WHEEL_TICK_MS - 1) / WHEEL_TICK_MS
        distance = (<uint64_t>s.timer_tick - w.wheel_tick - 1) & (WHEEL_SLOTS - 1)
        if tick > w.wheel_tick + distance:
            return
        timer_unlink(w, index)
    timer_link(w, index, deadline_ms)


cdef void timer_serve_slot(worker_t *w, uint32_t slot) noexcept nogil:
    # No new deadline falls into the slot being served: links go to wheel_tick + 1 at the earliest.
    cdef uint32_t index
    cdef uint64_t deadline_ms
    while w.wheel[slot] != NO_INDEX:
        index = w.wheel[slot]
        timer_unlink(w, index)
        deadline_ms = session_deadline(&w.sessions[index])
        if deadline_ms <= w.now_ms:
            session_timeout(w, &w.sessions[index])
        elif deadline_ms != NEVER:
            timer_link(w, index, deadline_ms)


cdef void timer_serve(worker_t *w) noexcept nogil:
    cdef uint64_t now_tick = w.now_ms / WHEEL_TICK_MS
    cdef uint32_t slot
    if now_tick > w.wheel_tick + WHEEL_SLOTS:
        w.wheel_tick = now_tick - WHEEL_SLOTS  # after a long sleep every slot is served once
    while w.wheel_tick < now_tick:
        w.wheel_tick += 1
        slot = <uint32_t>(w.wheel_tick & (WHEEL_SLOTS - 1))
        if w.wheel[slot] != NO_INDEX:
            timer_serve_slot(w, slot)


cdef uint64_t timer_next_ms(worker_t *w) noexcept nogil:
    # When the next occupied slot is due, or NEVER.
    cdef uint32_t start = <uint32_t>((w.wheel_tick + 1) & (WHEEL_SLOTS - 1))
    cdef uint32_t word = start >> 6
    cdef uint64_t bits = w.wheel_bits[word] & (~<uint64_t>0 << (start & 63))
    cdef uint32_t looked, slot
    for looked in range(WHEEL_SLOTS / 64 + 1):
        if bits:
            slot = (word << 6) | <uint32_t>count_trailing_zeros(bits)
            return (w.wheel_tick + 1 + ((slot - start) & (WHEEL_SLOTS - 1))) * WHEEL_TICK_MS
        word = (word + 1) & (WHEEL_SLOTS / 64 - 1)
        bits = w.wheel_bits[word]
    return NEVER
