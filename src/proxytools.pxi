# PROXY headers for Python: what the master sends ahead of a health check, names of what is counted, the parser.
HEADER_REFUSALS = ("closed", "error", "timeout", "truncated", "missing", "invalid", "protocol")

cdef void _endpoint(address, uint16_t *family, uint16_t *port, uint8_t *octets) except *:
    host = address[0]
    family[0] = AF_INET6 if ":" in host else AF_INET
    port[0] = address[1]
    packed = _socket.inet_pton(family[0], host)
    memcpy(octets, <const char *>packed, len(packed))


def proxy_header(int version, bint crc32c=False, source=None, destination=None):
    """The header of version 1 or 2 for a connection between two addresses (host, port), both of one family.

    Without addresses: for a connection of the balancer's own, or one of a unix socket. OSError for a host that is no
    numeric address.
    """
    cdef endpoints_t ends
    cdef uint8_t room[128]
    cdef uint8_t fields[8]
    cdef uint16_t family = 0
    memset(&ends, 0, sizeof(ends))
    if source is not None and destination is not None:
        _endpoint(source, &ends.family, &ends.source_port, ends.source)
        _endpoint(destination, &family, &ends.destination_port, ends.destination)
    if version == 1:
        size = header_make_v1(&ends, room)
    elif crc32c:
        size = header_make_v2(&ends, fields, fields_checksum(fields), 3, room)
    else:
        size = header_make_v2(&ends, fields, 0, 0, room)
    return (<char *>room)[:size]


def parse_proxy_header(bytes data):
    """What a client's first bytes are: (verdict, size of the header, source, destination).

    The verdict is "done", "more" or one of HEADER_REFUSALS; the addresses are (host, port), None where none are named.
    """
    cdef endpoints_t ends
    cdef uint32_t total = 0
    cdef int verdict = HEADER_MORE
    memset(&ends, 0, sizeof(ends))
    if data:
        verdict = header_parse(data, <uint32_t>len(data), &ends, &total)
    name = {HEADER_MORE: "more", HEADER_DONE: "done"}.get(verdict) or HEADER_REFUSALS[verdict]
    if ends.family == 0:
        return name, total, None, None
    size = 4 if ends.family == AF_INET else 16
    source = _socket.inet_ntop(ends.family, (<char *>ends.source)[:size])
    destination = _socket.inet_ntop(ends.family, (<char *>ends.destination)[:size])
    return name, total, (source, ends.source_port), (destination, ends.destination_port)


def proxy_header_fields(bytes data):
    """What a worker keeps of a client's PROXY header, where somebody asks for it: [(type, value), …], of each type the
    first; [] of a wrong one.
    """
    cdef header_t header
    cdef uint32_t total = 0
    cdef uint32_t kind, size
    cdef const uint8_t *value
    memset(&header, 0, sizeof(header))
    if not data or header_parse(data, <uint32_t>len(data), &header.said, &total) != HEADER_DONE:
        return []
    if header.said.fields_at and not fields_keep(&header, data, total):
        raise MemoryError
    kept = []
    for kind in range(256):
        value = fields_find(&header, kind, &size)
        if value != NULL:
            kept.append((kind, (<char *>value)[:size]))
    free(header.fields)
    return kept
