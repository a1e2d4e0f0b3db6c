"""FailureChannel: its topic, queues and subscriptions, and who may use them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, cast

import aws_cdk as cdk
import jsii
import pytest
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Annotations, Match

from failure_destinations import FailureChannel, FailureMonitoring, FailureReplayer

from .conftest import define_handler
from .templates import (
    assert_does_not_warn,
    assert_warns,
    listed,
    logical_id,
    only,
    resources_of,
    template_of,
)

TWO_WEEKS = 14 * 24 * 60 * 60
QUEUES = ["queue", "dead_letter_queue", "copy_queue"]


def queue_policy(stack: cdk.Stack, queue: Any) -> list[dict[str, Any]]:
    """Return the statements of a queue's policy."""
    id = logical_id(stack, queue)
    (policy,) = (
        resource["Properties"]
        for resource in resources_of(stack, "AWS::SQS::QueuePolicy").values()
        if resource["Properties"]["Queues"] == [{"Ref": id}]
    )
    return list(policy["PolicyDocument"]["Statement"])


def get_arn(stack: cdk.Stack, construct: Any) -> dict[str, Any]:
    """Return the reference to a construct's ARN."""
    return {"Fn::GetAtt": [logical_id(stack, construct), "Arn"]}


@pytest.mark.parametrize("attribute", QUEUES)
def test_keeps_events_two_weeks(stack: cdk.Stack, attribute: str) -> None:
    """Every queue keeps an event for SQS's longest time, not for its default of 4 days."""
    channel = FailureChannel(stack, "Channel")
    queue = resources_of(stack)[logical_id(stack, getattr(channel, attribute))]
    assert queue["Properties"]["MessageRetentionPeriod"] == TWO_WEEKS


@pytest.mark.parametrize("attribute", QUEUES)
def test_encrypts_queues(stack: cdk.Stack, attribute: str) -> None:
    """Without a key, SQS encrypts with its own."""
    channel = FailureChannel(stack, "Channel")
    queue = resources_of(stack)[logical_id(stack, getattr(channel, attribute))]
    assert queue["Properties"]["SqsManagedSseEnabled"] is True


