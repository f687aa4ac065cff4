/* Compiled rules, a part of a plan. fastlb/rules writes them, rules.pxi and its like evaluate them.
 *
 * Offsets are bytes from the start of the table; structs stand at multiples of 8. A frontend and a backend have sets of
 * rules, a rule a condition: terms, of which those up to one with TERM_ENDS must all hold, or those up to the next
 * such, and so on. A term is any of some tests. A test is a sample and what it is compared with.
 * The numbers are those of fastlb/rules/model.py.
 */
#ifndef FASTLB_RULES_H
#define FASTLB_RULES_H

#include <stdint.h>

enum rule_action { RULE_ACCEPT = 0, RULE_REJECT = 1, RULE_USE = 2, RULE_USE_NAMED = 3, RULE_DROP = 4,
                   RULE_CLOSE = 5, RULE_SET_VAR = 80, RULE_SET_FORMAT = 81, RULE_CAPTURE = 82,
                   RULE_UNSET_VAR = 83, RULE_SET_CLASS = 90, RULE_SET_OFFSET = 91, RULE_SET_SRC = 92,
                   RULE_SET_SRC_PORT = 93, RULE_SET_DST = 94, RULE_SET_DST_PORT = 95, RULE_SET_TOS = 96,
                   RULE_SET_LOG_LEVEL = 97, RULE_EXPECT_PROXY = 98, RULE_SET_RETRIES = 89,
                   RULE_LATER = 0xff };
/* Actions from this one on do something, and the next rule is asked. */
#define RULE_GOES_ON 64
#define RULE_ALWAYS 1u
#define RULE_UNLESS 2u
#define TERM_NOT 1u
#define TERM_ENDS 2u
#define TEST_NO_CASE 1u

enum rule_fetch {
    FETCH_ALWAYS_TRUE = 0,
    FETCH_ALWAYS_FALSE = 1,
    FETCH_WAIT_END = 2,
    FETCH_SRC = 3,
    FETCH_SRC_PORT = 4,
    FETCH_DST = 5,
    FETCH_DST_PORT = 6,
    FETCH_LENGTH = 7,
    FETCH_PAYLOAD = 8,
    FETCH_HELLO_TYPE = 9,
    FETCH_HELLO_VERSION = 10,
    FETCH_HELLO_SNI = 11,
    FETCH_HELLO_ALPN = 12,
    FETCH_BACKEND_SERVERS = 13,
    FETCH_BACKEND_SESSIONS = 14,
    FETCH_BACKEND_FREE = 15,
    FETCH_BACKEND_QUEUE = 16,
    FETCH_BACKEND_QUEUE_EACH = 17,
    FETCH_FRONTEND_SESSIONS = 18,
    FETCH_SERVER_UP = 19,
    FETCH_SERVER_SESSIONS = 20,
    FETCH_SERVER_QUEUE = 21,
    FETCH_TEXT = 100, /* constants: offset and size, a number of 64 bits, offset and family */
    FETCH_NUMBER = 101,
    FETCH_ADDRESS = 102,
    FETCH_RDP_COOKIE = 110, /* offset and size of its name */
    FETCH_RDP_COUNT = 111,
    FETCH_PAYLOAD_LV = 112, /* where the length is, and how wide; where the text is, twice that, odd if relative */
    FETCH_VAR = 120, /* its number; offset of a plan_name pair that stands in for it, or NO_INDEX */
    FETCH_HEADER_RECEIVED = 140, /* a PROXY header; what a field of it says, of any type, or of these two */
    FETCH_HEADER_FIELD = 141,
    FETCH_HEADER_AUTHORITY = 142,
    FETCH_HEADER_UNIQUE_ID = 143,
    FETCH_CLIENT_TCP = 150, /* of the kernel's struct tcp_info: which 32-bit word, and what it is divided by */
    FETCH_SERVER_TCP = 151,
    FETCH_SERVER_SOURCE = 152, /* our end towards the server, and the server's */
    FETCH_SERVER_SOURCE_PORT = 153,
    FETCH_SERVER_ADDRESS = 154,
    FETCH_SERVER_PORT = 155,
    FETCH_REDISPATCHED = 156,
    FETCH_SHOWN = 157, /* PIECE_…: what log lines show of a session, as it is now */
    FETCH_FRONTEND_ID = 160, /* up to 198: surroundings.pxi */
    FETCH_FRONTEND_NAME = 161,
    FETCH_FRONTEND_DEFAULT = 162,
    FETCH_BACKEND_ID = 163,
    FETCH_BACKEND_NAME = 164,
    FETCH_SERVER_ID = 165,
    FETCH_SERVER_NAME = 166,
    FETCH_SOCKET_ID = 167,
    FETCH_SOCKET_NAME = 168,
    FETCH_IS_LOCAL = 169, /* the client's address; with 1 the one that it connected to */
    FETCH_PROCESS_SESSIONS = 170,
    FETCH_BACKEND_SLOTS = 171,
    FETCH_SERVER_WEIGHT = 172,
    FETCH_SERVER_SAID_WEIGHT = 173,
    FETCH_SERVER_FREE = 174,
    FETCH_FRONTEND_RATE = 175,
    FETCH_BACKEND_RATE = 176,
    FETCH_SERVER_RATE = 177,
    FETCH_LAST_RULE_FILE = 178,
    FETCH_LAST_RULE_LINE = 179,
    FETCH_NOTHING = 180,
    FETCH_PID = 181,
    FETCH_THREAD = 182,
    FETCH_STOPPING = 183,
    FETCH_UPTIME = 184,
    FETCH_DATE = 185, /* what is added, as 64 bits */
    FETCH_DATE_IN_MS = 186,
    FETCH_DATE_IN_US = 187,
    FETCH_DATE_US = 188,
    FETCH_RAND = 189, /* as 64 bits, how many numbers there are */
    FETCH_UUID = 190,
    FETCH_PRIORITY_CLASS = 191,
    FETCH_PRIORITY_OFFSET = 192,
    FETCH_CLIENT_MS = 193,
    FETCH_SERVER_MS = 194,
    FETCH_TUNNEL_MS = 195,
    FETCH_CONNECT_MS = 196,
    FETCH_QUEUE_MS = 197,
    FETCH_RETRIES = 198,
};

