"""Calls the replayer's Lambda handler from the queue as Lambda does, for `benchmarks/replay.py`.

Each call has one event, as many calls run at once as the replayer's `max_concurrency` allows, and
messages that the handler does not report are deleted.
"""

from __future__ import annotations

import importlib
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest import mock

CONCURRENCY = 16


def by_replayer_handler(url: str) -> None:
    """Replay the local target's messages until its queue is empty."""
    import boto3  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415

    from failure_destinations.runtime import replayer  # noqa: PLC0415

    session = boto3.Session("local", "local", region_name="eu-west-1")
    config = Config(max_pool_connections=CONCURRENCY)
    sqs: Any = session.client("sqs", endpoint_url=url, config=config)
    queue = sqs.get_queue_url(QueueName="failures")["QueueUrl"]
    environment = {
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL": url,
        "NO_PROXY": "127.0.0.1",
        "QUEUE_URL": queue,
        "PARKED_QUEUE_URL": queue,
        "MAX_ATTEMPTS": "3",
        "BACKOFF_SECONDS": "900",
        "HANDLER_SECONDS": "890",
    }

    def poll() -> None:
        while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            for message in messages:
                answer = replayer.handler({"Records": [as_record(message)]}, None)
                assert answer == {"batchItemFailures": []}
            entries = [
                {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                for number, message in enumerate(messages)
            ]
            sqs.delete_message_batch(QueueUrl=queue, Entries=entries)

    with mock.patch.dict(os.environ, environment), ThreadPoolExecutor(CONCURRENCY) as pool:
        # As in a new execution environment: the handler connects once, before the threads start.
        importlib.reload(replayer).handler({"Records": []}, None)
        for done in [pool.submit(poll) for _ in range(CONCURRENCY)]:
            done.result()


def as_record(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message in the form of Lambda's SQS event."""
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {},
    }
