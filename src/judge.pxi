# What the rules of a plan say, asked from Python: for tests and measurements. No socket is involved.

cdef dict _JUDGED = {RULES_WAIT: "wait", RULES_PASSED: "accept"}
cdef dict _REFUSED = {RULE_REJECT: "reject", RULE_DROP: "drop"}


cdef object _look_at(look_t *look, cold_t *cold, str source, int port):
    """The look at a client of that address."""
    cdef int family = AF_INET6 if ":" in source else AF_INET
    cdef bytes address = _socket.inet_pton(family, source)
    cold.client_family = family
    cold.client_port = port
    memcpy(cold.client_address, <const char *>address, len(address))
    look_from(look, cold)


def judge(Engine engine, uint32_t frontend, str source, int port=1, bytes data=b"", bint final=True):
    """What the committed plan's rules say of a client that has sent ``data``: (admitted, content, backend, entered).

    ``admitted`` is the answer of the connection rules, ``entered`` that of the session rules; ``content`` is "accept",
    "reject", "drop", or "wait" for more bytes (never when they are ``final``); ``backend`` the number that the backend
    rules give, or -1. IndexError for a frontend that the plan lacks, ValueError for more bytes than rules look at.
    """
    cdef worker_t *w = engine.w
    cdef look_t look
    cdef cold_t cold
    cdef plan_frontend *row
    cdef const rule_t *hit = NULL
    cdef int verdict
    cdef vars_t *vars = NULL
    if w.plan == NULL or frontend >= w.plan.header.frontend_count:
        raise IndexError(frontend)
    if len(data) > INSPECT_BYTES:
        raise ValueError(f"more than {INSPECT_BYTES} bytes")
    row = <plan_frontend *>(<uint8_t *>w.plan.header + w.plan.header.frontend_offset) + frontend
    look_begin(&look, w, w.plan, row, -1)
    _look_at(&look, &cold, source, port)
    look.vars = &vars
    admitted = rules_verdict(&look, row.connection_rules) == RULE_ACCEPT
    entered = rules_verdict(&look, row.session_rules) == RULE_ACCEPT
    memcpy(w.scratch, <const char *>data, len(data))
    look.size = <uint32_t>len(data)
    look.final = final
    verdict = rules_ask(&look, row.content_rules, &hit)
    content = _REFUSED.get(hit.action, "accept") if verdict == RULES_HIT else _JUDGED[verdict]
    look.final = True
    chosen = rules_ask(&look, row.backend_rules, &hit) == RULES_HIT
    backend = <int>rule_backend(&look, hit) if chosen else -1
    vars_free(&vars)
    return admitted, content, backend, entered


def rate_judge(uint64_t word, uint64_t limit, uint64_t now_ms):
    """What a rate's word says of one more connection: (0, the word with it) or (ms to wait, the word)."""
    wait_ms = rate_take(&word, limit, now_ms)
    return wait_ms, word
