"""Dead-letter queues that the sender may not send to, and topics that nobody subscribes to."""

from __future__ import annotations

import time
from typing import Any

import pytest

from failure_destinations.check import (
    Stack,
    UncoveredFunction,
    find_uncovered_functions,
    find_uncovered_functions_in,
)

from . import callers
from .callers import ARN, QUEUE_ARN, Resources, config, one, with_dead_letter

RULE = callers.rule(ARN, DeadLetterConfig={"Arn": QUEUE_ARN})
SUBSCRIPTION = callers.subscription(ARN, RedrivePolicy={"deadLetterTargetArn": QUEUE_ARN})
SENDERS = [(RULE, "events.amazonaws.com"), (SUBSCRIPTION, "sns.amazonaws.com")]
ENCRYPTED = {"Queue": one("AWS::SQS::Queue", {"KmsMasterKeyId": {"Ref": "Key"}})}
ROOT = {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}}
TO_TOPIC = config(destination={"Ref": "Topic"})
PARAMETER: dict[str, Any] = {"Parameters": {"Given": {"Type": "String"}}}


def template(*resources: Resources, without: str = "", **sections: Any) -> dict[str, Any]:
    """Return a template like `callers.template`, without one of its resources."""
    made = callers.template(*resources, **sections)
    made["Resources"].pop(without, None)
    return made


def policy(
    principal: Any,
    action: Any = "sqs:SendMessage",
    queue: Any = {"Ref": "Queue"},  # noqa: B006 - read only
    effect: Any = "Allow",
) -> Resources:
    """Return a queue policy of one statement, in place of the template's own."""
    statement = {"Effect": effect, "Principal": principal, "Action": action, "Resource": "*"}
    document = {"Version": "2012-10-17", "Statement": statement}
    properties = {"Queues": [queue], "PolicyDocument": document}
    return {"QueuePolicy": one("AWS::SQS::QueuePolicy", properties)}


def key(*principals: Any, action: Any = "kms:*") -> Resources:
    """Return a key whose policy allows its account, and these principals an action."""
    statements = [{"Effect": "Allow", "Principal": ROOT, "Action": "kms:*", "Resource": "*"}]
    for principal in principals:
        statements.append({**statements[0], "Principal": principal, "Action": action})
    return {"Key": one("AWS::KMS::Key", {"KeyPolicy": {"Statement": statements}})}


def found(template: dict[str, Any]) -> list[str]:
    """Return the kinds of the findings."""
    return [one.kind for one in find_uncovered_functions(template)]


def only(template: dict[str, Any]) -> UncoveredFunction:
    """Return the one finding."""
    (finding,) = find_uncovered_functions(template)
    return finding


# The policy of the queue.


@pytest.mark.parametrize(("caller", "sender"), SENDERS)
def test_finds_a_queue_without_policy(caller: Resources, sender: str) -> None:
    """EventBridge and SNS send in their own name, so the queue must let them."""
    finding = only(template(caller, config(), without="QueuePolicy"))
    assert (finding.kind, finding.severity, finding.invoked_by) == (
        "queue-policy",
        "warning",
        ("Caller",),
    )
    assert f"is Queue, but no queue policy lets {sender} send to it: " in finding.reason
    assert "Queues: [!Ref Queue], " in finding.cloudformation_fix
    assert f"Service: {sender}" in finding.cloudformation_fix


@pytest.mark.parametrize(
    "closed",
    [
        policy({"Service": "sqs.amazonaws.com"}),
        policy({"Service": "events.amazonaws.com"}, action="sqs:ReceiveMessage"),
        policy({"Service": "events.amazonaws.com"}, action="sqs:Receive*"),
        policy("*", effect="Deny"),
        policy(ROOT),
        policy({"AWS": {"Fn::GetAtt": ["Role", "Arn"]}}),
        {**policy("*", queue={"Ref": "Other"}), "Other": {"Type": "AWS::SQS::Queue"}},
    ],
)
def test_finds_a_policy_for_somebody_else(closed: Resources) -> None:
    """A policy for another service, action, role or queue does not let EventBridge send."""
    assert found(template(RULE, config(), closed)) == ["queue-policy"]


