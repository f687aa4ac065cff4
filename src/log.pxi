# Access log lines, formatted here and put into this worker's ring; the master takes them out. A full ring loses the
# line and counts it: logging never waits.

cdef enum:
    LOG_ERR = 3
    LOG_INFO = 6
    LOG_KIND_SESSION = 0

cdef void log_state(uint8_t cause, uint8_t state, char *code) noexcept nogil:
    # See causes.h. What ends a session in any phase has D or - there, and says here in which it was.
    code[0] = CAUSE_TEXTS[cause].code[0]
    code[1] = CAUSE_TEXTS[cause].code[1]
    if code[1] == b'D' and state == SESSION_INSPECTING:
        code[1] = b'R'
    elif (code[1] == b'D' or code[1] == b'-') and state < SESSION_ESTABLISHED:
        code[1] = b'Q' if state == SESSION_QUEUED else b'C'
    code[2] = 0


cdef void log_put(worker_t *w, session_t *s, uint8_t level, uint32_t size, uint32_t data_size) noexcept nogil:
    # The text is in w.log_text.
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
    record.size = <uint16_t>size
    record.data_size = <uint16_t>data_size
    record.level = level
    record.kind = LOG_KIND_SESSION
    record.frontend = <uint16_t>s.frontend.slot
    record.time_us = log_now_us(w, s)
    memcpy(record + 1, w.log_text, size)
    store_release(&w.row.log_head, head + skipped + needed)
    add(&w.row.counters.log_lines_total, 1)
    w.log_waiting = 1


cdef void log_flush(worker_t *w) noexcept nogil:
    # The master is told at most every 20 ms, not for each line.
    if w.log_waiting and w.now_ms >= w.logged_ms + LOG_FLUSH_MS:
        w.log_waiting = 0
        w.logged_ms = w.now_ms
        net_kick(w.master_fd)


cdef void log_calendar(char *text, tm *parts) noexcept nogil:
    # "22/Nov/2026:21:03:51", into 32 bytes.
    cdef const char *months = b"JanFebMarAprMayJunJulAugSepOctNovDec"
    snprintf(text, 32, b"%02d/%.3s/%04d:%02d:%02d:%02d", parts.tm_mday, months + 3 * (parts.tm_mon % 12),
             (parts.tm_year + 1900) % 10000, parts.tm_hour, parts.tm_min, parts.tm_sec)


cdef const char *log_date(worker_t *w, uint64_t real_us) noexcept nogil:
    # Local time, kept for as long as the second lasts.
    cdef long second = <long>(real_us / 1000000)
    cdef tm local
    if second != w.log_second:
        localtime_r(&second, &local)
        log_calendar(w.log_date, &local)
        w.log_second = second
    return w.log_date


cdef uint64_t log_now_us(worker_t *w, session_t *s) noexcept nogil:
    # CLOCK_REALTIME, as far as it has gone on since the accept.
    cdef cold_t *cold = &w.colds[session_index(w, s)]
    return cold.accepted_real_us + (w.now_us - cold.accepted_us)


cdef long log_ms(uint64_t from_us, uint64_t to_us) noexcept nogil:
    return <long>((to_us - from_us) / 1000) if from_us and to_us >= from_us else -1


cdef long log_wait_ms(worker_t *w, cold_t *cold, uint8_t state) noexcept nogil:
    if cold.assigned_us:
        return log_ms(cold.accepted_us, cold.assigned_us)
    return log_ms(cold.accepted_us, w.now_us) if state == SESSION_QUEUED else -1


cdef void log_own_address(int fd, address_t *address) noexcept nogil:
    # That of our end; what was known before stays where there is no socket any more.
    cdef address_t own
    if fd >= 0:
        net_address(fd, False, &own)
        if own.family:
            address[0] = own


cdef void log_addresses(worker_t *w, session_t *s) noexcept nogil:
    # To be called before the sockets are closed, if the plan wants LOG_ADDRESSES.
    cdef sockaddr_storage reached
    cdef socklen_t size
    memset(&w.log_accepted, 0, sizeof(w.log_accepted))
    memset(&w.log_reached, 0, sizeof(w.log_reached))
    if w.colds[session_index(w, s)].declared:
        handshake_said(w, s, &w.log_accepted)
    else:
        log_own_address(s.client.fd, &w.log_accepted)
    if s.target != NULL and source_target(w, s, &reached, &size) == 0:
        address_read(&w.log_reached, &reached)
    log_own_address(s.server.fd, &w.colds[session_index(w, s)].source)
    if s.frontend.log & LOG_TCP:
        tcp_note(w, s)


cdef bint log_is_error(session_t *s) noexcept nogil:
    # HAProxy manual, "option log-separate-errors": errors, timeouts, retries, redispatches.
    return s.cause != CAUSE_NORMAL or s.attempts > 1 or s.redispatched != 0


