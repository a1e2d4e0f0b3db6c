"""A patch that makes localemu handle failed batches of Kinesis and DynamoDB streams as Lambda does.

localemu 1.3.2 does not split batches, loses a batch whose records are partly too old, counts
throttled invocations as retries, writes records to S3 that are not those of Lambda or, with binary
attributes of DynamoDB, none, starts a stream from its beginning after each update of a mapping, and
reads an empty stream without a pause.

https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html
"""

# localemu is installed where this module runs, not where it is type-checked.
# mypy: disable-error-code="import-not-found"

from __future__ import annotations

import functools
import json
import logging
import math
import threading
import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from localemu.services.lambda_.event_source_mapping.esm_worker import EsmWorker
from localemu.services.lambda_.event_source_mapping.esm_worker_factory import EsmWorkerFactory
from localemu.services.lambda_.event_source_mapping.event_processor import (
    BatchFailureError,
    PartialBatchFailureError,
)
from localemu.services.lambda_.event_source_mapping.pipe_utils import (
    get_current_time,
    get_internal_client,
    to_json_str,
)
from localemu.services.lambda_.event_source_mapping.pollers.dynamodb_poller import DynamoDBPoller
from localemu.services.lambda_.event_source_mapping.pollers.kinesis_poller import KinesisPoller
from localemu.services.lambda_.event_source_mapping.pollers.poller import (
    EmptyPollResultsException,
    get_batch_item_failures,
)
from localemu.services.lambda_.event_source_mapping.pollers.stream_poller import (
    StreamPoller,
    get_failure_s3_object_key,
)
from localemu.utils.aws.arns import s3_bucket_name
from localemu.utils.backoff import ExponentialBackoff

_LOG = logging.getLogger(__name__)

_Event = dict[str, Any]


@dataclass
class _Mapping:
    """A mapping, which outlives the pollers that work for it.

    Attributes:
        turn: The lock of the one poller that may work.
        empty: How many shards were found empty one after the other.
        shards: The iterator of each shard, at what has not been handled.
        settings: The mapping's settings, as localemu keeps them.
    """

    turn: threading.Lock = field(default_factory=threading.Lock)
    empty: int = 0
    shards: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)


_mappings: defaultdict[str, _Mapping] = defaultdict(_Mapping)


def apply() -> None:
    """Patch localemu. EventBridge Pipes, which share its pollers, stay as they are."""
    EsmWorkerFactory.get_esm_worker = _remembering_settings(EsmWorkerFactory.get_esm_worker)
    for operation in ("stop", "delete"):
        setattr(EsmWorker, operation, _ending_retries(getattr(EsmWorker, operation)))
    StreamPoller.poll_events = _from_last_position(StreamPoller.poll_events)
    StreamPoller.get_records = _counting_empty_shards(StreamPoller.get_records)
    StreamPoller.forward_events_to_target = _of_mappings(
        StreamPoller.forward_events_to_target, _handle
    )
    StreamPoller.send_events_to_dlq = _of_mappings(StreamPoller.send_events_to_dlq, _send)
    DynamoDBPoller.get_approximate_arrival_time = _creation_time


def _of_mappings(original: Any, replacement: Any) -> Any:
    @functools.wraps(original)
    def operation(poller: Any, *arguments: Any, **options: Any) -> Any:
        chosen = replacement if poller.esm_uuid else original
        return chosen(poller, *arguments, **options)

    return operation


def _remembering_settings(original: Any) -> Any:
    @functools.wraps(original)
    def get_esm_worker(factory: Any) -> Any:
        _mappings[factory.esm_config["UUID"]].settings = factory.esm_config
        return original(factory)

    return get_esm_worker


def _ending_retries(original: Any) -> Any:
    @functools.wraps(original)
    def end(worker: Any) -> None:
        original(worker)
        # localemu does so only after the last retry, which may never come.
        worker.poller.close()

    return end


def _from_last_position(original: Any) -> Any:
    @functools.wraps(original)
    def poll_events(poller: Any) -> None:
        if not poller.esm_uuid:
            original(poller)
            return
        mapping = _mappings[poller.esm_uuid]
        with mapping.turn:
            if poller._is_shutdown.is_set():
                return
            poller.shards = mapping.shards or poller.shards
            try:
                original(poller)
            finally:
                mapping.shards = poller.shards
            if mapping.empty >= len(mapping.shards):
                # localemu then waits for about a second, as Lambda does.
                mapping.empty = 0
                raise EmptyPollResultsException(poller.event_source(), poller.source_arn)

    return poll_events


def _counting_empty_shards(original: Any) -> Any:
    @functools.wraps(original)
    def get_records(poller: Any, iterator: str) -> Any:
        answer = original(poller, iterator)
        if poller.esm_uuid:
            mapping = _mappings[poller.esm_uuid]
            mapping.empty = 0 if answer.get("Records") else mapping.empty + 1
        return answer

    return get_records


