"""Plans a run: counts what it would do, without running anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from failure_destinations.runtime import FailedEvent, fingerprint
from failure_destinations.text import printable

from .batch_parts import BatchChoice
from .batches import short_obstacle
from .newest_records import NewestRecords
from .received_message import ReceivedMessage
from .selection import Selection


class Group(NamedTuple):
    """A group of events that a run would replay.

    Attributes:
        function: The name of the function that would be invoked.
        function_arn: Its ARN.
        error_type: The error's class; for a dead letter of a source queue, whose error is unknown,
            the queue. `?` if neither is known.
        sender: The identity that sent a copy, according to SQS; empty for other events.
        named: The function that the messages name, if they go to another one; empty otherwise.
    """

    function: str
    function_arn: str
    error_type: str
    sender: str
    named: str = ""


@dataclass
class SourcePlan:
    """What would be replayed of the failed batches of one stream, table or cluster.

    Attributes:
        batches: The number of batches.
        records: The number of records to run.
        of: The number of records that the batches have.
    """

    batches: int = 0
    records: int = 0
    of: int = 0


@dataclass
class Plan:
    """The plan of a run.

    Attributes:
        would_replay: The number of events to replay, by function, error and sender.
        failure_groups: The number of events to replay, by the id of their group.
        would_stay: The number of messages to leave, by reason.
        hidden: The number of messages that could not be received, because other consumers have them
            or they are delayed; about so many.
        to: ARN of the function that would get every event; None if each event goes to the function
            that failed.
        sources: What would be replayed of failed batches, by the name of their source.
        newest: Counts the records of failed batches, if older ones of a key would be left out; else
            None.
    """

    would_replay: Counter[Group] = field(default_factory=Counter)
    failure_groups: Counter[str] = field(default_factory=Counter)
    would_stay: Counter[str] = field(default_factory=Counter)
    hidden: int = 0
    to: str | None = None
    sources: dict[str, SourcePlan] = field(default_factory=dict)
    newest: NewestRecords | None = None

    @property
    def total(self) -> int:
        """The number of events that would be replayed."""
        return self.would_replay.total()


def make_plan(
    messages: Iterable[ReceivedMessage],
    selection: Selection,
    at_most: int | None = None,
    *,
    choice: BatchChoice | None = None,
    newest: NewestRecords | None = None,
) -> Plan:
    """Return the plan of a run.

    Args:
        messages: The messages.
        selection: Decides which of them would be replayed.
        at_most: The number of events after which to stop. Default: counts all.
        choice: Chooses the records of failed batches. Default: all.
        newest: Counts their records, if only the newest one of each key would be replayed. Default:
            all would be.
    """
    plan = Plan(to=selection.to, newest=newest)
    choice = choice or BatchChoice()
    ids_left = set(selection.filter.ids)
    for message in messages:
        _count(plan, message, selection, choice)
        ids_left -= selection.filter.ids_of(message)
        found_all = selection.filter.ids and not ids_left
        if found_all or (at_most is not None and plan.total >= at_most):
            break
    return plan


def _count(plan: Plan, message: ReceivedMessage, selection: Selection, choice: BatchChoice) -> None:
    event = message.event
    verdict = selection.verdict(message)
    if event is None or verdict != "replay":
        plan.would_stay[_reason(message, verdict, selection)] += 1
    elif event.obstacle is not None:
        plan.would_stay[short_obstacle(event) or event.obstacle] += 1
    elif _count_records(plan, message, event, choice):
        group = Group(
            function=selection.target(event),
            function_arn=selection.destination(event) or "?",
            error_type=event.error_type or _where(event),
            sender=event.sender or event.sender_id or "",
            named=selection.named(event) or "",
        )
        plan.would_replay[group] += 1
        plan.failure_groups[fingerprint(event).id] += 1


def _where(event: FailedEvent) -> str:
    """Return the origin of an event whose error is unknown, as `list` does."""
    return "?" if event.queue is None else fingerprint(event).message or "?"


def _count_records(
    plan: Plan, message: ReceivedMessage, event: FailedEvent, choice: BatchChoice
) -> bool:
    """Count the records of a failed batch; return False if it would stay."""
    part = choice.part(message)
    if event.batch is None or part is None:
        if choice.records:
            plan.would_stay["not a failed batch of which records can be chosen"] += 1
            return False
        return True
    if part.missing:
        plan.would_stay[f"without record {printable(part.missing[0])}"] += 1
        return False
    source = plan.sources.setdefault(event.batch.source_name, SourcePlan())
    source.batches += 1
    source.records += len(part.chosen)
    source.of += len(part.records)
    if plan.newest is not None:
        plan.newest.add(message)
    return True


def _reason(message: ReceivedMessage, verdict: str, selection: Selection) -> str:
    event = message.event
    sender = (event.sender or event.sender_id) if event else None
    sent_by = f", sent by {printable(sender)}" if sender else ""
    if event is not None and event.subscription is not None:
        sent_by = f", of subscription {printable(event.subscription)}"
    function = event.function_arn if event else None
    goes_to = selection.destination(event) if event else None
    return {
        "not-an-event": "not a failed event",
        "not-chosen": "not chosen",
        "without-function": f"without the name of a function{sent_by}: pass --function-name",
        "other-function": f"for {function}, which is not --function-name: leave that option out, "
        "or pass --to to send it elsewhere",
        "other-sender": f"for another function{sent_by}, without --any-sender",
        "foreign": f"for {function}, which is not in the queue's account and Region",
        "not-a-handler": f"for {function}, which is not a handler of the channel: to invoke it, "
        "pass --allow-function",
        "without-tenant": f"for {goes_to}, which isolates tenants: choose the events of one, "
        "and pass --tenant-id",
        "too-long": f"for {goes_to}, which may run longer than the 30 minutes of a synchronous "
        "invocation, or the 15 of a durable one: pass --asynchronous",
        "transformed": "from a rule that transforms events: the function would get this one as it "
        "came to the rule; pass --to to send it all the same",
        "rule-unknown": "from a rule of which it cannot be seen whether it transforms events: "
        "allow events:ListTargetsByRule, or pass --to",
        "batch-not-awaited": "a batch of a stream or queue: only the handler's answer says which "
        "records it has handled; leave out --asynchronous",
        "without-destination": f"for {goes_to}, which has no failure destination and no "
        "dead-letter queue, as far as you may see: an event that fails again would be lost",
    }[verdict]
