"""Event source mappings that the CDK and AWS SAM generate, with the fixes in their words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import Acknowledgment, Validations
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs

from failure_destinations import (
    FailureChannel,
    FailureDestinationCheck,
    FailureMonitoring,
    FailureNotifier,
    FailureReplayer,
)
from failure_destinations.check import Finding, find_lost_events_in, render
from failure_destinations.check.assembly import read_assembly
from failure_destinations.check.paths import Checked

from ..conftest import define_handler
from . import callers

LATEST = lambda_.StartingPosition.LATEST
MSK = "arn:aws:kafka:eu-west-1:111122223333:cluster/orders/1a2b"


def define_sources(app: cdk.App) -> None:
    """Define functions that read streams and queues of another stack, kept and not."""
    data = cdk.Stack(app, "Data")
    stack = cdk.Stack(app, "Orders")
    stream = kinesis.Stream(data, "Stream")
    table = dynamodb.Table(
        data,
        "Table",
        partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING),
        stream=dynamodb.StreamViewType.NEW_IMAGE,
    )
    secret = secretsmanager.Secret(data, "Secret")
    bucket = s3.Bucket(stack, "Batches")
    queue = sqs.Queue(data, "Queue")
    dead_letters = sqs.Queue(data, "DeadLetters", retention_period=cdk.Duration.days(14))
    dead_letters.metric_approximate_number_of_messages_visible().create_alarm(
        data,
        "Alarm",
        evaluation_periods=1,
        threshold=0,
        comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
    )
    sound = sqs.Queue(
        data,
        "Sound",
        dead_letter_queue=sqs.DeadLetterQueue(queue=dead_letters, max_receive_count=5),
    )

    def reads(id: str, source: lambda_.IEventSource) -> None:
        define_handler(stack, id).add_event_source(source)

    reads("Stream", sources.KinesisEventSource(stream, starting_position=LATEST))
    reads("Table", sources.DynamoEventSource(table, starting_position=LATEST, retry_attempts=3))
    reads(
        "Managed",
        sources.ManagedKafkaEventSource(
            cluster_arn=MSK, topic="orders", starting_position=LATEST, secret=secret
        ),
    )
    reads(
        "Own",
        sources.SelfManagedKafkaEventSource(
            bootstrap_servers=["kafka.example.com:9092"],
            topic="orders",
            starting_position=LATEST,
            secret=secret,
        ),
    )
    reads("Queue", sources.SqsEventSource(queue))
    reads("SoundQueue", sources.SqsEventSource(sound))
    kept = sources.S3OnFailureDestination(bucket)
    reads(
        "Kept",
        sources.KinesisEventSource(
            stream, starting_position=LATEST, retry_attempts=3, on_failure=kept
        ),
    )
    alias = define_handler(stack, "Aliased").add_alias("live")
    alias.add_event_source(sources.KinesisEventSource(stream, starting_position=LATEST))


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Finding]:
    """The findings in the app, by function."""
    folder = tmp_path_factory.mktemp("app")
    app = cdk.App(outdir=str(folder))
    define_sources(app)
    app.synth()
    findings = find_lost_events_in(read_assembly(folder).stacks)
    by_function = {one.function: one for one in findings}
    assert len(by_function) == len(findings)
    return by_function


def test_finds_what_a_cdk_app_loses(found: dict[str, Finding]) -> None:
    """Each mapping once; what is kept is not reported."""
    assert {name: one.kind for name, one in found.items()} == {
        "Orders/Stream": "endless-retries",
        "Orders/Table": "stream-uncovered",
        "Orders/Managed": "endless-retries",
        "Orders/Own": "endless-retries",
        "Orders/Queue": "no-redrive",
        "Orders/Aliased": "endless-retries",
    }
    assert found["Orders/Aliased"].qualifier == "live"


def test_reports_at_the_mapping(found: dict[str, Finding]) -> None:
    """It is below the function, so an acknowledgement on the function applies."""
    path = found["Orders/Stream"].path
    assert path.startswith("Orders/Stream/KinesisEventSource:")
    assert found["Orders/Stream"].stack == "Orders"


def test_writes_fixes_in_the_words_of_the_cdk(found: dict[str, Finding]) -> None:
    """A stream gets the channel's destination, a queue its dead-letter queue."""
    assert found["Orders/Stream"].fix.startswith(
        "retry_attempts=3, on_failure=channel.event_source_destination where Orders/Stream/"
    )
    # In a template, it is the logical id that one finds.
    stream = found["Orders/Stream"]
    assert f" on {stream.logical_id}; and s3:PutObject" in stream.cloudformation_fix
    for name in ("Orders/Managed", "Orders/Own"):
        assert found[name].fix.startswith("on_failure=channel.event_source_destination where ")
        assert found[name].cloudformation_fix.startswith("DestinationConfig: ")
    assert found["Orders/Queue"].fix == (
        "channel.dead_letter_queue_for(queue), with channel = FailureChannel(…)"
    )


