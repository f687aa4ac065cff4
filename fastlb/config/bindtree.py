"""``bind`` lines as written."""

from __future__ import annotations

from dataclasses import dataclass

from fastlb.config.endpoint import Endpoint
from fastlb.config.errors import Location
from fastlb.config.said import Said


@dataclass(frozen=True, slots=True)
class BindAddress:
    """One of the addresses of a ``bind`` line; ``last_port`` is above ``endpoint.port`` for a range."""

    endpoint: Endpoint
    last_port: int
    location: Location


@dataclass(frozen=True, slots=True)
class BindLine:
    """One ``bind`` line: its addresses and the options they share. ``user`` and ``group`` are names or numbers."""

    addresses: tuple[BindAddress, ...]
    location: Location
    v6only: Said[bool] | None = None
    backlog: Said[int] | None = None
    defer_accept: Said[bool] | None = None
    tfo: Said[bool] | None = None
    interface: Said[str] | None = None
    transparent: Said[bool] | None = None
    mss: Said[int] | None = None
    user_timeout: Said[int] | None = None
    accept_proxy: Said[bool] | None = None
    mode: Said[int] | None = None
    user: Said[str] | None = None
    uid: Said[int] | None = None
    group: Said[str] | None = None
    gid: Said[int] | None = None
    name: Said[str] | None = None
    id: Said[int] | None = None
    maxconn: Said[int] | None = None
    congestion: Said[str] | None = None
    md5_key: Said[str] | None = None
    label: Said[str] | None = None
