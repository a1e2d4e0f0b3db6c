"""The replayer's Lambda handler, fed from the queue as Lambda feeds it, for `benchmarks/replay.py`.

Lambda's part is played here: one event in each call of the handler, as many at once as the
replayer's `max_concurrency` says, and what the handler does not report is deleted.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest import mock

CONCURRENCY = 16


def by_replayer_handler(url: str) -> None:
    """Replay what the local target holds, until its queue is empty."""
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
        replayer.default_replayer.cache_clear()
        replayer.default_replayer()
        for done in [pool.submit(poll) for _ in range(CONCURRENCY)]:
            done.result()


def as_record(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message as Lambda hands it to the handler of a queue."""
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {},
    }
