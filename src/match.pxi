# Finding a value among those of a test, or the key of a map: by halving where the table is in order.

cdef uint8_t *plan_rules(plan_t *plan) noexcept nogil:
    return <uint8_t *>plan.header + plan.header.rules_offset


cdef uint32_t integers_find(const uint8_t *table, uint32_t offset, int64_t number) noexcept nogil:
    # The value of the last segment that does not begin above.
    cdef rule_integers *head = <rule_integers *>(table + offset)
    cdef rule_integer *entries = <rule_integer *>(table + head.entries)
    cdef uint32_t low = 0, high = head.count, middle
    while low < high:
        middle = (low + high) >> 1
        if entries[middle].start <= number:
            low = middle + 1
        else:
            high = middle
    return entries[low - 1].value if low else NO_INDEX


cdef uint32_t v4_find(const uint8_t *table, rule_networks *head, uint32_t address) noexcept nogil:
    cdef rule_v4 *entries = <rule_v4 *>(table + head.v4_entries)
    cdef uint32_t low = 0, high = head.v4_count, middle
    while low < high:
        middle = (low + high) >> 1
        if entries[middle].start <= address:
            low = middle + 1
        else:
            high = middle
    return entries[low - 1].value if low else NO_INDEX


cdef uint64_t big_endian(const uint8_t *bytes, uint32_t count) noexcept nogil:
    cdef uint64_t n = 0
    cdef uint32_t i
    for i in range(count):
        n = n << 8 | bytes[i]
    return n


cdef uint32_t v6_find(const uint8_t *table, rule_networks *head, const uint8_t *address) noexcept nogil:
    cdef rule_v6 *entries = <rule_v6 *>(table + head.v6_entries)
    cdef uint64_t upper = big_endian(address, 8)
    cdef uint64_t lower = big_endian(address + 8, 8)
    cdef uint32_t low = 0, high = head.v6_count, middle
    while low < high:
        middle = (low + high) >> 1
        if entries[middle].high < upper or (entries[middle].high == upper and entries[middle].low <= lower):
            low = middle + 1
        else:
            high = middle
    return entries[low - 1].value if low else NO_INDEX


cdef uint32_t networks_find(const uint8_t *table, uint32_t offset, const value_t *v) noexcept nogil:
    # As HAProxy has it: an IPv4 address is also ::ffff:a.b.c.d; an IPv6 one that holds an IPv4 address is that, too.
    cdef rule_networks *head = <rule_networks *>(table + offset)
    cdef uint8_t mapped[16]
    cdef uint64_t top
    cdef uint32_t found
    if v.family == AF_INET:
        found = v4_find(table, head, <uint32_t>big_endian(v.address, 4))
        if found != NO_INDEX or head.v6_count == 0:
            return found
        memset(mapped, 0, 10)
        memset(mapped + 10, 0xff, 2)
        memcpy(mapped + 12, v.address, 4)
        return v6_find(table, head, mapped)
    found = v6_find(table, head, v.address)
    if found != NO_INDEX or head.v4_count == 0:
        return found
    top = big_endian(v.address + 8, 4)
    if big_endian(v.address, 8) == 0 and (top == 0 or top == 0xffff):
        return v4_find(table, head, <uint32_t>big_endian(v.address + 12, 4))
    if big_endian(v.address, 2) == 0x2002:  # 6to4
        return v4_find(table, head, <uint32_t>big_endian(v.address + 2, 4))
    return NO_INDEX


cdef int name_compare(const uint8_t *table, const rule_name *name, const uint8_t *text, uint32_t size) noexcept nogil:
    cdef int order = memcmp(table + name.text, text, min(name.size, size))
    if order:
        return order
    return (name.size > size) - (name.size < size)


cdef uint32_t names_last(const uint8_t *table, rule_names *head, const uint8_t *text, uint32_t size) noexcept nogil:
    # How many names do not stand behind this text: the last of them is it, or what it begins with is above that one.
    cdef rule_name *entries = <rule_name *>(table + head.entries)
    cdef uint32_t low = 0, high = head.count, middle
    while low < high:
        middle = (low + high) >> 1
        if name_compare(table, &entries[middle], text, size) <= 0:
            low = middle + 1
        else:
            high = middle
    return low


