"""What a bare loop costs: ``python -m bench.floor [--quick] [WORKLOAD]...`` measures fastlb, HAProxy and floor.c.

floor.c makes the system calls that moving the bytes takes, by fastlb's rules, and nothing else that a balancer does.
What fastlb costs above it can be saved in fastlb; what it costs itself cannot, on this kernel and machine.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from bench import faceoff, settings
from bench.compiled import compiled
from bench.lab import Lab
from bench.peers import Peer
from bench.workloads import WORKLOADS, workload_named


def main() -> int:
    """A line for each workload: CPU of each balancer, and in brackets how much that is of the bare loop's."""
    named = [workload.name for workload in WORKLOADS if workload.load != "idle"]
    parser = argparse.ArgumentParser(prog="python -m bench.floor", description="What a bare loop costs.")
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help=f"of {', '.join(named)}; default all")
    parser.add_argument("--quick", action="store_true", help="seconds: does it run, not how fast")
    options = parser.parse_args()
    wanted = settings.wanted(options.quick)
    with tempfile.TemporaryDirectory(prefix="floor-") as folder, Lab(Path(folder), wanted) as lab:
        bare = Peer("bare loop", "floor", str(compiled("floor", Path(folder))))
        lab.peers = [peer for peer in lab.peers if peer.kind != "nginx"] + [bare]
        print(f"{'CPU of the balancer':<22}" + "".join(f"{peer.name:>17}" for peer in lab.balancers))
        for name in options.workloads or named:
            workload = workload_named(name)
            results = [each for each in faceoff.measure_workload(lab, workload) if each.peer.kind != "direct"]
            floor = results[-1].cost
            cells = "".join(f"{each.cost:>10.3g} ({each.cost / floor:4.2f})" for each in results)
            print(f"{name + ', ' + workload.cost_unit:<22}{cells}", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