/* Variables: 4 times their number, and the scope. */
#define VAR_SCOPE 3u
enum var_scope { VAR_SESS = 0, VAR_TXN = 1, VAR_REQ = 2, VAR_RES = 3 };
#define VAR_IF_EXISTS 1u
#define VAR_IF_NOT_EXISTS 2u
#define VAR_IF_EMPTY 4u
#define VAR_IF_NOT_EMPTY 8u
#define VAR_IF_GREATER 16u
#define VAR_IF_LESS 32u
#define VAR_CAPTURE_SHIFT 16 /* above it, CAPTURE has the most bytes it keeps */

/* Of what the server sends: the number of the fetch that looks at the client's bytes in the same way, and this. */
#define FETCH_OF_ANSWER 0x100u

enum rule_match {
    MATCH_FOUND = 0,
    MATCH_BOOL = 1,
    MATCH_INT = 2,
    MATCH_LEN = 3,
    MATCH_IP = 4,
    MATCH_STR = 5,
    MATCH_BEG = 6,
    MATCH_END = 7,
    MATCH_SUB = 8,
    MATCH_DIR = 9,
    MATCH_DOM = 10,
    MATCH_REG = 11,
};

enum rule_convert {
    CONVERT_LOWER = 0,
    CONVERT_UPPER = 1,
    CONVERT_IPMASK = 2,
    CONVERT_MAP = 3,
    CONVERT_FIELD = 4,
    CONVERT_WORD = 5,
    CONVERT_TO_TEXT = 20, /* what a sample becomes by itself */
    CONVERT_TO_BYTES = 21,
    CONVERT_TO_NUMBER = 22,
    CONVERT_TO_ADDRESS = 23,
    CONVERT_ADD = 30,
    CONVERT_SUB = 31,
    CONVERT_MUL = 32,
    CONVERT_DIV = 33,
    CONVERT_MOD = 34,
    CONVERT_AND = 35,
    CONVERT_OR = 36,
    CONVERT_XOR = 37,
    CONVERT_CPL = 38,
    CONVERT_NEG = 39,
    CONVERT_NOT = 40,
    CONVERT_BOOL = 41,
    CONVERT_EVEN = 42,
    CONVERT_ODD = 43,
    CONVERT_HTONL = 44,
    CONVERT_IIF = 45,
    CONVERT_LTIME = 46,
    CONVERT_UTIME = 47,
    CONVERT_LENGTH = 50,
    CONVERT_CONCAT = 51,
    CONVERT_LTRIM = 52,
    CONVERT_RTRIM = 53,
    CONVERT_REVERSE = 54,
    CONVERT_CUT_CRLF = 55,
    CONVERT_URL_DEC = 56,
    CONVERT_REGSUB = 57,
    CONVERT_BYTES = 58,
    CONVERT_HEX = 60,
    CONVERT_HEX2I = 61,
    CONVERT_BASE64 = 62,
    CONVERT_B64DEC = 63,
    CONVERT_UB64ENC = 64,
    CONVERT_UB64DEC = 65,
    CONVERT_BE2DEC = 66,
    CONVERT_BE2HEX = 67,
    CONVERT_CRC32 = 70,
    CONVERT_CRC32C = 71,
    CONVERT_DJB2 = 72,
    CONVERT_SDBM = 73,
    CONVERT_WT6 = 74,
    CONVERT_XXH32 = 75,
    CONVERT_XXH64 = 76,
    CONVERT_MQTT_IS_VALID = 90,
    CONVERT_MQTT_FIELD_VALUE = 91,
    CONVERT_FIX_IS_VALID = 92,
    CONVERT_FIX_TAG_VALUE = 93,
    CONVERT_STRCMP = 100,
    CONVERT_SECURE_MEMCMP = 101,
    CONVERT_MS_LTIME = 102,
    CONVERT_MS_UTIME = 103,
    CONVERT_US_LTIME = 104,
    CONVERT_US_UTIME = 105,
    CONVERT_NBSRV = 106,
    CONVERT_SRV_IS_UP = 107,
    CONVERT_SRV_QUEUE = 108,
    CONVERT_SHA1 = 109,
    CONVERT_SHA2 = 110,
    CONVERT_JSON = 111,
    CONVERT_URL_ENC = 112,
    CONVERT_REVERSE_DOM = 113,
    CONVERT_LE2DEC = 114,
};

