"""A result file as tools/bench-report keeps it, with figures that a test chooses."""

from __future__ import annotations

from typing import Any

Record = dict[str, Any]

FASTLB, HAPROXY, NGINX, DIRECT = "fastlb 0.1.0", "haproxy 2.6.12", "nginx 1.22.1", "direct"
SETTINGS = {
    "quick": False, "rounds": 3, "seconds": 3.0, "idle_sessions": 4000, "part_rounds": 3, "part_seconds": 2.0,
    "traced_units": 200,
}  # fmt: skip
MACHINE = {"kernel": "6.1.0", "architecture": "x86_64", "cpu": "a processor", "cpus": 2, "python": "3.11.7"}


def document(**parts: list[dict[str, Any]]) -> Record:
    about = {"taken": "2026-01-01 00:00 UTC", "commit": "0123456", "machine": MACHINE, "settings": SETTINGS}
    return {"format": 1, "parts": {name: {**about, "results": results} for name, results in parts.items()}}


def peer(name: str) -> Record:
    return {"peer": name, "kind": name.split()[0]}


def faceoff(name: str, workload: str, costs: list[float], rate: float = 1000.0, p99_us: float = 500.0) -> Record:
    per = {"close": "connection", "idle": "session", "bulk": "GB"}.get(workload, "request")
    samples = {"cost": costs, "rate": [rate] * len(costs), "p99_us": [500.0] * len(costs)}
    return {
        **peer(name), "workload": workload, "unit": f"µs/{per}", "cost": sorted(costs)[len(costs) // 2], "over": 10.0,
        "rate": rate, "p99_us": 500.0, "errors": 0, "samples": samples,
    }  # fmt: skip


def latency(name: str, rate: int, p99_us: float) -> Record:
    percents = {"p50": p99_us / 4, "p99": p99_us}
    return {
        **peer(name), "rate": rate, "kept_schedule": True, "scheduled": 1000, "answered": 1000, "waited": 0,
        "errors": 0,
        "cost_us": [9.0, 9.0], "latency_us": percents, "rounds_us": {key: [us, us] for key, us in percents.items()},
        "lag_us": percents, "curve": [[0.0, 50.0], [50.0, p99_us / 4], [99.0, p99_us], [99.99, 2 * p99_us]],
    }  # fmt: skip


def sessions(name: str, count: int, cost_us: float) -> Record:
    return {**peer(name), "sessions": count, "active": min(32, count), "cost_us": [cost_us], "rate": [1.0],
            "p99_us": [1.0], "errors": 0}  # fmt: skip


def size(name: str, label: str, count: int, cost_us: float, rate: float) -> Record:
    return {**peer(name), "size": label, "bytes": count, "cost_us": [cost_us], "rate": [rate], "errors": 0}


def workers(name: str, workload: str, count: int, cost_us: float) -> Record:
    return {**peer(name), "workload": workload, "per": "request", "workers": count, "shares_cpu_with_load": True,
            "cost_us": [cost_us], "rate": [1000.0 * count], "errors": 0}  # fmt: skip


def syscalls(name: str, calls: dict[str, float]) -> Record:
    total = sum(calls.values())
    return {**peer(name), "workload": "keep", "unit": "keep-alive request", "units": 200, "calls": calls,
            "total": total,
            "connections": 32, "total_at_once": total}  # fmt: skip


def everything() -> Record:
    """All parts, all peers, two points on each curve: fastlb is a little better everywhere."""
    figures = {FASTLB: 8.0, HAPROXY: 10.0, NGINX: 9.0, DIRECT: 0.0}
    balancers = {name: cost for name, cost in figures.items() if name != DIRECT}
    return document(
        faceoff=[
            faceoff(n, w, [c, c + 1, c + 2], 1e4 / (c + 1)) for w in ("keep", "close") for n, c in figures.items()
        ],
        latency=[latency(n, rate, 100 + 10 * c) for rate in (5000, 20000) for n, c in figures.items()],
        sessions=[sessions(n, count, c) for count in (32, 9000) for n, c in balancers.items()],
        sizes=[
            size(n, label, b, c, 1e4 / (c + 1))
            for label, b in (("64", 64), ("1m", 1 << 20)) for n, c in figures.items()
        ],
        workers=[workers(n, "keep", count, c) for count in (1, 2) for n, c in balancers.items()],
        syscalls=[syscalls(n, {"recvfrom": c / 4, "sendto": c / 4}) for n, c in balancers.items()],
    )  # fmt: skip
