"""The origins of replayed events: a channel's queue, any other queue, or a backup."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from failure_destinations.deployed.aws_errors import is_access_denied
from failure_destinations.deployed.channels import Channel
from failure_destinations.deployed.durable_queues import DurableQueues
from failure_destinations.deployed.handlers import ChannelHandlers
from failure_destinations.deployed.location import Location
from failure_destinations.deployed.mappings import Mappings
from failure_destinations.deployed.queues import Part, Queue
from failure_destinations.deployed.session import Aws
from failure_destinations.deployed.source_queues import SourceQueues
from failure_destinations.errors import CommandError
from failure_destinations.progress import NO_PROGRESS, Progress
from failure_destinations.runtime import FailedEvent
from failure_destinations.runtime.copies import lacks_payload
from failure_destinations.text import plural

from .authority import Authority
from .backup import read_backup, read_done
from .batches import BatchFetcher, Wanted
from .choosing import records_of_chosen
from .contents import Contents
from .copies import Copies, copy_queue_of, look_for_copies
from .filters import Filter
from .find import find_message, wanted
from .peek import CONNECTIONS, Look, LookEnd, peek
from .queue_dead_letters import QueueDeadLetters
from .received_message import ReceivedMessage
from .receiving import LANES
from .record_files import read_records
from .sources import CompletedSource, FileSource, QueueSource, Source


class Origin(Protocol):
    """The origin of a run's events."""

    @property
    def authority(self) -> Authority:
        """The authority that decides which functions its messages may have invoked."""

    @property
    def name(self) -> str:
        """ARN of the queue, or path of the backup."""

    @property
    def queue(self) -> Queue | None:
        """The queue, or several as one; None for a file."""

    @property
    def broken_lines(self) -> list[int]:
        """The numbers of the lines read so far that do not hold a message."""

    @property
    def mappings(self) -> Mappings:
        """The event source mappings of the functions that its messages name."""

    @property
    def batches(self) -> BatchFetcher:
        """What fetches the records of failed batches."""

    def peek(
        self,
        warnings: list[str],
        progress: Progress = NO_PROGRESS,
        *,
        fetch: Wanted | None = None,
    ) -> AbstractContextManager[Look]:
        """Yield the messages that a run would get, and leave them in place.

        Args:
            warnings: Gets a line if not all messages were received.
            progress: Gets the number of messages that were received and given back.
            fetch: Decides which failed batches get their records. Default: none.
        """

    def source(
        self,
        concurrency: int,
        progress: Progress = NO_PROGRESS,
        *,
        choosing: bool = False,
    ) -> Source:
        """Return the source for a run of `concurrency` handlers.

        Args:
            concurrency: The number of handlers that run at once.
            progress: Gets a line if the run looks elsewhere for payloads.
            choosing: Whether many messages are expected to stay, so that it is worth receiving with
                several requests at once.
        """


