# Converters between bytes and the ways to write them down.

cdef const uint8_t *HEX_DIGITS = <const uint8_t *>b"0123456789ABCDEF"
cdef const uint8_t *BASE64_DIGITS = (
    <const uint8_t *>b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
cdef const uint8_t *URL64_DIGITS = (
    <const uint8_t *>b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


cdef int hex_digit(uint8_t byte) noexcept nogil:
    # Its value, or -1.
    if c'0' <= byte <= c'9':
        return byte - c'0'
    byte |= 0x20
    return byte - c'a' + 10 if c'a' <= byte <= c'f' else -1


cdef bint convert_to_hex(look_t *look, const rule_converter *c, value_t *v) noexcept nogil:
    # "be2hex": a separator after each chunk but the last; what is no whole chunk may be left out.
    cdef uint8_t *room = value_room(look, v)
    cdef writer_t out
    cdef uint8_t pair[2]
    cdef uint32_t chunk = c.first if c.kind == CONVERT_BE2HEX else 0
    cdef uint32_t i, size = v.size
    if chunk and c.second:
        size -= size % chunk
    out.at = room
    out.end = room + ROOM_BYTES
    for i in range(size):
        if chunk and i and i % chunk == 0:
            written(&out, plan_rules(look.plan) + c.text, c.text_size)
        pair[0] = HEX_DIGITS[v.text[i] >> 4]
        pair[1] = HEX_DIGITS[v.text[i] & 15]
        written(&out, pair, 2)
    return value_text(v, room, <uint32_t>(out.at - room))


cdef bint convert_to_decimals(look_t *look, const rule_converter *c, value_t *v) noexcept nogil:
    # "be2dec" and "le2dec": the last chunk may be a smaller one, or be left out.
    cdef uint8_t *room = value_room(look, v)
    cdef writer_t out
    cdef char number[32]
    cdef uint32_t i = 0, width
    cdef uint64_t n
    out.at = room
    out.end = room + ROOM_BYTES
    while i < v.size and not (c.second and i + c.first > v.size):
        if i:
            written(&out, plan_rules(look.plan) + c.text, c.text_size)
        width = min(c.first, v.size - i)
        n = little_endian(v.text + i, width) if c.kind == CONVERT_LE2DEC else big_endian(v.text + i, width)
        snprintf(number, sizeof(number), b"%llu", <unsigned long long>n)
        written(&out, <const uint8_t *>number, <uint32_t>strlen(number))
        i += width
    return value_text(v, room, <uint32_t>(out.at - room))


cdef bint is_unreserved(uint8_t byte) noexcept nogil:
    # RFC 3986, section 2.3.
    return c'a' <= (byte | 0x20) <= c'z' or c'0' <= byte <= c'9' or byte in (c'-', c'.', c'_', c'~')


cdef bint convert_to_url(look_t *look, value_t *v) noexcept nogil:
    # False for what is too long.
    cdef uint8_t *room = value_room(look, v)
    cdef uint32_t i, at = 0
    for i in range(v.size):
        if at + 3 > ROOM_BYTES:
            return False
        room[at] = v.text[i]
        if not is_unreserved(v.text[i]):
            room[at] = c'%'
            room[at + 1] = HEX_DIGITS[v.text[i] >> 4]
            room[at + 2] = HEX_DIGITS[v.text[i] & 15]
            at += 2
        at += 1
    return value_text(v, room, at)


cdef bint convert_from_hex(value_t *v) noexcept nogil:
    cdef uint64_t n = 0
    cdef uint32_t i
    cdef int digit
    for i in range(v.size):
        digit = hex_digit(v.text[i])
        if digit < 0:
            return False
        n = n << 4 | <uint64_t>digit
    return value_number(v, <int64_t>n)


cdef bint convert_to_base64(look_t *look, const rule_converter *c, value_t *v) noexcept nogil:
    # False for what is too long.
    cdef bint url = c.kind == CONVERT_UB64ENC
    cdef const uint8_t *digits = URL64_DIGITS if url else BASE64_DIGITS
    cdef uint8_t *room = value_room(look, v)
    cdef uint32_t i = 0, at = 0, k, have
    cdef uint32_t bits
    if (v.size + 2) / 3 * 4 > ROOM_BYTES:
        return False
    while i < v.size:
        have = min(v.size - i, 3)
        bits = <uint32_t>big_endian(v.text + i, have) << (8 * (3 - have))
        for k in range(4):
            if k <= have:
                room[at] = digits[bits >> (18 - 6 * k) & 63]
            elif url:
                break
            else:
                room[at] = c'='
            at += 1
        i += 3
    return value_text(v, room, at)


cdef int base64_value(uint8_t byte, bint url) noexcept nogil:
    # Of a digit, or -1.
    cdef const uint8_t *digits = URL64_DIGITS if url else BASE64_DIGITS
    cdef const uint8_t *found = <const uint8_t *>memchr(digits, byte, 64)
    return -1 if found == NULL else <int>(found - digits)


cdef bint convert_from_base64(look_t *look, const rule_converter *c, value_t *v) noexcept nogil:
    # False for what is not Base64: whole groups of four, of which the last may end with one or two "=".
    cdef bint url = c.kind == CONVERT_UB64DEC
    cdef uint8_t *room = value_room(look, v)
    cdef uint32_t size = v.size, i, bits = 0, at = 0
    cdef int digit
    if not url:
        if size % 4:
            return False
        for i in range(2):
            if size and v.text[size - 1] == c'=':
                size -= 1
    if size % 4 == 1:
        return False
    for i in range(size):
        digit = base64_value(v.text[i], url)
        if digit < 0:
            return False
        bits = bits << 6 | <uint32_t>digit
        if i & 3:
            room[at] = <uint8_t>(bits >> (6 - 2 * (i & 3)))
            at += 1
    return value_text(v, room, at)
