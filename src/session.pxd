# The types of the data plane and their invariants. Bodies are in the .pxi files, one idea each.
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from layout cimport (
    backend_control, backend_row, backend_shared, frontend_row, kernel_entry, server_row, shm_control, shm_shared,
    worker_row,
)
from linux cimport epoll_event
from plan cimport plan_backend, plan_bind, plan_frontend, plan_header, plan_server
from rules cimport rule_t
from table cimport tables_t

# ---- an end of a session: one socket -------------------------------------------------------------------------
# The flags are what epoll has reported and no call has disproved since (edge-triggered: only a real "would block"
# clears READABLE or WRITABLE).
cdef enum:
    END_READABLE = 1
    END_WRITABLE = 2
    END_FIN = 4        # the peer's FIN is in the receive queue, behind all its data
    END_ERROR = 8      # EPOLLERR was reported: a read will tell which error, after the data before it
    END_URGENT = 16    # an urgent mark may cut reads short: a short read is then no proof of an empty queue
    END_DEAD = 32      # a call failed for good; never read from or written to again
    END_UNIX = 64      # no RST, no TCP options
    END_FIN_READ = 128  # the FIN has been consumed: this end's peer sends nothing more
    END_FIN_FIRST = 256  # our FIN left before one had come: closing leaves TIME_WAIT on our port

ctypedef struct end_t:
    int fd
    uint32_t flags

# ---- a flow: the bytes of one direction ----------------------------------------------------------------------
#   OPEN --EOF or error at the source--> DRAINING --nothing pending--> SHUT
# `pending` bytes were received and not yet sent: all of them in the pipe, or all of them in the buffer.
cdef enum:
    FLOW_OPEN = 0
    FLOW_DRAINING = 1
    FLOW_SHUT = 2

cdef enum:
    MOVER_COPY = 0
    MOVER_SPLICE = 1

ctypedef struct flow_t:
    uint8_t state
    uint8_t mover
    uint8_t small_splices  # in a row
    int32_t pipe          # index in the pool, or -1
    uint32_t pending
    uint32_t buffer_at
    uint8_t *buffer       # what a partial send left, allocated to measure, or NULL
    uint64_t received
    uint64_t sent

# ---- a session ------------------------------------------------------------------------------------------------
#   FREE -> ACCEPTED [-> INSPECTING -> ACCEPTED] -> QUEUED -> CONNECTING -> ESTABLISHED -> LINGERING -> FREE
#              |           ^        |   ^
#              +-----------+--------+   |          CONNECTING -> WAITING -> CONNECTING: the pause before a retry
#   FREE -> HEADER -> ACCEPTED: where a client must begin with a PROXY header
# session_close() is the only way to FREE, from every state.
cdef enum:
    SESSION_FREE = 0
    SESSION_HEADER = 1
    SESSION_ACCEPTED = 2
    SESSION_QUEUED = 3
    SESSION_WAITING = 4
    SESSION_CONNECTING = 5
    SESSION_ESTABLISHED = 6
    SESSION_LINGERING = 7
    SESSION_INSPECTING = 8

# What the rules have still to decide of a session: one after the other. RULES_PINNED: they chose its server.
# RULES_ANSWER: it is established, and they look at what the server sends.
cdef enum:
    RULES_FRONTEND = 1
    RULES_BACKEND = 2
    RULES_PINNED = 3
    RULES_ANSWER = 4

ctypedef struct plan_t:
    plan_header *header   # NULL while free
    uint64_t bytes
    uint32_t references   # sessions and listeners that point into it, and one while it is the current plan
    plan_t *next

ctypedef struct session_t:
    uint8_t state
    uint8_t ready         # in the ready list
    uint8_t cause
    uint8_t redispatched
    uint16_t attempts     # connects begun
    uint8_t kernel        # KERNEL_… bits; 0 unless the kernel forwards for it
    uint8_t exchanges     # small turns in a row, before that
    uint32_t generation   # changes with each use of this slot
    end_t client
    end_t server
    uint8_t rules         # RULES_…; 0 where no rule is to be asked any more
    uint8_t tracked       # a bit for each of cold_t.tracks that it holds
    flow_t up             # client -> server
    flow_t down           # server -> client
    uint64_t active_ms    # last progress of bytes, either way
    # Of the state, for states that have one of their own; else when keep-alive is due, or a look at the kernel's work.
    uint64_t deadline_ms
    uint32_t timer_tick   # slot of the wheel, or NO_INDEX
    uint32_t timer_previous
    uint32_t timer_next
    uint32_t ready_next
    plan_t *plan
    plan_frontend *frontend
    plan_backend *backend  # NULL until one is chosen
    plan_server *target   # NULL until one is chosen; its load is then claimed

ctypedef struct address_t:
    uint16_t family       # 0: not known
    uint16_t port
    uint8_t bytes[16]

# The addresses of a PROXY header; both are of one family.
ctypedef struct endpoints_t:
    uint16_t family       # AF_INET, AF_INET6, or 0 when it names none
    uint16_t source_port
    uint16_t destination_port
    uint16_t fields_at    # where the fields of a header of version 2 begin; 0 where it names no addresses
    uint8_t source[16]
    uint8_t destination[16]