@pytest.mark.parametrize("attribute", QUEUES)
def test_keeps_queues_when_the_stack_is_deleted(stack: cdk.Stack, attribute: str) -> None:
    """Deleting or replacing a stack's queue keeps the events."""
    channel = FailureChannel(stack, "Channel")
    queue = resources_of(stack)[logical_id(stack, getattr(channel, attribute))]
    assert (queue["DeletionPolicy"], queue["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_deletes_queues_when_asked(stack: cdk.Stack) -> None:
    """The removal policy applies to every queue."""
    FailureChannel(stack, "Channel", removal_policy=cdk.RemovalPolicy.DESTROY)
    queues = resources_of(stack, "AWS::SQS::Queue").values()
    assert [queue["DeletionPolicy"] for queue in queues] == ["Delete"] * 3


def test_keeps_events_as_long_as_retention_says(stack: cdk.Stack) -> None:
    """The retention applies to every queue."""
    FailureChannel(stack, "Channel", retention=cdk.Duration.hours(1))
    queues = resources_of(stack, "AWS::SQS::Queue").values()
    assert [queue["Properties"]["MessageRetentionPeriod"] for queue in queues] == [3600] * 3


@pytest.mark.parametrize("attribute", QUEUES)
def test_refuses_connections_without_tls(stack: cdk.Stack, attribute: str) -> None:
    """A queue denies everything that does not come through TLS."""
    channel = FailureChannel(stack, "Channel")
    denials = [
        statement["Condition"]
        for statement in queue_policy(stack, getattr(channel, attribute))
        if statement["Effect"] == "Deny"
    ]
    assert denials == [{"Bool": {"aws:SecureTransport": "false"}}]


def test_refuses_publishing_without_tls(stack: cdk.Stack) -> None:
    """The topic denies publishing that does not come through TLS."""
    FailureChannel(stack, "Channel")
    _, policy = only(stack, "AWS::SNS::TopicPolicy")
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Condition"]) == (
        "Deny",
        {"Bool": {"aws:SecureTransport": "false"}},
    )


@pytest.mark.parametrize("attribute", ["queue", "dead_letter_queue"])
def test_lets_only_the_topic_send(stack: cdk.Stack, attribute: str) -> None:
    """Only SNS, and only for this topic, may send to a queue."""
    channel = FailureChannel(stack, "Channel", emails=["a@example.com", "b@example.com"])
    queue = getattr(channel, attribute)
    allowed = [s for s in queue_policy(stack, queue) if s["Effect"] == "Allow"]
    assert allowed == [
        {
            "Action": "sqs:SendMessage",
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Resource": get_arn(stack, queue),
            "Condition": {
                "ArnEquals": {"aws:SourceArn": {"Ref": logical_id(stack, channel.topic)}}
            },
        }
    ]


def test_delivers_records_raw(stack: cdk.Stack) -> None:
    """The queue gets each record as Lambda wrote it, without SNS's envelope."""
    channel = FailureChannel(stack, "Channel")
    _, subscription = only(stack, "AWS::SNS::Subscription")
    assert subscription == {
        "Endpoint": get_arn(stack, channel.queue),
        "Protocol": "sqs",
        "RawMessageDelivery": True,
        "RedrivePolicy": {"deadLetterTargetArn": get_arn(stack, channel.dead_letter_queue)},
        "TopicArn": {"Ref": logical_id(stack, channel.topic)},
    }


def test_notifies_every_address(stack: cdk.Stack) -> None:
    """Each address has a subscription, with the dead-letter queue behind it."""
    channel = FailureChannel(stack, "Channel", emails=["a@example.com"])
    channel.add_email("b@example.com")
    mailboxes = [
        resource["Properties"]
        for resource in resources_of(stack, "AWS::SNS::Subscription").values()
        if resource["Properties"]["Protocol"] == "email"
    ]
    assert mailboxes == [
        {
            "Endpoint": address,
            "Protocol": "email",
            "RedrivePolicy": {"deadLetterTargetArn": get_arn(stack, channel.dead_letter_queue)},
            "TopicArn": {"Ref": logical_id(stack, channel.topic)},
        }
        for address in ("a@example.com", "b@example.com")
    ]


def test_names_mailboxes_by_address_alone(app: cdk.App) -> None:
    """Order, case and when an address was added change no logical id."""
    one, other = cdk.Stack(app, "One"), cdk.Stack(app, "Other")
    FailureChannel(one, "Channel", emails=["a@example.com", "B@example.com"])
    FailureChannel(other, "Channel", emails=["b@example.com"]).add_email("a@example.com")
    assert set(resources_of(one)) == set(resources_of(other))


def test_accepts_addresses_known_at_deployment(stack: cdk.Stack) -> None:
    """A parameter's value can be an address, and more than one can."""
    on_call = cdk.CfnParameter(stack, "OnCall")
    boss = cdk.CfnParameter(stack, "Boss")
    FailureChannel(stack, "Channel", emails=[on_call.value_as_string, boss.value_as_string])
    endpoints = [
        resource["Properties"]["Endpoint"]
        for resource in resources_of(stack, "AWS::SNS::Subscription").values()
        if resource["Properties"]["Protocol"] == "email"
    ]
    assert endpoints == [{"Ref": "OnCall"}, {"Ref": "Boss"}]


def test_names_mailboxes_of_parameters_by_the_parameter() -> None:
    """The order of addresses known at deployment changes no logical id."""
    ids = []
    for names in (["OnCall", "Boss"], ["Boss", "OnCall"]):
        stack = cdk.Stack()
        parameters = {name: cdk.CfnParameter(stack, name) for name in ("OnCall", "Boss")}
        FailureChannel(stack, "Channel", emails=[parameters[n].value_as_string for n in names])
        ids.append(set(resources_of(stack, "AWS::SNS::Subscription")))
    assert ids[0] == ids[1]


def test_notifies_other_subscribers(stack: cdk.Stack) -> None:
    """Any CDK subscription can be added, at definition or later."""
    url = subscriptions.UrlSubscription("https://example.com/failures")
    channel = FailureChannel(stack, "Channel", subscriptions=[url])
    channel.add_subscription(subscriptions.LambdaSubscription(define_handler(stack, "Chat")))
    protocols = sorted(
        resource["Properties"]["Protocol"]
        for resource in resources_of(stack, "AWS::SNS::Subscription").values()
    )
    assert protocols == ["https", "lambda", "sqs"]


def test_keeps_what_other_subscribers_do_not_get(stack: cdk.Stack) -> None:
    """Every subscription has a dead-letter queue: its own, else the channel's."""
    own = sqs.Queue(stack, "Own")
    channel = FailureChannel(stack, "Channel", emails=["a@example.com"])
    channel.add_subscription(subscriptions.UrlSubscription("https://example.com/1"))
    channel.add_subscription(
        subscriptions.UrlSubscription("https://example.com/2", dead_letter_queue=own)
    )
    targets = {
        str(resource["Properties"]["Endpoint"]): resource["Properties"]["RedrivePolicy"]
        for resource in resources_of(stack, "AWS::SNS::Subscription").values()
    }
    channels = {"deadLetterTargetArn": get_arn(stack, channel.dead_letter_queue)}
    assert targets == {
        str(get_arn(stack, channel.queue)): channels,
        "a@example.com": channels,
        "https://example.com/1": channels,
        "https://example.com/2": {"deadLetterTargetArn": get_arn(stack, own)},
    }


def test_uses_a_given_topic(stack: cdk.Stack) -> None:
    """A given topic gets the subscriptions, and no other is defined."""
    topic = sns.Topic(stack, "Topic")
    channel = FailureChannel(stack, "Channel", topic=topic, emails=["a@example.com"])
    topics = {
        resource["Properties"]["TopicArn"]["Ref"]
        for resource in resources_of(stack, "AWS::SNS::Subscription").values()
    }
    assert channel.topic is topic
    assert topics == set(resources_of(stack, "AWS::SNS::Topic"))


def test_uses_a_given_queue(stack: cdk.Stack) -> None:
    """A given queue gets the records; the channel defines only the other two queues."""
    queue = sqs.Queue(stack, "Queue")
    channel = FailureChannel(stack, "Channel", queue=queue)
    _, subscription = only(stack, "AWS::SNS::Subscription")
    assert channel.queue is queue
    assert subscription["Endpoint"] == get_arn(stack, queue)
    assert subscription["RawMessageDelivery"] is True
    assert set(resources_of(stack, "AWS::SQS::Queue")) == {
        logical_id(stack, queue),
        logical_id(stack, channel.dead_letter_queue),
        logical_id(stack, channel.copy_queue),
    }


def test_uses_a_queue_of_another_stack(app: cdk.App, stack: cdk.Stack) -> None:
    """The channel's stack refers to the queue's stack, and not the other way round."""
    queues = cdk.Stack(app, "Queues")
    queue = sqs.Queue(queues, "Queue")
    FailureChannel(stack, "Channel", queue=queue).notify_failures_of(define_handler(stack))
    app.synth()
    assert queues.dependencies == []
    (statement,) = queue_policy(queues, queue)
    assert statement["Principal"] == {"Service": "sns.amazonaws.com"}
    assert statement["Condition"] == {
        "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    }


@pytest.mark.parametrize("where", ["parent", "child"])
def test_uses_a_queue_of_a_parent_or_nested_stack(stack: cdk.Stack, where: str) -> None:
    """A nested stack and its parent do not wait for each other."""
    nested = cdk.NestedStack(stack, "Nested")
    here, there = (nested, stack) if where == "parent" else (stack, nested)
    channel = FailureChannel(here, "Channel", queue=sqs.Queue(there, "Queue"))
    channel.notify_failures_of(define_handler(here))
    assert len(resources_of(here, "AWS::SNS::Subscription")) == 1
    assert resources_of(there, "AWS::SNS::Subscription") == {}


def test_lets_sns_use_the_key_of_a_given_queue(stack: cdk.Stack) -> None:
    """SNS may encrypt for a queue that has its own key."""
    key = kms.Key(stack, "Key")
    queue = sqs.Queue(stack, "Queue", encryption_master_key=key)
    FailureChannel(stack, "Channel", queue=queue)
    _, properties = only(stack, "AWS::KMS::Key")
    principals = [s["Principal"] for s in properties["KeyPolicy"]["Statement"]]
    assert {"Service": "sns.amazonaws.com"} in principals


def test_takes_addresses_in_any_order(app: cdk.App) -> None:
    """A set of addresses gives the same template in every run."""
    stacks = [cdk.Stack(app, "One"), cdk.Stack(app, "Other")]
    addresses = [f"{i}@example.com" for i in range(9)]
    for stack, emails in zip(stacks, [set(addresses), sorted(addresses)], strict=True):
        FailureChannel(stack, "Channel", emails=emails)  # type: ignore[arg-type]
    assert list(resources_of(stacks[0])) == list(resources_of(stacks[1]))


def test_warns_of_an_imported_queue(stack: cdk.Stack) -> None:
    """The library cannot change the policy of an imported queue, so a warning says so."""
    queue = sqs.Queue.from_queue_arn(stack, "Queue", "arn:aws:sqs:eu-west-1:111122223333:failures")
    FailureChannel(stack, "Channel", queue=queue)
    assert_warns(stack, "queue is imported")


def test_warns_of_nothing_by_default(stack: cdk.Stack) -> None:
    """A channel of its own resources gives no warning."""
    FailureChannel(stack, "Channel", encryption_key=kms.Key(stack, "Key"))
    assert_does_not_warn(stack)


def test_encrypts_with_a_key(stack: cdk.Stack) -> None:
    """A customer's key encrypts the topic and every queue."""
    key = kms.Key(stack, "Key")
    FailureChannel(stack, "Channel", encryption_key=key)
    encrypted = [
        resource["Properties"]["KmsMasterKeyId"]
        for resource in resources_of(stack).values()
        if resource["Type"] in ("AWS::SQS::Queue", "AWS::SNS::Topic")
    ]
    assert encrypted == [get_arn(stack, key)] * 4


@pytest.mark.parametrize("service", ["sns.amazonaws.com", "events.amazonaws.com"])
def test_lets_senders_use_the_key(stack: cdk.Stack, service: str) -> None:
    """SNS and EventBridge may encrypt for the queues, in this account only."""
    FailureChannel(stack, "Channel", encryption_key=kms.Key(stack, "Key"))
    _, key = only(stack, "AWS::KMS::Key")
    # A new CDK app merges statements that are otherwise alike.
    statements = [
        statement | {"Principal": service}
        for statement in key["KeyPolicy"]["Statement"]
        if service in listed(statement["Principal"].get("Service", []))
    ]
    assert statements == [
        {
            "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
            "Effect": "Allow",
            "Principal": service,
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}},
        }
    ]


