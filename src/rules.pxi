# Rules and their conditions. What is not known yet is neither true nor false, until waiting for it is over.

cdef enum:
    ANSWER_NO = 0
    ANSWER_LATER = 1
    ANSWER_YES = 3

cdef enum:
    RULES_PASSED = 0   # no rule applies
    RULES_HIT = 1
    RULES_WAIT = 2


cdef int test_answer(look_t *look, const rule_test *test) noexcept nogil:
    cdef value_t v
    cdef bint waits
    if not sample_get(look, &test.sample, &v):
        return ANSWER_LATER if v.waits else ANSWER_NO
    waits = v.waits
    if value_find(look, test.match, test.values, &v, test.flags & TEST_NO_CASE) != NO_INDEX:
        return ANSWER_YES
    return ANSWER_LATER if waits else ANSWER_NO


cdef int term_answer(look_t *look, const rule_term *term) noexcept nogil:
    # Any of its tests.
    cdef const rule_test *tests = <const rule_test *>(plan_rules(look.plan) + term.tests)
    cdef int answer = ANSWER_NO
    cdef uint32_t i
    for i in range(term.test_count):
        answer |= test_answer(look, &tests[i])
        if answer == ANSWER_YES:
            break
    return ANSWER_YES >> answer if term.flags & TERM_NOT else answer


cdef int rule_answer(look_t *look, const rule_t *rule) noexcept nogil:
    # Any of the alternatives, each with all of its terms.
    cdef const rule_term *terms = <const rule_term *>(plan_rules(look.plan) + rule.terms)
    cdef int answer = ANSWER_NO, alternative = ANSWER_YES
    cdef uint32_t i
    if rule.flags & RULE_ALWAYS:
        return ANSWER_YES
    for i in range(rule.term_count):
        if alternative == ANSWER_YES:
            alternative &= term_answer(look, &terms[i])
        if terms[i].flags & TERM_ENDS:
            answer |= alternative
            alternative = ANSWER_YES
        if answer == ANSWER_YES:
            break
    if answer == ANSWER_LATER or not rule.flags & RULE_UNLESS:
        return answer
    return ANSWER_YES - answer


cdef bint rules_remember(uint64_t *acted, const rule_t *rule, uint32_t number) noexcept nogil:
    # True if it has counted already: that it does once, however often it is asked. (Beyond 64 rules it is forgotten.)
    cdef uint64_t bit = <uint64_t>1 << number if number < 64 and rule.action in (RULE_TRACK, RULE_COUNT) else 0
    cdef bint known = acted[0] & bit != 0
    acted[0] |= bit
    return known


cdef int rules_ask(look_t *look, rule_set rules, const rule_t **hit) noexcept nogil:
    # The first rule that applies and decides. One that has to wait makes those behind it wait, too, and all are asked
    # again when there is more to look at, which may change what those before it say.
    cdef const rule_t *all = <const rule_t *>(plan_rules(look.plan) + rules.offset)
    cdef uint64_t acted = look.acted
    cdef uint32_t i
    cdef int answer
    look.acted = 0
    for i in range(rules.count):
        answer = rule_answer(look, &all[i])
        if answer == ANSWER_LATER:
            look.acted = acted
            return RULES_WAIT
        if answer == ANSWER_YES and all[i].action >= RULE_GOES_ON:
            if not rules_remember(&acted, &all[i], i):
                rule_act(look, &all[i])
        elif answer == ANSWER_YES:
            hit[0] = &all[i]
            return RULES_HIT
    return RULES_PASSED


cdef uint32_t rules_verdict(look_t *look, rule_set rules) noexcept nogil:
    # Of rules that have nothing to wait for.
    cdef const rule_t *hit = NULL
    return hit.action if rules_ask(look, rules, &hit) == RULES_HIT else <uint32_t>RULE_ACCEPT


cdef void look_begin(look_t *look, worker_t *w, plan_t *plan, plan_frontend *frontend, int fd) noexcept nogil:
    # The worker's scratch holds what is peeked, and three rooms behind it.
    memset(look, 0, sizeof(look_t))
    look.w = w
    look.plan = plan
    look.frontend = frontend
    look.fd = fd
    look.data = w.scratch
    look.room = w.scratch + ROOM_BYTES
    look.text_room = w.scratch + 2 * ROOM_BYTES
    look.other_room = w.converted
    look.name_room = w.scratch + 3 * ROOM_BYTES
    look.final = 1


cdef void look_from(look_t *look, cold_t *cold) noexcept nogil:
    look.family = cold.client_family
    look.port = cold.client_port
    look.address = cold.client_address


cdef void look_of(look_t *look, session_t *s) noexcept nogil:
    cdef uint32_t index = session_index(look.w, s)
    cdef cold_t *cold = &look.w.colds[index]
    look.session = s
    look.vars = &cold.vars
    look.tracks = cold.tracks
    look.tracked = &s.tracked
    look.index = index
    look.bind = cold.bind
    look_from(look, cold)


cdef bint rules_admit(worker_t *w, listener_t *listener, int fd, sockaddr_storage *peer) noexcept nogil:
    # "tcp-request connection": whether the frontend takes this connection at all. If not, it is closed.
    cdef look_t look
    cdef cold_t cold
    cdef uint32_t verdict
    look_begin(&look, w, listener.plan, listener.frontend, fd)
    cold_address(&cold, peer)
    look_from(&look, &cold)
    look.bind = listener.bind
    look.vars = &w.arriving_vars
    arrival_look(&look, w)
    verdict = rules_verdict(&look, listener.frontend.connection_rules)
    if verdict == RULE_ACCEPT:
        return True
    add(&w.row.frontends[listener.frontend.slot].denied_connections_total, 1)
    if w.arriving_tracked:
        arrival_refused(w)
    vars_free(&w.arriving_vars)
    w.arriving_header = 0
    if verdict == RULE_DROP:
        net_hide(fd)
    net_reset(fd)
    return False


cdef uint32_t piece_put(look_t *look, const rule_piece *piece, uint8_t *name, uint32_t room) noexcept nogil:
    # Append a piece to a name; a number or an address as people write it. More than the room is as good as wrong.
    cdef value_t v
    if not piece.is_sample:
        value_text(&v, plan_rules(look.plan) + piece.text, piece.size)
    elif not sample_get(look, &piece.sample, &v):
        return 0
    value_to_text(look, &v)
    if v.size > room:
        return 0
    memcpy(name, v.text, v.size)
    return v.size


cdef uint32_t rule_target(look_t *look, const rule_t *rule, uint32_t names) noexcept nogil:
    # The number of the backend or server that the rule means, or NO_INDEX: a name made at run time that nobody has.
    cdef const uint8_t *table = plan_rules(look.plan)
    cdef const rule_piece *pieces = <const rule_piece *>(table + rule.argument)
    cdef uint8_t name[512]
    cdef uint32_t i, size = 0
    if rule.action == RULE_USE:
        return rule.argument
    for i in range(rule.piece_count):
        size += piece_put(look, &pieces[i], name + size, sizeof(name) - size)
    return names_equal(table, names, name, size)


cdef uint32_t rule_backend(look_t *look, const rule_t *rule) noexcept nogil:
    return rule_target(look, rule, (<const rule_head *>plan_rules(look.plan)).backends)


cdef uint32_t rule_server(look_t *look, const rule_t *rule) noexcept nogil:
    return rule_target(look, rule, (<const rule_head *>plan_rules(look.plan)).servers)
