"""Messages that somebody wrote to harm the operator or the replayer."""

from __future__ import annotations

import dataclasses
import json
import random
import sys
import unicodedata
from collections.abc import Callable
from datetime import timedelta
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from failure_destinations.cli.commands.show import described
from failure_destinations.deployed.location import Location
from failure_destinations.replay.authority import Authority
from failure_destinations.replay.batches import message_with_records
from failure_destinations.replay.contents import Contents
from failure_destinations.replay.filters import Filter
from failure_destinations.replay.newest_records import NewestRecords
from failure_destinations.replay.plan import make_plan
from failure_destinations.replay.received_message import ReceivedMessage
from failure_destinations.replay.selection import Selection
from failure_destinations.runtime.json_text import inner_members, is_json
from failure_destinations.text import cut, indented, readable_lines

from ..runtime import messages

HOME = Location.of(messages.FUNCTION)
AUTHORITY = Authority(lambda: HOME)
ACCOUNT_ARN = "arn:aws:lambda:eu-west-1:111122223333:function"


def record_for(function: str) -> ReceivedMessage:
    """Return a message with the record of a function."""
    context = {"requestId": "1", "functionArn": function, "condition": "RetriesExhausted"}
    body = {"requestContext": context, "requestPayload": {}}
    return ReceivedMessage.of(messages.message(json.dumps(body)))


# --- A message's word is not authority -----------------------------------------------------------

FOREIGN = [
    "arn:aws:lambda:eu-west-1:999999999999:function:orders",
    "arn:aws:lambda:us-east-1:111122223333:function:orders",
    "arn:aws-cn:lambda:eu-west-1:111122223333:function:orders",
    "arn:aws:lambda:eu-west-1:999999999999:function:orders:live",
]


@pytest.mark.parametrize("function", FOREIGN)
def test_a_function_elsewhere_is_never_replayed(function: str) -> None:
    """Also without a channel: the operator's permissions may reach there."""
    assert Selection(AUTHORITY).verdict(record_for(function)) == "foreign"


@pytest.mark.parametrize("function", FOREIGN)
@pytest.mark.parametrize("pattern", ["orders", "orders:live", "*orders", "*", "ord*"])
def test_a_name_does_not_choose_a_function_elsewhere(function: str, pattern: str) -> None:
    """Only its ARN does."""
    by_name = Filter(functions=(pattern,))
    by_arn = Filter(functions=(function,))
    assert not by_name.matches(record_for(function), location=HOME)
    assert by_arn.matches(record_for(function), location=HOME)


@pytest.mark.parametrize("function", FOREIGN)
def test_a_function_elsewhere_is_shown_with_its_arn(function: str) -> None:
    """So it does not look like the one here."""
    event = record_for(function).event
    assert event is not None
    assert AUTHORITY.shown(event) == function


@pytest.mark.parametrize(
    "function",
    [
        # Cyrillic letters, Arabic digits, and characters that end a line or turn its direction.
        f"{ACCOUNT_ARN}:\u043erders",
        "arn:aws:lambda:eu-west-1:\u0661\u0661\u0661\u0661\u0662\u0662\u0662\u0662\u0663\u0663\u0663\u0663:function:orders",
        f"{ACCOUNT_ARN}:orders\n",
        f"{ACCOUNT_ARN}:orders\u202e",
        f"{ACCOUNT_ARN}:orders:live\n",
        f"{ACCOUNT_ARN}:../orders",
        f"{ACCOUNT_ARN}:orders?Qualifier=x",
        "orders",
        "arn:aws:sqs:eu-west-1:111122223333:orders",
    ],
)
def test_a_text_that_only_looks_like_a_function_is_not_one(function: str) -> None:
    """Lambda's names are ASCII."""
    assert record_for(function).event is None


