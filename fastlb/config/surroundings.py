"""Samples of what surrounds a connection: how it is called, how much there is (HAProxy manual, 7.3.2 and 7.3.3)."""

from __future__ import annotations

from fastlb.config.keywords import Keyword
from fastlb.config.ruletree import Asks, Kind
from fastlb.config.sampletypes import Fetch

_TEXT, _NUMBER = Fetch(Kind.TEXT), Fetch(Kind.INTEGER)

IDENTITY = {
    "fe_id": Keyword(_NUMBER, "", "id of the frontend"),
    "fe_name": Keyword(_TEXT, "", "name of the frontend"),
    "fe_defbe": Keyword(_TEXT, "", "name of the frontend's 'default_backend'"),
    "be_id": Keyword(_NUMBER, "", "id of the backend, or of the frontend while none is chosen"),
    "be_name": Keyword(_TEXT, "", "name of the backend, or of the frontend while none is chosen"),
    "srv_id": Keyword(_NUMBER, "", "id of the server"),
    "srv_name": Keyword(_TEXT, "", "name of the server"),
    "so_id": Keyword(_NUMBER, "", "id of the address that the client connected to"),
    "so_name": Keyword(_TEXT, "", "what its 'bind' line says as 'name'"),
}
LOCAL = {
    "src_is_local": Keyword(Fetch(Kind.BOOL), "", "whether the client's address is one of this machine"),
    "dst_is_local": Keyword(Fetch(Kind.BOOL, asks=Asks.ADDRESSES), "", "whether the one that it connected to is"),
}

_OF_SERVER = Fetch(Kind.INTEGER, ("server",))
COUNTERS = {
    "act_conn": Keyword(_NUMBER, "", "connections of the service"),
    "connslots": Keyword(
        Fetch(Kind.INTEGER, ("backend?",)), "[(backend)]", "connections that servers which are up take or queue"
    ),
    "srv_weight": Keyword(_OF_SERVER, "([backend/]server)", "weight of a server now, which 'slowstart' changes"),
    "srv_iweight": Keyword(_OF_SERVER, "([backend/]server)", "weight of a server in the file"),
    "srv_uweight": Keyword(
        Fetch(Kind.INTEGER, ("server",), name="srv_iweight"), "([backend/]server)", "the same: nobody can change it"
    ),
    "srv_conn_free": Keyword(_OF_SERVER, "([backend/]server)", "connections that a server has room for"),
}
MOMENT = {
    "hostname": Keyword(_TEXT, "", "name of the host"),
    "env": Keyword(Fetch(Kind.TEXT, ("name",)), "(name)", "an environment variable, as the file leaves it"),
    "pid": Keyword(_NUMBER, "", "process id of the worker"),
    "proc": Keyword(_NUMBER, "", "always 1"),
    "thread": Keyword(_NUMBER, "", "number of the worker, from 0"),
    "stopping": Keyword(Fetch(Kind.BOOL), "", "true once fastlb finishes what it has, and accepts nothing more"),
    "uptime": Keyword(_NUMBER, "", "seconds since the start of the worker"),
    "date": Keyword(
        Fetch(Kind.INTEGER, ("value?", "unit?")), "[(offset[,s|ms|us])]", "time since 1970, in seconds or finer"
    ),
    "date_us": Keyword(_NUMBER, "", "microseconds of the second"),
    "rand": Keyword(Fetch(Kind.INTEGER, ("range?",)), "[(n)]", "one of n numbers from 0 on, by chance"),
    "uuid": Keyword(Fetch(Kind.TEXT, ("version?",)), "[(4|7)]", "an identifier that is used only once"),
    "last_rule_file": Keyword(_TEXT, "", "the file of the content rule that has decided"),
    "last_rule_line": Keyword(_NUMBER, "", "the line of that rule"),
    "prio_class": Keyword(_NUMBER, "", "what 'set-priority-class' has set"),
    "prio_offset": Keyword(_NUMBER, "", "what 'set-priority-offset' has set"),
}
RATES = {
    "fe_sess_rate": Keyword(Fetch(Kind.INTEGER, ("frontend?",)), "[(frontend)]", "new sessions in the last second"),
    "be_sess_rate": Keyword(Fetch(Kind.INTEGER, ("backend?",)), "[(backend)]", "new sessions in the last second"),
    "srv_sess_rate": Keyword(_OF_SERVER, "([backend/]server)", "connections to a server in the last second"),
}
_LIMITS = {
    "fe_client_timeout": "'timeout client' of the frontend, in milliseconds",
    "be_server_timeout": "'timeout server' of the backend, in milliseconds",
    "be_tunnel_timeout": "'timeout tunnel' of the backend, in milliseconds",
    "be_connect_timeout": "'timeout connect' of the backend, in milliseconds",
    "be_queue_timeout": "'timeout queue' of the backend, in milliseconds",
    "be_max_retries": "'retries' of the backend",
}
LIMITS = {
    **{name: Keyword(_NUMBER, "", what) for name, what in _LIMITS.items()},
    **{
        f"cur_{name[3:]}": Keyword(Fetch(Kind.INTEGER, name=name), "", f"the same as {name}: no rule can change it")
        for name in _LIMITS
        if name != "be_max_retries"
    },
}
SURROUNDINGS = {**IDENTITY, **LOCAL, **COUNTERS, **RATES, **MOMENT, **LIMITS}

OF_BACKEND = frozenset({"be_id", "be_name", *_LIMITS}) - {"fe_client_timeout"}
OF_SERVER = frozenset({"srv_id", "srv_name"})
