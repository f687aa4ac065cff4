# Access log lines, formatted here and put into this worker's ring; the master takes them out. A full ring loses the
# line and counts it: logging never waits.

cdef enum:
    LOG_INFO = 6
    LOG_KIND_SESSION = 0

cdef void log_state(uint8_t cause, uint8_t state, char *code) noexcept nogil:
    # See causes.h. What ends a session in any phase has D there, and says here in which it was.
    code[0] = CAUSE_TEXTS[cause].code[0]
    code[1] = CAUSE_TEXTS[cause].code[1]
    if code[1] == b'D' and state < SESSION_ESTABLISHED:
        code[1] = b'Q' if state == SESSION_QUEUED else b'C'
    code[2] = 0


cdef void log_put(worker_t *w, uint32_t frontend_slot, uint64_t time_us, const char *text,
                  uint32_t size) noexcept nogil:
    cdef uint64_t head = load_relaxed(&w.row.log_head)
    cdef uint64_t tail = load_acquire(&w.control.log_tails[w.number].bytes)
    cdef uint64_t at = head % LOG_RING_BYTES
    cdef uint64_t needed = sizeof(log_record) + ((size + 15) & ~<uint32_t>15)
    cdef uint64_t skipped = LOG_RING_BYTES - at if at + needed > LOG_RING_BYTES else 0
    cdef log_record *record = <log_record *>(&w.row.log_ring[0] + at)
    if head + skipped + needed - tail > LOG_RING_BYTES:
        add(&w.row.counters.log_dropped_total, 1)
        return
    if skipped:
        record.size = 0
        record = <log_record *>&w.row.log_ring[0]
    record.size = size
    record.level = LOG_INFO
    record.kind = LOG_KIND_SESSION
    record.frontend = <uint16_t>frontend_slot
    record.time_us = time_us
    memcpy(record + 1, text, size)
    store_release(&w.row.log_head, head + skipped + needed)
    add(&w.row.counters.log_lines_total, 1)
    w.log_waiting = 1


cdef void log_flush(worker_t *w) noexcept nogil:
    # The master is told at most every 20 ms, not for each line.
    if w.log_waiting and w.now_ms >= w.logged_ms + LOG_FLUSH_MS:
        w.log_waiting = 0
        w.logged_ms = w.now_ms
        net_kick(w.master_fd)


cdef const char *log_date(worker_t *w, uint64_t real_us) noexcept nogil:
    # "22/Nov/2026:21:03:51", local time, kept for as long as the second lasts.
    cdef const char *months = b"JanFebMarAprMayJunJulAugSepOctNovDec"
    cdef long second = <long>(real_us / 1000000)
    cdef tm local
    if second != w.log_second:
        localtime_r(&second, &local)
        snprintf(w.log_date, sizeof(w.log_date), b"%02d/%.3s/%04d:%02d:%02d:%02d", local.tm_mday,
                 months + 3 * (local.tm_mon % 12), (local.tm_year + 1900) % 10000, local.tm_hour, local.tm_min,
                 local.tm_sec)
        w.log_second = second
    return w.log_date


cdef void log_address(cold_t *cold, char *text) noexcept nogil:
    if cold.client_family == AF_INET or cold.client_family == AF_INET6:
        inet_ntop(cold.client_family, cold.client_address, text, INET6_ADDRSTRLEN)
    else:
        snprintf(text, INET6_ADDRSTRLEN, b"unix")


cdef long log_ms(uint64_t from_us, uint64_t to_us) noexcept nogil:
    return <long>((to_us - from_us) / 1000) if from_us and to_us >= from_us else -1


cdef long log_wait_ms(worker_t *w, cold_t *cold, uint8_t state) noexcept nogil:
    if cold.assigned_us:
        return log_ms(cold.accepted_us, cold.assigned_us)
    return log_ms(cold.accepted_us, w.now_us) if state == SESSION_QUEUED else -1


