# Rates: so many connections a second over all workers, as HAProxy counts them. Each limit has one word, which holds a
# second, what was admitted in it, and what in the second before. That one counts by the part of it that lies less than
# a second back, so a burst is followed by a pause, and what comes steadily is let in steadily. Never more than the
# limit in a second of the clock, and no fewer when more wait (steps of 1 ms: above 1000 a second maybe a thousandth
# less).

cdef enum:
    RATE_BITS = 22
    RATE_LIMIT = (1 << RATE_BITS) - 1  # a limit above it is none
    RATE_SECOND_SHIFT = 2 * RATE_BITS
    RATE_SECONDS = (1 << (64 - 2 * RATE_BITS)) - 1
    RATE_BEHIND_S = 60


cdef uint64_t rate_turned(uint64_t word, uint64_t second) noexcept nogil:
    # The word as it is in that second. A worker that has not looked at the clock for a while may be behind the others:
    # it counts in their second.
    cdef uint64_t passed = (second - (word >> RATE_SECOND_SHIFT)) & RATE_SECONDS
    if passed == 0 or passed > RATE_SECONDS - RATE_BEHIND_S:
        return word
    return (second & RATE_SECONDS) << RATE_SECOND_SHIFT | ((word & RATE_LIMIT) << RATE_BITS if passed == 1 else 0)


cdef uint64_t rate_elapsed_ms(uint64_t word, uint64_t now_ms) noexcept nogil:
    # Of the word's second.
    return now_ms % 1000 if word >> RATE_SECOND_SHIFT == (now_ms / 1000 & RATE_SECONDS) else 0


cdef uint64_t rate_wait_ms(uint64_t word, uint64_t limit, uint64_t now_ms) noexcept nogil:
    # 0: one more may come now. Else when it is worth looking again.
    cdef uint64_t now = rate_elapsed_ms(word, now_ms)
    cdef uint64_t current = word & RATE_LIMIT
    cdef uint64_t before = word >> RATE_BITS & RATE_LIMIT
    if current >= limit:
        return 1000 - now
    if before * (1000 - now) < (limit - current) * 1000:
        return 0
    return 1001 - ((limit - current) * 1000 + before - 1) / before - now


cdef uint64_t rate_take(uint64_t *word, uint64_t limit, uint64_t now_ms) noexcept nogil:
    # 0: one was taken; else how long to wait, in ms. Limit 0 is none.
    cdef uint64_t before, now, wait_ms
    while limit and limit < RATE_LIMIT:
        before = load_relaxed(word)
        now = rate_turned(before, now_ms / 1000)
        wait_ms = rate_wait_ms(now, limit, now_ms)
        if wait_ms or compare_exchange(word, before, now + 1):
            return wait_ms
    return 0


cdef void rate_give_back(uint64_t *word, uint64_t limit, uint64_t now_ms) noexcept nogil:
    # What was taken a moment ago for a connection that was not there.
    cdef uint64_t before, now
    while limit and limit < RATE_LIMIT:
        before = load_relaxed(word)
        now = rate_turned(before, now_ms / 1000)
        if now & RATE_LIMIT:
            now -= 1
        elif now >> RATE_BITS & RATE_LIMIT:
            now -= 1 << RATE_BITS
        if compare_exchange(word, before, now):
            return


cdef uint64_t rates_take(worker_t *w, uint32_t frontend) noexcept nogil:
    # One of each limit that a connection of this frontend falls under, or none of any.
    cdef shm_control *limits = w.control
    cdef shm_shared *words = w.shared
    cdef uint64_t wait_ms = rate_take(&words.connection_rate, load_relaxed(&limits.connection_rate), w.now_ms)
    if wait_ms:
        return wait_ms
    wait_ms = rate_take(&words.session_rate, load_relaxed(&limits.session_rate), w.now_ms)
    if wait_ms == 0:
        wait_ms = rate_take(&words.frontends[frontend].rate, load_relaxed(&limits.frontends[frontend].rate), w.now_ms)
        if wait_ms:
            rate_give_back(&words.session_rate, load_relaxed(&limits.session_rate), w.now_ms)
    if wait_ms:
        rate_give_back(&words.connection_rate, load_relaxed(&limits.connection_rate), w.now_ms)
    return wait_ms


cdef void rates_give_back(worker_t *w, uint32_t frontend, bint connected) noexcept nogil:
    # `connected`: there was a connection, which did not become a session.
    cdef shm_control *limits = w.control
    cdef shm_shared *words = w.shared
    if not connected:
        rate_give_back(&words.connection_rate, load_relaxed(&limits.connection_rate), w.now_ms)
    rate_give_back(&words.session_rate, load_relaxed(&limits.session_rate), w.now_ms)
    rate_give_back(&words.frontends[frontend].rate, load_relaxed(&limits.frontends[frontend].rate), w.now_ms)
