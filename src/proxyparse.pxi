# The header of the PROXY protocol from bytes to addresses (proxy-protocol.txt, sections 2.1 and 2.2): no I/O. Whatever
# the bytes are and wherever they are cut, the verdict on a beginning is "more" or the one on the whole.

cdef enum:
    HEADER_MORE = -2
    HEADER_DONE = -1           # anything below 0 is no refusal
    HEADER_V1_LIMIT = 107      # with its CRLF
    HEADER_LIMIT = 16384       # what HAProxy's buffer holds
    HEADER_COMMANDS = 2        # LOCAL, PROXY
    HEADER_FAMILIES = 4        # none, IPv4, IPv6, unix
    HEADER_TRANSPORTS = 3      # none, stream, datagram


cdef char *header_word(char **at) noexcept nogil:
    # The next of the words that single blanks separate, ended by a NUL; empty when there is none.
    cdef char *word = at[0]
    cdef char *end = strchr(word, b' ')
    if end == NULL:
        at[0] = word + strlen(word)
    else:
        end[0] = 0
        at[0] = end + 1
    return word


cdef int header_port(const char *word) noexcept nogil:
    # Decimal, without leading zeros; -1 for anything else.
    cdef int port = 0
    cdef size_t i, size = strlen(word)
    if size == 0 or size > 5 or (word[0] == b'0' and size > 1):
        return -1
    for i in range(size):
        if word[i] < b'0' or word[i] > b'9':
            return -1
        port = port * 10 + (<int>word[i] - <int>b'0')
    return port if port <= 65535 else -1


cdef int header_addresses(char *at, int family, endpoints_t *ends) noexcept nogil:
    # "source destination port port". inet_pton takes the strict forms alone: no leading zero, no shortened IPv4.
    cdef char *source = header_word(&at)
    cdef char *destination = header_word(&at)
    cdef int source_port = header_port(header_word(&at))
    cdef bint ends_here = strchr(at, b' ') == NULL
    cdef int destination_port = header_port(header_word(&at))
    if source_port < 0 or destination_port < 0 or not ends_here:
        return REFUSED_INVALID
    if (inet_pton(family, source, ends.source) != 1 or inet_pton(family, destination, ends.destination) != 1):
        return REFUSED_INVALID
    ends.family = <uint16_t>family
    ends.source_port = <uint16_t>source_port
    ends.destination_port = <uint16_t>destination_port
    return HEADER_DONE


cdef int header_parse_v1(const uint8_t *data, uint32_t size, endpoints_t *ends, uint32_t *total) noexcept nogil:
    cdef char line[108]
    cdef uint32_t length = min(size, <uint32_t>HEADER_V1_LIMIT)
    cdef const uint8_t *end = <const uint8_t *>memchr(data, b'\n', length)
    if memcmp(data, b"PROXY ", min(size, 6)) != 0:
        return REFUSED_MISSING
    if end == NULL:
        return HEADER_MORE if size < HEADER_V1_LIMIT else REFUSED_INVALID
    length = <uint32_t>(end - data)
    if end[-1] != b'\r' or memchr(data, 0, length) != NULL:
        return REFUSED_INVALID
    memcpy(line, data, length)
    line[length - 1] = 0
    total[0] = length + 1
    if strncmp(line + 6, b"TCP4 ", 5) == 0:
        return header_addresses(line + 11, AF_INET, ends)
    if strncmp(line + 6, b"TCP6 ", 5) == 0:
        return header_addresses(line + 11, AF_INET6, ends)
    # What follows UNKNOWN is to be ignored, says the specification.
    if strcmp(line + 6, b"UNKNOWN") == 0 or strncmp(line + 6, b"UNKNOWN ", 8) == 0:
        return HEADER_DONE
    return REFUSED_PROTOCOL


cdef uint32_t header_get16(const uint8_t *at) noexcept nogil:
    return <uint32_t>at[0] << 8 | at[1]


