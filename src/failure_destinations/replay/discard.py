"""Deletes messages that must not run from a queue, once they are safe in a backup."""

from __future__ import annotations

import dataclasses
import threading
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import compress
from operator import not_
from pathlib import Path

from failure_destinations.deployed.location import Location
from failure_destinations.deployed.queues import QueueChoice
from failure_destinations.deployed.session import Aws
from failure_destinations.errors import CommandError, aws_message, is_aws_error
from failure_destinations.progress import NO_PROGRESS, Progress

from .backup import Backup, check_backup
from .batches import Wanted, lacks_records, short_obstacle
from .choose_origin import choose_origin
from .choosing import is_chosen
from .contents import Contents
from .fetching import FetchingSource
from .filters import Filter
from .held_messages import BATCH_SIZE
from .journal import Journal
from .options import ReplayOptions, options_to_json
from .received_message import ReceivedMessage
from .sources import Source
from .whole_groups import with_whole_groups


@dataclass(frozen=True)
class DiscardOptions:
    """What to discard.

    Attributes:
        choice: The options that name a queue.
        backup: The file that gets each message before it is deleted. It may be a backup to add to.
        chosen: The operator's filter of failed events, and of other messages by their id.
        not_events: Whether to discard all messages that are not failed events too.
        everything: Whether to discard every message, in place of a filter.
        at_most: The most messages to discard. Default: no limit.
    """

    choice: QueueChoice
    backup: Path
    chosen: Filter = field(default_factory=Filter)
    not_events: bool = False
    everything: bool = False
    at_most: int | None = None

    def check(self) -> None:
        """Raise CommandError if nothing is chosen, or the backup cannot be used."""
        check_backup(self.backup)
        if self.everything and (self.chosen.excludes_any or self.not_events):
            raise CommandError("--everything discards every message: leave out the other choices")
        if not (self.everything or self.not_events or self.chosen.excludes_any):
            raise CommandError(
                "which messages? choose them, for example with --id or --error-type, or pass "
                "--not-failed-events or --everything"
            )

    def takes(self, message: ReceivedMessage, location: Location) -> bool:
        """Return whether a message is to be discarded.

        Args:
            message: The message.
            location: The queue's location.
        """
        if self.everything or (self.not_events and message.event is None):
            return True
        return self.chosen.excludes_any and is_chosen(message, self.chosen, location)


@dataclass
class DiscardPlan:
    """The messages that would be discarded.

    Attributes:
        events: The number of failed events, by function and type of error.
        not_events: The number of messages that are not failed events, by what they are.
        ids: The messages' ids.
        hidden: The number of messages that could not be received, because other consumers have them
            or they are delayed; about so many.
        stored: The number of failed batches among them that are kept in S3 too.
    """

    events: Counter[tuple[str, str]] = field(default_factory=Counter)
    not_events: Counter[str] = field(default_factory=Counter)
    ids: set[str] = field(default_factory=set)
    hidden: int = 0
    stored: int = 0

    @property
    def total(self) -> int:
        """The number of messages."""
        return len(self.ids)


@dataclass
class Discarded:
    """What became of the messages.

    Attributes:
        discarded: Those that were deleted; the backup has each.
        without_records: Failed batches among them whose records are gone, so that the backup has
            only what their messages say of them.
        stay: Those that were not chosen, or came after they were counted.
        not_deleted: Ids of messages that could not be deleted, with the reason.
        not_saved: Ids of failed batches that stay because their records were not read, with the
            reason.
        hidden: Those that could not be received, because other consumers have them or they are
            delayed; about so many. 0 if they were counted before.
        interrupted: Whether the user stopped it.
        stopped: Why it stopped by itself before the end; None if it did not.
    """

    discarded: int = 0
    without_records: int = 0
    stay: int = 0
    not_deleted: list[str] = field(default_factory=list)
    not_saved: list[str] = field(default_factory=list)
    hidden: int = 0
    interrupted: bool = False
    stopped: str | None = None

    @property
    def complete(self) -> bool:
        """Whether everything that was chosen was discarded, and that was something."""
        stays = (
            self.not_deleted or self.not_saved or self.hidden or self.interrupted or self.stopped
        )
        return bool(self.discarded) and not stays


