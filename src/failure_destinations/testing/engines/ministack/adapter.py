"""How to run and inspect ministack, the small and quick engine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import quote

from ...observations import Mail, Message, fetch_json, text_attributes
from ..base import ACCOUNT, Engine, Place

_MAILS = "mails.jsonl"


class MiniStack(Engine):
    """ministack: starts at once and runs on any Python, but its records differ from Lambda's."""

    name = "ministack"
    version = "1.5.33"
    pythons = ("3.12", "3.13", "3.11", "3.10", "3.14")
    install_hint = "60 MB, about 3 seconds with a fast connection"
    health = "/_ministack/ready"
    start_seconds = 60.0
    differences = (
        "Lambda waits 1 second before the first retry and 2 before the second, not minutes.",
        "Each retry has its own request id, and none has the id that invoke returns.",
        (
            "Invocation records have neither version, timestamp nor requestId, and always count 3 "
            "invocations."
        ),
        "Success destinations, EventBridge as a destination and the maximum event age do nothing.",
        (
            "A run that a schedule or rule started is not retried, and its failure reaches no "
            "destination."
        ),
        (
            "Dead-letter queues of functions, rules and schedules do nothing, nor does reserved "
            "concurrency."
        ),
        "More than 50 events at once are sent to the destination without having run.",
        (
            "Functions run on the engine's Python or the machine's Node, whatever their runtime's "
            "version, and stack traces show paths of this machine."
        ),
        "E-mail subscriptions are confirmed at once.",
        "Destinations that do not exist, and retry counts over 2, are accepted.",
        "Asynchronous settings of an alias, S3 destinations and EventBridge Pipes do nothing.",
        (
            "A batch of a stream that fails is retried without end: failure destinations of "
            "streams, retries, maximum ages and partial responses do nothing."
        ),
        "IAM permissions and queue policies are not checked.",
    )

    def environment(self, place: Place) -> Mapping[str, str]:
        """Return its settings: loopback only, and retries after a second instead of a minute."""
        return {
            "GATEWAY_PORT": str(place.port),
            "BIND_HOST": "127.0.0.1",
            "MINISTACK_HOST": "127.0.0.1",
            "MINISTACK_REGION": place.region,
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "LAMBDA_ASYNC_RETRY_BASE_SECONDS": "1",
            "STATE_DIR": str(place.state / "state"),
            "S3_DATA_DIR": str(place.state / "s3"),
            "FAILURE_DESTINATIONS_MAILS": str(place.state / _MAILS),
        }

    def messages(self, place: Place, queue_url: str) -> list[Message]:
        """Return the messages from its page about queues, which does not change receive counts."""
        page = (
            f"{place.url}/_ministack/sqs/messages?region={place.region}&QueueUrl={quote(queue_url)}"
        )
        regions = fetch_json(page)["messages"].get(ACCOUNT, {})
        return [
            Message(
                message_id=message["MessageId"],
                body=message["Body"],
                attributes={
                    **message["Attributes"],
                    "ApproximateReceiveCount": str(message["ReceiveCount"]),
                },
                message_attributes=text_attributes(message["MessageAttributes"]),
            )
            for queues in regions.values()
            for messages in queues.values()
            for message in messages
            if message["IsVisible"]
        ]

    def mails(self, place: Place) -> list[Mail]:
        """Return the e-mails that `main` wrote to a file."""
        try:
            lines = (place.state / _MAILS).read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        return [Mail(**json.loads(line)) for line in lines]