# What a client's PROXY header says. Used by sessions that must begin with one, and untouched by the others.
ctypedef struct header_t:
    endpoints_t said
    uint16_t left         # bytes of a complete header that are still in the socket's queue
    uint16_t fields_size
    uint8_t *fields       # those that are kept, or NULL

# A variable that rules have set; its text stands behind it.
ctypedef struct var_t:
    uint32_t number
    uint32_t size
    uint8_t kind          # VALUE_…
    uint16_t family
    uint8_t address[16]
    int64_t value

# All of a session, one after the other behind this.
ctypedef struct vars_t:
    uint32_t used         # bytes
    uint32_t room
# An entry of a stick table that counts this connection.
ctypedef struct track_t:
    uint32_t slot         # of the table
    uint32_t number       # of the entry; 0: nothing is tracked

# What is not touched while bytes move.
ctypedef struct cold_t:
    uint64_t accepted_us
    uint64_t accepted_real_us
    uint64_t assigned_us  # a server was chosen (0: never)
    uint64_t attempt_us   # the latest connect began
    uint64_t connected_us
    uint64_t queued_us
    uint64_t ticket
    uint64_t outq_bytes   # last look at the send queue while lingering
    uint32_t queue_previous
    uint32_t queue_next
    uint32_t queue        # index of the queue it waits in, or NO_INDEX
    uint32_t queue_position
    uint8_t queue_on_server
    uint32_t linger_ms    # pause until the next look
    plan_bind *bind       # where it was accepted
    uint64_t cut_order    # the latest that had been noticed when the server was chosen
    plan_server *avoid    # the server that failed, for a redispatch
    plan_server *pinned   # the server that a rule chose
    uint8_t retries       # 1 + those that a rule has set; 0: the backend's
    uint8_t forced        # "force-persist": that one is right though it is down, and no other is tried
    vars_t *vars          # NULL until a rule sets one
    int16_t priority_class  # in the queue: lower ones first, whenever they came
    int32_t priority_offset_ms  # … as if it had come so much later
    uint8_t log_level     # 1 + the level of its line; 0 as usual; LOG_SILENT none
    uint8_t renamed       # a rule has changed the client's address
    uint32_t inspected_bytes  # that the client had sent at the last look
    uint16_t client_family
    uint16_t client_port
    uint8_t client_address[16]
    address_t source      # of our end towards the server, where a log line shows it
    uint64_t number       # of the session, where a log line shows it
    uint8_t logged        # its line has been written
    uint16_t header_bytes  # of a PROXY header, sent to the server by this attempt
    uint8_t *made         # that header, where a part of it has left and another making might differ; or NULL
    char *unique_id       # once somebody has asked for it, or NULL
    const rule_t *last_rule  # the content rule that has decided, or NULL
    uint64_t rules_acted  # a bit for each content rule that has counted while another one waits for more bytes
    uint64_t stick_stores  # a bit for each "stick" rule of the backend that stores, once a server is connected
    track_t tracks[3]
    uint8_t headed        # it begins with a PROXY header, whose fields are kept where the bind says so
    uint8_t declared      # the client's address is its PROXY header's, and where it connected to stands there, too

# ---- the kernel as the mover (kernel.pxi) ---------------------------------------------------------------------
cdef enum:
    KERNEL_UP = 1         # the program decides about what the client sends
    KERNEL_DOWN = 2       # … and the server
    KERNEL_QUIET = 4      # epoll reports FIN and errors only

# One direction, beside its entry. `read` bytes of the entry's `passed` were received by the worker.
ctypedef struct kernel_side_t:
    uint64_t cookie
    uint64_t base         # bytes the sink had been given before the promotion
    uint64_t read
    uint64_t received     # of the entry's `used`, already counted
    uint64_t sent         # of these, in the sink's send queue or beyond
    uint64_t mark_used    # at the last grant
    uint64_t mark_cost
    uint8_t held          # small reads still wanted before the kernel goes on
    uint8_t failed        # a read has eaten the source's error; what the program left may still come
    uint8_t looks         # in a row that found bytes still on their way

ctypedef struct kernel_t:
    kernel_entry *entries
    uint64_t entries_bytes
    kernel_side_t *sides
    uint32_t slots        # sessions with a lower index can be promoted
    int cookies           # map: socket cookie -> entry
    int sinks             # map: entry -> socket to redirect to
    int sources           # map: entry -> socket whose segments the program sees
    int ring_fd
    uint64_t ring_bytes
    uint64_t *consumed
    uint64_t *produced
    uint8_t *ring

# ---- pools ---------------------------------------------------------------------------------------------------
ctypedef struct pipe_t:
    int reader
    int writer

