"""What the doctor makes of AWS's answers, also of those that no engine gives.

The shapes are those of AWS's API reference for GetSubscriptionAttributes, GetQueueAttributes,
DescribeKey, GetKeyPolicy, GetFunctionConfiguration, GetFunctionEventInvokeConfig and
GetEventSourceMapping.
"""

from __future__ import annotations

import dataclasses
import json
import re
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from failure_destinations.doctor.facts import (
    Channel,
    Copies,
    Copy,
    Handler,
    Key,
    Queue,
    Replayer,
    Subscription,
    Topic,
    Unknown,
)
from failure_destinations.doctor.gather.aws_reader import Looks
from failure_destinations.doctor.judge.channel import judge
from failure_destinations.doctor.policies import allows
from failure_destinations.progress import NO_PROGRESS

ROOT = Path(__file__).parents[2]
ACCOUNT = "111122223333"
TOPIC = f"arn:aws:sns:eu-west-1:{ACCOUNT}:Failures-Topic"
KEY_ARN = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
NOW = datetime(2026, 11, 2, 3, 3, tzinfo=timezone.utc)


def queue(kind: str, name: str, **changed: Any) -> Queue:
    """Return a healthy queue, or one with other attributes and facts."""
    arn = f"arn:aws:sqs:eu-west-1:{ACCOUNT}:{name}"
    send = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": TOPIC}},
    }
    attributes = {
        "QueueArn": arn,
        "Policy": json.dumps({"Version": "2012-10-17", "Statement": [send]}),
        "MessageRetentionPeriod": "1209600",
        "ApproximateNumberOfMessages": "0",
        "ApproximateNumberOfMessagesNotVisible": "0",
        "ApproximateNumberOfMessagesDelayed": "0",
    }
    facts = {name: changed.pop(name) for name in list(changed) if name[0].islower()}
    url = f"https://sqs.eu-west-1.amazonaws.com/{ACCOUNT}/{name}"
    return Queue(kind, url, {**attributes, **changed}, **{"declared_retention": 1_209_600, **facts})


QUEUE = queue("queue", "Failures-Queue")
DEAD_LETTERS = queue("dead-letter queue", "Failures-DeadLetterQueue")
COPIES = queue("copy queue", "Failures-CopyQueue")
PARKED = queue("parked queue", "Replayer-ParkedQueue")


def subscription(protocol: str, endpoint: str, **changed: str) -> Subscription:
    """Return a healthy subscription, or one with other attributes."""
    attributes = {
        "SubscriptionArn": f"{TOPIC}:6b0e71bd-7e97-4d97-80ce-4a0994e55286",
        "Protocol": protocol,
        "Endpoint": endpoint,
        "PendingConfirmation": "false",
        "ConfirmationWasAuthenticated": "false",
        "RawMessageDelivery": "true" if protocol == "sqs" else "false",
        "RedrivePolicy": json.dumps({"deadLetterTargetArn": DEAD_LETTERS.arn}),
        **changed,
    }
    arn = attributes["SubscriptionArn"]
    return Subscription(protocol, endpoint, arn, attributes, of_queue=protocol == "sqs")


OF_QUEUE = subscription("sqs", QUEUE.arn or "")
MAILBOX = subscription("email", "developer@example.com")
HANDLER = Handler(
    function="orders",
    qualifier="live",
    config={"MaximumRetryAttempts": 1, "DestinationConfig": {"OnFailure": {"Destination": TOPIC}}},
    settings={
        "Role": f"arn:aws:iam::{ACCOUNT}:role/orders-role",
        "DeadLetterConfig": {"TargetArn": COPIES.arn},
    },
    destination_there=True,
    declares_copies=True,
)
CHANNEL = Channel(
    stack="Reports",
    path="Failures",
    topic=Topic("topic", TOPIC, {"TopicArn": TOPIC}, [OF_QUEUE, MAILBOX], peak=3.0),
    queue=QUEUE,
    dead_letter_queue=DEAD_LETTERS,
    copy_queue=COPIES,
    handlers=[HANDLER],
    replayers=[Replayer("Replayer", {"UUID": "u", "State": "Enabled"}, True, PARKED)],
    copies=Copies((), 0),
)


def problems(**changed: Any) -> list[tuple[str, str]]:
    """Return severity and check of all that is not well, once some facts are others."""
    channel = dataclasses.replace(CHANNEL, **changed)
    return [(each.severity, each.check) for each in judge(channel) if each.severity != "ok"]