@pytest.mark.parametrize(
    ("sender_id", "verdict"),
    [
        ("AROAEXAMPLE:orders", "replay"),
        ("AROAEXAMPLE:grant-admin", "other-sender"),
        # An IAM user, a role without a session, and a root user.
        ("AIDAEXAMPLE", "other-sender"),
        ("AROAEXAMPLE:", "other-sender"),
        ("orders", "other-sender"),
        ("999999999999", "other-sender"),
        ("111122223333", "replay"),
    ],
)
def test_a_copy_must_come_from_the_function(sender_id: str, verdict: str) -> None:
    """A SenderId without a session is not a function."""
    copy = ReceivedMessage.of(messages.message("{}", messages.FUNCTION_DLQ, SenderId=sender_id))
    assert Selection(AUTHORITY, default_function="orders").verdict(copy) == verdict


def test_an_envelope_does_not_hide_the_sender() -> None:
    """A forged SNS envelope around a forged copy is still an IAM user's."""
    body = messages.envelope("{}", messages.FUNCTION_DLQ)
    copy = ReceivedMessage.of(messages.message(body, SenderId="AIDAEXAMPLE"))
    assert Selection(AUTHORITY, default_function="orders").verdict(copy) == "other-sender"


# --- Time and memory in proportion to the text ---------------------------------------------------