# A pool of pipes: `idle` holds the indices of the open, empty ones (the last one first), `free` the unused indices.
ctypedef struct pipe_pool_t:
    pipe_t *pipes
    uint32_t *idle
    uint32_t *free
    uint32_t capacity
    uint32_t limit        # of those that may be open
    uint32_t pipe_bytes   # that each shall hold; 0: as pipe_open() likes
    uint32_t idle_count
    uint32_t free_count
    uint32_t open_count

ctypedef struct listener_t:
    int fd
    uint32_t socket_id
    uint8_t used
    uint8_t shared
    uint8_t serving       # to be accepted from
    uint8_t polled        # in the epoll set
    uint8_t keep          # named by the running serve()
    uint16_t batch        # accepts to try at the next readiness
    uint64_t turn         # of the loop in which it was last ready
    plan_t *plan
    plan_frontend *frontend
    plan_bind *bind

# What the kernel says of a connection: the first words of its struct tcp_info (linux/tcp.h).
ctypedef struct tcp_state_t:
    uint32_t known        # how many there are; 0: it is no connection, or not of TCP
    uint32_t words[24]

# A log line in the making.
ctypedef struct line_t:
    char *at
    char *end
    uint64_t number       # of the line, where it is shown
    uint8_t grows         # total time and bytes may still do so
    uint8_t raw           # no line of a log: what a client has said stays as it is

# ---- a worker ------------------------------------------------------------------------------------------------
cdef enum:
    WHEEL_SLOTS = 4096
    WHEEL_TICK_MS = 8
    EVENT_BATCH = 256
    COPY_BYTES = 65536
    SPLICE_BYTES = 262144
    ACCEPT_BATCH = 64

ctypedef struct worker_t:
    shm_control *control
    shm_shared *shared
    uint8_t *rows
    worker_row *row
    uint32_t number
    int epoll
    int control_fd
    int kick_fd
    int master_fd
    int *kick_fds
    uint32_t kick_count
    uint64_t now_us
    uint64_t now_ms
    uint64_t started_us

    session_t *sessions
    cold_t *colds
    header_t *headers
    uint32_t *free_sessions
    uint32_t free_count
    uint32_t session_limit

    uint32_t ready_first
    uint32_t ready_last

    uint32_t wheel[4096]
    uint64_t wheel_bits[64]
    uint64_t wheel_tick   # every slot up to this tick has been served

    uint32_t queue_first[20480]
    uint32_t queue_last[20480]
    uint16_t source_cursors[16384]  # by slot of a server: which port of its range comes next
    uint32_t queued_sessions
    uint8_t queues_dirty  # somebody freed a server: look at the queues

    uint64_t cuts_done    # orders up to this one have been carried out
    uint64_t cuts_going   # orders up to this one have been noticed; the pass over the sessions that goes on is for them
    uint32_t cut_at       # where it goes on

    pipe_pool_t pool
    kernel_t *kernel      # NULL where it is off
    int descriptor_limit
    uint8_t scratch[65536]
    uint8_t converted[16384]  # ROOM_BYTES: what a converter makes of what another one has made

    listener_t *listeners
    uint32_t listener_count
    uint8_t paused        # some listener waits for a limit or a resource
    uint64_t resume_ms

    vars_t *arriving_vars  # of a connection that is no session yet
    uint8_t arriving_header  # a rule wants it to begin with a PROXY header
    tables_t tables
    uint64_t tables_ticked_ms
    track_t arriving[3]   # what a connection tracks before it has become a session
    uint8_t arriving_tracked

    plan_t *plan
    plan_t *plans
    uint8_t draining
    uint8_t busy_polling  # never sleep: ask epoll again and again
    uint64_t logged_ms    # last time the master was told of log lines
    uint8_t log_waiting
    uint64_t random       # state of random_next()
    long log_second       # whose text is in log_date
    char log_date[32]
    address_t log_accepted  # of our end towards the client of the session that is logged
    address_t log_reached  # of its server, or of where its client wanted to go
    tcp_state_t log_tcp[2]  # of the session that is logged, its client's and its server's, if the plan wants LOG_TCP
    char log_text[8192]   # LOG_LINE_BYTES: the line in the making
    epoll_event events[256]


# ---- what rules look at: one connection, at one moment --------------------------------------------------------
ctypedef struct look_t:
    worker_t *w
    plan_t *plan
    plan_frontend *frontend
    plan_bind *bind       # where it was accepted, or NULL
    session_t *session    # NULL before there is one
    int fd
    uint16_t family       # of the client
    uint16_t port
    const uint8_t *address
    const uint8_t *data   # what the client (or the server) has sent so far
    uint32_t size
    vars_t **vars         # where they are, or NULL where there can be none
    uint8_t answer        # `data` is what the server has sent
    uint8_t final         # it sends no more, or may not be waited for
    uint8_t *room         # ROOM_BYTES each: for a ClientHello out of its records, for converted text, for a name
    uint8_t *text_room
    uint8_t *other_room   # in turn with text_room
    uint8_t *name_room
    uint64_t acted        # a bit for each rule that counts, and has
    track_t *tracks       # what the connection tracks, or NULL where nothing can be tracked
    uint8_t *tracked
    uint32_t index        # of its session, present or to be
