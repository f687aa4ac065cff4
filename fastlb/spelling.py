"""The fields of a plan as a configuration has them: what each is called, and its value in words."""

from __future__ import annotations

from enum import Enum
from typing import Any

from fastlb.config.logformat import value_text
from fastlb.config.proxyoptions import OPTIONS
from fastlb.config.timeouts import TIMEOUTS
from fastlb.plan.model import Backend, Check, Frontend, Server, SessionLog

_UNITS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s"), (1, "ms"))
_TIMEOUTS = {keyword.handler[0]: f"timeout {name}" for name, keyword in TIMEOUTS.supported.items()}

# What a field is called in a file, where that is not its own name.
_NAMES = {
    "workers": "nbthread",
    "pin": "cpu-map",
    "steer": "tune.reuseport",
    "nofile": "ulimit-n",
    "log_hostname": "log-send-hostname",
    "user_timeout_ms": "tcp-ut",
    "read_ms": "timeout check",
    "rate_limit": "rate-limit sessions",
    "shutdown_when_down": "on-marked-down",
    "shutdown_backups_when_up": "on-marked-up",
    "slowstart_new": "slowstart new-servers",
    "congestion": "cc",
    "unique_id": "unique-id-format",
    "md5_key": "tcp-md5sig",
    "proxy_crc32c": "proxy-v2-options crc32c",
    "proxy_authority": "proxy-v2-options authority",
    "proxy_unique_id": "proxy-v2-options unique-id",
    "proxy_fields": "set-proxy-v2-tlv-fmt",
    "remark": "label",
    "disable_on_404": "http-check disable-on-404",
    "send_state": "http-check send-state",
    "persist_down": "option persist",
    "unpublished": "be-unpublished",
}
# Values that say what they mean only in words.
_WORDS: dict[tuple[str, Any], str] = {
    ("steer", False): "hash",
    ("steer", True): "cpu",
    ("pin", False): "none",
    ("pin", True): "auto",
    ("redispatch", 0): "off",
    ("redispatch", -1): "at the last retry",
    ("keepalive", None): "off",
    ("source", None): "the kernel's choice",
    ("mss", 0): "the route's",
    ("congestion", None): "the system's",
    ("user_timeout_ms", 0): "the system's",
    ("maxconn", 0): "no limit of its own",
    ("minconn", 0): "none: the limit is maxconn",
    ("maxqueue", 0): "no limit",
    ("rate_limit", 0): "no limit",
    ("maxconnrate", 0): "no limit",
    ("maxsessrate", 0): "no limit",
    ("fullconn", 0): "a tenth of the maxconn of the frontends that send here",
    ("slowstart_ms", 0): "off",
    ("shutdown_when_down", False): "none: its sessions go on",
    ("shutdown_when_down", True): "shutdown-sessions",
    ("shutdown_backups_when_up", False): "none: the sessions of backups go on",
    ("shutdown_backups_when_up", True): "shutdown-backup-sessions",
    ("read_ms", 0): "none: the whole check has as long as the connection",
    ("expire_ms", 0): "never",
    ("tunnel_ms", 0): "none: those of both sides apply",
}


def name_of(thing: Any, field: str) -> str:
    """As a file has it: ``timeout client``, ``option redispatch``, ``hard-stop-after``."""
    base = field.removesuffix("_ms")
    spelled = base.replace("_", "-")
    if field == "keepalive":
        return "option srvtcpka" if isinstance(thing, Backend) else "option clitcpka"
    if field in _NAMES:
        return _NAMES[field]
    if isinstance(thing, (Frontend, Backend, SessionLog)):
        return _TIMEOUTS.get(base) or (f"option {spelled}" if spelled in OPTIONS.supported else spelled)
    return "timeout connect" if (type(thing), field) == (Check, "connect_ms") else spelled


def has_word_for(field: str, value: Any) -> bool:
    """Whether this value has a word of its own; None mostly has none, and is not worth a line."""
    return (field, value) in _WORDS


def text_of(field: str, value: Any) -> str:
    """The value of a field: ``1m``, ``on``, ``no limit``."""
    if (field, value) in _WORDS:
        return _WORDS[field, value]
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "on" if value else "off"
    if field.endswith("_ms"):
        return next(f"{value // size}{unit}" for size, unit in _UNITS if value % size == 0) if value else "no limit"
    if field in ("unique_id", "proxy_fields", "md5_key") and not value:
        return "none"
    if field == "md5_key":
        return "a key"
    if field == "unique_id":
        return f"'{value_text(value)}'"
    if field == "mode":
        return f"{value:o}"
    if isinstance(value, Enum):
        return value.name.lower().replace("_", "-")
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def destination_of(server: Server) -> str:
    """As a file has it, with the parts that are the client's: ``192.0.2.1:+8000``, ``*:80``, ``*``."""
    address = server.address
    if server.port_offset is None:
        return f"*:{address.port}" if address.host in ("0.0.0.0", "::") else str(address)
    host = "*" if address.host in ("0.0.0.0", "::") else str(address).rpartition(":")[0]
    return f"{host}:{server.port_offset:+}" if server.port_offset else host
