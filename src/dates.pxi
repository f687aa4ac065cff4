# Times as strftime(3) writes them ("ltime" and its like, HAProxy manual, section 7.3.1).

cdef int64_t dates_per_second(uint32_t kind) noexcept nogil:
    if kind == CONVERT_MS_LTIME or kind == CONVERT_MS_UTIME:
        return 1000
    return 1000000 if kind == CONVERT_US_LTIME or kind == CONVERT_US_UTIME else 1


cdef void dates_format(const char *form, uint32_t nanoseconds, uint8_t *room) noexcept nogil:
    # "%N" becomes the fraction of the second, of nine digits, or of as many as the digit says that stands before it.
    cdef char fraction[16]
    cdef writer_t out
    cdef uint32_t width
    out.at = room
    out.end = room + ROOM_BYTES - 1
    snprintf(fraction, sizeof(fraction), b"%09u", nanoseconds)
    while form[0]:
        width = <uint32_t>(form[1] - c'0') if form[0] == c'%' and c'1' <= form[1] <= c'9' else 0
        if form[0] == c'%' and form[2 if width else 1] == c'N':
            written(&out, <const uint8_t *>fraction, width or 9)
            form += 3 if width else 2
        else:
            width = 2 if form[0] == c'%' and form[1] else 1
            written(&out, <const uint8_t *>form, width)
            form += width
    out.at[0] = 0


cdef bint convert_time(look_t *look, const rule_converter *c, value_t *v) noexcept nogil:
    # False for a year that the calendar does not have.
    cdef const char *form = <const char *>plan_rules(look.plan) + c.text
    cdef char *room = <char *>look.text_room
    cdef int64_t per_second = dates_per_second(c.kind)
    cdef int64_t at = clipped(<wide_t>v.number + <int64_t>(<uint64_t>c.second << 32 | c.first))
    cdef int64_t rest = at % per_second
    cdef long seconds = <long>(at / per_second)
    cdef bint local = c.kind == CONVERT_LTIME or c.kind == CONVERT_MS_LTIME or c.kind == CONVERT_US_LTIME
    cdef tm date
    if rest < 0:
        seconds -= 1
        rest += per_second
    if (localtime_r(&seconds, &date) if local else gmtime_r(&seconds, &date)) == NULL:
        return False
    if per_second > 1:
        dates_format(form, <uint32_t>(rest * (1000000000 / per_second)), look.other_room)
        form = <const char *>look.other_room
    return value_text(v, <const uint8_t *>room, <uint32_t>strftime(room, ROOM_BYTES, form, &date))
