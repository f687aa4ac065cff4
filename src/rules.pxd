# The C side of rules.h, and what the evaluation of rules works on.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from linux cimport sockaddr_storage


cdef extern from "rules.h" nogil:
    enum:
        RULE_ACCEPT
        RULE_REJECT
        RULE_USE
        RULE_USE_NAMED
        RULE_DROP
        RULE_CLOSE
        RULE_LATER
        RULE_SET_VAR
        RULE_SET_FORMAT
        RULE_UNSET_VAR
        RULE_CAPTURE
        RULE_SET_CLASS
        RULE_SET_OFFSET
        RULE_SET_SRC
        RULE_SET_SRC_PORT
        RULE_SET_DST
        RULE_SET_DST_PORT
        RULE_SET_TOS
        RULE_EXPECT_PROXY
        RULE_SET_RETRIES
        VAR_CAPTURE_SHIFT
        RULE_GOES_ON
        VAR_SCOPE
        VAR_REQ
        VAR_IF_EXISTS
        VAR_IF_NOT_EXISTS
        VAR_IF_EMPTY
        VAR_IF_NOT_EMPTY
        VAR_IF_GREATER
        VAR_IF_LESS
        FETCH_OF_ANSWER
        RULE_ALWAYS
        RULE_UNLESS
        TERM_NOT
        TERM_ENDS
        TEST_NO_CASE

    enum:
        FETCH_ALWAYS_TRUE
        FETCH_ALWAYS_FALSE
        FETCH_WAIT_END
        FETCH_SRC
        FETCH_SRC_PORT
        FETCH_DST
        FETCH_DST_PORT
        FETCH_LENGTH
        FETCH_PAYLOAD
        FETCH_HELLO_TYPE
        FETCH_HELLO_VERSION
        FETCH_HELLO_SNI
        FETCH_HELLO_ALPN
        FETCH_BACKEND_SERVERS
        FETCH_BACKEND_SESSIONS
        FETCH_BACKEND_FREE
        FETCH_BACKEND_QUEUE
        FETCH_BACKEND_QUEUE_EACH
        FETCH_FRONTEND_SESSIONS
        FETCH_SERVER_UP
        FETCH_SERVER_SESSIONS
        FETCH_SERVER_QUEUE
        FETCH_TEXT
        FETCH_NUMBER
        FETCH_ADDRESS
        FETCH_RDP_COOKIE
        FETCH_RDP_COUNT
        FETCH_PAYLOAD_LV
        FETCH_VAR
        FETCH_HEADER_RECEIVED
        FETCH_HEADER_FIELD
        FETCH_HEADER_AUTHORITY
        FETCH_HEADER_UNIQUE_ID
        FETCH_CLIENT_TCP
        FETCH_SERVER_TCP
        FETCH_SERVER_SOURCE
        FETCH_SERVER_SOURCE_PORT
        FETCH_SERVER_ADDRESS
        FETCH_SERVER_PORT
        FETCH_REDISPATCHED
        FETCH_SHOWN
        FETCH_FRONTEND_ID
        FETCH_FRONTEND_NAME
        FETCH_FRONTEND_DEFAULT
        FETCH_BACKEND_ID
        FETCH_BACKEND_NAME
        FETCH_SERVER_ID
        FETCH_SERVER_NAME
        FETCH_SOCKET_ID
        FETCH_SOCKET_NAME
        FETCH_IS_LOCAL
        FETCH_PROCESS_SESSIONS
        FETCH_BACKEND_SLOTS
        FETCH_SERVER_WEIGHT
        FETCH_SERVER_SAID_WEIGHT
        FETCH_SERVER_FREE
        FETCH_FRONTEND_RATE
        FETCH_BACKEND_RATE
        FETCH_SERVER_RATE
        FETCH_LAST_RULE_FILE
        FETCH_LAST_RULE_LINE
        FETCH_NOTHING
        FETCH_PID
        FETCH_THREAD
        FETCH_STOPPING
        FETCH_UPTIME
        FETCH_DATE
        FETCH_DATE_IN_MS
        FETCH_DATE_IN_US
        FETCH_DATE_US
        FETCH_RAND
        FETCH_UUID
        FETCH_PRIORITY_CLASS
        FETCH_PRIORITY_OFFSET
        FETCH_CLIENT_MS
        FETCH_SERVER_MS
        FETCH_TUNNEL_MS
        FETCH_CONNECT_MS
        FETCH_QUEUE_MS
        FETCH_RETRIES

    enum:
        MATCH_FOUND
        MATCH_BOOL
        MATCH_INT
        MATCH_LEN
        MATCH_IP
        MATCH_STR
        MATCH_BEG
        MATCH_END
        MATCH_SUB
        MATCH_DIR
        MATCH_DOM
        MATCH_REG

    enum:
        CONVERT_LOWER
        CONVERT_UPPER
        CONVERT_IPMASK
        CONVERT_MAP
        CONVERT_FIELD
        CONVERT_WORD
        CONVERT_TO_TEXT
        CONVERT_TO_BYTES
        CONVERT_TO_NUMBER
        CONVERT_TO_ADDRESS
        CONVERT_ADD
        CONVERT_SUB
        CONVERT_MUL
        CONVERT_DIV
        CONVERT_MOD
        CONVERT_AND
        CONVERT_OR
        CONVERT_XOR
        CONVERT_CPL
        CONVERT_NEG
        CONVERT_NOT
        CONVERT_BOOL
        CONVERT_EVEN
        CONVERT_ODD
        CONVERT_HTONL
        CONVERT_IIF
        CONVERT_LTIME
        CONVERT_UTIME
        CONVERT_LENGTH
        CONVERT_CONCAT
        CONVERT_LTRIM
        CONVERT_RTRIM
        CONVERT_REVERSE
        CONVERT_CUT_CRLF
        CONVERT_URL_DEC
        CONVERT_REGSUB
        CONVERT_BYTES
        CONVERT_HEX
        CONVERT_HEX2I
        CONVERT_BASE64
        CONVERT_B64DEC
        CONVERT_UB64ENC
        CONVERT_UB64DEC
        CONVERT_BE2DEC
        CONVERT_BE2HEX
        CONVERT_CRC32
        CONVERT_CRC32C
        CONVERT_DJB2
        CONVERT_SDBM
        CONVERT_WT6
        CONVERT_XXH32
        CONVERT_XXH64
        CONVERT_MQTT_IS_VALID
        CONVERT_MQTT_FIELD_VALUE
        CONVERT_FIX_IS_VALID
        CONVERT_FIX_TAG_VALUE
        CONVERT_STRCMP
        CONVERT_SECURE_MEMCMP
        CONVERT_MS_LTIME
        CONVERT_MS_UTIME
        CONVERT_US_LTIME
        CONVERT_US_UTIME
        CONVERT_NBSRV
        CONVERT_SRV_IS_UP
        CONVERT_SRV_QUEUE
        CONVERT_SHA1
        CONVERT_SHA2
        CONVERT_JSON
        CONVERT_URL_ENC
        CONVERT_REVERSE_DOM
        CONVERT_LE2DEC

    enum:
        STEP_BYTE, STEP_SET, STEP_JUMP, STEP_SPLIT, STEP_AT, STEP_SAVE, STEP_MATCH
        PLACE_START, PLACE_END, PLACE_END_OR_NEWLINE, PLACE_LINE_START, PLACE_LINE_END, PLACE_WORD_EDGE
        PLACE_NO_WORD_EDGE
        REGEX_ANCHORED

    ctypedef struct rule_set "struct rule_set":
        uint32_t offset
        uint32_t count

    ctypedef struct rule_head "struct rule_head":
        uint32_t backends
        uint32_t servers

    ctypedef struct rule_t "struct rule":
        uint32_t action
        uint32_t flags
        uint32_t terms
        uint32_t term_count
        uint32_t argument
        uint32_t piece_count
        uint32_t file
        uint32_t line

    ctypedef struct rule_term "struct rule_term":
        uint32_t flags
        uint32_t tests
        uint32_t test_count

    ctypedef struct rule_sample "struct rule_sample":
        uint32_t fetch
        uint32_t first
        uint32_t second
        uint32_t converters
        uint32_t converter_count

    ctypedef struct rule_test "struct rule_test":
        rule_sample sample
        uint32_t match
        uint32_t flags
        uint32_t values

    ctypedef struct rule_converter "struct rule_converter":
        uint32_t kind
        uint32_t match
        uint32_t values
        uint32_t first
        uint32_t second
        uint32_t text
        uint32_t text_size

    ctypedef struct rule_piece "struct rule_piece":
        uint32_t text
        uint32_t size
        uint32_t is_sample
        rule_sample sample

    ctypedef struct rule_assign "struct rule_assign":
        uint32_t number
        uint32_t flags
        uint32_t pieces
        uint32_t piece_count
        rule_sample sample

    ctypedef struct rule_names "struct rule_names":
        uint32_t count
        uint32_t entries

    ctypedef struct rule_name "struct rule_name":
        uint32_t text
        uint32_t size
        uint32_t parent
        uint32_t value

    ctypedef struct rule_step "struct rule_step":
        uint32_t op
        uint32_t first
        uint32_t second

    ctypedef struct rule_regex "struct rule_regex":
        uint32_t count
        uint32_t steps
        uint32_t firsts
        uint32_t flags
        uint32_t value

    ctypedef struct rule_integers "struct rule_integers":
        uint32_t count
        uint32_t entries

    ctypedef struct rule_integer "struct rule_integer":
        int64_t start
        uint32_t value

    ctypedef struct rule_networks "struct rule_networks":
        uint32_t v4_count
        uint32_t v4_entries
        uint32_t v6_count
        uint32_t v6_entries

    ctypedef struct rule_v4 "struct rule_v4":
        uint32_t start
        uint32_t value

    ctypedef struct rule_v6 "struct rule_v6":
        uint64_t high
        uint64_t low
        uint32_t value


# Bytes of a client that rules look at; more wait in the kernel. HAProxy's buffer (tune.bufsize less tune.maxrewrite).
cdef enum:
    INSPECT_BYTES = 15360
    ROOM_BYTES = 16384

# What a sample gives.
cdef enum:
    VALUE_NUMBER = 0
    VALUE_TEXT = 1
    VALUE_ADDRESS = 2

ctypedef struct value_t:
    uint8_t kind
    uint8_t waits         # more bytes of the client may make it another
    uint16_t family       # of an address
    uint32_t size
    const uint8_t *text
    int64_t number
    uint8_t address[16]
