/* Why a session ended, in words: one row for each cause of layout.h. docs/operations.md has the same words with what to
 * do. A word is for ever: logs and metrics of years are compared by it. */
#ifndef FASTLB_CAUSES_H
#define FASTLB_CAUSES_H

#include "layout.h"

struct cause_text {
    const char *word;
    /* HAProxy manual, "Session state at disconnection": who, and in which phase. A phase D (or -) is that of an established
     * session; before that it is R while rules wait, Q in a queue, and else C. */
    const char *code;
    const char *meaning;
};

static const struct cause_text CAUSE_TEXTS[] = {
    [CAUSE_NORMAL] = {"normal", "--", "both sides finished"},
    [CAUSE_CLIENT_ABORT] = {"client_abort", "CD", "the client reset the connection or vanished"},
    [CAUSE_SERVER_ABORT] = {"server_abort", "SD", "the server reset the connection or vanished"},
    [CAUSE_CLIENT_TIMEOUT] = {"client_timeout", "cD", "nothing moved for the client's timeout"},
    [CAUSE_SERVER_TIMEOUT] = {"server_timeout", "sD", "nothing moved for the server's timeout"},
    [CAUSE_CONNECT_FAILED] = {"connect_failed", "SC", "no attempt to connect to a server succeeded"},
    [CAUSE_CONNECT_TIMEOUT] = {"connect_timeout", "sC", "the server did not answer the connect in time"},
    [CAUSE_CONNECT_CLIENT_TIMEOUT] = {"client_timeout_waiting", "cC",
                                      "the client's timeout ran out before a server was connected"},
    [CAUSE_CONNECT_CLIENT_ABORT] = {"client_left_connecting", "CC",
                                    "the client left while the server was being connected"},
    [CAUSE_NO_SERVER] = {"no_server", "SC", "no server was usable"},
    [CAUSE_QUEUE_TIMEOUT] = {"queue_timeout", "sQ", "no server had room before the queue's timeout"},
    [CAUSE_QUEUE_CLIENT_ABORT] = {"client_left_queue", "CQ", "the client left while it waited for a server"},
    [CAUSE_RESOURCE] = {"resource", "RC", "the balancer ran out of ports, descriptors or memory"},
    [CAUSE_SHUTDOWN] = {"shutdown", "KD", "the balancer was stopped"},
    [CAUSE_WORKER_LOST] = {"worker_lost", "KD", "the worker that served it died"},
    [CAUSE_QUEUE_CLIENT_TIMEOUT] = {"client_timeout_queue", "cQ",
                                    "the client's timeout ran out while it waited for a server"},
    [CAUSE_QUEUE_NO_SERVER] = {"no_server_queue", "SQ", "the last usable server went away while it waited for one"},
    [CAUSE_NO_BACKEND] = {"no_backend", "SC", "the frontend has no backend"},
    [CAUSE_RESOURCE_DATA] = {"resource_data", "RD", "the balancer ran out of memory while bytes moved"},
    [CAUSE_SERVER_DOWN] = {"server_down", "D-",
                           "the server went down, and 'on-marked-down shutdown-sessions' ends its sessions"},
    [CAUSE_SERVER_UP] = {"server_up", "U-",
                         "an active server came up, and 'on-marked-up' ends the sessions of backups"},
    [CAUSE_QUEUE_FULL] = {"queue_full", "SQ", "the queue of the one server for this client was full (maxqueue)"},
    [CAUSE_PROXY_HEADER] = {"proxy_header", "PC", "the client's PROXY header was missing or malformed"},
    [CAUSE_DENIED] = {"denied", "PR", "a rule refused what the client sent"},
    [CAUSE_INSPECT_CLIENT_TIMEOUT] = {"client_timeout_inspecting", "cR",
                                      "the client's timeout ran out before the rules were decided"},
    [CAUSE_INSPECT_CLIENT_ABORT] = {"client_left_inspecting", "CR",
                                    "the client left before the rules were decided"},
    [CAUSE_DENIED_SESSION] = {"denied_session", "PR", "a rule refused the client"},
    [CAUSE_DENIED_RESPONSE] = {"denied_response", "PD", "a rule refused what the server sent"},
};
_Static_assert(sizeof(CAUSE_TEXTS) / sizeof(CAUSE_TEXTS[0]) == CAUSE_COUNT, "a cause without a word");
_Static_assert(CAUSE_COUNT <= MAX_CAUSES, "raise MAX_CAUSES");

#endif