def validate(*acknowledged: str) -> str:
    """Synthesise an app with a queue that loses messages, and return what is reported."""
    app = cdk.App()
    Validations.of(app).add_plugins(FailureDestinationCheck())
    stack = cdk.Stack(app, "Orders")
    function = define_handler(stack, "Handler")
    function.add_event_source(sources.SqsEventSource(sqs.Queue(stack, "Queue")))
    for kind in acknowledged:
        Validations.of(function).acknowledge(
            Acknowledgment(id=f"failure-destinations::{kind}", reason="only hints")
        )
    try:
        app.synth()
    except RuntimeError as error:
        return str(error)
    return ""


def test_fails_the_synth() -> None:
    """A new error kind is an error of the plugin too; an acknowledgement accepts it."""
    assert validate() != ""
    assert validate("no-redrive") == ""


def of_sam(
    folder: Path, event: dict[str, Any], role: Any = None, timeout: Any = 3, **resources: Any
) -> list[Finding]:
    """Return the findings in a template of SAM with a function and one event."""
    function = {
        "Type": "AWS::Serverless::Function",
        "Properties": {
            "Runtime": "python3.13",
            "Handler": "index.handler",
            "CodeUri": "src/",
            "Timeout": timeout,
            "Events": {"Ordered": event},
            **({} if role is None else {"Role": role}),
        },
    }
    template = {
        "Transform": "AWS::Serverless-2016-10-31",
        "Resources": {"Orders": function, **resources},
    }
    path = folder / "template.json"
    path.write_text(json.dumps(template))
    checked = Checked()
    checked.add(path)
    assert checked.problems == []
    return find_lost_events_in(checked.stacks)


