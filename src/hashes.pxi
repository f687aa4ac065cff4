# The hash functions of "hash-type": what HAProxy computes for a key, so that clients keep their servers when it is
# replaced.

cdef uint32_t hash_avalanche(uint32_t a) noexcept nogil:
    # Bob Jenkins' integer hash with full avalanche, then a large odd factor that spreads neighbours over the ring.
    a = (a + <uint32_t>0x7ed55d16) + (a << 12)
    a = (a ^ <uint32_t>0xc761c23c) ^ (a >> 19)
    a = (a + <uint32_t>0x165667b1) + (a << 5)
    a = (a + <uint32_t>0xd3a2646c) ^ (a << 9)
    a = (a + <uint32_t>0xfd7046c5) + (a << 3)
    a = (a ^ <uint32_t>0xb55a4f09) ^ (a >> 16)
    return a * <uint32_t>0xc0000001


cdef uint32_t hash_sdbm(const uint8_t *key, uint32_t size) noexcept nogil:
    cdef uint32_t i, h = 0
    for i in range(size):
        h = h * 65599 + key[i]
    return h


cdef uint32_t hash_djb2(const uint8_t *key, uint32_t size) noexcept nogil:
    cdef uint32_t i, h = 5381
    for i in range(size):
        h = h * 33 + key[i]
    return h


cdef inline uint32_t rotated(uint32_t x, uint32_t n) noexcept nogil:
    return x << n | x >> ((32 - n) & 31)


cdef uint32_t hash_wt6(const uint8_t *key, uint32_t size) noexcept nogil:
    cdef uint32_t a = 0xa53c965a
    cdef uint32_t b = 0x5ca6953a
    cdef uint32_t turn_a = 6, turn_b = 18
    cdef uint32_t i, previous, mixed
    for i in range(size):
        previous = ~(a ^ key[i])
        b = ~(b + key[i])
        a = rotated(b, turn_a)
        b = rotated(previous, turn_b)
        mixed = (a >> 16 ^ b) & 0xffff
        turn_a = mixed & 31
        turn_b = mixed >> 11
    return a ^ b


cdef uint32_t hash_crc32(const uint8_t *key, uint32_t size) noexcept nogil:
    cdef uint32_t i, h = 0xffffffff
    for i in range(size * 8):
        if i & 7 == 0:
            h ^= key[i >> 3]
        h = h >> 1 ^ (<uint32_t>0xedb88320 if h & 1 else 0)
    return ~h


cdef uint32_t hash_words(const uint8_t *key, uint32_t size) noexcept nogil:
    # The key's 32-bit big-endian words, XORed (HAProxy manual, "balance source"): an IPv4 address, or a port, itself.
    cdef uint32_t i, word, h = 0
    for i in range(size >> 2):
        memcpy(&word, key + 4 * i, sizeof(word))
        h ^= ntohl(word)
    return h


cdef uint32_t hash_bytes(const plan_hash *how, const uint8_t *key, uint32_t size) noexcept nogil:
    cdef uint32_t h
    if how.function == HASH_SDBM:
        h = hash_sdbm(key, size)
    elif how.function == HASH_DJB2:
        h = hash_djb2(key, size)
    elif how.function == HASH_WT6:
        h = hash_wt6(key, size)
    elif how.function == HASH_CRC32:
        h = hash_crc32(key, size)
    else:
        h = hash_words(key, size)
    return hash_avalanche(h) if how.flags & HASH_AVALANCHE else h
