"""A client program that stays connected: it is asked line by line."""

import contextlib
import subprocess


class Session:
    """``words`` runs the client, which reads statements from its input."""

    def __init__(self, words: list[str]) -> None:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, text=True)

    def ask(self, statement: str) -> str:
        """The first line of the answer; what the client complains of, once it has ended."""
        assert self._process.stdin
        assert self._process.stdout
        assert self._process.stderr
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(statement + ";\n")
            self._process.stdin.flush()
        return self._process.stdout.readline().strip() or self._process.stderr.read()

    def close(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._process.communicate(timeout=30)
