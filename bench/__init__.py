"""Benchmarks of the real `fastlb` next to HAProxy and nginx: `python -m pytest bench`. See bench/README.md."""
