"""The pid file: written when the service is ready, removed when it ends."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


class PidfileError(Exception):
    """The pid file cannot be written."""


def write(path: str | None) -> None:
    """Puts our pid into ``path``, if there is one. Whoever reads it sees the old content or the new one."""
    if path is None:
        return
    temporary = Path(f"{path}.{os.getpid()}")
    try:
        temporary.write_text(f"{os.getpid()}\n")
        temporary.rename(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise PidfileError(f"cannot write the pid file {path}: {error.strerror}") from error


def remove(path: str | None) -> None:
    """Removes the file if it still names us."""
    if path is None:
        return
    with contextlib.suppress(OSError, ValueError):
        if int(Path(path).read_text()) == os.getpid():
            Path(path).unlink()
