"""A source whose failed batches get their records, several at a time, before they are yielded."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from failure_destinations.progress import NO_PROGRESS, Progress

from .batches import FETCHED_AT_ONCE, BatchFetcher, Wanted, lacks_records
from .received_message import ReceivedMessage
from .sources import Source, WrappedSource

_WAIT_SECONDS = 0.1


class FetchingSource(WrappedSource):
    """Yields wanted failed batches one by one, each once its records are there.

    Other messages do not wait for them. At most `FETCHED_AT_ONCE` batches are in memory besides
    those that were yielded.

    Args:
        source: The messages.
        fetcher: Fetches the records.
        wanted: Decides whose records are fetched.
    """

    def __init__(self, source: Source, fetcher: BatchFetcher, wanted: Wanted) -> None:
        super().__init__(source)
        self._fetcher = fetcher
        self._wanted = wanted
        self._pool = ThreadPoolExecutor(FETCHED_AT_ONCE)
        # What the source yielded for a message with records, by that message's object.
        self._originals: dict[int, ReceivedMessage] = {}

    def batches(self) -> Iterator[list[ReceivedMessage]]:
        """Yield batches until none are left; an empty one while all wait."""
        received: Iterator[list[ReceivedMessage]] | None = self._source.batches()
        lacking: deque[ReceivedMessage] = deque()
        running: dict[Future[ReceivedMessage], ReceivedMessage] = {}
        while True:
            while lacking and len(running) < FETCHED_AT_ONCE:
                message = lacking.popleft()
                self._fetcher.prepare()
                running[self._pool.submit(self._fetcher.complete, message)] = message
            if done := [future for future in running if future.done()]:
                for future in done:
                    yield [self._completed(future.result(), running.pop(future))]
            elif received is not None and not lacking:
                batch = next(received, None)
                if batch is None:
                    received = None
                    continue
                needs = [lacks_records(one.event) and self._wanted(one) for one in batch]
                lacking += [one for one, lacks in zip(batch, needs, strict=True) if lacks]
                yield [one for one, lacks in zip(batch, needs, strict=True) if not lacks]
            elif running:
                wait(running, _WAIT_SECONDS, FIRST_COMPLETED)
                yield []
            else:
                return

    def delete(self, message: ReceivedMessage) -> None:
        """Remove a message whose handler succeeded."""
        self._source.delete(self._original(message))

    def holds(self, message: ReceivedMessage) -> bool:
        """Return whether the source still holds a message exclusively."""
        return self._source.holds(self._originals.get(id(message), message))

    def keep(self, messages: Sequence[ReceivedMessage], *, may_run_seconds: int = 0) -> None:
        """Leave messages in the source."""
        originals = [self._original(message) for message in messages]
        self._source.keep(originals, may_run_seconds=may_run_seconds)

    def close(self, progress: Progress = NO_PROGRESS) -> None:
        """Give back all messages that were not deleted."""
        self._pool.shutdown(cancel_futures=True)
        self._source.close(progress)

    def _completed(self, completed: ReceivedMessage, original: ReceivedMessage) -> ReceivedMessage:
        self._originals[id(completed)] = original
        return completed

    def _original(self, message: ReceivedMessage) -> ReceivedMessage:
        return self._originals.pop(id(message), message)
