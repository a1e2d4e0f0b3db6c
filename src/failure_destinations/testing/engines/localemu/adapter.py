"""How to run and inspect localemu, the faithful engine."""

from __future__ import annotations

import urllib.error
from collections.abc import Mapping
from http import HTTPStatus

from ...observations import Mail, Message, fetch_json, text_attributes
from ..base import Engine, Place


class LocalEmu(Engine):
    """localemu: follows AWS closely wherever a failure goes; slower to install and to start."""

    name = "localemu"
    version = "1.3.2"
    pythons = ("3.12", "3.13")
    install_hint = "400 MB, about 10 seconds with a fast connection"
    health = "/_localemu/health"
    start_seconds = 180.0
    differences = (
        "Lambda waits 1 second before the first retry and 2 before the second, not minutes.",
        (
            "Functions run on the engine's Python or the machine's Node, whatever their runtime's "
            "version, and stack traces show paths of this machine."
        ),
        "Functions in other languages and container images do not run.",
        "E-mail subscriptions stay unconfirmed, but e-mails are sent, without their subject.",
        "Destinations that do not exist, and retry counts over 2, are accepted.",
        (
            "Asynchronous settings of an alias, S3 destinations of asynchronous invocations and "
            "EventBridge Pipes do nothing."
        ),
        (
            "A mapping of a stream waits 0.5 to 60 seconds before each retry, handles one batch of "
            "a shard at a time, always says that no records were processed, and forgets records "
            "that wait for its batching window when it is updated."
        ),
        (
            "A stream keeps its records for as long as the engine runs, and has 4 shards unless "
            "its capacity mode is provisioned."
        ),
        "A message that was moved back from a FIFO dead-letter queue is lost if it fails again.",
        "Functions read from Kinesis, DynamoDB and SQS, not from Kafka, DocumentDB or Amazon MQ.",
        "A function that reads a queue runs one batch at a time, whatever its concurrency.",
        "An update does not read an output of another stack again.",
        "IAM permissions are not checked, and queue policies only for messages from SNS.",
    )

    def environment(self, place: Place) -> Mapping[str, str]:
        """Return its settings: loopback only, and retries after a second instead of a minute."""
        return {
            "GATEWAY_LISTEN": f"127.0.0.1:{place.port}",
            "FILESYSTEM_ROOT": str(place.state),
            # By default its queue URLs have names below `localhost`, which few machines resolve.
            "LOCALEMU_HOST": f"127.0.0.1:{place.port}",
            "SQS_ENDPOINT_STRATEGY": "path",
            "LAMBDA_RETRY_BASE_DELAY": "1",
            # By default it pauses for a second after each batch of a queue, longer if that is
            # empty.
            "LAMBDA_EVENT_SOURCE_MAPPING_POLL_INTERVAL_SEC": "0.01",
            "LAMBDA_EVENT_SOURCE_MAPPING_MAX_BACKOFF_ON_EMPTY_POLL_SEC": "1",
        }

    def messages(self, place: Place, queue_url: str) -> list[Message]:
        """Return the messages from its page about queues, which does not change receive counts."""
        answer = fetch_json(
            f"{place.url}/_aws/sqs/messages",
            body={"QueueUrl": queue_url},
            headers={
                "Content-Type": "application/x-amz-json-1.0",
                "X-Amz-Target": "AmazonSQS.ReceiveMessage",
            },
        )
        return [
            Message(
                message_id=message["MessageId"],
                body=message["Body"],
                attributes=message.get("Attributes", {}),
                message_attributes=text_attributes(message.get("MessageAttributes", {})),
            )
            for message in answer.get("Messages") or ()
        ]

    def mails(self, place: Place) -> list[Mail]:
        """Return the e-mails from its page, which exists once there is an e-mail."""
        try:
            mails = fetch_json(f"{place.url}/_aws/ses")["messages"]
        except urllib.error.HTTPError as error:
            if error.code != HTTPStatus.NOT_FOUND:
                raise
            return []
        return [
            Mail(to=address, subject=mail.get("Subject", ""), body=mail["Body"]["text_part"] or "")
            for mail in mails
            for address in mail["Destination"]["ToAddresses"]
        ]
