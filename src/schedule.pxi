# The order in which the servers of a backend take their turns, and where it stands in the shared memory.
from math import gcd as _gcd


ctypedef struct spread_t:
    uint64_t position
    uint32_t order


cdef int spread_compare(const void *a, const void *b) noexcept nogil:
    cdef spread_t *left = <spread_t *>a
    cdef spread_t *right = <spread_t *>b
    if left.position != right.position:
        return 1 if left.position > right.position else -1
    return 1 if left.order > right.order else -1


cdef void spread_fill(spread_t *cells, const uint32_t *weights, uint32_t count, uint64_t total) noexcept nogil:
    # The k-th turn of a server of weight v stands at (k + 1/2) / v of the cycle: as even as it can be.
    cdef uint64_t at = 0
    cdef uint64_t turn
    cdef uint32_t i
    for i in range(count):
        for turn in range(weights[i]):
            cells[at].position = ((2 * turn + 1) << 40) / (2 * weights[i])
            cells[at].order = i
            at += 1
    qsort(cells, total, sizeof(spread_t), spread_compare)


cdef void interleave_fill(spread_t *cells, const uint32_t *weights, int64_t *scores, uint32_t count,
                          uint64_t total) noexcept nogil:
    # HAProxy's map for "balance source": at each step every server gains its weight; the first whose score, counted in
    # whole cycles, is the highest takes the cell and pays a cycle. The same client thus meets the same server.
    cdef uint64_t at
    cdef uint32_t i, best
    cdef int64_t rank, best_rank
    for at in range(total):
        best = 0
        best_rank = -1
        for i in range(count):
            scores[i] += weights[i]
            rank = (scores[i] + <int64_t>total) / <int64_t>total
            if rank > best_rank:
                best, best_rank = i, rank
        scores[best] -= <int64_t>total
        cells[at].order = best


def _order(entries, interleaved):
    """Slots in the order of their turns, for [(slot, weight), …]: each weight's share exact after one cycle."""
    cdef uint32_t *weights
    cdef int64_t *scores
    cdef spread_t *cells
    cdef uint64_t total
    divisor = _gcd(*(weight for _, weight in entries))
    reduced = [weight // divisor for _, weight in entries]
    total = sum(reduced)
    weights = <uint32_t *>malloc(len(reduced) * sizeof(uint32_t))
    scores = <int64_t *>calloc(len(reduced), sizeof(int64_t))
    cells = <spread_t *>malloc(total * sizeof(spread_t))
    try:
        if not weights or not scores or not cells:
            raise MemoryError
        for i, weight in enumerate(reduced):
            weights[i] = weight
        if interleaved and total * len(reduced) <= INTERLEAVE_LIMIT:
            interleave_fill(cells, weights, scores, <uint32_t>len(reduced), total)
        else:
            spread_fill(cells, weights, <uint32_t>len(reduced), total)
        return [entries[cells[k].order][0] for k in range(total)]
    finally:
        free(weights)
        free(scores)
        free(cells)


cdef class _Arena:
    """Places for schedules: each backend has two of the same size and writes into the one not in use."""

    cdef uint64_t end
    cdef dict spare
    cdef dict places

    def __cinit__(self):
        self.end = 0
        self.spare = {}
        self.places = {}

    cdef uint64_t take(self, uint64_t size) except? 0xffffffffffffffff:
        spare = self.spare.get(size)
        if spare:
            return spare.pop()
        if self.end + size > ARENA_ENTRIES:
            raise MemoryError("no room for another schedule")
        self.end += size
        return self.end - size

    def place(self, backend, length):
        """Offset to write a schedule of that length to."""
        size = 16
        while size < length:
            size *= 2
        have = self.places.get(backend)
        if have is None or have[0] < size:
            self.release(backend)
            have = self.places[backend] = [size, self.take(size), self.take(size)]
        have[1], have[2] = have[2], have[1]
        return have[1]

    def release(self, backend):
        have = self.places.pop(backend, None)
        if have is not None:
            self.spare.setdefault(have[0], []).extend(have[1:])
