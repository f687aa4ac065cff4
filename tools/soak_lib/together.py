"""Two or more things at once, on one connection."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


async def together(*jobs: Coroutine[Any, Any, None]) -> None:
    """Run all; the first exception ends the others, and only then is raised.

    Nobody may still wait for a descriptor when its socket is closed: the loop would take the next one for it.
    """
    tasks = [asyncio.ensure_future(job) for job in jobs]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    errors = [each for each in results if isinstance(each, BaseException)]
    for error in [one for one in errors if not isinstance(one, asyncio.CancelledError)] or errors:
        raise error
