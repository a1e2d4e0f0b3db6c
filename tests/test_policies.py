"""Who may do what, in every policy that the library writes: the named service alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from operator import itemgetter
from typing import Any, NamedTuple

import aws_cdk as cdk
import pytest
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Template
from aws_cdk.aws_scheduler import ScheduleExpression

from failure_destinations import (
    FailureChannel,
    FailureMonitoring,
    FailureNotifiedFunction,
    FailureNotifier,
    FailureReplayer,
)

from .conftest import define_handler
from .templates import Resource, listed

EVERY_MINUTE = ScheduleExpression.rate(cdk.Duration.minutes(1))
ACCOUNT = {"Ref": "AWS::AccountId"}
DATA_KEYS = ["kms:Decrypt", "kms:GenerateDataKey*"]
# Constructs that users define themselves, with policies of their own.
GIVEN = "Given"

Statement = dict[str, Any]


class Written(NamedTuple):
    """A statement of a policy, and where it is written."""

    stack: str
    id: str
    type: str
    statement: Statement


def define_own(app: cdk.App) -> None:
    """A channel of its own, scheduled, with mailboxes, another subscriber and a success queue."""
    stack = cdk.Stack(app, "Own")
    notified = FailureNotifiedFunction(
        stack,
        "Notified",
        handler=define_handler(stack),
        schedule=EVERY_MINUTE,
        emails=["developer@example.com"],
        on_success=destinations.SqsDestination(sqs.Queue(stack, f"{GIVEN}Successes")),
    )
    notified.channel.add_subscription(subscriptions.UrlSubscription("https://example.com"))
    notified.channel.grant_consume_failures(_operator(stack))
    FailureMonitoring(stack, "Monitoring", channel=notified.channel)


def define_shared(app: cdk.App) -> None:
    """A shared channel: a function, an alias, an imported function and a function of a stack."""
    stack, other = cdk.Stack(app, "Shared"), cdk.Stack(app, "Functions")
    channel = FailureChannel(stack, "Channel")
    FailureMonitoring(stack, "Monitoring", channel=channel)
    FailureNotifiedFunction(
        stack, "Notified", handler=define_handler(stack), schedule=EVERY_MINUTE, channel=channel
    )
    alias = define_handler(stack, "Checkout").add_alias("live")
    FailureNotifiedFunction(
        stack, "NotifiedAlias", handler=alias, schedule=EVERY_MINUTE, channel=channel
    )
    channel.notify_failures_of(
        lambda_.Function.from_function_attributes(
            stack,
            "Imported",
            function_arn="arn:aws:lambda:eu-west-1:111122223333:function:imported",
            role=iam.Role.from_role_name(stack, "ImportedRole", "imported-role"),
            same_environment=True,
        )
    )
    channel.notify_failures_of(define_handler(other))
    FailureReplayer(stack, "Replayer", channel=channel)
    FailureNotifier(stack, "Notifier", channel=channel, emails=["developer@example.com"])


def define_encrypted(app: cdk.App) -> None:
    """Everything with a key."""
    stack = cdk.Stack(app, "Encrypted")
    channel = FailureChannel(
        stack,
        "Channel",
        encryption_key=kms.Key(stack, "Key", enable_key_rotation=True),
        emails=["developer@example.com"],
    )
    FailureNotifiedFunction(
        stack, "Notified", handler=define_handler(stack), schedule=EVERY_MINUTE, channel=channel
    )
    channel.grant_consume_failures(_operator(stack))
    FailureMonitoring(stack, "Monitoring", channel=channel)
    FailureReplayer(stack, "Replayer", channel=channel)
    FailureNotifier(stack, "Notifier", channel=channel, emails=["developer@example.com"])


def define_given(app: cdk.App) -> None:
    """A given topic and queue, encrypted, of this stack and of another, and an alarm topic."""
    stack, other = cdk.Stack(app, "Given"), cdk.Stack(app, "GivenElsewhere")
    key = kms.Key(stack, "Key")
    channel = FailureChannel(
        stack,
        "Channel",
        topic=sns.Topic(stack, f"{GIVEN}Topic", master_key=key),
        queue=sqs.Queue(stack, f"{GIVEN}Queue", encryption_master_key=key),
    )
    channel.notify_failures_of(define_handler(stack))
    FailureMonitoring(
        stack, "Monitoring", channel=channel, alarm_topic=sns.Topic(stack, f"{GIVEN}Alarms")
    )
    FailureChannel(stack, "Other", queue=sqs.Queue(other, f"{GIVEN}Queue"))


def define_streamed(app: cdk.App) -> None:
    """A stream of this stack and one of another, with a key."""
    stack, other = cdk.Stack(app, "Streamed"), cdk.Stack(app, "StreamedElsewhere")
    channel = FailureChannel(stack, "Channel", encryption_key=kms.Key(stack, "Key"))
    channel.grant_consume_failures(_operator(stack))
    for each in (stack, other):
        define_handler(each).add_event_source(
            sources.KinesisEventSource(
                kinesis.Stream(each, "Stream"),
                starting_position=lambda_.StartingPosition.LATEST,
                retry_attempts=3,
                on_failure=channel.event_source_destination,
            )
        )


def _operator(stack: cdk.Stack) -> iam.Role:
    return iam.Role(stack, "Operator", assumed_by=iam.AccountRootPrincipal())


@pytest.fixture(scope="module")
def stacks() -> dict[str, dict[str, Resource]]:
    """Synthesise every stack, once."""
    app = cdk.App()
    for define in (define_own, define_shared, define_encrypted, define_given, define_streamed):
        define(app)
    return {
        stack.stack_name: Template.from_stack(stack).to_json()["Resources"]
        for stack in app.node.children
        if isinstance(stack, cdk.Stack)
    }


@pytest.fixture(scope="module")
def statements(stacks: dict[str, dict[str, Resource]]) -> list[Written]:
    """Return every statement of every policy."""
    return [
        Written(stack, id, resource["Type"], statement)
        for stack, resources in stacks.items()
        for id, resource in resources.items()
        for document in _documents(resource.get("Properties", {}))
        for statement in document["Statement"]
    ]


def _documents(properties: Any) -> Iterator[Any]:
    """Find policies anywhere in a resource."""
    if isinstance(properties, dict):
        if "Statement" in properties:
            yield properties
        for value in properties.values():
            yield from _documents(value)
    elif isinstance(properties, list):
        for value in properties:
            yield from _documents(value)


def find(resources: dict[str, Resource], type: str, name: str) -> str:
    """Return the logical id of the one resource of a type whose id starts with a name."""
    (id,) = (
        id for id, resource in resources.items() if resource["Type"] == type and id.startswith(name)
    )
    return id


def granted(resources: dict[str, Resource], role: str) -> list[Statement]:
    """Return what a role may do by its own policies and by those attached to it."""
    properties = resources[role]["Properties"]
    documents = [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
    documents += [
        resource["Properties"]["PolicyDocument"]
        for resource in resources.values()
        if resource["Type"] == "AWS::IAM::Policy"
        and {"Ref": role} in resource["Properties"]["Roles"]
    ]
    return [statement for document in documents for statement in document["Statement"]]


def test_the_stacks_have_policies_of_each_kind(statements: list[Written]) -> None:
    """The stacks have policies of each kind, so the other tests test something."""
    assert {each.type for each in statements} == {
        "AWS::IAM::Policy",
        "AWS::IAM::Role",
        "AWS::KMS::Key",
        "AWS::S3::BucketPolicy",
        "AWS::SNS::TopicPolicy",
        "AWS::SQS::QueuePolicy",
    }
    assert len(statements) > 60


def test_allows_no_wildcard_action(statements: list[Written]) -> None:
    """Each allowed action is written out, except the one that SNS names with a wildcard."""
    found = {
        (each.stack, each.id, action)
        for each in statements
        # The user defines the key, and CDK lets the account's administrators do anything with it.
        if each.statement["Effect"] == "Allow"
        and not (each.type == "AWS::KMS::Key" and "AWS" in each.statement["Principal"])
        for action in listed(each.statement["Action"])
        if "*" in action and action != "kms:GenerateDataKey*"
    }
    assert found == set()


def test_allows_no_wildcard_resource(statements: list[Written]) -> None:
    """Each statement allows something on one resource, by its ARN, or on all failed batches."""
    found = {
        (each.stack, each.id, json.dumps(resource))
        for each in statements
        # In the policy of a key, "*" means that key: it can name nothing else.
        # https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-overview.html
        if each.statement["Effect"] == "Allow" and each.type != "AWS::KMS::Key"
        for resource in listed(each.statement.get("Resource", []))
        if "*" in json.dumps(resource).replace('"/aws/lambda/*"', "")
    }
    assert found == set()


def test_only_the_topic_may_send_to_a_queue(
    statements: list[Written], stacks: dict[str, dict[str, Resource]]
) -> None:
    """A queue takes messages from SNS alone, and for the channel's topic alone."""
    allowed = [
        each
        for each in statements
        if each.type == "AWS::SQS::QueuePolicy"
        and each.statement["Effect"] == "Allow"
        and each.statement["Principal"] != {"Service": "events.amazonaws.com"}
    ]
    for each in allowed:
        assert each.statement["Principal"] == {"Service": "sns.amazonaws.com"}
        assert each.statement["Action"] == "sqs:SendMessage"
        if each.stack == "GivenElsewhere":
            # To name the topic, the queue's stack would have to refer back to the topic's.
            assert each.statement["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
            continue
        source = each.statement["Condition"]["ArnEquals"]["aws:SourceArn"]["Ref"]
        assert each.statement["Condition"] == {"ArnEquals": {"aws:SourceArn": {"Ref": source}}}
        assert stacks[each.stack][source]["Type"] == "AWS::SNS::Topic"
        assert "Alarm" not in source
    # Queue and dead-letter queue of each of six channels.
    assert len(allowed) == 18


def test_only_the_rule_may_announce_batches(
    statements: list[Written], stacks: dict[str, dict[str, Resource]]
) -> None:
    """It sends to its queue, and what it cannot deliver to the channel's dead-letter queue."""
    allowed = [
        each
        for each in statements
        if each.type == "AWS::SQS::QueuePolicy"
        and each.statement.get("Principal") == {"Service": "events.amazonaws.com"}
    ]
    for each in allowed:
        assert each.statement["Action"] == "sqs:SendMessage"
        source = each.statement["Condition"]["ArnEquals"]["aws:SourceArn"]["Fn::GetAtt"][0]
        assert each.statement["Condition"] == {
            "ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": [source, "Arn"]}}
        }
        assert stacks[each.stack][source]["Type"] == "AWS::Events::Rule"
    assert {each.stack for each in allowed} == {"Streamed"}
    assert len(allowed) == 2