STREAM = {"Stream": {"Fn::GetAtt": ["Stream", "Arn"]}, "StartingPosition": "LATEST"}
KINESIS = {"Stream": {"Type": "AWS::Kinesis::Stream", "Properties": {"ShardCount": 1}}}
TOPICS = {"Topics": ["orders"]}
SECRET = {"Type": "BASIC_AUTH", "URI": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:a"}
SERVERS = {
    "KafkaBootstrapServers": ["kafka.example.com:9092"],
    "SourceAccessConfigurations": [SECRET],
}


@pytest.mark.parametrize(
    ("type", "properties"),
    [
        ("Kinesis", STREAM),
        ("DynamoDB", {"Stream": "arn:aws:dynamodb:eu-west-1:111122223333:table/a/stream/2026",
                      "StartingPosition": "LATEST"}),
        ("MSK", {"Stream": MSK, "StartingPosition": "LATEST", **TOPICS}),
        ("SelfManagedKafka", {**SERVERS, **TOPICS}),
    ],
)  # fmt: skip
def test_reads_the_streams_of_sam(tmp_path: Path, type: str, properties: dict[str, Any]) -> None:
    """SAM generates a mapping from the event, which the fix names."""
    (finding,) = of_sam(tmp_path, {"Type": type, "Properties": properties}, **KINESIS)
    assert finding.kind == "endless-retries"
    assert finding.reason.startswith("Event Ordered of Orders (AWS::Lambda::EventSourceMapping) ")
    kept = "DestinationConfig: {OnFailure: {Type: S3, Destination: !GetAtt Bucket.Arn}}"
    # Kafka takes no MaximumRetryAttempts without provisioned mode.
    limit = "MaximumRetryAttempts: 3 and " if type in ("Kinesis", "DynamoDB") else ""
    fix = f"{limit}{kept} on event Ordered of Orders"
    assert render.fixes(finding) == [("SAM", fix)]


@pytest.mark.parametrize("kind", ["S3", "SQS"])
def test_accepts_the_destination_of_sam(tmp_path: Path, kind: str) -> None:
    """SAM passes the destination on to the mapping."""
    kept = {"Fn::GetAtt": [kind, "Arn"]}
    config = {"DestinationConfig": {"OnFailure": {"Type": kind, "Destination": kept}}}
    found = of_sam(
        tmp_path,
        {"Type": "Kinesis", "Properties": {**STREAM, "MaximumRetryAttempts": 3, **config}},
        **KINESIS,
        S3={"Type": "AWS::S3::Bucket"},
        SQS={"Type": "AWS::SQS::Queue"},
    )
    assert [one.kind for one in found] == ([] if kind == "S3" else ["metadata-only"])


# With the name that SAM would give the role that it generates.
OWN_ROLE = {"OrdersRole": callers.role("lambda.amazonaws.com", policies=[])}
ROLE_ARN = {"Fn::GetAtt": ["OrdersRole", "Arn"]}
KEPT = (
    "DestinationConfig: {OnFailure: {Destination: !GetAtt Bucket.Arn}} on event Ordered of Orders"
)
MAY_KEEP = "; and s3:PutObject and s3:ListBucket for the role of Orders"


def to(id: str) -> dict[str, Any]:
    """Return the properties of a limited event with a failure destination."""
    config = {"OnFailure": {"Destination": {"Fn::GetAtt": [id, "Arn"]}}}
    return {"MaximumRetryAttempts": 3, "DestinationConfig": config}


@pytest.mark.parametrize(
    ("properties", "kind", "fix"),
    [
        ({}, "endless-retries", f"MaximumRetryAttempts: 3 and {KEPT}{MAY_KEEP}"),
        ({"MaximumRetryAttempts": 3}, "stream-uncovered", f"{KEPT}{MAY_KEEP}"),
        (to("Bucket"), "destination-permission",
         "s3:PutObject and s3:ListBucket for the role of Orders"),
        (to("Queue"), "destination-permission", "sqs:SendMessage for the role of Orders"),
        (to("Queue"), "metadata-only", f"{KEPT}{MAY_KEEP}: a bucket gets the records too"),
    ],
)  # fmt: skip
def test_names_the_permission_for_a_role_that_sam_does_not_generate(
    tmp_path: Path, properties: dict[str, Any], kind: str, fix: str
) -> None:
    """`Type` has SAM change its own role only."""
    event = {"Type": "Kinesis", "Properties": {**STREAM, **properties}}
    kept = {"Bucket": {"Type": "AWS::S3::Bucket"}, "Queue": {"Type": "AWS::SQS::Queue"}}
    found = of_sam(tmp_path, event, ROLE_ARN, **KINESIS, **OWN_ROLE, **kept)
    assert [render.fixes(one) for one in found if one.kind == kind] == [[("SAM", fix)]]


@pytest.mark.parametrize(("id", "type"), [("Bucket", "S3"), ("Queue", "SQS"), ("Topic", "SNS")])
def test_has_sam_let_its_own_role_send(tmp_path: Path, id: str, type: str) -> None:
    """Without `Type`, SAM lets nothing in."""
    properties = to(id)
    if id == "Topic":
        properties["DestinationConfig"] = {"OnFailure": {"Destination": {"Ref": id}}}
    kept = {
        "Bucket": {"Type": "AWS::S3::Bucket"},
        "Queue": {"Type": "AWS::SQS::Queue"},
        "Topic": {"Type": "AWS::SNS::Topic"},
    }
    event = {"Type": "Kinesis", "Properties": {**STREAM, **properties}}
    finding = of_sam(tmp_path, event, **KINESIS, **kept)[0]
    assert finding.kind == "destination-permission"
    beside = "beside the Destination of event Ordered of Orders"
    assert finding.fix == f"Type: {type} {beside}: SAM then lets the role send"
    properties["DestinationConfig"]["OnFailure"]["Type"] = type
    kinds = [one.kind for one in of_sam(tmp_path, event, **KINESIS, **kept)]
    assert "destination-permission" not in kinds


def test_reads_the_queue_that_sam_generates(tmp_path: Path) -> None:
    """Its properties cannot be set: the fix is a queue of one's own."""
    topic = {"Topic": {"Type": "AWS::SNS::Topic"}}
    event = {"Type": "SNS", "Properties": {"Topic": {"Ref": "Topic"}, "SqsSubscription": True}}
    (finding,) = of_sam(tmp_path, event, **topic)
    assert finding.kind == "no-redrive"
    assert "reads queue OrdersOrderedQueue for function Orders" in finding.reason
    ((tool, fix),) = render.fixes(finding)
    assert (tool, fix.startswith("SqsSubscription: ")) == ("SAM", True)
    assert "on event Ordered of Orders, with a Queue" in fix


def test_raises_the_visibility_of_the_queue_that_sam_generates_by_another(tmp_path: Path) -> None:
    """Nobody can edit that queue."""
    topic = {"Topic": {"Type": "AWS::SNS::Topic"}}
    event = {"Type": "SNS", "Properties": {"Topic": {"Ref": "Topic"}, "SqsSubscription": True}}
    found = of_sam(tmp_path, event, **topic, timeout=120)
    (fix,) = [render.fixes(one) for one in found if one.kind == "visibility-timeout"]
    own = "SqsSubscription: {QueueArn: !GetAtt Queue.Arn, QueueUrl: !Ref Queue}"
    expected = f"{own} on event Ordered of Orders, with a Queue that has VisibilityTimeout: 720"
    assert fix == [("SAM", expected)]


def test_reads_the_queues_of_sam(tmp_path: Path) -> None:
    """The fix is on the queue, which is CloudFormation's."""
    queue = {"Queue": {"Type": "AWS::SQS::Queue"}}
    event = {"Type": "SQS", "Properties": {"Queue": {"Fn::GetAtt": ["Queue", "Arn"]}}}
    (finding,) = of_sam(tmp_path, event, **queue)
    assert finding.kind == "no-redrive"
    ((tool, fix),) = render.fixes(finding)
    assert (tool, fix.endswith(" on Queue")) == ("template", True)


def test_finds_nothing_in_what_a_channel_keeps(tmp_path: Path) -> None:
    """The fixes that findings name, and the constructs that read the channel's own queues."""
    app = cdk.App(outdir=str(tmp_path))
    shared = cdk.Stack(app, "Shared")
    stack = cdk.Stack(app, "Orders")
    channel = FailureChannel(shared, "Failures")
    FailureMonitoring(shared, "Monitoring", channel=channel)
    FailureNotifier(shared, "Notifier", channel=channel, emails=["developer@example.com"])
    FailureReplayer(shared, "Replayer", channel=channel)
    stream = kinesis.Stream(stack, "Stream")
    define_handler(stack, "Stream1").add_event_source(
        sources.KinesisEventSource(
            stream,
            starting_position=LATEST,
            retry_attempts=3,
            on_failure=channel.event_source_destination,
        )
    )
    for fifo in (False, True):
        queue = sqs.Queue(shared, f"Queue{fifo}", fifo=fifo or None)
        channel.dead_letter_queue_for(queue)
        define_handler(stack, f"Queue{fifo}").add_event_source(sources.SqsEventSource(queue))
    app.synth()
    assert find_lost_events_in(read_assembly(tmp_path).stacks) == []
