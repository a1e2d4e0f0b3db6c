"""Run a function on many items in processes that may hang or die."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, TypeVar

T = TypeVar("T")
_END = None


@dataclass(frozen=True)
class Failed:
    """An item without a result.

    Attributes:
        why: Why, in one line.
        is_late: Whether it took longer than allowed.
    """

    why: str
    is_late: bool = False


class _Worker(Generic[T]):
    """A process that works on one item at a time."""

    def __init__(self, function: Callable[[str], T]) -> None:
        ours, theirs = multiprocessing.Pipe()
        self.connection: Connection[Any, Any] = ours
        self.process = multiprocessing.Process(target=_serve, args=(function, theirs), daemon=True)
        self.process.start()
        theirs.close()
        self.item = ""
        self.started = 0.0

    def give(self, item: str) -> None:
        self.item, self.started = item, time.monotonic()
        self.connection.send(item)

    def take(self) -> T | Failed:
        try:
            taken: T | Failed = self.connection.recv()
        except (EOFError, OSError):
            self.process.join()
            return Failed(f"the process ended with exit code {self.process.exitcode}")
        return taken

    def stop(self) -> None:
        self.connection.close()
        self.process.kill()
        self.process.join()


@dataclass
class Crew(Generic[T]):
    """Processes that run a function on items.

    Attributes:
        function: The function; it must be importable, and raise nothing.
        processes: The number of processes.
        seconds: How long the function may take for one item.
    """

    function: Callable[[str], T]
    processes: int
    seconds: float
    _workers: list[_Worker[T]] = field(default_factory=list)

    def run(self, items: Iterable[str]) -> Iterator[tuple[str, T | Failed]]:
        """Yield each item with its result, in the order in which they are ready.

        A process that dies or takes too long is replaced by another one.
        """
        waiting = iter(items)
        try:
            while len(self._workers) < self.processes and self._start(waiting):
                pass
            while self._workers:
                yield from self._ready(waiting)
        finally:
            for worker in self._workers:
                worker.stop()
            self._workers.clear()

    def _start(self, waiting: Iterator[str]) -> bool:
        """Start a process for the next item; return whether there is one."""
        item = next(waiting, _END)
        if item is _END:
            return False
        worker = _Worker(self.function)
        worker.give(item)
        self._workers.append(worker)
        return True

    def _ready(self, waiting: Iterator[str]) -> Iterator[tuple[str, T | Failed]]:
        now = time.monotonic()
        first = min(worker.started for worker in self._workers)
        connections = [worker.connection for worker in self._workers]
        ready = wait(connections, max(0.0, first + self.seconds - now))
        now = time.monotonic()
        for worker in list(self._workers):
            if worker.connection in ready:
                item, result = worker.item, worker.take()
                following = None if worker.process.exitcode is not None else next(waiting, _END)
                if following is _END:
                    self._replace(worker, waiting)
                else:
                    worker.give(following)
                yield item, result
            elif now - worker.started >= self.seconds:
                self._replace(worker, waiting)
                yield worker.item, Failed(f"took more than {self.seconds:g} s", is_late=True)

    def _replace(self, worker: _Worker[T], waiting: Iterator[str]) -> None:
        self._workers.remove(worker)
        worker.stop()
        self._start(waiting)


def _serve(function: Callable[[str], T], connection: Connection[Any, Any]) -> None:
    while True:
        try:
            item = connection.recv()
        except (EOFError, OSError, KeyboardInterrupt):
            return
        try:
            connection.send(function(item))
        except KeyboardInterrupt:
            return
        except BaseException as error:
            connection.send(Failed(f"{type(error).__name__}: {error}"))
