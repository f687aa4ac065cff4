# The pool of pipes, which hold spliced bytes, and the buffers, which hold what a partial send left.
# Neither is ever shared, and both are owned by a flow only while it has bytes in flight.

cdef int pipe_open(worker_t *w) noexcept nogil:
    # The first ones are made larger: packets are filled better, which saves a fifth of the CPU of a stream. All pipes
    # of a user together may hold fs.pipe-user-pages-soft (64 MiB); beyond it a pipe holds 2 pages, and copying is
    # better than that.
    cdef pipe_pool_t *pool = &w.pool
    cdef int fds[2]
    cdef uint32_t index
    cdef int size, wanted
    if pool.free_count == 0 or pool.open_count >= pool.limit:
        return -1
    if <int64_t>(pool.open_count + w.row.counters.connections + 1) * 2 > w.descriptor_limit:
        return -1
    wanted = <int>pool.pipe_bytes if pool.pipe_bytes else PIPE_LARGE_BYTES if pool.open_count < PIPES_LARGE else 0
    size = net_pipe(fds, wanted)
    if size < 0:
        return -1
    if size < 65536 and (pool.pipe_bytes == 0 or size < wanted):
        net_close(fds[0])
        net_close(fds[1])
        return -1
    pool.free_count -= 1
    index = pool.free[pool.free_count]
    pool.pipes[index].reader = fds[0]
    pool.pipes[index].writer = fds[1]
    pool.open_count += 1
    store_relaxed(&w.row.counters.pipes, pool.open_count)
    return <int>index


cdef int pipe_take(worker_t *w) noexcept nogil:
    # Index of an empty pipe, or -1: the caller copies then.
    cdef pipe_pool_t *pool = &w.pool
    cdef int index
    if pool.idle_count:
        pool.idle_count -= 1
        index = <int>pool.idle[pool.idle_count]
        store_relaxed(&w.row.counters.pipes_idle, pool.idle_count)
    else:
        index = pipe_open(w)
    if index >= 0:
        add(&w.row.counters.pipes_taken_total, 1)
    return index


cdef void pipe_discard(worker_t *w, int index) noexcept nogil:
    cdef pipe_pool_t *pool = &w.pool
    net_close(pool.pipes[index].reader)
    net_close(pool.pipes[index].writer)
    pool.free[pool.free_count] = <uint32_t>index
    pool.free_count += 1
    pool.open_count -= 1
    store_relaxed(&w.row.counters.pipes, pool.open_count)


cdef void pipe_release(worker_t *w, int index, uint32_t pending) noexcept nogil:
    # Bytes left inside would leak into somebody else's stream: such a pipe is closed.
    cdef pipe_pool_t *pool = &w.pool
    add(&w.row.counters.pipes_returned_total, 1)
    if pending or pool.idle_count >= PIPES_IDLE_LIMIT:
        pipe_discard(w, index)
        return
    debug_assert(debug_is_empty(pool.pipes[index].reader))
    pool.idle[pool.idle_count] = <uint32_t>index
    pool.idle_count += 1
    store_relaxed(&w.row.counters.pipes_idle, pool.idle_count)


cdef int pipe_pool_init(worker_t *w, uint32_t capacity) noexcept nogil:
    cdef pipe_pool_t *pool = &w.pool
    cdef uint32_t i
    pool.pipes = <pipe_t *>calloc(capacity, sizeof(pipe_t))
    pool.idle = <uint32_t *>calloc(capacity, sizeof(uint32_t))
    pool.free = <uint32_t *>calloc(capacity, sizeof(uint32_t))
    if not pool.pipes or not pool.idle or not pool.free:
        return -ENOMEM
    pool.capacity = pool.limit = capacity
    for i in range(capacity):
        pool.free[i] = capacity - 1 - i
    pool.free_count = capacity
    return 0


cdef void pipe_pool_close(worker_t *w) noexcept nogil:
    cdef pipe_pool_t *pool = &w.pool
    while pool.idle_count:
        pool.idle_count -= 1
        pipe_discard(w, <int>pool.idle[pool.idle_count])
    store_relaxed(&w.row.counters.pipes_idle, 0)
    free(pool.pipes)
    free(pool.idle)
    free(pool.free)
    memset(pool, 0, sizeof(pipe_pool_t))


cdef uint8_t *buffer_take(worker_t *w, size_t size) noexcept nogil:
    # To measure: who stalls while a large read was half sent shall not cost a whole read's room.
    cdef uint8_t *buffer = <uint8_t *>malloc(size)
    if buffer != NULL:
        add(&w.row.counters.buffers, 1)
    return buffer


cdef void buffer_release(worker_t *w, uint8_t *buffer) noexcept nogil:
    sub(&w.row.counters.buffers, 1)
    debug_poison(buffer, malloc_usable_size(buffer))
    free(buffer)
