# Sessions in the last second, of frontends, backends and servers of which a sample asks: each worker has a word in its
# own row, as rate.pxi has them, and readers sum.

ctypedef struct pace_t:
    uint64_t current
    uint64_t before       # in the second before the current one
    uint64_t parts        # … thousandths that lie less than a second back


cdef uint64_t pace_counted(uint64_t word, uint64_t now_ms) noexcept nogil:
    # The word with one more.
    cdef uint64_t now = rate_turned(word, now_ms / 1000)
    return now if now & RATE_LIMIT == RATE_LIMIT else now + 1


cdef void pace_count(worker_t *w, uint64_t *word) noexcept nogil:
    store_relaxed(word, pace_counted(load_relaxed(word), w.now_ms))


cdef void pace_add(pace_t *pace, uint64_t word, uint64_t now_ms) noexcept nogil:
    cdef uint64_t now = rate_turned(word, now_ms / 1000)
    cdef uint64_t before = now >> RATE_BITS & RATE_LIMIT
    pace.current += now & RATE_LIMIT
    pace.before += before
    pace.parts += before * (1000 - rate_elapsed_ms(now, now_ms))


cdef uint64_t pace_of(const pace_t *pace) noexcept nogil:
    # As HAProxy has it, a single one of the second before counts until that is over: seldom ones do not flicker.
    if pace.current == 0 and pace.before <= 1:
        return pace.before
    return pace.current + pace.parts / 1000


cdef uint64_t pace_total(worker_t *w, const uint64_t *own) noexcept nogil:
    # Over all workers: of the word that stands at `own` in this one's row.
    cdef size_t offset = <size_t>(<const uint8_t *>own - <const uint8_t *>w.row)
    cdef pace_t pace
    cdef uint64_t i
    memset(&pace, 0, sizeof(pace))
    for i in range(w.control.workers):
        pace_add(&pace, load_relaxed(<uint64_t *>(<uint8_t *>worker_row_at(w, i) + offset)), w.now_ms)
    return pace_of(&pace)
