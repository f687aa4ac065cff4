# Samples and stick tables: keys from what a sample gives, and what tables say of a connection or of any key.

# ---- keys ----

cdef uint32_t key_text(value_t *v, char *text, uint32_t room) noexcept nogil:
    # The value as people write it; 0 when it is none.
    cdef uint32_t size = min(v.size, room - 1)
    text[0] = 0
    if v.kind == VALUE_NUMBER:
        snprintf(text, room, b"%lld", <long long>v.number)
    elif v.kind == VALUE_ADDRESS:
        inet_ntop(v.family, v.address, text, room)
    else:
        memcpy(text, v.text, size)
        text[size] = 0
        return size
    return <uint32_t>strlen(text)


cdef bint key_address(value_t *v) noexcept nogil:
    # Make an address of it, as HAProxy does: a number is one of IPv4.
    cdef char text[64]
    cdef uint64_t number
    if v.kind == VALUE_ADDRESS:
        return True
    if v.kind == VALUE_NUMBER:
        number = byte_swap(<uint64_t>v.number << 32)
        v.family = AF_INET
        memcpy(v.address, &number, 4)
        return True
    if v.size >= sizeof(text):
        return False
    key_text(v, text, sizeof(text))
    v.family = AF_INET6 if strchr(text, b':') != NULL else AF_INET
    return inet_pton(v.family, text, v.address) == 1


cdef uint32_t key_of_address(value_t *v, bint v6, uint8_t *key) noexcept nogil:
    # An IPv4 address is also ::ffff:a.b.c.d, and that is it; any other address of IPv6 is no key of type "ip".
    if not key_address(v):
        return 0
    memset(key, 0, 10)
    memset(key + 10, 0xff, 2)
    if v.family == AF_INET:
        memcpy(key + (12 if v6 else 0), v.address, 4)
    elif v6:
        memcpy(key, v.address, 16)
    elif memcmp(key, v.address, 12) == 0:
        memcpy(key, v.address + 12, 4)
    else:
        return 0
    return 16 if v6 else 4


cdef uint32_t key_of_number(value_t *v, uint8_t *key) noexcept nogil:
    cdef char text[64]
    cdef uint32_t number = <uint32_t>v.number
    if v.kind == VALUE_ADDRESS:
        if v.family != AF_INET:
            return 0
        number = <uint32_t>big_endian(v.address, 4)
    elif v.kind == VALUE_TEXT:
        key_text(v, text, sizeof(text))
        number = <uint32_t>strtoll(text, NULL, 10)
    memcpy(key, &number, 4)
    return 4


cdef uint32_t key_of_bytes(value_t *v, uint8_t *key, uint32_t size) noexcept nogil:
    # Short ones are filled up with zeros, long ones cut.
    cdef uint64_t number = byte_swap(<uint64_t>v.number)
    memset(key, 0, size)
    if v.kind == VALUE_NUMBER:
        memcpy(key, &number, min(size, 8))
    elif v.kind == VALUE_ADDRESS:
        memcpy(key, v.address, min(size, 4 if v.family == AF_INET else 16))
    else:
        memcpy(key, v.text, min(size, v.size))
    return size


cdef uint32_t key_make(const table_shape *shape, value_t *v, uint8_t *key) noexcept nogil:
    # The key, in TABLE_KEY_BYTES + 1 bytes, for what a sample gives; its size, or 0 when that cannot be one.
    if shape.kind == TABLE_IP or shape.kind == TABLE_IPV6:
        return key_of_address(v, shape.kind == TABLE_IPV6, key)
    if shape.kind == TABLE_INTEGER:
        return key_of_number(v, key)
    if shape.kind == TABLE_BINARY:
        return key_of_bytes(v, key, shape.key_bytes)
    return min(key_text(v, <char *>key, TABLE_KEY_BYTES + 1), shape.key_bytes)


# ---- what entries say ----

cdef void data_find(const table_shape *shape, uint32_t *data, uint32_t *index) noexcept nogil:
    # gpc0, gpc1 and gpt0 are the first ones of the arrays where only those are stored.
    if shape.at[data[0]] != TABLE_NO_WORD or data[0] < DATA_GPC0:
        return
    if data[0] == DATA_GPC0 or data[0] == DATA_GPC1:
        index[0] = data[0] == DATA_GPC1
        data[0] = DATA_GPC
    elif data[0] == DATA_GPC0_RATE or data[0] == DATA_GPC1_RATE:
        index[0] = data[0] == DATA_GPC1_RATE
        data[0] = DATA_GPC_RATE
    elif data[0] == DATA_GPT0:
        index[0] = 0
        data[0] = DATA_GPT


cdef bint entry_increment(const tables_t *t, const table_shape *shape, table_head *head, table_entry *entry,
                          uint32_t data, uint32_t index, uint64_t n, int64_t *value) noexcept nogil:
    # A general purpose counter and its rate; the value is the counter's, or the rate if only that is stored.
    cdef uint32_t rate = data + 1
    cdef uint32_t rate_index = index
    data_find(shape, &rate, &rate_index)
    data_find(shape, &data, &index)
    table_count(t, shape, head, entry, rate, rate_index, n)
    table_count(t, shape, head, entry, data, index, n)
    if table_word(shape, entry, data, index) != NULL:
        value[0] = <int64_t>table_value(t, shape, entry, data, index)
    elif table_word(shape, entry, rate, rate_index) != NULL:
        value[0] = <int64_t>table_value(t, shape, entry, rate, rate_index)
    else:
        return False
    return True


