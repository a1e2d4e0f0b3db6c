"""The records of a batch, one by one."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failure_destinations.runtime import only_latest, records_of, with_records

from . import batches, messages

KINESIS = [batches.of_kinesis("9", "a"), batches.of_kinesis("10", "b")]
DYNAMODB = [
    batches.of_dynamodb("1", {"a": {"N": "1"}, "b": {"S": "x"}}),
    batches.of_dynamodb("2", {"b": {"S": "x"}, "a": {"N": "1"}}),
]


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (batches.event(KINESIS), [("9", 9), ("10", 10)]),
        (batches.event(DYNAMODB), [("1", 1), ("2", 2)]),
        (batches.event([batches.of_sqs("m1"), batches.of_sqs("m2")]), [("m1", 0), ("m2", 0)]),
        (batches.event([batches.of_sqs("m1", "g", "7")]), [("m1", 7)]),
        (
            batches.kafka_event({"orders-0": [batches.of_kafka(5)], "o-1": [batches.of_kafka(5)]}),
            [("orders-0:5", 5), ("o-1:5", 5)],
        ),
        ('{"Records": []}', []),
        ('{"Records": 7}', []),
        ('{"records": [1]}', []),
        ("{}", []),
        ("[", []),
        ('{"Records": [1, {}, {"kinesis": 1}]}', [("#0", 0), ("#1", 0), ("#2", 0)]),
    ],
)
def test_names_each_record_as_its_handler_does(
    payload: str, expected: list[tuple[str, int]]
) -> None:
    """By what batchItemFailures would name."""
    assert [(record.identifier, record.order) for record in records_of(payload)] == expected


def keys(payload: str) -> list[str | None]:
    """Return the keys of the records."""
    return [record.key for record in records_of(payload)]


def test_two_records_of_one_key_have_one_key() -> None:
    """However the keys of an item are written; other streams have other keys."""
    first, second = keys(batches.event(DYNAMODB))
    assert first == second
    first, second = keys(batches.event(KINESIS))
    assert first != second
    other = {**KINESIS[0], "eventSourceARN": f"{batches.STREAM}2"}
    assert keys(batches.event([other])) != [first]
    one = batches.of_kafka(1, "a2V5")
    first, second = keys(batches.kafka_event({"orders-0": [one], "orders-1": [one]}))
    assert first != second


@pytest.mark.parametrize(
    "record",
    [
        batches.of_kinesis("1", "a", b"\xf3\x89\x9a\xc2packed"),
        batches.of_dynamodb("1", {}),
        batches.of_sqs("m1"),
        # A fair queue is a standard queue, which has groups and no order.
        batches.of_sqs("m1", "tenant"),
    ],
)
def test_some_records_have_no_key(record: dict[str, object]) -> None:
    """A record of the Kinesis Producer Library has many."""
    assert keys(batches.event([record])) == [None]


def test_a_record_of_kafka_may_have_no_key() -> None:
    """Its producer decides."""
    assert keys(batches.kafka_event({"orders-0": [batches.of_kafka(1)]})) == [None]


def test_takes_the_newest_of_each_key() -> None:
    """Over all batches; what has no key stays."""
    payload = batches.event(
        [
            batches.of_kinesis("9", "a"),
            batches.of_kinesis("10", "a"),
            batches.of_kinesis("8", "b"),
            batches.of_kinesis("11", "c", b"\xf3\x89\x9a\xc2packed"),
            batches.of_kinesis("12", "c", b"\xf3\x89\x9a\xc2packed"),
        ]
    )
    later = batches.event([batches.of_kinesis("7", "b")])
    latest = only_latest([*records_of(payload), *records_of(later)])
    assert [record.identifier for record in latest] == ["10", "8", "11", "12"]


@messages.patient
@given(st.lists(messages.payloads, min_size=2, max_size=4), st.integers(0, 3))
def test_keeps_a_record_to_the_last_character(texts: list[str], which: int) -> None:
    """Whatever is written in it."""
    record = f'{{"messageId": "m", "x": {texts[which % len(texts)]}}}'
    others = ", ".join(f'{{"messageId":"{at}","x":{text}}}' for at, text in enumerate(texts))
    payload = f'{{ "state" : {{"n": 1.0}}, "Records" : [ {others} ,{record}\n] , "z":1e400}}'
    assert with_records(payload, ["m"]) == (
        f'{{ "state" : {{"n": 1.0}}, "Records" : [{record}] , "z":1e400}}'
    )
    everything = [each.identifier for each in records_of(payload)]
    assert with_records(payload, everything) == payload


def test_leaves_out_partitions_without_records() -> None:
    """A mapping sends none."""
    first, second = batches.of_kafka(5), batches.of_kafka(6)
    payload = batches.kafka_event({"a-0": [first], "a-1": [first, second]})
    assert json.loads(with_records(payload, ["a-1:6"]))["records"] == {"a-1": [second]}


@pytest.mark.parametrize("identifiers", [["11"], ["9", "x"], []])
def test_rejects_records_that_are_not_there(identifiers: list[str]) -> None:
    """Nothing else is replayed in their place."""
    with pytest.raises(ValueError, match="record"):
        with_records(batches.event(KINESIS), identifiers)
