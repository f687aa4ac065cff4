# SHA-1 and SHA-2 (FIPS 180-4). A state has words of 32 or of 64 bits, each in one of 64.

cdef extern from "sha.h" nogil:
    const uint64_t *SHA_SQUARE_ROOTS
    const uint64_t *SHA_CUBE_ROOTS


cdef inline uint32_t turned(uint32_t x, uint32_t n) noexcept nogil:
    return x >> n | x << (32 - n)


cdef inline uint64_t turned64(uint64_t x, uint32_t n) noexcept nogil:
    return x >> n | x << (64 - n)


cdef uint32_t sha1_mixed(const uint32_t *v, uint32_t t) noexcept nogil:
    # The function of step t, and its constant.
    if t < 20:
        return ((v[1] & v[2]) ^ (~v[1] & v[3])) + <uint32_t>0x5a827999
    if t < 40:
        return (v[1] ^ v[2] ^ v[3]) + <uint32_t>0x6ed9eba1
    if t < 60:
        return ((v[1] & v[2]) ^ (v[1] & v[3]) ^ (v[2] & v[3])) + <uint32_t>0x8f1bbcdc
    return (v[1] ^ v[2] ^ v[3]) + <uint32_t>0xca62c1d6


cdef void sha1_block(uint64_t *h, const uint8_t *block) noexcept nogil:
    cdef uint32_t w[80]
    cdef uint32_t v[5]
    cdef uint32_t t, next_
    for t in range(16):
        w[t] = <uint32_t>big_endian(block + 4 * t, 4)
    for t in range(16, 80):
        w[t] = rotated(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1)
    for t in range(5):
        v[t] = <uint32_t>h[t]
    for t in range(80):
        next_ = rotated(v[0], 5) + sha1_mixed(v, t) + v[4] + w[t]
        memmove(v + 1, v, 4 * sizeof(uint32_t))
        v[2] = rotated(v[2], 30)
        v[0] = next_
    for t in range(5):
        h[t] = <uint32_t>(h[t] + v[t])


cdef void sha256_block(uint64_t *h, const uint8_t *block) noexcept nogil:
    cdef uint32_t w[64]
    cdef uint32_t v[8]
    cdef uint32_t t, first, second
    for t in range(16):
        w[t] = <uint32_t>big_endian(block + 4 * t, 4)
    for t in range(16, 64):
        first = turned(w[t - 15], 7) ^ turned(w[t - 15], 18) ^ w[t - 15] >> 3
        second = turned(w[t - 2], 17) ^ turned(w[t - 2], 19) ^ w[t - 2] >> 10
        w[t] = w[t - 16] + first + w[t - 7] + second
    for t in range(8):
        v[t] = <uint32_t>h[t]
    for t in range(64):
        first = v[7] + (turned(v[4], 6) ^ turned(v[4], 11) ^ turned(v[4], 25)) + ((v[4] & v[5]) ^ (~v[4] & v[6]))
        first += <uint32_t>(SHA_CUBE_ROOTS[t] >> 32) + w[t]
        second = (turned(v[0], 2) ^ turned(v[0], 13) ^ turned(v[0], 22))
        second += (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2])
        memmove(v + 1, v, 7 * sizeof(uint32_t))
        v[4] += first
        v[0] = first + second
    for t in range(8):
        h[t] = <uint32_t>(h[t] + v[t])


cdef void sha512_block(uint64_t *h, const uint8_t *block) noexcept nogil:
    cdef uint64_t w[80]
    cdef uint64_t v[8]
    cdef uint64_t first, second
    cdef uint32_t t
    for t in range(16):
        w[t] = big_endian(block + 8 * t, 8)
    for t in range(16, 80):
        first = turned64(w[t - 15], 1) ^ turned64(w[t - 15], 8) ^ w[t - 15] >> 7
        second = turned64(w[t - 2], 19) ^ turned64(w[t - 2], 61) ^ w[t - 2] >> 6
        w[t] = w[t - 16] + first + w[t - 7] + second
    memcpy(v, h, sizeof(v))
    for t in range(80):
        first = v[7] + (turned64(v[4], 14) ^ turned64(v[4], 18) ^ turned64(v[4], 41)) + ((v[4] & v[5]) ^ (~v[4] & v[6]))
        first += SHA_CUBE_ROOTS[t] + w[t]
        second = turned64(v[0], 28) ^ turned64(v[0], 34) ^ turned64(v[0], 39)
        second += (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2])
        memmove(v + 1, v, 7 * sizeof(uint64_t))
        v[4] += first
        v[0] = first + second
    for t in range(8):
        h[t] += v[t]


cdef void sha_begin(uint64_t *h, uint32_t bits) noexcept nogil:
    cdef const uint64_t *roots = SHA_SQUARE_ROOTS + (8 if bits == 224 or bits == 384 else 0)
    cdef uint32_t i
    for i in range(8):
        h[i] = roots[i]
        if bits == 224:
            h[i] &= <uint32_t>0xffffffff
        elif bits == 256:
            h[i] >>= 32
    if bits == 160:
        h[0] = 0x67452301
        h[1] = <uint32_t>0xefcdab89
        h[2] = <uint32_t>0x98badcfe
        h[3] = 0x10325476
        h[4] = <uint32_t>0xc3d2e1f0


cdef void sha_blocks(uint64_t *h, uint32_t bits, const uint8_t *data, uint32_t size) noexcept nogil:
    # Whole ones.
    cdef uint32_t at = 0, block = 64 if bits <= 256 else 128
    while at < size:
        if bits == 160:
            sha1_block(h, data + at)
        elif bits <= 256:
            sha256_block(h, data + at)
        else:
            sha512_block(h, data + at)
        at += block


cdef bint convert_sha(look_t *look, uint32_t bits, value_t *v) noexcept nogil:
    # A bit and the length in bits stand behind the text, and zeros between them, in one more block or two.
    cdef uint32_t block = 64 if bits <= 256 else 128
    cdef uint32_t word = block / 16
    cdef uint32_t rest = v.size % block
    cdef uint32_t padded = block if rest + 1 + 2 * word <= block else 2 * block
    cdef uint8_t *room = value_room(look, v)
    cdef uint8_t tail[256]
    cdef uint64_t h[8]
    cdef uint32_t i
    sha_begin(h, bits)
    sha_blocks(h, bits, v.text, v.size - rest)
    memset(tail, 0, sizeof(tail))
    memcpy(tail, v.text + v.size - rest, rest)
    tail[rest] = 0x80
    put_big_endian(tail + padded - 8, <uint64_t>v.size * 8, 8)
    sha_blocks(h, bits, tail, padded)
    for i in range(8):
        put_big_endian(room + word * i, h[i], word)
    return value_text(v, room, bits / 8)
