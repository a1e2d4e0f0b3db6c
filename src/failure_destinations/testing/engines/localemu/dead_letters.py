"""A patch that makes localemu send the same messages as Lambda to a function's dead-letter queue.

The queue gets the event as it was sent, with attributes that identify the invocation and its error.
localemu 1.3.2 uses a new request id, and omits events that never ran.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
"""

# localemu is installed where this module runs, not where it is type-checked.
# mypy: disable-error-code="import-not-found"

from __future__ import annotations

import json
import logging
from typing import Any

from localemu.aws.connect import connect_to
from localemu.services.lambda_.invocation.event_manager import Poller
from localemu.utils.aws import arns

_LOG = logging.getLogger(__name__)

_ERROR_MESSAGE_BYTES = 1024


def apply() -> None:
    """Patch localemu."""
    Poller.process_dead_letter_queue = _send_to_dead_letter_queue


def _send_to_dead_letter_queue(poller: Any, event: Any, result: Any) -> None:
    version = poller.version_manager.function_version
    target = version.config.dead_letter_arn
    if not target:
        return
    attributes = {
        "RequestID": ("String", event.invocation.request_id),
        "ErrorCode": ("Number", "200" if result.payload else "429"),
        "ErrorMessage": ("String", _error_message(result.payload)),
    }
    message = {
        name: {"DataType": kind, "StringValue": value} for name, (kind, value) in attributes.items()
    }
    text = event.invocation.payload.decode()
    try:
        clients = connect_to.with_assumed_role(
            role_arn=version.config.role,
            service_principal="lambda",
            region_name=arns.extract_region_from_arn(target),
        )
        if ":sns:" in target:
            clients.sns.publish(TopicArn=target, Message=text, MessageAttributes=message)
        else:
            url = arns.sqs_queue_url_for_arn(target)
            clients.sqs.send_message(QueueUrl=url, MessageBody=text, MessageAttributes=message)
    except Exception as error:
        # The event is lost, as it is in AWS.
        _LOG.warning("could not send a failed event to dead-letter queue %s: %s", target, error)


def _error_message(payload: bytes | None) -> str:
    if not payload:
        return "the event was given up before it ran"
    try:
        message = str(json.loads(payload)["errorMessage"])
    except (KeyError, TypeError, ValueError):
        message = payload.decode(errors="replace")
    # An attribute cannot be empty.
    return message.encode()[:_ERROR_MESSAGE_BYTES].decode(errors="ignore") or "unknown"