@pytest.mark.parametrize(
    "opened",
    [
        policy("*"),
        policy({"AWS": "*"}),
        policy({"Service": ["sns.amazonaws.com", "events.amazonaws.com"]}, action="SQS:*"),
        policy({"Service": {"Fn::Sub": "events.${AWS::URLSuffix}"}}, action=["sqs:Send*"]),
        policy({"Service": "events.amazonaws.com"}, action="*"),
        policy({"Service": "events.amazonaws.com"}, queue={"Fn::Sub": "${Queue}"}),
        policy({"Service": {"Fn::If": ["Is", "events.amazonaws.com", "s3.amazonaws.com"]}}),
        {"Inline": one("AWS::SQS::QueueInlinePolicy", {
            **policy("*")["QueuePolicy"]["Properties"], "Queue": {"Ref": "Queue"},
        })},
        # What is not known is not accused.
        policy({"Service": {"Ref": "Given"}}),
        policy({"Service": "events.amazonaws.com"}, action={"Ref": "Given"}),
        policy("*", queue={"Ref": "Given"}),
        policy("*", queue="https://sqs.eu-west-1.amazonaws.com/111122223333/queue"),
        policy("*", effect={"Ref": "Given"}),
        {"QueuePolicy": one("AWS::SQS::QueuePolicy", {
            "Queues": [{"Ref": "Queue"}], "PolicyDocument": {"Ref": "Given"},
        })},
        {"Own": one("Custom::QueuePolicy", {"Queue": {"Ref": "Queue"}})},
        {"Nested": one("AWS::CloudFormation::Stack", {"Parameters": {"Url": {"Ref": "Queue"}}})},
    ],
)  # fmt: skip
def test_accepts_a_policy_that_may_let_the_sender_in(opened: Resources) -> None:
    """Whoever may be let in is not reported."""
    checked = template(RULE, config(), without="QueuePolicy", **PARAMETER)
    checked["Resources"] |= opened
    assert "queue-policy" not in found(checked)


@pytest.mark.parametrize(
    "sections",
    [
        {"Outputs": {"Queue": {"Value": QUEUE_ARN, "Export": {"Name": "queue"}}}},
        {"Transform": "MyMacro"},
    ],
)
def test_does_not_accuse_what_others_may_change(sections: dict[str, Any]) -> None:
    """Another template may import the queue, and a macro may add anything."""
    checked = template(RULE, config(), without="QueuePolicy", **sections)
    assert "queue-policy" not in found(checked)


def test_needs_no_policy_for_a_schedule() -> None:
    """Scheduler sends in the name of a role."""
    schedule = callers.schedule(ARN, DeadLetterConfig={"Arn": QUEUE_ARN})
    assert found(template(schedule, config(), without="QueuePolicy")) == []


def test_does_not_judge_a_queue_outside_the_template() -> None:
    """Its policy is elsewhere."""
    arn = "arn:aws:sqs:eu-west-1:111122223333:failures"
    rule = callers.rule(ARN, DeadLetterConfig={"Arn": arn})
    assert found(template(rule, config(), without="QueuePolicy")) == []


# The key of the queue.


@pytest.mark.parametrize(("caller", "sender"), SENDERS)
def test_finds_a_key_that_the_sender_may_not_use(caller: Resources, sender: str) -> None:
    """The policy of a customer's key must let the service use it."""
    finding = only(template(caller, config(), ENCRYPTED, key()))
    assert (finding.kind, finding.severity) == ("queue-key", "warning")
    assert f"the policy of its key Key does not let {sender} use the key: " in finding.reason
    assert "in the KeyPolicy of Key: " in finding.cloudformation_fix
    assert sender in finding.fix


@pytest.mark.parametrize("alias", ["alias/aws/sqs", {"Fn::Sub": "alias/aws/sqs"}])
@pytest.mark.parametrize(("caller", "sender"), SENDERS)
def test_finds_the_key_of_aws(caller: Resources, sender: str, alias: Any) -> None:
    """Nobody can let a service use the key that AWS manages."""
    queue = {"Queue": one("AWS::SQS::Queue", {"KmsMasterKeyId": alias})}
    finding = only(template(caller, config(), queue))
    assert finding.kind == "queue-key"
    assert f"{sender} cannot use its key, alias/aws/sqs: " in finding.reason
    assert finding.cloudformation_fix.startswith("SqsManagedSseEnabled: true on Queue")


