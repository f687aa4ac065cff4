# Samples that do not look at the connection itself, but at what surrounds it. Source: HAProxy manual, sections 7.3.2 and
# 7.3.3.

cdef bint value_name(look_t *look, plan_name name, value_t *v) noexcept nogil:
    return name.size != 0 and value_text(v, <const uint8_t *>plan_text(look.plan, name), name.size)


cdef bint fetch_frontend_name(look_t *look, uint32_t fetch, value_t *v) noexcept nogil:
    # Its own, or that of its "default_backend", which a listen section is not to itself.
    cdef plan_frontend *frontend = look.frontend
    if fetch == FETCH_FRONTEND_NAME:
        return value_name(look, frontend.name, v)
    if frontend.backend == NO_INDEX or frontend.backend == frontend.own_backend:
        return False
    return value_name(look, plan_backend_at(look.plan, frontend.backend).name, v)


cdef bint fetch_backend_identity(look_t *look, uint32_t fetch, value_t *v) noexcept nogil:
    # As in HAProxy, a session belongs to its frontend until a backend is chosen; before the content rules to neither.
    cdef session_t *s = look.session
    cdef plan_frontend *frontend = look.frontend
    if s == NULL or (s.backend == NULL and s.state < SESSION_QUEUED):
        return False
    if fetch == FETCH_BACKEND_ID:
        return value_number(v, frontend.id if s.backend == NULL else s.backend.id)
    return value_name(look, frontend.name if s.backend == NULL else s.backend.name, v)


cdef bint fetch_server_identity(look_t *look, uint32_t fetch, value_t *v) noexcept nogil:
    cdef plan_server *server = look.session.target if look.session != NULL else NULL
    if server == NULL:
        return False
    return value_number(v, server.id) if fetch == FETCH_SERVER_ID else value_name(look, server.name, v)


cdef bint fetch_socket_identity(look_t *look, uint32_t fetch, value_t *v) noexcept nogil:
    if look.bind == NULL:
        return False
    return value_number(v, look.bind.id) if fetch == FETCH_SOCKET_ID else value_name(look, look.bind.said, v)


cdef bint fetch_surroundings(look_t *look, const rule_sample *sample, value_t *v) noexcept nogil:
    cdef uint32_t fetch = sample.fetch
    if fetch == FETCH_FRONTEND_ID:
        return value_number(v, look.frontend.id)
    if fetch <= FETCH_FRONTEND_DEFAULT:
        return fetch_frontend_name(look, fetch, v)
    if fetch <= FETCH_BACKEND_NAME:
        return fetch_backend_identity(look, fetch, v)
    if fetch <= FETCH_SERVER_NAME:
        return fetch_server_identity(look, fetch, v)
    return fetch_socket_identity(look, fetch, v)
