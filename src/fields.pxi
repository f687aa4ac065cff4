# The fields of PROXY headers of version 2 (proxy-protocol.txt, section 2.2: type, length, value), and the unique id
# that one of them carries. What a client's header has is kept for binds whose plan asks for it, allocated to measure.

cdef enum:
    FIELD_AUTHORITY = 2
    FIELD_NOOP = 4
    FIELD_UNIQUE_ID = 5
    FIELDS_KEPT = 1024         # bytes of a client's fields; one that does not fit is passed over
    FIELDS_OWN = 15000         # of a server's formats; a header has room for the others then, see HEADER_LIMIT
    UNIQUE_ID_ROOM = 128       # as in HAProxy, with a zero


cdef uint32_t field_put(uint8_t *at, uint32_t kind, const void *value, uint32_t size) noexcept nogil:
    at[0] = <uint8_t>kind
    header_put16(at + 1, size)
    memmove(at + 3, value, size)
    return 3 + size


cdef uint32_t fields_select(const uint8_t *data, uint32_t at, uint32_t total, uint8_t *room) noexcept nogil:
    # All that say something, of a header whose fields are known to fit.
    cdef uint32_t length, size = 0
    while at < total:
        length = 3 + header_get16(data + at + 1)
        if data[at] != HEADER_V2_CRC32C and data[at] != FIELD_NOOP and size + length <= FIELDS_KEPT:
            memcpy(room + size, data + at, length)
            size += length
        at += length
    return size


cdef bint fields_keep(header_t *header, const uint8_t *data, uint32_t total) noexcept nogil:
    # False: there is no memory for them.
    cdef uint8_t room[1024]
    cdef uint32_t size = fields_select(data, header.said.fields_at, total, room)
    if size:
        header.fields = <uint8_t *>malloc(size)
        if header.fields == NULL:
            return False
        memcpy(header.fields, room, size)
        header.fields_size = <uint16_t>size
    return True


cdef const uint8_t *fields_find(const header_t *header, uint32_t kind, uint32_t *size) noexcept nogil:
    # The value of the first field of this type, or NULL.
    cdef uint32_t at = 0
    while at < header.fields_size:
        size[0] = header_get16(header.fields + at + 1)
        if header.fields[at] == kind:
            return header.fields + at + 3
        at += 3 + size[0]
    size[0] = 0
    return NULL


cdef const uint8_t *session_field(worker_t *w, session_t *s, uint32_t kind, uint32_t *size) noexcept nogil:
    # That of a session's client; without a header of its own, its place has another session's.
    size[0] = 0
    if not w.colds[session_index(w, s)].headed:
        return NULL
    return fields_find(&w.headers[session_index(w, s)], kind, size)


cdef const char *session_unique_id(worker_t *w, session_t *s) noexcept nogil:
    # Made when it is asked for first, and the same from then on: in a header, when it is sent anew, in the log.
    cdef cold_t *cold = &w.colds[session_index(w, s)]
    cdef const char *none = b""
    cdef char room[128]
    cdef line_t l
    if cold.unique_id == NULL and s.frontend.unique_id.count:
        memset(&l, 0, sizeof(l))
        l.at = room
        l.end = room + UNIQUE_ID_ROOM - 1
        l.raw = 1
        line_pieces(w, s, &l, &s.frontend.unique_id)
        l.at[0] = 0
        cold.unique_id = <char *>malloc(strlen(room) + 1)
        if cold.unique_id != NULL:
            memcpy(cold.unique_id, room, strlen(room) + 1)
    return none if cold.unique_id == NULL else cold.unique_id


cdef uint32_t session_fields(worker_t *w, session_t *s, uint8_t *room, uint32_t *checksum) noexcept nogil:
    # What a server is told besides addresses, in HAProxy's order; `checksum` is where in it its value goes, or 0. What
    # does not fit is left out.
    cdef plan_field *own = <plan_field *>(<uint8_t *>s.plan.header + s.plan.header.field_offset) + s.target.fields
    cdef uint32_t wanted = s.target.send_proxy
    cdef uint32_t i, length, size = 0
    cdef const void *value
    cdef line_t l
    memset(&l, 0, sizeof(l))
    l.raw = 1
    for i in range(s.target.field_count):
        if size + 3 > FIELDS_OWN:
            break
        l.at = <char *>room + size + 3
        l.end = <char *>room + FIELDS_OWN
        line_pieces(w, s, &l, &own[i].line)
        size += field_put(room + size, own[i].kind, room + size + 3, <uint32_t>(l.at - <char *>room) - size - 3)
    if wanted & SEND_PROXY_CRC32C:
        size += fields_checksum(room + size)
        checksum[0] = size - 4
    if wanted & SEND_PROXY_AUTHORITY:
        value = session_field(w, s, FIELD_AUTHORITY, &length)
        if value != NULL:
            size += field_put(room + size, FIELD_AUTHORITY, value, length)
    if wanted & SEND_PROXY_UNIQUE_ID and s.frontend.unique_id.count:
        value = session_unique_id(w, s)
        size += field_put(room + size, FIELD_UNIQUE_ID, value, <uint32_t>strlen(<const char *>value))
    return size


cdef uint32_t fields_checksum(uint8_t *at) noexcept nogil:
    # Its place: the value is known when the header is complete.
    cdef const uint8_t *zeros = b"\0\0\0\0"
    return field_put(at, HEADER_V2_CRC32C, zeros, 4)


cdef void line_kept(worker_t *w, session_t *s, line_t *l, plan_piece *piece) noexcept nogil:
    cdef const char *text
    cdef const char *none = b""
    cdef uint32_t size
    if piece.kind == PIECE_UNIQUE_ID:
        text = session_unique_id(w, s)
        size = <uint32_t>strlen(text)
    elif piece.kind == PIECE_FRONTEND_NAME:
        text = plan_text(s.plan, s.frontend.name)
        size = s.frontend.name.size
    else:
        text = <const char *>session_field(w, s, <uint8_t>plan_text(s.plan, piece.text)[0], &size)
        if text == NULL:
            text = none
    line_said(l, piece.flags, <const uint8_t *>text, size)


cdef bint fetch_header(look_t *look, const rule_sample *sample, value_t *v) noexcept nogil:
    # Whether a PROXY header came before the connection, and what a field of it says.
    cdef const uint8_t *value
    cdef uint32_t size, kind = sample.first
    cdef worker_t *w = look.w
    cdef session_t *s = look.session
    if sample.fetch == FETCH_HEADER_RECEIVED:
        return value_number(v, s != NULL and w.colds[session_index(w, s)].headed)
    if sample.fetch != FETCH_HEADER_FIELD:
        kind = FIELD_AUTHORITY if sample.fetch == FETCH_HEADER_AUTHORITY else FIELD_UNIQUE_ID
    if s == NULL:
        return False
    value = session_field(w, s, kind, &size)
    return value != NULL and value_text(v, value, size)
