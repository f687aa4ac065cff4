# Regular expressions: all ways that a match may go are followed at once, so a byte costs at most as much as there are
# steps, whatever the text is (fastlb/rules/regex.py). The threads stand in the order in which Perl would try them.

cdef enum:
    REGEX_STEPS = 1000
    CAPTURING_STEPS = 250
    CAPTURES = 20          # where the whole match and nine groups begin and end

ctypedef struct regex_todo_t:
    uint16_t step
    uint16_t slot          # CAPTURES, or what to restore
    uint32_t was

ctypedef struct regex_threads_t:
    uint32_t count
    uint16_t steps[REGEX_STEPS]
    uint32_t *captures     # CAPTURES for each, or NULL

ctypedef struct regex_run_t:
    const uint8_t *table
    const rule_regex *regex
    const rule_step *steps
    const uint8_t *text
    uint32_t size
    bint continued         # what comes before the text does not show: "^" is not here
    uint32_t stamp
    uint32_t marks[REGEX_STEPS]
    uint32_t captured[CAPTURES]
    regex_todo_t todo[REGEX_STEPS + CAPTURES]


cdef bint is_word_byte(uint8_t byte) noexcept nogil:
    return c'a' <= byte <= c'z' or c'A' <= byte <= c'Z' or c'0' <= byte <= c'9' or byte == c'_'


cdef bint regex_is_at(const regex_run_t *run, uint32_t place, uint32_t at) noexcept nogil:
    cdef bint before, behind
    if place == PLACE_START:
        return at == 0 and not run.continued
    if place == PLACE_END:
        return at == run.size
    if place == PLACE_END_OR_NEWLINE:
        return at == run.size or (at + 1 == run.size and run.text[at] == c'\n')
    if place == PLACE_LINE_START:
        return run.text[at - 1] == c'\n' if at and at < run.size else at == 0 and not run.continued
    if place == PLACE_LINE_END:
        return at == run.size or run.text[at] == c'\n'
    before = at > 0 and is_word_byte(run.text[at - 1])
    behind = at < run.size and is_word_byte(run.text[at])
    return (before != behind) == (place == PLACE_WORD_EDGE)


cdef bint regex_has(const uint8_t *bytes, uint8_t byte) noexcept nogil:
    return bytes[byte >> 3] >> (byte & 7) & 1


cdef void regex_put(const regex_run_t *run, regex_threads_t *threads, uint16_t step) noexcept nogil:
    if threads.captures != NULL:
        memcpy(threads.captures + CAPTURES * threads.count, run.captured, sizeof(run.captured))
    threads.steps[threads.count] = step
    threads.count += 1


cdef uint32_t regex_remember(regex_run_t *run, uint32_t todo, uint32_t slot, uint32_t at) noexcept nogil:
    # Until what follows has been added.
    run.todo[todo].slot = <uint16_t>slot
    run.todo[todo].was = run.captured[slot]
    run.captured[slot] = at
    return todo + 1


cdef void regex_add(regex_run_t *run, regex_threads_t *threads, uint32_t step, uint32_t at) noexcept nogil:
    # A thread at each step that can be reached from this one without another byte. Who came first stays.
    cdef uint32_t todo = 0
    cdef const rule_step *here
    while True:
        while run.marks[step] != run.stamp:
            run.marks[step] = run.stamp
            here = &run.steps[step]
            if here.op == STEP_SPLIT:
                run.todo[todo].slot = CAPTURES
                run.todo[todo].step = <uint16_t>here.second
                todo += 1
                step = here.first
            elif here.op == STEP_JUMP:
                step = here.first
            elif here.op == STEP_SAVE:
                todo = regex_remember(run, todo, here.first, at)
                step += 1
            elif here.op == STEP_AT and regex_is_at(run, here.first, at):
                step += 1
            elif here.op != STEP_AT:
                regex_put(run, threads, <uint16_t>step)
        while todo and run.todo[todo - 1].slot != CAPTURES:
            todo -= 1
            run.captured[run.todo[todo].slot] = run.todo[todo].was
        if todo == 0:
            return
        todo -= 1
        step = run.todo[todo].step


cdef bint regex_turn(regex_run_t *run, const regex_threads_t *now, regex_threads_t *later, uint32_t at) noexcept nogil:
    # One byte further. True for a match that ends here: worse threads than its own are given up.
    cdef const rule_step *step
    cdef uint32_t i
    later.count = 0
    run.stamp += 1
    for i in range(now.count):
        step = &run.steps[now.steps[i]]
        if now.captures != NULL:
            memcpy(run.captured, now.captures + CAPTURES * i, sizeof(run.captured))
        if step.op == STEP_MATCH:
            return True
        if at == run.size:
            continue
        if run.text[at] == step.first if step.op == STEP_BYTE else regex_has(run.table + step.first, run.text[at]):
            regex_add(run, later, now.steps[i] + 1, at + 1)
    return False


