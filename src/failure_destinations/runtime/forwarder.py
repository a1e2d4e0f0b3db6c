"""The Lambda handler of a durable function's forwarder: its dead letters become records.

Lambda sends the failures of a durable function to its dead-letter queue only. The forwarder sends
each on to the channel's topic in the form of an invocation record, so that it reaches people and
the channel's queue like any other failure.
https://docs.aws.amazon.com/lambda/latest/dg/durable-best-practices.html
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from .failed_event import DURABLE_CONDITION, NotAFailedEvent
from .json_text import is_json
from .publishing import RecordPublisher, publisher_of_environment
from .sqs_records import forward_each


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Forward the records of an SQS event, and return those that Lambda must leave in the queue.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
    """
    return forward_each(event, default_forwarder().forward)


class Forwarder:
    """Sends the dead letters of one function to the topic of its channel.

    Args:
        publisher: Sends records to the channel.
        function_arn: ARN of the function, version or alias that callers invoke.
        role_id: The unique id of the function's role, such as `AROAEXAMPLEID`, by which SQS
            identifies the role's sessions as senders. Empty: the sender is not checked.
    """

    def __init__(self, publisher: RecordPublisher, *, function_arn: str, role_id: str = "") -> None:
        self._publisher = publisher
        self._function_arn = function_arn
        self._role_id = role_id

    def forward(self, record: Mapping[str, Any]) -> None:
        """Send one record on.

        A record that is too large for the topic goes to the queue only.

        Args:
            record: One of `event["Records"]`.

        Raises:
            NotAFailedEvent: It is not a dead letter of the function.
        """
        self._publisher.publish(self._record(record), record["messageId"])

    def _record(self, record: Mapping[str, Any]) -> str:
        """Return the invocation record for a dead letter, with its payload byte for byte."""
        payload = str(record["body"])
        if not is_json(payload):
            raise NotAFailedEvent("text that is not JSON")
        sender = str(record["attributes"].get("SenderId", ""))
        # SQS names a role's session as sender. Not every emulator does.
        if self._role_id and ":" in sender and sender.partition(":")[0] != self._role_id:
            raise NotAFailedEvent(f"a message of {sender}, not of the function's role")
        noted = {
            name: value.get("stringValue")
            for name, value in (record.get("messageAttributes") or {}).items()
        }
        sent = int(record["attributes"]["SentTimestamp"]) / 1000
        known = {
            "version": "1.0",
            "timestamp": datetime.fromtimestamp(sent, timezone.utc).isoformat(),
            "requestContext": {
                "requestId": noted.get("RequestID") or record["messageId"],
                "functionArn": self._function_arn,
                "condition": DURABLE_CONDITION,
                # Lambda does not retry a durable execution.
                "approximateInvokeCount": 1,
            },
            "responsePayload": {
                "errorType": noted.get("ErrorCode"),
                "errorMessage": noted.get("ErrorMessage"),
            },
        }
        return f'{json.dumps(known)[:-1]}, "requestPayload": {payload}}}'


@functools.cache
def default_forwarder() -> Forwarder:
    """Return the forwarder of this process, configured by the function's environment variables."""
    return Forwarder(
        publisher_of_environment(),
        function_arn=os.environ["FUNCTION_ARN"],
        role_id=os.environ["ROLE_ID"],
    )
