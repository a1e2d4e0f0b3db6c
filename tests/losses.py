"""What closes each way to lose an event, as conditions on a synthesised template.

`docs/losses.md` numbers the ways. A check asserts everything that closes one of them. It reads a
template alone, so that a test can remove each part of a template and see which check notices.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .template_facts import (
    Template,
    arn,
    at,
    check_alarm,
    check_assumed_by,
    check_notified_of_events_in,
    check_queue_subscribed,
    check_role,
    check_role_uses_key_of,
    check_sns_may_send,
    condition_keys,
    get,
    key_of,
    of_type,
    queue_dimension,
    referred,
    resource,
    resource_statements,
    some,
    subscriptions_of,
)

TWO_WEEKS = 14 * 24 * 60 * 60


def check_ages(template: Template) -> None:
    """Row 2: people are notified before Lambda gives up events that it cannot run."""
    for function, qualifier in _called(template):
        dimensions = _handler_dimensions(function, qualifier)
        check_alarm(template, "AWS/Lambda", "AsyncEventAge", dimensions, "Maximum")


def check_schedules(template: Template) -> None:
    """Row 4: what a schedule cannot start goes to a queue, and people are notified."""
    for id in some(template, "AWS::Scheduler::Schedule"):
        target = at(template, id, "Properties", "Target")
        queue = referred(template, get(target, "DeadLetterConfig", "Arn"), "AWS::SQS::Queue")
        role = referred(template, get(target, "RoleArn"), "AWS::IAM::Role")
        check_assumed_by(template, role, "scheduler.amazonaws.com")
        called = get(target, "Arn")
        assert resource(template, called)
        check_role(template, role, ["lambda:InvokeFunction"], called)
        check_role(template, role, ["sqs:SendMessage"], arn(queue))
        check_role_uses_key_of(template, role, queue)
        check_notified_of_events_in(template, queue)
        for metric in ("InvocationDroppedCount", "InvocationsFailedToBeSentToDeadLetterCount"):
            check_alarm(template, "AWS/Scheduler", metric, {"ScheduleGroup": "default"}, "Sum")


def check_subscriptions(template: Template) -> None:
    """Row 5: what SNS cannot deliver goes to a queue, and people are notified."""
    for topic in _destinations(template):
        queue_subscription = check_queue_subscribed(template, topic)
        for id in subscriptions_of(template, topic):
            target = at(template, id, "Properties", "RedrivePolicy", "deadLetterTargetArn")
            queue = referred(template, target, "AWS::SQS::Queue")
            policy = check_sns_may_send(template, topic, queue)
            check_notified_of_events_in(template, queue)
            # The first failure must not come before SNS can deliver it.
            for config in some(template, "AWS::Lambda::EventInvokeConfig"):
                waits = at(template, config, "DependsOn")
                assert {queue_subscription, queue, policy} <= set(waits), f"{config} does not wait"
        dimensions = {"TopicName": {"Fn::GetAtt": [topic, "TopicName"]}}
        check_alarm(template, "AWS/SNS", "NumberOfNotificationsFailed", dimensions, "Sum")


def check_destinations(template: Template) -> None:
    """Row 6: what Lambda cannot send to the topic is kept as a copy; people are notified."""
    for id in some(template, "AWS::Lambda::EventInvokeConfig"):
        config = at(template, id, "Properties")
        topic = referred(template, _on_failure(config), "AWS::SNS::Topic")
        function = referred(template, get(config, "FunctionName"), "AWS::Lambda::Function")
        target = at(template, function, "Properties", "DeadLetterConfig", "TargetArn")
        queue = referred(template, target, "AWS::SQS::Queue")
        assert queue not in _subscribed_queues(template), "the second way ends where the first does"
        role = referred(template, at(template, function, "Properties", "Role"), "AWS::IAM::Role")
        check_assumed_by(template, role, "lambda.amazonaws.com")
        check_role(template, role, ["sns:Publish"], {"Ref": topic})
        check_role_uses_key_of(template, role, topic)
        policy = check_role(template, role, ["sqs:SendMessage"], arn(queue))
        check_role_uses_key_of(template, role, queue)
        # Lambda refuses a queue that the role may not send to yet.
        assert policy in at(template, function, "DependsOn"), f"{function} does not wait"
        dimensions = _handler_dimensions(function, get(config, "Qualifier"))
        for metric in ("DestinationDeliveryFailures", "DeadLetterErrors"):
            check_alarm(template, "AWS/Lambda", metric, dimensions, "Sum")


def check_retention(template: Template) -> None:
    """Row 7: every queue keeps its events 14 days, and people are notified before that."""
    for id in some(template, "AWS::SQS::Queue"):
        assert at(template, id, "Properties", "MessageRetentionPeriod") == TWO_WEEKS, id
    for id in _subscribed_queues(template):
        alarm = check_alarm(
            template, "AWS/SQS", "ApproximateAgeOfOldestMessage", queue_dimension(id), "Maximum"
        )
        assert get(alarm, "Threshold") == TWO_WEEKS * 0.8
        check_notified_of_events_in(template, id)


def check_removal(template: Template) -> None:
    """Row 8: every queue outlives its stack and its replacement, and so does its key."""
    queues = some(template, "AWS::SQS::Queue")
    keys = {key for queue in queues if (key := key_of(template, queue)) is not None}
    for id in (*queues, *sorted(keys)):
        for policy in ("DeletionPolicy", "UpdateReplacePolicy"):
            assert at(template, id, policy) == "Retain", f"{policy} of {id}"


def check_qualifiers(template: Template) -> None:
    """Row 9: whatever is called has its own configuration, which leads to a queue."""
    configs = {
        id: at(template, id, "Properties")
        for id in some(template, "AWS::Lambda::EventInvokeConfig")
    }
    configured = {
        str((get(config, "FunctionName"), get(config, "Qualifier"))): id
        for id, config in configs.items()
    }
    called = {str(({"Ref": function}, name)) for function, name in _called(template)}
    assert set(configured) == called, "what is called is not what is configured"
    for config in configs.values():
        assert get(config, "MaximumRetryAttempts") in (0, 1, 2)
        check_queue_subscribed(template, referred(template, _on_failure(config), "AWS::SNS::Topic"))
    for id in some(template, "AWS::Scheduler::Schedule"):
        # A run that fails before Lambda knows the destination would be lost.
        called_here = [
            arn(get(configs[other], "FunctionName")["Ref"])
            for other in at(template, id, "DependsOn")
            if other in configs
        ]
        assert at(template, id, "Properties", "Target", "Arn") in called_here, f"{id} is too early"


def check_access(template: Template) -> None:
    """Nobody else sends or listens: TLS, encryption, each service for its resource only."""
    for type, policy_type, member in (
        ("AWS::SQS::Queue", "AWS::SQS::QueuePolicy", "Queues"),
        ("AWS::SNS::Topic", "AWS::SNS::TopicPolicy", "Topics"),
    ):
        for id in some(template, type):
            statements = list(resource_statements(template, policy_type, member, id))
            assert any(
                s.get("Effect") == "Deny"
                and s.get("Action")
                and s.get("Principal") in ("*", {"AWS": "*"})
                and s.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
                and s.get("Resource") in (arn(id), {"Ref": id})
                for _, s in statements
            ), f"{id} lets in what comes without TLS"
            for _, s in statements:
                if s.get("Effect") != "Deny" and type == "AWS::SNS::Topic":
                    assert condition_keys(s) == {"aws:SourceAccount", "aws:SourceArn"}, id
                elif s.get("Effect") != "Deny":
                    assert condition_keys(s) == {"aws:SourceArn"}, id
    keys = {key_of(template, id) for id in some(template, "AWS::SQS::Queue")}
    assert {key_of(template, id) for id in some(template, "AWS::SNS::Topic")} == keys
    for id in some(template, "AWS::SQS::Queue"):
        managed = at(template, id, "Properties").get("SqsManagedSseEnabled")
        assert managed or key_of(template, id), f"{id} is not encrypted"
    for id in of_type(template, "AWS::KMS::Key"):
        for s in at(template, id, "Properties", "KeyPolicy", "Statement"):
            if "AWS" not in s.get("Principal", {}):
                assert condition_keys(s) == {"aws:SourceAccount"}, id
    for id in some(template, "AWS::Scheduler::Schedule"):
        role = referred(
            template, at(template, id, "Properties", "Target", "RoleArn"), "AWS::IAM::Role"
        )
        for s in at(template, role, "Properties", "AssumeRolePolicyDocument", "Statement"):
            assert condition_keys(s) == {"aws:SourceAccount", "aws:SourceArn"}, role


CHECKS: Mapping[str, Callable[[Template], None]] = {
    "2": check_ages,
    "4": check_schedules,
    "5": check_subscriptions,
    "6": check_destinations,
    "7": check_retention,
    "8": check_removal,
    "9": check_qualifiers,
    "access": check_access,
}

# Names of the parts that close each row: its check must notice when one is removed.
CLOSED_BY = {
    "2": ["*Alarm:AsyncEventAge*"],
    "4": [
        "AWS::Scheduler::Schedule/Properties/Target/DeadLetterConfig*",
        "AWS::Scheduler::Schedule/Properties/Target/RoleArn",
        "AWS::IAM::Role:scheduler.amazonaws.com",
        "AWS::IAM::Role:scheduler.amazonaws.com/Properties/AssumeRolePolicyDocument",
        "AWS::IAM::Role:scheduler.amazonaws.com/*/Allow sts:AssumeRole/[AEP]*",
        "AWS::IAM::Role:scheduler.amazonaws.com/Properties/Policies*",
        "*Alarm:Invocation*",
        "*Alarm:ApproximateNumberOfMessagesVisible:DeadLetterQueue*",
        "AWS::SQS::Queue:DeadLetterQueue",
    ],
    "5": [
        "AWS::SNS::Subscription:sqs*",
        "*/RedrivePolicy*",
        "AWS::SQS::QueuePolicy*/Allow sqs:SendMessage",
        "AWS::SQS::QueuePolicy*/Allow sqs:SendMessage/[AEPR]*",
        "AWS::SQS::Queue:DeadLetterQueue",
        "AWS::KMS::Key*/Allow kms:Decrypt, kms:GenerateDataKey[*]*for sns.amazonaws.com",
        "AWS::Lambda::EventInvokeConfig/DependsOn/AWS::S*",
        "*Alarm:NumberOfNotificationsFailed*",
        "*Alarm:ApproximateNumberOfMessagesVisible:DeadLetterQueue*",
    ],
    "6": [
        "AWS::Lambda::Function/Properties/DeadLetterConfig*",
        "AWS::Lambda::Function/DependsOn*",
        "AWS::IAM::Policy*",
        "AWS::IAM::Role:lambda.amazonaws.com*",
        "AWS::SQS::Queue:CopyQueue",
        "*Alarm:DestinationDeliveryFailures*",
        "*Alarm:DeadLetterErrors*",
    ],
    "7": [
        "AWS::SQS::Queue:*/MessageRetentionPeriod",
        "AWS::SQS::Queue:Queue",
        "*Alarm:ApproximateAgeOfOldestMessage*",
        "*Alarm:ApproximateNumberOfMessagesVisible:Queue*",
    ],
    "8": ["AWS::SQS::Queue:*Policy", "AWS::KMS::Key/*ePolicy", "AWS::KMS::Key/DeletionPolicy"],
    "9": ["AWS::Lambda::EventInvokeConfig/Properties*", "AWS::Scheduler::Schedule/DependsOn*"],
    "access": ["*/Deny *", "*/Condition*", "*/SqsManagedSseEnabled", "*/KmsMasterKeyId"],
}

# Parts that close no row, and why.
INDIFFERENT = {
    "AWS::CloudWatch::Dashboard*": "it only shows",
    "AWS::CloudWatch::Alarm:*/AlarmDescription": "the alarm goes off without it",
    "AWS::CloudWatch::Alarm:*/TreatMissingData": "the alarm goes off without it",
    "AWS::IAM::Role:*/ManagedPolicyArns*": "lets the function write its log",
    "AWS::KMS::Key/Properties/KeyPolicy/Statement/Allow kms:[*]*": "the account manages the key",
    "AWS::KMS::Key*for events.amazonaws.com": "only rules of the user's send there",
    "AWS::KMS::Key*for events.amazonaws.com/[AEPR]*": "likewise",
    "AWS::Lambda::Function/Properties/Code*": "the user's",
    "AWS::Lambda::Function/Properties/Handler": "the user's",
    "AWS::Lambda::Function/Properties/Runtime": "the user's",
    "AWS::Scheduler::Schedule/Properties/FlexibleTimeWindow*": "when it starts",
    "AWS::Scheduler::Schedule/Properties/ScheduleExpression*": "when it starts",
    "AWS::Scheduler::Schedule/Properties/State": "whether it starts",
    "AWS::Scheduler::Schedule/Properties/Target/Input": "what it starts with",
    "AWS::Scheduler::Schedule/Properties/Target/RetryPolicy*": "as Scheduler does by itself",
    "*/DependsOn/AWS::IAM::Role": "the deployment fails otherwise, and nothing is lost",
    "AWS::Lambda::EventInvokeConfig/DependsOn/AWS::IAM::Policy": "likewise",
    "*/PolicyName": "likewise",
    "*/Sid": "a label",
    "*/Version": "a label",
}


def _called(template: Template) -> list[tuple[str, Any]]:
    """Return the function and qualifier of everything that can be called asynchronously."""
    called: list[tuple[str, Any]] = []
    named = set()
    for id in of_type(template, "AWS::Lambda::Alias"):
        function = referred(
            template, at(template, id, "Properties", "FunctionName"), "AWS::Lambda::Function"
        )
        version = at(template, id, "Properties", "FunctionVersion")
        named.add(referred(template, version, "AWS::Lambda::Version"))
        at(template, id, "Properties", "Name")
        name = {"Fn::Select": [7, {"Fn::Split": [":", {"Ref": id}]}]}
        called.append((function, name))
    for id in of_type(template, "AWS::Lambda::Version"):
        function = referred(
            template, at(template, id, "Properties", "FunctionName"), "AWS::Lambda::Function"
        )
        if id not in named:
            called.append((function, {"Fn::GetAtt": [id, "Version"]}))
    qualified = {function for function, _ in called}
    called += [
        (id, "$LATEST") for id in some(template, "AWS::Lambda::Function") if id not in qualified
    ]
    return called


def _on_failure(config: Any) -> Any:
    return get(config, "DestinationConfig", "OnFailure", "Destination")


def _destinations(template: Template) -> set[str]:
    """Return the topics that Lambda sends failures to."""
    return {
        referred(template, _on_failure(at(template, id, "Properties")), "AWS::SNS::Topic")
        for id in some(template, "AWS::Lambda::EventInvokeConfig")
    }


def _subscribed_queues(template: Template) -> list[str]:
    ids = []
    for topic in sorted(_destinations(template)):
        subscription = check_queue_subscribed(template, topic)
        endpoint = at(template, subscription, "Properties", "Endpoint")
        ids.append(referred(template, endpoint, "AWS::SQS::Queue"))
    return ids


def _handler_dimensions(function: str, qualifier: Any) -> dict[str, Any]:
    dimensions: dict[str, Any] = {"FunctionName": {"Ref": function}}
    if qualifier == "$LATEST":
        return dimensions
    return {**dimensions, "Resource": qualifier}
