"""Find a text in an event's payload and record, however JSON writes it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .batch_contents import contents
from .received_message import ReceivedMessage

_ESCAPE = re.compile(r'\\(?:u([0-9a-fA-F]{4})|(["\\/bfnrt]))')
_LETTERS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def contains(message: ReceivedMessage, text: str) -> bool:
    """Return whether a failed event contains a text, in upper or lower case.

    It looks at the payload, the error with its stack trace, the function, the ids, and why the
    event was parked. Of a failed batch it also looks at its source, shard, sequence numbers, and
    each record as its producer wrote it, if the records were fetched. A character that the payload
    writes as an escape is found as the character, and as it is written.

    Args:
        message: The message.
        text: The text.
    """
    wanted = text.casefold()
    return any(wanted in part.casefold() for part in _parts(message))


def _parts(message: ReceivedMessage) -> Iterator[str]:
    event = message.event
    if event is None:
        yield message.body
        return
    yield event.payload
    if "\\" in event.payload:
        yield unescaped(event.payload)
    yield from filter(
        None,
        (
            message.id,
            event.request_id,
            event.function_arn,
            event.sender,
            event.error_type,
            event.error_message,
            event.condition,
        ),
    )
    yield "\n".join(event.stack_trace)
    batch = event.batch
    if batch is not None:
        yield from filter(None, (batch.source, batch.shard, batch.first, batch.last, batch.mapping))
        for content in contents(event.payload):
            yield from filter(None, (content.id, content.key, content.data))
    if message.parked is not None:
        yield from filter(None, (message.parked.reason, message.parked.error))


def unescaped(json_text: str) -> str:
    """Return JSON with the escapes in its strings replaced by their characters.

    Args:
        json_text: JSON; the result is not.
    """
    text = _ESCAPE.sub(
        lambda match: chr(int(match[1], 16)) if match[1] else _LETTERS.get(match[2], match[2]),
        json_text,
    )
    # Two escapes of a surrogate pair are one character.
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
