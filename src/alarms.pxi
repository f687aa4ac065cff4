# What workers tell of servers with passive checks, read by the master.


def alarms(Shm shm):
    """How many alarms there were, of all servers together: whether it is worth asking for each."""
    shm.check(0, MAX_SERVERS_C)
    return load_relaxed(&shm.shared.alarms)


def server_alarms(Shm shm, slots):
    """How often the failed connections in a row reached the limit of each of these servers, modulo 2**32.

    IndexError for no slot.
    """
    found = []
    for slot in slots:
        shm.check(slot, MAX_SERVERS_C)
        found.append(load32_relaxed(&shm.shared.servers[<uint32_t>slot].alarms))
    return found


def forget_errors(Shm shm, slot):
    """A check has passed: the row of failed connections ends. IndexError for no slot."""
    shm.check(slot, MAX_SERVERS_C)
    store32_relaxed(&shm.shared.servers[<uint32_t>slot].errors, 0)