@pytest.mark.parametrize(
    "id",
    [
        {"Fn::GetAtt": ["Key", "Arn"]},
        {"Fn::Sub": "arn:aws:kms:eu-west-1:111122223333:key/${Key}"},
        {"Ref": "Alias"},
    ],
)
def test_follows_every_reference_to_a_key(id: Any) -> None:
    """A queue names its key by id, ARN or alias."""
    alias = one("AWS::KMS::Alias", {"AliasName": "alias/a", "TargetKeyId": {"Ref": "Key"}})
    queue = {"Queue": one("AWS::SQS::Queue", {"KmsMasterKeyId": id}), "Alias": alias}
    assert found(template(RULE, config(), queue, key())) == ["queue-key"]
    assert found(template(RULE, config(), queue, key({"Service": "events.amazonaws.com"}))) == []


@pytest.mark.parametrize(
    "opened",
    [
        key("*"),
        key({"Service": "events.amazonaws.com"}, action="kms:GenerateDataKey*"),
        key({"Service": "events.amazonaws.com"}, action=["kms:Decrypt", "kms:GenerateDataKey"]),
        key({"Service": {"Ref": "Given"}}),
        {"Key": one("AWS::KMS::Key", {"KeyPolicy": {"Ref": "Given"}})},
        {"Key": {"Type": "AWS::KMS::ReplicaKey", "Properties": {}}},
    ],
)
def test_accepts_a_key_that_the_sender_may_use(opened: Resources) -> None:
    """Whoever may use the key is not reported."""
    assert found(template(RULE, config(), ENCRYPTED, opened, **PARAMETER)) == []


def test_does_not_judge_a_key_that_is_a_parameter() -> None:
    """Whoever deploys the template may pass another key than the default."""
    given: dict[str, Any] = {"Parameters": {"Key": {"Type": "String", "Default": "alias/aws/sqs"}}}
    assert found(template(RULE, config(), ENCRYPTED, **given)) == []


def test_judges_many_queues_of_one_policy_in_linear_time() -> None:
    """A policy of many queues and statements is read once for each service."""
    count = 3_000
    statement = {"Effect": "Allow", "Principal": ROOT, "Action": "sqs:*", "Resource": "*"}
    queues = {f"Queue{i}": {"Type": "AWS::SQS::Queue"} for i in range(count)}
    rules = {
        f"Rule{i}": callers.rule(
            ARN, DeadLetterConfig={"Arn": {"Fn::GetAtt": [f"Queue{i}", "Arn"]}}
        )["Caller"]
        for i in range(count)
    }
    policy = {
        "QueuePolicy": one(
            "AWS::SQS::QueuePolicy",
            {
                "Queues": [{"Ref": id} for id in queues],
                "PolicyDocument": {"Statement": [statement] * count},
            },
        )
    }
    started = time.process_time()
    assert found(template(config(), queues, rules, policy)) == ["queue-policy"] * count
    assert time.process_time() - started < 10


def test_reads_the_default_policy_of_a_key() -> None:
    """Without a KeyPolicy, only the account may use a key."""
    bare = {"Key": {"Type": "AWS::KMS::Key"}}
    assert found(template(RULE, config(), ENCRYPTED, bare)) == ["queue-key"]


# The topic for failures.


def test_finds_a_topic_without_subscription() -> None:
    """Nobody gets what Lambda sends to it, unless somebody subscribed by hand."""
    finding = only(template(RULE, TO_TOPIC, without="QueueSubscription"))
    assert (finding.kind, finding.severity) == ("no-subscriber", "info")
    assert "go to topic Topic, but no template that was read subscribes to it" in finding.reason
    assert "TopicArn: !Ref Topic" in finding.cloudformation_fix


def test_finds_a_topic_without_subscription_beside_a_chat_channel() -> None:
    """A chat channel subscribes to the topics that it names, and to no others."""
    chat = {
        "Other": {"Type": "AWS::SNS::Topic"},
        "Chat": one(
            "AWS::Chatbot::SlackChannelConfiguration", {"SnsTopicArns": [{"Ref": "Other"}]}
        ),
    }
    checked = template(RULE, TO_TOPIC, chat, without="QueueSubscription")
    assert found(checked) == ["no-subscriber"]


