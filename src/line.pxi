# A log line, piece by piece as the plan has it: see piece_kind in plan.h. What does not fit is cut off.
# HAProxy manual, section 8.2.6; quotes, dashes and hexadecimal numbers as HAProxy 2.6 writes them.

cdef void line_put(line_t *l, const char *text, size_t size) noexcept nogil:
    size = min(size, <size_t>(l.end - l.at))
    memcpy(l.at, text, size)
    l.at += size


cdef void line_unsigned(line_t *l, uint64_t n) noexcept nogil:
    cdef char digits[20]
    cdef int at = 20
    while True:
        at -= 1
        digits[at] = <char>(48 + n % 10)
        n /= 10
        if n == 0:
            break
    line_put(l, digits + at, 20 - at)


cdef void line_hex(line_t *l, uint64_t n, int digits) noexcept nogil:
    # At least that many.
    cdef char text[24]
    line_put(l, text, <size_t>snprintf(text, sizeof(text), b"%0*llX", digits, <unsigned long long>n))


cdef void line_escaped(line_t *l, const char *text, size_t size) noexcept nogil:
    # RFC 5424, section 6.3.3.
    cdef size_t i
    for i in range(size):
        if text[i] == b'"' or text[i] == b'\\' or text[i] == b']':
            line_put(l, b"\\", 1)
        line_put(l, text + i, 1)


cdef void line_text(line_t *l, uint32_t flags, const char *text, size_t size) noexcept nogil:
    if flags & PIECE_QUOTE:
        line_put(l, b'"', 1)
    elif size == 0 and flags & PIECE_DASH:
        line_put(l, b"-", 1)
    if flags & PIECE_ESCAPE:
        line_escaped(l, text, size)
    else:
        line_put(l, text, size)
    if flags & PIECE_QUOTE:
        line_put(l, b'"', 1)


cdef void line_guarded(line_t *l, uint32_t flags, const uint8_t *text, size_t size) noexcept nogil:
    # What a client may have said, so that it ends no quotes and begins no line: as HAProxy writes captured headers.
    cdef char code[4]
    cdef size_t i
    if size == 0:
        line_text(l, flags, b"", 0)
        return
    if flags & PIECE_QUOTE:
        line_put(l, b'"', 1)
    for i in range(size):
        if text[i] < 32 or text[i] > 126 or text[i] in (b'"', b'#', b'\\'):
            snprintf(code, sizeof(code), b"#%02X", <unsigned int>text[i])
            line_put(l, code, 3)
        elif flags & PIECE_ESCAPE:
            line_escaped(l, <const char *>text + i, 1)
        else:
            line_put(l, <const char *>text + i, 1)
    if flags & PIECE_QUOTE:
        line_put(l, b'"', 1)


cdef void line_said(line_t *l, uint32_t flags, const uint8_t *text, size_t size) noexcept nogil:
    # By a client, perhaps.
    if l.raw:
        line_text(l, flags, <const char *>text, size)
    else:
        line_guarded(l, flags, text, size)


cdef void line_number(line_t *l, uint32_t flags, int64_t n) noexcept nogil:
    cdef bint quoted = flags & PIECE_SAMPLE and flags & PIECE_QUOTE
    if quoted:
        line_put(l, b'"', 1)
    if n < 0:
        line_put(l, b"-", 1)
    line_unsigned(l, <uint64_t>(n if n >= 0 else -n))
    if quoted:
        line_put(l, b'"', 1)


cdef void line_ip(line_t *l, uint32_t flags, address_t *address) noexcept nogil:
    cdef char text[64]
    cdef uint32_t i, size = 4 if address.family == AF_INET else 16
    text[0] = 0
    if address.family != AF_INET and address.family != AF_INET6:
        snprintf(text, sizeof(text), b"%s", b"unix" if address.family else b"")
    elif flags & PIECE_HEX:
        for i in range(size):
            snprintf(text + 2 * i, 3, b"%02X", <unsigned int>address.bytes[i])
    else:
        inet_ntop(address.family, address.bytes, text, sizeof(text))
    line_text(l, flags, text, strlen(text))


cdef void line_port(line_t *l, uint32_t flags, address_t *address) noexcept nogil:
    if address.family == 0:
        line_text(l, flags, b"", 0)
    elif flags & PIECE_HEX:
        line_hex(l, address.port, 4)
    else:
        line_number(l, flags, address.port)


