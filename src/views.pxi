# The master's view of the shared mapping: it writes the control region, and reads (never trusts) the rest.
BUILD = BUILD_NAME.decode()
LAYOUT_VERSION = LAYOUT_VERSION_C
MAX_WORKERS = MAX_WORKERS_C
MAX_FRONTENDS = MAX_FRONTENDS_C
MAX_BACKENDS = MAX_BACKENDS_C
MAX_SERVERS = MAX_SERVERS_C
HISTOGRAM_CELLS = HISTOGRAM_CELLS_C
CAUSES = tuple([(CAUSE_TEXTS[k].word.decode(), CAUSE_TEXTS[k].code.decode(), CAUSE_TEXTS[k].meaning.decode())
                for k in range(CAUSE_COUNT)])
_ENDED = tuple(f"ended_{cause}_total" for cause in range(MAX_CAUSES))
WORKER_FIELDS = (
    "pid", "heartbeat_ms", "generation", "oldest_generation", "sessions", "sessions_total", "accepts_total",
    "accept_errors_total", "accept_pauses_total", "pipes", "pipes_idle", "buffers", "bytes_copied_total",
    "bytes_spliced_total", "log_lines_total", "log_dropped_total", "stale_events_total", "turns_total",
    "pipes_taken_total", "pipes_returned_total", "local_errors_total", "sessions_closed_total", "connections",
    "kernel_sessions", "kernel_sessions_total", "bytes_kernel_total",
)
FRONTEND_FIELDS = (
    "sessions", "sessions_total", "received_bytes_total", "sent_bytes_total", "undelivered_bytes_total",
    "denied_connections_total", *_ENDED, *(f"headers_refused_{n}_total" for n in range(REFUSED_COUNT)))
BACKEND_FIELDS = (
    "sessions", "queued", "sessions_total", "queued_total", "retries_total", "redispatches_total", "no_server_total",
    *_ENDED)
SERVER_FIELDS = (
    "sessions", "connecting", "queued", "picked_total", "sessions_total", "connect_errors_total",
    "connect_timeouts_total", "local_errors_total", "retries_total", "redispatches_total", "received_bytes_total",
    "sent_bytes_total", "undelivered_bytes_total", "connect_us_total", "session_us_total", "queue_us_total",
    "closed_first_total", "last_session_us", *_ENDED)
CUT_SERVER_DOWN = CAUSE_SERVER_DOWN
CUT_SERVER_UP = CAUSE_SERVER_UP
_LATEST = SERVER_FIELDS.index("last_session_us")


