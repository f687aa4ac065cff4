# Engine: the worker's side as Python sees it.

RUN_CONTROL = RUN_IS_CONTROL
RUN_DRAINED = RUN_IS_DRAINED
RUN_TIMEOUT = RUN_IS_TIMEOUT


cdef object _os_error(int error):
    return OSError(error, os.strerror(error))


cdef class Engine:
    """The epoll loop of one worker. Not thread-safe; every method is called from the worker's only thread."""

    cdef worker_t *w

    def __cinit__(self, int shm_fd, int worker, int control_fd, kick_fds, int master_fd, int max_sessions,
                  int nofile):
        cdef worker_t *w
        if not 0 <= worker < MAX_WORKERS_C or max_sessions < 1:
            raise ValueError("worker or max_sessions out of range")
        w = <worker_t *>calloc(1, sizeof(worker_t))
        if w == NULL:
            raise MemoryError
        self.w = w
        w.number = worker
        debug_start(worker)
        w.epoll = -1
        w.control_fd = control_fd
        w.master_fd = master_fd
        w.descriptor_limit = nofile
        w.resume_ms = NEVER
        w.ready_first = w.ready_last = NO_INDEX
        w.log_second = -1
        w.random = int.from_bytes(os.urandom(8), "little")
        memset(w.wheel, 0xff, sizeof(w.wheel))
        memset(w.queue_first, 0xff, sizeof(w.queue_first))
        memset(w.queue_last, 0xff, sizeof(w.queue_last))
        self.map(shm_fd)
        self.set_kick_fds(kick_fds)
        self.allocate(max_sessions)
        self.open_epoll()
        w.row.counters.pid = getpid()
        w.cuts_done = w.cuts_going = load_acquire(&w.control.cuts)
        w.wheel_tick = net_clock_us(CLOCK_MONOTONIC) / 1000 / WHEEL_TICK_MS
        loop_clock(w)
        w.started_us = w.now_us

    cdef int map(self, int shm_fd) except -1:
        # All of it through a descriptor that cannot write, which mprotect() cannot undo; writable are the shared words
        # and this worker's own row.
        cdef int reader = os.open(f"/proc/self/fd/{shm_fd}", os.O_RDONLY | os.O_CLOEXEC)
        cdef uint64_t row_at = SHM_CONTROL_BYTES + SHM_SHARED_BYTES + self.w.number * SHM_ROW_BYTES
        try:
            self.w.control = <shm_control *>self.map_part(reader, 0, SHM_TOTAL_BYTES, PROT_READ)
        finally:
            os.close(reader)
        self.w.rows = <uint8_t *>self.w.control + SHM_CONTROL_BYTES + SHM_SHARED_BYTES
        self.w.shared = <shm_shared *>self.map_part(
            shm_fd, SHM_CONTROL_BYTES, SHM_SHARED_BYTES, PROT_READ | PROT_WRITE)
        self.w.row = <worker_row *>self.map_part(shm_fd, row_at, SHM_ROW_BYTES, PROT_READ | PROT_WRITE)
        if self.w.control.magic != SHM_MAGIC or self.w.control.version != LAYOUT_VERSION_C:
            raise ValueError("the shared memory is of another version of fastlb")
        return 0

    cdef void *map_part(self, int fd, uint64_t offset, uint64_t size, int protection) except NULL:
        cdef void *at = mmap(NULL, size, protection, MAP_SHARED | MAP_NORESERVE, fd, offset)
        if at == MAP_FAILED:
            raise _os_error(errno)
        return at

    cdef int allocate(self, uint32_t max_sessions) except -1:
        # Sessions are mapped, not malloced: untouched ones cost nothing.
        cdef worker_t *w = self.w
        cdef uint32_t i
        cdef void *at = mmap(NULL, max_sessions * SESSION_BYTES, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        if at == MAP_FAILED:
            raise _os_error(errno)
        w.sessions = <session_t *>at
        w.colds = <cold_t *>(w.sessions + max_sessions)
        w.headers = <header_t *>(w.colds + max_sessions)
        w.session_limit = max_sessions
        w.free_sessions = <uint32_t *>malloc(max_sessions * sizeof(uint32_t))
        if w.free_sessions == NULL or pipe_pool_init(w, max_sessions * 2) < 0:
            raise MemoryError
        for i in range(max_sessions):
            w.free_sessions[i] = max_sessions - 1 - i
        w.free_count = max_sessions
        return 0

    cdef int open_epoll(self) except -1:
        cdef worker_t *w = self.w
        w.epoll = epoll_create1(EPOLL_CLOEXEC)
        if w.epoll == -1:
            raise _os_error(errno)
        if (net_watch(w.epoll, w.control_fd, EPOLLIN, EVENT_CONTROL) < 0
                or net_watch(w.epoll, w.kick_fd, EPOLLIN, EVENT_KICK) < 0):
            raise _os_error(errno)
        return 0

    def use_kernel(self, cookies, entries, sinks, sources, ring, int slots, int64_t ring_bytes):
        """Have the kernel forward chatty sessions where the plan says so, by these maps (see fastlb.kernelsplice).

        The descriptors stay the caller's, to keep open; that of the entries is needed no more. OSError when they cannot
        be mapped.
        """
        cdef worker_t *w = self.w
        cdef kernel_t *kernel = <kernel_t *>calloc(1, sizeof(kernel_t))
        if kernel == NULL:
            raise MemoryError
        w.kernel = kernel
        kernel.slots = min(<uint32_t>slots, w.session_limit)
        kernel.cookies, kernel.sinks, kernel.sources, kernel.ring_fd = cookies, sinks, sources, ring
        kernel.ring_bytes = ring_bytes
        kernel.sides = <kernel_side_t *>calloc(<size_t>slots * 2, sizeof(kernel_side_t))
        if kernel.sides == NULL:
            raise MemoryError
        kernel.entries_bytes = <uint64_t>slots * 2 * sizeof(kernel_entry)
        kernel.entries = <kernel_entry *>self.map_part(entries, 0, kernel.entries_bytes, PROT_READ | PROT_WRITE)
        kernel.consumed = <uint64_t *>self.map_part(ring, 0, PAGE_BYTES, PROT_READ | PROT_WRITE)
        kernel.produced = <uint64_t *>self.map_part(ring, PAGE_BYTES, PAGE_BYTES + 2 * ring_bytes, PROT_READ)
        kernel.ring = <uint8_t *>kernel.produced + PAGE_BYTES
        if net_watch(w.epoll, ring, EPOLLIN, EVENT_RING) < 0:
            raise _os_error(errno)

    def use_tables(self, int fd):
        """Have sessions use the stick tables of this memfd (see tables_create), which stays the caller's.

        Before that a plan with tables is refused. What a worker before this one, with the same number, still holds
        there is given back. OSError when it cannot be mapped, ValueError for a memfd of another version.
        """
        cdef worker_t *w = self.w
        cdef int reader = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC)
        cdef table_directory *directory
        try:
            directory = <table_directory *>self.map_part(reader, 0, TABLE_DIRECTORY_BYTES, PROT_READ)
        finally:
            os.close(reader)
        if directory.magic != TABLE_MAGIC | LAYOUT_VERSION_C:
            munmap(directory, TABLE_DIRECTORY_BYTES)
            raise ValueError("the stick tables are of another version of fastlb")
        w.tables.memory = <uint8_t *>self.map_part(
            fd, TABLE_DIRECTORY_BYTES, TABLE_TOTAL_BYTES - TABLE_DIRECTORY_BYTES, PROT_READ | PROT_WRITE
        ) - TABLE_DIRECTORY_BYTES
        w.tables.directory = directory
        w.tables.owner = w.number + 1
        w.tables.patience_us = TABLE_PATIENCE_US
        loop_clock(w)
        table_give_back_all(tables_now(w), w.number)

    def set_kick_fds(self, fds):
        """Event descriptors of all workers, by number; this worker's own among them."""
        cdef int *copy
        if len(fds) <= self.w.number or len(fds) > MAX_WORKERS_C:
            raise ValueError("kick_fds must include this worker's own")
        copy = <int *>calloc(MAX_WORKERS_C, sizeof(int))
        if copy == NULL:
            raise MemoryError
        for i, fd in enumerate(fds):
            copy[i] = fd
        free(self.w.kick_fds)
        self.w.kick_fds = copy
        self.w.kick_count = <uint32_t>len(fds)
        self.w.kick_fd = copy[self.w.number]

    cdef plan_t *find(self, uint64_t generation) noexcept:
        cdef plan_t *plan = self.w.plans
        while plan != NULL and plan.header.generation != generation:
            plan = plan.next
        return plan

    def prepare(self, int plan_fd):
        """Map a compiled plan; returns its generation. ValueError for bytes that are none, OSError from mmap."""
        cdef plan_t *plan = NULL
        cdef int rc = plan_map(self.w, plan_fd, &plan)
        if rc == -EINVAL:
            raise ValueError("not a compiled plan of this version of fastlb")
        if rc < 0:
            raise _os_error(-rc)
        return plan.header.generation

    def commit(self, generation):
        """New sessions use this prepared plan. Prepared ones that are passed over are unmapped. KeyError if unknown."""
        cdef plan_t *plan = self.find(generation)
        cdef plan_t *other
        cdef plan_t *following
        if plan == NULL:
            raise KeyError(generation)
        if plan == self.w.plan:
            return
        other = self.w.plans
        while other != NULL:
            following = other.next
            if other != plan and (other == self.w.plan or other.header.generation > self.current()):
                plan_release(self.w, other)
            other = following
        self.w.plan = plan
        plan_publish(self.w)

    cdef uint64_t current(self) noexcept:
        return 0 if self.w.plan == NULL else self.w.plan.header.generation

    def adopt(self, uint32_t socket_id, int fd, bint shared):
        """Own a listening descriptor. It is accepted from once serve() names it."""
        cdef listener_t *listener = self.free_listener()
        if listener == NULL:
            raise MemoryError
        memset(listener, 0, sizeof(listener_t))
        listener.fd = fd
        listener.socket_id = socket_id
        listener.shared = shared
        listener.used = 1
        listener.batch = 4

    cdef listener_t *free_listener(self) noexcept:
        cdef worker_t *w = self.w
        cdef listener_t *grown
        cdef uint32_t i
        cdef uint32_t count
        for i in range(w.listener_count):
            if not w.listeners[i].used:
                return &w.listeners[i]
        # epoll refers to listeners by index, so moving them is safe.
        count = max(w.listener_count * 2, 16)
        grown = <listener_t *>calloc(count, sizeof(listener_t))
        if grown == NULL:
            return NULL
        if w.listener_count:
            memcpy(grown, w.listeners, w.listener_count * sizeof(listener_t))
        free(w.listeners)
        w.listeners = grown
        i = w.listener_count
        w.listener_count = count
        return &w.listeners[i]

    def serve(self, sockets):
        """Accept from exactly these adopted sockets, [(socket id, bind of the committed plan), …].

        Others are retired: their queue is served, then they are closed. KeyError for a socket that was not adopted or
        a bind the plan lacks; nothing has changed then.
        """
        cdef worker_t *w = self.w
        cdef uint32_t i
        cdef dict wanted = dict(sockets)
        if w.plan == NULL:
            raise ValueError("no plan is committed")
        for bind in wanted.values():
            if plan_bind_at(w.plan, bind) == NULL:
                raise KeyError(bind)
        known = {w.listeners[i].socket_id for i in range(w.listener_count) if w.listeners[i].used}
        for socket_id in wanted.keys() - known:
            raise KeyError(socket_id)
        loop_clock(w)
        for i in range(w.listener_count):
            if w.listeners[i].used:
                self.assign(&w.listeners[i], wanted.get(w.listeners[i].socket_id))

    cdef int assign(self, listener_t *listener, bind) except -1:
        cdef worker_t *w = self.w
        cdef plan_t *previous = listener.plan
        if bind is None:
            if listener.plan != NULL:
                listen_retire(w, listener)
            else:
                net_close(listener.fd)
                listener.used = 0
            return 0
        if previous != NULL:
            listen_mark(w, listener.frontend, False)
        listener.plan = w.plan
        listener.plan.references += 1
        listener.bind = plan_bind_at(w.plan, bind)
        listener.frontend = plan_frontend_of(w.plan, listener.bind)
        plan_release(w, previous)
        listener.serving = 1
        listen_poll(w, listener)
        return 0

    def drain(self):
        """Stop accepting; run() returns RUN_DRAINED once no session is left."""
        self.w.draining = 1
        if self.w.plan != NULL:
            self.serve(())

    def set_busy_polling(self, bint on):
        """Whether run() keeps its CPU busy while it waits, and so hears of events without the delay of waking up."""
        self.w.busy_polling = on

    def set_pipes(self, uint32_t limit, uint32_t pipe_bytes):
        """Pipes to have open at most, 0 for none: bytes are copied then. ``pipe_bytes`` 0: the engine's judgement."""
        self.w.pool.limit = limit
        self.w.pool.pipe_bytes = pipe_bytes

    def run(self, int64_t timeout_ms=-1):
        """Serve until Python is needed: RUN_CONTROL, RUN_DRAINED or RUN_TIMEOUT. -1 waits without limit."""
        cdef worker_t *w = self.w
        cdef uint64_t deadline_ms
        cdef int reason
        loop_clock(w)
        deadline_ms = NEVER if timeout_ms < 0 else w.now_ms + <uint64_t>timeout_ms
        with nogil:
            reason = loop_run(w, deadline_ms)
        return reason

    def sessions(self):
        """Sessions that have not ended yet."""
        return self.w.row.counters.connections

    def close(self):
        """Cut every session and stop listening, without serving the queues."""
        cdef worker_t *w = self.w
        cdef uint32_t i
        for i in range(w.listener_count):
            if w.listeners[i].used:
                listen_unpoll(w, &w.listeners[i])
                net_close(w.listeners[i].fd)
                if w.listeners[i].plan != NULL:
                    listen_mark(w, w.listeners[i].frontend, False)
                plan_release(w, w.listeners[i].plan)
                w.listeners[i].used = 0
        for i in range(w.session_limit if w.row.counters.connections else 0):
            if w.sessions[i].state != SESSION_FREE:
                session_close(w, &w.sessions[i], CAUSE_SHUTDOWN)
        log_flush(w)
        if w.log_waiting:
            net_kick(w.master_fd)

    def balance_sheet(self):
        """What is taken and not yet given back: all 0 in a worker at rest. For tests."""
        cdef worker_t *w = self.w
        cdef uint32_t i, plans = 0
        cdef plan_t *plan = w.plans
        while plan != NULL:
            plans += 1
            plan = plan.next
        return {
            "sessions": w.session_limit - w.free_count,
            "pipes": w.pool.open_count - w.pool.idle_count,
            "buffers": w.row.counters.buffers,
            "queued": w.queued_sessions,
            "kernel": w.row.counters.kernel_sessions,
            "old_plans": plans - (1 if w.plan != NULL else 0),
            "timers": sum([1 for i in range(w.session_limit) if w.sessions[i].state != SESSION_FREE
                           and w.sessions[i].timer_tick != NO_INDEX]) if w.free_count != w.session_limit else 0,
        }

    def __dealloc__(self):
        cdef worker_t *w = self.w
        if w == NULL:
            return
        if w.row != NULL:
            pipe_pool_close(w)
        if w.epoll >= 0:
            close(w.epoll)
        w.plan = NULL
        while w.plans != NULL:
            w.plans.references = 1
            plan_release(w, w.plans)
        if w.sessions != NULL:
            munmap(w.sessions, w.session_limit * SESSION_BYTES)
        if w.kernel != NULL:
            kernel_free(w.kernel)
        if w.tables.directory != NULL:
            munmap(<void *>w.tables.directory, TABLE_DIRECTORY_BYTES)
            munmap(w.tables.memory + TABLE_DIRECTORY_BYTES, TABLE_TOTAL_BYTES - TABLE_DIRECTORY_BYTES)
        if w.control != NULL:
            munmap(w.control, SHM_TOTAL_BYTES)
        if w.shared != NULL:
            munmap(w.shared, SHM_SHARED_BYTES)
        if w.row != NULL:
            munmap(w.row, SHM_ROW_BYTES)
        free(w.free_sessions)
        free(w.listeners)
        free(w.kick_fds)
        free(w)