def test_lets_a_handler_use_the_key(stack: cdk.Stack) -> None:
    """The handler's role may encrypt what it publishes, with this key only."""
    key = kms.Key(stack, "Key")
    channel = FailureChannel(stack, "Channel", encryption_key=key)
    channel.notify_failures_of(define_handler(stack))
    _, policy = only(stack, "AWS::IAM::Policy")
    assert policy["PolicyDocument"]["Statement"] == [
        {
            "Action": "sns:Publish",
            "Effect": "Allow",
            "Resource": {"Ref": logical_id(stack, channel.topic)},
        },
        {
            "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
            "Effect": "Allow",
            "Resource": get_arn(stack, key),
        },
        {
            "Action": "sqs:SendMessage",
            "Effect": "Allow",
            "Resource": get_arn(stack, channel.copy_queue),
        },
    ]


@pytest.mark.parametrize("restrict", [True, False])
def test_uses_a_key_of_another_stack(restrict: bool) -> None:
    """The channel's stack refers to the key's stack, never back, whatever the app's flags."""
    app = cdk.App(context={"@aws-cdk/aws-sns-subscriptions:restrictSqsDescryption": restrict})
    keys, stack = cdk.Stack(app, "Keys"), cdk.Stack(app, "Stack")
    channel = FailureChannel(stack, "Channel", encryption_key=kms.Key(keys, "Key"))
    channel.notify_failures_of(define_handler(stack))
    app.synth()
    assert keys.dependencies == []


