# What a sample gives, and what becomes of it by itself where a converter or a comparison needs another kind.

cdef bint value_number(value_t *v, int64_t number) noexcept nogil:
    v.kind = VALUE_NUMBER
    v.number = number
    return True


cdef bint value_text(value_t *v, const uint8_t *text, uint32_t size) noexcept nogil:
    v.kind = VALUE_TEXT
    v.text = text
    v.size = size
    return True


cdef bint value_wait(look_t *look, value_t *v) noexcept nogil:
    # Nothing yet.
    v.waits = not look.final
    return False


cdef bint value_address(value_t *v, uint16_t family, const uint8_t *address) noexcept nogil:
    if family != AF_INET and family != AF_INET6:
        return False
    v.kind = VALUE_ADDRESS
    v.family = family
    memcpy(v.address, address, 4 if family == AF_INET else 16)
    return True


cdef uint8_t *value_room(look_t *look, const value_t *v) noexcept nogil:
    # ROOM_BYTES for what is made of the value, and not where the value itself may be.
    cdef bint is_there = v.kind == VALUE_TEXT and v.text >= look.text_room and v.text < look.text_room + ROOM_BYTES
    return look.other_room if is_there else look.text_room


cdef uint32_t value_spell(const value_t *v, char *room) noexcept nogil:
    # A number or an address as people write it, in up to INET6_ADDRSTRLEN bytes; how many these are.
    room[0] = 0
    if v.kind == VALUE_NUMBER:
        snprintf(room, INET6_ADDRSTRLEN, b"%lld", <long long>v.number)
    else:
        inet_ntop(v.family, v.address, room, INET6_ADDRSTRLEN)
    return <uint32_t>strlen(room)


cdef bint value_to_text(look_t *look, value_t *v) noexcept nogil:
    cdef uint8_t *room = value_room(look, v)
    return v.kind == VALUE_TEXT or value_text(v, room, value_spell(v, <char *>room))


cdef void put_big_endian(uint8_t *at, uint64_t number, uint32_t count) noexcept nogil:
    cdef uint32_t i
    for i in range(count):
        at[i] = <uint8_t>(number >> (8 * (count - 1 - i)))


cdef uint32_t value_raw(const value_t *v, uint8_t *room) noexcept nogil:
    # A number as eight bytes, the highest first, an address as four or sixteen; how many these are.
    if v.kind == VALUE_NUMBER:
        put_big_endian(room, <uint64_t>v.number, 8)
        return 8
    memcpy(room, v.address, 16)
    return 4 if v.family == AF_INET else 16


cdef bint value_to_bytes(look_t *look, value_t *v) noexcept nogil:
    cdef uint8_t *room = value_room(look, v)
    return v.kind == VALUE_TEXT or value_text(v, room, value_raw(v, room))


cdef int64_t text_number(const uint8_t *text, uint32_t size) noexcept nogil:
    # The number that the text begins with: the nearest there is to one too large, and 0 where there is none.
    cdef uint64_t n = 0, limit = <uint64_t>1 << 63
    cdef bint negative = size > 0 and text[0] == c'-'
    cdef uint32_t i = 1 if size > 0 and (negative or text[0] == c'+') else 0
    cdef uint32_t digit
    while i < size and c'0' <= text[i] <= c'9':
        digit = text[i] - c'0'
        n = limit if n > (limit - digit) / 10 else 10 * n + digit
        i += 1
    if negative:
        return <int64_t>(0 - n)
    return <int64_t>min(n, limit - 1)


cdef bint value_to_number(value_t *v) noexcept nogil:
    if v.kind == VALUE_ADDRESS:
        return v.family == AF_INET and value_number(v, <int64_t>big_endian(v.address, 4))
    if v.kind == VALUE_TEXT:
        return v.size != 0 and value_number(v, text_number(v.text, v.size))
    return True


cdef bint value_to_address(value_t *v) noexcept nogil:
    cdef char written[INET6_ADDRSTRLEN]
    cdef uint8_t address[16]
    if v.kind == VALUE_NUMBER:
        put_big_endian(address, <uint64_t>v.number, 4)
        return value_address(v, AF_INET, address)
    if v.kind == VALUE_ADDRESS:
        return True
    if v.size >= sizeof(written) or memchr(v.text, 0, v.size) != NULL:
        return False
    memcpy(written, v.text, v.size)
    written[v.size] = 0
    if inet_pton(AF_INET, written, address) == 1:
        return value_address(v, AF_INET, address)
    return inet_pton(AF_INET6, written, address) == 1 and value_address(v, AF_INET6, address)
