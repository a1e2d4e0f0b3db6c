"""The newest record of each key among the failed batches that a run would replay."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping

from failure_destinations.deployed.function_names import without_latest
from failure_destinations.runtime import FailedEvent
from failure_destinations.runtime.event_records import Record, records_of

from .received_message import ReceivedMessage

_DIGEST_BYTES = 16
_DIGEST = re.compile(rf"[0-9a-f]{{{2 * _DIGEST_BYTES}}}", re.ASCII)
# As many digits as a record's own order may have.
_ORDER = re.compile(r"[0-9]{1,400}", re.ASCII)
# Of which a journal's line stays well below the longest that is read, a million characters.
_KEYS_A_LINE = 1_000


class NewestRecords:
    """Knows the newest record of each key, for each function that gets the records.

    A key is that of one stream, table or partition of a topic. Two functions that read one stream
    have a position each, so a record of one says nothing about those of the other. Memory grows by
    about 200 bytes for each key, and by 80 for each batch.

    The newest record of a key leaves the queue once it is handled, while the batches with older
    ones stay. So a run notes the newest in its journal before it starts, for the next one to know.

    Args:
        destination: Returns the ARN of the function that an event goes to. Default: the function
            that the event names.

    Attributes:
        counted: The number of records with a key that were counted.
    """

    def __init__(
        self, destination: Callable[[FailedEvent], str | None] = lambda event: event.function_arn
    ) -> None:
        self._destination = destination
        # The order of the newest record, and how many records have it: two batches may share some.
        self._orders: dict[bytes, tuple[int, int]] = {}
        self._several: set[bytes] = set()
        self._before: dict[bytes, int] = {}
        self._batches: set[bytes] = set()
        self.counted = 0

    def add(self, message: ReceivedMessage) -> None:
        """Count the records of a failed batch, those of one that was delivered twice once."""
        event = message.event
        if event is None or event.batch is None or message.key in self._batches:
            return
        self._batches.add(message.key)
        reader = self._reader(event)
        for record in records_of(event.payload):
            if record.key is not None:
                self.counted += 1
                digest = _digest(reader, record.key)
                newest, count = self._orders.get(digest, (record.order, 0))
                if record.order != newest:
                    self._several.add(digest)
                if record.order > newest:
                    newest, count = record.order, 0
                self._orders[digest] = newest, count + (record.order == newest)

    def remember(self, orders: Mapping[str, str]) -> None:
        """Know the newest records of an earlier run.

        Args:
            orders: As `notes` yielded them; what is not so is left out.
        """
        for name, text in orders.items():
            if isinstance(text, str) and _DIGEST.fullmatch(name) and _ORDER.fullmatch(text):
                digest, order = bytes.fromhex(name), int(text)
                self._before[digest] = max(order, self._before.get(digest, order))

    def notes(self) -> Iterator[dict[str, str]]:
        """Yield the order of the newest record of each key with several records, by its digest."""
        known = [digest for digest in self._orders if digest in self._several]
        for first in range(0, len(known), _KEYS_A_LINE):
            yield {
                digest.hex(): str(self._orders[digest][0])
                for digest in known[first : first + _KEYS_A_LINE]
            }

    @property
    def older(self) -> int:
        """The number of counted records of which a newer one of the same key is known."""
        newest = sum(
            count
            for digest, (order, count) in self._orders.items()
            if order >= self._before.get(digest, order)
        )
        return self.counted - newest

    def is_older(self, record: Record, event: FailedEvent) -> bool:
        """Return whether a newer record of the same key is known, for the same function.

        A record without a key, or of a key that is not known, is not older than another.

        Args:
            record: The record.
            event: The event of its batch.
        """
        if record.key is None:
            return False
        digest = _digest(self._reader(event), record.key)
        known, _ = self._orders.get(digest, (record.order, 0))
        return record.order < max(known, self._before.get(digest, record.order))

    def _reader(self, event: FailedEvent) -> str:
        return without_latest(self._destination(event) or "")


def _digest(reader: str, key: str) -> bytes:
    # Older journals have digests of the key alone, which match none of these: nothing is left out
    # because of another function's record.
    text = json.dumps([reader, key])
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=_DIGEST_BYTES).digest()