cdef bint entry_do(const tables_t *t, const table_shape *shape, table_head *head, uint32_t number,
                   table_entry *entry, uint32_t what, uint64_t n, int64_t *value) noexcept nogil:
    # The operation, and what it says of the entry. False: the table does not store that.
    cdef uint32_t operation = what & 0xff
    cdef uint32_t data = what >> 8 & 0xff
    cdef uint32_t index = what >> 16 & 0xff
    cdef uint64_t *word
    value[0] = 1
    if operation == TABLE_FOUND or operation == TABLE_TRACKED:
        return True
    if operation == TABLE_TRACKERS:
        value[0] = entry.trackers
        return True
    if operation >= TABLE_INC and operation != TABLE_CLEAR:
        table_touch(t, shape, head, number, entry)
    if operation == TABLE_INC or operation == TABLE_ADD:
        return entry_increment(t, shape, head, entry, data, index, n, value)
    data_find(shape, &data, &index)
    word = table_word(shape, entry, data, index)
    if word == NULL:
        return False
    if operation == TABLE_UPDATE:
        table_count(t, shape, head, entry, data, index, 1)
    value[0] = <int64_t>table_value(t, shape, entry, data, index)
    if operation == TABLE_KILO:
        value[0] >>= 10
    elif operation == TABLE_CLEAR:
        table_put(t, head, word, 0)
    elif operation == TABLE_SET:
        table_put(t, head, word, n)
    elif data == DATA_SERVER:
        value[0] = <uint32_t>value[0]
    return True


cdef bint table_ask(tables_t *t, uint32_t slot, const uint8_t *key, uint32_t size, uint32_t what,
                    value_t *v) noexcept nogil:
    # Of the entry with this key; 0 where there is none.
    cdef const table_shape *shape = table_shape_at(t, slot)
    cdef table_head *head = table_head_of(t, shape)
    cdef uint32_t operation = what & 0xff
    cdef uint32_t number
    cdef bint known = True
    cdef int64_t value = 0
    if size == 0 or not table_lock(t, head):
        return False
    number = table_get(t, shape, head, key, size, operation == TABLE_INC or operation == TABLE_UPDATE)
    if number:
        known = entry_do(t, shape, head, number, table_entry_at(t, shape, number), what, 1, &value)
    table_unlock(head)
    return known and value_number(v, value)


cdef bint table_ask_tracked(look_t *look, tables_t *t, uint32_t table, uint32_t what, value_t *v) noexcept nogil:
    # Of the entry that the connection tracks; or of that with the same key in another table.
    cdef const table_shape *shape
    cdef table_head *head
    cdef table_entry *entry
    cdef track_t *track
    cdef bint known
    cdef int64_t value = 0
    if look.tracks == NULL or look.tracks[what >> 24].number == 0:
        return what & 0xff == TABLE_TRACKED and value_number(v, 0)
    track = &look.tracks[what >> 24]
    shape = table_shape_at(t, track.slot)
    entry = table_entry_at(t, shape, track.number)
    if table != NO_INDEX and plan_table_slot(look.plan, table) != track.slot:
        return table_ask(t, plan_table_slot(look.plan, table), table_key_of(shape, entry),
                         min(entry.key_size, shape.key_bytes), what, v)
    head = table_head_of(t, shape)
    if not table_lock(t, head):
        return False
    known = entry_do(t, shape, head, track.number, entry, what, 1, &value)
    table_unlock(head)
    return known and value_number(v, value)


cdef bint table_ask_use(tables_t *t, uint32_t slot, uint32_t what, value_t *v) noexcept nogil:
    # Entries there are, or may still be.
    cdef const table_shape *shape = table_shape_at(t, slot)
    cdef table_head *head = table_head_of(t, shape)
    cdef uint32_t used
    if not table_lock(t, head):
        return False
    table_purge(t, shape, head, shape.size)
    used = min(head.used, shape.size)
    table_unlock(head)
    return value_number(v, used if what & 0xff == TABLE_USED else shape.size - used)


cdef bint fetch_table(look_t *look, const rule_sample *sample, value_t *v) noexcept nogil:
    cdef tables_t *t = tables_now(look.w)
    cdef uint8_t key[TABLE_KEY_BYTES + 1]
    cdef uint32_t slot
    if sample.fetch == FETCH_TABLE_TRACKED:
        return table_ask_tracked(look, t, sample.first, sample.second, v)
    slot = plan_table_slot(look.plan, sample.first)
    if sample.fetch == FETCH_TABLE_USE:
        return table_ask_use(t, slot, sample.second, v)
    if not value_address(v, look.family, look.address):
        return False
    return table_ask(t, slot, key, key_make(table_shape_at(t, slot), v, key), sample.second, v)


cdef bint convert_table(look_t *look, const rule_converter *c, value_t *v) noexcept nogil:
    cdef tables_t *t = tables_now(look.w)
    cdef uint8_t key[TABLE_KEY_BYTES + 1]
    cdef uint32_t slot = plan_table_slot(look.plan, c.values)
    cdef uint32_t size = key_make(table_shape_at(t, slot), v, key)
    if size == 0:
        return c.first & 0xff == TABLE_FOUND and value_number(v, 0)
    return table_ask(t, slot, key, size, c.first, v)
