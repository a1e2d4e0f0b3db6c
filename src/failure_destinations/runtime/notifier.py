"""The Lambda handler of `FailureNotifier`: groups failed events, and notifies people of groups.

Its queue has copies of the channel's events, so that nothing here can lose one. A message leaves
the queue only once it is counted, and is counted once however often it is delivered: the state is
written only over the version that was read, and keeps the ids of messages until they are deleted. A
notice is part of the state from when it is written until SNS has it. If a run is killed in between,
another one sends it, after `LEASE_SECONDS`: twice only if SNS had it already.
"""

from __future__ import annotations

import functools
import json
import logging
import math
import os
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .failed_event import NotAFailedEvent, parse, sqs_message
from .fingerprint import Fingerprint, fingerprint
from .message_pattern import normalise
from .notice import Notice
from .notice_formats import by_protocol
from .notice_place import NoticePlace
from .notice_text import subject
from .notifier_state import GAP_SECONDS, LEASE_SECONDS, DeadLetters, NotifierState, Occurrence
from .notifier_table import NotifierTable

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.literals import QueueAttributeNameType

# What the schedule sends to the queue each minute, and a run that has to wait sends itself.
TICK = {"notifier": "tick"}
NOT_A_FAILED_EVENT = "NotAFailedEvent"
UNREADABLE = "UnreadableRecord"
_COUNTS: tuple[QueueAttributeNameType, ...] = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
)
_DELETED_AT_ONCE = 10
_DELETERS = 8
_MAX_CONFLICTS = 50
# https://docs.aws.amazon.com/sns/latest/api/API_Publish.html#API_Publish_Errors
_UNFIT = ("InvalidParameter", "InvalidParameterValue", "ParameterValueInvalid")

_log = logging.getLogger(__name__)
_log.setLevel(logging.INFO)


def handler(event: Mapping[str, Any], _context: object) -> None:
    """Count the records of an SQS event, and send the notice that is due.

    If it fails, all its messages are delivered again; those that are counted are not counted twice.
    """
    default_notifier().run(event["Records"])


