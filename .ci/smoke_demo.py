"""Runs a `fastlb demo` command as a person would: waits for the address it prints, opens it, presses Ctrl-C.

    smoke_demo.py COMMAND...

Both small servers must answer through the balancer, and Ctrl-C must end it with status 0 and no process left.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

START_SECONDS = 300.0
STOP_SECONDS = 15.0
ADDRESS = re.compile(r"^ *balancer +(http://\S+)", re.M)


def wait_for_address(process: subprocess.Popen[bytes], output: Path) -> str:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if found := ADDRESS.search(output.read_text(errors="replace")):
            return found[1]
        time.sleep(0.1)
    raise SystemExit("the demo printed no address")


def answers(address: str) -> set[str]:
    found = set()
    for _ in range(4):
        with urllib.request.urlopen(address, timeout=5) as reply:
            found.add(reply.read(100).decode().strip())
    return found


def group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def stop(process: subprocess.Popen[bytes]) -> int:
    os.killpg(process.pid, signal.SIGINT)
    status = process.wait(STOP_SECONDS)
    deadline = time.monotonic() + STOP_SECONDS
    while group_lives(process.pid):
        if time.monotonic() > deadline:
            raise SystemExit("processes are left after Ctrl-C")
        time.sleep(0.1)
    return status


def main(command: list[str]) -> int:
    with tempfile.NamedTemporaryFile(suffix=".log") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
        try:
            address = wait_for_address(process, Path(log.name))
            found = answers(address)
            print(f"{address} answered: {', '.join(sorted(found))}")
            status = stop(process)
        finally:
            print(Path(log.name).read_text(errors="replace"))
            if group_lives(process.pid):
                os.killpg(process.pid, signal.SIGKILL)
    if found != {"ping!", "pong!"} or status != 0:
        print(f"expected ping! and pong! and exit status 0, got {sorted(found)} and {status}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
