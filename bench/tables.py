"""The tables of the page, a function for each part."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from statistics import median

from bench.cells import records, size_words
from bench.store import Document, Record

INTRODUCTIONS = {
    "faceoff": """\
One worker each. In brackets: fastlb's figure divided by that one; bold where fastlb is worse.
""",
    "latency": """\
Requests for 5 bytes over 64 connections are due on a fixed schedule, and latency counts from the moment a request was
due (open loop), so a pause of the balancer shows in all requests that fell into it. The client's own lag is part of
every figure; `direct` is the server without a balancer.
""",
    "sessions": """\
32 sessions (10 of 10) make requests as in `keep`; the others have made one request each and are silent.
""",
    "sizes": """\
16 keep-alive connections. Axes are logarithmic.
""",
    "workers": """\
The same CPUs are open to one worker and to several. If the workers contended for nothing, a unit of work would cost the
same.
""",
    "syscalls": """\
Calls per unit of work of all processes of a balancer, counted by `strace -c -f`: one request after another, so nothing
is batched. The last row is the sum with many clients at once.
""",
}

SHARED_CPU = """\
Here the second worker shares its CPU with the server and the client, which costs it time and cache: read fastlb's
ratios next to the others'.
"""


def markdown(heading: Sequence[str], rows: Iterable[Sequence[str]], numbers: Iterable[int] = ()) -> str:
    """A table whose columns ``numbers`` are aligned to the right."""
    right = set(numbers)
    rule = ["--:" if column in right else "---" for column in range(len(heading))]
    return "\n".join("| " + " | ".join(row) + " |" for row in (heading, rule, *rows)) + "\n"


def number(value: float) -> str:
    """Three significant digits, or all digits before the point."""
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def rate_unit(record: Record) -> str:
    """``requests/s`` for what costs µs/request."""
    unit: str = record["unit"].partition("/")[2]
    return f"{unit}/s" if unit.isupper() else f"{unit}s/s"


def peers_of(results: Sequence[Record]) -> list[str]:
    """Names in the order in which they were measured; fastlb first, ``direct`` last."""
    order = {"fastlb": 0, "haproxy": 1, "nginx": 2, "direct": 3}
    return sorted(dict.fromkeys(record["peer"] for record in results), key=lambda name: order[name.split()[0]])


def versus(
    results: Sequence[Record], key: str, label: Callable[[Record], str], value: Callable[[Record], float],
    more_is_better: bool = False, direct: bool = True,
) -> str:  # fmt: skip
    """One row for each value of ``key``, one column for each peer, with fastlb's ratio to each other balancer."""
    used = [record for record in results if value(record) and (direct or record["kind"] != "direct")]
    names = peers_of(used)
    rows = []
    for wanted in dict.fromkeys(record[key] for record in used):
        row = {record["peer"]: record for record in used if record[key] == wanted}
        ours = next((value(record) for record in row.values() if record["kind"] == "fastlb"), 0.0)
        cells = [_versus_cell(row.get(name), value, ours, more_is_better) for name in names]
        rows.append([label(next(iter(row.values()))), *cells])
    return markdown(["", *names], rows, range(1, len(names) + 1))


def _versus_cell(record: Record | None, value: Callable[[Record], float], ours: float, more_is_better: bool) -> str:
    if record is None:
        return ""
    theirs = value(record)
    if record["kind"] in ("fastlb", "direct") or not ours or theirs <= 0:
        return number(theirs)
    ratio = f"{ours / theirs:.2f}"
    worse = float(ratio) < 1 if more_is_better else float(ratio) > 1
    return f"{number(theirs)} ({f'**{ratio}**' if worse else ratio})"


def _faceoff(document: Document) -> list[str]:
    results = records(document, "faceoff")

    def named(record: Record) -> str:
        return f"{record['workload']}, {record['unit']}"

    def rated(record: Record) -> str:
        return f"{record['workload']}, {rate_unit(record)}"

    return [
        "CPU of the balancer's processes (for `idle`: its memory):\n",
        versus(results, "workload", named, lambda record: record["cost"], direct=False),
        "CPU of the whole machine above that of the same work without a balancer:\n",
        versus(results, "workload", named, lambda record: record["over"], direct=False),
        "Rate at which the client got its answers. Client and server share one CPU, so read the tables above first:\n",
        versus(results, "workload", rated, lambda record: record["rate"], more_is_better=True),
        "p99 at the client in µs, under full load (closed loop):\n",
        versus(results, "workload", lambda record: record["workload"], lambda record: record["p99_us"]),
        _errors(results),
    ]


