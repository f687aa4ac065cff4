# What a sample gives, as something else: numbers and addresses as people write them, and back. Source: HAProxy
# manual, section 7.1.

cdef bint value_to_text(look_t *look, value_t *v) noexcept nogil:
    cdef char *room = <char *>look.text_room
    room[0] = 0
    if v.kind == VALUE_NUMBER:
        snprintf(room, 32, b"%lld", <long long>v.number)
    elif v.kind == VALUE_ADDRESS:
        inet_ntop(v.family, v.address, room, INET6_ADDRSTRLEN)
    else:
        return True
    return value_text(v, <const uint8_t *>room, <uint32_t>strlen(room))


cdef bint text_number(const uint8_t *text, uint32_t size, int64_t *number) noexcept nogil:
    # A whole number, and nothing else.
    cdef uint32_t i, first = 1 if size and (text[0] == b'-' or text[0] == b'+') else 0
    cdef int64_t n = 0
    if size == first or size - first > 18:
        return False
    for i in range(first, size):
        if not b'0' <= text[i] <= b'9':
            return False
        n = n * 10 + (text[i] - 48)
    number[0] = -n if text[0] == b'-' else n
    return True


cdef bint value_to_number(value_t *v) noexcept nogil:
    cdef int64_t number = 0
    if v.kind == VALUE_ADDRESS:
        return v.family == AF_INET and value_number(v, <int64_t>big_endian(v.address, 4))
    if v.kind == VALUE_TEXT:
        return text_number(v.text, v.size, &number) and value_number(v, number)
    return True


cdef bint value_to_address(value_t *v) noexcept nogil:
    cdef char written[INET6_ADDRSTRLEN]
    cdef uint8_t address[16]
    cdef uint32_t i
    if v.kind == VALUE_ADDRESS:
        return True
    if v.kind == VALUE_NUMBER:
        for i in range(4):
            address[i] = <uint8_t>(v.number >> (24 - 8 * i))
        return fetch_address(v, AF_INET, address)
    if v.size >= sizeof(written):
        return False
    memcpy(written, v.text, v.size)
    written[v.size] = 0
    if inet_pton(AF_INET, written, address) == 1:
        return fetch_address(v, AF_INET, address)
    return inet_pton(AF_INET6, written, address) == 1 and fetch_address(v, AF_INET6, address)


cdef bint convert_kind(look_t *look, const rule_converter *c, value_t *v) noexcept nogil:
    if c.kind == CONVERT_TO_TEXT:
        return value_to_text(look, v)
    return value_to_number(v) if c.kind == CONVERT_TO_NUMBER else value_to_address(v)
