"""Syslog's levels (RFC 5424, section 6.2.1) and facilities."""

from __future__ import annotations

EMERG, ALERT, CRIT, ERR, WARNING, NOTICE, INFO, DEBUG = range(8)
LEVEL_NAMES = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
