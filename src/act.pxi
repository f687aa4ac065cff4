# What rules do besides deciding: rule_act() is called for each that applies, and the next rule is asked.

cdef void act_source(look_t *look, uint32_t action, value_t *v) noexcept nogil:
    # "set-src" keeps the port where the family stays, as HAProxy does.
    cdef cold_t *cold = &look.w.colds[session_index(look.w, look.session)]
    if action == RULE_SET_SRC_PORT:
        cold.client_port = <uint16_t>v.number
    elif v.kind == VALUE_ADDRESS:
        if cold.client_family != v.family:
            cold.client_port = 0
        cold.client_family = v.family
        memcpy(cold.client_address, v.address, sizeof(cold.client_address))
    cold.renamed = 1
    look_from(look, cold)


cdef void act_destination(look_t *look, uint32_t action, value_t *v) noexcept nogil:
    # Where the client wanted to go is what its PROXY header says; without one, we say it in its place.
    cdef worker_t *w = look.w
    cdef uint32_t index = session_index(w, look.session)
    cdef endpoints_t *said = &w.headers[index].said
    cdef sockaddr_storage local
    cdef address_t there
    cdef bint ours
    memset(&there, 0, sizeof(there))
    if handshake_destination(w, look.session, &local, &ours) == 0:
        address_read(&there, &local)
    if action == RULE_SET_DST and v.kind == VALUE_ADDRESS:
        there.family = v.family
        memcpy(there.bytes, v.address, sizeof(there.bytes))
    elif action == RULE_SET_DST_PORT:
        there.port = <uint16_t>v.number
    if there.family == AF_INET or there.family == AF_INET6:
        said.family = there.family
        said.destination_port = there.port
        memcpy(said.destination, there.bytes, sizeof(said.destination))
        w.colds[index].declared = 1


cdef void act_priority(look_t *look, uint32_t action, int64_t number) noexcept nogil:
    cdef cold_t *cold = &look.w.colds[session_index(look.w, look.session)]
    if action == RULE_SET_CLASS:
        cold.priority_class = <int16_t>max(-PRIORITY_CLASSES, min(number, PRIORITY_CLASSES))
    else:
        cold.priority_offset_ms = <int32_t>max(-PRIORITY_OFFSETS, min(number, PRIORITY_OFFSETS))


cdef void act_retries(look_t *look, int64_t number) noexcept nogil:
    # What is beyond the limits changes nothing, as in HAProxy.
    if 0 <= number <= RETRIES_LIMIT:
        look.w.colds[session_index(look.w, look.session)].retries = <uint8_t>(number + 1)


cdef void act_value(look_t *look, uint32_t action, value_t *v) noexcept nogil:
    if action == RULE_SET_CLASS or action == RULE_SET_OFFSET:
        act_priority(look, action, v.number)
    elif action == RULE_SET_RETRIES:
        act_retries(look, v.number)
    elif action == RULE_SET_SRC or action == RULE_SET_SRC_PORT:
        act_source(look, action, v)
    else:
        act_destination(look, action, v)


cdef void act_socket(look_t *look, uint32_t action, uint32_t number) noexcept nogil:
    if action == RULE_SET_TOS:
        net_set(look.fd, IPPROTO_IP, IP_TOS, <int>number)
        net_set(look.fd, IPPROTO_IPV6, IPV6_TCLASS, <int>number)
    elif action == RULE_EXPECT_PROXY:
        look.w.arriving_header = 1
    elif look.session != NULL:
        look.w.colds[session_index(look.w, look.session)].log_level = <uint8_t>number


cdef void rule_act(look_t *look, const rule_t *rule) noexcept nogil:
    # What is not there, or not yet, changes nothing, and is not waited for.
    cdef const rule_assign *to = <const rule_assign *>(plan_rules(look.plan) + rule.argument)
    cdef value_t v
    if rule.action < RULE_SET_VAR:
        track_act(look, rule)
    elif rule.action <= RULE_UNSET_VAR:
        if look.vars != NULL:
            vars_act(look, rule, to)
    elif rule.action >= RULE_SET_TOS:
        act_socket(look, rule.action, to.number)
    elif look.session != NULL and sample_get(look, &to.sample, &v):
        act_value(look, rule.action, &v)
