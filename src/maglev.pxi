# The table of "hash-type maglev": every server has the cells in an order of its own, which follows from its seed alone,
# and the servers take turns to claim the next free one of theirs (Eisenbud and others: "Maglev", NSDI 2016). Shares are
# exact to a cell, and when a server leaves, few cells move but those it had.

ctypedef struct claimant_t:
    uint64_t seed
    uint32_t weight
    uint32_t credit    # a turn is due when it reaches the greatest weight
    uint32_t at        # the next cell to look at
    uint32_t step
    uint16_t slot


cdef int claimant_compare(const void *a, const void *b) noexcept nogil:
    # Not the order of the lines: two balancers may have them differently.
    cdef uint64_t left = (<const claimant_t *>a).seed
    cdef uint64_t right = (<const claimant_t *>b).seed
    return (left > right) - (left < right)


cdef void claimant_take(claimant_t *claimant, uint16_t *cells, uint32_t count) noexcept nogil:
    cdef uint32_t at = claimant.at
    while cells[at] != NO_SLOT:
        at += claimant.step
        if at >= count:
            at -= count
    cells[at] = claimant.slot
    claimant.at = at


cdef void maglev_fill(claimant_t *claimants, uint32_t count, uint32_t greatest, uint16_t *cells,
                      uint32_t cell_count) noexcept nogil:
    cdef uint32_t taken = 0
    cdef uint32_t i
    memset(cells, 0xff, cell_count * sizeof(uint16_t))
    while True:
        for i in range(count):
            claimants[i].credit += claimants[i].weight
            if claimants[i].credit < greatest:
                continue
            claimants[i].credit -= greatest
            claimant_take(&claimants[i], cells, cell_count)
            taken += 1
            if taken == cell_count:
                return


cdef int _maglev(entries, seeds, uint16_t *cells, uint32_t cell_count) except -1:
    """Fill that many cells, a prime number so that every step visits them all, for [(slot, weight), …]."""
    cdef uint32_t count = <uint32_t>len(entries)
    cdef claimant_t *claimants = <claimant_t *>calloc(count, sizeof(claimant_t))
    cdef uint32_t i
    if claimants == NULL:
        raise MemoryError
    try:
        for i in range(count):
            claimants[i].slot, claimants[i].weight = entries[i]
            claimants[i].seed = seeds[i]
            claimants[i].at = <uint32_t>((claimants[i].seed >> 32) % cell_count)
            claimants[i].step = <uint32_t>((claimants[i].seed & 0xffffffff) % (cell_count - 1)) + 1
        qsort(claimants, count, sizeof(claimant_t), claimant_compare)
        maglev_fill(claimants, count, max([weight for _, weight in entries]), cells, cell_count)
        return 0
    finally:
        free(claimants)
