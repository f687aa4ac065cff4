# Plan -> one sealed memfd without pointers, as plan.h describes it. Runs in the master.
import os
import socket as _socket
import struct as _struct
from itertools import zip_longest


def _sockaddr(address):
    """The bytes of a struct sockaddr for a plan's Address. ValueError if it has no such form."""
    if address.family == "inet":
        packed = _socket.inet_pton(_socket.AF_INET, address.host)
        return _struct.pack("=H2s4s8x", _socket.AF_INET, _struct.pack("!H", address.port), packed)
    if address.family == "inet6":
        packed = _socket.inet_pton(_socket.AF_INET6, address.host)
        return _struct.pack("=H2sI16sI", _socket.AF_INET6, _struct.pack("!H", address.port), 0, packed, 0)
    if address.family == "unresolved":
        return _struct.pack("=H", 0)  # of a server in maintenance: nobody connects to it
    path = address.name + (b"\0" if address.family == "unix" else b"")
    if len(path) > 108:
        raise ValueError(f"{address}: the path of a unix socket has at most 107 bytes")
    return _struct.pack("=H", _socket.AF_UNIX) + path


def _table(blob, rows):
    """Append rows of equal size at an 8-byte boundary; returns their offset."""
    blob.extend(bytes((8 - len(blob) % 8) % 8))
    offset = len(blob)
    for row in rows:
        blob.extend(row)
    return offset


cdef plan_name _name(names, str text):
    cdef plan_name name
    encoded = text.encode("utf-8", "surrogateescape")
    name.offset = <uint32_t>len(names)
    name.size = <uint32_t>len(encoded)
    names.extend(encoded)
    return name


cdef rule_set _rule_set(found):
    cdef rule_set row
    row.offset, row.count = found
    return row


_ADDRESSES = frozenset(range(PIECE_FRONTEND_IP, PIECE_SERVER_PORT + 1))
_ASKS_NOTHING, _ASKS_TCP = 0, 2  # fastlb/config/ruletree.py
_MOMENTS = (0, LOG_AT_ACCEPT, LOG_AT_CONNECT | LOG_AT_END, LOG_AT_END)


def _log_flags(log, unique_id):
    """LOG_… of a frontend's SessionLog; its unique id is made of pieces, too."""
    pieces = (*log.line, *log.error_line, *log.data)
    if any(piece.kind == PIECE_UNIQUE_ID for piece in pieces):
        pieces += unique_id
    kinds = {piece.kind for piece in pieces}
    asked = {int(piece.sample.asks) for piece in pieces if piece.sample is not None}
    flags = _MOMENTS[log.moment]
    for wanted, flag in (
        (log.error_line, LOG_AT_END),
        (log.dontlognull, LOG_NOT_NULL),
        (log.dontlog_normal, LOG_NOT_NORMAL),
        (log.log_separate_errors, LOG_ERRORS_APART),
        (kinds & _ADDRESSES or asked - {_ASKS_NOTHING}, LOG_ADDRESSES),
        (_ASKS_TCP in asked, LOG_TCP),
        (PIECE_SESSION_NUMBER in kinds | {piece.kind for piece in unique_id}, LOG_NUMBERED),
        (PIECE_LINE_NUMBER in kinds, LOG_COUNTED),
    ):
        flags |= flag if wanted else 0
    return flags


cdef plan_line _line(line, pieces, names):
    # Append the pieces of a line to the table.
    cdef plan_line row
    cdef plan_piece piece
    row.first = <uint32_t>len(pieces)
    row.count = <uint32_t>len(line)
    for part in line:
        piece.kind = part.kind
        piece.flags = part.flags
        piece.text = _name(names, part.text)
        if part.kind == PIECE_VALUE:
            piece.text.offset = part.offset
        pieces.append((<char *>&piece)[:sizeof(piece)])
    return row


