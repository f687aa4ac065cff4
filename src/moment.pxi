# Samples of the process, of the clock and of chance. Source: HAProxy manual, section 7.3.2.

cdef int64_t sample_argument(const rule_sample *sample) noexcept nogil:
    # A number of 64 bits.
    return <int64_t>(<uint64_t>sample.second << 32 | sample.first)


cdef bint fetch_date(const rule_sample *sample, value_t *v) noexcept nogil:
    cdef uint64_t now_us = net_clock_us(CLOCK_REALTIME)
    cdef uint64_t unit_us = 1
    if sample.fetch == FETCH_DATE_US:
        return value_number(v, <int64_t>(now_us % 1000000))
    if sample.fetch != FETCH_DATE_IN_US:
        unit_us = 1000 if sample.fetch == FETCH_DATE_IN_MS else 1000000
    return value_number(v, <int64_t>(now_us / unit_us + <uint64_t>sample_argument(sample)))


cdef bint fetch_uuid(look_t *look, uint64_t version, value_t *v) noexcept nogil:
    # RFC 9562: 4 is random, 7 begins with the time in milliseconds.
    cdef char *room = <char *>value_room(look, v)
    cdef uint64_t high = random_next(look.w)
    cdef uint64_t low = random_next(look.w)
    if version == 7:
        high = net_clock_us(CLOCK_REALTIME) / 1000 << 16 | (high & 0xfff)
    high = (high & ~<uint64_t>0xf000) | version << 12
    low = low >> 2 | <uint64_t>1 << 63
    snprintf(room, 40, b"%08x-%04x-%04x-%04x-%012llx", <unsigned int>(high >> 32), <unsigned int>(high >> 16 & 0xffff),
             <unsigned int>(high & 0xffff), <unsigned int>(low >> 48), <unsigned long long>(low << 16 >> 16))
    return value_text(v, <const uint8_t *>room, 36)


cdef bint fetch_priority(look_t *look, uint32_t fetch, value_t *v) noexcept nogil:
    # In the queues.
    cdef cold_t *cold
    if look.session == NULL:
        return False
    cold = &look.w.colds[look.index]
    return value_number(v, cold.priority_class if fetch == FETCH_PRIORITY_CLASS else cold.priority_offset_ms)


cdef bint fetch_process(worker_t *w, uint32_t fetch, value_t *v) noexcept nogil:
    if fetch == FETCH_PID:
        return value_number(v, <int64_t>w.row.counters.pid)
    if fetch == FETCH_THREAD:
        return value_number(v, w.number)
    if fetch == FETCH_STOPPING:
        return value_number(v, w.draining)
    return value_number(v, <int64_t>((w.now_us - w.started_us) / 1000000))


cdef bint fetch_moment(look_t *look, const rule_sample *sample, value_t *v) noexcept nogil:
    cdef uint32_t fetch = sample.fetch
    if fetch == FETCH_NOTHING:
        return False
    if fetch <= FETCH_UPTIME:
        return fetch_process(look.w, fetch, v)
    if fetch <= FETCH_DATE_US:
        return fetch_date(sample, v)
    if fetch == FETCH_RAND:
        return value_number(v, <int64_t>((random_next(look.w) >> 32) * <uint64_t>sample_argument(sample) >> 32))
    if fetch == FETCH_UUID:
        return fetch_uuid(look, sample.first, v)
    return fetch_priority(look, fetch, v)
