"""Clocks that tests can bend: the wall clock of a process by a preloaded library, the monotonic one by a namespace."""

import mmap
import os
import shutil
import struct
import subprocess
import sys
import time
from pathlib import Path

SHIM = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile long *offset_s; /* in a file that the test writes */

__attribute__((constructor)) static void start(void)
{
    int fd = open(getenv("TEST_WALL_CLOCK"), O_RDONLY | O_CLOEXEC);
    offset_s = mmap(0, sizeof(long), PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
}

int clock_gettime(clockid_t id, struct timespec *now)
{
    static int (*next)(clockid_t, struct timespec *);
    if (!next)
        next = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int rc = next(id, now);
    if (rc == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        now->tv_sec += *offset_s;
    return rc;
}

time_t time(time_t *where)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (where)
        *where = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *now, void *zone)
{
    struct timespec exact;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}
"""

# The process itself moves into the time namespace (its pid stays what it is), then becomes the command.
ENTER = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
NEWTIME = 0x80
def call(result):
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
call(libc.unshare(NEWTIME))
with open("/proc/self/timens_offsets", "w") as offsets:
    offsets.write(f"monotonic {sys.argv[1]} 0\\nboottime {sys.argv[1]} 0\\n")
namespace = os.open("/proc/self/ns/time_for_children", os.O_RDONLY)
call(libc.setns(namespace, NEWTIME))
os.close(namespace)
os.execvp(sys.argv[2], sys.argv[2:])
"""


class WallClock:
    """A wall clock for one program: ``environment`` makes it look at this one, ``jump`` sets it."""

    def __init__(self, directory: Path) -> None:
        library, self._offset = directory / "wallclock.so", directory / "wallclock"
        self._offset.write_bytes(bytes(8))
        (directory / "wallclock.c").write_text(SHIM)
        command = ["gcc", "-shared", "-fPIC", "-O1", "-o", str(library), str(directory / "wallclock.c"), "-ldl"]
        subprocess.run(command, check=True)
        preload = " ".join(filter(None, [os.environ.get("LD_PRELOAD", ""), str(library)]))
        self.environment = {"LD_PRELOAD": preload, "TEST_WALL_CLOCK": str(self._offset)}

    def jump(self, offset_s: int) -> None:
        """From now on it is ``offset_s`` away from the true time."""
        with self._offset.open("r+b") as file, mmap.mmap(file.fileno(), 8) as words:
            words[:8] = struct.pack("=q", offset_s)


def no_wall_clock() -> str | None:
    return None if shutil.which("gcc") else "needs gcc"


def monotonic_from(start_s: float) -> list[str]:
    """The wrapper of a command for which CLOCK_MONOTONIC is ``start_s`` now. Root only."""
    return [sys.executable, "-I", "-S", "-c", ENTER, str(round(start_s - time.monotonic()))]


def no_time_namespace() -> str | None:
    if os.geteuid() != 0:
        return "needs root for a time namespace"
    return None if Path("/proc/self/timens_offsets").exists() else "this kernel has no time namespaces"