cdef void line_address(worker_t *w, session_t *s, line_t *l, plan_piece *piece) noexcept nogil:
    # Even kinds are ports, the odd one before each is its address.
    cdef cold_t *cold = &w.colds[session_index(w, s)]
    cdef address_t address
    memset(&address, 0, sizeof(address))
    if piece.kind <= PIECE_CLIENT_PORT:
        address.family = cold.client_family
        address.port = cold.client_port
        memcpy(address.bytes, cold.client_address, sizeof(address.bytes))
    elif piece.kind <= PIECE_FRONTEND_PORT:
        address = w.log_accepted
    elif piece.kind <= PIECE_BACKEND_PORT:
        address = cold.source
    else:
        address = w.log_reached
    if piece.kind % 2:
        line_ip(l, piece.flags, &address)
    else:
        line_port(l, piece.flags, &address)


cdef void line_name(worker_t *w, session_t *s, line_t *l, plan_piece *piece) noexcept nogil:
    cdef plan_name name = s.frontend.name if s.backend == NULL else s.backend.name
    cdef char code[4]
    if piece.kind == PIECE_STATE:
        log_state(s.cause, s.state, code)
        line_put(l, code, 2)
    elif piece.kind == PIECE_REASON:
        line_text(l, piece.flags, CAUSE_TEXTS[s.cause].word, strlen(CAUSE_TEXTS[s.cause].word))
    elif piece.kind == PIECE_BACKEND:
        line_text(l, piece.flags, plan_text(s.plan, name), name.size)
    elif s.target != NULL:
        line_text(l, piece.flags, plan_text(s.plan, s.target.name), s.target.name.size)
    elif piece.kind == PIECE_SERVER:
        line_text(l, piece.flags, b"<NOSRV>", 7)
    else:
        line_text(l, piece.flags, b"", 0)


cdef void line_zoned(line_t *l, uint64_t real_us, bint local) noexcept nogil:
    # "22/Nov/2026:21:03:51 +0100"
    cdef long second = <long>(real_us / 1000000)
    cdef long minutes
    cdef tm parts
    cdef char text[64]
    if local:
        localtime_r(&second, &parts)
    else:
        gmtime_r(&second, &parts)
    minutes = (parts.tm_gmtoff if parts.tm_gmtoff >= 0 else -parts.tm_gmtoff) / 60
    log_calendar(text, &parts)
    line_put(l, text, strlen(text))
    snprintf(text, sizeof(text), b" %c%02ld%02ld", <int>(43 if parts.tm_gmtoff >= 0 else 45), minutes / 60 % 100,
             minutes % 60)
    line_put(l, text, strlen(text))


cdef void line_milliseconds(line_t *l, uint64_t real_us) noexcept nogil:
    # Three digits.
    cdef uint32_t n = <uint32_t>(real_us / 1000 % 1000)
    cdef char digits[3]
    digits[0] = <char>(48 + n / 100)
    digits[1] = <char>(48 + n / 10 % 10)
    digits[2] = <char>(48 + n % 10)
    line_put(l, digits, 3)


cdef void line_time(worker_t *w, session_t *s, line_t *l, plan_piece *piece) noexcept nogil:
    cdef uint64_t accepted_us = w.colds[session_index(w, s)].accepted_real_us
    cdef uint32_t flags = piece.flags
    cdef const char *date
    if piece.kind == PIECE_DATE:
        date = log_date(w, accepted_us)
        line_put(l, date, strlen(date))
        line_put(l, b".", 1)
        line_milliseconds(l, accepted_us)
    elif piece.kind == PIECE_DATE_GMT or piece.kind == PIECE_DATE_LOCAL:
        line_zoned(l, accepted_us, piece.kind == PIECE_DATE_LOCAL)
    elif piece.kind == PIECE_TIMESTAMP:
        if flags & PIECE_HEX:
            line_hex(l, accepted_us / 1000000, 4)
        else:
            line_unsigned(l, accepted_us / 1000000)
    elif piece.kind == PIECE_MILLISECONDS:
        if flags & PIECE_HEX:
            line_hex(l, accepted_us / 1000 % 1000, 2)
        else:
            line_milliseconds(l, accepted_us)
    else:
        line_number(l, flags, <int64_t>(log_now_us(w, s) / (
            1000000 if piece.kind == PIECE_NOW_S else 1000 if piece.kind == PIECE_NOW_MS else 1)))