cdef uint8_t log_level(worker_t *w, session_t *s, bint error) noexcept nogil:
    cdef uint8_t said = w.colds[session_index(w, s)].log_level
    if said:
        return said - 1
    return LOG_ERR if error and s.frontend.log & LOG_ERRORS_APART else LOG_INFO


cdef void log_write(worker_t *w, session_t *s, plan_line *line, bint error) noexcept nogil:
    cdef line_t l
    cdef uint32_t data_size
    l.at = w.log_text
    l.end = w.log_text + min(LOG_LINE_BYTES, sizeof(w.log_text))
    l.number = 0
    l.raw = 0
    # As HAProxy has it with "option logasap", also in the line of a session that never was connected.
    l.grows = s.frontend.log & LOG_AT_CONNECT and (line == &s.frontend.line or s.cause == CAUSE_NORMAL)
    if s.frontend.log & LOG_COUNTED:
        l.number = fetch_add(&w.shared.frontends[s.frontend.slot].lines, 1)
    line_pieces(w, s, &l, &s.frontend.data)
    data_size = <uint32_t>(l.at - w.log_text)
    line_pieces(w, s, &l, line)
    if l.at > w.log_text:
        log_put(w, s, log_level(w, s, error), <uint32_t>(l.at - w.log_text), data_size)


cdef void log_accepted(worker_t *w, session_t *s) noexcept nogil:
    # The default format, without "option tcplog", is a line at accept.
    if s.frontend.log & LOG_NUMBERED:
        w.colds[session_index(w, s)].number = fetch_add(&w.shared.sessions, 1)
    if s.frontend.log & LOG_AT_ACCEPT:
        log_addresses(w, s)
        log_write(w, s, &s.frontend.line, False)


cdef void log_session(worker_t *w, session_t *s) noexcept nogil:
    # At the end, or when the server is connected: one line for each session.
    cdef cold_t *cold = &w.colds[session_index(w, s)]
    cdef bint error = log_is_error(s)
    cdef plan_line *line = &s.frontend.line
    if cold.logged or cold.log_level == LOG_SILENT or (s.frontend.log & LOG_NOT_NORMAL and not error):
        return
    if error and s.frontend.error_line.count:
        line = &s.frontend.error_line
    elif s.frontend.log & LOG_AT_ACCEPT:
        return
    cold.logged = 1
    log_write(w, s, line, error)


cdef void log_refused_line(worker_t *w, session_t *s, plan_name bind, const char *why) noexcept nogil:
    # As HAProxy logs a connection that never became a session: under the name of the bind.
    cdef cold_t *cold = &w.colds[session_index(w, s)]
    cdef char begin[64]
    cdef line_t l
    cdef plan_piece address
    memset(&address, 0, sizeof(address))
    l.at = w.log_text
    l.end = w.log_text + min(LOG_LINE_BYTES, sizeof(w.log_text))
    address.kind = PIECE_CLIENT_IP
    line_address(w, s, &l, &address)
    line_put(&l, b":", 1)
    address.kind = PIECE_CLIENT_PORT
    line_address(w, s, &l, &address)
    line_put(&l, begin, <size_t>snprintf(begin, sizeof(begin), b" [%s.%03u] ", log_date(w, cold.accepted_real_us),
                                         <unsigned int>(cold.accepted_real_us / 1000 % 1000)))
    line_put(&l, plan_text(s.plan, s.frontend.name), s.frontend.name.size)
    line_put(&l, b"/", 1)
    line_put(&l, plan_text(s.plan, bind), bind.size)
    line_put(&l, b": ", 2)
    line_put(&l, why, strlen(why))
    log_put(w, s, LOG_ERR if s.frontend.log & LOG_ERRORS_APART else LOG_INFO, <uint32_t>(l.at - w.log_text), 0)


cdef void log_refused(worker_t *w, session_t *s, plan_name bind, const char *why) noexcept nogil:
    # An "error-log-format" is in place of HAProxy's own words.
    if s.frontend.error_line.count == 0:
        log_refused_line(w, s, bind, why)
        return
    if s.frontend.log & LOG_ADDRESSES:
        log_addresses(w, s)
    log_session(w, s)


cdef void log_connected(worker_t *w, session_t *s) noexcept nogil:
    if s.frontend.log & LOG_ADDRESSES:
        log_addresses(w, s)
    log_session(w, s)


cdef void log_ended(worker_t *w, session_t *s) noexcept nogil:
    # "option dontlognull": port scans and probes. HAProxy judges by what the client sent, and so do we.
    if not (s.frontend.log & LOG_NOT_NULL and s.up.received == 0):
        log_session(w, s)