cdef int log_counters(worker_t *w, session_t *s, cold_t *cold, char *text, size_t size) noexcept nogil:
    # "actconn/feconn/beconn/srv_conn/retries srv_queue/backend_queue"
    cdef uint64_t everything = gauge_total(w, &w.row.counters.sessions)
    cdef uint64_t fe = gauge_total(w, &w.row.frontends[s.frontend.slot].sessions)
    cdef uint64_t be = 0, srv = 0
    cdef uint32_t retries = s.attempts - 1 if s.attempts else 0
    if s.backend != NULL:
        be = gauge_total(w, &w.row.backends[s.backend.slot].sessions)
    if s.target != NULL:
        srv = server_load_total(w, s.target.slot)
    return snprintf(text, size, b"%llu/%llu/%llu/%llu/%s%u %u/%u", <unsigned long long>everything,
                    <unsigned long long>fe, <unsigned long long>be, <unsigned long long>srv,
                    b"+" if s.redispatched else b"", retries,
                    <unsigned int>(cold.queue_position if cold.queue_on_server else 0),
                    <unsigned int>(0 if cold.queue_on_server else cold.queue_position))


cdef bint log_is_null(session_t *s) noexcept nogil:
    # "option dontlognull": port scans and probes. HAProxy judges by what the client sent, and so do we.
    return s.frontend.flags & FRONTEND_DONTLOGNULL and s.up.received == 0


cdef void log_session(worker_t *w, session_t *s, uint8_t state) noexcept nogil:
    # HAProxy manual, "TCP log format".
    cdef cold_t *cold = &w.colds[session_index(w, s)]
    cdef char line[1024]
    cdef char address[64]
    cdef char counters[128]
    cdef char code[4]
    cdef plan_name owner = s.frontend.name if s.backend == NULL else s.backend.name
    cdef const char *server = b"<NOSRV>"
    cdef uint32_t server_size = 7
    cdef uint64_t connected = cold.connected_us
    cdef int n
    if log_is_null(s):
        return
    if s.target != NULL:
        server = plan_text(s.plan, s.target.name)
        server_size = s.target.name.size
    log_address(cold, address)
    log_state(s.cause, state, code)
    log_counters(w, s, cold, counters, sizeof(counters))
    n = snprintf(line, sizeof(line), b"%s:%u [%s.%03u] %.*s %.*s/%.*s %ld/%ld/%ld %llu %s %s", address,
                 <unsigned int>cold.client_port, log_date(w, cold.accepted_real_us),
                 <unsigned int>(cold.accepted_real_us / 1000 % 1000), <int>s.frontend.name.size,
                 plan_text(s.plan, s.frontend.name), <int>owner.size, plan_text(s.plan, owner), <int>server_size,
                 server, log_wait_ms(w, cold, state), log_ms(cold.assigned_us, connected) if connected else -1,
                 log_ms(cold.accepted_us, w.now_us), <unsigned long long>s.down.received, code, counters)
    log_put(w, s.frontend.slot, cold.accepted_real_us + (w.now_us - cold.accepted_us), line,
            <uint32_t>min(n, LOG_LINE_BYTES - 1))


cdef void log_connect(worker_t *w, session_t *s) noexcept nogil:
    # Without "option tcplog": one line at accept, as HAProxy's default format has it.
    cdef cold_t *cold = &w.colds[session_index(w, s)]
    cdef cold_t here
    cdef sockaddr_storage local
    cdef socklen_t size = sizeof(local)
    cdef char line[1024]
    cdef char address[64]
    cdef char local_address[64]
    cdef int n
    local.ss_family = 0
    getsockname(s.client.fd, <sockaddr *>&local, &size)
    cold_address(&here, &local)
    log_address(cold, address)
    log_address(&here, local_address)
    n = snprintf(line, sizeof(line), b"Connect from %s:%u to %s:%u (%.*s/TCP)", address,
                 <unsigned int>cold.client_port, local_address, <unsigned int>here.client_port,
                 <int>s.frontend.name.size, plan_text(s.plan, s.frontend.name))
    log_put(w, s.frontend.slot, cold.accepted_real_us, line, <uint32_t>min(n, LOG_LINE_BYTES - 1))
