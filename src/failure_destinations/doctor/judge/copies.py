"""Is the copy queue holding what the queue lacks?

A record that is in none of the channel's queues was replayed or removed, or never came: only what
is known of the copy, and of Lambda at that time, tells which.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from ..facts import Channel, Copies, Copy, Unknown
from ..findings import Finding, not_known, own_command
from .messages import named

# An SNS message holds 256 KiB, and a record writes at least its names, ids and times around the
# payload.
# https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
RECORD_FRAME_BYTES = 512
MAX_EVENT_BYTES = 256 * 1024 - RECORD_FRAME_BYTES
# Of CloudWatch's times, which are the beginnings of 5 minutes.
_BEFORE = timedelta(minutes=5)
_AFTER = timedelta(minutes=10)
_MAX_IDS = 50


def judge_copies(channel: Channel) -> Iterator[Finding]:
    """Judge the copies whose record is in none of the channel's other queues."""
    queue = channel.copy_queue
    if queue is None or not queue.known:
        return
    copies = channel.copies
    if copies is None:
        yield Finding(
            "info",
            "copies-not-compared",
            queue.name,
            f"{queue.waiting:,} messages in the copy queue, and "
            f"{channel.queue.waiting if channel.queue else 0:,} in the queue; not compared",
            own_command("doctor", *named(channel)),
        )
    elif isinstance(copies, Unknown):
        yield not_known("copies", queue.name, copies)
    else:
        yield from _judge_seen(channel, queue.name, copies)


def _judge_seen(channel: Channel, name: str, copies: Copies) -> Iterator[Finding]:
    failures = _failures(channel)
    lost = [copy for copy in copies.copies if _never_came(copy, failures, copies)]
    gone = [copy for copy in copies.copies if copy not in lost]
    for sender, of_sender in _by_sender(lost).items():
        yield Finding(
            "error",
            "copies-lost-on-the-way",
            name,
            f"{_events(of_sender)} of {sender or 'a function that SQS does not name'} lost on the "
            f"way to the queue: {_why(of_sender)}; there is only the copy",
            _replay(channel, sender, of_sender),
        )
    if copies.gap is not None:
        yield Finding(
            "unknown",
            "copies",
            name,
            f"not all copies could be compared with what is in the queues: {copies.gap}",
        )
    elif copies.drained_by is not None:
        yield Finding(
            "info",
            "copies-not-compared",
            name,
            f"{copies.drained_by} drains the queue, and to look into it would count as one of its "
            "attempts: of the copies only the size was judged",
        )
    elif gone:
        count = "copy" if len(gone) == 1 else "copies"
        yield Finding(
            "info",
            "copies-without-record",
            name,
            f"{len(gone):,} {count} of events that are not in the queue: replayed, or removed",
        )
    elif not lost:
        yield Finding("ok", "copies", name, _all_well(copies.compared))


def _failures(channel: Channel) -> Mapping[str, Sequence[datetime]]:
    """Return when Lambda could not send to the destination, by the function's name."""
    return {
        handler.name.partition(":")[0]: handler.delivery_failures
        for handler in channel.handlers
        if not isinstance(handler.delivery_failures, Unknown)
    }


def _never_came(copy: Copy, failures: Mapping[str, Sequence[datetime]], copies: Copies) -> bool:
    if copy.size > MAX_EVENT_BYTES:
        return True
    time = copy.time
    if not copies.complete or time is None:
        return False
    if copy.sender is not None and copy.sender in failures:
        times = failures[copy.sender]
    else:
        times = [each for of_one in failures.values() for each in of_one]
    return any(each - _BEFORE <= time <= each + _AFTER for each in times)


def _all_well(compared: int) -> str:
    if not compared:
        return "no copies wait"
    return "the copy has its record" if compared == 1 else f"all {compared:,} copies have a record"


def _why(copies: Sequence[Copy]) -> str:
    large = sum(copy.size > MAX_EVENT_BYTES for copy in copies)
    if large == len(copies):
        return "its record is over SNS's 256 KB" if large == 1 else "records over SNS's 256 KB"
    return "Lambda counted failed deliveries to the destination then"


def _by_sender(copies: Sequence[Copy]) -> dict[str | None, list[Copy]]:
    grouped: dict[str | None, list[Copy]] = defaultdict(list)
    for copy in copies:
        grouped[copy.sender].append(copy)
    return grouped


def _events(copies: Sequence[Copy]) -> str:
    return f"{len(copies):,} event{'' if len(copies) == 1 else 's'}"


def _replay(channel: Channel, sender: str | None, copies: Sequence[Copy]) -> str:
    ids = [word for copy in copies[:_MAX_IDS] for word in ("--id", copy.request_id)]
    return own_command(
        "replay",
        *named(channel),
        "--from",
        "copies",
        "--function-name",
        _function(channel, sender),
        *ids,
        "--yes",
    )


def _function(channel: Channel, sender: str | None) -> str:
    """Return what to invoke, as far as it is known: what is called, with its qualifier."""
    names = [handler.name for handler in channel.handlers]
    called = [name for name in names if sender in (None, name.partition(":")[0])]
    return called[0] if len(called) == 1 else sender or "FUNCTION"