/* Of regular expressions, as fastlb/rules/regex.py and regextree.py have them. */
enum regex_step { STEP_BYTE = 0, STEP_SET = 1, STEP_JUMP = 2, STEP_SPLIT = 3, STEP_AT = 4, STEP_SAVE = 5, STEP_MATCH = 6 };
enum regex_place {
    PLACE_START = 0,
    PLACE_END = 1,
    PLACE_END_OR_NEWLINE = 2,
    PLACE_LINE_START = 3,
    PLACE_LINE_END = 4,
    PLACE_WORD_EDGE = 5,
    PLACE_NO_WORD_EDGE = 6,
};
#define REGEX_ANCHORED 1u

/* Consecutive rules. */
struct rule_set {
    uint32_t offset;
    uint32_t count;
};

/* The table begins with this. */
struct rule_head {
    uint32_t backends; /* rule_names: of each backend its number */
    uint32_t servers; /* rule_names: of each "backend/server" its number, where a rule makes such a name; or 0 */
};

struct rule {
    uint32_t action;
    uint32_t flags;
    uint32_t terms;
    uint32_t term_count;
    uint32_t argument; /* USE: number of the backend or server; USE_NAMED: offset of the pieces of a name; else of what it does */
    uint32_t piece_count;
    uint32_t file; /* where it stands: a plan_name pair within the table */
    uint32_t line;
};

struct rule_term {
    uint32_t flags;
    uint32_t tests;
    uint32_t test_count;
    uint32_t unused;
};

