"""Event source mappings: which batches and messages are lost, and what is not known."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cfnlint.api import ManualArgs, lint  # type: ignore[import-untyped]

from failure_destinations.check import (
    Finding,
    Stack,
    find_lost_events,
    find_lost_events_in,
    find_uncovered_functions,
    render,
)

from . import callers
from .callers import ALIAS, ARN, QUEUE_ARN, Resources, one, template
from .event_sources import (
    ALARM,
    BUCKET_ARN,
    DEAD_LETTERS,
    DEAD_LETTERS_ARN,
    LIMITED,
    SOUND,
    SOURCE_ARN,
    SOURCES,
    STREAM_ARN,
    TABLE_ARN,
    function,
    kafka,
    mapping,
    may,
    queue,
    redriven,
    stream,
    to,
)

KINESIS = "arn:aws:kinesis:eu-west-1:111122223333:stream/orders"
MSK = "arn:aws:kafka:eu-west-1:111122223333:cluster/orders/1a2b"
MQ = "arn:aws:mq:eu-west-1:111122223333:broker:orders:b-1"
DOCUMENTDB = "arn:aws:rds:eu-west-1:111122223333:cluster:orders"
PARAMETER: dict[str, Any] = {"Parameters": {"Given": {"Type": "String"}}}
GIVEN = {"Ref": "Given"}
NO_VALUE = {"Ref": "AWS::NoValue"}
TO_BUCKET = {"DestinationConfig": {"OnFailure": {"Destination": BUCKET_ARN}}}


def found(*resources: Resources, **sections: Any) -> list[Finding]:
    """Return the findings in a template of a function, sources and mappings."""
    return find_lost_events(template(SOURCES, *resources, **sections))


def kinds(*resources: Resources, **sections: Any) -> list[str]:
    """Return their kinds."""
    return [one.kind for one in found(*resources, **sections)]


def either(one: Any, other: Any) -> dict[str, Any]:
    """Return a value that depends on a condition."""
    return {"Fn::If": ["Is", one, other]}


def arn_of(name: str, service: str = "sqs") -> dict[str, str]:
    """Return an ARN of the stack's own account and Region that gives a name."""
    place = "${AWS::Region}:${AWS::AccountId}"
    return {"Fn::Sub": f"arn:${{AWS::Partition}}:{service}:{place}:{name}"}


# Streams and Kafka.


@pytest.mark.parametrize(
    "source",
    [
        stream(),
        stream(TABLE_ARN),
        stream(KINESIS),
        stream(f"{KINESIS}/consumer/fast:1"),
        stream({"Fn::Sub": "arn:aws:kinesis:${AWS::Region}:1:stream/${Stream}"}),
        stream("arn:aws:dynamodb:eu-west-1:111122223333:table/orders/stream/2026"),
        stream(MSK, Topics=["orders"]),
        stream({"Ref": "Cluster"}, Topics=["orders"]),
        stream({"Ref": "Consumer"}),
        kafka(),
        # Only a stream has a starting position and no topic.
        stream(GIVEN),
        stream({"Fn::ImportValue": "stream"}),
        stream({"Fn::If": ["Is", STREAM_ARN, TABLE_ARN]}),
    ],
)
def test_finds_streams_without_destination(source: Resources) -> None:
    """Without a limit, a failing batch blocks its shard; with one, it is discarded."""
    others: Resources = {
        "Cluster": one("AWS::MSK::Cluster", {}),
        "Consumer": one(
            "AWS::Kinesis::StreamConsumer", {"ConsumerName": "fast", "StreamARN": STREAM_ARN}
        ),
    }
    (finding, *_) = found(others, source, **PARAMETER)
    assert (finding.kind, finding.severity) == ("endless-retries", "error")
    assert (finding.logical_id, finding.function, finding.qualifier) == (
        "Mapping",
        "Function",
        "$LATEST",
    )
    properties = {**source["Mapping"]["Properties"], **LIMITED}
    limited = {"Mapping": one("AWS::Lambda::EventSourceMapping", properties)}
    assert set(kinds(others, limited, **PARAMETER)) == {"stream-uncovered"}


@pytest.mark.parametrize(
    "limits",
    [
        LIMITED,
        {"MaximumRetryAttempts": 0},
        {"MaximumRetryAttempts": "2"},
        {"MaximumRecordAgeInSeconds": 3600},
        # Whether it is limited or not, the batch is lost.
        {"MaximumRetryAttempts": GIVEN},
        {"MaximumRetryAttempts": either(3, NO_VALUE)},
    ],
)
def test_knows_what_limits_retries(limits: dict[str, Any]) -> None:
    """Lambda discards a batch once its retries or its age are over."""
    assert kinds(stream(**limits), **PARAMETER) == ["stream-uncovered"]


@pytest.mark.parametrize(
    "limits",
    [
        {"MaximumRetryAttempts": -1},
        {"MaximumRetryAttempts": "-1", "MaximumRecordAgeInSeconds": -1},
        {"BisectBatchOnFunctionError": True},
        {"MaximumRetryAttempts": NO_VALUE},
    ],
)
def test_knows_what_does_not_limit_retries(limits: dict[str, Any]) -> None:
    """-1 is the default: without end. Bisecting does not count as a retry."""
    assert kinds(stream(**limits)) == ["endless-retries"]


@pytest.mark.parametrize(
    "kept",
    [
        to(BUCKET_ARN),
        to(BUCKET_ARN, TABLE_ARN),
        to(BUCKET_ARN, GIVEN),
        to("arn:aws:s3:::failures"),
        to(BUCKET_ARN, MSK, Topics=["orders"]),
        to("kafka://failures", MSK, Topics=["orders"]),
        # With a destination, Lambda stops after 10 attempts for Kafka.
        kafka(DestinationConfig={"OnFailure": {"Destination": BUCKET_ARN}}),
    ],
)
def test_accepts_a_destination_that_keeps_the_records(kept: Resources) -> None:
    """A bucket and a Kafka topic get the records themselves."""
    assert kinds(kept, **PARAMETER) == []


@pytest.mark.parametrize(
    ("topics", "destination", "expected"),
    [
        (["orders"], "kafka://orders", ["lost-destination"]),
        ("orders", "kafka://orders", ["lost-destination"]),
        ([GIVEN], {"Fn::Sub": "kafka://${Given}"}, ["lost-destination"]),
        (["orders"], "kafka://orders-failed", []),
        ([GIVEN], "kafka://orders", []),
        ([either("orders", "others")], "kafka://orders", []),
    ],
)
def test_finds_a_destination_that_is_the_topic_that_is_read(
    topics: Any, destination: Any, expected: list[str]
) -> None:
    """Lambda refuses it: what fails would come back for ever."""
    findings = found(to(destination, MSK, Topics=topics), **PARAMETER)
    assert [one.kind for one in findings] == expected
    said = "Lambda cannot send failed batches to the topic that they come from"
    assert all(said in one.reason for one in findings)


