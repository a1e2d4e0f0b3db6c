"""An observable list: callbacks run for existing and for future items."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class ObservableList(Generic[T]):
    """A list whose observers see every item, earlier and later ones."""

    def __init__(self) -> None:
        self._items: list[T] = []
        self._observers: list[Callable[[T], None]] = []

    def __iter__(self) -> Iterator[T]:
        return iter(tuple(self._items))

    def append(self, item: T) -> None:
        """Add an item and call each observer with it."""
        self._items.append(item)
        for observer in self._observers:
            observer(item)

    def observe(self, observer: Callable[[T], None]) -> None:
        """Call the observer with each existing item, and with each later one."""
        self._observers.append(observer)
        for item in self._items:
            observer(item)