struct rule_sample {
    uint32_t fetch;
    uint32_t first; /* arguments of the fetch: offset and length, or a number of the plan */
    uint32_t second;
    uint32_t converters;
    uint32_t converter_count;
};

struct rule_test {
    struct rule_sample sample;
    uint32_t match;
    uint32_t flags;
    uint32_t values; /* rule_names, rule_integers or rule_networks, as `match` says; of rule_regex for REG */
};

struct rule_converter {
    uint32_t kind;
    uint32_t match;
    uint32_t values; /* a map: its keys, whose values are offsets of plan_name pairs within the table; a rule_regex;
                        the number of a variable that is an argument, or NO_INDEX */
    uint32_t first; /* bits of a mask; which part of a text, from its end where it is negative; any number's lower half */
    uint32_t second;
    uint32_t text; /* for a key that the map lacks, or NO_INDEX; or the delimiters, or what is put in; or a variable, too */
    uint32_t text_size;
    uint32_t unused;
};

/* What a rule sets: a variable, or what its action says. */
struct rule_assign {
    uint32_t number; /* of the variable; of TOS and LOG_LEVEL the value itself: 1 and above is a level, 9 silence */
    uint32_t flags; /* VAR_IF_… */
    uint32_t pieces; /* SET_FORMAT */
    uint32_t piece_count;
    struct rule_sample sample; /* of all that take one */
};

/* Of a name made at run time: text, or what a sample gives. */
struct rule_piece {
    uint32_t text;
    uint32_t size;
    uint32_t is_sample;
    struct rule_sample sample;
};

/* Texts. For STR, BEG and END they are sorted (those of END reversed), and `parent` is the longest other one that a
 * text begins with, or NO_INDEX: so the longest that a sample begins with is found by halving. */
struct rule_names {
    uint32_t count;
    uint32_t entries;
};

struct rule_name {
    uint32_t text;
    uint32_t size;
    uint32_t parent;
    uint32_t value;
};

/* A regular expression: steps, of which the first is where to begin. A set of bytes is 256 bits, the lowest first. */
struct rule_step {
    uint32_t op;
    uint32_t first; /* a byte, the offset of a set, a place, a number, or a step */
    uint32_t second;
};

struct rule_regex {
    uint32_t count;
    uint32_t steps;
    uint32_t firsts; /* a set: what a match begins with; or NO_INDEX where it may be empty */
    uint32_t flags;
    uint32_t value;
    uint32_t unused;
};

/* Segments in ascending order, each up to the next one's start; NO_INDEX is the value of those that are gaps. */
struct rule_integers {
    uint32_t count;
    uint32_t entries;
};

struct rule_integer {
    int64_t start;
    uint32_t value;
    uint32_t unused;
};

struct rule_networks {
    uint32_t v4_count;
    uint32_t v4_entries;
    uint32_t v6_count;
    uint32_t v6_entries;
};

struct rule_v4 {
    uint32_t start;
    uint32_t value;
};

struct rule_v6 {
    uint64_t high;
    uint64_t low;
    uint32_t value;
    uint32_t unused;
};

_Static_assert(sizeof(struct rule) == 32, "fastlb/rules/compiler.py");
_Static_assert(sizeof(struct rule_term) == 16, "fastlb/rules/compiler.py");
_Static_assert(sizeof(struct rule_test) == 32, "fastlb/rules/samples.py");
_Static_assert(sizeof(struct rule_converter) == 32, "fastlb/rules/samples.py");
_Static_assert(sizeof(struct rule_piece) == 32, "fastlb/rules/compiler.py");
_Static_assert(sizeof(struct rule_step) == 12, "fastlb/rules/table.py");
_Static_assert(sizeof(struct rule_regex) == 24, "fastlb/rules/table.py");
_Static_assert(sizeof(struct rule_name) == 16, "fastlb/rules/table.py");
_Static_assert(sizeof(struct rule_integer) == 16, "fastlb/rules/table.py");
_Static_assert(sizeof(struct rule_v6) == 24, "fastlb/rules/table.py");

#endif
