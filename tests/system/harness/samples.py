"""Prometheus' text format read back, without a Prometheus library."""

import http.client
import re

from .poison import AS_NUMBER

SAMPLE = re.compile(r"^(?P<name>[a-zA-Z_:][\w:]*)(?:\{(?P<labels>.*)\})? (?P<value>\S+)$")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class Samples:
    """One scrape. ``sum`` and ``get`` select by name and labels."""

    def __init__(self, text: str) -> None:
        assert AS_NUMBER not in text, "a figure out of freed memory"
        self.text = text
        self._samples: list[tuple[str, dict[str, str], float]] = []
        for line in text.splitlines():
            if line and not line.startswith("#"):
                match = SAMPLE.match(line)
                assert match, f"not a sample: {line!r}"
                self._samples.append((match["name"], dict(LABEL.findall(match["labels"] or "")), float(match["value"])))

    def select(self, name: str, **labels: str) -> list[tuple[dict[str, str], float]]:
        found = [(have, value) for have_name, have, value in self._samples if have_name == name]
        assert found, f"no sample named {name}"
        return [(have, value) for have, value in found if labels.items() <= have.items()]

    def sum(self, name: str, **labels: str) -> int:
        """The sum over all samples with these labels; counts are whole numbers."""
        return round(sum(value for _, value in self.select(name, **labels)))

    def has(self, name: str) -> bool:
        return any(name == have for have, _, _ in self._samples)

    def counters(self) -> dict[tuple[str, ...], float]:
        """Every cumulative series: what must never decrease."""
        return {
            (name, *(f"{key}={value}" for key, value in sorted(labels.items()))): number
            for name, labels, number in self._samples
            if name.endswith(("_total", "_count", "_sum", "_bucket"))
        }


def get(host: str, port: int, path: str, timeout_s: float = 20) -> tuple[int, str]:
    """Status and body of a GET. The server ends first: a test with few ports must not lose one to each scrape."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        with connection.sock.dup() as sock:
            response = connection.getresponse()
            answer = response.status, response.read().decode()
            sock.settimeout(timeout_s)
            assert sock.recv(1) == b"", "more than the answer"
        return answer
    finally:
        connection.close()
