"""A queue of failed events on an engine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from failure_destinations.testing import LocalCloud

from ..cli.conftest import Orders, create_function, empty_queue


@pytest.fixture(scope="session")
def victim(ministack: LocalCloud) -> str:
    """Create a function to replay with, and return its ARN."""
    return create_function(ministack, "victim")


@pytest.fixture
def orders(ministack: LocalCloud, victim: str) -> Iterator[Orders]:
    """An empty queue of its own for each test."""
    with empty_queue(ministack, victim) as queue:
        yield queue
