# The cookie in the first packet of a remote desktop's client: behind 11 bytes of TPKT and X.224 "Cookie: NAME=VALUE"
# and a line end (Microsoft, MS-RDPBCGR section 2.2.1.1).

cdef enum:
    RDP_WAIT = 0
    RDP_NONE = 1
    RDP_FOUND = 2
    RDP_HEADER = 11
    COOKIE_BYTES = 7


cdef int rdp_value(cursor_t c, value_t *v) noexcept nogil:
    # What stands before the line end.
    cdef const uint8_t *end = <const uint8_t *>memchr(c.at, c'\r', c.left)
    if end == NULL or end + 2 > c.at + c.left:
        return RDP_WAIT
    if end[1] != c'\n':
        return RDP_NONE
    value_text(v, c.at, <uint32_t>(end - c.at))
    return RDP_FOUND


cdef int rdp_cookie(const uint8_t *data, uint32_t size, const uint8_t *name, uint32_t name_size,
                    value_t *v) noexcept nogil:
    # The value of the cookie of that name, or of any where it is empty. Letters count as either case.
    cdef cursor_t c
    if size <= RDP_HEADER + COOKIE_BYTES:
        return RDP_WAIT
    c.at = data + RDP_HEADER + COOKIE_BYTES
    c.left = size - RDP_HEADER - COOKIE_BYTES
    if not same_letters(data + RDP_HEADER, <const uint8_t *>b"Cookie:", COOKIE_BYTES):
        return RDP_NONE
    while c.left and c.at[0] == c' ':
        c.at += 1
        c.left -= 1
    if name_size and c.left <= name_size:
        return RDP_WAIT
    if name_size and not (c.at[name_size] == c'=' and same_letters(c.at, name, name_size)):
        return RDP_NONE
    while not name_size and c.left and c.at[0] != c'=':
        if c.at[0] == c'\r' or c.at[0] == c'\n':
            return RDP_NONE
        c.at += 1
        c.left -= 1
    if c.left <= name_size:
        return RDP_WAIT
    c.at += name_size + 1
    c.left -= name_size + 1
    return rdp_value(c, v)


cdef bint fetch_rdp_cookie(look_t *look, const rule_sample *sample, value_t *v) noexcept nogil:
    cdef int verdict = rdp_cookie(look.data, look.size, plan_rules(look.plan) + sample.first, sample.second, v)
    if verdict == RDP_WAIT:
        return value_wait(look, v)
    if sample.fetch == FETCH_RDP_COUNT:
        return value_number(v, verdict == RDP_FOUND)
    return verdict == RDP_FOUND
