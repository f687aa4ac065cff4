# "stick": a client that comes back is sent to the server it had. Matching is a part of choosing a server; what is
# stored is the server that the session is connected to at last, once it is.

cdef uint32_t stick_key(look_t *look, const rule_stick *stick, const table_shape *shape, uint8_t *key) noexcept nogil:
    cdef value_t v
    return key_make(shape, &v, key) if sample_get(look, &stick.sample, &v) else 0


cdef plan_server *stick_namesake(session_t *s, uint32_t slot) noexcept nogil:
    # The server of this backend that is called as that one, of another backend, is.
    cdef plan_header *header = s.plan.header
    cdef uint32_t index = (<uint32_t *>(<uint8_t *>header + header.slot_offset))[slot]
    cdef plan_server *other
    cdef plan_server *server
    cdef uint32_t i
    if index == NO_INDEX:
        return NULL
    other = plan_server_at(s.plan, index)
    for i in range(s.backend.server_count):
        server = plan_server_at(s.plan, s.backend.first_server + i)
        if server.name.size == other.name.size and memcmp(
                plan_text(s.plan, server.name), plan_text(s.plan, other.name), server.name.size) == 0:
            return server
    return NULL


cdef plan_server *stick_server(session_t *s, uint64_t word) noexcept nogil:
    # The server itself; else, where several backends share a table, that of its name, or of its id.
    cdef uint64_t slot = (word >> 32) - 1
    cdef plan_server *server = NULL
    cdef uint32_t i
    if slot < s.plan.header.slot_count:
        server = balance_lookup(s, <uint16_t>slot)
        if server == NULL:
            server = stick_namesake(s, <uint32_t>slot)
    for i in range(s.backend.server_count if server == NULL else 0):
        if plan_server_at(s.plan, s.backend.first_server + i).id == <uint32_t>word:
            return plan_server_at(s.plan, s.backend.first_server + i)
    return server


cdef uint64_t stick_exchange(tables_t *t, uint32_t slot, const uint8_t *key, uint32_t size,
                             uint64_t server) noexcept nogil:
    # What the table says of the key, or 0; unless `server` is 0, that is what it says from now on.
    cdef const table_shape *shape = table_shape_at(t, slot)
    cdef table_head *head = table_head_of(t, shape)
    cdef table_entry *entry
    cdef uint64_t *word
    cdef uint64_t said = 0
    cdef uint32_t number
    if size == 0 or not table_lock(t, head):
        return 0
    number = table_get(t, shape, head, key, size, server != 0)
    if number:
        entry = table_entry_at(t, shape, number)
        word = table_word(shape, entry, DATA_SERVER, 0)
        table_touch(t, shape, head, number, entry)
        if word != NULL:
            said = word[0]
            if server and server != said:
                table_put(t, head, word, server)
    table_unlock(head)
    return said


cdef bint stick_is_stored(session_t *s, const rule_t *rules, uint64_t stores, uint32_t table) noexcept nogil:
    # Of the rules of one table the first that stores is the last that counts.
    cdef const rule_stick *stick
    while stores:
        stick = <const rule_stick *>(plan_rules(s.plan) + rules[count_trailing_zeros(stores)].argument)
        if stick.table == table:
            return True
        stores &= stores - 1
    return False


cdef void stick_match(look_t *look, session_t *s, uint32_t slot, const uint8_t *key, uint32_t size) noexcept nogil:
    # A server that can be reached is right, also with weight 0. What a rule has chosen stays.
    cdef uint64_t word = stick_exchange(tables_now(look.w), slot, key, size, 0)
    cdef plan_server *server
    server = stick_server(s, word) if word and s.rules != RULES_PINNED else NULL
    if server != NULL and server_reachable(look.w, s, server):
        look.w.colds[session_index(look.w, s)].pinned = server
        s.rules = RULES_PINNED


cdef void stick_choose(look_t *look, session_t *s) noexcept nogil:
    # All rules are asked, in their order, once and without waiting. What is no key leaves it to the rules below.
    cdef rule_set set = s.backend.stick_rules
    cdef const rule_t *rules = <const rule_t *>(plan_rules(s.plan) + set.offset)
    cdef cold_t *cold = &look.w.colds[session_index(look.w, s)]
    cdef tables_t *t = tables_now(look.w)
    cdef uint8_t key[TABLE_KEY_BYTES + 1]
    cdef const rule_stick *stick
    cdef uint32_t i, slot, size
    look.final = 1
    cold.stick_stores = 0
    for i in range(set.count):
        stick = <const rule_stick *>(plan_rules(s.plan) + rules[i].argument)
        if stick.flags & STICK_STORE and stick_is_stored(s, rules, cold.stick_stores, stick.table):
            continue
        if rule_answer(look, &rules[i]) != ANSWER_YES:
            continue
        slot = plan_table_slot(s.plan, stick.table)
        size = stick_key(look, stick, table_shape_at(t, slot), key)
        if size == 0:
            continue
        if stick.flags & STICK_MATCH:
            stick_match(look, s, slot, key, size)
        if stick.flags & STICK_STORE:
            cold.stick_stores |= <uint64_t>1 << i


cdef bint stick_put(look_t *look, session_t *s, const rule_stick *stick) noexcept nogil:
    # The session's server under the key that the rule finds. False: it finds none.
    cdef tables_t *t = tables_now(look.w)
    cdef uint8_t key[TABLE_KEY_BYTES + 1]
    cdef uint32_t slot = plan_table_slot(s.plan, stick.table)
    cdef uint32_t size = stick_key(look, stick, table_shape_at(t, slot), key)
    stick_exchange(t, slot, key, size, <uint64_t>(s.target.slot + 1) << 32 | s.target.id)
    return size != 0


cdef void stick_store(worker_t *w, session_t *s) noexcept nogil:
    # It is connected: nothing of what the client has sent has been taken yet, so the samples are what they were.
    cdef const rule_t *rules = <const rule_t *>(plan_rules(s.plan) + s.backend.stick_rules.offset)
    cdef uint64_t stores = w.colds[session_index(w, s)].stick_stores
    cdef look_t look
    if stores == 0 or s.target.non_stick:
        return
    look_begin(&look, w, s.plan, s.frontend, s.client.fd)
    look_of(&look, s)
    inspect_peek(w, s, &s.client, &look)
    look.final = 1
    while stores:
        stick_put(&look, s, <const rule_stick *>(plan_rules(s.plan) + rules[count_trailing_zeros(stores)].argument))
        stores &= stores - 1


cdef void stick_answer(worker_t *w, session_t *s) noexcept nogil:
    # "stick store-response", once the server has said what the rules wait for: of those of one table the first that
    # applies and finds a key.
    cdef rule_set set = s.backend.store_rules
    cdef const rule_t *rules = <const rule_t *>(plan_rules(s.plan) + set.offset)
    cdef const rule_stick *stick
    cdef uint64_t stores = 0
    cdef look_t look
    cdef uint32_t i
    if s.target.non_stick:
        return
    look_begin(&look, w, s.plan, s.frontend, s.client.fd)
    look_of(&look, s)
    look.answer = 1
    inspect_peek(w, s, &s.server, &look)
    look.final = 1
    for i in range(set.count):
        stick = <const rule_stick *>(plan_rules(s.plan) + rules[i].argument)
        if stick_is_stored(s, rules, stores, stick.table) or rule_answer(&look, &rules[i]) != ANSWER_YES:
            continue
        if stick_put(&look, s, stick):
            stores |= <uint64_t>1 << i