FAMILIES: dict[str, Callable[[int], str]] = {
    "a string that never ends, in brackets": lambda n: (
        '{"requestContext":' + "[" * n + '"' + '\\"' * n
    ),
    "open brackets": lambda n: '{"requestContext":' + "[" * n,
    "balanced brackets": lambda n: '{"requestContext":' + "[" * n + "]" * n + "}",
    "nested objects": lambda n: '{"requestContext":' + '{"a":' * n + "1" + "}" * n + "}",
    "escaped quotes": lambda n: '{"requestContext":"' + '\\"' * n,
    "backslashes": lambda n: '{"requestContext":[[' + '"' + "\\" * n,
    "many keys": lambda n: "{" + ",".join(f'"{i}":1' for i in range(n)) + "}",
    "many deep members": lambda n: (
        "{" + ",".join(f'"{i}":{"[" * 1200}{"]" * 1200}' for i in range(max(1, n // 1200))) + "}"
    ),
    "spaces": lambda n: '{"requestContext":' + " " * n,
    "a long number": lambda n: '{"requestContext":' + "1" * n,
    "envelopes": lambda n: json.dumps({"Type": "Notification", "Message": '{"a":' + "[" * n}),
    "an ARN that nearly matches": lambda n: messages.record("1").replace(
        messages.FUNCTION, "arn:" + "a" * n
    ),
    "many partitions": lambda n: (
        '{"KafkaBatchInfo":{"recordsInfo":{'
        + ",".join(f'"orders-{i}":{{"firstRecordOffset":"1"}}' for i in range(n // 10))
        + "}}}"
    ),
    "a partition that nearly matches": lambda n: (
        '{"KafkaBatchInfo":{"recordsInfo":{"' + "a-1" * n + '!":{}}}}'
    ),
    "many batches": lambda n: (
        "{" + ",".join(f'"{i}BatchInfo":{{"payload":{{}}}}' for i in range(n // 10)) + "}"
    ),
    "records of a batch that never end": lambda n: (
        '{"KinesisBatchInfo":{},"payload":"' + '{\\"a\\":' * n + '"}'
    ),
    "a stream that nearly matches": lambda n: (
        '{"KinesisBatchInfo":{"streamArn":"arn:aws:kinesis:eu-west-1:111122223333:'
        + "a/" * n
        + '!"}}'
    ),
    "a time that nearly matches": lambda n: messages.record("1").replace("412Z", "9" * n),
}


def steps(function: Callable[[str], object], text: str) -> int:
    """Return how many lines of Python, and calls of C, a function takes for a text."""
    count = 0

    def trace(_frame: FrameType, _event: str, _argument: object) -> Any:
        nonlocal count
        count += 1
        return trace

    def profile(_frame: FrameType, _event: str, _argument: object) -> None:
        nonlocal count
        count += 1

    before = sys.gettrace()
    sys.settrace(trace)
    sys.setprofile(profile)
    try:
        function(text)
    finally:
        sys.setprofile(None)
        sys.settrace(before)
    return count


def parse_leniently(text: str) -> None:
    """Parse a message, which need not be a failed event."""
    ReceivedMessage.of(messages.message(text))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("function", [parse_leniently, is_json, inner_members])
def test_twice_the_text_takes_twice_the_steps(
    family: str, function: Callable[[str], object]
) -> None:
    """The slack is for what does not depend on the length."""
    once, twice = (steps(function, FAMILIES[family](n)) for n in (2400, 4800))
    assert twice <= 2.2 * once + 200


@pytest.mark.parametrize("family", FAMILIES)
def test_parses_the_largest_message(family: str) -> None:
    """At SQS's limit of 1 MiB: anything more than linear would take hours here."""
    text = FAMILIES[family](350_000)[: 1 << 20]
    parse_leniently(text)


@given(n=st.integers(1, 3000), shape=st.sampled_from(["[]", '{"a":}', '[{"a":[]}]']))
@settings(deadline=None, max_examples=50)
def test_indents_any_nesting_within_bounds(n: int, shape: str) -> None:
    """40 spaces a line at most, and no lines below 20 levels."""
    opening, closing = {"[]": ("[", "]"), '{"a":}': ('{"a":', "}"), '[{"a":[]}]': ('[{"a":', "}]")}[
        shape
    ]
    once = len(indented(opening * n + "1" + closing * n))
    twice = len(indented(opening * 2 * n + "1" + closing * 2 * n))
    assert twice <= 2 * once + 2000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[" * 5000 + "]" * 5000, True),
        ('{"a":[' * 5000 + '1,"x",-1.5e3,true,null,{}' + "]}" * 5000, True),
        ("[" * 5000 + "1 2" + "]" * 5000, False),
        ("[" * 5000 + "]" * 4999 + "}", False),
        ("[" * 5000 + "]" * 5001, False),
        ("[" * 5000 + "[,]" + "]" * 5000, False),
        ("[" * 5000 + "[1,]" + "]" * 5000, False),
        ("[" * 5000 + '{"a"}' + "]" * 5000, False),
        ("[" * 5000 + '{"a":1,}' + "]" * 5000, False),
        ("[" * 5000 + '"\x01"' + "]" * 5000, False),
        ("[" * 5000 + r'"\x"' + "]" * 5000, False),
        ("[" * 5000 + "01" + "]" * 5000, False),
    ],
)
def test_deep_json_is_read_as_exactly_as_other_json(text: str, expected: bool) -> None:
    """Beyond the depth of Python's own decoder, too."""
    assert is_json(text) == expected


@pytest.mark.soak
@messages.patient
@given(payload=messages.payloads)
def test_deep_json_is_cut_out_to_the_last_character(payload: str) -> None:
    """Whatever is in the middle."""
    deep = "[" * 5000 + payload + "]" * 5000
    assert inner_members(f'{{"a": {deep}, "b": 1}}') == {"a": deep, "b": "1"}


# --- 10,000 generated messages -------------------------------------------------------------------

PIECES = [
    *('"', "\\", "{", "}", "[", "]", ":", ",", "\n", "\x1b[31m", "\x9b", "\u202e", "\u2028"),
    *(
        "\ud800",
        "\x00",
        "\x85",
        "::error::",
        "##[error]",
        "9" * 5000,
        "arn:aws:lambda:",
        "null",
        "1e999",
        "é",
    ),
    *('"requestContext"', '"functionArn"', '"requestPayload"', '"Message"', '"detail"', "-", " "),
]


def mutated(chance: random.Random, text: str) -> str:
    """Return a text with some pieces replaced, doubled or inserted."""
    for _ in range(chance.randint(1, 6)):
        start = chance.randint(0, len(text))
        end = min(len(text), start + chance.choice([0, 0, 1, 5, 50]))
        text = text[:start] + chance.choice([*PIECES, text[start:end] * 2]) + text[end:]
    return text


def generated(seed: int, count: int) -> list[dict[str, Any]]:
    """Return messages that are nearly failed events, of every shape."""
    chance = random.Random(seed)
    shapes = list(messages.SHAPES.values())
    found = []
    for _ in range(count):
        payload = chance.choice(["{}", "[1, 2]", '"x"', '{"a": {"b": [null]}}'])
        message = chance.choice(shapes)(payload)
        message["Body"] = mutated(chance, message["Body"])
        for attribute in message["MessageAttributes"].values():
            if chance.random() < 0.3:
                attribute["StringValue"] = mutated(chance, attribute["StringValue"])
        if chance.random() < 0.2:
            message["MessageId"] = mutated(chance, message["MessageId"])
        if chance.random() < 0.2:
            message["Attributes"]["SenderId"] = mutated(chance, "AROAEXAMPLE:orders")
        found.append(message)
    return found


def not_chosen(message: ReceivedMessage) -> list[str]:
    """Return what is said of a message that no filter chooses, in any way to choose."""
    contents = Contents()
    for chosen in (
        Filter(search="\x1b[31m no such text"),
        Filter(where="payload.a == 'x' || length(error_message) > `100000`"),
        Filter(groups=("0000000000",), expiring=timedelta(days=1)),
    ):
        if not chosen.matches(message):
            contents.add(message)
    return [*contents.lines(), contents.sentence()]


BATCHES = ("batch-kinesis-s3", "batch-dynamodb-s3", "batch-msk-s3", "batch-kinesis-forwarded")


def generated_batches(seed: int, count: int) -> list[dict[str, Any]]:
    """Return messages that are nearly failed batches, some with their records."""
    chance = random.Random(seed)
    found = []
    for _ in range(count):
        message = messages.stored(chance.choice(BATCHES))
        body = json.loads(message["Body"])
        if "payload" in body and chance.random() < 0.7:
            body["payload"] = mutated(chance, body["payload"])
        text = json.dumps(body, ensure_ascii=chance.random() < 0.5)
        message["Body"] = text if chance.random() < 0.5 else mutated(chance, text)
        found.append(message)
    return found


@pytest.mark.parametrize("seed", range(10))
def test_generated_messages_are_read_shown_and_planned(seed: int) -> None:
    """1,000 for each seed: no traceback, one line of JSON, and no control character."""
    selection = Selection(AUTHORITY, Filter(functions=("*",)), default_function="orders")
    for raw in generated(seed, 1000) + generated_batches(seed, 300):
        message = ReceivedMessage.of(raw)
        (line,) = message.to_json().split("\n")
        json.loads(line, parse_int=str)
        event = message.event
        shown = [cut(str(message.reason), 60), readable_lines(message.body)]
        shown += described(message, "log", "link")
        shown += not_chosen(message)
        if event is not None:
            shown += [readable_lines(event.payload), cut(event.error_message or "", 60)]
        plan = make_plan([message], selection, newest=NewestRecords())
        shown += [cut(reason, 1000) for reason in plan.would_stay]
        for text in shown:
            kinds = {unicodedata.category(char) for char in text if char != "\n"}
            assert not kinds & {"Cc", "Cf", "Cs", "Zl", "Zp"}
            assert "##[" not in text
            assert not any(line.strip().startswith("::") for line in text.split("\n"))
        for group in plan.would_replay:
            assert HOME.contains(group.function_arn)


@pytest.mark.parametrize("seed", range(3))
def test_records_are_put_into_any_message_of_a_batch(seed: int) -> None:
    """Whatever else it holds, a backup of it gives the same batch with exactly these records."""
    payload = '{"Records": [{"kinesis": {"sequenceNumber": "1", "data": "\\u0022"}}], "x": "\\\\"}'
    for raw in generated_batches(seed, 300):
        message = ReceivedMessage.of(raw)
        if message.event is None or message.event.batch is None:
            continue
        kept = message_with_records(message, payload).event
        assert kept is not None
        assert kept.payload == payload
        assert kept == dataclasses.replace(message.event, payload=payload)
