# Compiled plans of one worker: mapped read-only, and unmapped with the last session that began under them.

cdef void plan_release(worker_t *w, plan_t *plan) noexcept nogil:
    cdef plan_t **link = &w.plans
    if plan == NULL:
        return
    plan.references -= 1
    if plan.references:
        return
    while link[0] != plan:
        link = &link[0].next
    link[0] = plan.next
    munmap(plan.header, plan.bytes)
    free(plan)
    plan_publish(w)


cdef void plan_publish(worker_t *w) noexcept nogil:
    # The master keeps what the oldest generation in use refers to.
    cdef uint64_t oldest = ~<uint64_t>0
    cdef plan_t *plan = w.plans
    while plan != NULL:
        oldest = min(oldest, plan.header.generation)
        plan = plan.next
    store_relaxed(&w.row.counters.oldest_generation, 0 if w.plans == NULL else oldest)
    store_relaxed(&w.row.counters.generation, 0 if w.plan == NULL else w.plan.header.generation)


cdef bint plan_table_fits(uint64_t total, uint64_t offset, uint64_t count, uint64_t size) noexcept nogil:
    return offset % 8 == 0 and offset <= total and count <= (total - offset) / size


cdef bint plan_is_valid(plan_header *p, uint64_t bytes) noexcept nogil:
    return (p.magic == PLAN_MAGIC and p.version == LAYOUT_VERSION_C and p.total_bytes <= bytes
            and plan_table_fits(p.total_bytes, p.bind_offset, p.bind_count, sizeof(plan_bind))
            and plan_table_fits(p.total_bytes, p.frontend_offset, p.frontend_count, sizeof(plan_frontend))
            and plan_table_fits(p.total_bytes, p.backend_offset, p.backend_count, sizeof(plan_backend))
            and plan_table_fits(p.total_bytes, p.server_offset, p.server_count, sizeof(plan_server))
            and plan_table_fits(p.total_bytes, p.slot_offset, p.slot_count, sizeof(uint32_t))
            and plan_table_fits(p.total_bytes, p.piece_offset, p.piece_count, sizeof(plan_piece))
            and plan_table_fits(p.total_bytes, p.names_offset, p.names_bytes, 1)
            and plan_table_fits(p.total_bytes, p.field_offset, p.field_count, sizeof(plan_field))
            and plan_table_fits(p.total_bytes, p.rules_offset, p.rules_bytes, 1)
            and plan_table_fits(p.total_bytes, p.table_offset, p.table_count, sizeof(plan_table)))


cdef bint plan_tables_exist(worker_t *w, plan_header *p) noexcept nogil:
    # All of its stick tables have been made.
    cdef plan_table *tables = <plan_table *>(<uint8_t *>p + p.table_offset)
    cdef uint32_t i
    for i in range(p.table_count):
        if (w.tables.directory == NULL or tables[i].slot >= MAX_TABLES_C
                or table_shape_at(&w.tables, tables[i].slot).offset == 0):
            return False
    return True


cdef int plan_map(worker_t *w, int fd, plan_t **result) noexcept nogil:
    cdef stat_t status
    cdef plan_t *plan
    cdef void *at
    if fstat(fd, &status) == -1:
        return -errno
    if status.st_size < <long long>sizeof(plan_header):
        return -EINVAL
    at = mmap(NULL, <size_t>status.st_size, PROT_READ, MAP_SHARED, fd, 0)
    if at == MAP_FAILED:
        return -errno
    plan = <plan_t *>calloc(1, sizeof(plan_t))
    if (plan == NULL or not plan_is_valid(<plan_header *>at, <uint64_t>status.st_size)
            or not plan_tables_exist(w, <plan_header *>at)):
        free(plan)
        munmap(at, <size_t>status.st_size)
        return -EINVAL
    plan.header = <plan_header *>at
    plan.bytes = <uint64_t>status.st_size
    plan.references = 1
    plan.next = w.plans
    w.plans = plan
    result[0] = plan
    return 0


cdef plan_bind *plan_bind_at(plan_t *plan, uint32_t bind) noexcept nogil:
    # NULL for one that the plan lacks, or whose frontend it lacks.
    cdef plan_header *p = plan.header
    cdef plan_bind *row = <plan_bind *>(<uint8_t *>p + p.bind_offset) + bind
    return row if bind < p.bind_count and row.frontend < p.frontend_count else NULL


cdef plan_frontend *plan_frontend_of(plan_t *plan, plan_bind *bind) noexcept nogil:
    return <plan_frontend *>(<uint8_t *>plan.header + plan.header.frontend_offset) + bind.frontend


cdef const char *plan_text(plan_t *plan, plan_name name) noexcept nogil:
    return <const char *>plan.header + plan.header.names_offset + name.offset