cdef bytes _frontend_row(frontend, process, uint32_t slot, bint numbered, pieces, names):
    cdef plan_frontend row
    memset(&row, 0, sizeof(row))
    row.slot = slot
    row.backend = NO_INDEX if frontend.backend < 0 else <uint32_t>frontend.backend
    if frontend.kernel_splice:
        row.flags |= FRONTEND_KERNEL_SPLICE
    if frontend.nolinger:
        row.flags |= FRONTEND_NO_LINGER
    if process.reject_privileged_ports:
        row.flags |= FRONTEND_PORTS_ABOVE_1023
    if frontend.rules.connection.size:
        row.flags |= FRONTEND_CONNECTION_RULES
    if frontend.rules.session.size:
        row.flags |= FRONTEND_SESSION_RULES
    if frontend.rules.needed:
        row.flags |= FRONTEND_RULES
    if frontend.rated:
        row.flags |= FRONTEND_RATED
    row.inspect_ms = frontend.rules.inspect_ms
    row.own_backend = NO_INDEX if frontend.rules.own_backend < 0 else <uint32_t>frontend.rules.own_backend
    row.connection_rules = _rule_set(frontend.rules.connection)
    row.session_rules = _rule_set(frontend.rules.session)
    row.content_rules = _rule_set(frontend.rules.content)
    row.backend_rules = _rule_set(frontend.rules.backends)
    row.switch_rules = _rule_set(frontend.rules.switches)
    row.client_ms = frontend.client_ms
    row.client_fin_ms = frontend.client_fin_ms
    row.log = _log_flags(frontend.session_log, frontend.unique_id) | (LOG_NUMBERED if numbered else 0)
    row.unique_id = _line(frontend.unique_id, pieces, names)
    row.line = _line(frontend.session_log.line, pieces, names)
    row.error_line = _line(frontend.session_log.error_line, pieces, names)
    row.data = _line(frontend.session_log.data, pieces, names)
    row.client_hs_ms = frontend.client_hs_ms or frontend.client_ms
    row.name = _name(names, frontend.name)
    row.id = frontend.number
    return (<char *>&row)[:sizeof(row)]


cdef plan_hash _hash(hashing, uint32_t sample):
    cdef plan_hash row
    memset(&row, 0, sizeof(row))
    row.fetch = int(hashing.fetch)
    row.function = int(hashing.function)
    row.factor = hashing.factor
    row.affinity = int(hashing.affinity)
    row.sample = sample
    row.flags = HASH_AVALANCHE if hashing.avalanche else 0
    row.flags |= HASH_OR_NOTHING if hashing.or_nothing else 0
    if hashing.mask4 is not None:
        row.flags |= HASH_MASK
        memcpy(&row.mask4[0], <const char *>hashing.mask4, 4)
    if hashing.mask6 is not None:
        row.flags |= HASH_MASK6
        memcpy(&row.mask6[0], <const char *>hashing.mask6, 16)
    return row


cdef bytes _backend_row(backend, uint32_t slot, names):
    cdef plan_backend row
    memset(&row, 0, sizeof(row))
    row.slot = slot
    row.balance = int(backend.balance)
    row.first_server = backend.first_server
    row.server_count = backend.server_count
    row.connect_ms = backend.connect_ms
    row.server_ms = backend.server_ms
    row.server_fin_ms = backend.server_fin_ms
    row.tunnel_ms = backend.tunnel_ms
    row.queue_ms = backend.queue_ms
    row.retries = backend.retries
    row.redispatch = backend.redispatch
    if backend.keepalive is not None:
        row.keepalive_idle_s = backend.keepalive.idle_s
        row.keepalive_interval_s = backend.keepalive.interval_s
        row.keepalive_count = backend.keepalive.count
    row.flags = BACKEND_KERNEL_SPLICE if backend.kernel_splice else 0
    row.draws = backend.draws
    row.hash = _hash(backend.hashing, backend.rules.hashed)
    row.flags |= BACKEND_ALL_BACKUPS if backend.allbackups else 0
    row.flags |= BACKEND_PRIORITIES if backend.rules.priorities else 0
    row.flags |= BACKEND_NO_LINGER if backend.nolinger else 0
    row.flags |= BACKEND_ABORT_ON_CLOSE if backend.abortonclose else 0
    row.flags |= BACKEND_PERSIST_DOWN if backend.persist_down else 0
    row.flags |= BACKEND_UNPUBLISHED if backend.unpublished else 0
    row.flags |= BACKEND_RATED if backend.rated else 0
    row.inspect_ms = backend.rules.inspect_ms
    row.content_rules = _rule_set(backend.rules.content)
    row.server_rules = _rule_set(backend.rules.servers)
    row.answer_ms = backend.rules.answer_ms
    row.answer_rules = _rule_set(backend.rules.answer)
    row.cookie.offset, row.cookie.size = backend.rules.cookie
    row.stick_rules = _rule_set(backend.rules.sticks)
    row.force_rules = _rule_set(backend.rules.forces)
    row.store_rules = _rule_set(backend.rules.stores)
    row.name = _name(names, backend.name)
    row.id = backend.number
    return (<char *>&row)[:sizeof(row)]