def mend(check: str, **changed: Any) -> str:
    """Return what mends the only finding of a check."""
    channel = dataclasses.replace(CHANNEL, **changed)
    (found,) = [each for each in judge(channel) if each.check == check]
    return found.mend or ""


def topic(**changed: Any) -> dict[str, Any]:
    """Return the channel's topic with other facts."""
    return {"topic": dataclasses.replace(CHANNEL.topic, **changed)}


def replaced(**changed: Any) -> dict[str, Any]:
    """Return the channel's handler with other facts."""
    return {"handlers": [dataclasses.replace(HANDLER, **changed)]}


def replayer(state: str, *, declared: bool = True) -> dict[str, Any]:
    """Return the channel's replayer with its event source in a state."""
    return {"replayers": [Replayer("Replayer", {"UUID": "u", "State": state}, declared, PARKED)]}


def key_policy(**condition: Any) -> dict[str, Any]:
    """Return a key's policy that lets SNS use it, on a condition."""
    delegate = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    return {
        "Statement": [
            {"Effect": "Allow", "Principal": delegate, "Action": "kms:*", "Resource": "*"},
            {
                "Effect": "Allow",
                "Principal": {"Service": "sns.amazonaws.com"},
                "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
                "Resource": "*",
                "Condition": condition,
            },
        ]
    }


def keyed(policy: Any, state: str = "Enabled", manager: str = "CUSTOMER") -> dict[str, Any]:
    """Return the channel's queue with a key."""
    metadata = {"Arn": KEY_ARN, "KeyState": state, "KeyManager": manager}
    return {"queue": dataclasses.replace(QUEUE, key=Key(KEY_ARN, metadata, policy))}


