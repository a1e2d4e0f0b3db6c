"""Looks into a channel's queues for copies whose record is nowhere; nothing is taken out."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import datetime, timezone

from failure_destinations.deployed.queues import describe_queue
from failure_destinations.deployed.session import Aws
from failure_destinations.replay.peek import peek
from failure_destinations.replay.received_message import ReceivedMessage

from ..facts import Channel, Copies, Copy, Queue, Unknown
from .aws_reader import Looks


def compare(aws: Aws, channel: Channel, looks: Looks, at_most: int) -> Channel:
    """Return a channel with what a look into its queues shows.

    Where there are no copies, nothing is looked into. A queue that a function drains is not
    looked into either: the look would count as one of its attempts; nor is one that moves messages
    away after a number of receives.

    Args:
        aws: Where it is.
        channel: The channel.
        looks: Does the asking.
        at_most: No more messages of each queue.
    """
    if channel.copy_queue is None or channel.queue is None or not channel.copy_queue.known:
        return channel
    if not channel.copy_queue.waiting:
        return dataclasses.replace(channel, copies=Copies((), 0))
    look = _Look(aws, at_most)
    found = looks.at("sqs:ReceiveMessage", lambda: look.into(channel))
    if found is None or isinstance(found, Unknown):
        return dataclasses.replace(channel, copies=found)
    return dataclasses.replace(
        channel,
        copies=found,
        queue=look.aged(channel.queue),
        dead_letter_queue=channel.dead_letter_queue and look.aged(channel.dead_letter_queue),
        copy_queue=look.aged(channel.copy_queue),
        replayers=[
            dataclasses.replace(replayer, parked=look.aged(replayer.parked))
            for replayer in channel.replayers
        ],
    )


class _Look:
    def __init__(self, aws: Aws, at_most: int) -> None:
        self._aws = aws
        self._at_most = at_most
        self._oldest: dict[str, datetime] = {}
        self._gaps: list[str] = []
        self._drained_by: str | None = None

    def into(self, channel: Channel) -> Copies:
        # Copies first: the record of what fails meanwhile is then seen after its copy.
        copies = {}
        for waiting in self._messages(channel.copy_queue):
            id = _request_id(waiting)
            if id is not None:
                copies[id] = _copy(id, waiting)
        compared = len(copies)
        parked = [replayer.parked for replayer in channel.replayers]
        for queue in (channel.queue, channel.dead_letter_queue, *parked):
            for waiting in self._messages(queue):
                copies.pop(_request_id(waiting) or "", None)
        return Copies(
            copies=list(copies.values()),
            compared=compared,
            gap="; ".join(self._gaps) or None,
            drained_by=self._drained_by,
        )

    def aged(self, queue: Queue) -> Queue:
        """Return a queue with the age of the oldest message that was seen in it."""
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
            self._gaps.append(f"{found.hidden:,} messages of {found.name} cannot be seen now")
        if not found.visible:
            return
        if found.max_receives is not None:
            self._gaps.append(f"{found.name} moves messages away after a number of looks")
            return
        count = 0
        with peek(self._aws.client("sqs"), found, self._gaps, at_most=self._at_most) as messages:
            for count, waiting in enumerate(messages, 1):  # noqa: B007 - the last is the count
                self._note(queue, waiting)
                yield waiting
        if count >= self._at_most:
            self._gaps.append(f"{found.name} may hold more than --max {self._at_most}")

    def _note(self, queue: Queue, waiting: ReceivedMessage) -> None:
        sent = _sent(waiting)
        if sent is not None:
            self._oldest[queue.url] = min(sent, self._oldest.get(queue.url, sent))


def _request_id(waiting: ReceivedMessage) -> str | None:
    return None if waiting.event is None else waiting.event.request_id


def _copy(id: str, waiting: ReceivedMessage) -> Copy:
    sender = None if waiting.event is None else waiting.event.sender
    return Copy(id, waiting.size, _sent(waiting), sender)


def _sent(waiting: ReceivedMessage) -> datetime | None:
    sent = (waiting.message.get("Attributes") or {}).get("SentTimestamp")
    return None if sent is None else datetime.fromtimestamp(int(sent) / 1000, timezone.utc)
