"""Compiled rules as the plan holds them. Offsets are bytes from the start of ``Plan.rules``."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple


class RuleSet(NamedTuple):
    """Consecutive rules in the table: where the first one is, and how many there are."""

    offset: int = 0
    size: int = 0


EMPTY = RuleSet()


@dataclass(frozen=True, slots=True)
class FrontendRules:
    """``own_backend``: the other half of a ``listen``, whose content rules run once. ``needed``: a session looks.

    ``reaches``: backends that ``use_backend`` names, as indices of the plan; names made at run time are not known.
    ``drops``: some rule drops clients in silence.
    ``digest`` is of the lines and of the files they name: offsets change with the rules of others.
    """

    inspect_ms: int = 0
    own_backend: int = -1
    needed: bool = False
    connection: RuleSet = EMPTY
    session: RuleSet = EMPTY
    content: RuleSet = EMPTY
    backends: RuleSet = EMPTY
    drops: bool = False
    reaches: tuple[int, ...] = ()
    digest: str = ""
    switches: RuleSet = EMPTY


@dataclass(frozen=True, slots=True)
class BackendRules:
    """``hashed`` is the sample that ``balance hash`` goes by, ``cookie`` the name of ``persist rdp-cookie``: offsets.

    A cookie's size is 0 where there is none. ``priorities``: some rule of the plan gives sessions a priority in the
    queues.
    """

    inspect_ms: int = 0
    hashed: int = 0
    cookie: RuleSet = EMPTY
    content: RuleSet = EMPTY
    servers: RuleSet = EMPTY
    sticks: RuleSet = EMPTY
    answer_ms: int = 0
    answer: RuleSet = EMPTY
    priorities: bool = False
    drops: bool = False
    digest: str = ""
    forces: RuleSet = EMPTY
    stores: RuleSet = EMPTY


NO_FRONTEND_RULES = FrontendRules()
NO_BACKEND_RULES = BackendRules()

# The values of these are those of src/rules.h.


class Fetch(IntEnum):
    ALWAYS_TRUE = 0
    ALWAYS_FALSE = 1
    WAIT_END = 2
    SRC = 3
    SRC_PORT = 4
    DST = 5
    DST_PORT = 6
    REQ_LEN = 7
    REQ_PAYLOAD = 8
    REQ_SSL_HELLO_TYPE = 9
    REQ_SSL_VER = 10
    REQ_SSL_SNI = 11
    REQ_SSL_ALPN = 12
    NBSRV = 13
    BE_CONN = 14
    BE_CONN_FREE = 15
    QUEUE = 16
    AVG_QUEUE = 17
    FE_CONN = 18
    SRV_IS_UP = 19
    SRV_CONN = 20
    SRV_QUEUE = 21
    VAR = 120
    CAPTURE_REQ_HDR = 120  # a variable that only 'capture' sets
    RES_LEN = 0x107  # of what the server sends: the fetch that looks at the client's bytes so, and 0x100
    RES_PAYLOAD = 0x108
    RES_SSL_HELLO_TYPE = 0x109
    RES_PAYLOAD_LV = 0x170
    TEXT = 100
    NUMBER = 101
    ADDRESS = 102
    REQ_RDP_COOKIE = 110
    REQ_RDP_COOKIE_CNT = 111
    REQ_PAYLOAD_LV = 112
    FC_RCVD_PROXY = 140
    FC_PP_TLV = 141
    FC_PP_AUTHORITY = 142
    FC_PP_UNIQUE_ID = 143
    FC_TCP = 150
    BC_TCP = 151
    BC_SRC = 152
    BC_SRC_PORT = 153
    BC_DST = 154
    BC_DST_PORT = 155
    TXN_REDISPATCHED = 156
    SHOWN = 157
    FE_ID = 160
    FE_NAME = 161
    FE_DEFBE = 162
    BE_ID = 163
    BE_NAME = 164
    SRV_ID = 165
    SRV_NAME = 166
    SO_ID = 167
    SO_NAME = 168
    IS_LOCAL = 169
    ACT_CONN = 170
    CONNSLOTS = 171
    SRV_WEIGHT = 172
    SRV_IWEIGHT = 173
    SRV_CONN_FREE = 174
    FE_SESS_RATE = 175
    BE_SESS_RATE = 176
    SRV_SESS_RATE = 177
    LAST_RULE_FILE = 178
    LAST_RULE_LINE = 179
    NOTHING = 180
    PID = 181
    THREAD = 182
    STOPPING = 183
    UPTIME = 184
    DATE = 185
    DATE_IN_MS = 186
    DATE_IN_US = 187
    DATE_US = 188
    RAND = 189
    UUID = 190
    PRIO_CLASS = 191
    PRIO_OFFSET = 192
    FE_CLIENT_TIMEOUT = 193
    BE_SERVER_TIMEOUT = 194
    BE_TUNNEL_TIMEOUT = 195
    BE_CONNECT_TIMEOUT = 196
    BE_QUEUE_TIMEOUT = 197
    BE_MAX_RETRIES = 198


class TcpFigure(IntEnum):
    """Where it stands in the kernel's ``struct tcp_info`` (linux/tcp.h), in words of 32 bits."""

    UNACKED = 6
    SACKED = 7
    LOST = 8
    RETRANS = 9
    FACKETS = 10
    RTT = 17
    RTTVAR = 18
    REORDERING = 22


