# Messages of the Financial Information eXchange: "tag=value" fields, each ended by a byte 1 (fixtrading.org, FIX Tag
# Value Encoding). The first three are 8 (version), 9 (length of what lies between it and the checksum) and 35 (kind),
# the last is 10, the sum of all bytes before it.

cdef enum:
    FIX_WAIT = 0
    FIX_NONE = 1
    FIX_FOUND = 2
    FIX_SHORTEST = 26
    FIX_END = 1
    FIX_CHECKSUM = 10

ctypedef struct fix_field_t:
    int64_t tag
    cursor_t value


cdef int64_t fix_number(const cursor_t *text) noexcept nogil:
    # All of the text, which has at least one digit; or -1.
    cdef int64_t n = 0
    cdef uint32_t i
    if text.left == 0 or text.left > 9:
        return -1
    for i in range(text.left):
        if not c'0' <= text.at[i] <= c'9':
            return -1
        n = 10 * n + (text.at[i] - c'0')
    return n


cdef int fix_field(cursor_t *c, fix_field_t *field) noexcept nogil:
    # Takes the next one. Its tag is above 0.
    cdef const uint8_t *equals = <const uint8_t *>memchr(c.at, c'=', c.left)
    cdef const uint8_t *end
    cdef cursor_t name
    if equals == NULL:
        return FIX_WAIT
    end = <const uint8_t *>memchr(equals, FIX_END, c.left - (equals - c.at))
    if end == NULL:
        return FIX_WAIT
    name.at = c.at
    name.left = <uint32_t>(equals - c.at)
    field.tag = fix_number(&name)
    field.value.at = equals + 1
    field.value.left = <uint32_t>(end - equals - 1)
    c.left -= <uint32_t>(end + 1 - c.at)
    c.at = end + 1
    return FIX_FOUND if field.tag > 0 else FIX_NONE


cdef int64_t fix_last_tag(const cursor_t *version) noexcept nogil:
    # The largest tag that a version knows; 0 for what is no version.
    cdef int64_t limits[5]
    limits[:] = [140, 211, 446, 659, 956]
    if version.left == 8 and memcmp(version.at, b"FIXT.1.1", 8) == 0:
        return 1621
    if version.left == 7 and memcmp(version.at, b"FIX.4.", 6) == 0 and c'0' <= version.at[6] <= c'4':
        return limits[version.at[6] - c'0']
    return 0


cdef int fix_message(const value_t *v) noexcept nogil:
    cdef cursor_t c
    cdef fix_field_t field
    cdef const uint8_t *body = NULL
    cdef const uint8_t *at = v.text
    cdef int64_t last = 0, length = 0
    cdef uint32_t count = 0
    cdef uint8_t sum = 0
    cdef int verdict
    if v.size < FIX_SHORTEST:
        return FIX_WAIT
    c.at = v.text
    c.left = v.size
    while c.left:
        verdict = fix_field(&c, &field)
        if verdict != FIX_FOUND:
            return verdict
        count += 1
        if count == 1:
            last = fix_last_tag(&field.value) if field.tag == 8 else 0
            if last == 0:
                return FIX_NONE
        elif field.tag > last and not 10000 <= field.tag <= 19999:
            return FIX_NONE
        if count == 2:
            length = fix_number(&field.value) if field.tag == 9 else 0
            body = c.at
            if length <= 0:
                return FIX_NONE
        elif count == 3 and field.tag != 35:
            return FIX_NONE
        elif count > 3 and field.tag == FIX_CHECKSUM:
            return FIX_FOUND if at - body == length and field.value.left == 3 and fix_number(
                &field.value) == sum else FIX_NONE
        while at < c.at:
            sum += at[0]
            at += 1
    return FIX_WAIT


cdef bint convert_fix_valid(value_t *v) noexcept nogil:
    cdef int verdict = fix_message(v)
    return verdict != FIX_WAIT and value_number(v, verdict == FIX_FOUND)


cdef bint convert_fix_tag(uint32_t tag, value_t *v) noexcept nogil:
    # False where it is not there, or empty.
    cdef cursor_t c
    cdef fix_field_t field
    c.at = v.text
    c.left = v.size
    while c.left and fix_field(&c, &field) == FIX_FOUND:
        if field.tag == tag:
            return field.value.left and value_text(v, field.value.at, field.value.left)
        if field.tag == FIX_CHECKSUM:
            break
    return False