cdef int _source_row(plan_source *row, source) except -1:
    cdef bytes address = _sockaddr(source.address)
    cdef bytes device = os.fsencode(source.interface or "")
    row.first_port = source.address.port
    row.port_count = source.ports
    row.usesrc = {"": USESRC_NONE, "address": USESRC_ADDRESS, "clientip": USESRC_CLIENTIP, "client": USESRC_CLIENT}[
        source.usesrc]
    if source.address.port or source.address.host not in ("0.0.0.0", "::"):
        row.address_size = <uint32_t>len(address)
        memcpy(&row.address[0], <const char *>address, len(address))
    memcpy(&row.interface[0], <const char *>device, min(len(device), 15))
    return 0


cdef uint32_t _send_proxy(server):
    flags = SEND_PROXY_V2 if server.proxy_version == 2 else SEND_PROXY_V1 if server.proxy_version else 0
    for said, flag in (
        (server.proxy_crc32c, SEND_PROXY_CRC32C),
        (server.proxy_authority, SEND_PROXY_AUTHORITY),
        (server.proxy_unique_id, SEND_PROXY_UNIQUE_ID),
        (server.proxy_fields, SEND_PROXY_FIELDS),
    ):
        flags |= flag if said and flags else 0
    return flags


cdef bytes _field_row(field, pieces, names):
    cdef plan_field row
    row.kind = field.kind
    row.line = _line(field.line, pieces, names)
    return (<char *>&row)[:sizeof(row)]


cdef bytes _server_row(server, plan, uint32_t slot, fields, pieces, names):
    cdef plan_server row
    cdef bytes address = _sockaddr(server.address)
    cdef bytes congestion = os.fsencode(server.congestion or "")
    memset(&row, 0, sizeof(row))
    row.slot = slot
    row.backend = server.backend
    row.send_proxy = _send_proxy(server)
    row.error_limit = server.check.observe.limit if server.check and server.check.observe else 0
    row.fields = <uint32_t>len(fields)
    row.field_count = <uint32_t>len(server.proxy_fields)
    fields.extend([_field_row(field, pieces, names) for field in server.proxy_fields])
    row.backup = server.backup
    row.id = server.id
    row.weight = server.weight
    row.rated = server.rated
    row.non_stick = server.non_stick
    row.address_size = <uint32_t>len(address)
    memcpy(&row.address[0], <const char *>address, len(address))
    row.name = _name(names, server.name)
    if server.source is not None:
        row.flags |= SERVER_SOURCE
        _source_row(&row.source, server.source)
    if server.address.host in ("0.0.0.0", "::"):
        row.flags |= SERVER_CLIENTS_ADDRESS
    if server.port_offset is not None:
        row.flags |= SERVER_CLIENTS_PORT
        row.port_offset = server.port_offset
    if plan.backends[server.backend].tcp_smart_connect:
        row.flags |= SERVER_SMART_CONNECT
    if plan.process.server_rcvbuf or plan.process.server_sndbuf:
        row.flags |= SERVER_BUFFERS
    if server.md5_key:
        row.flags |= SERVER_SIGNED
        row.md5_key = _name(names, server.md5_key)
    if server.congestion is not None:
        row.flags |= SERVER_CONGESTION
        memcpy(&row.congestion[0], <const char *>congestion, min(len(congestion), 15))
    if server.user_timeout_ms:
        row.flags |= SERVER_USER_TIMEOUT
        row.user_timeout_ms = server.user_timeout_ms
    return (<char *>&row)[:sizeof(row)]


