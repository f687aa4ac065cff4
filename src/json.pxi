# Texts for strings of JSON ("json", HAProxy manual, section 7.3.1).

cdef enum:
    JSON_DECODES = 1       # the text is UTF-8
    JSON_SKIPS = 2         # what is wrong in it is left out, where it would be nothing as a whole otherwise
    JSON_MENDS = 4         # too long a code is no mistake
    JSON_CHARACTER = 6     # bytes of the longest that is written

cdef enum:
    UTF8_BROKEN = 1
    UTF8_OVERLONG = 2
    UTF8_OUTSIDE = 4       # a code that no character has, or that JSON cannot write in one piece


cdef uint32_t utf8_length(uint8_t byte) noexcept nogil:
    # Of what begins with it; 0 for what begins nothing.
    cdef uint32_t length = 2
    if byte < 0x80:
        return 1
    while length <= 6 and byte & (0x80 >> length):
        length += 1
    return length if byte >= 0xc0 and length <= 6 else 0


cdef uint32_t utf8_next(const uint8_t *text, uint32_t size, uint32_t *code, uint32_t *flaws) noexcept nogil:
    # The code of the first character, what is wrong with it, and how many bytes it has: at least one.
    cdef uint32_t length = utf8_length(text[0]), i
    code[0] = text[0]
    flaws[0] = 0
    if length == 1:
        return 1
    if length == 0 or length > size:
        flaws[0] = UTF8_BROKEN
        return 1
    code[0] &= <uint32_t>0x7f >> length
    for i in range(1, length):
        if text[i] & 0xc0 != 0x80:
            flaws[0] = UTF8_BROKEN
            return i
        code[0] = code[0] << 6 | text[i] & 0x3f
    if code[0] < (<uint32_t>0x80 if length == 2 else <uint32_t>1 << (5 * length - 4)):
        flaws[0] = UTF8_OVERLONG
    if 0xd800 <= code[0] <= 0xdfff or code[0] >= 0xfffe:
        flaws[0] |= UTF8_OUTSIDE
    return length


cdef uint32_t json_put(char *at, uint32_t code) noexcept nogil:
    # A character, in up to JSON_CHARACTER bytes and a zero; how many these are.
    cdef const char *named = b"\"\"\\\\//\bb\ff\nn\rr\tt"
    cdef uint32_t i
    for i in range(8):
        if code == <uint8_t>named[2 * i]:
            at[0] = c'\\'
            at[1] = named[2 * i + 1]
            return 2
    if code < 32 or code > 126:
        return <uint32_t>snprintf(at, JSON_CHARACTER + 1, b"\\u%04x", code)
    at[0] = <char>code
    return 1


cdef bint convert_json(look_t *look, uint32_t how, value_t *v) noexcept nogil:
    # False for what is wrong and not to be skipped, or has no room.
    cdef uint8_t *room = value_room(look, v)
    cdef uint32_t at = 0, size = 0, code, flaws
    while at < v.size:
        code = v.text[at]
        flaws = 0
        if how & JSON_DECODES:
            at += utf8_next(v.text + at, v.size - at, &code, &flaws)
        else:
            at += 1
        if how & JSON_MENDS:
            flaws &= ~<uint32_t>UTF8_OVERLONG
        if flaws and how & JSON_SKIPS:
            continue
        if flaws or size + JSON_CHARACTER >= ROOM_BYTES:
            return False
        size += json_put(<char *>room + size, code)
    return value_text(v, room, size)
