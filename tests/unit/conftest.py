"""What the unit tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from system.harness.ports import Ports


@pytest.fixture
def port() -> Iterator[int]:
    """One that nobody else takes meanwhile."""
    ports = Ports()
    yield ports.take()
    ports.release()
