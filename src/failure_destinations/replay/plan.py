"""Plans a run: counts what it would do, without running anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from failure_destinations.text import printable

from .received_message import ReceivedMessage
from .selection import Selection


class Group(NamedTuple):
    """A group of events that a run would replay.

    Attributes:
        function: The name of the function that would be invoked.
        function_arn: Its ARN.
        error_type: The error's class; `?` if the message does not say.
        sender: The identity that sent a copy, according to SQS; empty for other events.
        named: The function that the messages name, if they go to another one; empty otherwise.
    """

    function: str
    function_arn: str
    error_type: str
    sender: str
    named: str = ""


@dataclass
class Plan:
    """The plan of a run.

    Attributes:
        would_replay: The number of events to replay, by function, error and sender.
        would_stay: The number of messages to leave, by reason.
        to: ARN of the function that would get every event; None if each event goes to the function
            that failed.
    """

    would_replay: Counter[Group] = field(default_factory=Counter)
    would_stay: Counter[str] = field(default_factory=Counter)
    to: str | None = None

    @property
    def total(self) -> int:
        """The number of events that would be replayed."""
        return self.would_replay.total()


def make_plan(
    messages: Iterable[ReceivedMessage], selection: Selection, at_most: int | None = None
) -> Plan:
    """Return the plan of a run.

    Args:
        messages: The messages.
        selection: Decides which of them would be replayed.
        at_most: The number of events after which to stop. Default: counts all.
    """
    plan = Plan(to=selection.to)
    for message in messages:
        _count(plan, message, selection)
        if at_most is not None and plan.total >= at_most:
            break
    return plan


def _count(plan: Plan, message: ReceivedMessage, selection: Selection) -> None:
    event = message.event
    verdict = selection.verdict(message)
    if event is None or verdict != "replay":
        plan.would_stay[_reason(message, verdict, selection)] += 1
    elif event.obstacle is not None:
        plan.would_stay[event.obstacle] += 1
    else:
        group = Group(
            function=selection.target(event),
            function_arn=selection.destination(event) or "?",
            error_type=event.error_type or "?",
            sender=event.sender or event.sender_id or "",
            named=selection.named(event) or "",
        )
        plan.would_replay[group] += 1


def _reason(message: ReceivedMessage, verdict: str, selection: Selection) -> str:
    event = message.event
    sender = (event.sender or event.sender_id) if event else None
    sent_by = f", sent by {printable(sender)}" if sender else ""
    function = event.function_arn if event else None
    goes_to = selection.destination(event) if event else None
    return {
        "not-an-event": "not a failed event",
        "not-chosen": "not chosen",
        "without-function": f"from a function's dead-letter queue{sent_by}, without "
        "--function-name",
        "other-function": f"for {function}, which is not --function-name: leave that option out, "
        "or pass --to to send it elsewhere",
        "other-sender": f"for another function{sent_by}, without --any-sender",
        "foreign": f"for {function}, which is not in the queue's account and Region",
        "not-a-handler": f"for {function}, which is not a handler of the channel: to invoke it, "
        "pass --allow-function",
        "without-tenant": f"for {goes_to}, which isolates tenants: choose the events of one, "
        "and pass --tenant-id",
        "too-long": f"for {goes_to}, which may run longer than the 30 minutes of a synchronous "
        "invocation: invoke it asynchronously with the payload from `show --raw`",
    }[verdict]
