"""Judges the copies: which events the queue lacks, and whether handlers sent them.

A record that is in none of the channel's queues was replayed or removed, or never arrived. The copy
itself and Lambda's metrics for that time show which.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from .. import kinds
from ..facts import Channel, Copies, Copy, Handler, Unknown
from ..findings import Finding, Subject, unreadable
from ..fixes import OwnCommand
from .messages import list_command, options_of

# An SNS message holds at most 256 KiB, and a record adds at least its names, ids and times to the
# payload.
# https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
RECORD_FRAME_BYTES = 512
MAX_EVENT_BYTES = 256 * 1024 - RECORD_FRAME_BYTES
# The margin around CloudWatch's times, each the beginning of a 5-minute period.
_BEFORE = timedelta(minutes=5)
_AFTER = timedelta(minutes=10)
_MAX_IDS = 50
_MAX_SENDERS = 3


class _CopiesOfFunction(NamedTuple):
    """The copies that one function's role sent, and its handlers in the channel."""

    handlers: Sequence[Handler]
    copies: list[Copy]


def judge_copies(channel: Channel) -> Iterator[Finding]:
    """Judge the copies whose record is in none of the channel's other queues."""
    queue = channel.copy_queue
    if queue is None or not queue.known:
        return
    subject = Subject(queue.noun, queue.name)
    copies = channel.copies
    if copies is None:
        facts = {
            "quick": True,
            "copies": queue.waiting,
            "records": channel.queue.waiting if channel.queue else 0,
        }
        fix = (OwnCommand("doctor", options_of(channel)),)
        yield Finding(kinds.COPIES_NOT_COMPARED, subject, facts, fix)
    elif isinstance(copies, Unknown):
        yield unreadable(kinds.COPIES, subject, copies)
    else:
        yield from _judge_compared(channel, subject, copies)


def _judge_compared(channel: Channel, subject: Subject, copies: Copies) -> Iterator[Finding]:
    found: list[Finding] = []
    gone = 0
    strangers: list[Copy] = []
    for name, (handlers, sent) in _by_sender(channel, copies.copies).items():
        if not handlers:
            strangers += sent
            continue
        lost = [copy for copy in sent if _never_arrived(copy, handlers, copies)]
        gone += len(sent) - len(lost)
        if lost:
            found.append(_lost(channel, subject, name, _CopiesOfFunction(handlers, lost)))
    found += _not_sent_by_a_handler(channel, subject, strangers)
    yield from found
    if copies.gap is not None:
        yield Finding(kinds.COPIES, subject, {"gap": copies.gap}, given_severity="unknown")
    elif copies.drained_by is not None:
        facts = {"quick": False, "drained_by": copies.drained_by}
        yield Finding(kinds.COPIES_NOT_COMPARED, subject, facts)
    elif gone:
        yield Finding(kinds.COPIES_WITHOUT_RECORD, subject, {"count": gone})
    elif not found:
        yield Finding(kinds.COPIES, subject, {"compared": copies.compared})


def _by_sender(channel: Channel, copies: Sequence[Copy]) -> dict[str, _CopiesOfFunction]:
    """Return copies by the function that sent them; those of unknown senders have no handlers."""
    found: dict[str, _CopiesOfFunction] = {}
    for copy in copies:
        handlers = [
            handler
            for handler in channel.handlers
            if copy.session == handler.function_name and copy.sender_role == handler.role_id
        ]
        name = handlers[0].function_name if handlers else ""
        found.setdefault(name, _CopiesOfFunction(handlers, [])).copies.append(copy)
    return found


def _never_arrived(copy: Copy, handlers: Sequence[Handler], copies: Copies) -> bool:
    """Return whether a copy's record certainly never reached the queue."""
    if copy.size > MAX_EVENT_BYTES or _is_durable(handlers):
        return True
    time = copy.time
    if not copies.complete or time is None:
        return False
    return any(each - _BEFORE <= time <= each + _AFTER for each in _failures(handlers))


def _is_durable(handlers: Sequence[Handler]) -> bool:
    """Return whether Lambda writes no records of a function's failures."""
    return any(handler.is_durable for handler in handlers)


def _failures(handlers: Sequence[Handler]) -> Iterator[datetime]:
    """Yield the times when Lambda could not send to the destination."""
    for handler in handlers:
        if not isinstance(handler.delivery_failures, Unknown):
            yield from handler.delivery_failures


def _lost(channel: Channel, subject: Subject, name: str, lost: _CopiesOfFunction) -> Finding:
    # A copy does not name the invoked alias, which is only known if there is a single handler.
    invoked = lost.handlers[0].name if len(lost.handlers) == 1 else name
    ids: list[tuple[str, str | None]] = [("id", copy.request_id) for copy in lost.copies]
    options: list[tuple[str, str | None]] = [
        *options_of(channel),
        ("from", "copies"),
        ("function-name", invoked),
        *ids[:_MAX_IDS],
        ("yes", None),
    ]
    facts = {
        "count": len(lost.copies),
        "function": name,
        "durable": _is_durable(lost.handlers),
        "too_large": sum(copy.size > MAX_EVENT_BYTES for copy in lost.copies),
    }
    fix = (OwnCommand("replay", options),)
    return Finding(kinds.COPIES_LOST_ON_THE_WAY, subject, facts, fix)


def _not_sent_by_a_handler(
    channel: Channel, subject: Subject, copies: Sequence[Copy]
) -> Iterator[Finding]:
    """Yield the findings about copies that no known role of a handler sent."""
    unread = {handler.function_name: handler.role_id for handler in channel.handlers}
    strangers = []
    unknown = channel.unlisted if copies else None
    for copy in copies:
        role = unread.get(copy.session or "")
        if isinstance(role, Unknown):
            unknown = role
        else:
            strangers.append(copy)
    if unknown is not None:
        yield unreadable(kinds.COPIES_NOT_TRUSTED, subject, unknown)
    if not strangers or channel.unlisted is not None:
        return
    senders = Counter(copy.session for copy in strangers)
    facts = {
        "count": len(strangers),
        "sessions": [name for name, _ in senders.most_common(_MAX_SENDERS)],
        "senders": len(senders),
    }
    queue = channel.copy_queue
    fix = () if queue is None else (list_command(channel, queue),)
    yield Finding(kinds.COPIES_NOT_TRUSTED, subject, facts, fix)