class Notifier:
    """Counts failed events and sends notices.

    Args:
        table: Where the state is.
        sqs: A boto3 client of SQS.
        sns: A boto3 client of SNS.
        place: Where the channel is.
        queue_url: The queue of notices, from which the records come.
        topic_arn: The topic to which people are subscribed.
        waiting_queue_urls: The queues in which failed events wait.
        source_dead_letter_urls: The dead-letter queues of queues that feed functions.
        every: The shortest time between two notices of known groups, in seconds.
        reminder: The time between two reminders, in seconds.
        with_payload: Whether notices have a sample payload of each group.
        for_chat: Whether HTTPS subscribers get Amazon Q Developer's format.
        now: Returns the time in seconds since 1970.
    """

    def __init__(
        self,
        table: NotifierTable,
        sqs: SQSClient,
        sns: SNSClient,
        *,
        place: NoticePlace,
        queue_url: str,
        topic_arn: str,
        waiting_queue_urls: Sequence[str],
        source_dead_letter_urls: Sequence[str] = (),
        every: float,
        reminder: float,
        with_payload: bool,
        for_chat: bool,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._table = table
        self._sqs = sqs
        self._sns = sns
        self._place = place
        self._queue_url = queue_url
        self._topic_arn = topic_arn
        self._waiting_queue_urls = waiting_queue_urls
        self._source_dead_letter_urls = source_dead_letter_urls
        self._source_names: dict[str, str] = {}
        self._every = every
        self._reminder = reminder
        self._with_payload = with_payload
        self._for_chat = for_chat
        self._now = now

    def run(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Count failed events, and send the notice that is due.

        Args:
            records: Those of an SQS event; those of the schedule hold nothing to count.
        """
        failures = {
            str(record["messageId"]): record for record in records if not _is_tick(record["body"])
        }
        if failures:
            self._count(failures)
        # Once a minute is often enough.
        problem = None if len(failures) == len(records) else self._look_into_dead_letters()
        self._send_what_is_due()
        if problem is not None:
            raise problem

    def _look_into_dead_letters(self) -> Exception | None:
        """Count the messages in dead-letter queues of sources; return why one cannot be seen."""
        found: list[DeadLetters] = []
        problem: Exception | None = None
        for url in self._source_dead_letter_urls:
            try:
                count = self._messages_in(url)
                source = self._source_of(url) if count else ""
            except Exception as error:
                # One that is gone must not keep the others from being seen.
                _log.exception("%s cannot be seen", url)
                problem = error
            else:
                found.append(DeadLetters(_name_in(url), source, count))
        if found:
            self._change(lambda state: state.see(found, self._now()))
        return problem

    def _source_of(self, url: str) -> str:
        """Return the name of the queue in front of a dead-letter queue; its own if not known."""
        if url not in self._source_names:
            try:
                answer = self._sqs.list_dead_letter_source_queues(QueueUrl=url)
            except Exception:
                # The message matters more than the name.
                _log.exception("the source of %s cannot be seen", url)
                return _name_in(url)
            names = [_name_in(source) for source in answer["queueUrls"]]
            self._source_names[url] = ", ".join(sorted(names)) or _name_in(url)
        return self._source_names[url]

    def _count(self, records: Mapping[str, Mapping[str, Any]]) -> None:
        occurrences = [self._occurrence(record) for record in records.values()]

        def count(state: NotifierState) -> bool:
            news = state.count(occurrences, self._now(), with_payload=self._with_payload)
            return news > 0

        self._change(count)
        self._delete(records.values())

        def forget(state: NotifierState) -> bool:
            before = len(state.counted)
            state.forget(records, self._now())
            return len(state.counted) != before

        self._change(forget)
        _log.info("%s", json.dumps({"counted": len(records)}))

    def _occurrence(self, record: Mapping[str, Any]) -> Occurrence:
        message = sqs_message(record)
        now = self._now()
        try:
            event = parse(message)
            group = fingerprint(event)
        except NotAFailedEvent as error:
            # Somebody sends other messages to the channel's topic, and the queue keeps them too.
            return _not_a_failure(message, NOT_A_FAILED_EVENT, str(error), now)
        except Exception as error:
            # One record must not keep the others of its batch from being counted.
            _log.exception("%s cannot be read", message["MessageId"])
            return _not_a_failure(message, UNREADABLE, type(error).__name__, now)
        failed = now if event.timestamp is None else event.timestamp.timestamp()
        return Occurrence(message["MessageId"], event, group, failed)

    def _delete(self, records: Iterable[Mapping[str, Any]]) -> None:
        entries = [
            {"Id": str(number), "ReceiptHandle": str(record["receiptHandle"])}
            for number, record in enumerate(records)
        ]
        batches = [
            entries[at : at + _DELETED_AT_ONCE] for at in range(0, len(entries), _DELETED_AT_ONCE)
        ]

        def delete(batch: list[dict[str, str]]) -> None:
            answer = self._sqs.delete_message_batch(QueueUrl=self._queue_url, Entries=batch)  # type: ignore[arg-type]
            if answer.get("Failed"):
                raise RuntimeError(f"SQS did not delete {len(answer['Failed'])} messages")

        with ThreadPoolExecutor(_DELETERS) as pool:
            # The first failure is raised: the ids stay in the state, and the messages come again.
            list(pool.map(delete, batches))

    def _send_what_is_due(self) -> None:
        notice = self._take()
        if notice is None:
            return
        try:
            self._publish(notice)
        except Exception:
            self._change(functools.partial(self._release, notice))
            raise
        self._change(functools.partial(self._settle, notice))
        _log.info("%s", json.dumps({"sent": notice.kind, "id": notice.id}))

    def _take(self) -> Notice | None:
        """Return the notice that this run has to send, and keep others from sending it."""
        taken: Notice | None = None
        waiting: int | None = None

        def take(state: NotifierState) -> bool:
            nonlocal taken, waiting
            taken = None
            now = self._now()
            # They may be of a deployment that had them in its notices.
            dropped = not self._with_payload and state.drop_payloads()
            if state.outgoing is not None:
                if now < state.outgoing.until:
                    return dropped
                taken = state.outgoing.notice
                state.outgoing = replace(state.outgoing, until=now + LEASE_SECONDS)
                return True
            due = state.failures_due(self._every)
            if due is not None and now < due:
                self._wake_after(due - now)
                return dropped
            if not state.is_open:
                return dropped
            if waiting is None:
                waiting = self._waiting()
            before = state.to_json()
            # One that cannot be seen holds what it held.
            names = map(_name_in, self._source_dead_letter_urls)
            dead_letters = sum(state.dead_letters_in(name) for name in names)
            taken = state.write(
                now, waiting + dead_letters, every=self._every, reminder=self._reminder
            )
            return dropped or state.to_json() != before

        self._change(take)
        return taken

    def _wake_after(self, seconds: float) -> None:
        # The schedule's next tick is at most a minute away: soon enough for known groups.
        if seconds <= GAP_SECONDS:
            self._sqs.send_message(
                QueueUrl=self._queue_url,
                MessageBody=json.dumps(TICK),
                DelaySeconds=math.ceil(seconds),
            )

    def _publish(self, notice: Notice) -> None:
        try:
            self._publish_all_of(notice)
        except Exception as error:
            if not _is_about_the_notice(error):
                raise
            # Whatever a group holds: it must not keep people from every later notice.
            _log.exception("notice %s cannot be sent with its groups", notice.id)
            self._publish_all_of(replace(notice, groups=()))

    def _publish_all_of(self, notice: Notice) -> None:
        self._sns.publish(
            TopicArn=self._topic_arn,
            Subject=subject(notice, self._place),
            Message=by_protocol(notice, self._place, for_chat=self._for_chat),
            MessageStructure="json",
            MessageAttributes={"kind": {"DataType": "String", "StringValue": notice.kind}},
        )

    def _settle(self, notice: Notice, state: NotifierState) -> bool:
        if state.outgoing is None or state.outgoing.notice.id != notice.id:
            return False
        state.outgoing = None
        return True

    def _release(self, notice: Notice, state: NotifierState) -> bool:
        if state.outgoing is None or state.outgoing.notice.id != notice.id:
            return False
        state.outgoing = replace(state.outgoing, until=0)
        return True

    def _waiting(self) -> int:
        """Return about how many failed events wait in the channel's queues."""
        return sum(map(self._messages_in, self._waiting_queue_urls))

    def _messages_in(self, url: str) -> int:
        """Return about how many messages a queue holds."""
        answer = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=_COUNTS)
        return sum(int(answer["Attributes"][name]) for name in _COUNTS)

    def _change(self, change: Callable[[NotifierState], bool]) -> None:
        """Change the state, again if somebody else changed it meanwhile.

        Args:
            change: Changes a state, and returns whether to write it. It may be called several
                times, each time with the newest state.
        """
        for _ in range(_MAX_CONFLICTS):
            state, version = self._table.read()
            if not change(state) or self._table.write(state, version):
                return
            time.sleep(random.uniform(0, 0.2))  # noqa: S311 - not a secret
        raise RuntimeError(f"the state changed {_MAX_CONFLICTS} times while this run changed it")


def _not_a_failure(message: Mapping[str, Any], type: str, text: str, now: float) -> Occurrence:
    group = Fingerprint(type.lower(), None, None, type, normalise(text), None)
    return Occurrence(message["MessageId"], None, group, now)


def _is_about_the_notice(error: Exception) -> bool:
    """Return whether a notice cannot be written, or SNS cannot take it as it is."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        return response.get("Error", {}).get("Code") in _UNFIT
    return isinstance(error, (ValueError, TypeError, LookupError, ArithmeticError, RecursionError))


def _name_in(url: str) -> str:
    """Return the name of a queue by its URL."""
    return url.rpartition("/")[2]


def _is_tick(body: str) -> bool:
    # Short: the body of a failed event may be large.
    if len(body) > 100:  # noqa: PLR2004
        return False
    try:
        return bool(json.loads(body) == TICK)
    except ValueError:
        return False


@functools.cache
def default_notifier() -> Notifier:
    """Return the notifier of this process, configured by the function's environment variables."""
    import boto3  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415

    environment = os.environ
    session = boto3.Session()
    short = Config(
        connect_timeout=3,
        read_timeout=10,
        retries={"mode": "standard", "total_max_attempts": 3},
        max_pool_connections=_DELETERS,
    )
    return Notifier(
        NotifierTable(session.client("dynamodb", config=short), environment["TABLE"]),
        session.client("sqs", config=short),
        session.client("sns", config=short),
        place=NoticePlace(
            stack=environment["STACK"],
            channel=environment["CHANNEL"],
            partition=environment["PARTITION"],
            region=environment["REGION"],
            account=environment["ACCOUNT"],
            queue_url=environment["QUEUE_URL"],
            option=environment.get("CHANNEL_OPTION", ""),
            log_groups=json.loads(environment.get("LOG_GROUPS", "{}")),
        ),
        queue_url=environment["NOTICE_QUEUE_URL"],
        topic_arn=environment["TOPIC"],
        waiting_queue_urls=environment["WAITING_QUEUE_URLS"].split(),
        # They are in the account and Region of the notifier's own queue.
        source_dead_letter_urls=[
            f"{environment['NOTICE_QUEUE_URL'].rpartition('/')[0]}/{name}"
            for name in environment.get("SOURCE_DEAD_LETTER_QUEUES", "").split()
        ],
        every=float(environment["EVERY_SECONDS"]),
        reminder=float(environment["REMINDER_SECONDS"]),
        with_payload=environment["PAYLOAD"] == "true",
        for_chat=environment["CHAT"] == "true",
    )
