"""``tcp-md5sig``: the key, if this kernel can sign TCP segments."""

from __future__ import annotations

import socket

from fastlb import signing
from fastlb.config.errors import Report
from fastlb.config.tree import Said


def signing_key(said: Said[str] | None, report: Report) -> str:
    """The key, or nothing. A kernel that cannot sign is reported."""
    if said is None:
        return ""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        try:
            signing.set_key(sock, said.value)
        except OSError as error:
            message = f"this kernel cannot sign TCP segments: {error.strerror or error}"
            report.error(said.location, message, "it needs CONFIG_TCP_MD5SIG")
    return said.value
