"""The rule for event source mappings: find batches and messages that are lost.

It judges facts from templates and accounts alike, in linear time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .causes import Cause, Doubt, Flaw, Problem
from .findings import Finding
from .kinds import (
    BLOCKED_SHARD,
    DEAD_LETTER_RETENTION,
    DESTINATION_PERMISSION,
    DISABLED,
    DURABLE_UNQUALIFIED,
    ENDLESS_RETRIES,
    INFO,
    LOST_DESTINATION,
    METADATA_ONLY,
    NO_REDRIVE,
    NO_SUBSCRIBER,
    STREAM_UNCOVERED,
    TENANT_MISSING,
    UNKNOWN,
    UNWATCHED,
    VISIBILITY_MARGIN,
    VISIBILITY_TIMEOUT,
    Kind,
)
from .model import (
    LATEST,
    EventSource,
    EventSourceMapping,
    Facts,
    Function,
    Kept,
    Queue,
    Seconds,
    Tool,
)
from .parts import Fix, Naming, Remedy
from .senders import ACTIONS

_STREAMS = frozenset({EventSource.KINESIS, EventSource.DYNAMODB, EventSource.STREAM})
_WITH_DESTINATION = _STREAMS | {EventSource.KAFKA}
# SQS keeps a message for 14 days at most, in seconds.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
_LONGEST_RETENTION = 1_209_600
# A visibility timeout of at least six times the function's timeout, and the mapping's batching
# window, leaves time for retries.
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
_MARGIN = 6
# A mapping waits for a durable execution, but no longer than this, in seconds.
# https://docs.aws.amazon.com/lambda/latest/dg/durable-invoking-esm.html
_LONGEST_EXECUTION = 900
# The most that SQS allows, in seconds.
_LONGEST_VISIBILITY = 43_200
_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


@dataclass(frozen=True)
class _Case:
    """A mapping with what it refers to.

    Attributes:
        mapping: The mapping.
        function: The function.
        queue: The queue that it reads, or None.
        destination: The queue where failed batches go, or None.
        is_unqualified: Whether it names the function without a version, an alias or `$LATEST`.
        facts: All facts.
    """

    mapping: EventSourceMapping
    function: Function
    queue: Queue | None
    destination: Queue | None
    is_unqualified: bool
    facts: Facts

    @property
    def is_durable(self) -> bool:
        """Whether what it invokes is durable: a version may differ from the function."""
        function = self.function
        return function.is_durable != (self.mapping.qualifier in function.of_other_kind)


def judge_mappings(facts: Facts) -> list[Finding]:
    """Return the findings about event source mappings, in the order of the mappings."""
    findings: list[Finding] = []
    unqualified = {(call.source, call.function) for call in facts.calls if call.is_unqualified}
    for mapping in facts.mappings:
        function = facts.functions[mapping.function]
        if function.owned_by_library:
            continue
        case = _Case(
            mapping,
            function,
            facts.queues.get(mapping.queue),
            facts.queues.get(mapping.destination_queue),
            mapping.qualifier == LATEST and (mapping.source, mapping.function) in unqualified,
            facts,
        )
        accepted = {**function.acknowledged, **mapping.acknowledged}
        if case.queue is not None:
            accepted |= case.queue.acknowledged
        findings += (one for one in _judge(case) if one.kind not in accepted)
    return list(dict.fromkeys(findings))


def _judge(case: _Case) -> Iterator[Finding]:
    found = [*_of_function(case), *_of_source(case)]
    if not case.mapping.is_disabled:
        yield from found
    elif any(one.severity != INFO for one in found):
        cause = Cause(Problem.MAPPING_DISABLED, (case.mapping.read or _shown(case.mapping),))
        yield _finding(case, DISABLED, cause)


def _of_function(case: _Case) -> Iterator[Finding]:
    """Yield a finding if the mapping cannot invoke its function.

    https://docs.aws.amazon.com/lambda/latest/dg/tenant-isolation-invoke.html
    https://docs.aws.amazon.com/lambda/latest/dg/durable-invoking-esm.html
    """
    mapping, function = case.mapping, case.function
    if case.is_durable and case.is_unqualified:
        cause = Cause(Problem.MAPPING_UNQUALIFIED, (_shown(mapping),))
        yield _finding(case, DURABLE_UNQUALIFIED, cause, Remedy.READ_FOR_ALIAS)
    if function.isolates_tenants:
        cause = Cause(Problem.MAPPING_WITHOUT_TENANT, (_shown(mapping),))
        yield _finding(case, TENANT_MISSING, cause, Remedy.PASS_TENANT)


def _of_source(case: _Case) -> Iterator[Finding]:
    reads = case.mapping.reads
    if reads is EventSource.UNKNOWN:
        doubt = Cause(Doubt.EVENT_SOURCE_NOT_KNOWN, (case.mapping.read or "its ARN",))
        yield _unknown(case, doubt)
    elif reads in _WITH_DESTINATION:
        yield from _of_stream(case)
    else:
        if case.mapping.on_failure.kept is not Kept.NO:
            yield _without_destination(case)
        if reads is EventSource.QUEUE:
            yield from _of_queue(case)


def _without_destination(case: _Case) -> Finding:
    """Return the finding about a destination for a source that Lambda has none for.

    Lambda answers `Unsupported DestinationConfig parameter for given event source mapping type.`
    https://docs.aws.amazon.com/lambda/latest/api/API_OnFailure.html
    """
    cause = Cause(Problem.NO_DESTINATION_FOR_SOURCE, (case.mapping.reads.value,))
    # Of a queue that is known, a finding of its own says whether it needs a redrive policy.
    is_open = case.mapping.reads is EventSource.QUEUE and case.queue is None
    remedy = Remedy.REDRIVE_INSTEAD if is_open else Remedy.REMOVE_DESTINATION
    return _finding(case, LOST_DESTINATION, cause, remedy)


def _of_stream(case: _Case) -> Iterator[Finding]:
    """Yield the findings about a stream or Kafka.

    https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
    https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
    https://docs.aws.amazon.com/lambda/latest/dg/kafka-retry-configurations.html
    """
    mapping = case.mapping
    kept = mapping.on_failure.kept
    if kept is Kept.NO:
        if mapping.is_limited is False:
            is_kafka = mapping.reads is EventSource.KAFKA
            unit = "partition" if is_kafka else "shard"
            cause = Cause(Problem.RETRIES_ENDLESS, (_shown(mapping), unit))
            # Without provisioned mode, a mapping of Kafka takes no MaximumRetryAttempts.
            remedy = Remedy.KEEP_BATCHES if is_kafka else Remedy.LIMIT_AND_KEEP_BATCHES
            yield _finding(case, ENDLESS_RETRIES, cause, remedy)
        else:
            cause = Cause(Problem.BATCHES_DISCARDED, (_shown(mapping),))
            yield _finding(case, STREAM_UNCOVERED, cause, Remedy.KEEP_BATCHES)
    elif kept is Kept.LOST:
        one = mapping.on_failure
        cause = Cause(Problem.BATCH_DESTINATION_REFUSED, (one.name,), one.why)
        yield _finding(case, LOST_DESTINATION, cause, Remedy.KEEP_BATCHES)
    elif kept is Kept.PERHAPS:
        yield _unknown(case, mapping.on_failure.why)
    else:
        # With a destination, Lambda stops retrying a batch from Kafka after 10 attempts.
        if mapping.is_limited is False and mapping.reads in _STREAMS:
            cause = Cause(Problem.SHARD_BLOCKED, (_shown(mapping),))
            yield _finding(case, BLOCKED_SHARD, cause, Remedy.LIMIT_RETRIES)
        yield from _of_destination(case)


def _of_destination(case: _Case) -> Iterator[Finding]:
    """Yield the findings about a destination that may hold failed batches."""
    mapping = case.mapping
    if not mapping.may_send:
        action = ACTIONS[mapping.destination]
        cause = Cause(Problem.MAY_NOT_SEND, (mapping.on_failure.name, action))
        # A bucket needs one action more, of which nothing is known.
        needed = f"{action} and s3:ListBucket" if mapping.destination == "s3" else action
        yield _finding(case, DESTINATION_PERMISSION, cause, Remedy.LET_ROLE_SEND, sender=needed)
    flaw = mapping.on_failure.flaw
    if flaw is not None and flaw.what is Flaw.NO_SUBSCRIPTION:
        cause = Cause(Problem.BATCHES_UNHEARD, flaw.names, flaw)
        yield _finding(case, NO_SUBSCRIBER, cause, Remedy.SUBSCRIBE, receiver=flaw.names[0])
    if mapping.destination not in ("sqs", "sns"):
        return
    # Where the destination gets metadata only, the records are in the stream, or nowhere.
    longest = Seconds(_LONGEST_RETENTION, _LONGEST_RETENTION)
    queue = case.destination.retention if case.destination is not None else None
    stream = mapping.retention
    if mapping.destination == "sns":
        queue = longest
    if stream is not None and stream.least >= (queue or longest).most:
        return
    if stream is None or queue is None:
        of = _shown(mapping, "the") if stream is None else mapping.on_failure.name
        yield _unknown(case, Cause(Doubt.RETENTION_NOT_KNOWN, (of,)))
    elif stream.most < queue.least:
        names = (mapping.on_failure.name, mapping.read, _time(stream.most))
        if mapping.destination == "sqs":
            cause = Cause(Problem.METADATA_ONLY, (*names, _time(queue.least)))
        else:
            cause = Cause(Problem.METADATA_ONLY_TO_TOPIC, names)
        yield _finding(case, METADATA_ONLY, cause, Remedy.KEEP_RECORDS)


def _of_queue(case: _Case) -> Iterator[Finding]:
    """Yield the findings about a queue.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
    """
    queue = case.queue
    if queue is None:
        yield _unknown(case, Cause(Doubt.QUEUE_DEFINED_ELSEWHERE, (case.mapping.read,)))
        return
    kept = queue.dead_letter.kept
    # Messages stay in a dead-letter queue anyway.
    if kept is Kept.NO and not queue.is_dead_letter:
        cause = Cause(Problem.NOT_REDRIVEN, (_name(queue), *_retained(queue)))
        yield _finding(case, NO_REDRIVE, cause, Remedy.REDRIVE, queue=queue)
    elif kept is Kept.PERHAPS:
        yield _unknown(case, queue.dead_letter.why)
    for key in queue.dead_letter_queues:
        dead_letters = case.facts.queues.get(key)
        if dead_letters is not None:
            for finding in _of_dead_letters(case, queue, dead_letters):
                if finding.kind not in dead_letters.acknowledged:
                    yield finding
    yield from _of_visibility(case, queue)


def _of_dead_letters(case: _Case, queue: Queue, dead_letters: Queue) -> Iterator[Finding]:
    """Yield the findings about a dead-letter queue.

    A message's age counts from when it was first sent; in a FIFO queue, it begins again.
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/setting-up-dead-letter-queue-retention.html
    """
    source, target = queue.retention, dead_letters.retention
    name = _name(dead_letters)
    if source and target and target.most < source.least and not queue.is_fifo:
        yield _finding(
            case,
            DEAD_LETTER_RETENTION,
            Cause(
                Problem.DEAD_LETTERS_EXPIRE,
                (name, _time(target.most), _name(queue), _time(source.least)),
            ),
            Remedy.KEEP_DEAD_LETTERS,
            queue=dead_letters,
            seconds=_LONGEST_RETENTION,
        )
    if not dead_letters.is_watched:
        cause = Cause(Problem.UNWATCHED, (name, _name(queue)))
        yield _finding(case, UNWATCHED, cause, Remedy.WATCH, queue=dead_letters)


def _of_visibility(case: _Case, queue: Queue) -> Iterator[Finding]:
    """Yield the findings about a queue's visibility timeout.

    Lambda refuses a mapping of a queue that hides messages for less than the function may run:
    `Queue visibility timeout: 30 seconds is less than Function timeout: 300 seconds`. It is not
    asked again when either changes later.
    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
    """
    timeout = case.mapping.timeout or case.function.timeout
    visibility = queue.visibility
    if timeout is None or visibility is None:
        if visibility is None or case.function.judged:
            yield _unknown(case, Cause(Doubt.TIMEOUTS_NOT_KNOWN, (_name(queue),)))
        return
    names = (_name(queue), _time(visibility.most), _time(timeout.least))
    window = case.mapping.window or Seconds(0, 0)
    execution = (case.function.execution if case.is_durable else None) or Seconds(0, 0)
    lasts = min(execution.least, _LONGEST_EXECUTION)
    longest = max(timeout.most * _MARGIN, min(execution.most, _LONGEST_EXECUTION))
    needed = min(longest + window.most, _LONGEST_VISIBILITY)
    if visibility.most < timeout.least:
        cause = Cause(Problem.VISIBILITY_SHORT, names)
        kind = VISIBILITY_TIMEOUT
    elif visibility.most < lasts:
        # Whether Lambda refuses such a mapping is not documented.
        cause = Cause(Problem.VISIBILITY_OF_EXECUTION, (*names[:2], _time(lasts)))
        kind = VISIBILITY_MARGIN
    elif visibility.most < min(timeout.least * _MARGIN + window.least, _LONGEST_VISIBILITY):
        plus = f" and the batching window of {_time(window.least)}" if window.least else ""
        cause = Cause(Problem.VISIBILITY_TIGHT, (*names, plus))
        kind = VISIBILITY_MARGIN
    else:
        return
    yield _finding(case, kind, cause, Remedy.RAISE_VISIBILITY, queue=queue, seconds=needed)


def _unknown(case: _Case, why: Cause | None) -> Finding:
    return _finding(case, UNKNOWN, Cause(Problem.MAPPING_IN_DOUBT, (_shown(case.mapping),), why))


def _finding(
    case: _Case,
    kind: Kind,
    cause: Cause,
    remedy: Remedy | None = None,
    *,
    queue: Queue | None = None,
    receiver: str = "",
    sender: str = "",
    seconds: int | None = None,
) -> Finding:
    """Return a finding, reported at the mapping.

    Args:
        case: The mapping.
        kind: The kind.
        cause: The cause.
        remedy: The kind of fix, or None.
        queue: The queue that the fix changes, or None.
        receiver: The topic that the fix changes; empty for none.
        sender: The action that the fix allows; empty for none.
        seconds: The time that the fix sets, in seconds.
    """
    mapping, function = case.mapping, case.function
    # SAM defines the mapping only: queues are written as in CloudFormation.
    tool = queue.source.tool if queue is not None else mapping.source.tool
    if queue is not None and queue.source.written_as != mapping.source.written_as:
        # SAM's words are about the event for which it generates the queue.
        tool = Tool.CLOUDFORMATION if tool is Tool.SAM else tool
    fix = remedy and Fix(
        remedy,
        function.source,
        Naming.IN_ACCOUNT if function.is_deployed else Naming.IN_TEMPLATE,
        mapping.qualifier,
        receiver=queue.source.logical_id if queue is not None else receiver,
        sender=sender,
        queue=queue.source if queue is not None else None,
        is_fifo=queue is not None and queue.is_fifo,
        seconds="" if seconds is None else str(seconds),
        caller=mapping.source,
        has_role_of_sam=function.has_role_of_sam,
        tool=Tool.ANY if function.is_deployed else tool,
    )
    return Finding(
        kind=kind.id,
        cause=cause,
        resource=mapping.source,
        function=function.source.shown,
        qualifier="" if mapping.qualifier.startswith("?") else mapping.qualifier,
        callers=(mapping.source,),
        remedy=fix,
    )


def _shown(mapping: EventSourceMapping, article: str = "a") -> str:
    """Return what a mapping reads, for people.

    Args:
        mapping: The mapping.
        article: What precedes a source without a name, such as a Kafka cluster of one's own.
    """
    kinds = {
        EventSource.KINESIS: "Kinesis stream",
        EventSource.DYNAMODB: "DynamoDB stream",
        EventSource.STREAM: "stream",
        EventSource.KAFKA: "Kafka cluster",
        EventSource.QUEUE: "queue",
    }
    if not mapping.read and mapping.reads in kinds:
        return f"{article} {kinds[mapping.reads]}"
    kind = kinds.get(mapping.reads, mapping.reads.value)
    return " ".join(filter(None, (kind, mapping.read))) or "an event source"


def _name(queue: Queue) -> str:
    """Return a queue's displayed name: what SAM generates has no better name than its id."""
    return queue.source.logical_id if queue.source.written_as else queue.source.shown


def _retained(queue: Queue) -> tuple[str]:
    return (_time(queue.retention.most) if queue.retention is not None else "its retention",)


def _time(seconds: int) -> str:
    """Return a time in its largest whole unit, such as `4 days`."""
    size, unit = next((size, unit) for size, unit in _UNITS if seconds % size == 0)
    # 24 hours is how AWS writes one day.
    if seconds == _UNITS[0][0]:
        return "24 hours"
    count = seconds // size
    return f"{count:,} {unit}{'' if count == 1 else 's'}"
