"""Users and groups, by name or number."""

from __future__ import annotations

import grp
import os
import pwd

from fastlb.config.errors import ConfigError, quote
from fastlb.config.tree import Said


def find_user(name: Said[str]) -> pwd.struct_passwd:
    """The entry of a user. Raises ConfigError when there is none."""
    try:
        return pwd.getpwnam(name.value)
    except (KeyError, ValueError, OSError):
        raise ConfigError(name.location, f"there is no user {quote(name.value)} on this system") from None


def find_group(name: Said[str]) -> int:
    """The number of a group. Raises ConfigError when there is none."""
    try:
        return grp.getgrnam(name.value).gr_gid
    except (KeyError, ValueError, OSError):
        raise ConfigError(name.location, f"there is no group {quote(name.value)} on this system") from None


def uid_of(name: Said[str] | None, number: Said[int] | None) -> int | None:
    """What ``user`` or ``uid`` says as a number. Raises ConfigError."""
    if name is not None:
        return find_user(name).pw_uid
    return number.value if number else None


def gid_of(name: Said[str] | None, number: Said[int] | None) -> int | None:
    """What ``group`` or ``gid`` says as a number. Raises ConfigError."""
    if name is not None:
        return find_group(name)
    return number.value if number else None


def groups_of(user: str, gid: int) -> tuple[int, ...]:
    """All groups of a user, supplementary ones included."""
    return tuple(sorted(set(os.getgrouplist(user, gid))))
