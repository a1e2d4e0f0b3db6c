"""The group that a failed event belongs to: all events that failed for the same reason."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from .failed_event import FailedEvent
from .message_pattern import normalise
from .stack_frame import own_frame

ID_CHARACTERS = 10
_MAX_TYPE_CHARACTERS = 200


@dataclass(frozen=True)
class Fingerprint:
    """What failed events of one group have in common.

    The texts come from the event and may be hostile: they are not made fit to print.

    Attributes:
        id: Ten lower-case hex digits that depend on all that follows and nothing else.
        function: The function's name; for a message of a function's dead-letter queue, the name of
            its sender according to SQS. None if neither is known.
        qualifier: The alias or version that was invoked; None for `$LATEST` or no qualifier.
        error_type: As in FailedEvent, at most 200 characters; empty if the message does not say.
        message: The error's message as `normalise` returns it; empty if there is none. Of a failed
            batch, whose record has no message, the name of its source, such as `stream/orders`. Of
            a dead letter of an SQS queue, of which SQS does not say the error, `queue/orders`.
        frame: File and function of the user's code where the error was raised, without line number;
            None if the stack trace has no such frame or there is none.
    """

    id: str
    function: str | None
    qualifier: str | None
    error_type: str
    message: str
    frame: str | None


def fingerprint(event: FailedEvent) -> Fingerprint:
    """Return the group of a failed event.

    Two events are in the same group if the same function and qualifier failed with the same type of
    error, the same message apart from its values, in the same function of the user's code. A new
    deployment or another line number does not change the group. Failed batches are in the same
    group if the mapping gave them up for the same reason, for the same function and source.

    It takes linear time, whatever the event holds.

    Args:
        event: The failed event.
    """
    function = event.function_name or event.sender
    error_type = (event.error_type or "")[:_MAX_TYPE_CHARACTERS]
    message = normalise(event.error_message or "")
    frame = own_frame(event.stack_trace)
    parts = json.dumps([function, event.qualifier, error_type, message, frame])
    if event.queue is not None:
        # Of these, SQS says no error: a group is what one function did not handle of one queue.
        message = f"queue/{event.queue.rpartition(':')[2]}"
        parts = json.dumps([function, event.qualifier, "", event.queue])
    if event.batch is not None:
        message = event.batch.source_name
        source = event.batch.source or event.batch.kind
        parts = json.dumps([function, event.qualifier, error_type, source])
    digest = hashlib.sha256(parts.encode()).hexdigest()
    return Fingerprint(
        id=digest[:ID_CHARACTERS],
        function=function,
        qualifier=event.qualifier,
        error_type=error_type,
        message=message,
        frame=frame,
    )
