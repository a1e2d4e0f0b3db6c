"""What a notifier remembers between its runs, and when it has something to say.

Nothing here reads or writes: the same state, events and time always give the same notices.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from .failed_event import FailedEvent
from .fingerprint import ID_CHARACTERS, Fingerprint
from .message_pattern import without_prefix
from .notice import MAX_DESCRIBED_GROUPS, OTHER, Kind, Notice, NoticeGroup, fit_to_print

# More groups than these are one, `other`: the state stays far below DynamoDB's 400 KB an item.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
MAX_GROUPS = 100
MAX_PAYLOAD_CHARACTERS = 500
_MAX_MESSAGE, _MAX_NAME, _MAX_FRAME = 500, 140, 200
# UTF-8 takes up to four bytes for a character.
_MAX_BYTES = 800
_REQUEST_ID = re.compile(r"[\w-]{1,100}", re.ASCII)
# New groups that follow each other closer than this share a notice.
GAP_SECONDS = 10
# SQS counts messages exactly only about a minute after the last change.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html
SETTLED_SECONDS = 120
EMPTY_SECONDS = 60
# A run that is killed while it sends is taken over after this: longer than a run may take.
LEASE_SECONDS = 90
# An event that was counted but not deleted comes back within its queue's retention.
_COUNTED_SECONDS = 14 * 86_400
# What stands in place of an error where SQS gave a message up.
DEAD_LETTERS_TYPE = "dead letters"
_OTHER_TYPE = f"more than {MAX_GROUPS} groups"


@dataclass
class GroupState:
    """One group of failures, as `NoticeGroup`; `unreported` failures are in no notice yet."""

    # A state of an earlier version lacks what has a default.

    function: str
    qualifier: str | None
    error_type: str
    message: str
    frame: str | None
    first: float
    last: float
    attempts: int | None = None
    request_id: str | None = None
    payload: str | None = None
    total: int = 0
    unreported: int = 0
    is_reported: bool = False
    records: int = 0
    queue: str | None = None


@dataclass(frozen=True)
class DeadLetters:
    """The dead-letter queue of a queue that feeds functions, as a run sees it.

    Attributes:
        name: The name of the dead-letter queue.
        source: The name of the queue in front of it; its own if that is not known.
        count: About how many messages it holds.
    """

    name: str
    source: str
    count: int


@dataclass
class SeenQueue:
    """How many messages of a dead-letter queue were counted.

    Attributes:
        count: The messages that are counted and still there.
        lower_since: Since when SQS has said that there are fewer; None if it does not.
    """

    count: int = 0
    lower_since: float | None = None


@dataclass
class Outgoing:
    """A notice that is being sent: by whom takes it before `until`."""

    notice: Notice
    until: float


@dataclass(frozen=True)
class Occurrence:
    """A failed event, ready to be counted."""

    message_id: str
    event: FailedEvent | None
    fingerprint: Fingerprint
    time: float


@dataclass
class NotifierState:
    """The state of one notifier.

    Attributes:
        groups: The groups since the last time that nothing waited, by fingerprint.
        counted: Ids of messages that are counted and may not be deleted yet, and when.
        is_open: Whether events may wait.
        is_announced: Whether people were notified since the last time that nothing waited.
        noticed: When the last notice of failures was written.
        reminded: When people last heard how many events wait.
        last_counted: When the last failure was counted.
        empty_since: Since when no event waits; None if one does.
        outgoing: The notice that is being sent; None if none is.
        queues: The dead-letter queues of queues that feed functions, by name; empty ones are left
            out.
    """

    # A notifier that has lost its state looks whether events wait, and says so.
    is_open: bool = True
    is_announced: bool = False
    noticed: float = 0
    reminded: float = 0
    last_counted: float = 0
    empty_since: float | None = None
    groups: dict[str, GroupState] = field(default_factory=dict)
    counted: dict[str, float] = field(default_factory=dict)
    outgoing: Outgoing | None = None
    queues: dict[str, SeenQueue] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON's types."""
        outgoing = self.outgoing
        return {
            **{each.name: getattr(self, each.name) for each in fields(self)},
            "groups": {id: asdict(group) for id, group in self.groups.items()},
            "outgoing": outgoing and {"notice": outgoing.notice.to_json(), "until": outgoing.until},
            "queues": {name: asdict(queue) for name, queue in self.queues.items()},
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> NotifierState:
        """Return the state that `to_json` returned."""
        sent = value["outgoing"]
        return cls(
            **{
                **value,
                "groups": {id: GroupState(**group) for id, group in value["groups"].items()},
                "outgoing": sent and Outgoing(Notice.from_json(sent["notice"]), sent["until"]),
                "queues": {
                    name: SeenQueue(**queue) for name, queue in value.get("queues", {}).items()
                },
            }
        )

    def count(self, occurrences: Iterable[Occurrence], now: float, *, with_payload: bool) -> int:
        """Count failed events, each message once, and return how many were new."""
        news = [each for each in occurrences if each.message_id not in self.counted]
        for each in news:
            self.counted[each.message_id] = now
            self._count_one(each, with_payload=with_payload)
        if news:
            self.is_open, self.last_counted, self.empty_since = True, now, None
        return len(news)

    def forget(self, message_ids: Iterable[str], now: float) -> None:
        """Forget the ids of messages that are deleted."""
        for id in message_ids:
            self.counted.pop(id, None)
        limit = now - _COUNTED_SECONDS
        self.counted = {id: time for id, time in self.counted.items() if time > limit}

    def see(self, queues: Iterable[DeadLetters], now: float) -> bool:
        """Count what is new in dead-letter queues, and return whether the state changed.

        SQS's counts are approximate and may be lower for a while: only what is lower for
        `SETTLED_SECONDS` has left the queue, so that no message is new twice.

        Args:
            queues: The queues that could be looked at.
            now: The time.
        """
        before = {name: asdict(queue) for name, queue in self.queues.items()}
        for each in queues:
            seen = self.queues.setdefault(each.name, SeenQueue())
            if each.count > seen.count:
                self._count_dead_letters(each, each.count - seen.count, now)
            elif each.count < seen.count:
                seen.lower_since = now if seen.lower_since is None else seen.lower_since
                if now < seen.lower_since + SETTLED_SECONDS:
                    continue
            seen.count, seen.lower_since = each.count, None
            if not seen.count:
                del self.queues[each.name]
        return before != {name: asdict(queue) for name, queue in self.queues.items()}

    def dead_letters_in(self, name: str) -> int:
        """Return about how many messages a dead-letter queue of a source holds."""
        return self.queues[name].count if name in self.queues else 0

    def _count_dead_letters(self, queue: DeadLetters, news: int, now: float) -> None:
        digest = hashlib.sha256(f"dead letters of {queue.name}".encode()).hexdigest()
        id = digest[:ID_CHARACTERS]
        if id not in self.groups and len(self.groups) >= MAX_GROUPS and not self._evict():
            id = OTHER
        group = self.groups.get(id)
        if group is None:
            group = self.groups[id] = _other_group(now)
            if id != OTHER:
                group.error_type = DEAD_LETTERS_TYPE
                group.message = _short(queue.name, _MAX_MESSAGE)
                group.queue = _short(queue.source, _MAX_NAME)
        group.total += news
        group.unreported += news
        group.last = now
        self.is_open, self.last_counted, self.empty_since = True, now, None

    def _count_one(self, occurrence: Occurrence, *, with_payload: bool) -> None:
        event, id = occurrence.event, occurrence.fingerprint.id
        group = self.groups.get(id)
        if group is None:
            if len(self.groups) >= MAX_GROUPS and not self._evict():
                id = OTHER
            group = self.groups.get(id) or self._new_group(id, occurrence)
        group.total += 1
        group.unreported += 1
        group.first = min(group.first, occurrence.time)
        group.last = max(group.last, occurrence.time)
        if event is None or id == OTHER:
            return
        if group.request_id is None and _REQUEST_ID.fullmatch(event.request_id or ""):
            group.request_id = event.request_id
        if event.attempts is not None:
            group.attempts = max(group.attempts or 0, event.attempts)
        if event.batch is not None:
            # Its records are elsewhere, and may be anything but text.
            group.records += event.batch.count or 0
        elif with_payload and group.payload is None:
            group.payload = _short(event.payload, MAX_PAYLOAD_CHARACTERS)

    def _new_group(self, id: str, occurrence: Occurrence) -> GroupState:
        known, event = occurrence.fingerprint, occurrence.event
        message = (event and event.error_message) or known.message
        if event and event.batch is not None and not event.error_message:
            message = event.batch.summary
        group = self.groups[id] = _other_group(occurrence.time)
        if id != OTHER:
            group.function = _short(known.function or "", _MAX_NAME)
            group.qualifier = _short(known.qualifier or "", _MAX_NAME) or None
            group.error_type = _short(known.error_type, _MAX_NAME)
            group.message = _short(without_prefix(message), _MAX_MESSAGE)
            group.frame = _short(known.frame or "", _MAX_FRAME) or None
        return group

    def _evict(self) -> bool:
        """Make room: forget the reported group that failed longest ago; return whether one was."""
        reported = [id for id, group in self.groups.items() if not group.unreported]
        if reported:
            del self.groups[min(reported, key=lambda each: self.groups[each].last)]
        return bool(reported)

    def drop_payloads(self) -> bool:
        """Forget the payloads that earlier runs kept, and return whether there were any."""
        found = False
        for group in self.groups.values():
            found = found or group.payload is not None
            group.payload = None
        if self.outgoing is not None:
            notice = self.outgoing.notice
            found = found or any(group.payload is not None for group in notice.groups)
            groups = tuple(replace(group, payload=None) for group in notice.groups)
            self.outgoing = replace(self.outgoing, notice=replace(notice, groups=groups))
        return found

    def failures_due(self, every: float) -> float | None:
        """Return from when on a notice of failures may be written; None if there is none to."""
        unreported = [group for group in self.groups.values() if group.unreported]
        if not unreported:
            return None
        is_new = any(not group.is_reported for group in unreported)
        return self.noticed + (GAP_SECONDS if is_new else every)

    def write(
        self, now: float, waiting: int | None, *, every: float, reminder: float
    ) -> Notice | None:
        """Write the notice that is due, if one is, and keep it in `outgoing`.

        Args:
            now: The time.
            waiting: How many failed events wait; None if not known.
            every: The shortest time between two notices of known groups, in seconds.
            reminder: The time between two reminders, in seconds.
        """
        kind = self._kind_due(now, waiting, every, reminder)
        if kind is None:
            return None
        notice = self._notice(kind, now, waiting)
        if kind == "failures":
            self.noticed = now
            for group in self.groups.values():
                group.unreported, group.is_reported = 0, True
        self.is_announced = True
        # The first notice says how many wait, and so does each reminder.
        if kind == "reminder" or not self.reminded:
            self.reminded = now
        if kind == "over":
            self._close()
        self.outgoing = Outgoing(notice, now + LEASE_SECONDS)
        return notice

    def _kind_due(
        self, now: float, waiting: int | None, every: float, reminder: float
    ) -> Kind | None:
        due = self.failures_due(every)
        if due is not None:
            return "failures" if now >= due else None
        if not self.is_open or waiting is None:
            return None
        if waiting:
            self.empty_since = None
            return "reminder" if now >= self.reminded + reminder else None
        if self.empty_since is None:
            self.empty_since = now
        is_settled = now >= self.empty_since + EMPTY_SECONDS
        is_settled = is_settled and now >= self.last_counted + SETTLED_SECONDS
        # Failures that a replayer replays at once are not two notices each.
        if not is_settled or now < self.noticed + every:
            return None
        if self.is_announced:
            return "over"
        self._close()
        return None

    def _close(self) -> None:
        self.groups, self.queues = {}, {}
        self.is_open = self.is_announced = False
        self.reminded = 0
        self.empty_since = None

    def _notice(self, kind: Kind, now: float, waiting: int | None) -> Notice:
        told = {
            id: group for id, group in self.groups.items() if kind != "failures" or group.unreported
        }
        groups = [
            NoticeGroup(
                id=id,
                function=group.function,
                qualifier=group.qualifier,
                error_type=group.error_type,
                message=group.message,
                frame=group.frame,
                is_new=not group.is_reported,
                failures=group.unreported if kind == "failures" else group.total,
                total=group.total,
                first=group.first,
                last=group.last,
                attempts=group.attempts,
                request_id=group.request_id,
                payload=group.payload,
                records=group.records,
                queue=group.queue,
            )
            for id, group in told.items()
        ]
        groups.sort(key=lambda each: (not each.is_new, -each.failures, each.first, each.id))
        return Notice(
            id=str(uuid.uuid4()),
            kind=kind,
            time=now,
            since=min((group.first for group in self.groups.values()), default=None),
            failures=sum(group.failures for group in groups),
            group_count=len(groups),
            groups=tuple(groups[:MAX_DESCRIBED_GROUPS]),
            waiting=waiting,
        )


def _other_group(time: float) -> GroupState:
    """Return the group of what fails while there are too many groups."""
    return GroupState("", None, _OTHER_TYPE, "", None, first=time, last=time)


def _short(text: str, characters: int) -> str:
    """Return untrusted text fit to print, of at most `_MAX_BYTES` too: the state has a limit."""
    line = fit_to_print(text, characters)
    if len(line.encode()) <= _MAX_BYTES:
        return line
    return f"{line.encode()[: _MAX_BYTES - 3].decode(errors='ignore')}..."