class Match(IntEnum):
    FOUND = 0
    BOOL = 1
    INT = 2
    LEN = 3
    IP = 4
    STR = 5
    BEG = 6
    END = 7
    SUB = 8
    DIR = 9
    DOM = 10
    REG = 11


class Convert(IntEnum):
    LOWER = 0
    UPPER = 1
    IPMASK = 2
    MAP = 3
    FIELD = 4
    WORD = 5
    TO_TEXT = 20
    TO_BYTES = 21
    TO_NUMBER = 22
    TO_ADDRESS = 23
    ADD = 30
    SUB = 31
    MUL = 32
    DIV = 33
    MOD = 34
    AND = 35
    OR = 36
    XOR = 37
    CPL = 38
    NEG = 39
    NOT = 40
    BOOL = 41
    EVEN = 42
    ODD = 43
    HTONL = 44
    IIF = 45
    LTIME = 46
    UTIME = 47
    LENGTH = 50
    CONCAT = 51
    LTRIM = 52
    RTRIM = 53
    REVERSE = 54
    CUT_CRLF = 55
    URL_DEC = 56
    REGSUB = 57
    BYTES = 58
    HEX = 60
    HEX2I = 61
    BASE64 = 62
    B64DEC = 63
    UB64ENC = 64
    UB64DEC = 65
    BE2DEC = 66
    BE2HEX = 67
    CRC32 = 70
    CRC32C = 71
    DJB2 = 72
    SDBM = 73
    WT6 = 74
    XXH32 = 75
    XXH64 = 76
    MQTT_IS_VALID = 90
    MQTT_FIELD_VALUE = 91
    FIX_IS_VALID = 92
    FIX_TAG_VALUE = 93
    STRCMP = 100
    SECURE_MEMCMP = 101
    MS_LTIME = 102
    MS_UTIME = 103
    US_LTIME = 104
    US_UTIME = 105
    NBSRV = 106
    SRV_IS_UP = 107
    SRV_QUEUE = 108
    SHA1 = 109
    SHA2 = 110
    JSON = 111
    URL_ENC = 112
    REVERSE_DOM = 113
    LE2DEC = 114


class Verdict(IntEnum):
    ACCEPT = 0
    REJECT = 1
    USE = 2
    USE_NAMED = 3
    DROP = 4
    CLOSE = 5
    TRACK = 64
    COUNT = 65
    STICK = 66
    SET_VAR = 80
    SET_FORMAT = 81
    CAPTURE = 82
    UNSET_VAR = 83
    SET_CLASS = 90
    SET_OFFSET = 91
    SET_SRC = 92
    SET_SRC_PORT = 93
    SET_DST = 94
    SET_DST_PORT = 95
    SET_TOS = 96
    SET_LOG_LEVEL = 97
    EXPECT_PROXY = 98
    SET_RETRIES = 89


NO_INDEX = 0xFFFFFFFF
TEST_NO_CASE = 1
CAPTURE_SHIFT = 16
TERM_NOT = 1
TERM_ENDS = 2  # the last of its alternative
RULE_ALWAYS = 1
VAR_SCOPES = {"sess": 0, "txn": 1, "req": 2, "res": 3}
VAR_CONDITIONS = {
    "ifexists": 1, "ifset": 1, "ifnotexists": 2, "ifnotset": 2, "ifempty": 4, "ifnotempty": 8, "ifgt": 16, "iflt": 32,
}  # fmt: skip
RULE_UNLESS = 2
