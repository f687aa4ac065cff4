# Converters: what they make of a value. Source: HAProxy manual, section 7.3.1.

cdef bint convert_mask(const rule_converter *c, value_t *v) noexcept nogil:
    cdef uint32_t bits = c.first if v.family == AF_INET else c.second
    cdef uint32_t i
    if bits == NO_INDEX:
        return False
    for i in range(4 if v.family == AF_INET else 16):
        if bits < 8 * (i + 1):
            v.address[i] &= <uint8_t>(0xff00 >> (bits - 8 * i)) if bits > 8 * i else 0
    return True


cdef bint convert_map(look_t *look, const rule_converter *c, value_t *v) noexcept nogil:
    cdef const uint8_t *table = plan_rules(look.plan)
    cdef uint32_t found = value_find(look, c.match, c.values, v, False)
    cdef plan_name *text = <plan_name *>(table + found)
    if found != NO_INDEX:
        return value_text(v, table + text.offset, text.size)
    return c.text != NO_INDEX and value_text(v, table + c.text, c.text_size)


# ---- texts -------------------------------------------------------------------------------------------------------

cdef bint convert_case(look_t *look, bint upper, value_t *v) noexcept nogil:
    cdef uint8_t *room = value_room(look, v)
    cdef uint32_t i
    text_copy(v, room, not upper, False)
    if upper:
        for i in range(v.size):
            if c'a' <= room[i] <= c'z':
                room[i] &= 0xdf
    return True


cdef int32_t text_parts(value_t *v, const uint8_t *delimiters, uint32_t count, bint words, int32_t first, int32_t last,
                        value_t *part) noexcept nogil:
    # How many parts there are between delimiters, up to the last wanted one; the wanted ones are `part`. Words are
    # those that are not empty.
    cdef int32_t number = 0
    cdef uint32_t start = 0, at
    for at in range(v.size + 1):
        if at < v.size and memchr(delimiters, v.text[at], count) == NULL:
            continue
        if at > start or not words:
            number += 1
            if number == first:
                part.text = v.text + start
            if first <= number <= last:
                part.size = <uint32_t>(v.text + at - part.text)
            if number == last:
                return number
        start = at + 1
    return number


cdef bint convert_part(look_t *look, const rule_converter *c, value_t *v) noexcept nogil:
    # A word that is not there is empty, but a field that is not there is none, as HAProxy has it.
    cdef const uint8_t *delimiters = plan_rules(look.plan) + c.text
    cdef bint words = c.kind == CONVERT_WORD
    cdef int32_t first = <int32_t>c.first, last = first
    cdef int32_t wanted = <int32_t>c.second if c.second else 1 << 20
    cdef value_t part
    part.text = NULL
    part.size = 0
    if first < 0:
        last += 1 + text_parts(v, delimiters, c.text_size, words, 0, 0, &part)
        first = max(last - wanted + 1, 1)
    else:
        last = first + wanted - 1
    if last > 0:
        text_parts(v, delimiters, c.text_size, words, first, last, &part)
    if part.text == NULL:
        return words and value_text(v, v.text, 0)
    if c.second == 0 and <int32_t>c.first > 0:  # all from there, and the delimiters behind it
        part.size = <uint32_t>(v.text + v.size - part.text)
    elif c.second == 0:
        part.size += <uint32_t>(part.text - v.text)
        part.text = v.text
    return value_text(v, part.text, part.size)


cdef bint convert_trim(look_t *look, const rule_converter *c, value_t *v) noexcept nogil:
    cdef const uint8_t *unwanted = plan_rules(look.plan) + c.text
    if c.kind == CONVERT_LTRIM:
        while v.size and memchr(unwanted, v.text[0], c.text_size) != NULL:
            v.text += 1
            v.size -= 1
    else:
        while v.size and memchr(unwanted, v.text[v.size - 1], c.text_size) != NULL:
            v.size -= 1
    return True


cdef bint convert_concat(look_t *look, const rule_converter *c, value_t *v) noexcept nogil:
    # A variable between two texts is nothing where it is not set.
    cdef const uint8_t *texts = plan_rules(look.plan) + c.text
    cdef uint8_t *room = value_room(look, v)
    cdef uint8_t spelled[ARGUMENT_BYTES]
    cdef value_t between
    cdef writer_t out
    out.at = room
    out.end = room + ROOM_BYTES
    written(&out, v.text, v.size)
    written(&out, texts, c.first)
    if c.values != NO_INDEX and argument_text(look, c.values, False, spelled, &between):
        written(&out, between.text, between.size)
    written(&out, texts + c.first, c.text_size - c.first)
    return value_text(v, room, <uint32_t>(out.at - room))


cdef bint convert_cut(value_t *v) noexcept nogil:
    cdef uint32_t i
    for i in range(v.size):
        if v.text[i] == c'\r' or v.text[i] == c'\n':
            v.size = i
            break
    return True


