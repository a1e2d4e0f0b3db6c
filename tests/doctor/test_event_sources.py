"""What doctor makes of event sources, on paper: names, limits, policies, and what fixes keep."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from failure_destinations.doctor.facts import Channel, EventSource
from failure_destinations.doctor.findings import Finding
from failure_destinations.doctor.judge.channel import judge
from failure_destinations.doctor.policies import denies
from failure_destinations.doctor.render import commands, fix, lines, sentence

from . import event_source_paper as paper
from .fixing import Call, parsed
from .paper import CHANNEL, DAY, KEY_ARN, UUID, Facts, queue

REGION = ["--region", "eu-west-1"]


def channel(facts: Facts) -> Channel:
    """Return a channel with some facts."""
    return dataclasses.replace(CHANNEL, **facts)


def problems(facts: Facts) -> list[Finding]:
    """Return all findings that are not well."""
    return [finding for finding in judge(channel(facts)) if finding.severity != "ok"]


def only(facts: Facts) -> Finding:
    """Return the only finding that is not well."""
    (found,) = problems(facts)
    return found


def calls(facts: Facts) -> list[Call]:
    """Return what fixes the only finding that is not well."""
    return [parsed(command) for command in commands(only(facts), REGION)]


@pytest.mark.parametrize(
    "facts",
    [
        paper.event_source(),
        paper.event_source(live={"MaximumRetryAttempts": 0}),
        paper.event_source(live={"MaximumRetryAttempts": -1, "MaximumRecordAgeInSeconds": 60}),
        paper.event_source(live={"LastProcessingResult": "No records processed"}),
        paper.event_source(live={"LastProcessingResult": "OK - 3 records"}),
        paper.event_source(retention=None, lag_seconds=None),
        paper.by_hand(retention=14 * DAY),
        paper.bucket(lifecycle=None, policy=None),
        paper.expiring(7, Status="Disabled"),
        paper.expiring(7, Filter={"Prefix": "reports/"}),
        paper.expiring(7, Filter={"Tag": {"Key": "a", "Value": "b"}}),
        paper.rule(declared_pattern=None, live={"EventPattern": "{}"}),
        paper.source_queue(),
        paper.source_queue(
            dead=paper.dead_orders(
                RedriveAllowPolicy=json.dumps(
                    {"redrivePermission": "byQueue", "sourceQueueArns": [paper.ORDERS_ARN]}
                )
            )
        ),
        {"event_sources": (), "batch_store": None},
        {**paper.event_source(), "handlers": []},
        {**paper.source_queue(), "handlers": []},
        paper.keyed_source_queue("Enabled"),
    ],
)
def test_finds_nothing_where_batches_are_kept(facts: Facts) -> None:
    """Healthy, with limits of either kind, or as somebody meant it."""
    assert problems(facts) == []


def test_says_that_each_part_is_well() -> None:
    """In the order in which a failed batch travels, and then of the source queue."""
    facts = {**paper.event_source(), **paper.source_queue()}
    found = [(finding.kind.id, finding.subject.name) for finding in judge(channel(facts))]
    first = found.index(("event-source", "orders:live from clicks"))
    assert found[first : first + 6] == [
        ("event-source", "orders:live from clicks"),
        ("bucket", "failures-batches-1a2b3c"),
        ("announcements", "Failures-Rule"),
        ("queue", "Failures-Announcements"),
        ("queue", "Failures-SourceDeadLetters-Orders"),
        ("source-queue", "orders"),
    ]


ARN = "arn:aws:{}:eu-west-1:111122223333:{}"


@pytest.mark.parametrize(
    ("source", "kind", "name"),
    [
        ({"EventSourceArn": paper.STREAM}, "kinesis", "clicks"),
        ({"EventSourceArn": f"{paper.STREAM}/consumer/fast:1700000000"}, "kinesis", "clicks"),
        (
            {"EventSourceArn": ARN.format("dynamodb", "table/orders/stream/2026-11-02T03:03:00")},
            "dynamodb",
            "orders",
        ),
        (
            {"EventSourceArn": ARN.format("kafka", "cluster/shop/14e0db71-1"), "Topics": ["sold"]},
            "kafka",
            "shop sold",
        ),
        ({"SelfManagedEventSource": {"Endpoints": {}}, "Topics": ["a"]}, "kafka", "a"),
        ({"EventSourceArn": ARN.format("rds", "cluster:documents")}, "documentdb", "documents"),
        ({"EventSourceArn": ARN.format("mq", "broker:bunny:b-1234")}, "mq", "bunny"),
        ({"EventSourceArn": ARN.format("sqs", "orders.fifo")}, "sqs", "orders.fifo"),
        ({"EventSourceArn": ARN.format("newest", "thing/x")}, "other", "x"),
        ({}, "other", None),
    ],
)
def test_names_every_kind_of_source(source: dict[str, Any], kind: str, name: str | None) -> None:
    """Streams, consumers, tables, clusters with their topics, brokers and queues."""
    found = EventSource("u", {"FunctionArn": ARN.format("lambda", "function:f"), **source})
    assert (found.kind, found.source) == (kind, name)
    assert found.name == ("f" if name is None else f"f from {name}")


def test_tells_two_event_sources_of_one_stream_apart() -> None:
    """By their ids, so that the watchdog says each."""
    other = dataclasses.replace(paper.EVENT_SOURCE, uuid="other")
    facts = {**paper.event_source(), "event_sources": [paper.EVENT_SOURCE, other]}
    found = [each for each in judge(channel(facts)) if each.kind.id == "event-source"]
    assert [each.subject.name for each in found] == [
        f"orders:live from clicks ({UUID})",
        "orders:live from clicks (other)",
    ]


def test_lambda_limits_the_retries_of_kafka_itself() -> None:
    """With a destination, so that no partition is blocked."""
    live = {
        "EventSourceArn": ARN.format("kafka", "cluster/shop/1"),
        "MaximumRetryAttempts": -1,
    }
    assert problems(paper.event_source(live=live, retention=None, lag_seconds=None)) == []


def test_limits_the_retries_of_a_stream() -> None:
    """As Lambda does for Kafka; nothing else of the mapping changes."""
    (call,) = calls(paper.event_source(live={"MaximumRetryAttempts": -1}))
    assert call.parameters == {"UUID": UUID, "MaximumRetryAttempts": 10}
    text = sentence(only(paper.event_source(live={"MaximumRetryAttempts": -1})))
    assert "blocks its shard for up to 24 hours" in text or "1 day" in text


def test_restores_a_destination() -> None:
    """That of the template, whatever it is now."""
    (call,) = calls(paper.event_source(live={"DestinationConfig": {}}))
    assert call.parameters == {
        "UUID": UUID,
        "DestinationConfig": {"OnFailure": {"Destination": paper.BUCKET_ARN}},
    }


def test_grants_all_that_a_bucket_takes() -> None:
    """One policy for the objects, one for the bucket and one for the key; never for all."""
    granted = {}
    for call in calls(paper.event_source(denied=paper.WRITE)):
        (statement,) = json.loads(call.parameters["PolicyDocument"])["Statement"]
        granted[statement["Resource"]] = statement["Action"]
        assert call.parameters["RoleName"] == "orders-role"
    assert granted == {
        f"{paper.BUCKET_ARN}/*": ["s3:PutObject"],
        paper.BUCKET_ARN: ["s3:ListBucket"],
        KEY_ARN: ["kms:GenerateDataKey"],
    }


def test_grants_nothing_where_something_denies() -> None:
    """A policy that denies it would still deny it."""
    denied = [dataclasses.replace(paper.WRITE[0], explicit=True)]
    found = only(paper.event_source(denied=denied))
    assert found.fix == ()
    assert "the statement" in (fix(found, REGION) or "")


def test_sends_batches_with_their_records() -> None:
    """If the channel has a bucket: its role is let in first."""
    facts = {**paper.event_source(), **paper.by_hand()}
    assert [call.operation for call in calls(facts)] == [
        "put-role-policy",
        "put-role-policy",
        "update-event-source-mapping",
    ]
    without = only(paper.by_hand())
    assert without.fix == ()
    assert "channel.event_source_destination" in (fix(without, REGION) or "")


def test_keeps_other_notifications_of_a_bucket() -> None:
    """S3 replaces the whole configuration."""
    present = {"QueueConfigurations": [{"QueueArn": paper.ORDERS_ARN, "Events": ["s3:*"]}]}
    (call,) = calls(paper.bucket(notifications=present))
    assert call.parameters["NotificationConfiguration"] == {
        **present,
        "EventBridgeConfiguration": {},
    }


@pytest.mark.parametrize(
    ("region", "location"),
    [("us-east-1", None), ("eu-west-1", {"LocationConstraint": "eu-west-1"})],
)
def test_creates_a_bucket_where_it_was(region: str, location: Any) -> None:
    """S3 takes no location for us-east-1; the new bucket announces its objects."""
    create, announce = calls(paper.bucket(notifications=None, region=region))
    assert create.parameters.get("CreateBucketConfiguration") == location
    assert announce.operation == "put-bucket-notification-configuration"


def test_keeps_other_rules_of_a_lifecycle() -> None:
    """Only what deletes batches too soon keeps them for longer."""
    other = {"ID": "x", "Status": "Enabled", "Filter": {"Prefix": "x/"}, "Expiration": {"Days": 1}}
    short = {**paper.LIFECYCLE["Rules"][0], "Expiration": {"Days": 7}}
    facts = paper.bucket(lifecycle={"Rules": [other, short]})
    (call,) = calls(facts)
    assert call.parameters["LifecycleConfiguration"]["Rules"] == [
        other,
        {**short, "Expiration": {"Days": 28}},
    ]
    assert "deletes failed batches after 7 days" in sentence(only(facts))


def test_restores_a_rule_as_it_was() -> None:
    """Its pattern, its target and the target's dead-letter queue."""
    put_rule, put_targets = calls(paper.store(rule=dataclasses.replace(paper.RULE, live=None)))
    assert json.loads(put_rule.parameters["EventPattern"]) == paper.PATTERN
    assert put_targets.parameters == {"Rule": "Failures-Rule", "Targets": [paper.TARGET]}