class Discard:
    """Counts messages, and discards them.

    A message is deleted once it is in the backup, on the disk. Whenever the process ends, each
    message is in the backup or in the queue.

    Args:
        aws: The account and Region to work in.
        options: What to discard.

    Attributes:
        queue: The queue.
        tally: What became of the messages so far.
        name: The name of the run, which has a journal; None before it.
        problem: Why there is no journal, or not all of it; None if there is.
        contents: Counts the messages that are not chosen.

    Raises:
        CommandError: Nothing is chosen, the backup cannot be used, or the queue does not exist or
            counts receives.
    """

    def __init__(self, aws: Aws, options: DiscardOptions) -> None:
        options.check()
        self._aws = aws
        self._options = options
        self._origin = choose_origin(aws, options.choice, to_peek=True)
        self._location = Location.of(self._origin.queue.arn)
        self._stop = threading.Event()
        self.queue = self._origin.queue
        self.tally = Discarded()
        self.name: str | None = None
        self.problem: str | None = None
        self.contents = Contents()

    def stop(self) -> None:
        """Delete nothing more. May be called from any thread."""
        self.tally.interrupted = True
        self._stop.set()

    def last_words(self) -> str:
        """Return the line to print if the process ends at once."""
        return (
            f"gave up: {self.tally.discarded:,} discarded, and each is in the backup; the others "
            "are in the queue again in a few minutes"
        )

    def plan(self, warnings: list[str], progress: Progress = NO_PROGRESS) -> DiscardPlan:
        """Count the messages, and give them all back.

        Args:
            warnings: Gets a line if not all messages were received.
            progress: Gets the number of messages that were received and given back.

        Raises:
            CommandError: The beginning of a group's id stands for several groups.
        """
        plan = DiscardPlan()
        groups: set[str | None] = set()
        fetch = self._fetch() if self._options.chosen.reads_payloads else None
        with self._origin.peek(warnings, progress, fetch=fetch) as messages:
            for message in messages:
                if self._stop.is_set() or plan.total == self._options.at_most:
                    break
                if self._options.takes(message, self._location):
                    plan.ids.add(message.id)
                    groups.add(message.group)
                    self._count(plan, message)
                else:
                    self.contents.add(message)
        self._options.chosen.check_groups(groups)
        plan.hidden = messages.end.hidden
        warnings += self.unsearched()
        return plan

    def unsearched(self) -> list[str]:
        """Return which failed batches could not be searched, a line for each reason."""
        return self._origin.batches.lines() if self._options.chosen.reads_payloads else []

    def run(self, plan: DiscardPlan | None = None, progress: Progress = NO_PROGRESS) -> Discarded:
        """Discard messages until none is left or `stop` is called.

        Args:
            plan: The messages to discard. Default: all that are chosen when they are received.
            progress: Gets a report of each message that was discarded.

        Raises:
            CommandError: The backup is in use or cannot be written, or the beginning of a group's
                id stands for several groups, before anything was deleted.
        """
        backup = Backup(self._options.backup, write_messages=True)
        try:
            if plan is None:
                chosen = with_whole_groups(self._origin, self._options.chosen, progress)
                self._options = dataclasses.replace(self._options, chosen=chosen)
            journal = self._begin_journal()
            source = FetchingSource(
                self._origin.source(BATCH_SIZE, progress, choosing=not self._options.everything),
                self._origin.batches,
                self._fetch(plan),
            )
            try:
                progress.start("discarding", self.queue.visible if plan is None else plan.total)
                self._discard_all(source, plan, backup, journal, progress)
            finally:
                source.close(progress)
                if journal is not None:
                    self._end_journal(journal)
        finally:
            backup.close()
        return self.tally

    def _discard_all(
        self,
        source: Source,
        plan: DiscardPlan | None,
        backup: Backup,
        journal: Journal | None,
        progress: Progress,
    ) -> None:
        left = self._options.at_most if plan is None else plan.total
        with ThreadPoolExecutor(BATCH_SIZE) as pool:
            for batch in source.batches():
                if self._stop.is_set():
                    return
                chosen = [self._is_planned(message, plan) for message in batch]
                self.tally.stay += chosen.count(False)
                planned = [
                    is_chosen and self._is_complete(message)
                    for message, is_chosen in zip(batch, chosen, strict=True)
                ]
                self._keep(source, list(compress(batch, map(not_, planned))))
                discarded = list(compress(batch, planned))[:left]
                backup.add(discarded)
                before = self.tally.discarded
                for message, error in zip(
                    discarded,
                    pool.map(lambda one: self._delete(source, one), discarded),
                    strict=True,
                ):
                    self._settle(message, error, journal)
                progress.advance(self.tally.discarded - before)
                left = None if left is None else left - len(discarded)
                if self.tally.stopped or left == 0:
                    return
        self.tally.stopped = source.ended_early
        self.tally.hidden = source.hidden if plan is None else 0

    def _fetch(self, plan: DiscardPlan | None = None) -> Wanted:
        """Return whose records the backup needs: those of failed batches that may be discarded."""
        may_be = dataclasses.replace(self._options, chosen=self._options.chosen.without_payloads)
        # Without what looks into payloads, a filter may choose all.
        every = self._options.chosen.excludes_any and not may_be.chosen.excludes_any

        def wanted(message: ReceivedMessage) -> bool:
            if plan is not None and message.id not in plan.ids:
                return False
            return every or may_be.takes(message, self._location)

        return wanted

    def _is_complete(self, message: ReceivedMessage) -> bool:
        """Return whether the backup can hold the whole message."""
        event = message.event
        if event is None or event.records_unread is None:
            return True
        self.tally.not_saved.append(f"{message.id}: {short_obstacle(event)}")
        return False

    def _is_planned(self, message: ReceivedMessage, plan: DiscardPlan | None) -> bool:
        if plan is not None and message.id not in plan.ids:
            return False
        if self._options.takes(message, self._location):
            return True
        self.contents.add(message)
        return False

    def _keep(self, source: Source, messages: Sequence[ReceivedMessage]) -> None:
        if not messages:
            return
        limit = source.max_receives
        most = max(message.receives for message in messages)
        if limit is not None and most >= limit - 1:
            self.tally.stopped = (
                f"a message that was not chosen was received {most} of {limit} times, after which "
                "the queue moves it away"
            )
        try:
            source.keep(messages)
        except Exception as error:
            # They are hidden for only two minutes, and not chosen when they are received again.
            if not is_aws_error(error):
                raise

    def _delete(self, source: Source, message: ReceivedMessage) -> str | None:
        """Delete a message; return why it cannot be deleted."""
        if not source.holds(message):
            return "another consumer may have it by now"
        try:
            source.delete(message)
        except Exception as error:
            if not is_aws_error(error):
                raise
            return aws_message(error)
        return None

    def _settle(self, message: ReceivedMessage, error: str | None, journal: Journal | None) -> None:
        if error is None:
            self.tally.discarded += 1
            self.tally.without_records += lacks_records(message.event)
            if journal is not None:
                journal.event(message, "discarded")
            return
        self.tally.not_deleted.append(f"{message.id}: {error}")
        self.tally.stopped = "messages cannot be deleted"

    def _count(self, plan: DiscardPlan, message: ReceivedMessage) -> None:
        event = message.event
        if event is None:
            plan.not_events[message.reason or "?"] += 1
        else:
            function = self._origin.authority.shown(event) or event.sender or "?"
            plan.events[function, event.error_type or "?"] += 1
            plan.stored += event.batch is not None and event.batch.stored is not None

    def _begin_journal(self) -> Journal | None:
        options = self._options
        chosen = ReplayOptions(options.choice, options.chosen, options.at_most)
        given = options_to_json(chosen)
        given["backup"] = str(options.backup.absolute())
        if options.not_events:
            given["not-failed-events"] = True
        if options.everything:
            given["everything"] = True
        about = {
            "source": self.queue.arn,
            "region": self._aws.session.region_name,
            "identity": self._aws.caller_arn(),
            "options": given,
        }
        journal, self.problem = Journal.try_to_begin("discard", about)
        self.name = None if journal is None else journal.name
        return journal

    def _end_journal(self, journal: Journal) -> None:
        tally = self.tally
        journal.end({"interrupted": tally.interrupted, "stopped": tally.stopped})
        self.problem = journal.gap