def test_warns_of_an_imported_key(stack: cdk.Stack) -> None:
    """The library cannot change the policy of an imported key, so a warning says so."""
    key = kms.Key.from_key_arn(
        stack, "Key", "arn:aws:kms:eu-west-1:111122223333:key/12345678-1234-1234-1234-123456789012"
    )
    FailureChannel(stack, "Channel", encryption_key=key)
    assert_warns(stack, "encryption_key is imported")


def test_warns_of_an_imported_key_of_a_queue(stack: cdk.Stack) -> None:
    """The same goes for the key of a given queue."""
    key = kms.Key.from_key_arn(
        stack, "Key", "arn:aws:kms:eu-west-1:111122223333:key/12345678-1234-1234-1234-123456789012"
    )
    FailureChannel(stack, "Channel", queue=sqs.Queue(stack, "Queue", encryption_master_key=key))
    assert_warns(stack, "key of queue is imported")


def test_grants_consuming_failures(stack: cdk.Stack) -> None:
    """The grantee may read and delete in every queue, and nothing more."""
    channel = FailureChannel(stack, "Channel")
    operator = iam.Role(stack, "Operator", assumed_by=iam.AccountRootPrincipal())
    grant = channel.grant_consume_failures(operator)
    grant.assert_success()
    _, policy = only(stack, "AWS::IAM::Policy")
    actions = {
        "sqs:ReceiveMessage",
        "sqs:ChangeMessageVisibility",
        "sqs:GetQueueUrl",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
    }
    granted = [
        (str(resource), set(statement["Action"]))
        for statement in policy["PolicyDocument"]["Statement"]
        for resource in listed(statement["Resource"])
    ]
    queues = (channel.queue, channel.dead_letter_queue, channel.copy_queue)
    assert len(granted) == len(queues)
    assert dict(granted) == {str(get_arn(stack, queue)): actions for queue in queues}