cdef uint32_t names_equal(const uint8_t *table, uint32_t offset, const uint8_t *text, uint32_t size) noexcept nogil:
    cdef rule_names *head = <rule_names *>(table + offset)
    cdef uint32_t count = names_last(table, head, text, size)
    cdef rule_name *last = <rule_name *>(table + head.entries) + count - 1
    return last.value if count and name_compare(table, last, text, size) == 0 else NO_INDEX


cdef uint32_t names_prefix(const uint8_t *table, uint32_t offset, const uint8_t *text, uint32_t size) noexcept nogil:
    # The longest name that the text begins with.
    cdef rule_names *head = <rule_names *>(table + offset)
    cdef rule_name *entries = <rule_name *>(table + head.entries)
    cdef uint32_t at = names_last(table, head, text, size) - 1
    while at != NO_INDEX:
        if entries[at].size <= size and memcmp(table + entries[at].text, text, entries[at].size) == 0:
            return entries[at].value
        at = entries[at].parent
    return NO_INDEX


cdef bint delimits(uint8_t byte, uint32_t match) noexcept nogil:
    return byte == b'/' or byte == b'?' or (match == MATCH_DOM and (byte == b'.' or byte == b':'))


cdef bint word_stands_at(const uint8_t *text, uint32_t size, uint32_t at, uint32_t length,
                         uint32_t match) noexcept nogil:
    return ((at == 0 or delimits(text[at - 1], match))
            and (at + length == size or delimits(text[at + length], match)))


cdef uint32_t names_within(const uint8_t *table, uint32_t offset, uint32_t match, const uint8_t *text,
                           uint32_t size) noexcept nogil:
    # The first name that the text contains: anywhere, or between delimiters.
    cdef rule_names *head = <rule_names *>(table + offset)
    cdef rule_name *entries = <rule_name *>(table + head.entries)
    cdef const uint8_t *found
    cdef uint32_t i, at
    for i in range(head.count):
        at = 0
        while at + entries[i].size <= size:
            found = <const uint8_t *>memmem(text + at, size - at, table + entries[i].text, entries[i].size)
            if found == NULL:
                break
            at = <uint32_t>(found - text)
            if match == MATCH_SUB or word_stands_at(text, size, at, entries[i].size, match):
                return entries[i].value
            at += 1
    return NO_INDEX


cdef uint32_t text_find(const uint8_t *table, uint32_t offset, uint32_t match, const uint8_t *text,
                        uint32_t size) noexcept nogil:
    if match == MATCH_STR:
        return names_equal(table, offset, text, size)
    if match == MATCH_BEG or match == MATCH_END:
        return names_prefix(table, offset, text, size)
    return names_within(table, offset, match, text, size)


cdef uint8_t ascii_lower(uint8_t byte) noexcept nogil:
    return byte | 0x20 if b'A' <= byte <= b'Z' else byte


cdef bint same_letters(const uint8_t *one, const uint8_t *other, uint32_t size) noexcept nogil:
    # Whether both texts are equal but for the case of letters.
    cdef uint32_t i
    for i in range(size):
        if ascii_lower(one[i]) != ascii_lower(other[i]):
            return False
    return True


cdef void text_copy(value_t *v, uint8_t *room, bint lower, bint reverse) noexcept nogil:
    # The text as it is to be compared: in small letters, or its last byte first.
    cdef uint32_t size = min(v.size, ROOM_BYTES)
    cdef uint32_t i
    cdef uint8_t byte
    for i in range(size):
        byte = v.text[size - 1 - i] if reverse else v.text[i]
        room[i] = ascii_lower(byte) if lower else byte
    v.text = room
    v.size = size


cdef uint32_t value_find(look_t *look, uint32_t match, uint32_t offset, value_t *v, bint no_case) noexcept nogil:
    # What the table says of the value, or NO_INDEX.
    cdef const uint8_t *table = plan_rules(look.plan)
    if match == MATCH_FOUND:
        return 0
    if match == MATCH_BOOL:
        return 0 if v.number else NO_INDEX
    if match == MATCH_INT:
        return integers_find(table, offset, v.number)
    if match == MATCH_LEN:
        return integers_find(table, offset, v.size)
    if match == MATCH_IP:
        return networks_find(table, offset, v)
    if match == MATCH_REG:
        return regexes_find(table, offset, v.text, v.size)
    if no_case or match == MATCH_END:
        text_copy(v, look.name_room, no_case, match == MATCH_END)
    return text_find(table, offset, match, v.text, v.size)
