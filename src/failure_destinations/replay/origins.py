"""The origins of replayed events: a channel's queue, any other queue, or a backup."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from failure_destinations.deployed.channels import Channel
from failure_destinations.deployed.handlers import ChannelHandlers
from failure_destinations.deployed.location import Location
from failure_destinations.deployed.queues import Queue, QueueChoice
from failure_destinations.deployed.session import Aws
from failure_destinations.progress import NO_PROGRESS, Progress

from .authority import Authority
from .backup import read_backup, read_done
from .peek import peek
from .received_message import ReceivedMessage
from .sources import FileSource, QueueSource, Source


class Origin(Protocol):
    """The origin of a run's events."""

    @property
    def authority(self) -> Authority:
        """The authority that decides which functions its messages may have invoked."""

    @property
    def broken_lines(self) -> list[int]:
        """The numbers of the lines read so far that do not hold a message."""

    def peek(
        self, warnings: list[str], progress: Progress = NO_PROGRESS
    ) -> AbstractContextManager[Iterator[ReceivedMessage]]:
        """Yield the messages that a run would get, and leave them in place."""

    def source(self, concurrency: int) -> Source:
        """Return the source for a run of `concurrency` handlers."""


class QueueOrigin:
    """A queue.

    Args:
        aws: The account and Region of the queue.
        queue: The queue.
        channel: The queue's channel, of which only the handlers may be invoked. None if the
            operator named the queue itself: its messages may name every function there.
        allowed: ARNs of functions that may be invoked in addition to the channel's handlers.

    Raises:
        CommandError: An allowed function is in another account or Region.
    """

    def __init__(
        self,
        aws: Aws,
        queue: Queue,
        channel: Channel | None = None,
        allowed: frozenset[str] = frozenset(),
    ) -> None:
        self._aws = aws
        self.queue = queue
        self.broken_lines: list[int] = []
        location = Location.of(queue.arn)
        handlers = None
        if channel is not None:
            topic, copies = channel.topic_arn, channel.copy_queue_arn
            handlers = ChannelHandlers(aws.client("lambda"), topic, copies)
        self.authority = Authority(lambda: location, handlers, allowed)

    @classmethod
    def choose(
        cls, aws: Aws, choice: QueueChoice, allowed: frozenset[str], *, to_peek: bool
    ) -> QueueOrigin:
        """Return the queue that the operator named.

        Args:
            aws: The account and Region to work in.
            choice: The operator's options.
            allowed: ARNs of functions that may be invoked in addition to the channel's handlers.
            to_peek: Whether messages will be received without being replayed.

        Raises:
            CommandError: The queue is not named, does not exist, or counts receives.
        """
        channel = choice.find_channel(aws)
        queue = choice.find_to_peek(aws, channel) if to_peek else choice.find(aws, channel)
        return cls(aws, queue, channel, allowed)

    def peek(
        self, warnings: list[str], progress: Progress = NO_PROGRESS
    ) -> AbstractContextManager[Iterator[ReceivedMessage]]:
        """Yield each message once, and give them all back at the end."""
        return peek(self._aws.client("sqs"), self.queue, warnings, progress=progress)

    def source(self, concurrency: int) -> Source:
        """Return the source for a run of `concurrency` handlers."""
        return QueueSource(self._aws.client("sqs", connections=concurrency + 10), self.queue)


class BackupOrigin:
    """A backup, whose messages may name every function in the operator's account and Region.

    Args:
        aws: The account and Region to work in.
        path: The file.
    """

    def __init__(self, aws: Aws, path: Path) -> None:
        self._path = path
        self.broken_lines: list[int] = []
        self.authority = Authority(lambda: Location.of_caller(aws))

    @contextmanager
    def peek(
        self, warnings: list[str], progress: Progress = NO_PROGRESS
    ) -> Iterator[Iterator[ReceivedMessage]]:
        """Yield each message that did not succeed in an earlier run."""
        del warnings, progress  # A file is read without either.
        done = read_done(self._path)
        messages = read_backup(self._path, self.broken_lines)
        yield (message for message in messages if message.key not in done)

    def source(self, concurrency: int) -> Source:  # noqa: ARG002
        """Return the source for a run."""
        return FileSource(self._path, self.broken_lines)
