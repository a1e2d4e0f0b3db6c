"""A replay as the operator asked for it: its options, its plan and its run.

The command and the page both work with it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from failure_destinations.deployed.session import Aws
from failure_destinations.errors import CommandError
from failure_destinations.progress import NO_PROGRESS, Progress
from failure_destinations.runtime import Outcome

from .asynchronous import AsynchronousInvoker, check_asynchronous_support
from .backup import Backup, read_done
from .batch_parts import BatchChoice, BatchInvoker
from .batches import lacks_records
from .choose_origin import choose_origin
from .contents import Contents
from .fetching import FetchingSource
from .held_messages import BATCH_SIZE
from .in_order import MAX_WAITING, InOrder
from .invoked_functions import InvokedFunctions, check_tenant_support, read_settings
from .invoker import Invoker
from .journal import NEWEST, Journal
from .newest_records import NewestRecords
from .options import ReplayOptions, check_chooses_one, options_to_json
from .origins import FileOrigin, Origin
from .past_runs import PastRun, newest_of_past_runs
from .plan import Plan, make_plan
from .received_message import ReceivedMessage
from .rule_inputs import AS_THEY_ARE, RuleInputs, passes_as_it_is
from .run import ReplayRun
from .selection import Selection
from .sources import Source
from .tally import Tally
from .whole_groups import with_whole_groups


class ReplayOperation:
    """A replay that can be planned, run once, and stopped.

    Args:
        aws: The account and Region to work in.
        options: What to replay, and how.
        to_run: Whether events are to be run, not only counted.
        resumes: The run to go on with: it gets the same name and journal, and what succeeded in it
            is not run again. Default: a new run.
        payload: The payload to run the one chosen event with, as `check_payload` returned it. The
            original message stays until that succeeded. Default: each event has its own.

    Attributes:
        options: The same.
        origin: The origin of the events.
        selection: Decides which messages are replayed.
        tally: The outcomes so far; `run` fills it.
        name: The name of the run, which its journal and the handlers get; None before it.
        problem: Why the run has no journal, or not all of it; None if it has.

    Raises:
        CommandError: Options contradict each other, the queue or a function does not exist, or the
            queue is not that of the run to go on with.
    """

    def __init__(
        self,
        aws: Aws,
        options: ReplayOptions,
        *,
        to_run: bool,
        resumes: PastRun | None = None,
        payload: str | None = None,
    ) -> None:
        if payload is not None:
            check_chooses_one(options)
            options = dataclasses.replace(options, at_most=1)
        self._payload = payload
        options.check(to_run=to_run)
        self.options = options
        self.tally = Tally()
        self.name: str | None = None
        self.problem: str | None = None
        self._resumes = resumes
        self._aws = aws
        self._stopped = threading.Event()
        self._run: ReplayRun | None = None
        # Without a filter, every received message is replayed, so no receive is wasted.
        to_peek = not to_run or options.chosen.excludes_any or options.only_latest
        self.origin: Origin = (
            choose_origin(aws, options.choice, frozenset(options.allowed), to_peek=to_peek)
            if options.from_path is None
            else FileOrigin(aws, options.from_path, are_records=options.from_files is not None)
        )
        if resumes is not None and self.origin.name != resumes.source:
            raise CommandError(
                f"{resumes.name} is a run of {resumes.source}, but its options now lead to "
                f"{self.origin.name}: pass the same --profile and --region"
            )
        authority = self.origin.authority
        if options.function_name is not None:
            authority.resolve(options.function_name, "--function-name")
        to = None if options.to is None else authority.resolve(options.to, "--to")
        if options.tenant_id is not None:
            check_tenant_support(aws.client("lambda"))
        if options.asynchronous:
            check_asynchronous_support(aws.client("lambda"))
        self._functions = InvokedFunctions(
            lambda function: read_settings(
                aws.client("lambda"), function, with_destination=options.asynchronous
            ),
            options.tenant_id,
            asynchronous=options.asynchronous,
        )
        self.selection = Selection(
            authority, options.chosen, options.function_name, options.any_sender, to,
            self._functions,
            # A payload that the operator wrote is right.
            AS_THEY_ARE if payload is not None else RuleInputs(
                lambda rule, target: passes_as_it_is(aws.client("events"), rule, target)
            ),
            mappings=self.origin.mappings,
        )  # fmt: skip

    def plan(self, warnings: list[str], progress: Progress = NO_PROGRESS) -> Plan:
        """Count what a run would do, without running anything.

        Args:
            warnings: Gets a line if not all messages were received.
            progress: Gets the number of messages that were received and given back.
        """
        fetch = self.selection.wants_records
        newest = None
        if self.options.only_latest:
            newest = newest_of_past_runs(self.selection.destination)
        with self.origin.peek(warnings, progress, fetch=fetch) as messages:
            plan = make_plan(
                messages,
                self.selection,
                self.options.at_most,
                choice=self._choice(None),
                newest=newest,
            )
        self.options.chosen.check_groups(plan.failure_groups)
        plan.hidden = messages.end.hidden
        warnings += self.unsearched()
        return plan

    def unsearched(self) -> list[str]:
        """Return which failed batches could not be searched, a line for each reason."""
        return self.origin.batches.lines() if self.options.chosen.reads_payloads else []

    def find(self, warnings: list[str], progress: Progress = NO_PROGRESS) -> ReceivedMessage:
        """Return the one event that the operator named by its id, and leave it in place.

        Args:
            warnings: Gets a line if not all messages were received.
            progress: Gets the number of messages that were received and given back.

        Raises:
            CommandError: There is no such event, or it would not be replayed.
        """
        check_chooses_one(self.options)
        plan = Plan()
        fetch = self.selection.wants_records
        with self.origin.peek(warnings, progress, fetch=fetch) as messages:
            for message in messages:
                verdict = self.selection.verdict(message)
                if verdict == "replay":
                    return message
                if verdict != "not-chosen" or message.matches_id(self.options.chosen.ids[0]):
                    plan = make_plan([message], self.selection)
        why = "; ".join(f"it is {reason}" for reason in plan.would_stay)
        raise CommandError(
            "; ".join(
                [f"no event {self.options.chosen.ids[0]!r} can be replayed", *warnings]
                + ([why] if why else [])
            )
        )

    def run(self, progress: Progress = NO_PROGRESS) -> Tally:
        """Replay until nothing is left or `stop` is called, and return the tally.

        May be called from any thread, once.

        Args:
            progress: Gets a report of each event that is settled.

        Raises:
            CommandError: The backup is in use or cannot be written, or the beginning of a group's
                id stands for several groups, before anything was run.
        """
        chosen = with_whole_groups(self.origin, self.options.chosen, progress)
        self.selection = dataclasses.replace(self.selection, filter=chosen)
        options = self.options = dataclasses.replace(self.options, chosen=chosen)
        path = options.from_path or options.backup
        backup = (
            None
            if path is None
            else Backup(path, write_messages=options.from_path is None, edited=self._payload)
        )
        journal = None
        try:
            journal = self._begin_journal()
            invoker = Invoker(
                self._aws,
                self.selection,
                self._functions,
                options.concurrency,
                run=self.name,
                payload=self._payload,
            )
            handing_over = self._handing_over()
            newest = self._newest(progress) if options.only_latest else None
            if journal is not None and newest is not None:
                for noted in newest.notes():
                    journal.note({NEWEST: noted})
                # Before the first of them is deleted.
                journal.sync()
            of_message: Callable[[ReceivedMessage], Outcome] | None = handing_over
            if of_message is None and self._payload is None:
                of_message = BatchInvoker(invoker, self._choice(newest))
            self._run = ReplayRun(
                self._source(progress),
                invoker,
                selection=self.selection,
                concurrency=options.concurrency,
                rate=options.rate,
                at_most=options.at_most,
                care=options.care,
                backup=backup,
                journal=journal,
                done_before=self._done_before(path),
                progress=progress,
                tally=self.tally,
                invoke_message=of_message,
                is_own=(lambda _: False) if handing_over is None else handing_over.started,
                stopped=self._stopped,
            )
            if self._stopped.is_set():
                self._run.stop()
            return self._run.run()
        finally:
            if backup is not None:
                backup.close()
            if journal is not None:
                self._end_journal(journal)

    def stop(self) -> None:
        """Start nothing more; running handlers finish. May be called from any thread."""
        self._stopped.set()
        if self._run is not None:
            self._run.stop()

    def last_words(self) -> str:
        """Return the line to print if the process ends at once."""
        return "gave up: nothing was run" if self._run is None else self._run.last_words()

    def _handing_over(self) -> AsynchronousInvoker | None:
        if not self.options.asynchronous:
            return None
        return AsynchronousInvoker.of(
            self._aws,
            self.selection,
            self._functions,
            self._stopped,
            self.options.concurrency,
        )

    def _source(self, progress: Progress) -> Source:
        options = self.options
        source = self.origin.source(
            options.concurrency, progress, choosing=options.chosen.excludes_any
        )
        # What the run itself finds there counts only once.
        selection = dataclasses.replace(self.selection, contents=Contents())

        def will_run(message: ReceivedMessage) -> bool:
            if lacks_records(message.event):
                return selection.wants_records(message)
            return selection.verdict(message) == "replay"

        ordered = InOrder(
            source,
            will_run,
            options.concurrency + BATCH_SIZE,
            may_wait=min(MAX_WAITING, options.at_most or MAX_WAITING),
            is_queue=self.origin.queue is not None,
        )
        # Messages wait without their records, of which each may have 6 MB.
        return FetchingSource(ordered, self.origin.batches, self.selection.wants_records)

    def _choice(self, newest: NewestRecords | None) -> BatchChoice:
        handled = {} if self._resumes is None else self._resumes.handled_records()
        return BatchChoice(self.options.records, newest, handled)

    def _newest(self, progress: Progress) -> NewestRecords:
        """Look through all failed batches for the newest record of each key."""
        newest = newest_of_past_runs(self.selection.destination)
        # The run counts what is not chosen.
        selection = dataclasses.replace(self.selection, contents=Contents())
        with self.origin.peek([], progress, fetch=self.selection.wants_records) as messages:
            for message in messages:
                if self._stopped.is_set():
                    break
                if selection.verdict(message) == "replay":
                    newest.add(message)
        return newest

    def _done_before(self, path: Path | None) -> set[bytes]:
        """Return the keys of the events that succeeded before."""
        done = set() if path is None else read_done(path)
        return done if self._resumes is None else done | self._resumes.succeeded_keys()

    def _begin_journal(self) -> Journal | None:
        about: dict[str, Any] = {
            "source": self.origin.name,
            "region": self._aws.session.region_name,
            "identity": self._aws.caller_arn(),
            "options": options_to_json(self.options),
        }
        if self._payload is not None:
            data = self._payload.encode()
            digest = hashlib.sha256(data).hexdigest()
            about["edited"] = {"bytes": len(data), "sha256": digest}
        if self._resumes is not None:
            self.name = self._resumes.name
            # Its journal can be written: that shows that no other process goes on with it.
            return Journal.resume(self._resumes.path, about)
        journal, self.problem = Journal.try_to_begin("replay", about)
        self.name = None if journal is None else journal.name
        return journal

    def _end_journal(self, journal: Journal) -> None:
        tally = self.tally
        journal.end(
            {
                "interrupted": tally.interrupted,
                "stopped": tally.stopped,
                "succeeded": tally.succeeded,
                "failed": tally.failed,
                "left": tally.left,
            }
        )
        self.problem = journal.gap

    @property
    def did_nothing(self) -> bool:
        """Whether the operator chose events, but there was none to replay."""
        options = self.options
        specific = options.chosen.excludes_any or options.from_path is not None
        return specific and self.tally.did_nothing

    @property
    def succeeded(self) -> bool:
        """Whether everything that was chosen succeeded."""
        return self.tally.all_succeeded and not self.origin.broken_lines and not self.did_nothing
