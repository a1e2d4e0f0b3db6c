"""What the batch forwarder sends to the channel, with AWS's answers."""

from __future__ import annotations

import io
import json
import logging
from typing import Any

import boto3
import pytest
from botocore.response import StreamingBody
from botocore.stub import Stubber

from failure_destinations.runtime import batch_forwarder
from failure_destinations.runtime.batch_forwarder import (
    BatchForwarder,
    NotAFailedBatch,
    batch_record,
)
from failure_destinations.runtime.failed_batch import MAX_OBJECT_BYTES
from failure_destinations.runtime.publishing import RecordPublisher

BUCKET = "failures-batches"
TOPIC = "arn:aws:sns:eu-west-1:111122223333:Failures-Topic"
QUEUE = "https://sqs.eu-west-1.amazonaws.com/111122223333/Failures-Queue"
MAPPING = "4a7c9d1e-93b5-4f27-9c2b-0a8d3d5b7e11"
KEY = (
    f"aws/lambda/{MAPPING}/shardId-000000000001/2026/11/29/"
    "2026-11-29T16.00.21-8f0c5e4a-2f3a-4c7e-9b57-0a1b2c3d4e5f"
)
KAFKA_KEY = f"aws/lambda/{MAPPING}/2026/11/29/2026-11-29T16.00.21-8f0c5e4a-2f3a-4c7e-9b57-0a1b2c3d4"
FUNCTION = "arn:aws:lambda:us-east-2:123456789012:function:myfunction"
# As AWS documents it, with numbers and escapes that decoding would change.
# https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
RECORD = (
    '{ "requestContext": {"requestId": "c9b8fa9f-5a7f-xmpl-af9c-0c604cde93a5", '
    f'"functionArn": "{FUNCTION}", '
    '"condition": "RetryAttemptsExhausted", "approximateInvokeCount": 1}, '
    '"responseContext": {"statusCode": 200, "executedVersion": "$LATEST", '
    '"functionError": "Unhandled"}, "version": "1.0", "timestamp": "2019-11-14T00:38:06.021Z", '
    '"KinesisBatchInfo": {"shardId": "shardId-000000000001", '
    '"startSequenceNumber": "49601189658422359378836298521827638475320189012309704722", '
    '"n": 1.0, "t": "\\u00fc", "batchSize": 12345678901234567890, '
    '"streamArn": "arn:aws:kinesis:us-east-2:123456789012:stream/mystream"}'
)
PAYLOAD = '"{\\"Records\\": [{\\"kinesis\\": {\\"data\\": \\"SGVsbG8=\\"}}]}"'


def client(service: str) -> Any:
    """Return a client that nobody answers."""
    known: Any = boto3.client
    return known(
        service, region_name="eu-west-1", aws_access_key_id="id", aws_secret_access_key="secret"
    )


def announcement(key: str = KEY, version: str | None = "v1", **changed: Any) -> dict[str, Any]:
    """Return a record of a queue's event that announces an object.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
    """
    about: dict[str, Any] = {"key": key, "size": 5, "etag": "b1946ac9", "sequencer": "00617F08299"}
    if version is not None:
        about["version-id"] = version
    event = {
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": "Object Created",
        "source": "aws.s3",
        "account": "111122223333",
        "detail": {
            "version": "0",
            "bucket": {"name": BUCKET},
            "object": about,
            "reason": "PutObject",
        },
        **changed,
    }
    return {"messageId": "2e1424d4-f796-459a-8184-9c92662be6da", "body": json.dumps(event)}


class Channel:
    """A forwarder, and what its channel gets."""

    def __init__(self) -> None:
        s3, sns, sqs = client("s3"), client("sns"), client("sqs")
        self.s3, self.sns, self.sqs = Stubber(s3), Stubber(sns), Stubber(sqs)
        self.sent: list[tuple[str, str]] = []
        sns.meta.events.register("before-parameter-build.sns.Publish", self._keep)
        sqs.meta.events.register("before-parameter-build.sqs.SendMessage", self._keep)
        publisher = RecordPublisher(sns, sqs, topic_arn=TOPIC, queue_url=QUEUE)
        self.forwarder = BatchForwarder(s3, publisher, bucket=BUCKET)

    def _keep(self, params: dict[str, Any], **_given: Any) -> None:
        where = params.get("TopicArn") or params["QueueUrl"]
        self.sent.append((where, params.get("Message") or params["MessageBody"]))

    def has(
        self, content: bytes, *, key: str = KEY, version: str | None = "v1", size: int = -1
    ) -> None:
        """Let the bucket answer once with an object."""
        body = StreamingBody(io.BytesIO(content), len(content))
        self.s3.add_response(
            "get_object",
            {"Body": body, "ContentLength": len(content) if size < 0 else size},
            {"Bucket": BUCKET, "Key": key} | ({} if version is None else {"VersionId": version}),
        )

    def forward(self, record: dict[str, Any]) -> list[tuple[str, str]]:
        """Forward a record, and return what was sent where."""
        with self.s3, self.sns, self.sqs:
            self.forwarder.forward(record)
            for service in (self.s3, self.sns, self.sqs):
                service.assert_no_pending_responses()
        return self.sent


