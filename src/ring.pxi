# The hash ring of "hash-type consistent", as HAProxy has it: 16 nodes for each unit of a server's weight, at positions
# that follow from the server alone, so that what the others had stays theirs when it comes or goes.

cdef int node_compare(const void *a, const void *b) noexcept nogil:
    cdef uint64_t left = (<const uint64_t *>a)[0]
    cdef uint64_t right = (<const uint64_t *>b)[0]
    return (left > right) - (left < right)


cdef void ring_nodes(uint64_t *nodes, uint64_t tail, uint64_t seed, uint64_t count) noexcept nogil:
    # The upper half of a seed is 0 for a server that is known by its id: that is HAProxy's position.
    cdef uint64_t n
    for n in range(count):
        nodes[n] = <uint64_t>(hash_avalanche(<uint32_t>(seed + n)) ^ <uint32_t>(seed >> 32)) << 32 | tail


cdef uint64_t *_ring(entries, seeds, uint64_t *length) except NULL:
    # Position << 32 | number of the entry << 16 | slot, in ascending order, for [(slot, weight), …]. To be freed.
    cdef uint64_t *nodes
    cdef uint64_t total, at = 0
    counts = [weight * RING_NODES for _, weight in entries]
    total = sum(counts)
    if total > RING_LIMIT:
        counts = [max(count * RING_LIMIT // total, 1) for count in counts]
        total = sum(counts)
    nodes = <uint64_t *>malloc(total * sizeof(uint64_t))
    if nodes == NULL:
        raise MemoryError
    for entry, (count, seed) in enumerate(zip(counts, seeds)):
        ring_nodes(nodes + at, <uint64_t>entry << 16 | <uint64_t>entries[entry][0], seed, count)
        at += count
    qsort(nodes, at, sizeof(uint64_t), node_compare)
    length[0] = at
    return nodes