def test_restores_a_pattern_and_nothing_else() -> None:
    """A disabled rule stays so: that is another finding."""
    facts = paper.rule(live={"EventPattern": "{}", "State": "DISABLED"})
    found = {finding.kind.id: finding for finding in problems(facts)}
    (words,) = commands(found["announcements-pattern"], REGION)
    call = parsed(words)
    assert call.parameters["State"] == "DISABLED"
    assert call.parameters["Description"] == "Failed batches"
    assert set(found) == {"announcements-off", "announcements-pattern"}


def test_leaves_a_redrive_as_the_template_has_it() -> None:
    """With its number of receives."""
    (call,) = calls(paper.source_queue(RedrivePolicy=""))
    assert json.loads(call.parameters["Attributes"]["RedrivePolicy"]) == {
        "deadLetterTargetArn": paper.ORDERS_DEAD.arn,
        "maxReceiveCount": 3,
    }


def test_lets_further_queues_use_a_dead_letter_queue() -> None:
    """Those that may use it still may."""
    allowed = {"redrivePermission": "byQueue", "sourceQueueArns": [f"{paper.ORDERS_ARN}-2"]}
    dead = paper.dead_orders(RedriveAllowPolicy=json.dumps(allowed))
    (call,) = calls(paper.source_queue(dead=dead))
    assert json.loads(call.parameters["Attributes"]["RedriveAllowPolicy"]) == {
        "redrivePermission": "byQueue",
        "sourceQueueArns": [f"{paper.ORDERS_ARN}-2", paper.ORDERS_ARN],
    }