cdef uint32_t regex_skip(const regex_run_t *run, uint32_t at) noexcept nogil:
    # To where a match can begin.
    if run.regex.firsts != NO_INDEX:
        while at < run.size and not regex_has(run.table + run.regex.firsts, run.text[at]):
            at += 1
    return at


cdef bint regex_go(regex_run_t *run, regex_threads_t *now, regex_threads_t *later, uint32_t *match) noexcept nogil:
    # Whether there is a match; the first one, the best of those that begin there, if the threads have captures.
    cdef regex_threads_t *swapped
    cdef uint32_t at = 0
    cdef bint found = False
    memset(run.marks, 0, sizeof(uint32_t) * run.regex.count)
    memset(run.captured, 0xff, sizeof(run.captured))
    run.stamp = 0
    now.count = 0
    while at <= run.size:
        if now.count == 0:
            if found or (at and run.regex.flags & REGEX_ANCHORED):
                break
            at = regex_skip(run, at)
            run.stamp += 1
        if not found and not (at and run.regex.flags & REGEX_ANCHORED):
            if now.captures != NULL:
                memset(run.captured, 0xff, sizeof(run.captured))
            regex_add(run, now, 0, at)
        if regex_turn(run, now, later, at):
            if match == NULL:
                return True
            found = True
            memcpy(match, run.captured, sizeof(run.captured))
        swapped = now
        now = later
        later = swapped
        at += 1
    return found


cdef void regex_begin(regex_run_t *run, const uint8_t *table, const rule_regex *regex, const uint8_t *text,
                      uint32_t size) noexcept nogil:
    run.table = table
    run.regex = regex
    run.steps = <const rule_step *>(table + regex.steps)
    run.text = text
    run.size = size
    run.continued = False


cdef bint regex_holds(const uint8_t *table, const rule_regex *regex, const uint8_t *text, uint32_t size) noexcept nogil:
    cdef regex_run_t run
    cdef regex_threads_t threads[2]
    regex_begin(&run, table, regex, text, size)
    threads[0].captures = NULL
    threads[1].captures = NULL
    return regex_go(&run, &threads[0], &threads[1], NULL)


cdef uint32_t regexes_find(const uint8_t *table, uint32_t offset, const uint8_t *text, uint32_t size) noexcept nogil:
    # The value of the first that matches, or NO_INDEX.
    cdef rule_names *head = <rule_names *>(table + offset)
    cdef rule_regex *entries = <rule_regex *>(table + head.entries)
    cdef uint32_t i
    for i in range(head.count):
        if regex_holds(table, &entries[i], text, size):
            return entries[i].value
    return NO_INDEX


# ---- substitution ------------------------------------------------------------------------------------------------

ctypedef struct writer_t:
    uint8_t *at
    uint8_t *end


cdef void written(writer_t *out, const uint8_t *bytes, uint32_t size) noexcept nogil:
    # What is too much is cut off.
    cdef uint32_t fits = min(size, <uint32_t>(out.end - out.at))
    memcpy(out.at, bytes, fits)
    out.at += fits


cdef void regex_replace(writer_t *out, const uint8_t *with_, uint32_t size, const uint8_t *text,
                        const uint32_t *match) noexcept nogil:
    # The replacement, with what "\1" to "\9" and "\0" stand for; another byte behind a backslash is itself.
    cdef uint32_t i = 0, group
    while i < size:
        if with_[i] != c'\\' or i + 1 == size:
            written(out, with_ + i, 1)
        else:
            i += 1
            group = with_[i] - <uint32_t>c'0'
            if group > 9:
                written(out, with_ + i, 1)
            elif match[2 * group + 1] != NO_INDEX and match[2 * group] != NO_INDEX:
                written(out, text + match[2 * group], match[2 * group + 1] - match[2 * group])
        i += 1


cdef uint32_t regex_substitute(const uint8_t *table, const rule_regex *regex, const uint8_t *with_, uint32_t with_size,
                               bint everywhere, const uint8_t *text, uint32_t size, uint8_t *room) noexcept nogil:
    # As HAProxy does it, which looks at the rest of the text as if nothing came before it. Returns the size.
    cdef uint32_t captures[2][CAPTURING_STEPS * CAPTURES]
    cdef regex_threads_t threads[2]
    cdef regex_run_t run
    cdef writer_t out
    cdef uint32_t match[CAPTURES]
    out.at = room
    out.end = room + ROOM_BYTES
    threads[0].captures = captures[0]
    threads[1].captures = captures[1]
    regex_begin(&run, table, regex, text, size)
    while regex_go(&run, &threads[0], &threads[1], match):
        written(&out, run.text, match[0])
        regex_replace(&out, with_, with_size, run.text, match)
        if run.size == 0:
            return <uint32_t>(out.at - room)
        if match[1] == 0:  # an empty match stands before a byte, which is copied
            written(&out, run.text, 1)
            match[1] = 1
        run.text += match[1]
        run.size -= match[1]
        run.continued = True
        if not everywhere:
            break
    written(&out, run.text, run.size)
    return <uint32_t>(out.at - room)