cdef bint convert_url(look_t *look, bint form, value_t *v) noexcept nogil:
    # "+" is a blank in a form, and behind a question mark. False for a "%" without two digits.
    cdef uint8_t *room = value_room(look, v)
    cdef uint32_t i = 0, at = 0
    cdef int high, low
    while i < v.size and at < ROOM_BYTES:
        room[at] = v.text[i]
        if v.text[i] == c'+' and form:
            room[at] = c' '
        elif v.text[i] == c'?':
            form = True
        elif v.text[i] == c'%':
            high = hex_digit(v.text[i + 1]) if i + 2 < v.size else -1
            low = hex_digit(v.text[i + 2]) if i + 2 < v.size else -1
            if high < 0 or low < 0:
                return False
            room[at] = <uint8_t>(high << 4 | low)
            i += 2
        i += 1
        at += 1
    return value_text(v, room, at)


cdef bint convert_labels(look_t *look, value_t *v) noexcept nogil:
    # The parts between dots, the last one first.
    cdef uint8_t *room = value_room(look, v)
    cdef uint32_t end = v.size, start, at = 0
    while True:
        start = end
        while start and v.text[start - 1] != c'.':
            start -= 1
        memcpy(room + at, v.text + start, end - start)
        at += end - start
        if start == 0:
            return value_text(v, room, at)
        room[at] = c'.'
        at += 1
        end = start - 1


cdef bint convert_substitute(look_t *look, const rule_converter *c, value_t *v) noexcept nogil:
    cdef const uint8_t *table = plan_rules(look.plan)
    cdef const rule_regex *regex = <const rule_regex *>(table + c.values)
    cdef uint8_t *room = value_room(look, v)
    return value_text(v, room, regex_substitute(
        table, regex, table + c.text, c.text_size, c.first != 0, v.text, v.size, room))


cdef bint convert_slice(look_t *look, const rule_converter *c, value_t *v) noexcept nogil:
    # False for a variable that is not set, or negative.
    cdef int64_t skipped = c.first, taken = c.second
    if c.values != NO_INDEX and not argument_number(look, c.values, &skipped):
        return False
    if c.text != NO_INDEX and not argument_number(look, c.text, &taken):
        return False
    if skipped < 0 or taken < 0:
        return False
    skipped = min(skipped, <int64_t>v.size)
    return value_text(v, v.text + skipped, <uint32_t>min(taken, <int64_t>v.size - skipped))


# ---- numbers -----------------------------------------------------------------------------------------------------

cdef extern from *:
    ctypedef long long wide_t "__int128"


cdef int64_t clipped(wide_t number) noexcept nogil:
    # HAProxy's numbers do not wrap around.
    cdef wide_t most = (<wide_t>1 << 63) - 1
    return <int64_t>min(max(number, -most - 1), most)


cdef int64_t arithmetic(uint32_t kind, int64_t a, int64_t b) noexcept nogil:
    if kind == CONVERT_ADD:
        return clipped(<wide_t>a + b)
    if kind == CONVERT_SUB:
        return clipped(<wide_t>a - b)
    if kind == CONVERT_MUL:
        return clipped(<wide_t>a * b)
    if kind == CONVERT_DIV:
        return clipped(<wide_t>a / b) if b else <int64_t>(~<uint64_t>0 >> 1)
    if kind == CONVERT_MOD:
        return 0 if b == 0 or b == -1 else a % b
    if kind == CONVERT_AND:
        return a & b
    if kind == CONVERT_OR:
        return a | b
    return a ^ b


cdef bint convert_arithmetic(look_t *look, const rule_converter *c, value_t *v) noexcept nogil:
    cdef int64_t operand = <int64_t>(<uint64_t>c.second << 32 | c.first)
    if c.values != NO_INDEX and not argument_number(look, c.values, &operand):
        return False
    return value_number(v, arithmetic(c.kind, v.number, operand))


cdef bint convert_number(look_t *look, const rule_converter *c, value_t *v) noexcept nogil:
    cdef int64_t n = v.number
    if c.kind <= CONVERT_XOR:
        return convert_arithmetic(look, c, v)
    if c.kind == CONVERT_CPL:
        n = ~n
    elif c.kind == CONVERT_NEG:
        n = clipped(-<wide_t>n)
    elif c.kind == CONVERT_NOT:
        n = n == 0
    elif c.kind == CONVERT_BOOL:
        n = n != 0
    elif c.kind == CONVERT_EVEN:
        n = n & 1 == 0
    else:
        n = n & 1
    return value_number(v, n)


cdef bint convert_choice(look_t *look, const rule_converter *c, value_t *v) noexcept nogil:
    cdef const uint8_t *table = plan_rules(look.plan)
    cdef const plan_name *no = <const plan_name *>(table + c.values)
    if v.number:
        return value_text(v, table + c.text, c.text_size)
    return value_text(v, table + no.offset, no.size)