def test_finds_a_destination_behind_endless_retries() -> None:
    """The destination gets nothing as long as Lambda retries."""
    (finding,) = found(to(BUCKET_ARN, MaximumRetryAttempts=-1))
    assert (finding.kind, finding.severity) == ("blocked-shard", "warning")
    assert finding.fix == "retry_attempts=3 where Mapping is defined"


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        (to(QUEUE_ARN), "is queue Queue, "),
        (
            to(QUEUE_ARN, TABLE_ARN),
            "Table keeps them for 24 hours, and the queue keeps its messages",
        ),
        (to({"Ref": "Topic"}), "is topic Topic, "),
    ],
)
def test_finds_a_destination_that_gets_metadata_only(kept: Resources, said: str) -> None:
    """A queue keeps where the records were; the stream forgets them after a day."""
    (finding,) = found(kept)
    assert (finding.kind, finding.severity) == ("metadata-only", "warning")
    assert said in finding.reason


@pytest.mark.parametrize(
    ("hours", "retention", "expected"),
    [
        (24, 86_400, []),
        (48, 86_400, []),
        ("96", 345_600, []),
        (95, 345_600, ["metadata-only"]),
        (8_760, 1_209_600, []),
        (either(24, 8_760), 345_600, []),
        (GIVEN, 345_600, ["unknown"]),
        (24, GIVEN, ["unknown"]),
        (336, GIVEN, []),
    ],
)
def test_compares_how_long_stream_and_queue_keep(
    hours: Any, retention: Any, expected: list[str]
) -> None:
    """The records must be there for as long as the message that says where they are."""
    kinesis = {"Stream": one("AWS::Kinesis::Stream", {"RetentionPeriodHours": hours})}
    keeps = {"Queue": one("AWS::SQS::Queue", {"MessageRetentionPeriod": retention})}
    assert kinds(to(QUEUE_ARN), kinesis, keeps, **PARAMETER) == expected


@pytest.mark.parametrize(
    ("hours", "age", "is_limited"),
    [
        (24, 86_400, True),
        (24, 86_401, False),
        (168, 604_800, True),
        (either(24, 168), 604_800, True),
        (48, either(86_400, 604_800), True),
        # Either way, but that it is neither is not worked out.
        (24, either(-1, 604_800), True),
        (GIVEN, 604_800, True),
    ],
)
def test_takes_no_age_beyond_the_retention_for_a_limit(
    hours: Any, age: Any, *, is_limited: bool
) -> None:
    """The records expire before Lambda would discard them."""
    kinesis = {"Stream": one("AWS::Kinesis::Stream", {"RetentionPeriodHours": hours})}
    limit = {"MaximumRecordAgeInSeconds": age}
    alone = kinds(kinesis, stream(**limit), **PARAMETER)
    assert alone == ["stream-uncovered" if is_limited else "endless-retries"]
    kept = kinds(kinesis, stream(**limit, **TO_BUCKET), **PARAMETER)
    assert kept == ([] if is_limited else ["blocked-shard"])


def test_knows_how_long_dynamodb_keeps_records() -> None:
    """24 hours, always."""
    assert kinds(stream(TABLE_ARN, MaximumRecordAgeInSeconds=604_800)) == ["endless-retries"]


@pytest.mark.parametrize("named", [STREAM_ARN, arn_of("stream/clicks", "kinesis")])
def test_names_the_stream_of_a_consumer(named: Any) -> None:
    """The stream keeps the records, and the consumer nothing."""
    others: Resources = {
        "Stream": one("AWS::Kinesis::Stream", {"RetentionPeriodHours": 95, "Name": "clicks"}),
        "Consumer": one(
            "AWS::Kinesis::StreamConsumer", {"ConsumerName": "fast", "StreamARN": named}
        ),
    }
    (finding,) = found(to(QUEUE_ARN, {"Ref": "Consumer"}), others)
    assert finding.kind == "metadata-only"
    assert "Stream, and not the records: Stream keeps them for 95 hours" in finding.reason


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (QUEUE_ARN, {"Ref": "Topic"}, ["metadata-only"]),
        ({"Ref": "Topic"}, QUEUE_ARN, ["metadata-only"]),
        (DEAD_LETTERS_ARN, {"Ref": "Topic"}, []),
        ({"Ref": "Topic"}, DEAD_LETTERS_ARN, []),
        (QUEUE_ARN, BUCKET_ARN, []),
        (QUEUE_ARN, "arn:aws:sqs:eu-west-1:111122223333:other", ["unknown"]),
        (QUEUE_ARN, NO_VALUE, ["unknown"]),
    ],
)
def test_compares_destinations_under_a_condition(one: Any, other: Any, expected: list[str]) -> None:
    """Whichever it is, the stream forgets the records first."""
    short = queue("DeadLetters", MessageRetentionPeriod=3_600)
    assert kinds(to(either(one, other)), short) == expected


def test_does_not_judge_what_a_kafka_topic_keeps() -> None:
    """The cluster decides, and no template says it."""
    (finding,) = found(to(QUEUE_ARN, MSK, Topics=["orders"]))
    assert (finding.kind, render.in_short(finding)) == ("unknown", "retention of records not known")


@pytest.mark.parametrize(
    ("destination", "what"),
    [
        ({"Fn::GetAtt": ["Fifo", "Arn"]}, "a FIFO queue"),
        ("arn:aws:sns:eu-west-1:111122223333:failures.fifo", "a FIFO topic"),
        (ARN, "a function"),
        ("arn:aws:events:eu-west-1:111122223333:event-bus/default", "an event bus"),
        # Only a mapping of Kafka has topics.
        ("kafka://failures", "a Kafka topic"),
    ],
)
def test_finds_a_destination_that_cannot_hold_batches(destination: Any, what: str) -> None:
    """Failed batches go to standard queues and topics, buckets and Kafka topics."""
    finding = found(to(destination), queue("Fifo", FifoQueue=True))[-1]
    assert (finding.kind, finding.severity) == ("lost-destination", "error")
    assert f"Lambda cannot send failed batches to {what}" in finding.reason