def test_finds_a_dead_letter_topic_without_subscription() -> None:
    """A topic can be a function's dead-letter queue."""
    dead_letter = with_dead_letter({"Ref": "Topic"})
    assert found(template(RULE, dead_letter, without="QueueSubscription")) == ["no-subscriber"]


@pytest.mark.parametrize(
    "heard",
    [
        {"Topic": one("AWS::SNS::Topic", {"Subscription": [{"Protocol": "sqs", "Endpoint": "x"}]})},
        {"Other": one("AWS::SNS::Subscription", {"TopicArn": {"Ref": "Topic"}})},
        {"Other": one("AWS::SNS::Subscription", {"TopicArn": {"Ref": "Given"}})},
        {"Own": one("Custom::Subscription", {"Topic": {"Ref": "Topic"}})},
        *(
            {"Chat": one(f"AWS::Chatbot::{type}ChannelConfiguration", {"SnsTopicArns": topics})}
            for type in ("Slack", "MicrosoftTeams")
            for topics in ([{"Ref": "Topic"}], {"Ref": "Topic"}, [{"Ref": "Given"}])
        ),
        with_dead_letter(),
    ],
)
def test_accepts_a_topic_that_may_be_heard(heard: Resources) -> None:
    """A subscription of any kind, or a dead-letter queue beside the topic, keeps the failures."""
    checked = template(RULE, TO_TOPIC, heard, without="QueueSubscription", **PARAMETER)
    assert "no-subscriber" not in found(checked)


def test_finds_policies_and_subscriptions_in_other_stacks() -> None:
    """All stacks that are read together count."""
    exported = {
        name: {"Value": value, "Export": {"Name": name}}
        for name, value in (("url", {"Ref": "Queue"}), ("topic", {"Ref": "Topic"}))
    }
    here = template(RULE, TO_TOPIC, without="QueuePolicy", Outputs=exported)
    del here["Resources"]["QueueSubscription"]
    there = policy("*", queue={"Fn::ImportValue": "url"}) | {
        "Subscription": one(
            "AWS::SNS::Subscription", {"TopicArn": {"Fn::ImportValue": "topic"}, "Protocol": "sqs"}
        )
    }
    assert find_uncovered_functions_in([Stack(here), Stack({"Resources": there})]) == []


def test_judges_a_queue_of_another_stack() -> None:
    """A rule may use the queue of a stack that is read with it, whose policy is known."""
    queue = {"Queue": {"Type": "AWS::SQS::Queue"}}
    nested = template(
        callers.rule(ARN, DeadLetterConfig={"Arn": {"Ref": "Given"}}),
        config(),
        without="QueuePolicy",
        **PARAMETER,
    )
    properties = {"Parameters": {"Given": QUEUE_ARN}}
    outer = {"Resources": {**queue, "Nested": one("AWS::CloudFormation::Stack", properties)}}
    (finding,) = find_uncovered_functions_in([Stack(outer, nested={"Nested": Stack(nested)})])
    assert finding.kind == "queue-policy"


@pytest.mark.parametrize("odd", [1, None, True, "text", [1], {1: 2}, {"Statement": {1: 2}}])
def test_reads_odd_values_without_failing(odd: Any) -> None:
    """Whatever is not a policy, key or subscription is ignored or not allowed; nothing raises."""
    resources: Any = {
        **ENCRYPTED,
        "Key": one("AWS::KMS::Key", {"KeyPolicy": odd}),
        "QueuePolicy": one("AWS::SQS::QueuePolicy", {"Queues": odd, "PolicyDocument": odd}),
        "Open": one("AWS::SQS::QueuePolicy", {"Queues": {"Ref": "Queue"}, "PolicyDocument": odd}),
        "Other": one("AWS::SNS::Subscription", {"TopicArn": odd}),
        "Custom": one("Custom::Thing", odd),
    }
    checked = template(RULE, TO_TOPIC, resources, Outputs={"A": odd, 1: odd}, Transform=odd)
    checked["Resources"][1] = {"Type": "AWS::SQS::Queue"}
    assert set(found(checked)) <= {"queue-policy", "queue-key", "no-subscriber", "unknown"}
