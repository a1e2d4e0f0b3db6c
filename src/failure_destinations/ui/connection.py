"""How the page reaches an account."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from failure_destinations.deployed.session import Aws


@dataclass(frozen=True)
class Connection:
    """How the page reaches an account.

    Attributes:
        connect: Returns a new connection; each thread uses its own.
        spend_receives: Whether to look into queues that move a message away after a number of
            receives.
    """

    connect: Callable[[], Aws]
    spend_receives: bool = False
