"""Several queues as one origin of events: a channel's dead-letter queues of source queues."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from failure_destinations.deployed.queues import Queue
from failure_destinations.errors import CommandError
from failure_destinations.progress import NO_PROGRESS, Progress

from .authority import Authority
from .batches import Wanted
from .filters import Filter
from .origins import QueueOrigin
from .peek import Look, LookEnd
from .received_message import ReceivedMessage
from .sources import Source


class SeveralQueues:
    """Queues whose messages are received one queue after the other.

    Args:
        queue: The queues as one.
        origins: The queues, at least one.
    """

    def __init__(self, queue: Queue, origins: Sequence[QueueOrigin]) -> None:
        self.queue = queue
        self.name = queue.arn
        self.channel = origins[0].channel
        self.authority: Authority = origins[0].authority
        # A source queue's dead letter is never a batch, so it fetches nothing.
        self.batches = origins[0].batches
        self.mappings = origins[0].mappings
        self.broken_lines: list[int] = []
        self._origins = origins

    @contextmanager
    def peek(
        self,
        warnings: list[str],
        progress: Progress = NO_PROGRESS,
        *,
        fetch: Wanted | None = None,
    ) -> Iterator[Look]:
        """Yield each message once, and give them all back at the end."""
        end = LookEnd()
        with ExitStack() as stack:
            yield Look(self._each(stack, end, warnings, progress, fetch), end)

    def find(
        self, chosen: Filter, warnings: list[str], progress: Progress = NO_PROGRESS
    ) -> ReceivedMessage:
        """Return the first message that a filter chooses, and receive nothing more.

        Args:
            chosen: The filter.
            warnings: Gets a line if not all messages were received.
            progress: Gets the number of messages that were received and given back.

        Raises:
            CommandError: No queue holds such a message.
        """
        problems = []
        for origin in self._origins:
            try:
                return origin.find(chosen, warnings, progress)
            except CommandError as error:
                problems.append(str(error))
        raise CommandError("; ".join(problems))

    def source(
        self,
        concurrency: int,
        progress: Progress = NO_PROGRESS,
        *,
        choosing: bool = False,
    ) -> Source:
        """Return the source for a run of `concurrency` handlers."""
        return SeveralSources(
            self.queue,
            [
                lambda origin=origin: origin.source(  # type: ignore[misc]
                    concurrency, progress, choosing=choosing
                )
                for origin in self._origins
            ],
        )

    def _each(
        self,
        stack: ExitStack,
        end: LookEnd,
        warnings: list[str],
        progress: Progress,
        fetch: Wanted | None,
    ) -> Iterator[ReceivedMessage]:
        for origin in self._origins:
            messages = stack.enter_context(origin.peek(warnings, progress, fetch=fetch))
            yield from messages
            end.hidden += messages.end.hidden


class SeveralSources:
    """The messages of several sources, one after the other. Each is opened when it is its turn.

    Args:
        queue: The queues as one.
        sources: Open the sources, in order.
    """

    def __init__(self, queue: Queue, sources: Sequence[Callable[[], Source]]) -> None:
        self.total: int | None = queue.visible
        self.max_receives = queue.max_receives
        self._unopened = list(reversed(sources))
        self._opened: list[Source] = []
        self._source_of: dict[str, Source] = {}
        self._lock = threading.Lock()

    @property
    def ended_early(self) -> str | None:
        """Why a queue may have more messages than it yielded; None if none has."""
        return "; ".join(filter(None, (one.ended_early for one in self._opened))) or None

    @property
    def hidden(self) -> int:
        """About how many messages it could not yield, once it has yielded all others."""
        return sum(source.hidden for source in self._opened)

    def batches(self) -> Iterator[list[ReceivedMessage]]:
        """Yield received messages until all queues are empty."""
        for source in list(self._opened):
            yield from self._batches(source)
        while self._unopened:
            source = self._unopened.pop()()
            self._opened.append(source)
            yield from self._batches(source)

    def delete(self, message: ReceivedMessage) -> None:
        """Delete a message from its queue."""
        with self._lock:
            source = self._source_of.pop(message.receipt_handle)
        source.delete(message)

    def holds(self, message: ReceivedMessage) -> bool:
        """Return whether a message is still hidden from other consumers of its queue."""
        return self._of(message).holds(message)

    def keep(self, messages: Sequence[ReceivedMessage], *, may_run_seconds: int = 0) -> None:
        """Leave messages in their queues."""
        for source in self._opened:
            own = [message for message in messages if self._of(message) is source]
            if own:
                source.keep(own, may_run_seconds=may_run_seconds)
        with self._lock:
            for message in messages:
                self._source_of.pop(message.receipt_handle, None)

    def close(self, progress: Progress = NO_PROGRESS) -> None:
        """Give back all messages that were not deleted."""
        with ExitStack() as stack:
            for source in self._opened:
                stack.callback(source.close, progress)

    def _batches(self, source: Source) -> Iterator[list[ReceivedMessage]]:
        for batch in source.batches():
            with self._lock:
                self._source_of.update((message.receipt_handle, source) for message in batch)
            yield batch

    def _of(self, message: ReceivedMessage) -> Source:
        with self._lock:
            return self._source_of[message.receipt_handle]
