"""Failed batches get their records before they are yielded, and are settled as what they were."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Sequence
from typing import Any, cast

import pytest

from failure_destinations.replay.batches import FETCHED_AT_ONCE, BatchFetcher
from failure_destinations.replay.fetching import FetchingSource
from failure_destinations.replay.received_message import ReceivedMessage

from ..runtime import messages
from .test_in_order import batch
from .test_run import Memory

PLAIN = ReceivedMessage.of({**messages.message(messages.record("{}")), "MessageId": "plain"})


class Fetcher:
    """Gives each batch its records once the test lets it."""

    def __init__(self) -> None:
        self.may_end = threading.Event()
        self.asked: list[str] = []

    def prepare(self) -> None:
        """Do nothing."""

    def complete(self, message: ReceivedMessage) -> ReceivedMessage:
        """Return another object, as when the records are there."""
        self.asked.append(message.id)
        assert self.may_end.wait(30)
        event = dataclasses.replace(cast(Any, message.event), payload='{"Records": []}')
        return dataclasses.replace(message, event=event)


def fetching(source: Memory, fetcher: Fetcher, unwanted: Sequence[str] = ()) -> FetchingSource:
    """Return a source that fetches the records of all batches but some."""
    return FetchingSource(source, cast(BatchFetcher, fetcher), lambda one: one.id not in unwanted)


def test_yields_what_needs_no_records_meanwhile() -> None:
    """So that a slow object does not delay other events."""
    fetcher = Fetcher()
    source = fetching(Memory([batch("a1"), PLAIN, batch("b1")]), fetcher, unwanted=["b1"])
    batches = source.batches()
    assert [one.id for one in next(batches)] == ["plain", "b1"]
    assert next(batches) == []
    fetcher.may_end.set()
    (found,) = [one for each in batches for one in each]
    assert found.id == "a1"
    assert found.event is not None
    assert found.event.payload
    source.close()


def test_fetches_a_few_at_a_time() -> None:
    """Each may have 6 MB, so no more are received meanwhile."""
    fetcher = Fetcher()
    received = [batch(f"a{at}") for at in range(10)]
    source = fetching(Memory(received, [PLAIN]), fetcher)
    batches = source.batches()
    assert [next(batches) for _ in range(3)] == [[], [], []]
    assert len(fetcher.asked) <= FETCHED_AT_ONCE
    fetcher.may_end.set()
    assert len([one for each in batches for one in each]) == 11
    source.close()


@pytest.mark.parametrize("settle", ["delete", "keep"])
def test_settles_the_message_that_was_received(settle: str) -> None:
    """The source knows that one, not the one with records."""
    fetcher = Fetcher()
    fetcher.may_end.set()
    message = batch("a1")
    memory = Memory([message])
    source = fetching(memory, fetcher)
    (found,) = [one for each in source.batches() for one in each]
    assert found is not message
    assert source.holds(found)
    if settle == "delete":
        source.delete(found)
    else:
        source.keep([found])
    (settled,) = memory.deleted + memory.kept
    assert settled is message
    source.close()
    assert memory.closed


def test_an_error_is_raised_where_batches_are_asked_for() -> None:
    """The run says it, and ends."""

    class Broken(Fetcher):
        """Cannot fetch."""

        def complete(self, message: ReceivedMessage) -> ReceivedMessage:
            raise RuntimeError(message.id)

    source = fetching(Memory([batch("a1")]), Broken())
    with pytest.raises(RuntimeError, match="a1"):
        list(source.batches())
    source.close()