cdef bint convert_htonl(look_t *look, value_t *v) noexcept nogil:
    cdef uint8_t *room = value_room(look, v)
    put_big_endian(room, <uint64_t>v.number, 4)
    return value_text(v, room, 4)


# ---- all of them -------------------------------------------------------------------------------------------------

cdef bint convert_kind(look_t *look, const rule_converter *c, value_t *v) noexcept nogil:
    if c.kind == CONVERT_TO_TEXT:
        return value_to_text(look, v)
    if c.kind == CONVERT_TO_BYTES:
        return value_to_bytes(look, v)
    return value_to_number(v) if c.kind == CONVERT_TO_NUMBER else value_to_address(v)


cdef bint convert_text(look_t *look, const rule_converter *c, value_t *v) noexcept nogil:
    if c.kind == CONVERT_LENGTH:
        return value_number(v, v.size)
    if c.kind == CONVERT_CONCAT:
        return convert_concat(look, c, v)
    if c.kind == CONVERT_LTRIM or c.kind == CONVERT_RTRIM:
        return convert_trim(look, c, v)
    if c.kind == CONVERT_REVERSE:
        text_copy(v, value_room(look, v), False, True)
        return True
    if c.kind == CONVERT_CUT_CRLF:
        return convert_cut(v)
    if c.kind == CONVERT_URL_DEC:
        return convert_url(look, c.first != 0, v)
    if c.kind == CONVERT_REGSUB:
        return convert_substitute(look, c, v)
    return convert_slice(look, c, v)


cdef bint convert_encoding(look_t *look, const rule_converter *c, value_t *v) noexcept nogil:
    if c.kind == CONVERT_HEX or c.kind == CONVERT_BE2HEX:
        return convert_to_hex(look, c, v)
    if c.kind == CONVERT_BE2DEC:
        return convert_to_decimals(look, c, v)
    if c.kind == CONVERT_HEX2I:
        return convert_from_hex(v)
    if c.kind == CONVERT_BASE64 or c.kind == CONVERT_UB64ENC:
        return convert_to_base64(look, c, v)
    return convert_from_base64(look, c, v)


cdef bint convert_protocol(look_t *look, const rule_converter *c, value_t *v) noexcept nogil:
    if c.kind == CONVERT_MQTT_IS_VALID:
        return convert_mqtt_valid(v)
    if c.kind == CONVERT_MQTT_FIELD_VALUE:
        return convert_mqtt_field(look, c.first, v)
    if c.kind == CONVERT_FIX_IS_VALID:
        return convert_fix_valid(v)
    return convert_fix_tag(c.first, v)


cdef bint convert_basic(look_t *look, const rule_converter *c, value_t *v) noexcept nogil:
    if c.kind == CONVERT_MAP:
        return convert_map(look, c, v)
    if c.kind == CONVERT_IPMASK:
        return convert_mask(c, v)
    if c.kind == CONVERT_FIELD or c.kind == CONVERT_WORD:
        return convert_part(look, c, v)
    return convert_case(look, c.kind == CONVERT_UPPER, v)


cdef bint convert_further(look_t *look, const rule_converter *c, value_t *v) noexcept nogil:
    if c.kind <= CONVERT_SECURE_MEMCMP:
        return convert_comparison(look, c, v)
    if c.kind <= CONVERT_US_UTIME:
        return convert_time(look, c, v)
    if c.kind <= CONVERT_SRV_QUEUE:
        return convert_named(look, c, v)
    if c.kind <= CONVERT_SHA2:
        return convert_sha(look, c.first, v)
    if c.kind == CONVERT_JSON:
        return convert_json(look, c.first, v)
    if c.kind == CONVERT_URL_ENC:
        return convert_to_url(look, v)
    if c.kind == CONVERT_REVERSE_DOM:
        return convert_labels(look, v)
    return convert_to_decimals(look, c, v)


cdef bint value_convert(look_t *look, const rule_converter *c, value_t *v) noexcept nogil:
    # False: nothing comes out.
    if c.kind < CONVERT_TO_TEXT:
        return convert_basic(look, c, v)
    if c.kind < CONVERT_ADD:
        return convert_kind(look, c, v)
    if c.kind < CONVERT_HTONL:
        return convert_number(look, c, v)
    if c.kind == CONVERT_HTONL:
        return convert_htonl(look, v)
    if c.kind == CONVERT_IIF:
        return convert_choice(look, c, v)
    if c.kind < CONVERT_LENGTH:
        return convert_time(look, c, v)
    if c.kind < CONVERT_HEX:
        return convert_text(look, c, v)
    if c.kind < CONVERT_CRC32:
        return convert_encoding(look, c, v)
    if c.kind < CONVERT_MQTT_IS_VALID:
        return convert_hash(c, v)
    if c.kind < CONVERT_STRCMP:
        return convert_protocol(look, c, v)
    return convert_further(look, c, v)