cdef bytes _bind_row(bind, slot, names):
    cdef plan_bind row
    row.frontend = bind.frontend
    row.slot = NO_INDEX if slot is None else <uint32_t>slot
    row.flags = (BIND_ACCEPT_PROXY if bind.accept_proxy else 0) | (BIND_KEEPS_FIELDS if bind.keeps_fields else 0)
    row.name = _name(names, bind.label)
    row.said = _name(names, bind.name or "")
    row.id = bind.number
    return (<char *>&row)[:sizeof(row)]


def _slot_table(slots):
    """Slot of a server -> its index, as u32 each."""
    table = [NO_INDEX] * (max(slots, default=-1) + 1)
    for index, slot in enumerate(slots):
        table[slot] = index
    return [_struct.pack("=I", entry) for entry in table]


def _sealed(bytes blob):
    """A read-only memfd with these bytes."""
    cdef int fd = memfd_create(b"fastlb-plan", MFD_CLOEXEC | MFD_ALLOW_SEALING)
    if fd == -1:
        raise OSError(errno, os.strerror(errno))
    try:
        view = memoryview(blob)
        while view:
            view = view[os.write(fd, view):]
        if fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == -1:
            raise OSError(errno, os.strerror(errno))
    except BaseException:
        os.close(fd)
        raise
    return fd


def compile_plan(plan, generation, frontend_slots, backend_slots, server_slots, bind_slots=(), table_slots=()):
    """Compile a Plan into a sealed memfd and return its descriptor (the caller's to close).

    ``*_slots`` give the slot of each frontend, backend, server and stick table of the plan, in its order;
    ``bind_slots`` that of a frontend, or None, for each bind, unless none of them limits its connections. OSError when
    the memfd cannot be made, ValueError for an address that has no socket form.
    """
    cdef plan_header head
    blob = bytearray(sizeof(plan_header))
    pieces, fields = [], []
    names = bytearray()
    numbered = any(p.kind == PIECE_SESSION_NUMBER for s in plan.servers for f in s.proxy_fields for p in f.line)
    memset(&head, 0, sizeof(head))
    head.magic = PLAN_MAGIC
    head.version = LAYOUT_VERSION_C
    head.generation = generation
    head.bind_count = <uint32_t>len(plan.binds)
    head.bind_offset = _table(
        blob, [_bind_row(b, slot, names) for b, slot in zip_longest(plan.binds, bind_slots)])
    head.frontend_count = <uint32_t>len(plan.frontends)
    head.frontend_offset = _table(
        blob, [
            _frontend_row(f, plan.process, slot, numbered, pieces, names)
            for f, slot in zip(plan.frontends, frontend_slots, strict=True)])
    head.backend_count = <uint32_t>len(plan.backends)
    head.backend_offset = _table(
        blob, [_backend_row(b, slot, names) for b, slot in zip(plan.backends, backend_slots, strict=True)])
    head.server_count = <uint32_t>len(plan.servers)
    head.server_offset = _table(
        blob, [
            _server_row(s, plan, slot, fields, pieces, names)
            for s, slot in zip(plan.servers, server_slots, strict=True)])
    head.slot_count = <uint32_t>(max(server_slots, default=-1) + 1)
    head.slot_offset = _table(blob, _slot_table(server_slots))
    head.piece_count = <uint32_t>len(pieces)
    head.piece_offset = _table(blob, pieces)
    head.field_count = <uint32_t>len(fields)
    head.field_offset = _table(blob, fields)
    head.names_bytes = <uint32_t>len(names)
    head.names_offset = _table(blob, [names])
    head.rules_bytes = <uint32_t>len(plan.rules)
    head.rules_offset = _table(blob, [plan.rules])
    head.server_rcvbuf = plan.process.server_rcvbuf
    head.server_sndbuf = plan.process.server_sndbuf
    head.table_count = <uint32_t>len(plan.tables)
    head.table_offset = _table(
        blob, [_struct.pack("=I", slot) for _, slot in zip(plan.tables, table_slots, strict=True)])
    head.total_bytes = <uint32_t>len(blob)
    blob[:sizeof(plan_header)] = (<char *>&head)[:sizeof(head)]
    return _sealed(bytes(blob))
