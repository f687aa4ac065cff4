# Hash functions of converters, beside those of "hash-type" (hashes.pxi).

cdef enum:
    XXH32_1 = 2654435761
    XXH32_2 = 2246822519
    XXH32_3 = 3266489917
    XXH32_4 = 668265263
    XXH32_5 = 374761393

cdef uint64_t XXH64_1 = <uint64_t>0x9e3779b185ebca87
cdef uint64_t XXH64_2 = <uint64_t>0xc2b2ae3d27d4eb4f
cdef uint64_t XXH64_3 = <uint64_t>0x165667b19e3779f9
cdef uint64_t XXH64_4 = <uint64_t>0x85ebca77c2b2ae63
cdef uint64_t XXH64_5 = <uint64_t>0x27d4eb2f165667c5


cdef uint32_t digest_crc32c(const uint8_t *key, uint32_t size) noexcept nogil:
    # RFC 4960, appendix B.
    cdef uint32_t i, h = 0xffffffff
    for i in range(size * 8):
        if i & 7 == 0:
            h ^= key[i >> 3]
        h = h >> 1 ^ (<uint32_t>0x82f63b78 if h & 1 else 0)
    return ~h


cdef uint64_t little_endian(const uint8_t *bytes, uint32_t count) noexcept nogil:
    cdef uint64_t n = 0
    cdef uint32_t i
    for i in range(count):
        n |= <uint64_t>bytes[i] << (8 * i)
    return n


cdef uint32_t digest_xxh32(const uint8_t *key, uint32_t size, uint32_t seed) noexcept nogil:
    # The algorithm of github.com/Cyan4973/xxHash, doc/xxhash_spec.md.
    cdef uint32_t lanes[4]
    cdef uint32_t h = seed + <uint32_t>XXH32_5
    cdef uint32_t at = 0, i
    if size >= 16:
        lanes[0] = seed + <uint32_t>XXH32_1 + <uint32_t>XXH32_2
        lanes[1] = seed + <uint32_t>XXH32_2
        lanes[2] = seed
        lanes[3] = seed - <uint32_t>XXH32_1
        while at + 16 <= size:
            for i in range(4):
                h = lanes[i] + <uint32_t>little_endian(key + at + 4 * i, 4) * <uint32_t>XXH32_2
                lanes[i] = rotated(h, 13) * <uint32_t>XXH32_1
            at += 16
        h = rotated(lanes[0], 1) + rotated(lanes[1], 7) + rotated(lanes[2], 12) + rotated(lanes[3], 18)
    h += size
    while at + 4 <= size:
        h = rotated(h + <uint32_t>little_endian(key + at, 4) * <uint32_t>XXH32_3, 17) * <uint32_t>XXH32_4
        at += 4
    while at < size:
        h = rotated(h + key[at] * <uint32_t>XXH32_5, 11) * <uint32_t>XXH32_1
        at += 1
    h = (h ^ h >> 15) * <uint32_t>XXH32_2
    h = (h ^ h >> 13) * <uint32_t>XXH32_3
    return h ^ h >> 16


cdef inline uint64_t rotated64(uint64_t x, uint32_t n) noexcept nogil:
    return x << n | x >> (64 - n)


cdef uint64_t xxh64_round(uint64_t lane, uint64_t word) noexcept nogil:
    return rotated64(lane + word * XXH64_2, 31) * XXH64_1


cdef uint64_t xxh64_stripes(const uint8_t *key, uint32_t stripes, uint64_t seed) noexcept nogil:
    cdef uint64_t lanes[4]
    cdef uint64_t h
    cdef uint32_t i, k
    lanes[0] = seed + XXH64_1 + XXH64_2
    lanes[1] = seed + XXH64_2
    lanes[2] = seed
    lanes[3] = seed - XXH64_1
    for k in range(stripes):
        for i in range(4):
            lanes[i] = xxh64_round(lanes[i], little_endian(key + 32 * k + 8 * i, 8))
    h = rotated64(lanes[0], 1) + rotated64(lanes[1], 7) + rotated64(lanes[2], 12) + rotated64(lanes[3], 18)
    for i in range(4):
        h = (h ^ xxh64_round(0, lanes[i])) * XXH64_1 + XXH64_4
    return h


cdef uint64_t digest_xxh64(const uint8_t *key, uint32_t size, uint64_t seed) noexcept nogil:
    cdef uint64_t h = xxh64_stripes(key, size / 32, seed) if size >= 32 else seed + XXH64_5
    cdef uint32_t at = size / 32 * 32
    h += size
    while at + 8 <= size:
        h = rotated64(h ^ xxh64_round(0, little_endian(key + at, 8)), 27) * XXH64_1 + XXH64_4
        at += 8
    if at + 4 <= size:
        h = rotated64(h ^ little_endian(key + at, 4) * XXH64_1, 23) * XXH64_2 + XXH64_3
        at += 4
    while at < size:
        h = rotated64(h ^ key[at] * XXH64_5, 11) * XXH64_1
        at += 1
    h = (h ^ h >> 33) * XXH64_2
    h = (h ^ h >> 29) * XXH64_3
    return h ^ h >> 32


cdef bint convert_hash(const rule_converter *c, value_t *v) noexcept nogil:
    cdef uint32_t h
    if c.kind == CONVERT_XXH64:
        return value_number(v, <int64_t>digest_xxh64(v.text, v.size, <uint64_t>c.second << 32 | c.first))
    if c.kind == CONVERT_XXH32:
        return value_number(v, digest_xxh32(v.text, v.size, c.first))
    if c.kind == CONVERT_CRC32:
        h = hash_crc32(v.text, v.size)
    elif c.kind == CONVERT_CRC32C:
        h = digest_crc32c(v.text, v.size)
    elif c.kind == CONVERT_DJB2:
        h = hash_djb2(v.text, v.size)
    elif c.kind == CONVERT_SDBM:
        h = hash_sdbm(v.text, v.size)
    else:
        h = hash_wt6(v.text, v.size)
    return value_number(v, hash_avalanche(h) if c.first else h)
