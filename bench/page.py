"""docs/benchmarks.md, from the results and nothing else: the same results give the same page."""

from __future__ import annotations

from bench import tables, verdicts
from bench.cells import all_cells, records
from bench.method import method
from bench.store import Document

TITLE = """\
# Benchmarks

<!-- Written by tools/bench-report from benchmarks/results.json: change those, not this file. -->
"""

SECTIONS = {
    "faceoff": ("Cost, rate and latency by workload", ("cpu", "rates")),
    "latency": ("Latency at a fixed rate", ("latency",)),
    "sessions": ("Cost against the number of sessions", ("sessions",)),
    "sizes": ("Throughput and cost against the size of answers", ("sizes",)),
    "workers": ("One worker and two", ("workers",)),
    "syscalls": ("System calls", ()),
}

ALTERNATIVES = {
    "cpu": "CPU time of the balancer per unit of work, and memory of an idle session, by balancer",
    "rates": "Rate by workload and balancer",
    "latency": "Latency by percentile at fixed rates",
    "sessions": "CPU per request against the number of established sessions",
    "sizes": "Throughput and CPU per request against the size of the answer",
    "workers": "CPU per unit of work and rate with one worker and with two",
}


def render(document: Document) -> str:
    """The whole page. Parts that have not been measured are left out."""
    cells = all_cells(document)
    blocks = [TITLE, _warning(document), verdicts.summary(cells) + " They are listed under [Where fastlb"
              " loses](#where-fastlb-loses); how everything was measured, under [Method](#method).\n"]  # fmt: skip
    for name, (title, pictures) in SECTIONS.items():
        if records(document, name):
            images = [f"![{ALTERNATIVES[picture]}](benchmarks/{picture}.svg)\n" for picture in pictures]
            blocks += [f"## {title}\n", tables.INTRODUCTIONS[name], *images, *tables.TABLES[name](document)]
    blocks += ["## Where fastlb loses\n", _losses(document), "## Goals\n", _goals(document), *method(document)]
    return "\n".join(block for block in blocks if block)


def _warning(document: Document) -> str:
    quick = any(part["settings"]["quick"] for part in document["parts"].values())
    return "**A quick run: these figures say that the benchmark works, not how fast anything is.**\n" if quick else ""


def _losses(document: Document) -> str:
    sentences = verdicts.losses(all_cells(document))
    if not sentences:
        return "In no figure on this page.\n"
    lead = "Every figure of this page in which fastlb is more than 1 % worse than HAProxy or nginx:\n\n"
    return lead + "\n".join(f"- {sentence}" for sentence in sentences) + "\n"


def _goals(document: Document) -> str:
    rows = [
        (goal.text, f"{'≥' if goal.at_least else '≤'} {goal.limit:.2f}", f"{goal.value:.3f}",
         "met" if goal.met else "**missed**")
        for goal in verdicts.goals(document)
    ]  # fmt: skip
    return tables.markdown(("", "goal", "measured", ""), rows, numbers=(1, 2))
