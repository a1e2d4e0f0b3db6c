"""What tests wait for."""

from __future__ import annotations

from collections.abc import Callable

from failure_destinations.testing.observations import Seen, wait_for


def eventually(look: Callable[[], Seen], enough: Callable[[Seen], bool], timeout: float) -> Seen:
    """Poll until there is enough, and return that; the test fails if the timeout ends before."""
    seen = wait_for(look, enough, timeout)
    assert enough(seen), seen
    return seen