class QueueOrigin:
    """A queue.

    Args:
        aws: The account and Region of the queue.
        queue: The queue.
        channel: The queue's channel, of which only the handlers may be invoked. None if the
            operator named the queue itself: its messages may name every function there.
        allowed: ARNs of functions that may be invoked in addition to the channel's handlers.
        part: Which queue of the channel it is.
        dead_letters: Reads messages that SQS moved here from a function's event source. Default:
            every message is read as what its text says.

    Raises:
        CommandError: An allowed function is in another account or Region.
    """

    def __init__(
        self,
        aws: Aws,
        queue: Queue,
        channel: Channel | None = None,
        allowed: frozenset[str] = frozenset(),
        *,
        part: Part = "main",
        dead_letters: QueueDeadLetters | None = None,
    ) -> None:
        self._aws = aws
        self.queue = queue
        self._dead_letters = dead_letters
        self.name = queue.arn
        self.channel = channel
        self._part = part
        self.broken_lines: list[int] = []
        location = Location.of(queue.arn)
        handlers = None
        destinations = channel.failure_destinations if channel is not None else ()
        lambda_ = aws.client("lambda")
        self.mappings = Mappings(lambda: lambda_, destinations)
        # The mappings of a source queue say which function gets its dead letters, not a message.
        if channel is not None and part != "source-queues":
            topic, copies = channel.topic_arn, channel.copy_queue_arn
            durable = DurableQueues(aws.client("sqs"), channel.dead_letter_queue_arn)
            handlers = ChannelHandlers(aws.client("lambda"), topic, copies, durable, self.mappings)
        self.authority = Authority(lambda: location, handlers, allowed)
        self.batches = BatchFetcher(aws, lambda: location, self._buckets, self._check_stream)

    def _check_stream(self, event: FailedEvent, stream: str) -> None:
        """Raise PermissionError if a stream is not read for the channel by an event's function.

        Whoever may send to the queue could otherwise have the operator's permissions read a stream
        that the function may not read. If the operator named the queue itself, its messages are
        trusted with every stream of the location, as with every function.
        """
        from botocore.exceptions import ClientError  # noqa: PLC0415 - start-up time

        if self.channel is None:
            return
        try:
            if self.mappings.read_for_channel(event.function, stream):
                return
        except ClientError as error:
            if not is_access_denied(error):
                raise
            raise PermissionError(
                f"cannot see whether {event.function} reads {stream}: allow "
                "lambda:ListEventSourceMappings"
            ) from None
        raise PermissionError(
            f"no event source mapping of {event.function} and {stream} sends failed batches to "
            "the channel; if you trust the messages of the queue, pass "
            f"--queue {self.queue.name} instead of --stack"
        )

    def _buckets(self) -> Collection[str]:
        """Return the buckets that may hold failed batches: without a channel, those of mappings."""
        if self.channel is None:
            return self.mappings.buckets()
        return [self.channel.batch_bucket] if self.channel.batch_bucket else []

    @contextmanager
    def peek(
        self,
        warnings: list[str],
        progress: Progress = NO_PROGRESS,
        *,
        fetch: Wanted | None = None,
    ) -> Iterator[Look]:
        """Yield each message once, and give them all back at the end.

        Records without their payload come last, with the payloads of their copies.
        """
        sqs = self._aws.client("sqs", connections=CONNECTIONS)
        with peek(sqs, self.queue, warnings, progress=progress) as messages:
            completed = self._complete(messages, warnings, progress)
            if fetch is not None:
                completed = self.batches.complete_all(completed, fetch)
            yield Look(completed, messages.end)

    def find(
        self, chosen: Filter, warnings: list[str], progress: Progress = NO_PROGRESS
    ) -> ReceivedMessage:
        """Return the first message that a filter chooses, and receive nothing more.

        Args:
            chosen: The filter.
            warnings: Gets a line if not all messages were received.
            progress: Gets the number of messages that were received and given back.

        Raises:
            CommandError: The queue does not hold such a message.
        """
        sqs = self._aws.client("sqs", connections=CONNECTIONS)
        fetch = records_of_chosen(chosen, self.authority.location)

        def read(message: ReceivedMessage) -> ReceivedMessage:
            message = self._read(message, warnings.append)
            if not (chosen.reads_payloads and fetch(message)):
                return message
            self.batches.prepare()
            return self.batches.complete(message)

        try:
            found = find_message(sqs, self.queue, chosen, warnings, read=read, progress=progress)
        except CommandError as error:
            raise CommandError("; ".join([str(error), *self.batches.lines()])) from None
        completed = self._complete(iter([found]), warnings, progress)
        return next(self.batches.complete_all(completed, lambda _: True))

    def source(
        self,
        concurrency: int,
        progress: Progress = NO_PROGRESS,
        *,
        choosing: bool = False,
    ) -> Source:
        """Return the source for a run of `concurrency` handlers."""
        # Where receives are counted, one after the other can stop in time.
        may_race = self.queue.max_receives is None and not self.queue.has_fifo
        lanes = LANES if choosing and may_race else 1
        sqs = self._aws.client("sqs", connections=concurrency + CONNECTIONS)

        def look(lacking: Sequence[ReceivedMessage]) -> AbstractContextManager[Copies]:
            count = plural(len(lacking), "record")
            progress.say(f"looking through the copy queue for the payloads of {count}")
            return self._look(lacking, [])

        return CompletedSource(
            QueueSource(sqs, self.queue, lanes),
            lambda message: self._read(message, progress.say),
            look if self._may_have_copies else None,
        )

    @property
    def _may_have_copies(self) -> bool:
        """Whether to look for the payloads that records lack: not among copies themselves."""
        return self._part != "copies" and (
            self.channel is None or self.channel.copy_queue is not None
        )

    def _copy_queues(self, lacking: Sequence[ReceivedMessage]) -> list[str]:
        """Return the channel's copy queue; without a channel, those of the records' functions."""
        if self.channel is not None:
            return [self.channel.copy_queue] if self.channel.copy_queue else []
        named = {one.event.function for one in lacking if one.event and one.event.function}
        location = self.authority.location
        client = self._aws.client("lambda")
        found = {copy_queue_of(client, arn) for arn in named if location.contains(arn)}
        return sorted(queue for queue in found if queue is not None)

    def _look(
        self,
        lacking: Sequence[ReceivedMessage],
        warnings: list[str],
        progress: Progress = NO_PROGRESS,
    ) -> AbstractContextManager[Copies]:
        queues = self._copy_queues(lacking)
        return look_for_copies(self._aws, queues, lacking, warnings, progress)

    def _read(self, message: ReceivedMessage, note: Callable[[str], None]) -> ReceivedMessage:
        """Return a message read as what it is in this queue.

        A channel's own subscription writes raw records to the dead-letter queue, so a notification
        there is what another subscriber, such as a function, did not get.
        """
        if self._dead_letters is not None:
            message = self._dead_letters.read(message, note)
        event = message.event
        records = ("destination", "event-source")
        if self._part != "dead-letter" or event is None or event.source not in records:
            return message
        read = ReceivedMessage.of_subscription(message.message, message.retention)
        own = self.channel is not None and self.channel.subscription_arn
        return message if read.event is None or read.event.subscription == own else read

    def _complete(
        self, messages: Iterator[ReceivedMessage], warnings: list[str], progress: Progress
    ) -> Iterator[ReceivedMessage]:
        lacking = []
        for received in messages:
            message = self._read(received, warnings.append)
            if self._may_have_copies and lacks_payload(message.event):
                lacking.append(message)
            else:
                yield message
        if lacking:
            with self._look(lacking, warnings, progress) as copies:
                for message in lacking:
                    yield copies.complete(message)


