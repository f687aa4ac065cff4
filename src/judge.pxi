# What the rules of a plan say, asked from Python: for tests and measurements. No socket is involved.

cdef dict _JUDGED = {RULES_WAIT: "wait", RULES_PASSED: "accept"}
cdef dict _REFUSED = {RULE_REJECT: "reject", RULE_DROP: "drop"}


cdef object _look(look_t *look, cold_t *cold, worker_t *w, uint32_t frontend, str source, int port, bytes data):
    """The look at a client of that address who has sent ``data``."""
    cdef int family = AF_INET6 if ":" in source else AF_INET
    cdef bytes address = _socket.inet_pton(family, source)
    cdef plan_frontend *row
    if w.plan == NULL or frontend >= w.plan.header.frontend_count:
        raise IndexError(frontend)
    if len(data) > INSPECT_BYTES:
        raise ValueError(f"more than {INSPECT_BYTES} bytes")
    row = <plan_frontend *>(<uint8_t *>w.plan.header + w.plan.header.frontend_offset) + frontend
    look_begin(look, w, w.plan, row, -1)
    cold.client_family = family
    cold.client_port = port
    memcpy(cold.client_address, <const char *>address, len(address))
    look_from(look, cold)
    memcpy(w.scratch, <const char *>data, len(data))
    look.size = <uint32_t>len(data)
    if w.tables.directory != NULL:
        loop_clock(w)
        arrival_look(look, w)


def judge(Engine engine, uint32_t frontend, str source, int port=1, bytes data=b"", bint final=True):
    """What the committed plan's rules say of a client that has sent ``data``: (admitted, content, backend, entered).

    ``admitted`` is the answer of the connection rules, ``entered`` that of the session rules; ``content`` is "accept",
    "reject", "drop", or "wait" for more bytes (never when they are ``final``); ``backend`` the number that the backend
    rules give, or -1. IndexError for a frontend that the plan lacks, ValueError for more bytes than rules look at.
    """
    cdef look_t look
    cdef cold_t cold
    cdef plan_frontend *row
    cdef const rule_t *hit = NULL
    cdef int verdict
    cdef vars_t *vars = NULL
    _look(&look, &cold, engine.w, frontend, source, port, b"")
    look.vars = &vars
    row = look.frontend
    admitted = rules_verdict(&look, row.connection_rules) == RULE_ACCEPT
    entered = rules_verdict(&look, row.session_rules) == RULE_ACCEPT
    _look(&look, &cold, engine.w, frontend, source, port, data)
    look.vars = &vars
    look.final = final
    verdict = rules_ask(&look, row.content_rules, &hit)
    content = _REFUSED.get(hit.action, "accept") if verdict == RULES_HIT else _JUDGED[verdict]
    look.final = True
    look.acted = 0
    backend = <int>switch_rule(&look)
    if engine.w.arriving_tracked:
        arrival_refused(engine.w)
    vars_free(&vars)
    return admitted, content, backend, entered


def rate_judge(uint64_t word, uint64_t limit, uint64_t now_ms):
    """What a rate's word says of one more connection: (0, the word with it) or (ms to wait, the word)."""
    wait_ms = rate_take(&word, limit, now_ms)
    return wait_ms, word


def pace_judge(words, uint64_t now_ms):
    """Of the words of all workers: (sessions in the last second, the first word with one more)."""
    cdef pace_t pace
    memset(&pace, 0, sizeof(pace))
    for word in words:
        pace_add(&pace, word, now_ms)
    return pace_of(&pace), pace_counted(words[0], now_ms)


def sample_value(Engine engine, uint32_t frontend, uint32_t rule, str source, bytes data=b"", bint final=True):
    """What a sample gives once the content rules have been asked, as text: bytes, or None for nothing.

    It is the first of the name that the ``rule``-th ``use_backend`` line of the frontend makes. IndexError for a
    frontend or a rule that the plan lacks, or that names no sample.
    """
    cdef look_t look
    cdef cold_t cold
    cdef value_t v
    cdef vars_t *vars = NULL
    cdef const rule_t *found = NULL
    cdef const rule_piece *piece
    _look(&look, &cold, engine.w, frontend, source, 1, data)
    look.vars = &vars
    look.final = final
    found = <const rule_t *>(plan_rules(look.plan) + look.frontend.backend_rules.offset) + rule
    if rule >= look.frontend.backend_rules.count or found.action != RULE_USE_NAMED:
        raise IndexError(rule)
    piece = <const rule_piece *>(plan_rules(look.plan) + found.argument)
    if not piece.is_sample:
        raise IndexError(rule)
    rules_ask(&look, look.frontend.content_rules, &found)
    known = sample_get(&look, &piece.sample, &v) and value_to_text(&look, &v)
    result = (<const char *>v.text)[:v.size] if known else None
    if engine.w.arriving_tracked:
        arrival_refused(engine.w)
    vars_free(&vars)
    return result