SAME_ACCOUNT = {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
DENIED = Unknown("kms:GetKeyPolicy", "not known without permission for kms:GetKeyPolicy")
LARGE = Copy("11111111-1111-4111-8111-111111111111", 262_000, NOW, "orders")
SMALL = Copy("22222222-2222-4222-8222-222222222222", 200, NOW, "orders")
SQS_KEY = dataclasses.replace(QUEUE, key=Key("alias/aws/sqs", {"KeyManager": "AWS"}, None))
FIFO = f"{TOPIC}.fifo"


def test_finds_nothing_in_a_healthy_channel() -> None:
    """All that is looked at is well."""
    assert problems() == []


@pytest.mark.parametrize(
    ("changed", "severity", "check"),
    [
        (
            topic(
                subscriptions=[
                    OF_QUEUE,
                    subscription("email", "a@b.c", PendingConfirmation="true"),
                ]
            ),
            "error",
            "subscription-pending",
        ),
        (
            topic(subscriptions=[OF_QUEUE, dataclasses.replace(MAILBOX, attributes=None)]),
            "error",
            "subscription-deleted",
        ),
        (
            topic(subscriptions=[subscription("sqs", "q", FilterPolicy='{"a": ["b"]}'), MAILBOX]),
            "error",
            "subscription-filter",
        ),
        (topic(subscriptions=[OF_QUEUE]), "info", "nobody-subscribed"),
        (topic(peak=601.0), "warning", "mail-storm"),
        (topic(peak=11.0), "info", "mail-storm"),
        (topic(attributes=None), "error", "topic-missing"),
        ({"queue": SQS_KEY}, "error", "key-of-aws"),
        (keyed(key_policy(), "PendingDeletion"), "error", "key-disabled"),
        (keyed({"Statement": key_policy()["Statement"][:1]}), "error", "key-policy"),
        (keyed(key_policy(StringEquals={"aws:SourceAccount": "9"})), "error", "key-policy"),
        (keyed(key_policy(StringEquals={"aws:SourceOrgID": "o-1"})), "unknown", "key-policy"),
        (keyed(DENIED), "unknown", "key-policy"),
        (topic(key=Key(KEY_ARN, {"KeyState": "Disabled"}, {})), "error", "key-disabled"),
        (
            {
                "queue": queue(
                    "queue", "short", MessageRetentionPeriod="3600", declared_retention=3600
                )
            },
            "info",
            "retention-short",
        ),
        (
            {
                "queue": queue(
                    "queue", "short", MessageRetentionPeriod="3600", declared_retention=None
                )
            },
            "warning",
            "retention-short",
        ),
        (
            {"queue": queue("queue", "x", MessageRetentionPeriod="60")},
            "warning",
            "retention-shortened",
        ),
        (replaced(settings=None), "error", "handler-missing"),
        (replaced(config=None), "error", "handler-destination"),
        (replaced(destination_there=False), "error", "handler-destination"),
        (replaced(denied=["sns:Publish"]), "error", "handler-permission"),
        (replaced(denied=["kms:Decrypt"]), "error", "handler-permission"),
        (replaced(denied=["sqs:SendMessage"]), "warning", "handler-copy-permission"),
        (replaced(denied=DENIED), "unknown", "handler-permission"),
        (
            replaced(settings={"DeadLetterConfig": {"TargetArn": "x"}}, declares_copies=False),
            "info",
            "handler-copies",
        ),
        (replayer("Disabled"), "warning", "replayer-off"),
        (replayer("Disabled", declared=False), "info", "replayer-off"),
        (
            {"replayers": [Replayer("Replayer", None, True, PARKED)]},
            "error",
            "replayer-missing",
        ),
        (
            {
                "replayers": [
                    Replayer(
                        "Replayer",
                        {"State": "Enabled"},
                        True,
                        queue("parked queue", "p", ApproximateNumberOfMessagesNotVisible="2"),
                    )
                ]
            },
            "warning",
            "events-parked",
        ),
        ({"copies": None}, "info", "copies-not-compared"),
        ({"copies": Copies([LARGE], 1)}, "error", "copies-lost-on-the-way"),
        ({"copies": Copies([SMALL], 1)}, "info", "copies-without-record"),
        ({"copies": Copies([SMALL], 1, gap="2 hidden")}, "unknown", "copies"),
        ({"copies": Copies([SMALL], 1, drained_by="r")}, "info", "copies-not-compared"),
        ({"copies": DENIED}, "unknown", "copies"),
    ],
)
def test_finds_exactly_what_is_wrong(changed: dict[str, Any], severity: str, check: str) -> None:
    """One fact is other than in a healthy channel: one finding."""
    assert problems(**changed) == [(severity, check)]


def test_finds_a_fifo_topic_and_queue() -> None:
    """Lambda and SNS accept neither."""
    fifo = queue("queue", "Failures.fifo")
    assert ("error", "queue-fifo") in problems(queue=fifo)
    config = {"DestinationConfig": {"OnFailure": {"Destination": FIFO}}}
    found = problems(**topic(arn=FIFO), **replaced(config=config))
    assert ("error", "topic-fifo") in found


def test_warns_before_sqs_deletes_events() -> None:
    """From 80 % of the retention on, by CloudWatch or by what was seen, whichever is older."""
    day = 86_400
    waiting = queue("queue", "q", ApproximateNumberOfMessages="3", oldest_seconds=11.21 * day)
    assert problems(queue=waiting) == [("warning", "events-expire"), ("info", "events-waiting")]
    assert "--backup" in mend("events-expire", queue=waiting)
    younger = dataclasses.replace(waiting, oldest_seconds=11.1 * day)
    assert problems(queue=younger) == [("info", "events-waiting")]
    seen = dataclasses.replace(waiting, oldest_seconds=None, seen_seconds=13.0 * day)
    assert problems(queue=seen) == [("warning", "events-expire"), ("info", "events-waiting")]


def test_takes_an_old_age_of_an_empty_queue_for_nothing() -> None:
    """CloudWatch is minutes behind."""
    assert problems(queue=dataclasses.replace(QUEUE, oldest_seconds=1_209_000.0)) == []


@pytest.mark.parametrize(("minutes", "lost"), [(-6, False), (-4, True), (9, True), (11, False)])
def test_takes_failed_deliveries_for_a_loss_only_near_the_copy(minutes: int, lost: bool) -> None:
    """CloudWatch counts per 5 minutes, and Lambda sends the copy about then."""
    failure = NOW - timedelta(minutes=minutes)
    found = problems(copies=Copies([SMALL], 1), **replaced(delivery_failures=[failure]))
    assert found == [
        ("error", "copies-lost-on-the-way") if lost else ("info", "copies-without-record")
    ]


def test_replays_a_lost_copy_to_the_alias_that_failed() -> None:
    """The copy does not name it; the channel has one handler of that function."""
    assert mend("copies-lost-on-the-way", copies=Copies([LARGE, SMALL], 2)) == (
        "failure-destinations replay --stack Reports --channel Failures --from copies "
        f"--function-name orders:live --id {LARGE.request_id} --yes"
    )


def test_sets_a_lost_destination_of_what_is_called() -> None:
    """The alias, and not the function."""
    command = mend("handler-destination", **replaced(config={"MaximumRetryAttempts": 1}))
    assert "update-function-event-invoke-config --function-name orders --qualifier live" in command


def test_says_that_a_storm_may_have_suspended_a_mailbox() -> None:
    """A pending subscription and a burst go together."""
    pending = subscription("email", "a@b.c", PendingConfirmation="true")
    stormy = topic(subscriptions=[OF_QUEUE, pending], peak=40.0)
    channel = dataclasses.replace(CHANNEL, **stormy)
    (text,) = [each.text for each in judge(channel) if each.check == "subscription-pending"]
    assert "perhaps SNS suspended it, for 40 messages within a minute" in text


@pytest.mark.parametrize(
    ("statement", "allowed"),
    [
        ({}, True),
        ({"Principal": "*"}, True),
        ({"Principal": {"Service": ["events.amazonaws.com"]}}, False),
        ({"Action": "SQS:*"}, True),
        ({"NotAction": "sqs:SendMessage"}, False),
        ({"Resource": "arn:aws:sqs:*:*:other"}, False),
        ({"Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:*:Failures*"}}}, True),
        ({"Condition": {"StringEquals": {"AWS:SourceAccount": "9"}}}, False),
        ({"Condition": {"StringNotEquals": {"aws:SourceAccount": "9"}}}, True),
        ({"Condition": {"StringEqualsIfExists": {"aws:PrincipalTag/a": "9"}}}, True),
        ({"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}, None),
        ({"Effect": "Deny"}, False),
    ],
)
def test_reads_policies(statement: dict[str, Any], allowed: bool | None) -> None:
    """Principals, patterns and conditions; None where only AWS can tell."""
    given = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": "arn:aws:sqs:eu-west-1:1:q",
        **statement,
    }
    if "NotAction" in given:
        del given["Action"]
    answer = allows(
        {"Statement": given},
        principal="sns.amazonaws.com",
        action="sqs:SendMessage",
        resource="arn:aws:sqs:eu-west-1:1:q",
        context={"aws:SourceArn": TOPIC, "aws:SourceAccount": ACCOUNT},
    )
    assert answer is allowed


