"""Which connections have TCP keep-alive, and how it is timed."""

from __future__ import annotations

from fastlb.config.tree import Settings
from fastlb.plan.model import Keepalive
from fastlb.plan.values import value_of

_USUAL = Keepalive()


def client_keepalive(settings: Settings) -> Keepalive | None:
    """Of accepted connections: unless switched off, since they inherit it from the listener and it costs nothing."""
    if value_of(settings.client_keepalive, None) is False:
        return None
    return Keepalive(
        value_of(settings.client_keepalive_idle, _USUAL.idle_s),
        value_of(settings.client_keepalive_interval, _USUAL.interval_s),
        value_of(settings.client_keepalive_count, _USUAL.count),
    )


def server_keepalive(settings: Settings) -> Keepalive | None:
    """Of connections to servers: it costs each some calls, so if nothing is said only where a probe can ever be sent.

    That is where no timeout ends the silence before the first one.
    """
    wanted = value_of(settings.server_keepalive, None)
    keepalive = Keepalive(
        value_of(settings.server_keepalive_idle, _USUAL.idle_s),
        value_of(settings.server_keepalive_interval, _USUAL.interval_s),
        value_of(settings.server_keepalive_count, _USUAL.count),
    )
    silence_ms = value_of(settings.tunnel, 0) or value_of(settings.server, 0)
    if wanted is None:
        wanted = silence_ms == 0 or silence_ms > keepalive.idle_s * 1000
    return keepalive if wanted else None