cdef class Shm:
    """The master's mapping of the shared memfd. Not inherited over fork: a child that wants it maps it anew."""

    cdef shm_control *control
    cdef shm_shared *shared
    cdef uint8_t *rows
    cdef _Arena arena
    cdef uint32_t frontend_high
    cdef uint32_t backend_high
    cdef uint32_t server_high

    def __cinit__(self, int fd):
        cdef void *at = mmap(NULL, SHM_TOTAL_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0)
        if at == MAP_FAILED:
            raise OSError(errno, os.strerror(errno))
        madvise(at, SHM_TOTAL_BYTES, MADV_DONTFORK)
        self.control = <shm_control *>at
        self.shared = <shm_shared *>(<uint8_t *>at + SHM_CONTROL_BYTES)
        self.rows = <uint8_t *>at + SHM_CONTROL_BYTES + SHM_SHARED_BYTES
        self.arena = _Arena()
        self.control.magic = SHM_MAGIC
        self.control.version = LAYOUT_VERSION_C
        self.control.total_bytes = SHM_TOTAL_BYTES

    def __dealloc__(self):
        if self.control != NULL:
            munmap(self.control, SHM_TOTAL_BYTES)

    def close(self):
        """Unmap. No other method may be called afterwards."""
        if self.control != NULL:
            munmap(self.control, SHM_TOTAL_BYTES)
            self.control = NULL

    cdef worker_row *row(self, uint64_t number) noexcept:
        return <worker_row *>(self.rows + number * SHM_ROW_BYTES)

    cdef int check(self, object index, uint32_t limit) except -1:
        if self.control == NULL:
            raise ValueError("the mapping is closed")
        if not 0 <= index < limit:
            raise IndexError(index)
        return 0

    # ---- written by the master ----

    def set_worker_count(self, workers):
        """How many rows readers have to sum; never lower it while a row above still holds counters."""
        self.check(workers, MAX_WORKERS_C + 1)
        store_release(&self.control.workers, workers)

    def set_process_limit(self, maxconn, connection_rate=0, session_rate=0, rates=False):
        """Of the whole service: sessions at a time, connections and sessions a second; 0 for no limit.

        ``rates``: some rate is limited, or one of a frontend.
        """
        store_release(&self.control.maxconn, maxconn)
        store_release(&self.control.connection_rate, connection_rate)
        store_release(&self.control.session_rate, session_rate)
        store_release(&self.control.rates, 1 if rates else 0)

    def set_frontend_limit(self, slot, maxconn, rate=0):
        """Sessions at a time, and a second; 0 for no limit."""
        self.check(slot, MAX_FRONTENDS_C)
        self.frontend_high = max(self.frontend_high, slot + 1)
        store_release(&self.control.frontends[<uint32_t>slot].maxconn, maxconn)
        store_release(&self.control.frontends[<uint32_t>slot].rate, rate)

    def set_backend_fullconn(self, slot, fullconn):
        """Sessions at which the servers get their ``maxconn``; 0 where none has a ``minconn``."""
        self.check(slot, MAX_BACKENDS_C)
        store_release(&self.control.backends[<uint32_t>slot].fullconn, fullconn)

    def set_server_limit(self, slot, maxconn, minconn=0, maxqueue=0):
        """``minconn``, less than ``maxconn``, has the limit follow the load, 0 does not; ``maxqueue`` 0 is no limit."""
        self.check(slot, MAX_SERVERS_C)
        self.server_high = max(self.server_high, slot + 1)
        store_release(&self.control.servers[<uint32_t>slot].maxconn, maxconn)
        store_release(&self.control.servers[<uint32_t>slot].minconn, minconn)
        store_release(&self.control.servers[<uint32_t>slot].maxqueue, maxqueue)

    def set_server_state(self, slot, usable, weight, up=False, shown=0):
        """Whether connections may go there, by rules alone if ``up``; leastconn's weight, and that which rules see."""
        cdef uint64_t word = <uint64_t>(shown << 16 | weight) << SERVER_WEIGHT_SHIFT | SERVER_UP * bool(usable or up)
        self.check(slot, MAX_SERVERS_C)
        self.server_high = max(self.server_high, slot + 1)
        store_release(&self.control.servers[<uint32_t>slot].state, word | (SERVER_USABLE if usable else 0))

    def cut_sessions(self, slots, int cause):
        """Have all workers end the sessions of these servers: CUT_SERVER_DOWN or CUT_SERVER_UP says why.

        Those that come later are left alone. Publish states and schedules before, kick the workers afterwards.
        """
        cdef uint64_t number = self.control.cuts + 1
        for slot in slots:
            self.check(slot, MAX_SERVERS_C)
            store_relaxed(&self.control.servers[<uint32_t>slot].cut, number << CUT_ORDER_SHIFT | <uint64_t>cause)
        store_release(&self.control.cuts, number)

    def publish_schedule(self, backend, entries, shape=SHAPE_SPREAD, seeds=(), cells=0):
        """Who takes connections of a backend, as [(slot of a server, weight ≥ 1), …]; empty for nobody.

        Shape 0: the turns are spread as evenly as they can be. 1: as in HAProxy's map for ``balance source`` (up to 64
        million servers × cells; beyond, the map would take the master too long and is spread, too). 2: a hash ring,
        with a seed for each entry; up to a million nodes, beyond it fewer for each server. 3: a Maglev table of that
        many cells, a prime, from seeds.
        """
        self.check(backend, MAX_BACKENDS_C)
        self.backend_high = max(self.backend_high, backend + 1)
        publish_weights(self.control, backend, entries)
        if shape == SHAPE_RING and entries:
            publish_ring(self.control, self.arena, backend, entries, seeds)
        elif shape == SHAPE_MAGLEV and entries:
            publish_maglev(self.control, self.arena, backend, entries, seeds, cells)
        else:
            order = _order(entries, shape == SHAPE_INTERLEAVED) if entries else []
            publish_list(self.control, self.arena, backend, order)

    def drop_schedule(self, backend):
        """The backend's slot is given up."""
        self.check(backend, MAX_BACKENDS_C)
        store_release(&self.control.backends[<uint32_t>backend].schedule, 0)
        self.arena.release(backend)

    # ---- read by the master ----

    def schedule(self, backend):
        """The published order of a backend's servers, as slots."""
        cdef uint64_t word
        self.check(backend, MAX_BACKENDS_C)
        word = load_acquire(&self.control.backends[<uint32_t>backend].schedule)
        return [self.control.arena[(word >> 32) + k] for k in range(word & SCHEDULE_LENGTH)]

    def heartbeat_ms(self, worker):
        """CLOCK_MONOTONIC of the worker's last turn, in ms; 0 before the first."""
        self.check(worker, MAX_WORKERS_C)
        return load_relaxed(&self.row(worker).counters.heartbeat_ms)

    def generation(self, worker):
        self.check(worker, MAX_WORKERS_C)
        return load_relaxed(&self.row(worker).counters.generation)

    def oldest_generation(self, worker):
        """The oldest plan that a session or listener of the worker still refers to; 0 for none."""
        self.check(worker, MAX_WORKERS_C)
        return load_relaxed(&self.row(worker).counters.oldest_generation)

    def worker(self, worker):
        """One worker's counters, in the order of WORKER_FIELDS."""
        cdef uint64_t *words
        self.check(worker, MAX_WORKERS_C)
        words = <uint64_t *>&self.row(worker).counters
        return tuple([load_relaxed(&words[k]) for k in range(len(WORKER_FIELDS))])

    def row_range(self, worker):
        """(offset, bytes) of what a worker alone writes in the memfd: whatever it holds must not harm a reader."""
        self.check(worker, MAX_WORKERS_C)
        return (<uint8_t *>self.row(worker) - <uint8_t *>self.control, SHM_ROW_BYTES)

    cdef tuple total(self, size_t offset, uint32_t fields):
        cdef uint64_t sums[96]
        cdef uint64_t *words
        cdef uint64_t number
        cdef uint32_t k
        memset(sums, 0, sizeof(sums))
        for number in range(min(self.control.workers, MAX_WORKERS_C)):
            words = <uint64_t *>(<uint8_t *>self.row(number) + offset)
            for k in range(fields):
                sums[k] += load_relaxed(&words[k])
        return tuple([sums[k] for k in range(fields)])

    def frontends(self, slots):
        """Sums over all workers, in the order of FRONTEND_FIELDS, for each slot."""
        rows = []
        for slot in slots:
            self.check(slot, MAX_FRONTENDS_C)
            rows.append(self.total(
                <size_t>(<uint8_t *>&self.row(0).frontends[<uint32_t>slot] - <uint8_t *>self.row(0)),
                <uint32_t>len(FRONTEND_FIELDS)))
        return rows

    def backends(self, slots):
        """Sums over all workers, in the order of BACKEND_FIELDS, for each slot."""
        rows = []
        for slot in slots:
            self.check(slot, MAX_BACKENDS_C)
            rows.append(self.total(
                <size_t>(<uint8_t *>&self.row(0).backends[<uint32_t>slot] - <uint8_t *>self.row(0)),
                <uint32_t>len(BACKEND_FIELDS)))
        return rows

    def servers(self, slots):
        """Sums over all workers, in the order of SERVER_FIELDS, for each slot; last_session_us is the latest one."""
        cdef uint64_t number, latest
        rows = []
        for slot in slots:
            self.check(slot, MAX_SERVERS_C)
            sums = list(self.total(
                <size_t>(<uint8_t *>&self.row(0).servers[<uint32_t>slot] - <uint8_t *>self.row(0)),
                <uint32_t>len(SERVER_FIELDS)))
            latest = 0
            for number in range(min(self.control.workers, MAX_WORKERS_C)):
                latest = max(latest, load_relaxed(&self.row(number).servers[<uint32_t>slot].last_session_us))
            sums[_LATEST] = latest
            rows.append(tuple(sums))
        return rows

    def ports(self, slots):
        """What a server's ports follow from: (sessions, closed_first_total), sums over all workers, for each slot."""
        cdef uint64_t number, sessions, closed
        cdef server_row *row
        rows = []
        for slot in slots:
            self.check(slot, MAX_SERVERS_C)
            sessions = closed = 0
            for number in range(min(self.control.workers, MAX_WORKERS_C)):
                row = &self.row(number).servers[<uint32_t>slot]
                sessions += load_relaxed(&row.sessions)
                closed += load_relaxed(&row.closed_first_total)
            rows.append((sessions, closed))
        return rows

    cdef tuple cells(self, uint32_t slot, bint connect):
        cdef uint64_t sums[128]
        cdef uint64_t *cells
        cdef uint64_t number
        cdef uint32_t k
        memset(sums, 0, sizeof(sums))
        for number in range(min(self.control.workers, MAX_WORKERS_C)):
            if connect:
                cells = &self.row(number).servers[slot].connect_cells[0]
            else:
                cells = &self.row(number).servers[slot].session_cells[0]
            for k in range(HISTOGRAM_CELLS_C):
                sums[k] += load_relaxed(&cells[k])
        return tuple([sums[k] for k in range(HISTOGRAM_CELLS_C)])

    def histograms(self, slots):
        """For each server's slot: (cells of the connect time, cells of the session time)."""
        for slot in slots:
            self.check(slot, MAX_SERVERS_C)
        return [(self.cells(slot, True), self.cells(slot, False)) for slot in slots]

    # ---- a worker that died, a slot that is free again ----

    def reap(self, worker):
        """After waitpid: keep the dead worker's counters, zero its gauges, clear its marks.

        Its sessions are counted as ended by the loss of their worker. Returns what was lost, by gauge.
        """
        cdef worker_row *row
        cdef uint64_t bit
        self.check(worker, MAX_WORKERS_C)
        row = self.row(worker)
        bit = <uint64_t>1 << <uint32_t>worker
        lost = {"sessions": row.counters.connections, "pipes": row.counters.pipes}
        self.reap_counters(row)
        fetch_and(&self.shared.paused, ~bit)
        self.reap_frontends(row, bit)
        self.reap_backends(row, bit)
        self.reap_servers(row)
        return lost

    cdef void reap_counters(self, worker_row *row):
        row.counters.sessions_closed_total += row.counters.connections
        row.counters.pipes_returned_total = row.counters.pipes_taken_total
        row.counters.pid = 0
        row.counters.heartbeat_ms = 0
        row.counters.generation = 0
        row.counters.oldest_generation = 0
        row.counters.sessions = 0
        row.counters.connections = 0
        row.counters.pipes = 0
        row.counters.pipes_idle = 0
        row.counters.buffers = 0
        row.counters.kernel_sessions = 0

    cdef void reap_frontends(self, worker_row *row, uint64_t bit):
        cdef uint32_t slot
        for slot in range(self.frontend_high):
            row.frontends[slot].ended_total[<int>CAUSE_WORKER_LOST] += row.frontends[slot].sessions
            row.frontends[slot].sessions = 0
            fetch_and(&self.shared.frontends[slot].paused, ~bit)

    cdef void reap_backends(self, worker_row *row, uint64_t bit):
        cdef uint32_t slot
        for slot in range(self.backend_high):
            row.backends[slot].ended_total[<int>CAUSE_WORKER_LOST] += row.backends[slot].sessions
            row.backends[slot].sessions = 0
            row.backends[slot].queued = 0
            row.queue_heads[slot] = 0
            fetch_and(&self.shared.backends[slot].waiting, ~bit)

    cdef void reap_servers(self, worker_row *row):
        cdef uint32_t slot
        for slot in range(self.server_high):
            row.servers[slot].ended_total[<int>CAUSE_WORKER_LOST] += row.servers[slot].sessions
            row.servers[slot].sessions = 0
            row.servers[slot].connecting = 0
            row.servers[slot].queued = 0
            row.server_load[slot] = 0
            row.queue_heads[MAX_BACKENDS_C + slot] = 0

    def clear_frontend(self, slot):
        """The slot is free: its counters in every row go back to 0."""
        cdef uint64_t number
        self.check(slot, MAX_FRONTENDS_C)
        for number in range(min(self.control.workers, MAX_WORKERS_C)):
            memset(&self.row(number).frontends[<uint32_t>slot], 0, sizeof(frontend_row))
        self.control.frontends[<uint32_t>slot].maxconn = 0
        self.control.frontends[<uint32_t>slot].rate = 0
        self.shared.frontends[<uint32_t>slot].rate = 0
        self.shared.frontends[<uint32_t>slot].lines = 0

    def clear_backend(self, slot):
        cdef uint64_t number
        self.check(slot, MAX_BACKENDS_C)
        for number in range(min(self.control.workers, MAX_WORKERS_C)):
            memset(&self.row(number).backends[<uint32_t>slot], 0, sizeof(backend_row))
        self.control.backends[<uint32_t>slot].fullconn = 0

    def clear_server(self, slot):
        cdef uint64_t number
        self.check(slot, MAX_SERVERS_C)
        for number in range(min(self.control.workers, MAX_WORKERS_C)):
            memset(&self.row(number).servers[<uint32_t>slot], 0, sizeof(server_row))
        memset(&self.control.servers[<uint32_t>slot], 0, sizeof(server_control))
        memset(&self.shared.servers[<uint32_t>slot], 0, sizeof(server_shared))

    # ---- log rings ----

    def drain_log(self, worker, limit=4096):
        """Take up to ``limit`` lines out of a worker's ring.

        [(level, kind, frontend slot, time in us, text, structured data of RFC 5424), …]

        A ring whose contents make no sense (its worker may be compromised) is emptied.
        """
        cdef worker_row *row
        cdef uint64_t head, tail, at
        cdef log_record *record
        cdef log_record copy
        self.check(worker, MAX_WORKERS_C)
        row = self.row(worker)
        head = load_acquire(&row.log_head)
        tail = self.control.log_tails[<uint32_t>worker].bytes
        lines = []
        if head - tail > LOG_RING_BYTES or head % 16:
            tail = head
        while tail != head and len(lines) < limit:
            at = tail % LOG_RING_BYTES
            record = <log_record *>(&row.log_ring[0] + at)
            memcpy(&copy, record, sizeof(copy))
            if copy.size == 0:
                tail += LOG_RING_BYTES - at
            elif copy.size > LOG_LINE_BYTES or at + sizeof(copy) + copy.size > LOG_RING_BYTES:
                tail = head
            else:
                data = min(copy.data_size, copy.size)
                lines.append((copy.level, copy.kind, copy.frontend, copy.time_us,
                              (<char *>(record + 1))[data:copy.size], (<char *>(record + 1))[:data]))
                tail += sizeof(copy) + ((<uint32_t>copy.size + 15) & ~<uint32_t>15)
            if head - tail > LOG_RING_BYTES:
                tail = head
        store_release(&self.control.log_tails[<uint32_t>worker].bytes, tail)
        return lines
