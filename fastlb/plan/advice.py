"""Warnings about what is valid but most likely not meant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastlb.config.errors import Report, quote
from fastlb.config.tree import Said
from fastlb.plan.hashplan import advise_hashing
from fastlb.plan.roles import Roles
from fastlb.plan.values import Merged, value_of


def advise(roles: Roles, report: Report) -> None:
    """Warn about each proxy, in the words of the operator who will be called at night."""
    for merged in roles.frontends:
        _about_frontend(merged, report)
        _about_timeouts(merged, report)
    for merged in roles.backends:
        if merged.disabled:
            continue
        if not merged.proxy.servers and not merged.proxy.has_frontend and merged.proxy.rules.table is None:
            report.warning(merged.proxy.location, f"{merged.title} has no server: it closes every connection")
        if not merged.proxy.has_frontend:
            _about_timeouts(merged, report)
        advise_hashing(merged, report)


def _about_frontend(merged: Merged, report: Report) -> None:
    proxy, settings = merged.proxy, merged.settings
    if not proxy.binds:
        report.warning(proxy.location, f"{merged.title} has no 'bind' line: nothing reaches it")
    backend = settings.default_backend
    if backend is None and not proxy.servers and not proxy.rules.backends:
        report.warning(proxy.location, f"{merged.title} has nowhere to send a connection, and closes every one")
    if backend is not None and backend.value != proxy.name and proxy.servers:
        message = f"the servers of {merged.title} are never used: its 'default_backend' is {quote(backend.value)}"
        report.warning(backend.location, message)
    if settings.httplog is not None and settings.tcplog is None and not value_of(settings.log_format, ()):
        message = "'option httplog' concerns HTTP: it means 'option tcplog' in 'mode tcp'"
        report.warning(settings.httplog.location, message)
    _about_log_formats(merged, report)


def _about_log_formats(merged: Merged, report: Report) -> None:
    """What says how to log, where nothing is logged."""
    settings = merged.settings
    said: dict[str, Said[Any] | None] = {
        "option tcplog": settings.tcplog,
        "option httplog": settings.httplog,
        "log-format": settings.log_format if value_of(settings.log_format, ()) else None,
        "error-log-format": settings.error_log_format,
        "log-format-sd": settings.log_format_sd,
    }
    name, first = next(((name, one) for name, one in said.items() if one is not None), ("", None))
    if first is not None and not settings.logs:
        hint = "add 'log global', and a 'log' line in 'global'"
        report.warning(first.location, f"{quote(name)} has no effect: {merged.title} has no 'log' line", hint)


def advise_structured_data(merged: Merged, formats: Sequence[str], report: Report) -> None:
    """``log-format-sd`` where none of the targets, which have these formats, would show it."""
    said = merged.settings.log_format_sd
    if said is not None and formats and "rfc5424" not in formats:
        hint = "say 'format rfc5424' in a 'log' line"
        report.warning(said.location, f"'log-format-sd' has no effect: no target of {merged.title} shows it", hint)


def _about_timeouts(merged: Merged, report: Report) -> None:
    """One warning for each proxy, as HAProxy has it. An explicit 0 is taken as meant."""
    proxy, settings = merged.proxy, merged.settings
    missing: list[str] = []
    if proxy.has_frontend and settings.client is None:
        missing.append("'timeout client'")
    if proxy.has_backend and proxy.servers:
        if settings.connect is None:
            missing.append("'timeout connect'")
        if settings.server is None and settings.tunnel is None:
            missing.append("'timeout server'")
    if missing:
        message = f"{merged.title} has no {' and no '.join(missing)}: there is no limit to these waits"
        report.warning(proxy.location, message, "set them here or in 'defaults'")
