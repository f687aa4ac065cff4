#!/usr/bin/env python3
"""Answers HTTP health checks by what a command says, for servers that speak no HTTP themselves.

    rolecheck.py ADDRESS:PORT /PATH=WORD... -- COMMAND...

    rolecheck.py 192.0.2.31:9200 /master=master /replica=slave -- redis-cli -h 192.0.2.31 role
    rolecheck.py 192.0.2.21:8008 /primary=f /replica=t -- psql -h 192.0.2.21 -Atc 'select pg_is_in_recovery()'
    rolecheck.py 192.0.2.21:9200 /writable=0 -- mariadb -N -e 'select @@read_only'

A request for /PATH runs the command: 200 when the first line that it prints is WORD; 503 when it prints something else,
fails, or takes longer than 0.9 s; 404 for another path. It runs on the server that it speaks for, as any account that
may run the command, and needs nothing but Python.
"""

import socket
import subprocess
import sys
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer

PATIENCE_S = 0.9  # less than the second or more that checks wait: so that they learn why


def said(question: list[str]) -> str:
    """The first line of what the command prints, or why there is none."""
    try:
        done = subprocess.run(question, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        return "(no answer)"
    except OSError as error:
        return f"({error})"
    return done.stdout.partition("\n")[0].strip() if done.returncode == 0 else "(failed)"


class Handler(BaseHTTPRequestHandler):
    words: dict[str, str]
    question: list[str]

    def do_GET(self) -> None:
        wanted = self.words.get(self.path.partition("?")[0])
        if wanted is None:
            self.answer(404, "there are: " + " ".join(self.words))
        else:
            word = said(self.question)
            self.answer(200 if word == wanted else 503, word)

    do_HEAD = do_OPTIONS = do_GET

    def answer(self, status: int, text: str) -> None:
        body = b"" if self.command == "HEAD" else f"{text}\n".encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Checks come every second: nothing to tell."""


class Server(ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, host: str, port: int) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), Handler)

    def handle_error(self, *request: object) -> None:
        """Checks end by a reset, which is nothing to tell."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(*request)


def main(words: list[str]) -> None:
    if words.count("--") != 1 or words.index("--") < 2 or words[-1] == "--":
        sys.exit(__doc__)
    split = words.index("--")
    host, _, port = words[0].rpartition(":")
    Handler.words = dict(word.split("=", 1) for word in words[1:split])
    Handler.question = words[split + 1 :]
    Server(host.strip("[]"), int(port)).serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