def _errors(results: Sequence[Record]) -> str:
    failed = [record for record in results if record["errors"]]
    if not failed:
        return "No request failed.\n"
    told = (f"{record['errors']} of {record['workload']} through {record['peer']}" for record in failed)
    return "**Failed requests:** " + ", ".join(told) + ".\n"


def _latency(document: Document) -> list[str]:
    blocks = []
    results = records(document, "latency")
    percents = list(results[0]["latency_us"])
    for rate in dict.fromkeys(record["rate"] for record in results):
        same = [record for record in results if record["rate"] == rate]
        rows = [
            [name, *(number(record["latency_us"][percent]) for percent in percents), number(median(record["cost_us"])),
             number(record["lag_us"]["p99"]), str(record["waited"]), _kept(record)]
            for name in peers_of(same) for record in same if record["peer"] == name
        ]  # fmt: skip
        heading = ["", *(f"{percent} µs" for percent in percents), "CPU µs/request", "client's lag p99", "waited", ""]
        blocks += [f"{rate:,} requests a second:\n", markdown(heading, rows, range(1, len(heading) - 1))]
    return [*blocks, "`waited`: requests that were due while all 64 connections still waited for an answer.\n"]


def _kept(record: Record) -> str:
    if record["errors"]:
        return f"**{record['errors']} failed**"
    return "" if record["kept_schedule"] else "**the client did not keep its schedule**"


def _sessions(document: Document) -> list[str]:
    results = records(document, "sessions")
    cost = versus(results, "sessions", lambda r: f"{r['sessions']:,} sessions", lambda r: median(r["cost_us"]))
    return ["CPU of the balancer in µs per request:\n", cost]


def _sizes(document: Document) -> list[str]:
    results = records(document, "sizes")

    def label(record: Record) -> str:
        return size_words(record["size"])

    return [
        "Throughput in MB/s of answers:\n",
        versus(results, "bytes", label, lambda r: median(r["rate"]) * r["bytes"] / 1e6, more_is_better=True),
        "CPU of the balancer in µs per request:\n",
        versus(results, "bytes", label, lambda r: median(r["cost_us"]), direct=False),
    ]


def _workers(document: Document) -> list[str]:
    results = records(document, "workers")
    rows = []
    for name in dict.fromkeys(record["workload"] for record in results):
        for peer in peers_of(results):
            rows.append(_workers_row([r for r in results if r["workload"] == name and r["peer"] == peer]))
    heading = ("", "", "µs with 1", "µs with more", "ratio", "rate with 1", "rate with more", "ratio")
    note = SHARED_CPU if any(record["shares_cpu_with_load"] for record in results) else ""
    return [markdown(heading, rows, range(2, 8)), note]


def _workers_row(same: list[Record]) -> list[str]:
    fewest, most = min(same, key=lambda r: r["workers"]), max(same, key=lambda r: r["workers"])
    row = [f"{fewest['workload']}, per {fewest['per']}", fewest["peer"]]
    for key in ("cost_us", "rate"):
        one, many = median(fewest[key]), median(most[key])
        row += [number(one), number(many), f"{many / one:.2f}"]
    return row


def _syscalls(document: Document) -> list[str]:
    blocks = []
    results = records(document, "syscalls")
    names = peers_of(results)
    for workload in dict.fromkeys(record["workload"] for record in results):
        same = sorted((r for r in results if r["workload"] == workload), key=lambda r: names.index(r["peer"]))
        # What happens less than once in twenty units is housekeeping.
        calls = sorted({call for r in same for call, count in r["calls"].items() if count >= 0.05})
        rows = [[f"`{call}`", *(_count(r["calls"].get(call, 0.0)) for r in same)] for call in calls]
        rows.append(["**all**", *(f"**{_count(r['total'])}**" for r in same)])
        rows.append([f"all, {same[0]['connections']} at once", *(_count(r["total_at_once"]) for r in same)])
        heading = ["", *(r["peer"] for r in same)]
        blocks += [f"Per {same[0]['unit']}:\n", markdown(heading, rows, range(1, len(heading)))]
    return blocks


def _count(calls: float) -> str:
    return f"{calls:.1f}" if calls else ""


TABLES: dict[str, Callable[[Document], list[str]]] = {
    "faceoff": _faceoff,
    "latency": _latency,
    "sessions": _sessions,
    "sizes": _sizes,
    "workers": _workers,
    "syscalls": _syscalls,
}