@pytest.mark.parametrize(
    ("source", "remedy"),
    [
        (to(BUCKET_ARN, SOURCE_ARN), "no on_failure where Mapping is defined"),
        # Nothing is known of a queue that is defined elsewhere.
        (
            to(BUCKET_ARN, "arn:aws:sqs:eu-west-1:111122223333:orders"),
            "channel.dead_letter_queue_for(queue)",
        ),
        (mapping(MQ, Queues=["orders"], **TO_BUCKET), "no on_failure where Mapping is defined"),
        (stream(DOCUMENTDB, **TO_BUCKET), "no on_failure where Mapping is defined"),
    ],
)
def test_finds_a_destination_of_a_source_that_has_none(source: Resources, remedy: str) -> None:
    """Lambda refuses a DestinationConfig for SQS, Amazon MQ and Amazon DocumentDB."""
    finding = found(source, DEAD_LETTERS, redriven(VisibilityTimeout=18))[0]
    assert (finding.kind, finding.severity) == ("lost-destination", "error")
    assert remedy in finding.fix


def test_names_the_redrive_policy_once() -> None:
    """One finding is about the destination, and another one about the queue."""
    findings = found(to(BUCKET_ARN, SOURCE_ARN), queue(VisibilityTimeout=18))
    assert [(one.kind, one.cloudformation_fix.partition(":")[0]) for one in findings] == [
        ("lost-destination", "no DestinationConfig on Mapping"),
        ("no-redrive", "RedrivePolicy"),
    ]


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({}, "reads a Kafka cluster for function Function and"),
        ({"Enabled": False}, "reads from a Kafka cluster for function Function"),
        (
            {"DestinationConfig": {"OnFailure": {"Destination": QUEUE_ARN}}},
            "how long the Kafka cluster keeps what it gets is not known",
        ),
    ],
)
def test_says_what_has_no_name(config: dict[str, Any], said: str) -> None:
    """A mapping of one's own Kafka cluster has no ARN."""
    (finding,) = found(kafka(**LIMITED, **config))
    assert said in finding.reason


@pytest.mark.parametrize(
    "source",
    [
        mapping(MQ, Queues=["orders"]),
        mapping(GIVEN, Queues=["orders"]),
        stream(DOCUMENTDB),
        stream(GIVEN, DocumentDBEventSourceConfig={"DatabaseName": "orders"}),
    ],
)
def test_says_nothing_about_sources_without_destinations(source: Resources) -> None:
    """A broker has dead-letter queues of its own, and DocumentDB nothing that could be set."""
    assert kinds(source, **PARAMETER) == []


def test_finds_a_topic_for_batches_without_subscription() -> None:
    """Nobody gets what Lambda sends to it."""
    checked = template(SOURCES, to({"Ref": "Topic"}))
    del checked["Resources"]["QueueSubscription"]
    assert [one.kind for one in find_lost_events(checked)] == ["no-subscriber", "metadata-only"]


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({"Ref": "Queue"}, "the name or URL of Queue is not an ARN, as !GetAtt Queue.Arn is"),
        ({"Fn::GetAtt": ["Queue", "QueueName"]}, "is not an ARN, as !GetAtt Queue.Arn is"),
        ({"Ref": "Bucket"}, "is not an ARN, as !GetAtt Bucket.Arn is"),
        ({"Ref": "Function"}, "is not an ARN, as !GetAtt Function.Arn is"),
        ({"Ref": "Stream"}, "Stream is not known"),
        (GIVEN, "parameter Given is not known"),
    ],
)
def test_says_what_a_destination_is_that_is_no_arn(value: Any, why: str) -> None:
    """The template defines it, so it is known."""
    (finding,) = found(to(value), **PARAMETER)
    assert finding.kind == "unknown"
    assert finding.reason.endswith(f"{why}.")


BASIC = "arn:aws:iam::aws:policy/service-role/AWSLambdaKinesisExecutionRole"


def role(*policies: Any, **properties: Any) -> Resources:
    """Return the function's role with other policies."""
    made = callers.role("lambda.amazonaws.com", policies=list(policies))
    return {"FunctionRole": {**made, "Properties": {**made["Properties"], **properties}}}


def attached(type: str, **properties: Any) -> Resources:
    """Return a policy of its own that allows to put objects."""
    document = may("s3:PutObject")["PolicyDocument"]
    return {"Attached": one(type, {"PolicyDocument": document, **properties})}


@pytest.mark.parametrize(
    ("destination", "action"),
    [
        (BUCKET_ARN, "s3:PutObject"),
        (QUEUE_ARN, "sqs:SendMessage"),
        ({"Ref": "Topic"}, "sns:Publish"),
    ],
)
def test_finds_a_role_that_may_not_send(destination: Any, action: str) -> None:
    """Lambda sends in the name of the function's role."""
    finding = found(to(destination), role(ManagedPolicyArns=[BASIC]))[0]
    assert (finding.kind, finding.severity) == ("destination-permission", "warning")
    assert f"lets the role of function Function do {action}: " in finding.reason
    more = " and s3:ListBucket" if action == "s3:PutObject" else ""
    assert finding.cloudformation_fix == f"{action}{more} for the role of Function"