def test_a_denial_outweighs() -> None:
    """A statement that denies without TLS does not concern SNS; one without condition does."""
    allow = {"Effect": "Allow", "Principal": "*", "Action": "*"}
    tls = {"Bool": {"aws:SecureTransport": "false"}}
    deny = {"Effect": "Deny", "Principal": "*", "Action": "*"}

    def answer(*statements: Any) -> bool | None:
        return allows(
            {"Statement": list(statements)},
            principal="sns.amazonaws.com",
            action="sqs:SendMessage",
            resource="q",
            context={"aws:SecureTransport": "true"},
        )

    assert answer(allow, {**deny, "Condition": tls}) is True
    assert answer(allow, deny) is False
    assert answer(allow, {**deny, "Condition": {"Null": {"aws:x": "true"}}}) is None


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("NotFound", None),
        ("AuthorizationError", "not known without permission for sns:GetTopicAttributes"),
        ("InternalFailure", "not known: An error occurred (InternalFailure)"),
    ],
)
def test_tells_what_is_not_there_from_what_cannot_be_seen(code: str, expected: str | None) -> None:
    """A thing that is gone is a fact; a look that failed is not known, with AWS's own words."""

    def look() -> None:
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, "GetTopicAttributes")

    seen = Looks(NO_PROGRESS).at("sns:GetTopicAttributes", look)
    if expected is None:
        assert seen is None
    else:
        assert isinstance(seen, Unknown)
        assert seen.why.startswith(expected)


def test_documents_every_finding_and_permission() -> None:
    """docs/doctor.md has every check in its table, and every action in its policy."""
    source = "".join(
        file.read_text() for file in (ROOT / "src/failure_destinations/doctor").rglob("*.py")
    )
    text = (ROOT / "docs" / "doctor.md").read_text()
    checks = set(re.findall(r'"(?:error|warning|info)"[^"]{0,80}?"([a-z]+(?:-[a-z]+)+)"', source))
    assert checks - set(re.findall(r"^\| `([a-z-]+)`", text, re.MULTILINE)) == set()
    asked = set(re.findall(r'\.at\(\s*"(\w+:\w+)"', source))
    (policy,) = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    (statement,) = json.loads(policy)["Statement"]
    assert asked - set(statement["Action"]) == set()