def whole(payload: str = PAYLOAD) -> bytes:
    """Return an object as Lambda writes it."""
    return f'{RECORD}, "payload": {payload}}}'.encode()


def test_sends_the_record_without_its_payload() -> None:
    """As Lambda sends it to a queue, each value byte for byte, and where the object is."""
    channel = Channel()
    channel.has(whole())
    channel.sns.add_response("publish", {"MessageId": "1"})
    ((where, text),) = channel.forward(announcement())
    assert where == TOPIC
    stored = json.dumps({"bucket": BUCKET, "key": KEY, "versionId": "v1"})
    assert text == "{" + RECORD[2:] + f', "storedObject": {stored}}}'


def test_sends_the_same_text_for_the_same_object() -> None:
    """EventBridge may announce an object twice: both messages are one record."""
    texts = []
    for _ in range(2):
        channel = Channel()
        channel.has(whole(), version=None)
        channel.sns.add_response("publish", {"MessageId": "1"})
        texts += [text for _, text in channel.forward(announcement(version=None))]
    assert texts[0] == texts[1]
    assert json.loads(texts[0])["storedObject"] == {"bucket": BUCKET, "key": KEY}


KAFKA = {
    "batchSize": 500,
    "eventSourceArn": "arn:aws:kafka:us-east-1:123456789012:cluster/c/u",
    "payloadSize": 2039086,
    "recordsInfo": {"orders-0": {"firstRecordOffset": "1", "lastRecordOffset": "5"}},
}


@pytest.mark.parametrize(
    "content",
    [
        {"KafkaBatchInfo": KAFKA, "payload": "{}"},
        {"KafkaBatchInfo": {**KAFKA, "payload": "{}"}},
        {"KafkaBatchInfo": KAFKA, "payload": {"records": {}}, "storedObject": {"bucket": "mine"}},
        {"KinesisBatchInfo": None, "KafkaBatchInfo": KAFKA, "payload": "{}"},
    ],
)
def test_takes_every_form_of_a_record(content: dict[str, Any]) -> None:
    """The payload may be in two places, and a `storedObject` is always the forwarder's own."""
    record = json.loads(batch_record(json.dumps(content), '{"bucket": "b", "key": "k"}'))
    assert record["KafkaBatchInfo"] == KAFKA
    assert "payload" not in record
    assert record["storedObject"] == {"bucket": "b", "key": "k"}


def test_passes_on_a_record_without_context() -> None:
    """Of a batch that never ran, only its info may be known."""
    text = json.dumps({"DDBStreamBatchInfo": {"shardId": "s"}, "payload": "{}"})
    assert json.loads(batch_record(text, "{}")) == {
        "DDBStreamBatchInfo": {"shardId": "s"},
        "storedObject": {},
    }


@pytest.mark.parametrize(
    "content",
    [
        "",
        "not JSON",
        "[]",
        '"text"',
        "{}",
        '{"payload": "{}"}',
        '{"requestContext": {"functionArn": "' + FUNCTION + '"}, "requestPayload": {}}',
        '{"KinesisBatchInfo": "text"}',
        '{"KinesisBatchInfo": null}',
        '{"KinesisBatchInfo": {}, "DDBStreamBatchInfo": {}}',
        '{"KinesisBatchInfo": {}} trailing',
        '{"KinesisBatchInfo": {}, "requestContext": {"functionArn": "arn:aws:s3:::bucket"}}',
        '{"KinesisBatchInfo": {}, "requestContext": {"functionArn": "' + FUNCTION + '\\nx"}}',
        '{"KinesisBatchInfo": {}, "requestContext": {"functionArn": ["' + FUNCTION + '"]}}',
    ],
)
def test_refuses_what_lambda_does_not_write(content: str) -> None:
    """An object that is not a failed batch stays announced, and at last is a dead letter."""
    with pytest.raises(NotAFailedBatch, match="not the record of a"):
        batch_record(content, "{}")


def test_a_deep_payload_is_no_harm() -> None:
    """Python's own decoder would give up."""
    deep = "[" * 100_000 + "]" * 100_000
    text = '{"KinesisBatchInfo": {}, "payload": ' + deep + "}"
    assert json.loads(batch_record(text, "{}")) == {"KinesisBatchInfo": {}, "storedObject": {}}


def test_sends_only_characters_that_sqs_takes() -> None:
    """U+FFFE and U+FFFF are JSON, but no message of SQS may have them."""
    text = '{"KinesisBatchInfo": {"shardId": "\ufffe\uffff\U0001f600"}}'
    record = batch_record(text, "{}")
    assert not {"\ufffe", "\uffff"} & set(record)
    assert json.loads(record)["KinesisBatchInfo"] == {"shardId": "\ufffe\uffff\U0001f600"}


@pytest.mark.parametrize("key", [KEY, KAFKA_KEY])
def test_reads_the_keys_of_every_source(key: str) -> None:
    """Kafka has no shards."""
    channel = Channel()
    channel.has(whole(), key=key)
    channel.sns.add_response("publish", {"MessageId": "1"})
    ((_, text),) = channel.forward(announcement(key))
    assert json.loads(text)["storedObject"]["key"] == key