def test_grants_consuming_failures_encrypted_with_a_key(stack: cdk.Stack) -> None:
    """The grantee may also decrypt."""
    key = kms.Key(stack, "Key")
    channel = FailureChannel(stack, "Channel", encryption_key=key)
    operator = iam.Role(stack, "Operator", assumed_by=iam.AccountRootPrincipal())
    channel.grant_consume_failures(operator)
    _, policy = only(stack, "AWS::IAM::Policy")
    decrypting = [
        s["Resource"] for s in policy["PolicyDocument"]["Statement"] if s["Action"] == "kms:Decrypt"
    ]
    assert decrypting == [get_arn(stack, key)]


def test_gives_no_resource_a_name(stack: cdk.Stack) -> None:
    """CloudFormation names every resource, so two stacks never collide."""
    FailureChannel(stack, "Channel", emails=["a@example.com"])
    names = {"TopicName", "QueueName", "Name", "RoleName"}
    assert [
        id
        for id, resource in template_of(stack)["Resources"].items()
        if names & set(resource.get("Properties", {}))
    ] == []


def silence_noted(stack: cdk.Stack) -> bool:
    """Return whether synth says that nobody is notified."""
    found = Annotations.from_stack(stack).find_info(
        "*", Match.string_like_regexp("notifies nobody")
    )
    return bool(found)


def test_notes_that_nobody_is_notified(stack: cdk.Stack, handler: lambda_.Function) -> None:
    """A channel that only keeps failed events says so at synth."""
    FailureChannel(stack, "Channel").notify_failures_of(handler)
    assert silence_noted(stack)


@pytest.mark.parametrize("who", ["emails", "add_email", "subscriptions", "topic", "monitoring"])
def test_notes_no_silence_where_somebody_is_notified(
    stack: cdk.Stack, handler: lambda_.Function, who: str
) -> None:
    """A mailbox, another subscriber, alarms, or a topic of the user's may notify somebody."""
    settings: dict[str, dict[str, Any]] = {
        "emails": {"emails": ["developer@example.com"]},
        "subscriptions": {"subscriptions": [subscriptions.UrlSubscription("https://example.com")]},
        "topic": {"topic": sns.Topic(stack, "Given")},
    }
    channel = FailureChannel(stack, "Channel", **settings.get(who, {}))
    channel.notify_failures_of(handler)
    if who == "add_email":
        channel.add_email("developer@example.com")
    if who == "monitoring":
        FailureMonitoring(stack, "Monitoring", channel=channel, alarm_topic=sns.Topic(stack, "T"))
    assert not silence_noted(stack)


def test_warns_of_what_is_defined_after_synth(stack: cdk.Stack, handler: lambda_.Function) -> None:
    """CDK ignores in silence what comes after app.synth(): each definition says so."""
    channel = FailureChannel(stack, "Channel")
    cast(cdk.App, stack.node.root).synth()
    late: tuple[tuple[Callable[[], object], str], ...] = (
        (lambda: FailureChannel(stack, "Late"), "Stack/Late"),
        (lambda: channel.notify_failures_of(handler), "Stack/Handler/EventInvokeConfig"),
        (lambda: FailureMonitoring(stack, "Monitoring", channel=channel), "Stack/Monitoring"),
        (lambda: FailureReplayer(stack, "Replayer", channel=channel), "Stack/Replayer"),
    )
    for define, name in late:
        with pytest.warns(UserWarning, match=f"^'{name}' is defined after app.synth") as warned:
            define()
        assert __file__ == warned[0].filename


def test_an_aspect_may_attach_during_synth(stack: cdk.Stack, handler: lambda_.Function) -> None:
    """What an aspect defines is part of the synthesis."""
    channel = FailureChannel(stack, "Channel", emails=["developer@example.com"])

    @jsii.implements(cdk.IAspect)
    class Attach:
        def visit(self, node: Any) -> None:
            if node.node.path == handler.node.path:
                channel.notify_failures_of(handler)

    cdk.Aspects.of(stack).add(cast(cdk.IAspect, Attach()))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert resources_of(stack, "AWS::Lambda::EventInvokeConfig")