cdef int64_t line_duration(worker_t *w, session_t *s, uint32_t kind) noexcept nogil:
    cdef cold_t *cold = &w.colds[session_index(w, s)]
    if kind == PIECE_QUEUE_MS:
        return log_wait_ms(w, cold, s.state)
    if kind == PIECE_CONNECT_MS:
        return log_ms(cold.assigned_us, cold.connected_us) if cold.connected_us else -1
    if kind == PIECE_DATA_MS:
        return log_ms(cold.connected_us, w.now_us) if cold.connected_us else -1
    return log_ms(cold.accepted_us, w.now_us)


cdef int64_t line_gauge(worker_t *w, session_t *s, uint32_t kind) noexcept nogil:
    # Sessions at this moment, over all workers.
    if kind == PIECE_PROCESS_SESSIONS:
        return <int64_t>gauge_total(w, &w.row.counters.sessions)
    if kind == PIECE_FRONTEND_SESSIONS:
        return <int64_t>gauge_total(w, &w.row.frontends[s.frontend.slot].sessions)
    if kind == PIECE_BACKEND_SESSIONS:
        return <int64_t>gauge_total(w, &w.row.backends[s.backend.slot].sessions) if s.backend != NULL else 0
    return <int64_t>server_load_total(w, s.target.slot) if s.target != NULL else 0


cdef int64_t line_count(worker_t *w, session_t *s, line_t *l, uint32_t kind) noexcept nogil:
    cdef cold_t *cold = &w.colds[session_index(w, s)]
    if kind == PIECE_BYTES_DOWN:
        return <int64_t>s.down.received
    if kind == PIECE_BYTES_UP:
        return <int64_t>s.up.received
    if kind == PIECE_RETRIES:
        return s.attempts - 1 if s.attempts else 0
    if kind == PIECE_SERVER_QUEUE:
        return cold.queue_position if cold.queue_on_server else 0
    if kind == PIECE_BACKEND_QUEUE:
        return 0 if cold.queue_on_server else cold.queue_position
    if kind == PIECE_PID:
        return <int64_t>w.row.counters.pid
    if kind == PIECE_LINE_NUMBER:
        return <int64_t>l.number
    return <int64_t>cold.number


cdef void line_value(worker_t *w, session_t *s, line_t *l, plan_piece *piece) noexcept nogil:
    cdef uint32_t kind = piece.kind
    cdef int64_t n
    if kind <= PIECE_TOTAL_MS:
        n = line_duration(w, s, kind)
    elif PIECE_PROCESS_SESSIONS <= kind <= PIECE_SERVER_SESSIONS:
        n = line_gauge(w, s, kind)
    else:
        n = line_count(w, s, l, kind)
    if kind == PIECE_TOTAL_MS or kind == PIECE_BYTES_DOWN:
        if l.grows:
            line_put(l, b"+", 1)
    elif kind == PIECE_RETRIES and s.redispatched:
        line_put(l, b"+", 1)
    if kind >= PIECE_PID and piece.flags & PIECE_HEX:
        line_hex(l, <uint64_t>n, 4)
    else:
        line_number(l, piece.flags, n)


cdef void line_sample(worker_t *w, session_t *s, line_t *l, plan_piece *piece) noexcept nogil:
    # What rules can look at, when nothing more can be waited for.
    cdef value_t v
    cdef look_t look
    look_begin(&look, w, s.plan, s.frontend, s.client.fd)
    look_of(&look, s)
    if not sample_get(&look, <const rule_sample *>(plan_rules(s.plan) + piece.text.offset), &v):
        line_text(l, piece.flags, b"", 0)
    elif v.kind == VALUE_NUMBER:
        line_number(l, piece.flags, v.number)
    else:
        value_to_text(&look, &v)
        line_said(l, piece.flags, v.text, v.size)


cdef void line_pieces(worker_t *w, session_t *s, line_t *l, plan_line *line) noexcept nogil:
    cdef plan_piece *pieces = <plan_piece *>(<uint8_t *>s.plan.header + s.plan.header.piece_offset)
    cdef plan_piece *piece
    cdef uint32_t i
    for i in range(line.first, line.first + line.count):
        piece = &pieces[i]
        if piece.kind == PIECE_TEXT:
            line_put(l, plan_text(s.plan, piece.text), piece.text.size)
        elif piece.kind <= PIECE_SERVER_PORT:
            line_address(w, s, l, piece)
        elif piece.kind <= PIECE_REASON:
            line_name(w, s, l, piece)
        elif piece.kind <= PIECE_NOW_US:
            line_time(w, s, l, piece)
        elif piece.kind >= PIECE_UNIQUE_ID:
            line_kept(w, s, l, piece)
        elif piece.kind != PIECE_VALUE:
            line_value(w, s, l, piece)
        else:
            line_sample(w, s, l, piece)
