"""``-v`` and ``-vv``: what this program is, how it was built, and what this machine allows it."""

from __future__ import annotations

import importlib.util
import platform

from fastlb import __version__, kernelsplice
from fastlb.config.condition import FEATURES, LANGUAGE_VERSION

DETAILED = 2


def text(level: int) -> str:
    """Two lines, or with level DETAILED all."""
    lines = [f"fastlb {__version__}", f"speaks the configuration language of HAProxy {LANGUAGE_VERSION}, 'mode tcp'"]
    return "\n".join(lines + (_details() if level == DETAILED else []))


def _details() -> list[str]:
    try:
        from fastlb import _engine

        engine = f"{_engine.BUILD} build, layout {_engine.LAYOUT_VERSION}, up to {_engine.MAX_WORKERS} workers"
    except ImportError as error:
        engine = f"cannot be loaded: {error}"
    metrics = all(importlib.util.find_spec(name) for name in ("h11", "prometheus_client"))
    splice = kernelsplice.refusal()
    facts = {
        "engine": engine,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "metrics": "yes" if metrics else "no: pip install 'fastlb[metrics]'",
        "kernel-splice": "possible" if splice is None else f"not possible: {splice}",
        "features": " ".join(sorted(FEATURES)),
    }
    return [f"  {name:<14} {fact}" for name, fact in facts.items()]
