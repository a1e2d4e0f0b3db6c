"""What a handler's response says about its batch, by the rules of Lambda."""

from __future__ import annotations

import json
from typing import Any

import pytest

from failure_destinations.runtime import BatchResult, read_response

from . import batches

STREAM = batches.event([batches.of_kinesis(number) for number in ("8", "9", "10", "11")])
ITEMS = batches.event([batches.of_dynamodb(number, {}) for number in ("8", "9", "10")])
QUEUE = batches.event([batches.of_sqs(id) for id in ("a", "b", "c")])
KAFKA = batches.kafka_event(
    {
        "orders-0": [batches.of_kafka(offset) for offset in (5, 6, 7)],
        "orders-1": [batches.of_kafka(offset) for offset in (5, 6)],
    }
)


def failures(*identifiers: Any) -> str:
    """Return a response that reports failures."""
    return json.dumps({"batchItemFailures": [{"itemIdentifier": id} for id in identifiers]})


@pytest.mark.parametrize("payload", [STREAM, ITEMS, QUEUE, KAFKA])
@pytest.mark.parametrize(
    "response",
    [
        "",
        "null",
        "{}",
        '{"batchItemFailures": []}',
        '{"batchItemFailures": null}',
        '"done"',
        "7",
        "[]",
        '["done"]',
        '{"statusCode": 200}',
        f'{{"n": {"1" * 5000}, "batchItemFailures": []}}',
    ],
)
def test_takes_no_report_for_success(payload: str, response: str) -> None:
    """Handlers answer what they like."""
    result = read_response(response.encode(), payload)
    assert result.succeeded
    assert (result.handled, result.message) == (result.total, None)


@pytest.mark.parametrize(
    ("payload", "failed", "left"),
    [
        # The lowest sequence number counts, as a number.
        (STREAM, ["10"], ("10", "11")),
        (STREAM, ["11", "9"], ("9", "10", "11")),
        (ITEMS, ["10"], ("10",)),
        (ITEMS, ["8"], ("8", "9", "10")),
        (QUEUE, ["b"], ("b",)),
        (QUEUE, ["c", "a", "a"], ("a", "c")),
        # Each partition of Kafka has an offset of its own.
        (
            KAFKA,
            [{"partition": "orders-0", "offset": 6}],
            ("orders-0:6", "orders-0:7"),
        ),
        (
            KAFKA,
            [{"partition": "orders-0", "offset": 7}, {"partition": "orders-1", "offset": 5}],
            ("orders-0:7", "orders-1:5", "orders-1:6"),
        ),
    ],
)
def test_keeps_what_is_not_handled(payload: str, failed: list[Any], left: tuple[str, ...]) -> None:
    """Of a stream everything from the first failure on; of a queue the failed messages."""
    result = read_response(failures(*failed), payload)
    assert (result.left, result.problem, result.succeeded) == (left, None, False)
    assert result.handled == result.total - len(left)
    assert (result.message or "").startswith(f"{result.handled} of {result.total} records handled")


@pytest.mark.parametrize("payload", [STREAM, ITEMS, QUEUE, KAFKA])
@pytest.mark.parametrize(
    ("response", "problem"),
    [
        ("{", "not JSON"),
        ("done", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"batchItemFailures": "a"}', "not a list"),
        ('{"batchItemFailures": {}}', "not a list"),
        ('{"batchItemFailures": ["a"]}', "no valid itemIdentifier"),
        ('{"batchItemFailures": [{"id": "8"}]}', "no valid itemIdentifier"),
        (json.dumps(failures("8")), "a string that holds batchItemFailures: return the object"),
        (json.dumps(json.dumps(failures("8"))), "a string that holds batchItemFailures"),
        (f"[{failures('8')}]", "a list that holds batchItemFailures: return one object"),
        (json.dumps([failures("8")]), "a list that holds batchItemFailures"),
        (failures("z")[:-1] + f', "n": -{"1" * 5000}}}', "names z, which it did not get"),
        (failures(""), "no valid itemIdentifier"),
        (failures(None), "no valid itemIdentifier"),
        (failures(8), "no valid itemIdentifier"),
        (failures({"partition": "orders-0"}), "no valid itemIdentifier"),
        (failures({"partition": "orders-0", "offset": True}), "no valid itemIdentifier"),
        (failures("z"), "names z, which it did not get"),
        (failures({"partition": "orders-0", "offset": 9}), "names orders-0:9, which"),
    ],
)
def test_an_invalid_report_fails_the_whole_batch(payload: str, response: str, problem: str) -> None:
    """Nothing is taken for handled."""
    result = read_response(response, payload)
    assert result.handled == 0
    assert problem in (result.problem or "")
    assert not result.succeeded


def test_a_batch_without_records_cannot_fail_in_part() -> None:
    """Somebody may have written the event."""
    assert read_response("null", "{}") == BatchResult(0)
    assert not read_response(failures("x"), "{}").succeeded
