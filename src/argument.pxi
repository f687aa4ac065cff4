# Variables that are arguments of converters. Source: HAProxy manual, section 7.3.1.

cdef enum:
    ARGUMENT_BYTES = 64  # for a number or an address, as text or raw


cdef bint argument_number(look_t *look, uint32_t number, int64_t *n) noexcept nogil:
    # False where the variable is not set, or no number.
    cdef value_t v
    memset(&v, 0, sizeof(value_t))
    if not var_value(look, number, &v) or not value_to_number(&v):
        return False
    n[0] = v.number
    return True


cdef bint argument_text(look_t *look, uint32_t number, bint raw, uint8_t *spelled, value_t *v) noexcept nogil:
    # False where the variable is not set. What is no text becomes one in `spelled`, or raw bytes.
    memset(v, 0, sizeof(value_t))
    if not var_value(look, number, v):
        return False
    if v.kind == VALUE_TEXT:
        return True
    return value_text(v, spelled, value_raw(v, spelled) if raw else value_spell(v, <char *>spelled))


cdef bint bytes_equal(const value_t *one, const value_t *other) noexcept nogil:
    # In a time that depends on their sizes alone.
    cdef uint8_t differ = 0
    cdef uint32_t i
    if one.size != other.size:
        return False
    for i in range(one.size):
        differ |= one.text[i] ^ other.text[i]
    return differ == 0


cdef int64_t texts_compared(const value_t *one, const value_t *other) noexcept nogil:
    # By the first byte that differs; of a text and a longer one that begins with it, the shorter is less.
    cdef uint32_t i
    for i in range(min(one.size, other.size)):
        if one.text[i] != other.text[i]:
            return <int64_t>one.text[i] - other.text[i]
    return <int64_t>(one.size > other.size) - (one.size < other.size)


cdef bint convert_comparison(look_t *look, const rule_converter *c, value_t *v) noexcept nogil:
    cdef uint8_t spelled[ARGUMENT_BYTES]
    cdef value_t other
    cdef bint raw = c.kind == CONVERT_SECURE_MEMCMP
    if not argument_text(look, c.values, raw, spelled, &other):
        return False
    return value_number(v, bytes_equal(v, &other) if raw else texts_compared(v, &other))