def test_a_fifo_queue_counts_ages_anew() -> None:
    """SQS counts from the move there, so a shorter retention loses nothing."""
    short = {"MessageRetentionPeriod": "345600", "declared": {}}
    dead = queue("source dead-letter queue", "Failures-Orders.fifo", **short)
    redrive = json.dumps({"deadLetterTargetArn": dead.arn, "maxReceiveCount": 5})
    facts = paper.source_queue(dead=dead, RedrivePolicy=redrive, MessageRetentionPeriod="691200")
    assert problems(facts) == []


def test_a_visibility_timeout_has_a_maximum() -> None:
    """12 hours, even if six times the function's timeout is more."""
    slow = dataclasses.replace(paper.READER, settings={"Timeout": 9000})
    (call,) = calls(paper.source_queue(readers=[slow], VisibilityTimeout="10000"))
    assert call.parameters["Attributes"] == {"VisibilityTimeout": "43200"}
    assert problems(paper.source_queue(readers=[slow], VisibilityTimeout="43200")) == []


def test_warns_before_sqs_deletes_dead_letters() -> None:
    """As of every queue of the channel."""
    dead = paper.dead_orders(ApproximateNumberOfMessages="1", oldest_seconds=13.0 * DAY)
    found = problems(paper.source_queue(dead=dead))
    assert [finding.kind.id for finding in found] == ["events-expire", "source-dead-letters"]
    (words,) = commands(found[0], [])
    assert words[-2:] == ["--from", "source-queues"]


@pytest.mark.parametrize(
    ("statement", "denied"),
    [
        ({}, True),
        ({"Principal": {"AWS": paper.FUNCTION_ROLE}}, True),
        ({"Principal": {"AWS": f"{paper.FUNCTION_ROLE}-2"}}, False),
        ({"Action": "s3:DeleteObject"}, False),
        ({"Resource": f"{paper.BUCKET_ARN}/reports/*"}, False),
        ({"Condition": {"Bool": {"aws:SecureTransport": "false"}}}, False),
        ({"Condition": {"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/admin"}}}, True),
        ({"Condition": {"StringNotEquals": {"aws:PrincipalAccount": "111122223333"}}}, False),
        ({"Condition": {"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}}, None),
        ({"Effect": "Allow"}, False),
    ],
)
def test_knows_what_a_buckets_policy_denies(statement: dict[str, Any], denied: bool | None) -> None:
    """By role, action, key of the object and conditions; None where only AWS can judge."""
    given = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*", **statement}
    answer = denies(
        {"Statement": given},
        role=paper.FUNCTION_ROLE,
        action="s3:PutObject",
        resource=f"{paper.BUCKET_ARN}/aws/lambda/{UUID}/batch",
    )
    assert answer is denied


def test_prints_what_lambda_says_in_one_line() -> None:
    """Names of topics and messages of brokers come from outside."""
    live = {"LastProcessingResult": "PROBLEM: \x1b[31mno\nsuch topic", "Topics": ["a\u202eb"]}
    _, text, _ = lines(only(paper.event_source(live=live)), REGION)
    assert text.isprintable()
