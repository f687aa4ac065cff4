# The master's side of the stick tables: it makes them, reads them (and trusts nothing in them), and cleans up.
MAX_TABLES = MAX_TABLES_C
TABLE_BYTES = TABLE_REGIONS_BYTES


cdef object _shape_of(table_shape *made, kind, key_bytes, size, stored):
    # Everything but where it is. Returns the bytes of all of it.
    cdef uint64_t buckets = 1
    cdef uint32_t words = 0
    memset(made, 0, sizeof(table_shape))
    memset(made.at, 0xff, sizeof(uint16_t) * DATA_COUNT_C)
    for data, count, is_rate in stored:
        if not 0 <= data < DATA_COUNT_C:
            raise IndexError(data)
        made.at[<uint32_t>data] = words
        made.count[<uint32_t>data] = count
        made.period_ms[<uint32_t>data] = is_rate  # until configure() says which
        words += (TABLE_RATE_WORDS if is_rate else 1) * <uint32_t>count
    while buckets < size:
        buckets *= 2
    made.kind, made.key_bytes, made.size = kind, key_bytes, size
    made.bucket_mask = <uint32_t>(buckets - 1)
    made.key_at = sizeof(table_entry) + 8 * words
    made.entry_bytes = (made.key_at + made.key_bytes + 7) & ~<uint32_t>7
    made.entries_at = TABLE_HEAD_BYTES + 8 * ((buckets + 1) // 2)
    needed = made.entries_at + <uint64_t>made.size * made.entry_bytes
    return (needed + PAGE_BYTES - 1) & ~<uint64_t>(PAGE_BYTES - 1)


def table_bytes(kind, key_bytes, size, stored):
    """Bytes of memory that a stick table of this shape may take, a multiple of the page size.

    ``kind`` and what is ``stored``, [(what, how many, whether it is a rate), …], are numbers of src/table.h.
    """
    cdef table_shape made
    return _shape_of(&made, kind, key_bytes, size, stored)


def tables_create():
    """Create the memfd of all stick tables of a service (sparse: untouched pages cost nothing).

    OSError when the kernel refuses. The descriptor is close-on-exec and the caller's to close.
    """
    cdef int fd = memfd_create(b"fastlb-tables", MFD_CLOEXEC | MFD_ALLOW_SEALING)
    if fd == -1:
        raise OSError(errno, os.strerror(errno))
    if ftruncate(fd, TABLE_TOTAL_BYTES) == -1 or fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) == -1:
        error = errno
        os.close(fd)
        raise OSError(error, os.strerror(error))
    return fd


def tables_die_after(uint64_t steps):
    """Debug builds: this process kills itself before that step of its changes to stick tables. For tests."""
    table_die_after(steps)


