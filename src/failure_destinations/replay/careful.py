"""Decides when each event of a run starts: first one of its group, then ten, then the rest.

A group whose first event fails again is left, so that a handler that is still broken costs one
run for each kind of failure. A run whose latest events mostly fail is stopped.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from failure_destinations.runtime import FailedEvent, fingerprint

from .received_message import ReceivedMessage

DEFAULT_STOP_AT = 50
NEVER_STOPS = 100
LATEST = 20
"""The number of latest outcomes of which a share may stop the run."""

FEW = 10
"""The number of events of a group that run after its first one, before all others do."""

# Messages in hand while the first events of their groups run. A message has up to 1 MiB.
MAX_WAITING = 1_000
MAX_WAITING_BYTES = 64 * 1024 * 1024

Admission = Literal["start", "wait", "leave"]
"""`wait`: it starts or is left later, when the outcome of others is known."""


@dataclass(frozen=True)
class Care:
    """How carefully a run goes.

    Attributes:
        all_groups: Whether events start also if the first one of their group failed again.
        stop_at: The share of failures among the latest 20 outcomes above which the run stops, in
            percent; 100 never stops it.
    """

    all_groups: bool = False
    stop_at: int = DEFAULT_STOP_AT

    @classmethod
    def chosen(cls, *, all_groups: bool, stop_at: int | None) -> Care:
        """Return what the operator chose: by default, a run of all groups is never stopped."""
        default = NEVER_STOPS if all_groups else DEFAULT_STOP_AT
        return cls(all_groups, default if stop_at is None else stop_at)


@dataclass
class Settled:
    """What follows from the outcome of an event.

    Attributes:
        leave: The messages that are left, since their group is.
        left_because: Why the group is left from now on; None if it is not.
        stop_because: Why the run must stop; None if it need not.
    """

    leave: list[ReceivedMessage] = field(default_factory=list)
    left_because: str | None = None
    stop_because: str | None = None


@dataclass
class _Group:
    stage: Literal["first", "few", "open", "left"] = "first"
    started: int = 0
    succeeded: int = 0
    failed: int = 0
    waiting: deque[ReceivedMessage] = field(default_factory=deque)


class CarefulOrder:
    """The state of each group of a run. May be used from several threads.

    Memory grows by a few numbers for each group, and by at most 1,000 messages or 64 MiB that
    wait: `is_full` tells when to receive no more for now.

    Args:
        care: How carefully the run goes.
    """

    def __init__(self, care: Care) -> None:
        self._care = care
        self._lock = threading.Lock()
        self._groups: dict[str, _Group] = {}
        self._latest: deque[bool] = deque(maxlen=LATEST)
        self._released: deque[ReceivedMessage] = deque()
        self._waiting = 0
        self._waiting_bytes = 0

    @property
    def is_full(self) -> bool:
        """Whether so many messages wait that no more should be received for now."""
        with self._lock:
            held = self._waiting + len(self._released)
            return held >= MAX_WAITING or self._waiting_bytes >= MAX_WAITING_BYTES

    @property
    def holds_any(self) -> bool:
        """Whether a message waits for the outcome of others, or was released and not taken."""
        with self._lock:
            return bool(self._waiting or self._released)

    def take_released(self, count: int) -> list[ReceivedMessage]:
        """Return up to so many messages that waited and may start now."""
        with self._lock:
            return [self._released.popleft() for _ in range(min(count, len(self._released)))]

    def admit(self, message: ReceivedMessage, event: FailedEvent) -> Admission:
        """Return whether a message starts, waits or is left.

        Args:
            message: The message.
            event: The event in it.
        """
        if self._care.all_groups:
            return "start"
        id = fingerprint(event).id
        with self._lock:
            group = self._groups.setdefault(id, _Group())
            if group.stage == "left":
                return "leave"
            if group.started < _limit(group):
                group.started += 1
                return "start"
            group.waiting.append(message)
            self._waiting += 1
            self._waiting_bytes += len(message.body)
            return "wait"

    def conclude(self, event: FailedEvent, *, succeeded: bool) -> Settled:
        """Record the outcome of an event that started.

        Args:
            event: The event.
            succeeded: Whether its handler succeeded.
        """
        settled = Settled()
        with self._lock:
            self._latest.append(succeeded)
            settled.stop_because = self._why_stop()
            if not self._care.all_groups:
                group = self._groups[fingerprint(event).id]
                if succeeded:
                    group.succeeded += 1
                else:
                    group.failed += 1
                settled.left_because = self._next_stage(group)
                self._release(group, settled)
        return settled

    def _next_stage(self, group: _Group) -> str | None:
        """Advance a group; return why it is left if it is now."""
        if group.stage == "first":
            if group.failed:
                group.stage = "left"
                return "its first event failed again"
            group.stage = "few"
        elif group.stage == "few":
            # The first one succeeded.
            if group.failed * 100 > self._care.stop_at * FEW:
                group.stage = "left"
                return f"{group.failed} of its next {FEW} events failed again"
            if group.succeeded + group.failed > FEW:
                group.stage = "open"
        return None

    def _release(self, group: _Group, settled: Settled) -> None:
        if group.stage == "left":
            settled.leave = self._taken(group, len(group.waiting))
        else:
            started = self._taken(group, _limit(group) - group.started)
            group.started += len(started)
            self._released.extend(started)

    def _taken(self, group: _Group, count: int) -> list[ReceivedMessage]:
        taken = [group.waiting.popleft() for _ in range(min(count, len(group.waiting)))]
        self._waiting -= len(taken)
        self._waiting_bytes -= sum(len(message.body) for message in taken)
        return taken

    def _why_stop(self) -> str | None:
        # As many as are too many of 20 are too many, also before there are 20.
        failed = len(self._latest) - sum(self._latest)
        if failed * 100 <= self._care.stop_at * LATEST:
            return None
        return (
            f"{failed} of the last {len(self._latest)} events failed, and --stop-at "
            f"{self._care.stop_at} allows {self._care.stop_at * LATEST // 100} of {LATEST}: fix "
            "the cause, or raise --stop-at"
        )


def _limit(group: _Group) -> int:
    """Return how many events of a group may have started."""
    if group.stage == "open":
        return group.started + len(group.waiting) + 1
    return 1 if group.stage == "first" else 1 + FEW
