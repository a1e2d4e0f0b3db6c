"""Compares a channel's copies with its records, and gives every message back."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timezone

from failure_destinations.deployed.queues import describe_queue
from failure_destinations.deployed.session import Aws
from failure_destinations.progress import Progress
from failure_destinations.replay.peek import CONNECTIONS, peek
from failure_destinations.replay.received_message import ReceivedMessage

from ..facts import Channel, Copies, Copy, Queue, Unknown
from .aws_reader import AwsReader


def compare_copies(aws: Aws, channel: Channel, progress: Progress, at_most: int) -> Channel:
    """Return a channel with the comparison of its copies and the age of its oldest messages.

    If the copy queue is empty, nothing is received. Nothing is received from a queue that a
    function drains, because that would count as one of its attempts, nor from a queue that moves
    messages away after a number of receives.

    Args:
        aws: The account and Region of the channel.
        channel: The channel.
        progress: Gets the number of messages that were received and given back.
        at_most: The most messages to receive from each queue.
    """
    if channel.copy_queue is None or channel.queue is None or not channel.copy_queue.known:
        return channel
    if not channel.copy_queue.waiting:
        return dataclasses.replace(channel, copies=Copies((), 0))
    comparison = _Comparison(aws, progress, at_most)
    found = AwsReader(progress).read("sqs:ReceiveMessage", lambda: comparison.of(channel))
    if found is None or isinstance(found, Unknown):
        return dataclasses.replace(channel, copies=found)
    return dataclasses.replace(
        channel,
        copies=found,
        queue=comparison.aged(channel.queue),
        dead_letter_queue=channel.dead_letter_queue and comparison.aged(channel.dead_letter_queue),
        copy_queue=comparison.aged(channel.copy_queue),
        replayers=[
            dataclasses.replace(replayer, parked=comparison.aged(replayer.parked))
            for replayer in channel.replayers
        ],
    )


class _Comparison:
    def __init__(self, aws: Aws, progress: Progress, at_most: int) -> None:
        self._aws = aws
        self._progress = progress
        self._at_most = at_most
        self._oldest: dict[str, datetime] = {}
        self._receives: dict[str, Counter[int]] = {}
        self._gaps: list[str] = []
        self._drained_by: str | None = None

    def of(self, channel: Channel) -> Copies:
        # Copies first, so that the record of an event that fails meanwhile is received after its
        # copy. The sender chooses the id, so a forged copy must not replace a real one.
        copies: dict[str, set[Copy]] = {}
        for message in self._messages(channel.copy_queue):
            id = _request_id(message)
            if id is not None:
                copies.setdefault(id, set()).add(_copy(id, message))
        compared = sum(map(len, copies.values()))
        parked = [replayer.parked for replayer in channel.replayers]
        for queue in (channel.queue, channel.dead_letter_queue, *parked):
            for message in self._messages(queue):
                copies.pop(_request_id(message) or "", None)
        return Copies(
            copies=[copy for of_id in copies.values() for copy in of_id],
            compared=compared,
            gap="; ".join(self._gaps) or None,
            drained_by=self._drained_by,
        )

    def aged(self, queue: Queue) -> Queue:
        """Return a queue with how old, and how often received, its messages are."""
        queue = dataclasses.replace(queue, seen_receives=self._receives.get(queue.url, {}))
        oldest = self._oldest.get(queue.url)
        if oldest is None:
            return queue
        age = (datetime.now(timezone.utc) - oldest).total_seconds()
        return dataclasses.replace(queue, seen_seconds=max(0.0, age))

    def _messages(self, queue: Queue | None) -> Iterator[ReceivedMessage]:
        if queue is None or not queue.known:
            return
        found = describe_queue(self._aws, queue.url)
        if found.consumers:
            self._drained_by = found.consumers[0]
            return
        if found.hidden:
            self._gaps.append(f"{found.hidden:,} messages of {found.name} are hidden now")
        if not found.visible:
            return
        if found.max_receives is not None:
            self._gaps.append(f"{found.name} moves messages away after a number of receives")
            return
        sqs = self._aws.client("sqs", connections=CONNECTIONS)
        count = 0
        with peek(
            sqs, found, self._gaps, at_most=self._at_most, progress=self._progress
        ) as messages:
            for count, message in enumerate(messages, 1):  # noqa: B007 - the last is the count
                self._note_age(queue, message)
                self._receives.setdefault(queue.url, Counter())[message.receives] += 1
                yield message
        if count >= self._at_most:
            self._gaps.append(f"{found.name} may hold more than --max {self._at_most}")

    def _note_age(self, queue: Queue, message: ReceivedMessage) -> None:
        if message.sent is not None:
            oldest = self._oldest.get(queue.url, message.sent)
            self._oldest[queue.url] = min(message.sent, oldest)


def _request_id(message: ReceivedMessage) -> str | None:
    return None if message.event is None else message.event.request_id


def _copy(id: str, message: ReceivedMessage) -> Copy:
    # A role's session is `AROAEXAMPLEID:session`; a user or an account has no colon.
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
    sender = str((message.message.get("Attributes") or {}).get("SenderId", ""))
    role, _, session = sender.partition(":")
    return Copy(
        request_id=id,
        size=message.size,
        time=message.sent,
        sender_role=role if session else None,
        session=session or None,
    )
