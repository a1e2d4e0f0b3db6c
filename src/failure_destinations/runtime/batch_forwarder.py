"""The Lambda handler that brings failed batches of event sources to a channel's topic.

Lambda writes a failed batch with its records to the channel's bucket, and EventBridge announces the
object in a queue. The handler reads the object and sends its record on without the payload, so that
it reaches people and the channel's queue like any other failure. The record says where the object
is.
https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
https://docs.aws.amazon.com/lambda/latest/dg/kafka-on-failure.html
"""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from .failed_batch import BATCH_INFO, MAX_OBJECT_BYTES, STORED_OBJECT
from .json_text import inner_members, members, string
from .publishing import RecordPublisher, publisher_of_environment
from .sqs_records import forward_each

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
_MAX_MESSAGE_BYTES = 1_048_576
_UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_KEY = re.compile(rf"aws/lambda/{_UUID}/[\w/.:=+-]+", re.ASCII)
_FUNCTION = re.compile(r"arn:[\w-]+:lambda:[\w-]+:\d{12}:function:[\w:$.-]+", re.ASCII)
_SHOWN_CHARACTERS = 200
# Only an object has it: the whole event.
_PAYLOAD = "payload"
# In Kafka's info, the offsets of each partition: the only part that can grow large.
_PARTITIONS = "recordsInfo"
# Characters that JSON may have in strings, but no message of SQS.
_NOT_IN_MESSAGES = str.maketrans({"\ufffe": "\\ufffe", "\uffff": "\\uffff"})


class NotAFailedBatch(ValueError):  # noqa: N818 - the name says what the object is
    """The announced object is not a failed batch, or is gone; the error says which."""


class Announced(NamedTuple):
    """An object that EventBridge announced.

    Attributes:
        key: Its key.
        version: Its version; None in a bucket without versions.
    """

    key: str
    version: str | None


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Forward the batches of an SQS event, and return those that Lambda must leave in the queue.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
    """
    return forward_each(event, default_forwarder().forward)


class BatchForwarder:
    """Sends the records of failed batches to the topic of a channel.

    The same object gives the same text each time, because EventBridge may announce it twice.

    Args:
        s3: A boto3 client of S3.
        publisher: Sends records to the channel.
        bucket: The channel's bucket.
    """

    def __init__(self, s3: S3Client, publisher: RecordPublisher, *, bucket: str) -> None:
        self._s3 = s3
        self._publisher = publisher
        self._bucket = bucket

    def forward(self, record: Mapping[str, Any]) -> None:
        """Send the record of one announced batch on.

        A record that is too large for the topic goes to the queue only.

        Args:
            record: One of `event["Records"]`.

        Raises:
            NotAFailedBatch: It announces something else, or the object is gone.
        """
        announced = self._announced(str(record["body"]))
        stored = {"bucket": self._bucket, "key": announced.key}
        if announced.version is not None:
            stored["versionId"] = announced.version
        text = batch_record(self._read(announced), json.dumps(stored))
        self._publisher.publish(text, announced.key)

    def _announced(self, text: str) -> Announced:
        """Return the object of an announcement.

        https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
        """
        event = inner_members(text)
        detail = inner_members(event.get("detail"))
        bucket = string(inner_members(detail.get("bucket")).get("name"))
        if string(event.get("detail-type")) != "Object Created" or bucket != self._bucket:
            raise NotAFailedBatch(f"not an announcement of the bucket's: {_shown(text)}")
        announced = inner_members(detail.get("object"))
        key = string(announced.get("key")) or ""
        if _KEY.fullmatch(key) is None:
            raise NotAFailedBatch(f"not a key that Lambda writes: {_shown(key)}")
        return Announced(key, string(announced.get("version-id")) or None)

    def _read(self, announced: Announced) -> str:
        from botocore.exceptions import ClientError  # noqa: PLC0415

        version = {} if announced.version is None else {"VersionId": announced.version}
        try:
            found = self._s3.get_object(Bucket=self._bucket, Key=announced.key, **version)  # type: ignore[arg-type]
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") not in ("NoSuchKey", "NoSuchVersion"):
                raise
            raise NotAFailedBatch(
                f"{announced.key} is gone from {self._bucket}, and its records with it"
            ) from None
        with found["Body"] as body:
            if found["ContentLength"] > MAX_OBJECT_BYTES:
                raise NotAFailedBatch(
                    f"{announced.key} has {found['ContentLength']} bytes, "
                    f"more than a failed batch can have ({MAX_OBJECT_BYTES})"
                )
            content = body.read()
        try:
            return content.decode()
        except UnicodeDecodeError:
            raise NotAFailedBatch(f"{announced.key} is not text") from None


def batch_record(text: str, stored: str) -> str:
    """Return the record of a failed batch as Lambda sends it to a queue, with its object.

    Args:
        text: The object's content.
        stored: Where it is, as JSON.

    Raises:
        NotAFailedBatch: The content is not the record of a failed batch, or is too large.
    """
    record = inner_members(text)
    infos = [name for name in record if name.endswith(BATCH_INFO) and record[name].startswith("{")]
    if len(infos) != 1:
        raise NotAFailedBatch(f"not the record of a failed batch: {_shown(text)}")
    function = inner_members(record.get("requestContext")).get("functionArn")
    if function is not None and _FUNCTION.fullmatch(string(function) or "") is None:
        raise NotAFailedBatch(f"not the record of a Lambda function: {_shown(function)}")
    (info,) = infos
    # The payload is a member of the record or of its info.
    kept = {
        name: _without(value, _PAYLOAD) if name == info else value
        for name, value in record.items()
        if name not in (_PAYLOAD, STORED_OBJECT)
    }
    for smaller in (kept, {**kept, info: _without(kept[info], _PARTITIONS)}):
        message = _written({**smaller, STORED_OBJECT: stored}).translate(_NOT_IN_MESSAGES)
        if len(message.encode()) <= _MAX_MESSAGE_BYTES:
            return message
    raise NotAFailedBatch(
        f"the record without its payload has more than {_MAX_MESSAGE_BYTES} bytes: {_shown(text)}"
    )


@functools.cache
def default_forwarder() -> BatchForwarder:
    """Return the forwarder of this process, configured by the function's environment variables."""
    import boto3  # noqa: PLC0415

    s3 = boto3.Session().client("s3")
    return BatchForwarder(s3, publisher_of_environment(), bucket=os.environ["BUCKET"])


def _without(text: str, name: str) -> str:
    """Return a JSON object without one member; byte for byte the same if it has no such member."""
    found = members(text)
    return text if found.pop(name, None) is None else _written(found)


def _written(values: Mapping[str, str]) -> str:
    return f"{{{', '.join(f'{json.dumps(name)}: {value}' for name, value in values.items())}}}"


def _shown(text: str) -> str:
    """Return the start of a foreign text for the log: one line, without control characters."""
    return ascii(text[:_SHOWN_CHARACTERS])