@pytest.mark.parametrize(
    "sends",
    [
        role(may("s3:PutObject")),
        role(may("s3:Put*")),
        role(may("s3:*")),
        role(may("*")),
        role(may("S3:putobject", Resource="arn:aws:s3:::another")),
        role(may(GIVEN)),
        role(may("s3:PutObject", Effect=GIVEN)),
        role({"PolicyName": "Other", "PolicyDocument": {"Statement": {
            "Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}}}),
        role({"PolicyName": "Given", "PolicyDocument": GIVEN}),
        role(GIVEN),
        role(ManagedPolicyArns=["arn:aws:iam::aws:policy/AmazonS3FullAccess"]),
        role(ManagedPolicyArns=["arn:aws:iam::111122223333:policy/own"]),
        role(ManagedPolicyArns=[GIVEN]),
        role(ManagedPolicyArns=GIVEN),
        role(ManagedPolicyArns=[{"Ref": "Attached"}]) | attached("AWS::IAM::ManagedPolicy"),
        role() | attached("AWS::IAM::Policy", Roles=[{"Ref": "FunctionRole"}]),
        role() | attached("AWS::IAM::ManagedPolicy", Roles=[{"Ref": "FunctionRole"}]),
        role() | attached("AWS::IAM::RolePolicy", RoleName={"Ref": "FunctionRole"}),
        role() | attached("AWS::IAM::Policy", Roles=[GIVEN]),
        role() | attached("AWS::IAM::Policy", Roles=GIVEN),
        role(RoleName="orders") | attached("AWS::IAM::Policy", Roles=["orders"]),
        role() | {"Own": one("Custom::Grant", {"Role": {"Ref": "FunctionRole"}})},
        role() | {"Open": one("AWS::S3::BucketPolicy", {"PolicyDocument": {"Statement": {
            "Effect": "Allow", "Principal": {"AWS": {"Fn::GetAtt": ["FunctionRole", "Arn"]}},
            "Action": "s3:PutObject", "Resource": "*"}}})},
        role() | {"Open": one("AWS::S3::BucketPolicy", {"PolicyDocument": {"Statement": {
            "Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "*"}}})},
        function(Role="arn:aws:iam::111122223333:role/orders"),
        function(Role=GIVEN),
        function(Role=either({"Fn::GetAtt": ["FunctionRole", "Arn"]}, GIVEN)),
    ],
)  # fmt: skip
def test_accepts_a_role_that_may_send(sends: Resources) -> None:
    """What may let it send is not reported, and neither is a role that is not known."""
    assert kinds(to(BUCKET_ARN), sends, **PARAMETER) == []


@pytest.mark.parametrize(
    "other",
    [
        role(may("s3:GetObject", "sqs:SendMessage")),
        role(may("s3:PutObject", Effect="Deny")),
        role() | attached("AWS::IAM::Policy", Roles=["another"]),
        role() | {"Tls": one("AWS::S3::BucketPolicy", {"PolicyDocument": {"Statement": {
            "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}}})},
    ],
)  # fmt: skip
def test_takes_no_other_permission_for_sending(other: Resources) -> None:
    """Another action, role or effect does not let it send."""
    assert kinds(to(BUCKET_ARN), other) == ["destination-permission"]


def test_does_not_judge_a_role_that_a_macro_may_change() -> None:
    """A macro may add anything."""
    found = kinds(to(BUCKET_ARN), role(), Transform="MyMacro")
    assert "destination-permission" not in found


# Queues.


def test_accepts_a_sound_queue() -> None:
    """A redrive policy, time to retry, and an alarm on a queue that keeps long enough."""
    assert kinds(SOUND) == []


def test_finds_a_queue_without_redrive_policy() -> None:
    """A message that keeps failing comes back until the retention ends."""
    (finding,) = found(mapping(SOURCE_ARN), queue(VisibilityTimeout=18))
    assert (finding.kind, finding.severity) == ("no-redrive", "error")
    assert "is lost after 4 days" in finding.reason
    assert finding.fix == "channel.dead_letter_queue_for(source), with channel = FailureChannel(…)"
    policy = "{deadLetterTargetArn: !GetAtt DeadLetters.Arn, maxReceiveCount: 5}"
    assert finding.cloudformation_fix == f"RedrivePolicy: {policy} on Source"


POLICY = {"deadLetterTargetArn": DEAD_LETTERS_ARN, "maxReceiveCount": 5}


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (POLICY, []),
        (json.dumps({**POLICY, "deadLetterTargetArn": QUEUE_ARN["Fn::GetAtt"][0]}), []),
        ({"Fn::Sub": '{"deadLetterTargetArn": "${DeadLetters.Arn}", "maxReceiveCount": 5}'}, []),
        ({**POLICY, "deadLetterTargetArn": GIVEN}, []),
        ({"Fn::ToJsonString": POLICY}, []),
        ({}, ["no-redrive"]),
        (NO_VALUE, ["no-redrive"]),
        ("", ["no-redrive"]),
        (either(POLICY, NO_VALUE), ["unknown"]),
        ({**POLICY, "deadLetterTargetArn": either(DEAD_LETTERS_ARN, NO_VALUE)}, ["unknown"]),
        (GIVEN, []),
    ],
)
def test_reads_every_form_of_a_redrive_policy(policy: Any, expected: list[str]) -> None:
    """A mapping, JSON text, or something that is only known at deployment."""
    source = queue(RedrivePolicy=policy, VisibilityTimeout=18)
    assert kinds(mapping(SOURCE_ARN), source, DEAD_LETTERS, **PARAMETER) == expected


@pytest.mark.parametrize(
    "source",
    [
        "arn:aws:sqs:eu-west-1:111122223333:orders",
        {"Fn::Sub": "arn:aws:sqs:${AWS::Region}:${AWS::AccountId}:orders"},
        {"Fn::ImportValue": "orders"},
        GIVEN,
    ],
)
def test_does_not_judge_a_queue_outside_the_template(source: Any) -> None:
    """Its redrive policy is elsewhere."""
    assert kinds(mapping(source), **PARAMETER) == ["unknown"]


def test_knows_a_queue_by_its_scaling() -> None:
    """Only a queue has a maximum of concurrent invocations."""
    scaled = mapping(GIVEN, ScalingConfig={"MaximumConcurrency": 5})
    (finding,) = found(scaled, **PARAMETER)
    assert (finding.kind, render.in_short(finding)) == ("unknown", "queue defined elsewhere")
    positioned = stream(GIVEN, ScalingConfig={"MaximumConcurrency": 5})
    assert kinds(positioned, **PARAMETER) == ["endless-retries"]


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("orders", arn_of("orders")),
        ({"Fn::Sub": "${AWS::StackName}-orders"}, arn_of("${AWS::StackName}-orders")),
        ({"Fn::Sub": "orders-${Given}"}, arn_of("orders-${Given}")),
    ],
)
def test_finds_a_queue_by_its_name(name: Any, source: Any) -> None:
    """An ARN of the own account and Region means the queue that has the name."""
    given = queue(QueueName=name)
    handler = function(Timeout=31)
    expected = ["no-redrive", "visibility-timeout"]
    assert kinds(mapping(source), given, handler, **PARAMETER) == expected


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("orders", "arn:aws:sqs:eu-west-1:111122223333:orders"),
        ("orders", {"Fn::Sub": "arn:aws:sqs:${AWS::Region}:111122223333:orders"}),
        ("orders", arn_of("orders-of-others")),
        (either("orders", "others"), arn_of("orders")),
        ({"Fn::Select": [0, GIVEN]}, arn_of("orders")),
    ],
)
def test_does_not_guess_which_queue_has_a_name(name: Any, source: Any) -> None:
    """Another account may have a queue of that name."""
    assert kinds(mapping(source), queue(QueueName=name), **PARAMETER) == ["unknown"]


def test_knows_the_account_and_region_of_a_stack() -> None:
    """The CDK writes both into ARNs where a stack has an environment."""
    source = "arn:aws:sqs:eu-west-1:111122223333:orders"
    here = template(mapping(source))
    there = {"Resources": queue(QueueName="orders", VisibilityTimeout=18)}
    for region, expected in (("eu-west-1", "no-redrive"), ("eu-central-1", "unknown")):
        stacks = [Stack(one, account="111122223333", region=region) for one in (here, there)]
        (finding,) = find_lost_events_in(stacks)
        assert finding.kind == expected


def test_finds_a_dead_letter_queue_by_its_name() -> None:
    """It is in the account and Region of its queue, whatever its ARN looks like."""
    for target in (arn_of("dead"), "arn:aws:sqs:eu-west-1:111122223333:dead"):
        first = redriven(target, VisibilityTimeout=18)
        dead = queue("DeadLetters", QueueName="dead", MessageRetentionPeriod=60)
        assert kinds(mapping(SOURCE_ARN), first, ALARM, dead) == ["dead-letter-retention"]


def test_finds_a_stream_and_a_destination_by_name() -> None:
    """Kinesis keeps for 24 hours, and the queue for 4 days."""
    named = {"Stream": one("AWS::Kinesis::Stream", {"Name": "clicks"})}
    source = arn_of("stream/clicks", "kinesis")
    destination = to(arn_of("failed"), source)
    expected = ["metadata-only"]
    assert kinds(destination, named, queue(QueueName="failed")) == expected


def test_finds_a_table_and_a_topic_by_name() -> None:
    """DynamoDB keeps records for 24 hours, and nobody subscribes to the topic."""
    named = {
        "Other": one("AWS::DynamoDB::Table", {"TableName": "orders"}),
        "Unheard": one("AWS::SNS::Topic", {"TopicName": "failed"}),
    }
    findings = found(
        to(arn_of("failed", "sns"), arn_of("table/orders/stream/2026", "dynamodb")), named
    )
    assert [finding.kind for finding in findings] == ["no-subscriber", "metadata-only"]
    assert "is topic Unheard, " in findings[1].reason
    assert " in Other, " in findings[1].reason


def test_does_not_judge_a_queue_that_a_custom_resource_may_change() -> None:
    """It may set the redrive policy."""
    custom = {"Own": one("Custom::Redrive", {"Queue": {"Ref": "Source"}})}
    assert kinds(mapping(SOURCE_ARN), queue(VisibilityTimeout=18), custom) == ["unknown"]


def test_judges_a_queue_that_a_bucket_notifies() -> None:
    """The CDK's custom resource sets the bucket's notifications, and nothing of the queue."""
    custom = {"Own": one("Custom::S3BucketNotifications", {"Queue": SOURCE_ARN})}
    assert kinds(mapping(SOURCE_ARN), queue(VisibilityTimeout=18), custom) == ["no-redrive"]


@pytest.mark.parametrize(
    "user",
    [
        redriven(SOURCE_ARN, VisibilityTimeout=18)["Source"],
        one("AWS::SNS::Subscription", {"RedrivePolicy": {"deadLetterTargetArn": SOURCE_ARN}}),
        one("AWS::Lambda::Function", {"DeadLetterConfig": {"TargetArn": SOURCE_ARN}}),
        one("AWS::Events::Rule", {"Targets": [{"DeadLetterConfig": {"Arn": SOURCE_ARN}}]}),
        one("AWS::Lambda::EventInvokeConfig", {"DestinationConfig": {
            "OnFailure": {"Destination": SOURCE_ARN}}}),
        one("AWS::EventsV2::Subscriber", {"OnFailureConfiguration": {"Arn": SOURCE_ARN}}),
        redriven(arn_of("orders"), VisibilityTimeout=18)["Source"],
        one("AWS::SQS::Queue", {"RedrivePolicy": json.dumps({
            "deadLetterTargetArn": "arn:aws:sqs:eu-west-1:111122223333:orders"})}),
        one("AWS::SQS::Queue", {"RedrivePolicy": either(
            {"deadLetterTargetArn": "arn:aws:sqs:eu-west-1:111122223333:orders"}, NO_VALUE)}),
        one("AWS::SQS::Queue", {"RedrivePolicy": {
            "Fn::Sub": '{"deadLetterTargetArn": "${Source.Arn}"}'}}),
        one("AWS::SQS::Queue", {"RedrivePolicy": {"Fn::Transform": {
            "Name": "Own", "Parameters": {"Queue": {"Fn::Sub": "${Source.Arn}"}}}}}),
    ],
)  # fmt: skip
def test_asks_for_no_redrive_policy_of_a_dead_letter_queue(user: dict[str, Any]) -> None:
    """What a function could not handle stays there anyway."""
    source = queue(VisibilityTimeout=18, QueueName="orders")
    assert "no-redrive" not in kinds(mapping(SOURCE_ARN), source, {"User": user})


@pytest.mark.parametrize(
    "target",
    [
        arn_of("shared-Source-dlq"),
        arn_of("${AWS::StackName}-Source"),
        arn_of("${Source.QueueName}-dlq"),
        "arn:aws:sqs:eu-west-1:111122223333:Source",
        DEAD_LETTERS_ARN,
    ],
)
def test_takes_no_other_dead_letter_queue_for_a_queue(target: Any) -> None:
    """A logical id is no name, and part of a name is not the name."""
    user = {"User": redriven(target, VisibilityTimeout=18)["Source"]}
    source = queue(VisibilityTimeout=18)
    assert kinds(mapping(SOURCE_ARN), source, user, DEAD_LETTERS) == ["no-redrive"]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ({"redrivePermission": "allowAll"}, ["unknown"]),
        ({"redrivePermission": "byQueue", "sourceQueueArns": [GIVEN]}, ["unknown"]),
        (json.dumps({"redrivePermission": "allowAll"}), ["unknown"]),
        ({"Fn::Sub": '{"redrivePermission": "allowAll"}'}, ["unknown"]),
        (either({"redrivePermission": "allowAll"}, NO_VALUE), ["unknown"]),
        ({"redrivePermission": GIVEN}, ["unknown"]),
        ({"redrivePermission": "denyAll"}, ["no-redrive"]),
        ({}, ["no-redrive"]),
        ("", ["no-redrive"]),
    ],
)
def test_does_not_judge_a_queue_that_takes_dead_letters(policy: Any, expected: list[str]) -> None:
    """The queues that send them are elsewhere."""
    source = queue(VisibilityTimeout=18, RedriveAllowPolicy=policy)
    assert kinds(mapping(SOURCE_ARN), source, **PARAMETER) == expected


def test_knows_a_dead_letter_queue_of_other_stacks() -> None:
    """By an import, a parameter of a nested stack, or the output of one."""
    policy = {"maxReceiveCount": 5}
    read = template(mapping(SOURCE_ARN), queue(VisibilityTimeout=18))
    user = redriven({"Fn::ImportValue": "dead"})
    exported = {"Queue": {"Value": SOURCE_ARN, "Export": {"Name": "dead"}}}
    stacks = [Stack({**read, "Outputs": exported}), Stack({"Resources": user})]
    assert find_lost_events_in(stacks) == []
    given = {"User": one("AWS::SQS::Queue", {
        "RedrivePolicy": {**policy, "deadLetterTargetArn": GIVEN}})}  # fmt: skip
    nested = one("AWS::CloudFormation::Stack", {
        "TemplateURL": "nested.json", "Parameters": {"Given": SOURCE_ARN}})  # fmt: skip
    outer = {**read, "Resources": {**read["Resources"], "Nested": nested}}
    inner = Stack({"Resources": given, **PARAMETER})
    assert find_lost_events_in([Stack(outer, nested={"Nested": inner})]) == []
    output = {"Fn::GetAtt": ["Nested", "Outputs.Queue"]}
    outer = {"Resources": {**redriven(output), "Nested": nested}}
    inner = Stack({**read, "Outputs": exported})
    assert find_lost_events_in([Stack(outer, nested={"Nested": inner})]) == []


@pytest.mark.parametrize(
    ("visibility", "timeout", "expected"),
    [
        (30, 31, ["visibility-timeout"]),
        (30, 30, ["visibility-margin"]),
        (None, 300, ["visibility-timeout"]),
        (None, None, []),
        (17, None, ["visibility-margin"]),
        (18, None, []),
        (2, None, ["visibility-timeout"]),
        ("60", "10", []),
        (43_200, 9_000, []),
        (either(30, 599), 100, ["visibility-margin"]),
        (either(30, 600), 100, []),
        (either(30, 60), 100, ["visibility-timeout"]),
        (GIVEN, 100, ["unknown"]),
        (30, GIVEN, ["unknown"]),
        ({"Ref": "Default"}, 100, ["visibility-timeout"]),
    ],
)
def test_compares_visibility_and_timeout(
    visibility: Any, timeout: Any, expected: list[str]
) -> None:
    """Lambda refuses a shorter visibility timeout, and AWS recommends six times the timeout."""
    source = {} if visibility is None else {"VisibilityTimeout": visibility}
    handler = {} if timeout is None else {"Timeout": timeout}
    sections = {"Parameters": {**PARAMETER["Parameters"], "Default": {"Default": 30}}}
    assert (
        kinds(
            mapping(SOURCE_ARN), DEAD_LETTERS, redriven(**source), function(**handler), **sections
        )
        == expected
    )


def test_names_a_visibility_timeout_that_is_long_enough() -> None:
    """Six times the function's timeout, for the kind that is refused too."""
    (finding,) = found(mapping(SOURCE_ARN), DEAD_LETTERS, redriven(), function(Timeout=60))
    assert finding.cloudformation_fix == "VisibilityTimeout: 360 on Source"
    assert finding.fix == ("visibility_timeout=cdk.Duration.seconds(360) where Source is defined")


@pytest.mark.parametrize(
    ("execution", "visibility", "expected", "seconds"),
    [
        (600, 599, ["visibility-margin"], "600"),
        (600, 600, [], ""),
        # A mapping waits for 15 minutes at most.
        (86_400, 899, ["visibility-margin"], "900"),
        (86_400, 900, [], ""),
        (600, 2, ["visibility-timeout"], "600"),
        (10, 17, ["visibility-margin"], "18"),
        (GIVEN, 18, [], ""),
    ],
)
def test_compares_visibility_and_durable_executions(
    execution: Any, visibility: int, expected: list[str], seconds: str
) -> None:
    """A mapping waits for the whole execution, and not only for one invocation."""
    durable = function(DurableConfig={"ExecutionTimeout": execution})
    reads = mapping(SOURCE_ARN, {"Ref": "Alias"})
    source = redriven(VisibilityTimeout=visibility)
    findings = found(ALIAS, durable, reads, DEAD_LETTERS, source, **PARAMETER)
    assert [one.kind for one in findings] == expected
    for finding in findings:
        assert finding.cloudformation_fix == f"VisibilityTimeout: {seconds} on Source"


@pytest.mark.parametrize(
    ("window", "visibility", "seconds"),
    [
        (300, 317, "318"),
        (300, 2, "318"),
        (300, 318, ""),
        ("300", 317, "318"),
        (0, 17, "18"),
        (GIVEN, 17, "18"),
        (GIVEN, 18, ""),
        (either(0, 300), 17, "318"),
        (either(0, 300), 18, ""),
        (43_200, 43_199, "43200"),
    ],
)
def test_adds_the_batching_window(window: Any, visibility: int, seconds: str) -> None:
    """Lambda holds the messages while a batch fills."""
    source = redriven(VisibilityTimeout=visibility)
    reads = mapping(SOURCE_ARN, MaximumBatchingWindowInSeconds=window)
    fixes = [one.cloudformation_fix for one in found(reads, DEAD_LETTERS, source, **PARAMETER)]
    assert fixes == ([f"VisibilityTimeout: {seconds} on Source"] if seconds else [])


def test_names_the_batching_window() -> None:
    """The recommended time is the sum."""
    reads = mapping(SOURCE_ARN, MaximumBatchingWindowInSeconds=60)
    (finding,) = found(reads, DEAD_LETTERS, redriven())
    assert "AWS recommends six times that and the batching window of 1 minute, " in finding.reason


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        (345_600, 345_600, []),
        (345_600, 1_209_600, []),
        (1_209_600, 345_600, ["dead-letter-retention"]),
        (1_209_600, GIVEN, []),
        (either(60, 1_209_600), 345_600, []),
    ],
)
def test_compares_how_long_queues_keep(source: Any, target: Any, expected: list[str]) -> None:
    """The age of a message counts from the first queue."""
    dead_letters = queue("DeadLetters", MessageRetentionPeriod=target)
    first = redriven(MessageRetentionPeriod=source, VisibilityTimeout=18)
    assert kinds(mapping(SOURCE_ARN), first, ALARM, dead_letters, **PARAMETER) == expected


def test_accepts_a_fifo_dead_letter_queue_that_keeps_for_a_shorter_time() -> None:
    """In a FIFO queue, the age begins again when a message is moved."""
    dead_letters = queue("DeadLetters", FifoQueue=True, MessageRetentionPeriod=60)
    first = redriven(FifoQueue=True, VisibilityTimeout=18)
    assert kinds(mapping(SOURCE_ARN), first, ALARM, dead_letters) == []


@pytest.mark.parametrize(
    ("fifo", "end"),
    [({}, "on Source"), ({"FifoQueue": True}, "on Source, with DeadLetters a FIFO queue too")],
)
def test_has_a_fifo_queue_redriven_to_a_fifo_queue(fifo: dict[str, Any], end: str) -> None:
    """SQS refuses a dead-letter queue of the other kind."""
    (finding,) = found(mapping(SOURCE_ARN), queue(VisibilityTimeout=18, **fifo))
    assert (finding.kind, finding.cloudformation_fix.partition("} ")[2]) == ("no-redrive", end)


def test_finds_a_dead_letter_queue_that_nobody_watches() -> None:
    """A note: somebody may watch it by hand."""
    (finding,) = found(mapping(SOURCE_ARN), redriven(VisibilityTimeout=18), queue("DeadLetters"))
    assert (finding.kind, finding.severity) == ("unwatched", "info")
    assert "!GetAtt DeadLetters.QueueName" in finding.cloudformation_fix


NAMED_ALARM = {"Alarm": one("AWS::CloudWatch::Alarm", {"Dimensions": [
    {"Name": "QueueName", "Value": {"Fn::Sub": "${AWS::StackName}-dead"}}]})}  # fmt: skip


@pytest.mark.parametrize(
    "watcher",
    [
        ALARM,
        NAMED_ALARM,
        {"Reader": mapping(DEAD_LETTERS_ARN)["Mapping"]},
        {"Pipe": one("AWS::Pipes::Pipe", {"Source": DEAD_LETTERS_ARN})},
        {"Reader": one("AWS::ECS::TaskDefinition", {"Environment": [{"Ref": "DeadLetters"}]})},
        {"Search": one("AWS::CloudWatch::Alarm", {"Metrics": [
            {"Expression": 'SELECT MAX(ApproximateNumberOfMessagesVisible) FROM "AWS/SQS"'}]})},
        {"Policy": one("AWS::IAM::Policy", {"PolicyDocument": {"Statement": [
            {"Effect": "Allow", "Action": "sqs:ReceiveMessage", "Resource": DEAD_LETTERS_ARN}]}})},
        {"Own": one("Custom::Watch", {"Queue": {"Ref": "DeadLetters"}})},
        {"Reader": mapping(arn_of("${AWS::StackName}-dead"))["Mapping"]},
        {"Policy": one("AWS::IAM::Policy", {"PolicyDocument": {"Statement": [
            {"Action": "sqs:ReceiveMessage", "Resource": arn_of("${AWS::StackName}-dead")}]}})},
        {"Rule": one("AWS::Events::Rule", {"Targets": [
            {"Arn": ARN, "Input": {"Fn::Sub": '{"queue": "${DeadLetters}"}'}}]})},
    ],
)  # fmt: skip
def test_accepts_a_dead_letter_queue_that_may_be_watched(watcher: Resources) -> None:
    """An alarm on it, or anything that may read it."""
    dead_letters = queue("DeadLetters", QueueName={"Fn::Sub": "${AWS::StackName}-dead"})
    first = redriven(VisibilityTimeout=18)
    assert "unwatched" not in kinds(mapping(SOURCE_ARN), first, dead_letters, watcher)


def test_accepts_an_exported_dead_letter_queue() -> None:
    """A stack that is not read may watch it."""
    outputs = {"Queue": {"Value": DEAD_LETTERS_ARN, "Export": {"Name": "dead"}}}
    first = redriven(VisibilityTimeout=18)
    assert kinds(mapping(SOURCE_ARN), first, queue("DeadLetters"), Outputs=outputs) == []


@pytest.mark.parametrize(
    "other",
    [
        {"Policy": one("AWS::SQS::QueuePolicy", {"Queues": [{"Ref": "DeadLetters"}]})},
        {"Policy": one("AWS::IAM::Policy", {"PolicyDocument": {"Statement": [
            {"Action": "sqs:SendMessage", "Resource": DEAD_LETTERS_ARN},
            {"Action": "sqs:ReceiveMessage", "Resource": SOURCE_ARN}]}})},
        {"Rule": one("AWS::Events::Rule", {"Targets": [
            {"Arn": ARN, "DeadLetterConfig": {"Arn": DEAD_LETTERS_ARN}}]})},
        {"Rule": one("AWS::Events::Rule", {"Targets": [{"Arn": DEAD_LETTERS_ARN}]})},
        {"Other": one("AWS::Lambda::Function", {
            "DeadLetterConfig": {"TargetArn": DEAD_LETTERS_ARN}})},
        {"Subscription": one("AWS::SNS::Subscription", {
            "RedrivePolicy": {"deadLetterTargetArn": DEAD_LETTERS_ARN}})},
        {"Subscription": one("AWS::SNS::Subscription", {
            "Protocol": "sqs", "Endpoint": DEAD_LETTERS_ARN})},
        {"Config": one("AWS::Lambda::EventInvokeConfig", {"DestinationConfig": {
            "OnSuccess": {"Destination": DEAD_LETTERS_ARN}}})},
        {"Named": one("AWS::SNS::Topic", {"DisplayName": "New DeadLetters today"})},
    ],
)  # fmt: skip
def test_takes_a_sender_for_no_watcher(other: Resources) -> None:
    """Who may send does not look."""
    first = redriven(VisibilityTimeout=18)
    assert "unwatched" in kinds(mapping(SOURCE_ARN), first, queue("DeadLetters"), other)


# Both.

DURABLE = function(DurableConfig={"ExecutionTimeout": 10, "RetentionPeriodInDays": 7})


@pytest.mark.parametrize(
    ("called", "expected"),
    [
        (ARN, ["durable-unqualified"]),
        ({"Ref": "Function"}, ["durable-unqualified"]),
        ({"Ref": "Alias"}, []),
        ({"Fn::Sub": "${Function.Arn}:$LATEST"}, []),
        ({"Fn::Sub": "${Function}:live"}, []),
    ],
)
def test_finds_a_durable_function_that_is_read_for_without_a_qualifier(
    called: Any, expected: list[str]
) -> None:
    """Lambda rejects it as it rejects such an invocation."""
    for source in (to(BUCKET_ARN, function=called), {**SOUND, **mapping(SOURCE_ARN, called)}):
        assert kinds(ALIAS, DURABLE, source) == expected
        assert kinds(ALIAS, function(), source) == []


def test_finds_a_function_that_isolates_tenants_and_is_read_for() -> None:
    """A mapping names no tenant."""
    isolating = function(TenancyConfig={"TenantIsolationMode": "PER_TENANT"})
    for source in (to(BUCKET_ARN), SOUND):
        (finding,) = found(isolating, source)
        assert (finding.kind, finding.severity) == ("tenant-missing", "error")
        assert "for function Function without a tenant's id: it isolates" in finding.reason
    assert kinds(isolating, to(BUCKET_ARN, Enabled=False)) == ["disabled"]


def test_has_a_durable_function_read_for_through_an_alias() -> None:
    """The fix names the mapping; a disabled one is a note."""
    (finding,) = found(DURABLE, to(BUCKET_ARN))
    assert finding.severity == "error"
    assert "reads Kinesis stream Stream for function Function without a version" in finding.reason
    assert finding.fix == "function.add_alias('live').add_event_source(…), in place of function"
    assert finding.cloudformation_fix == (
        "AWS::Lambda::Alias, and its !Ref as the FunctionName of Mapping"
    )
    assert kinds(DURABLE, to(BUCKET_ARN, Enabled=False)) == ["disabled"]


@pytest.mark.parametrize(
    ("disabled", "expected"),
    [
        ({"Enabled": False}, ["disabled"]),
        ({"Enabled": "false"}, ["disabled"]),
        ({"Enabled": GIVEN}, ["endless-retries"]),
        ({"Enabled": {"Ref": "Default"}}, ["endless-retries"]),
        ({"Enabled": either(False, True)}, ["endless-retries"]),
    ],
)
def test_notes_a_disabled_mapping(disabled: dict[str, Any], expected: list[str]) -> None:
    """Enabling it should not come as a surprise."""
    sections = {"Parameters": {**PARAMETER["Parameters"], "Default": {"Default": "false"}}}
    assert kinds(stream(**disabled), **sections) == expected


def test_says_nothing_about_a_sound_mapping_that_is_disabled() -> None:
    """It loses nothing once it is enabled."""
    assert kinds(to(BUCKET_ARN, Enabled=False)) == []


@pytest.mark.parametrize(
    ("destination", "expected"),
    [
        (NO_VALUE, ["endless-retries"]),
        (either(BUCKET_ARN, NO_VALUE), ["unknown"]),
        (GIVEN, ["unknown"]),
    ],
)
def test_judges_a_destination_under_a_condition(destination: Any, expected: list[str]) -> None:
    """Only what is certain is an error."""
    config = {"DestinationConfig": {"OnFailure": {"Destination": destination}}}
    assert kinds(stream(**config), **PARAMETER) == expected
    assert kinds(stream(DestinationConfig=either(config, NO_VALUE)), **PARAMETER) != []


def test_names_the_qualifier() -> None:
    """A mapping may invoke an alias."""
    (finding,) = found(ALIAS, stream(function={"Ref": "Alias"}))
    assert (finding.function, finding.qualifier) == ("Function", "live")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("arn:aws:lambda:eu-west-1:111122223333:function:orders", "function:orders"),
        ("orders", "orders"),
        (GIVEN, "parameter Given"),
        ({"Fn::ImportValue": "orders"}, "export orders"),
        ({"Fn::Sub": "${Given}-orders"}, "parameter Given-orders"),
    ],
)
def test_judges_the_mapping_of_a_function_outside_the_template(name: Any, shown: str) -> None:
    """The mapping alone says whether failed batches are kept."""
    (finding,) = found(stream(function=name), **PARAMETER)
    assert finding.kind == "endless-retries"
    assert shown in finding.reason
    assert find_uncovered_functions(template(SOURCES, stream(function=name), **PARAMETER)) == []


def test_follows_references_between_stacks() -> None:
    """The queue and its dead-letter queue may be in another stack that is read with it."""
    outputs = {"Queue": {"Value": SOURCE_ARN, "Export": {"Name": "orders"}}}
    there = {"Resources": queue(VisibilityTimeout=18), "Outputs": outputs}
    here = template(mapping({"Fn::ImportValue": "orders"}))
    (finding,) = find_lost_events_in([Stack(here), Stack(there)])
    assert finding.kind == "no-redrive"


ACCEPTED = {"Metadata": {"failure-destinations": {"acknowledge": {"no-redrive": "only hints"}}}}


@pytest.mark.parametrize("id", ["Function", "Mapping", "Source"])
def test_accepts_an_acknowledged_finding(id: str) -> None:
    """On the function, the mapping or the queue."""
    checked = template(mapping(SOURCE_ARN), queue(VisibilityTimeout=18))
    checked["Resources"][id] = {**checked["Resources"][id], **ACCEPTED}
    assert find_lost_events(checked) == []


def test_leaves_the_librarys_own_mappings_alone() -> None:
    """They read queues that hold what already failed."""
    own = function(Handler="runtime.replayer.handler")
    assert kinds(mapping(SOURCE_ARN), queue(), own) == []


def test_finds_uncovered_functions_without_mappings() -> None:
    """`find_uncovered_functions` is about asynchronous functions only."""
    assert find_uncovered_functions(template(SOURCES, stream())) == []


@pytest.mark.parametrize(
    ("one", "other"), [(stream(), to(QUEUE_ARN)), (stream(), stream(TABLE_ARN))]
)
def test_reports_each_mapping_of_a_function(one: Resources, other: Resources) -> None:
    """A baseline that accepts one does not accept the next."""
    findings = found({"First": one["Mapping"], "Second": other["Mapping"]})
    assert [finding.logical_id for finding in findings] == ["First", "Second"]
    assert len({finding.fingerprint for finding in findings}) == 2


@pytest.mark.parametrize("odd", [1, None, True, "text", [1], {1: 2}, [], {}, {"Ref": 1}])
def test_reads_odd_values_without_failing(odd: Any) -> None:
    """Whatever is not a mapping or queue is ignored, or not known; nothing raises."""
    names = ("FunctionName", "EventSourceArn", "DestinationConfig", "MaximumRetryAttempts",
             "Enabled", "StartingPosition", "SelfManagedEventSource", "Topics")  # fmt: skip
    resources: Any = {
        **{f"M{name}": stream(**{name: odd})["Mapping"] for name in names},
        "MDestination": to(odd)["Mapping"],
        "Mapping": mapping(SOURCE_ARN)["Mapping"],
        **redriven(odd, VisibilityTimeout=odd, MessageRetentionPeriod=odd, QueueName=odd),
        **queue("Dead", RedriveAllowPolicy=odd, RedrivePolicy=odd, QueueName=odd),
        "MDead": mapping({"Fn::GetAtt": ["Dead", "Arn"]})["Mapping"],
        **function(Timeout=odd, Handler=odd),
        "Alarm": one("AWS::CloudWatch::Alarm", {"Dimensions": odd, "Metrics": odd}),
        "Policy": one("AWS::IAM::Policy", odd),
        "Odd": one(odd, {}),
    }
    found(resources, callers.rule(ARN), Outputs={"A": odd})


def test_uses_real_properties() -> None:
    """cfn-lint finds no error in these mappings and queues."""
    merged = {
        **SOURCES,
        **SOUND,
        **{f"M{i}": one["Mapping"] for i, one in enumerate((stream(), to(BUCKET_ARN), kafka()))},
    }
    matches = lint(json.dumps(template(merged)), config=ManualArgs(regions=["us-east-1"]))
    errors = [match for match in matches if match.rule.id.startswith("E")]
    assert [f"{match.rule.id} {match.path} {match.message}" for match in errors] == []
