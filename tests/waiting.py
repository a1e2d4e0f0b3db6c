"""What tests wait for."""

from __future__ import annotations

from collections.abc import Callable

from failure_destinations.testing.observations import Seen, wait_for

# Seconds. Only a test that fails waits this long: a slow machine is no failure.
PATIENCE = 300


def eventually(
    look: Callable[[], Seen], enough: Callable[[Seen], bool], timeout: float = PATIENCE
) -> Seen:
    """Poll until there is enough, and return that; the test fails if the timeout ends before."""
    seen = wait_for(look, enough, timeout)
    assert enough(seen), seen
    return seen