cdef bint header_crc32c_fits(const uint8_t *data, uint32_t total, uint32_t at) noexcept nogil:
    # The checksum is that of the whole header with zeros in its own place.
    cdef const uint8_t *zeros = b"\0\0\0\0"
    cdef uint32_t crc = header_crc32c(~<uint32_t>0, data, at)
    crc = header_crc32c(crc, zeros, 4)
    crc = ~header_crc32c(crc, data + at + 4, total - at - 4)
    return crc == (header_get16(data + at) << 16 | header_get16(data + at + 2))


cdef int header_fields(const uint8_t *data, uint32_t total, uint32_t at) noexcept nogil:
    # Type, length, value, up to the exact end; a checksum must fit (one: each costs a pass over the header).
    cdef uint32_t length
    cdef bint checked = False
    while at < total:
        if total - at < 3:
            return REFUSED_INVALID
        length = header_get16(data + at + 1)
        if length > total - at - 3:
            return REFUSED_INVALID
        if data[at] == HEADER_V2_CRC32C:
            if length != 4 or checked or not header_crc32c_fits(data, total, at + 3):
                return REFUSED_INVALID
            checked = True
        at += 3 + length
    return HEADER_DONE


cdef void header_take_ends(const uint8_t *at, int family, endpoints_t *ends) noexcept nogil:
    cdef uint32_t size = 4 if family == AF_INET else 16
    memcpy(ends.source, at, size)
    memcpy(ends.destination, at + size, size)
    ends.source_port = <uint16_t>header_get16(at + 2 * size)
    ends.destination_port = <uint16_t>header_get16(at + 2 * size + 2)
    ends.family = <uint16_t>family


cdef int header_body_v2(const uint8_t *data, uint32_t total, endpoints_t *ends) noexcept nogil:
    # Addresses that are no TCP addresses are passed over, as in HAProxy: the connection then keeps its own.
    cdef uint32_t family = data[13] >> 4, transport = data[13] & 15
    cdef uint32_t size = 12 if family == 1 else 36 if family == 2 else 216
    cdef int verdict
    if family >= HEADER_FAMILIES or transport >= HEADER_TRANSPORTS:
        return REFUSED_PROTOCOL
    if family == 0:
        return HEADER_DONE
    if total - HEADER_V2_FIXED < size:
        return REFUSED_INVALID
    verdict = header_fields(data, total, HEADER_V2_FIXED + size)
    if verdict == HEADER_DONE and (data[13] == HEADER_V2_TCP4 or data[13] == HEADER_V2_TCP6):
        header_take_ends(data + HEADER_V2_FIXED, AF_INET if family == 1 else AF_INET6, ends)
        ends.fields_at = <uint16_t>(HEADER_V2_FIXED + size)
    return verdict


cdef int header_parse_v2(const uint8_t *data, uint32_t size, endpoints_t *ends, uint32_t *total) noexcept nogil:
    if memcmp(data, HEADER_V2_SIGNATURE, min(size, 12)) != 0 or (size > 12 and data[12] >> 4 != 2):
        return REFUSED_MISSING
    if size > 12 and data[12] & 15 >= HEADER_COMMANDS:
        return REFUSED_INVALID
    if size < HEADER_V2_FIXED:
        return HEADER_MORE
    total[0] = HEADER_V2_FIXED + header_get16(data + 14)
    if total[0] > HEADER_LIMIT:
        return REFUSED_INVALID
    if size < total[0]:
        return HEADER_MORE
    return HEADER_DONE if data[12] == HEADER_V2_LOCAL else header_body_v2(data, total[0], ends)


cdef int header_parse(const uint8_t *data, uint32_t size, endpoints_t *ends, uint32_t *total) noexcept nogil:
    # HEADER_DONE, HEADER_MORE or why it is refused, of `size` > 0 bytes. `ends` is all zeros before, and has no family
    # after unless the header names addresses; `total` is the header's size, as soon as it is known.
    if data[0] == b'P':
        return header_parse_v1(data, size, ends, total)
    return header_parse_v2(data, size, ends, total)