class FileOrigin:
    """A backup, or records that Lambda wrote to a bucket and somebody downloaded.

    The messages may name every function in the operator's account and Region.

    Args:
        aws: The account and Region to work in.
        path: The file or folder, beside which a `.done` file records successes.
        are_records: Whether it holds one record a file; else it is a backup.
    """

    def __init__(self, aws: Aws, path: Path, *, are_records: bool = False) -> None:
        self._path = path
        self._are_records = are_records
        self.name = str(path.absolute())
        self.broken_lines: list[int] = []
        self.queue: Queue | None = None
        self.authority = Authority(lambda: Location.of_caller(aws))
        self._dead_letters = QueueDeadLetters(SourceQueues(aws))
        self.batches = BatchFetcher(
            aws,
            lambda: self.authority.location,
            # No client is made for files that hold all records.
            lambda: self.mappings.buckets(),  # noqa: PLW0108
        )
        self._aws = aws

    @functools.cached_property
    def mappings(self) -> Mappings:
        """The event source mappings of the operator's account and Region."""
        return Mappings(lambda: self._aws.client("lambda"))

    @contextmanager
    def peek(
        self,
        warnings: list[str],
        progress: Progress = NO_PROGRESS,
        *,
        fetch: Wanted | None = None,
    ) -> Iterator[Look]:
        """Yield each message that did not succeed in an earlier run."""
        del progress  # A file is read without it.
        done = read_done(self._path)
        messages = self.messages(warnings.append)
        if fetch is not None:
            messages = self.batches.complete_all(messages, fetch)
        yield Look((each for each in messages if each.key not in done), LookEnd())

    def find(self, chosen: Filter) -> ReceivedMessage:
        """Return the first message that a filter chooses.

        Args:
            chosen: The filter.

        Raises:
            CommandError: There is no such message; says what there is instead.
        """
        contents = Contents()
        for message in self.messages():
            if chosen.matches(message):
                return message
            contents.add(message)
        listed = "" if chosen.ids else contents.sentence()
        said = f"{self._path} does not hold {wanted(chosen)}"
        raise CommandError("; ".join(filter(None, [said, listed])))

    def messages(self, note: Callable[[str], None] = lambda _: None) -> Iterator[ReceivedMessage]:
        """Yield each message, also those that succeeded in an earlier run.

        Args:
            note: Gets a line if it is not known which function gets a message. Default: nobody.
        """
        if self._are_records:
            yield from read_records(self._path)
            return
        for message in read_backup(self._path, self.broken_lines):
            yield self._dead_letters.read(message, note)

    def source(
        self,
        concurrency: int,  # noqa: ARG002
        progress: Progress = NO_PROGRESS,
        *,
        choosing: bool = False,  # noqa: ARG002
    ) -> Source:
        """Return the source for a run."""
        return FileSource(lambda: self.messages(progress.say))
