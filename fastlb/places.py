"""Where the control socket of a configuration is: for the master that makes it and the commands that look for it."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path


class PlaceError(Exception):
    """The directory for the control socket cannot be used; the text says why."""


def runtime_directory(environ: Mapping[str, str] = os.environ) -> Path:
    """``/run/fastlb`` for root, ``$XDG_RUNTIME_DIR/fastlb`` or ``/tmp/fastlb-UID`` for others."""
    if os.geteuid() == 0:
        return Path("/run/fastlb")
    base = environ.get("XDG_RUNTIME_DIR")
    return Path(base) / "fastlb" if base else Path(f"/tmp/fastlb-{os.geteuid()}")


def control_socket(paths: Sequence[str], environ: Mapping[str, str] = os.environ) -> Path:
    """The default control socket of a configuration: ``NAME.sock``, NAME being the stem of its (first) file."""
    return runtime_directory(environ) / f"{Path(paths[0]).stem or 'fastlb'}.sock"


def only_running(environ: Mapping[str, str] = os.environ) -> Path | None:
    """The one control socket in the runtime directory; None when there is none, or a choice."""
    try:
        found = sorted(runtime_directory(environ).glob("*.sock"))
    except OSError:
        return None
    return found[0] if len(found) == 1 else None


def make_directory(path: Path) -> None:
    """Makes the directory of a control socket, mode 0700, or checks one that is there. Raises PlaceError.

    Nobody but root and ourselves may be able to put another socket in its place (P70); a sticky directory such as
    ``/tmp`` keeps others from replacing ours.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = path.lstat()
    except OSError as error:
        raise PlaceError(f"cannot make the directory {path} for the control socket: {error.strerror}") from error
    if not stat.S_ISDIR(status.st_mode):
        raise PlaceError(f"{path} is not a directory; choose another place with --socket PATH")
    if status.st_uid not in (0, os.geteuid()):
        raise PlaceError(f"{path} belongs to uid {status.st_uid}; choose another place with --socket PATH")
    if status.st_mode & 0o022 and not status.st_mode & stat.S_ISVTX:
        raise PlaceError(f"{path} can be written by others; choose another place with --socket PATH")