def _handle(poller: Any, shard: str, records: Any) -> None:
    """Invoke the function with what was read, and discard what cannot be handled."""
    events = poller.pre_filter(poller.transform_into_events(records, shard))
    batches = [poller.add_source_metadata(poller.post_filter(poller.filter_events(events)))]
    while batches:
        batch, halves = _run(poller, shard, batches.pop(0))
        if batch:
            _return_to(poller, shard, batch[0])
            return
        batches[:0] = halves


def _run(poller: Any, shard: str, batch: list[_Event]) -> tuple[list[_Event], list[list[_Event]]]:
    """Invoke the function with a batch until that is handled, discarded or split.

    Returns:
        What was not handled because the mapping was stopped, and the halves of a batch to split.
    """
    settings = _mappings[poller.esm_uuid].settings
    retries = settings.get("MaximumRetryAttempts", -1)
    backoff = ExponentialBackoff()
    attempts = 0
    while True:
        batch = _discard_old(poller, shard, batch, attempts)
        if not batch or poller._is_shutdown.is_set():
            return batch, []
        try:
            poller.processor.process_events_batch(batch)
            return [], []
        except PartialBatchFailureError as failure:
            error = failure.error
            batch = _from_checkpoint(poller, batch, failure.partial_failure_payload)
        except BatchFailureError as failure:
            error = failure.error
            if settings.get("BisectBatchOnFunctionError") and len(batch) > 1:
                half = len(batch) // 2
                return [], [batch[:half], batch[half:]]
        except Exception as failure:
            # It did not run: Lambda retries until the records are too old.
            _LOG.info("mapping %s could not invoke its function: %s", poller.esm_uuid, failure)
            attempts -= 1
        attempts += 1
        if 0 <= retries < attempts:
            context = poller.processor.generate_event_failure_context(
                abort_condition="RetryAttemptsExhausted", error=error, attempts_count=attempts
            )
            poller.send_events_to_dlq(shard, batch, context=context)
            return [], []
        # A wait past that age would make the records behind the batch too old as well.
        poller._is_shutdown.wait(min(backoff.next_backoff(), _seconds_until_old(poller, batch)))


def _seconds_until_old(poller: Any, batch: list[_Event]) -> float:
    age = _maximum_age(poller)
    if age is None:
        return math.inf
    arrived = float(poller.get_approximate_arrival_time(batch[0]))
    now: float = get_current_time().timestamp()
    return max(0.0, arrived + age - now)


def _maximum_age(poller: Any) -> int | None:
    age: int = _mappings[poller.esm_uuid].settings.get("MaximumRecordAgeInSeconds", -1)
    return age if age > 0 else None


def _discard_old(poller: Any, shard: str, batch: list[_Event], attempts: int) -> list[_Event]:
    age = _maximum_age(poller)
    if age is None:
        return batch
    batch, old = poller.bisect_events_by_record_age(age, batch)
    if old:
        context = {
            "requestContext": {
                "requestId": str(uuid.uuid4()),
                "functionArn": poller.processor.sender.target_arn,
                "condition": "RecordAgeExceeded",
                "approximateInvokeCount": max(1, attempts),
            }
        }
        poller.send_events_to_dlq(shard, old, context=context)
    return list(batch)


def _from_checkpoint(poller: Any, batch: list[_Event], answer: Any) -> list[_Event]:
    numbers = [poller.get_sequence_number(event) for event in batch]
    failed = get_batch_item_failures(answer, set(numbers))
    return batch[numbers.index(min(failed, key=int)) :] if failed else batch


def _return_to(poller: Any, shard: str, event: _Event) -> None:
    number = poller.get_sequence_number(event)
    place = (
        {"StreamARN": poller.source_arn, "StartingSequenceNumber": number}
        if isinstance(poller, KinesisPoller)
        else {"StreamArn": poller.source_arn, "SequenceNumber": number}
    )
    poller.shards[shard] = poller.source_client.get_shard_iterator(
        ShardId=shard, ShardIteratorType="AT_SEQUENCE_NUMBER", **place
    )["ShardIterator"]


def _send(poller: Any, shard: str, events: list[_Event], context: dict[str, Any]) -> None:
    destination = poller.stream_parameters.get("DeadLetterConfig", {}).get("Arn", "")
    try:
        if ":s3:" in destination:
            _put_object(poller, destination, shard, events, context)
        else:
            _send_to_queue_or_topic(poller, shard, events, context)
    except Exception as error:
        # The batch is lost, as it is in AWS.
        _LOG.warning("could not send a failed batch to %s: %s", destination, error)


def _put_object(
    poller: Any, bucket: str, shard: str, events: list[_Event], context: dict[str, Any]
) -> None:
    now = get_current_time()
    record = poller.create_dlq_event(shard, events, context, now)
    get_internal_client(bucket).put_object(
        Bucket=s3_bucket_name(bucket),
        Key=get_failure_s3_object_key(poller.esm_uuid, shard, now),
        Body=json.dumps({**record, "payload": to_json_str({"Records": events})}),
    )


_send_to_queue_or_topic = StreamPoller.send_events_to_dlq


def _creation_time(_poller: Any, event: _Event) -> float:
    return float(
        event["dynamodb"].get("ApproximateCreationDateTime", get_current_time().timestamp())
    )