def test_nobody_may_send_to_the_copy_queue(stacks: dict[str, dict[str, Resource]]) -> None:
    """Functions send copies with their own roles, so the queue's policy allows nothing."""
    for resources in stacks.values():
        for id, resource in resources.items():
            if resource["Type"] == "AWS::SQS::QueuePolicy" and "CopyQueue" in id:
                (statement,) = resource["Properties"]["PolicyDocument"]["Statement"]
                assert statement["Effect"] == "Deny"


def test_only_cloudwatch_may_publish_alarms(statements: list[Written]) -> None:
    """An alarm topic takes messages from this account's alarms; no other topic does."""
    allowed = [
        each
        for each in statements
        if each.type == "AWS::SNS::TopicPolicy" and each.statement["Effect"] == "Allow"
    ]
    for each in allowed:
        assert "Alarm" in each.id
        assert each.statement["Action"] == "sns:Publish"
        assert each.statement["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
        condition = each.statement["Condition"]
        assert condition["StringEquals"] == {"aws:SourceAccount": ACCOUNT}
        assert condition["ArnLike"]["aws:SourceArn"]["Fn::Join"][1][-1] == ":alarm:*"
    assert {each.stack for each in allowed} == {"Own", "Shared", "Encrypted", "Given"}


def test_only_scheduler_for_this_account_starts_handlers(statements: list[Written]) -> None:
    """Only EventBridge Scheduler takes the role, for this account's default group."""
    trusts = [
        each.statement
        for each in statements
        if each.id.find("ScheduleRole") > 0 and each.statement["Action"] == "sts:AssumeRole"
    ]
    for trust in trusts:
        assert trust["Principal"] == {"Service": "scheduler.amazonaws.com"}
        condition = trust["Condition"]["StringEquals"]
        assert condition["aws:SourceAccount"] == ACCOUNT
        assert condition["aws:SourceArn"]["Fn::Join"][1][-1] == ":schedule-group/default"
    assert len(trusts) == 6


@pytest.mark.parametrize(
    ("type", "policy", "names"),
    [
        ("AWS::SQS::Queue", "AWS::SQS::QueuePolicy", "Queues"),
        ("AWS::SNS::Topic", "AWS::SNS::TopicPolicy", "Topics"),
        ("AWS::S3::Bucket", "AWS::S3::BucketPolicy", "Bucket"),
    ],
)
def test_refuses_connections_without_tls(
    stacks: dict[str, dict[str, Resource]], type: str, policy: str, names: str
) -> None:
    """Every queue, topic and bucket that the library defines denies access without TLS."""
    checked = 0
    for resources in stacks.values():
        denying = [
            target["Ref"]
            for resource in resources.values()
            if resource["Type"] == policy
            for target in listed(resource["Properties"][names])
            for statement in resource["Properties"]["PolicyDocument"]["Statement"]
            if statement["Effect"] == "Deny"
            and statement["Principal"] in ("*", {"AWS": "*"})
            and statement["Action"] in ("sqs:*", "sns:Publish", "s3:*")
            and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        ]
        for id, resource in resources.items():
            if resource["Type"] == type and not id.startswith(GIVEN):
                assert id in denying
                checked += 1
    assert checked > (0 if type == "AWS::S3::Bucket" else 5)


def test_key_lets_each_publishing_service_use_it(stacks: dict[str, dict[str, Resource]]) -> None:
    """SNS and EventBridge encrypt for queues, CloudWatch for a topic, for this account only."""
    resources = stacks["Encrypted"]
    policy = resources[find(resources, "AWS::KMS::Key", "Key")]["Properties"]["KeyPolicy"]
    of_services = [
        each | {"Principal": service}
        for each in policy["Statement"]
        for service in listed(each["Principal"].get("Service", []))
        if isinstance(service, str)
    ]
    assert sorted(of_services, key=itemgetter("Principal")) == [
        {
            "Action": DATA_KEYS,
            "Effect": "Allow",
            "Principal": f"{service}.amazonaws.com",
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
        }
        for service in ("cloudwatch", "events", "sns")
    ]


def test_handler_may_publish_encrypt_and_send_copies(
    stacks: dict[str, dict[str, Resource]],
) -> None:
    """With a key, the function's role gets one statement for each hop, and no other."""
    resources = stacks["Encrypted"]
    key = find(resources, "AWS::KMS::Key", "Key")
    copies = find(resources, "AWS::SQS::Queue", "ChannelCopyQueue")
    assert granted(resources, find(resources, "AWS::IAM::Role", "HandlerServiceRole")) == [
        {
            "Action": "sns:Publish",
            "Effect": "Allow",
            "Resource": {"Ref": find(resources, "AWS::SNS::Topic", "ChannelTopic")},
        },
        {"Action": DATA_KEYS, "Effect": "Allow", "Resource": {"Fn::GetAtt": [key, "Arn"]}},
        {
            "Action": "sqs:SendMessage",
            "Effect": "Allow",
            "Resource": {"Fn::GetAtt": [copies, "Arn"]},
        },
    ]


def test_schedule_may_start_encrypt_and_send_dead_letters(
    stacks: dict[str, dict[str, Resource]],
) -> None:
    """With a key, the schedule's role gets one statement for each hop, and no other."""
    resources = stacks["Encrypted"]
    role = find(resources, "AWS::IAM::Role", "NotifiedScheduleRole")
    targets = {
        "lambda:InvokeFunction": find(resources, "AWS::Lambda::Function", "Handler"),
        "sqs:SendMessage": find(resources, "AWS::SQS::Queue", "ChannelDeadLetterQueue"),
    }
    key = find(resources, "AWS::KMS::Key", "Key")
    assert granted(resources, role) == [
        *(
            {"Action": action, "Effect": "Allow", "Resource": {"Fn::GetAtt": [target, "Arn"]}}
            for action, target in targets.items()
        ),
        {
            "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
            "Effect": "Allow",
            "Resource": {"Fn::GetAtt": [key, "Arn"]},
        },
    ]


def test_operator_may_decrypt_what_it_may_read(stacks: dict[str, dict[str, Resource]]) -> None:
    """A role that may consume failures may decrypt with the key, and not encrypt."""
    resources = stacks["Encrypted"]
    statements = granted(resources, find(resources, "AWS::IAM::Role", "Operator"))
    actions = {action for each in statements for action in listed(each["Action"])}
    assert {action for action in actions if action.startswith("kms:")} == {"kms:Decrypt"}
    assert "sqs:SendMessage" not in actions


def test_key_encrypts_everything_that_holds_events(stacks: dict[str, dict[str, Resource]]) -> None:
    """Queues, topics, alarm topic and the replayer's log have the given key."""
    resources = stacks["Encrypted"]
    key = {"Fn::GetAtt": [find(resources, "AWS::KMS::Key", "Key"), "Arn"]}
    holders = [
        resource["Properties"]
        for resource in resources.values()
        if resource["Type"] in ("AWS::SQS::Queue", "AWS::SNS::Topic")
    ]
    assert [each["KmsMasterKeyId"] for each in holders] == [key] * 9
    log = resources[find(resources, "AWS::Logs::LogGroup", "Replayer")]
    assert log["Properties"]["KmsKeyId"] == key


def test_key_lets_cloudwatch_logs_use_it(stacks: dict[str, dict[str, Resource]]) -> None:
    """CloudWatch Logs may use the key for this account and Region, each action by its name."""
    resources = stacks["Encrypted"]
    policy = resources[find(resources, "AWS::KMS::Key", "Key")]["Properties"]["KeyPolicy"]
    (statement,) = (
        each for each in policy["Statement"] if "kms:DescribeKey" in listed(each["Action"])
    )
    assert statement["Principal"] == {
        "Service": {"Fn::Join": ["", ["logs.", {"Ref": "AWS::Region"}, ".amazonaws.com"]]}
    }
    assert list(statement["Condition"]) == ["ArnLike"]
    assert list(statement["Condition"]["ArnLike"]) == ["kms:EncryptionContext:aws:logs:arn"]


@pytest.mark.parametrize(("stack", "count"), [("Own", 3), ("Shared", 6)])
def test_without_a_key_sqs_encrypts(
    stacks: dict[str, dict[str, Resource]], stack: str, count: int
) -> None:
    """Queues are encrypted with keys that SQS manages, and nobody is granted a KMS key."""
    resources = stacks[stack]
    queues = [
        resource["Properties"]
        for id, resource in resources.items()
        if resource["Type"] == "AWS::SQS::Queue" and not id.startswith(GIVEN)
    ]
    assert [each["SqsManagedSseEnabled"] for each in queues] == [True] * count
    assert "kms:" not in json.dumps(resources)


def test_handler_may_encrypt_for_a_given_topic(stacks: dict[str, dict[str, Resource]]) -> None:
    """Publishers may use the key of a given topic, and SNS that of a given queue."""
    resources = stacks["Given"]
    key = find(resources, "AWS::KMS::Key", "Key")
    role = find(resources, "AWS::IAM::Role", "HandlerServiceRole")
    encrypting = {"Action": DATA_KEYS, "Effect": "Allow", "Resource": {"Fn::GetAtt": [key, "Arn"]}}
    assert encrypting in granted(resources, role)
    services = [
        each["Principal"]["Service"]
        for each in resources[key]["Properties"]["KeyPolicy"]["Statement"]
        if "Service" in each["Principal"]
    ]
    assert services == ["sns.amazonaws.com"]
