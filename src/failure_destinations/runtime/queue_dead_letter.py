"""A message of the dead-letter queue of an SQS queue that is a function's event source.

SQS moves the message as it is, so its body may be any text: only its queue says what it is.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from .failed_event import FailedEvent
from .record_values import sqs_time

# SQS adds it when it moves a message. Senders cannot set it.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_MessageSystemAttributeValue.html
SOURCE_ATTRIBUTE = "DeadLetterQueueSourceArn"


def source_queue(message: Mapping[str, Any]) -> str | None:
    """Return the ARN of the queue from which SQS moved a message; None if SQS does not say.

    Args:
        message: A message as SQS's `ReceiveMessage` returns it with all attributes.
    """
    return str((message.get("Attributes") or {}).get(SOURCE_ATTRIBUTE) or "") or None


def read_queue_dead_letter(
    message: Mapping[str, Any],
    *,
    queue: str,
    function: str | None = None,
    qualifier: str | None = None,
) -> FailedEvent:
    """Return the event with which the event source mapping invoked the function.

    SQS says neither which error the handler raised nor how often it ran: a message is received
    once for each run, but also by whoever looks at it.

    Args:
        message: A message as SQS's `ReceiveMessage` returns it with all attributes.
        queue: ARN of the source queue.
        function: ARN of the function that reads the source queue, without a qualifier. Default:
            not known.
        qualifier: The alias or version that reads it. Default: none.
    """
    return FailedEvent(
        payload=sqs_event(message, queue),
        function=function,
        qualifier=qualifier,
        source="queue-dlq",
        timestamp=_sent(message),
        queue=queue,
    )


def sqs_event(message: Mapping[str, Any], queue: str) -> str:
    """Return the event of a mapping's invocation with one message, as JSON text.

    It differs from the event that failed where SQS has changed the message since: the receipt
    handle is that of the dead-letter queue, more receives are counted, and a FIFO queue's
    `MessageDeduplicationId` is the message's id.

    Args:
        message: A message as SQS's `ReceiveMessage` returns it with all attributes.
        queue: ARN of the source queue.

    https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-dead-letter-queue-redrive.html
    """
    noted = {
        str(name): str(value)
        for name, value in (message.get("Attributes") or {}).items()
        if name != SOURCE_ATTRIBUTE
    }
    record: dict[str, Any] = {
        "messageId": str(message.get("MessageId", "")),
        "receiptHandle": str(message.get("ReceiptHandle", "")),
        "body": str(message.get("Body", "")),
        "attributes": noted,
        "messageAttributes": {
            str(name): _attribute(value)
            for name, value in (message.get("MessageAttributes") or {}).items()
            if isinstance(value, Mapping)
        },
    }
    if message.get("MD5OfMessageAttributes"):
        record["md5OfMessageAttributes"] = str(message["MD5OfMessageAttributes"])
    record["md5OfBody"] = str(message.get("MD5OfBody", ""))
    record["eventSource"] = "aws:sqs"
    record["eventSourceARN"] = queue
    # arn:partition:sqs:region:account:name
    record["awsRegion"] = queue.split(":")[3] if queue.count(":") > 3 else ""  # noqa: PLR2004
    event = {"Records": [record]}
    text = json.dumps(event, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        # Half of a surrogate pair, which no message from AWS has.
        return json.dumps(event)
    return text


def _attribute(value: Mapping[str, Any]) -> dict[str, Any]:
    attribute: dict[str, Any] = {}
    if value.get("StringValue") is not None:
        attribute["stringValue"] = str(value["StringValue"])
    binary = value.get("BinaryValue")
    if isinstance(binary, bytes):
        attribute["binaryValue"] = base64.b64encode(binary).decode()
    elif binary is not None:
        attribute["binaryValue"] = str(binary)
    # SQS has no lists, but mappings pass the members.
    return {
        **attribute,
        "stringListValues": [],
        "binaryListValues": [],
        "dataType": str(value.get("DataType", "")),
    }


def _sent(message: Mapping[str, Any]) -> datetime | None:
    return sqs_time((message.get("Attributes") or {}).get("SentTimestamp"))