cdef class Tables:
    """The master's mapping of the stick tables. Not inherited over fork: a child that wants it maps it anew."""

    cdef tables_t t
    cdef int fd

    def __cinit__(self, int fd):
        cdef void *at = mmap(NULL, TABLE_TOTAL_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0)
        cdef table_directory *directory = <table_directory *>at
        if at == MAP_FAILED:
            raise OSError(errno, os.strerror(errno))
        madvise(at, TABLE_TOTAL_BYTES, MADV_DONTFORK)
        self.fd = fd
        self.t.memory = <uint8_t *>at
        self.t.directory = directory
        self.t.owner = TABLE_MASTER
        self.t.patience_us = TABLE_MASTER_PATIENCE_US
        if directory.magic == 0:
            directory.seed = int.from_bytes(os.urandom(8), "little") | 1
            directory.magic = TABLE_MAGIC | LAYOUT_VERSION_C

    def __dealloc__(self):
        self.close()

    def close(self):
        """Unmap. No other method may be called afterwards."""
        if self.t.memory != NULL:
            munmap(self.t.memory, TABLE_TOTAL_BYTES)
            self.t.memory = NULL

    cdef table_shape *shape(self, slot) except NULL:
        if self.t.memory == NULL:
            raise ValueError("the mapping is closed")
        if not 0 <= slot < MAX_TABLES_C:
            raise IndexError(slot)
        return &(<table_directory *>self.t.memory).shapes[<uint32_t>slot]

    def make(self, slot, offset, kind, key_bytes, size, stored):
        """An empty table in that slot, ``offset`` bytes behind the start of all regions: see table_bytes()."""
        cdef table_shape made
        needed = _shape_of(&made, kind, key_bytes, size, stored)
        if not 0 <= offset <= TABLE_BYTES - needed:
            raise ValueError("the table does not fit in there")
        made.offset = TABLE_REGIONS_AT + <uint64_t>offset
        memcpy(self.shape(slot), &made, sizeof(made))

    def configure(self, slot, expire_ms, nopurge, periods):
        """What may change while there are entries: ``periods`` is [(what, ms), …] of the rates."""
        cdef table_shape *shape = self.shape(slot)
        shape.expire_ms = expire_ms
        shape.flags = TABLE_NOPURGE if nopurge else 0
        for data, period_ms in periods:
            shape.period_ms[<uint32_t>data] = period_ms

    def drop(self, slot, size):
        """The table is gone, and the memory of its ``size`` bytes is given back."""
        cdef table_shape *shape = self.shape(slot)
        if shape.offset:
            fallocate(self.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, shape.offset, size)
        memset(shape, 0, sizeof(table_shape))

    def counts(self, slots):
        """(entries, evicted, refused) of each table: evicted to make room, refused for want of room."""
        cdef table_shape *shape
        cdef table_head *head
        rows = []
        for slot in slots:
            shape = self.shape(slot)
            head = table_head_of(&self.t, shape)
            if shape.offset:
                rows.append((min(head.used, shape.size), head.evicted_total, head.refused_total))
            else:
                rows.append((0, 0, 0))
        return rows

    def entries(self, slot, limit=1000):
        """Up to ``limit`` entries as {key: (trackers, words)}, the way they lie there: for tests.

        ValueError when what is linked is not a whole table.
        """
        cdef table_shape *shape = self.shape(slot)
        cdef table_head *head = table_head_of(&self.t, shape)
        cdef table_entry *entry
        cdef uint32_t number, bucket, older = 0, tracked = 0, queued = 0
        found = {}
        for bucket in range(shape.bucket_mask + 1):
            number = table_bucket(&self.t, shape, bucket)[0]
            while number:
                entry = table_entry_at(&self.t, shape, number)
                if entry == NULL or len(found) > shape.size or entry.hash & shape.bucket_mask != bucket:
                    raise ValueError(f"entry {number} of bucket {bucket}")
                tracked += entry.trackers != 0
                found[bytes((<char *>table_key_of(shape, entry))[:min(entry.key_size, shape.key_bytes)])] = (
                    entry.trackers, tuple([entry.words[k] for k in range((shape.key_at - sizeof(table_entry)) // 8)]))
                number = entry.next
        number = head.oldest
        while number:
            entry = table_entry_at(&self.t, shape, number)
            if entry == NULL or entry.older != older or entry.trackers or queued > shape.size:
                raise ValueError(f"entry {number} in the order of use")
            queued += 1
            older, number = number, entry.newer
        if older != head.newest or head.used != len(found) or queued + tracked != len(found):
            raise ValueError(f"used {head.used}, chained {len(found)}, queued {queued}, tracked {tracked}")
        free, number = 0, head.free
        while number and free <= shape.size:
            free, number = free + 1, table_entry_at(&self.t, shape, number).next
        if free + head.used != head.fresh:
            raise ValueError(f"fresh {head.fresh}, used {head.used}, free {free}")
        return dict(list(found.items())[:limit])

    def lock(self, slot, worker):
        """Leave a table locked, as if by that worker: for tests. ValueError when it is locked already."""
        cdef table_shape *shape = self.shape(slot)
        if not table_try(table_head_of(&self.t, shape), <uint64_t>worker + 1):
            raise ValueError("locked already")

    def repair(self, worker):
        """After waitpid: undo what the dead worker did not finish, free its locks, give back what it held.

        Returns how much of the latter is left to its successor, because living workers had the locks.
        """
        cdef table_directory *directory = <table_directory *>self.t.memory
        cdef uint64_t holds_at = TABLE_DIRECTORY_BYTES + <uint64_t>worker * TABLE_HOLDS_BYTES
        cdef table_shape *shape
        cdef table_head *head
        cdef uint32_t slot
        if not 0 <= worker < MAX_WORKERS_C:
            raise IndexError(worker)
        for slot in range(MAX_TABLES_C):
            shape = &directory.shapes[slot]
            if shape.offset == 0:
                continue
            head = table_head_of(&self.t, shape)
            if load_relaxed(&head.lock) == <uint64_t>worker + 1:
                table_undo(&self.t, head, shape.offset,
                           shape.offset + shape.entries_at + <uint64_t>shape.size * shape.entry_bytes,
                           holds_at, holds_at + TABLE_HOLDS_BYTES)
        self.t.now_ms = net_clock_us(CLOCK_MONOTONIC) / 1000
        return table_give_back_all(&self.t, <uint32_t>worker)
