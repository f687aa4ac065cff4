# The CONNECT packet of MQTT, the first thing that a client says (OASIS, MQTT 3.1.1 section 3.1, MQTT 5.0 section 3.1).
# Every length is checked against what is there; a packet is valid when it is exactly as long as it says.

cdef enum:
    MQTT_WAIT = 0          # what is there may become one
    MQTT_NONE = 1
    MQTT_FOUND = 2
    MQTT_CONNECT = 0x10
    MQTT_WILL = 4
    MQTT_WILL_QOS = 24
    MQTT_WILL_RETAIN = 32
    MQTT_PASSWORD = 64
    MQTT_USERNAME = 128

cdef enum:
    MQTT_FLAGS = 0         # which field a converter wants: fastlb/rules/converters.py
    MQTT_PROTOCOL_NAME = 1
    MQTT_PROTOCOL_VERSION = 2
    MQTT_CLIENT_IDENTIFIER = 3
    MQTT_WILL_TOPIC = 4
    MQTT_WILL_PAYLOAD = 5
    MQTT_USERNAME_FIELD = 6
    MQTT_PASSWORD_FIELD = 7
    MQTT_KEEPALIVE = 8

ctypedef struct mqtt_t:
    int64_t version
    int64_t flags
    int64_t keepalive
    cursor_t texts[8]      # by field


cdef int64_t mqtt_varint(cursor_t *c) noexcept nogil:
    # Up to four bytes of seven bits, the lowest first; -1 for more, or where they are not there.
    cdef int64_t n = 0, byte
    cdef uint32_t i
    for i in range(4):
        byte = cursor_number(c, 1)
        if byte < 0:
            return -1
        n |= (byte & 127) << (7 * i)
        if byte < 128:
            return n
    return -1


cdef bint mqtt_property(cursor_t *c, int64_t kind, bint of_will) noexcept nogil:
    # Takes one from the list. False for one that does not belong there, or that has no value it may have.
    cdef cursor_t text
    cdef int64_t number = 1
    if kind == 38:
        return cursor_vector(c, 2, &text) and cursor_vector(c, 2, &text)
    if of_will:
        if kind == 1:
            number = cursor_number(c, 1)
            return 0 <= number <= 1
        if kind == 2 or kind == 24:
            return cursor_number(c, 4) >= 0
        return (kind == 3 or kind == 8 or kind == 9) and cursor_vector(c, 2, &text)
    if kind == 17:
        return cursor_number(c, 4) >= 0
    if kind == 33:
        return cursor_number(c, 2) > 0
    if kind == 39:
        return cursor_number(c, 4) > 0
    if kind == 34:
        return cursor_number(c, 2) >= 0
    if kind == 23 or kind == 25:
        number = cursor_number(c, 1)
        return 0 <= number <= 1
    return (kind == 21 or kind == 22) and cursor_vector(c, 2, &text)


cdef bint mqtt_properties(cursor_t *c, bint of_will) noexcept nogil:
    # Each at most once, but those of the user. Data of an authentication need its method.
    cdef cursor_t list
    cdef uint64_t seen = 0
    cdef int64_t kind
    if not cursor_take(c, mqtt_varint(c), &list):
        return False
    while list.left:
        kind = cursor_number(&list, 1)
        if kind > 63 or (kind != 38 and seen >> kind & 1) or not mqtt_property(&list, kind, of_will):
            return False
        seen |= <uint64_t>1 << kind
    return not seen >> 22 & 1 or seen >> 21 & 1


cdef bint mqtt_head(cursor_t *c, mqtt_t *packet) noexcept nogil:
    # Up to the properties.
    cdef cursor_t *name = &packet.texts[MQTT_PROTOCOL_NAME]
    cdef bint old
    if not cursor_vector(c, 2, name):
        return False
    old = name.left == 6 and same_letters(name.at, <const uint8_t *>b"MQIsdp", 6)
    if not old and not (name.left == 4 and same_letters(name.at, <const uint8_t *>b"MQTT", 4)):
        return False
    packet.version = cursor_number(c, 1)
    packet.flags = cursor_number(c, 1)
    packet.keepalive = cursor_number(c, 2)
    if packet.keepalive < 0 or packet.flags & 1 or (packet.version != 3 if old else packet.version not in (4, 5)):
        return False
    return packet.flags & (MQTT_WILL | MQTT_WILL_RETAIN) or packet.flags & MQTT_WILL_QOS != MQTT_WILL_QOS


cdef bint mqtt_body(cursor_t *c, mqtt_t *packet) noexcept nogil:
    cdef bint will = packet.flags & MQTT_WILL
    if packet.version == 5 and not mqtt_properties(c, False):
        return False
    if not cursor_vector(c, 2, &packet.texts[MQTT_CLIENT_IDENTIFIER]):
        return False
    if will and packet.version == 5 and not mqtt_properties(c, True):
        return False
    if will and not (cursor_vector(c, 2, &packet.texts[MQTT_WILL_TOPIC])
                     and cursor_vector(c, 2, &packet.texts[MQTT_WILL_PAYLOAD])):
        return False
    if packet.flags & MQTT_USERNAME and not cursor_vector(c, 2, &packet.texts[MQTT_USERNAME_FIELD]):
        return False
    if packet.flags & MQTT_PASSWORD and not cursor_vector(c, 2, &packet.texts[MQTT_PASSWORD_FIELD]):
        return False
    return c.left == 0


cdef int mqtt_packet(const value_t *v, mqtt_t *packet) noexcept nogil:
    cdef cursor_t c, body
    cdef int64_t length
    memset(packet, 0, sizeof(mqtt_t))
    c.at = v.text
    c.left = v.size
    if c.left < 2:
        return MQTT_WAIT
    if cursor_number(&c, 1) != MQTT_CONNECT:
        return MQTT_NONE
    length = mqtt_varint(&c)
    if length < 0:
        return MQTT_NONE if v.size >= 5 else MQTT_WAIT
    if not cursor_take(&c, length, &body):
        return MQTT_WAIT
    return MQTT_FOUND if mqtt_head(&body, packet) and mqtt_body(&body, packet) else MQTT_NONE


cdef bint convert_mqtt_valid(value_t *v) noexcept nogil:
    cdef mqtt_t packet
    cdef int verdict = mqtt_packet(v, &packet)
    return verdict != MQTT_WAIT and value_number(v, verdict == MQTT_FOUND)


cdef bint convert_mqtt_field(look_t *look, uint32_t field, value_t *v) noexcept nogil:
    # False for one that is not there, or empty.
    cdef mqtt_t packet
    if mqtt_packet(v, &packet) != MQTT_FOUND:
        return False
    if field == MQTT_FLAGS:
        return value_number(v, packet.flags) and value_to_text(look, v)
    if field == MQTT_PROTOCOL_VERSION:
        return value_number(v, packet.version) and value_to_text(look, v)
    if field == MQTT_KEEPALIVE:
        return value_number(v, packet.keepalive) and value_to_text(look, v)
    return packet.texts[field].left and value_text(v, packet.texts[field].at, packet.texts[field].left)
