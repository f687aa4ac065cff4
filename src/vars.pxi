# Variables of a session: what rules remember for those that come later. All of a session's stand in one block, which is
# allocated when the first is set, and is as large as they need, up to VARS_LIMIT.
#
# The number of a variable says its scope. Those of a request end with it: when the server is connected.

cdef enum:
    VARS_FIRST = 256
    VARS_LIMIT = 4096

cdef uint32_t var_bytes(uint32_t size) noexcept nogil:
    return <uint32_t>sizeof(var_t) + ((size + 7) & ~<uint32_t>7)


cdef var_t *var_at(vars_t *vars, uint32_t at) noexcept nogil:
    return <var_t *>(<uint8_t *>(vars + 1) + at)


cdef var_t *vars_find(vars_t *vars, uint32_t number) noexcept nogil:
    cdef uint32_t at = 0
    cdef var_t *var
    while vars != NULL and at < vars.used:
        var = var_at(vars, at)
        if var.number == number:
            return var
        at += var_bytes(var.size)
    return NULL


cdef void vars_remove(vars_t *vars, var_t *var) noexcept nogil:
    # Those behind it move up.
    cdef uint8_t *end = <uint8_t *>(vars + 1) + vars.used
    cdef uint32_t bytes = var_bytes(var.size)
    memmove(var, <uint8_t *>var + bytes, end - <uint8_t *>var - bytes)
    vars.used -= bytes


cdef void vars_forget(vars_t *vars, uint32_t scope) noexcept nogil:
    # All of that scope.
    cdef uint32_t at = 0
    cdef var_t *var
    while at < vars.used:
        var = var_at(vars, at)
        if var.number & VAR_SCOPE == scope:
            vars_remove(vars, var)
        else:
            at += var_bytes(var.size)


cdef void vars_free(vars_t **vars) noexcept nogil:
    free(vars[0])
    vars[0] = NULL


cdef bint vars_reserve(vars_t **vars, uint32_t bytes) noexcept nogil:
    # Room for so many more.
    cdef uint32_t room = vars[0].room if vars[0] != NULL else 0
    cdef uint32_t used = vars[0].used if vars[0] != NULL else 0
    cdef void *grown
    if used + bytes <= room:
        return True
    room = max(room, VARS_FIRST)
    while room < used + bytes:
        room *= 2
    if room > VARS_LIMIT:
        return False
    grown = realloc(vars[0], sizeof(vars_t) + room)
    if grown == NULL:
        return False
    vars[0] = <vars_t *>grown
    vars[0].room = room
    vars[0].used = used
    return True


cdef void vars_put(look_t *look, uint32_t number, value_t *v) noexcept nogil:
    # In place of the one that is there. What there is no room for leaves it unset, as in HAProxy. A text may be that of
    # another variable, which is about to move.
    cdef vars_t *vars = look.vars[0]
    cdef uint32_t size = v.size if v.kind == VALUE_TEXT else 0
    cdef var_t *var = vars_find(vars, number)
    if size > VARS_LIMIT:
        size = VARS_LIMIT + 1
    elif size:
        memmove(look.name_room, v.text, size)
    if var != NULL:
        vars_remove(vars, var)
    if not vars_reserve(look.vars, var_bytes(size)):
        return
    vars = look.vars[0]
    var = var_at(vars, vars.used)
    vars.used += var_bytes(size)
    var.number = number
    var.size = size
    var.kind = v.kind
    var.family = v.family
    var.value = v.number
    memcpy(var.address, v.address, sizeof(var.address))
    memcpy(var + 1, look.name_room, size)


cdef bint var_value(look_t *look, uint32_t number, value_t *v) noexcept nogil:
    # False where it is not set.
    cdef var_t *var = vars_find(look.vars[0], number) if look.vars != NULL else NULL
    if var == NULL:
        return False
    v.kind = var.kind
    v.family = var.family
    v.number = var.value
    memcpy(v.address, var.address, sizeof(v.address))
    v.text = <const uint8_t *>(var + 1)
    v.size = var.size
    return True


cdef bint fetch_var(look_t *look, const rule_sample *sample, value_t *v) noexcept nogil:
    # Or the text that stands in for it.
    cdef plan_name *text
    if var_value(look, sample.first, v):
        return True
    if sample.second == NO_INDEX:
        return False
    text = <plan_name *>(plan_rules(look.plan) + sample.second)
    return value_text(v, plan_rules(look.plan) + text.offset, text.size)


cdef bint var_is_wanted(look_t *look, const rule_assign *to, value_t *v) noexcept nogil:
    # HAProxy manual, "set-var": conditions on the variable as it is, and on what it would become.
    cdef var_t *var = vars_find(look.vars[0], to.number)
    cdef bint empty = v.kind == VALUE_TEXT and v.size == 0
    cdef bint comparable = var != NULL and var.kind == VALUE_NUMBER and v.kind == VALUE_NUMBER
    if to.flags & VAR_IF_EXISTS and var == NULL or to.flags & VAR_IF_NOT_EXISTS and var != NULL:
        return False
    if to.flags & VAR_IF_EMPTY and not empty or to.flags & VAR_IF_NOT_EMPTY and empty:
        return False
    if to.flags & VAR_IF_GREATER and comparable and var.value <= v.number:
        return False
    return not (to.flags & VAR_IF_LESS and comparable and var.value >= v.number)


cdef void assign_value(look_t *look, const rule_assign *to, value_t *v) noexcept nogil:
    if var_is_wanted(look, to, v):
        vars_put(look, to.number, v)


cdef void assign_format(look_t *look, const rule_assign *to) noexcept nogil:
    # What does not fit is left out.
    cdef const rule_piece *pieces = <const rule_piece *>(plan_rules(look.plan) + to.pieces)
    cdef uint8_t made[VARS_LIMIT]
    cdef uint32_t i, size = 0
    cdef value_t v
    for i in range(to.piece_count):
        size += piece_put(look, &pieces[i], made + size, VARS_LIMIT - size)
    memset(&v, 0, sizeof(value_t))
    value_text(&v, made, size)
    assign_value(look, to, &v)


cdef void vars_act(look_t *look, const rule_t *rule, const rule_assign *to) noexcept nogil:
    cdef var_t *var
    cdef value_t v
    if rule.action == RULE_SET_FORMAT:
        assign_format(look, to)
    elif rule.action == RULE_UNSET_VAR:
        var = vars_find(look.vars[0], to.number)
        if var != NULL:
            vars_remove(look.vars[0], var)
    elif sample_get(look, &to.sample, &v):
        if rule.action == RULE_CAPTURE:
            value_to_text(look, &v)
            v.size = min(v.size, to.flags >> VAR_CAPTURE_SHIFT)
        assign_value(look, to, &v)