@pytest.mark.parametrize(
    "record",
    [
        announcement("aws/lambda/async/orders/2026/11/29/x"),
        announcement(f"aws/lambda/{MAPPING}"),
        announcement(f"aws/lambda/{MAPPING}/"),
        announcement(f"{KEY}\n2026 a forged line"),
        announcement(f"other/{KEY}"),
        announcement(KEY.replace("shardId", "shàrdId")),
        announcement(""),
        announcement(**{"detail-type": "Object Deleted"}),
        announcement(detail={"bucket": {"name": "other"}, "object": {"key": KEY}}),
        announcement(detail="text"),
        {"messageId": "1", "body": "not JSON"},
        {"messageId": "1", "body": "[" * 100_000},
    ],
)
def test_reads_no_other_object(record: dict[str, Any]) -> None:
    """Only keys that Lambda writes, in the channel's own bucket."""
    with pytest.raises(NotAFailedBatch) as refused:
        Channel().forward(record)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 1_000


@pytest.mark.parametrize("code", ["NoSuchKey", "NoSuchVersion"])
def test_says_that_an_object_is_gone(code: str) -> None:
    """It was deleted before it was read."""
    channel = Channel()
    channel.s3.add_client_error("get_object", code, http_status_code=404)
    with pytest.raises(NotAFailedBatch, match=f"{MAPPING}.* is gone from {BUCKET}"):
        channel.forward(announcement())


def test_raises_what_may_pass() -> None:
    """A fault of S3 is tried again."""
    channel = Channel()
    channel.s3.add_client_error("get_object", "SlowDown", http_status_code=503)
    with pytest.raises(Exception, match="SlowDown"):
        channel.forward(announcement())


def test_reads_no_object_that_is_too_large() -> None:
    """Whoever may write to the bucket cannot make the forwarder run out of memory."""
    channel = Channel()
    channel.has(b"x", size=MAX_OBJECT_BYTES + 1)
    with pytest.raises(NotAFailedBatch, match="more than a failed batch can have"):
        channel.forward(announcement())


def test_reads_no_object_that_is_not_text() -> None:
    """Such as an image."""
    channel = Channel()
    channel.has(b"\xff\xd8\xff\xe0")
    with pytest.raises(NotAFailedBatch, match="is not text"):
        channel.forward(announcement())


def test_sends_what_is_too_large_for_the_topic_to_the_queue() -> None:
    """It is not mailed, but can be replayed."""
    channel = Channel()
    channel.has(whole())
    channel.sns.add_client_error(
        "publish", "InvalidParameter", "Invalid parameter: Message too long"
    )
    channel.sqs.add_response("send_message", {"MessageId": "1"})
    (topic, published), (queue, sent) = channel.forward(announcement())
    assert (topic, queue) == (TOPIC, QUEUE)
    assert sent == published


def test_leaves_partitions_out_that_no_message_can_hold() -> None:
    """The offsets of thousands of partitions; the object still has them."""
    many = {f"orders-{n}": {"firstRecordOffset": "0" * 200} for n in range(6_000)}
    text = json.dumps({"KafkaBatchInfo": {**KAFKA, "recordsInfo": many}})
    record = json.loads(batch_record(text, "{}"))
    assert record["KafkaBatchInfo"] == {k: v for k, v in KAFKA.items() if k != "recordsInfo"}


def test_refuses_a_record_that_no_message_can_hold() -> None:
    """Lambda writes none such."""
    text = json.dumps({"KinesisBatchInfo": {"shardId": "x" * 1_100_000}})
    with pytest.raises(NotAFailedBatch, match="has more than 1048576 bytes") as refused:
        batch_record(text, "{}")
    assert len(str(refused.value)) < 1_000


def test_leaves_only_what_failed_in_the_queue(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Lambda deletes the others; SQS delivers this one again, and at last gives it up."""
    channel = Channel()
    channel.has(whole())
    channel.s3.add_client_error("get_object", "NoSuchKey", http_status_code=404)
    channel.has(whole())
    for _ in range(2):
        channel.sns.add_response("publish", {"MessageId": "1"})
    monkeypatch.setattr(batch_forwarder, "default_forwarder", lambda: channel.forwarder)
    records = [{**announcement(), "messageId": str(number)} for number in range(3)]
    with channel.s3, channel.sns, caplog.at_level(logging.INFO):
        answer = batch_forwarder.handler({"Records": records}, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "1"}]}
    assert len(channel.sent) == 2
    assert "is gone from" in caplog.text


def test_is_configured_by_the_functions_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the construct sets it."""
    environment = {
        "BUCKET": BUCKET,
        "TOPIC_ARN": TOPIC,
        "QUEUE_URL": QUEUE,
        "AWS_DEFAULT_REGION": "eu-west-1",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    batch_forwarder.default_forwarder.cache_clear()
    assert batch_forwarder.default_forwarder() is batch_forwarder.default_forwarder()
    batch_forwarder.default_forwarder.cache_clear()
