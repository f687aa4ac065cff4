"""Starting servers/reader.py: clients that only read, in a process of their own so that nothing here slows them."""

import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType

from .environment import without_preload

SCRIPT = Path(__file__).parent.parent / "servers" / "reader.py"


class Readers:
    """``connections`` that read for ``seconds``; usable in a ``with``. All are connected when it is made."""

    def __init__(self, port: int, connections: int, seconds: float, bytes_per_s: int = 0, request: bytes = b"") -> None:
        words = ["127.0.0.1", str(port), str(connections), str(bytes_per_s), str(seconds), request.decode()]
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(SCRIPT), *words],
            stdout=subprocess.PIPE, stdin=subprocess.PIPE, env=without_preload(), text=True,
        )  # fmt: skip
        assert self._process.stdout
        assert self._process.stdout.readline() == "reading\n"

    def received(self, now: bool = False) -> list[int]:
        """Bytes that each connection got, once the time is up, or until ``now``."""
        assert self._process.stdin
        assert self._process.stdout
        if now:
            self._process.stdin.close()
        output = self._process.stdout.read()
        assert self._process.wait(10) == 0
        counts: list[int] = json.loads(output)
        return counts

    def __enter__(self) -> "Readers":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe
            pipe.close()
        self._process.wait()
