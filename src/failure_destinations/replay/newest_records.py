"""The newest record of each key among the failed batches that a run would replay."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping

from failure_destinations.runtime.event_records import Record, records_of

from .received_message import ReceivedMessage

_DIGEST_BYTES = 16
_DIGEST = re.compile(rf"[0-9a-f]{{{2 * _DIGEST_BYTES}}}", re.ASCII)
# As many digits as a record's own order may have.
_ORDER = re.compile(r"[0-9]{1,400}", re.ASCII)
# Of which a journal's line stays well below the longest that is read, a million characters.
_KEYS_A_LINE = 1_000


class NewestRecords:
    """Knows the newest record of each key.

    A key is that of one stream, table or partition of a topic. Memory grows by about 150 bytes for
    each key.

    The newest record of a key leaves the queue once it is handled, while the batches with older
    ones stay. So a run notes the newest in its journal before it starts, for the next one to know.

    Attributes:
        counted: The number of records with a key that were counted.
    """

    def __init__(self) -> None:
        self._orders: dict[bytes, int] = {}
        self._several: set[bytes] = set()
        self._before: dict[bytes, int] = {}
        self.counted = 0

    def add(self, message: ReceivedMessage) -> None:
        """Count the records of a failed batch."""
        event = message.event
        if event is None or event.batch is None:
            return
        for record in records_of(event.payload):
            if record.key is not None:
                self.counted += 1
                digest = _digest(record.key)
                known = self._orders.get(digest)
                if known is not None:
                    self._several.add(digest)
                if known is None or record.order > known:
                    self._orders[digest] = record.order

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
                digest.hex(): str(self._orders[digest])
                for digest in known[first : first + _KEYS_A_LINE]
            }

    @property
    def older(self) -> int:
        """The number of counted records of which a newer one of the same key is known."""
        newest = sum(
            order >= self._before.get(digest, order) for digest, order in self._orders.items()
        )
        return self.counted - newest

    def is_older(self, record: Record) -> bool:
        """Return whether a newer record of the same key is known.

        A record without a key, or of a key that is not known, is not older than another.
        """
        if record.key is None:
            return False
        digest = _digest(record.key)
        newest = max(self._orders.get(digest, record.order), self._before.get(digest, record.order))
        return record.order < newest


def _digest(key: str) -> bytes:
    return hashlib.blake2b(key.encode(errors="replace"), digest_size=_DIGEST_BYTES).digest()
