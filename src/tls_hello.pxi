# The ClientHello of TLS in the first bytes of a client (RFC 8446, sections 4.1.2 and 5.1; RFC 6066, section 3; RFC
# 7301). It may come in any number of segments and records. Every length is checked against what is there.

cdef enum:
    HELLO_WAIT = 0     # what is there may become one
    HELLO_NONE = 1     # it never will
    HELLO_FOUND = 2
    RECORD_HEADER = 5
    RECORD_LIMIT = 16384 + 2048
    HANDSHAKE_HEADER = 4
    CLIENT_HELLO = 1
    EXTENSION_SNI = 0
    EXTENSION_ALPN = 16

ctypedef struct cursor_t:
    const uint8_t *at
    uint32_t left


cdef int64_t cursor_number(cursor_t *c, uint32_t width) noexcept nogil:
    # A number of so many bytes; -1 where they are not there.
    cdef int64_t n = 0
    cdef uint32_t i
    if c.left < width:
        return -1
    for i in range(width):
        n = n << 8 | c.at[i]
    c.at += width
    c.left -= width
    return n


cdef bint cursor_take(cursor_t *c, int64_t size, cursor_t *part) noexcept nogil:
    if size < 0 or size > c.left:
        return False
    part.at = c.at
    part.left = <uint32_t>size
    c.at += size
    c.left -= <uint32_t>size
    return True


cdef bint cursor_vector(cursor_t *c, uint32_t width, cursor_t *part) noexcept nogil:
    # A length of so many bytes, then as much.
    return cursor_take(c, cursor_number(c, width), part)


cdef int hello_message(const uint8_t *data, uint32_t size, uint8_t *room, cursor_t *message) noexcept nogil:
    # The first handshake message, out of its records. The room is as large as the data may be.
    cdef uint32_t at = 0, used = 0, whole, length, piece
    while True:
        if size - at < RECORD_HEADER:
            return HELLO_WAIT if record_may_begin(data + at, size - at) else HELLO_NONE
        length = <uint32_t>data[at + 3] << 8 | data[at + 4]
        if not record_may_begin(data + at, size - at) or length == 0 or length > RECORD_LIMIT:
            return HELLO_NONE
        at += RECORD_HEADER
        piece = min(length, size - at)
        memcpy(room + used, data + at, piece)
        used += piece
        at += piece
        if used and room[0] != CLIENT_HELLO:
            message.at = room
            message.left = used
            return HELLO_NONE
        if used >= HANDSHAKE_HEADER:
            whole = HANDSHAKE_HEADER + (<uint32_t>room[1] << 16 | <uint32_t>room[2] << 8 | room[3])
            if used >= whole:
                message.at = room + HANDSHAKE_HEADER
                message.left = whole - HANDSHAKE_HEADER
                return HELLO_FOUND
            if whole > INSPECT_BYTES:
                return HELLO_NONE
        if piece < length:
            return HELLO_WAIT


cdef bint record_may_begin(const uint8_t *data, uint32_t size) noexcept nogil:
    # A handshake record of SSL 3 or any TLS.
    return (size < 1 or data[0] == 22) and (size < 2 or data[1] == 3)


cdef bint hello_extension(cursor_t hello, int64_t wanted, cursor_t *found) noexcept nogil:
    cdef cursor_t part, extensions
    cdef int64_t kind
    if (not cursor_take(&hello, 34, &part)  # version and random
            or not cursor_vector(&hello, 1, &part)  # session
            or not cursor_vector(&hello, 2, &part)  # cipher suites
            or not cursor_vector(&hello, 1, &part)  # compression methods
            or not cursor_vector(&hello, 2, &extensions)):
        return False
    while extensions.left:
        kind = cursor_number(&extensions, 2)
        if not cursor_vector(&extensions, 2, found):
            return False
        if kind == wanted:
            return True
    return False


cdef bint hello_sni(cursor_t hello, cursor_t *name) noexcept nogil:
    # The first name of the list, which must be that of a host.
    cdef cursor_t extension, names
    return (hello_extension(hello, EXTENSION_SNI, &extension) and cursor_vector(&extension, 2, &names)
            and cursor_number(&names, 1) == 0 and cursor_vector(&names, 2, name))


cdef bint hello_alpn(cursor_t hello, cursor_t *name) noexcept nogil:
    # The protocol that the client names first.
    cdef cursor_t extension, names
    return (hello_extension(hello, EXTENSION_ALPN, &extension) and cursor_vector(&extension, 2, &names)
            and cursor_vector(&names, 1, name))
