"""The state behind the page: what the last look saw, and what was done since."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone

from failure_destinations.deployed.location import Location
from failure_destinations.deployed.source_queues import SourceQueues
from failure_destinations.errors import CommandError, aws_message, is_aws_error
from failure_destinations.replay.batches import lacks_records
from failure_destinations.replay.origins import QueueOrigin
from failure_destinations.replay.peek import peek
from failure_destinations.replay.queue_dead_letters import QueueDeadLetters
from failure_destinations.replay.received_message import ReceivedMessage
from failure_destinations.runtime.console import function_link, log_link, queue_link

from .connection import Connection
from .counting import Counting
from .jobs import Job
from .places import SOURCE_QUEUES, Place
from .snapshot import LookedAt, Row, Snapshot
from .spool import Spool

_LOOKS_AT_ONCE = 4


class Desk:
    """All pages of one server show the same desk.

    Args:
        connection: How to reach the account.
        places: The queues to look into.
        read_only: Whether nothing may be run, deleted or saved.

    Attributes:
        places: The queues.
        read_only: Whether nothing may be done.
        snapshot: What the last look saw.
        looking: How far the look is that runs now; None if none does.
        version: Goes up with each new snapshot.
        jobs: What was done from the page, the newest last.
        dark: Whether the pages are dark; None to follow the operator's system.
    """

    def __init__(
        self, connection: Connection, places: Sequence[Place], *, read_only: bool = False
    ) -> None:
        self.connection = connection
        self.places = tuple(places)
        self.read_only = read_only
        self.snapshot = Snapshot()
        self.looking: Counting | None = None
        self.version = 0
        self.jobs: list[Job] = []
        self.dark: bool | None = None
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._look_thread: threading.Thread | None = None

    def look(self) -> None:
        """Look into all queues, in another thread, unless a look runs already."""
        with self._lock:
            if self.looking is not None or self._closed.is_set():
                return
            self.looking = Counting()
            self._look_thread = threading.Thread(target=self._look, args=(self.looking,))
            self._look_thread.start()

    def start(self, job: Job) -> None:
        """Start a job; the queues are looked into again when it ends.

        Raises:
            CommandError: The page is read-only.
        """
        if self.read_only:
            raise CommandError("the page is read-only: start it without --read-only")
        self.jobs.append(job)
        job.start(self.look)

    @property
    def is_busy(self) -> bool:
        """Whether a look or a job runs."""
        return self.looking is not None or any(job.state == "running" for job in self.jobs)

    def close(self) -> None:
        """End the look and stop the jobs that run; wait until all is given back."""
        self._closed.set()
        for job in self.jobs:
            job.stop()
        for job in self.jobs:
            job.wait()
        look = self._look_thread
        if look is not None:
            look.join()
        if self.snapshot.spool is not None:
            self.snapshot.spool.close()

    def with_records(self, row: Row, message: ReceivedMessage) -> ReceivedMessage:
        """Return a message of a failed batch with its records, or with why they are not there.

        It reads from S3 or a stream, which takes time: call it in another thread.

        Args:
            row: The message's row.
            message: The message.
        """
        queue = next((one.queue for one in self.snapshot.looked_at if one.place == row.place), None)
        if queue is None or not lacks_records(message.event):
            return message
        aws = self.connection.connect()
        batches = QueueOrigin(aws, queue, row.place.deployed, part=row.place.choice.part).batches
        batches.prepare()
        return batches.complete(message)

    def links(self, row: Row, message: ReceivedMessage) -> dict[str, str]:
        """Return pages of the AWS console about a message, by what they show.

        Args:
            row: The message's row.
            message: The message.
        """
        queue = next((one.queue for one in self.snapshot.looked_at if one.place == row.place), None)
        if queue is None:
            return {}
        at = Location.of(queue.arn)
        found = {"queue": queue_link(at.partition, at.region, queue.url)}
        event = message.event
        if event is not None and event.function is not None and at.contains(event.function):
            # The default one; asking Lambda for each event would be slow.
            group = f"/aws/lambda/{event.function_name}"
            found["log"] = log_link(at.partition, at.region, group, event.request_id)
            found["function"] = function_link(at.partition, at.region, event.function_name or "")
        return {name: address for name, address in found.items() if address is not None}

    def _look(self, counting: Counting) -> None:
        spool = Spool()
        try:
            with ThreadPoolExecutor(_LOOKS_AT_ONCE) as pool:
                seen = list(
                    pool.map(lambda place: self._look_into(place, spool, counting), self.places)
                )
        except BaseException:
            spool.close()
            self.looking = None
            raise
        last = self.snapshot.spool
        rows = sorted(
            (row for _, of_place in seen for row in of_place),
            key=lambda row: (row.time is None, row.time, row.key),
        )
        self.snapshot = Snapshot(
            tuple(rows), tuple(one for one, _ in seen), datetime.now(timezone.utc), spool
        )
        self.version += 1
        self.looking = None
        if last is not None:
            last.close()

    def _look_into(
        self, place: Place, spool: Spool, counting: Counting
    ) -> tuple[LookedAt, list[Row]]:
        aws = self.connection.connect()
        rows: list[Row] = []
        warnings: list[str] = []
        queue, hidden = None, 0
        try:
            queue = place.choice.find(aws, place.deployed)
            if queue.max_receives is not None and not self.connection.spend_receives:
                warnings.append(
                    f"moves a message away after {queue.max_receives} receives, so it was not "
                    "looked into: --spend-receives does it all the same"
                )
                return LookedAt(place, queue, tuple(warnings)), rows
            with peek(aws.client("sqs"), queue, warnings, progress=counting) as messages:
                reading = QueueDeadLetters(
                    SourceQueues(aws), queue, all_messages=place.state == SOURCE_QUEUES
                )
                for received in messages:
                    message = received
                    # A channel's other queues hold failed events.
                    if place.choice.queue is not None:
                        message = reading.read(received, warnings.append)
                    rows.append(Row.of(message, place, spool))
                    if self._closed.is_set():
                        break
            hidden = messages.end.hidden
        except CommandError as error:
            warnings.append(str(error))
        except Exception as error:
            if not is_aws_error(error):
                raise
            warnings.append(aws_message(error))
        return LookedAt(place, queue, tuple(warnings), hidden), rows
