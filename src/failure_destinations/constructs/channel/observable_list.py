"""What was added to a channel, for who follows it: what is there, and what comes later."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Register(Generic[T]):
    """Tells its followers of every item, whichever came first."""

    def __init__(self) -> None:
        self._items: list[T] = []
        self._followers: list[Callable[[T], None]] = []

    def add(self, item: T) -> None:
        """Add an item, and tell the followers of it."""
        self._items.append(item)
        for follower in self._followers:
            follower(item)

    def follow(self, follower: Callable[[T], None]) -> None:
        """Call the follower for each item there is, and for each that comes."""
        self._followers.append(follower)
        for item in self._items:
            follower(item)
