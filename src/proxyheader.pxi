# The header of the PROXY protocol, versions 1 and 2 (haproxy.org, proxy-protocol.txt), from addresses to bytes: no I/O.

cdef enum:
    HEADER_ROOM = 128          # bytes of the longest header, without fields
    HEADER_V2_FIXED = 16       # signature, version and command, family, length
    HEADER_V2_INET = 12        # the two addresses and ports
    HEADER_V2_INET6 = 36
    HEADER_V2_LOCAL = 0x20
    HEADER_V2_PROXY = 0x21
    HEADER_V2_TCP4 = 0x11
    HEADER_V2_TCP6 = 0x21
    HEADER_V2_CRC32C = 0x03    # type of the field with the checksum

cdef const char *HEADER_V2_SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"


cdef uint32_t header_crc32c(uint32_t crc, const uint8_t *data, uint32_t size) noexcept nogil:
    # RFC 4960, appendix B. To be begun with, and in the end XORed with, 0xffffffff.
    cdef uint32_t i, bit
    for i in range(size):
        crc ^= data[i]
        for bit in range(8):
            crc = (crc >> 1) ^ (<uint32_t>0x82f63b78 & (0 - (crc & 1)))
    return crc


cdef void header_put16(uint8_t *at, uint32_t value) noexcept nogil:
    at[0] = <uint8_t>(value >> 8)
    at[1] = <uint8_t>value


cdef uint32_t header_make_v1(endpoints_t *ends, uint8_t *room) noexcept nogil:
    cdef char source[64]
    cdef char destination[64]
    if ends.family == 0:
        return <uint32_t>snprintf(<char *>room, HEADER_ROOM, b"PROXY UNKNOWN\r\n")
    inet_ntop(ends.family, ends.source, source, sizeof(source))
    inet_ntop(ends.family, ends.destination, destination, sizeof(destination))
    return <uint32_t>snprintf(<char *>room, HEADER_ROOM, b"PROXY TCP%s %s %s %u %u\r\n",
                              b"4" if ends.family == AF_INET else b"6", source, destination,
                              <unsigned int>ends.source_port, <unsigned int>ends.destination_port)


cdef uint32_t header_put_ends(endpoints_t *ends, uint8_t *at) noexcept nogil:
    cdef uint32_t size = 4 if ends.family == AF_INET else 16
    memcpy(at, ends.source, size)
    memcpy(at + size, ends.destination, size)
    header_put16(at + 2 * size, ends.source_port)
    header_put16(at + 2 * size + 2, ends.destination_port)
    return 2 * size + 4


cdef uint32_t header_make_v2(endpoints_t *ends, const uint8_t *fields, uint32_t fields_size, uint32_t checksum,
                             uint8_t *room) noexcept nogil:
    # `checksum` is where in the fields the value of that one goes, or 0.
    cdef uint32_t size = HEADER_V2_FIXED
    cdef uint32_t crc
    memcpy(room, HEADER_V2_SIGNATURE, 12)
    room[12] = HEADER_V2_PROXY if ends.family else HEADER_V2_LOCAL
    room[13] = 0
    if ends.family:
        room[13] = HEADER_V2_TCP4 if ends.family == AF_INET else HEADER_V2_TCP6
        size += header_put_ends(ends, room + size)
    memcpy(room + size, fields, fields_size)
    header_put16(room + 14, size + fields_size - HEADER_V2_FIXED)
    if checksum:
        crc = ~header_crc32c(~<uint32_t>0, room, size + fields_size)
        header_put16(room + size + checksum, crc >> 16)
        header_put16(room + size + checksum + 2, crc)
    return size + fields_size
