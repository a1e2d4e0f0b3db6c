"""What closes each way to lose an event, as conditions on a synthesised template.

`docs/losses.md` numbers the ways. A check asserts everything that closes one of them. It reads a
template alone, so that a test can remove each part of a template and see which check notices.
"""

from __future__ import annotations

import copy
import fnmatch
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from .templates import without_hash

Template = Mapping[str, Any]

TWO_WEEKS = 14 * 24 * 60 * 60
# CDK writes GenerateDataKey with a star.
USE_KEY = ["kms:Decrypt", "kms:GenerateDataKey"]
SNS = "sns.amazonaws.com"
CLOUDWATCH = "cloudwatch.amazonaws.com"


def check_ages(template: Template) -> None:
    """Row 2: people are notified before Lambda gives up events that it cannot run."""
    for function, qualifier in _called(template):
        dimensions = _handler_dimensions(function, qualifier)
        _check_alarm(template, "AWS/Lambda", "AsyncEventAge", dimensions, "Maximum")


def check_schedules(template: Template) -> None:
    """Row 4: what a schedule cannot start goes to a queue, and people are notified."""
    for id in _some(template, "AWS::Scheduler::Schedule"):
        target = _at(template, id, "Properties", "Target")
        queue = _referred(template, _get(target, "DeadLetterConfig", "Arn"), "AWS::SQS::Queue")
        role = _referred(template, _get(target, "RoleArn"), "AWS::IAM::Role")
        _check_assumed_by(template, role, "scheduler.amazonaws.com")
        called = _get(target, "Arn")
        assert _resource(template, called)
        _check_role(template, role, ["lambda:InvokeFunction"], called)
        _check_role(template, role, ["sqs:SendMessage"], _arn(queue))
        _check_role_uses_key_of(template, role, queue)
        _check_notified_of_events_in(template, queue)
        for metric in ("InvocationDroppedCount", "InvocationsFailedToBeSentToDeadLetterCount"):
            _check_alarm(template, "AWS/Scheduler", metric, {"ScheduleGroup": "default"}, "Sum")


def check_subscriptions(template: Template) -> None:
    """Row 5: what SNS cannot deliver goes to a queue, and people are notified."""
    for topic in _destinations(template):
        queue_subscription = _check_queue_subscribed(template, topic)
        for id in _subscriptions_of(template, topic):
            target = _at(template, id, "Properties", "RedrivePolicy", "deadLetterTargetArn")
            queue = _referred(template, target, "AWS::SQS::Queue")
            policy = _check_sns_may_send(template, topic, queue)
            _check_notified_of_events_in(template, queue)
            # The first failure must not come before SNS can deliver it.
            for config in _some(template, "AWS::Lambda::EventInvokeConfig"):
                waits = _at(template, config, "DependsOn")
                assert {queue_subscription, queue, policy} <= set(waits), f"{config} does not wait"
        dimensions = {"TopicName": {"Fn::GetAtt": [topic, "TopicName"]}}
        _check_alarm(template, "AWS/SNS", "NumberOfNotificationsFailed", dimensions, "Sum")


def check_destinations(template: Template) -> None:
    """Row 6: what Lambda cannot send to the topic is kept as a copy; people are notified."""
    for id in _some(template, "AWS::Lambda::EventInvokeConfig"):
        config = _at(template, id, "Properties")
        topic = _referred(template, _on_failure(config), "AWS::SNS::Topic")
        function = _referred(template, _get(config, "FunctionName"), "AWS::Lambda::Function")
        target = _at(template, function, "Properties", "DeadLetterConfig", "TargetArn")
        queue = _referred(template, target, "AWS::SQS::Queue")
        assert queue not in _subscribed_queues(template), "the second way ends where the first does"
        role = _referred(template, _at(template, function, "Properties", "Role"), "AWS::IAM::Role")
        _check_assumed_by(template, role, "lambda.amazonaws.com")
        _check_role(template, role, ["sns:Publish"], {"Ref": topic})
        _check_role_uses_key_of(template, role, topic)
        policy = _check_role(template, role, ["sqs:SendMessage"], _arn(queue))
        _check_role_uses_key_of(template, role, queue)
        # Lambda refuses a queue that the role may not send to yet.
        assert policy in _at(template, function, "DependsOn"), f"{function} does not wait"
        dimensions = _handler_dimensions(function, _get(config, "Qualifier"))
        for metric in ("DestinationDeliveryFailures", "DeadLetterErrors"):
            _check_alarm(template, "AWS/Lambda", metric, dimensions, "Sum")


def check_retention(template: Template) -> None:
    """Row 7: every queue keeps its events 14 days, and people are notified before that."""
    for id in _some(template, "AWS::SQS::Queue"):
        assert _at(template, id, "Properties", "MessageRetentionPeriod") == TWO_WEEKS, id
    for id in _subscribed_queues(template):
        alarm = _check_alarm(
            template, "AWS/SQS", "ApproximateAgeOfOldestMessage", _queue_dimension(id), "Maximum"
        )
        assert _get(alarm, "Threshold") == TWO_WEEKS * 0.8
        _check_notified_of_events_in(template, id)


def check_removal(template: Template) -> None:
    """Row 8: every queue outlives its stack and its replacement, and so does its key."""
    queues = _some(template, "AWS::SQS::Queue")
    keys = {key for queue in queues if (key := _key_of(template, queue)) is not None}
    for id in (*queues, *sorted(keys)):
        for policy in ("DeletionPolicy", "UpdateReplacePolicy"):
            assert _at(template, id, policy) == "Retain", f"{policy} of {id}"


def check_qualifiers(template: Template) -> None:
    """Row 9: whatever is called has its own configuration, which leads to a queue."""
    configs = {
        id: _at(template, id, "Properties")
        for id in _some(template, "AWS::Lambda::EventInvokeConfig")
    }
    configured = {
        str((_get(config, "FunctionName"), _get(config, "Qualifier"))): id
        for id, config in configs.items()
    }
    called = {str(({"Ref": function}, name)) for function, name in _called(template)}
    assert set(configured) == called, "what is called is not what is configured"
    for config in configs.values():
        assert _get(config, "MaximumRetryAttempts") in (0, 1, 2)
        _check_queue_subscribed(
            template, _referred(template, _on_failure(config), "AWS::SNS::Topic")
        )
    for id in _some(template, "AWS::Scheduler::Schedule"):
        # A run that fails before Lambda knows the destination would be lost.
        called_here = [
            _arn(_get(configs[other], "FunctionName")["Ref"])
            for other in _at(template, id, "DependsOn")
            if other in configs
        ]
        assert _at(template, id, "Properties", "Target", "Arn") in called_here, f"{id} is too early"


def check_access(template: Template) -> None:
    """Nobody else sends or listens: TLS, encryption, each service for its resource only."""
    for type, policy_type, member in (
        ("AWS::SQS::Queue", "AWS::SQS::QueuePolicy", "Queues"),
        ("AWS::SNS::Topic", "AWS::SNS::TopicPolicy", "Topics"),
    ):
        for id in _some(template, type):
            statements = list(_resource_statements(template, policy_type, member, id))
            assert any(
                s.get("Effect") == "Deny"
                and s.get("Action")
                and s.get("Principal") in ("*", {"AWS": "*"})
                and s.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
                and s.get("Resource") in (_arn(id), {"Ref": id})
                for _, s in statements
            ), f"{id} lets in what comes without TLS"
            for _, s in statements:
                if s.get("Effect") != "Deny" and type == "AWS::SNS::Topic":
                    assert _condition_keys(s) == {"aws:SourceAccount", "aws:SourceArn"}, id
                elif s.get("Effect") != "Deny":
                    assert _condition_keys(s) == {"aws:SourceArn"}, id
    keys = {_key_of(template, id) for id in _some(template, "AWS::SQS::Queue")}
    assert {_key_of(template, id) for id in _some(template, "AWS::SNS::Topic")} == keys
    for id in _some(template, "AWS::SQS::Queue"):
        managed = _at(template, id, "Properties").get("SqsManagedSseEnabled")
        assert managed or _key_of(template, id), f"{id} is not encrypted"
    for id in _of_type(template, "AWS::KMS::Key"):
        for s in _at(template, id, "Properties", "KeyPolicy", "Statement"):
            if "AWS" not in s.get("Principal", {}):
                assert _condition_keys(s) == {"aws:SourceAccount"}, id
    for id in _some(template, "AWS::Scheduler::Schedule"):
        role = _referred(
            template, _at(template, id, "Properties", "Target", "RoleArn"), "AWS::IAM::Role"
        )
        for s in _at(template, role, "Properties", "AssumeRolePolicyDocument", "Statement"):
            assert _condition_keys(s) == {"aws:SourceAccount", "aws:SourceArn"}, role


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
    "AWS::KMS::Key/Properties/KeyPolicy/Statement/Allow * for events.amazonaws.com*": (
        "for the user's own rules; tests/test_dead_letter_queue.py"
    ),
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


class Part(NamedTuple):
    """A part that can be removed from a template: a resource, or a value within one."""

    # Made of types and names, so that it stays the same when a hash changes.
    name: str
    path: tuple[str | int, ...]

    @property
    def label(self) -> str:
        """The name with the resource's logical id, for people."""
        return f"{self.path[0]} {self.name}"

    def matches(self, patterns: Iterable[str]) -> bool:
        """Return True if the name matches one of these patterns, as file names match."""
        return any(fnmatch.fnmatchcase(self.name, pattern) for pattern in patterns)


def parts_of(template: Template) -> Iterator[Part]:
    """Yield every resource, and every value within one that is not part of a reference."""
    for id, resource in template["Resources"].items():
        kind = _kind(id, resource)
        yield Part(kind, (id,))
        for key in ("Properties", "DependsOn", "DeletionPolicy", "UpdateReplacePolicy"):
            if key in resource:
                yield from _parts(template, f"{kind}/{key}", (id, key), resource[key])


def without(template: Template, part: Part) -> Template:
    """Return the template without a part; what does not change is shared with the original."""
    *way, last = part.path
    changed = {**template, "Resources": dict(template["Resources"])}
    here: Any = changed["Resources"]
    for key in way:
        here[key] = copy.copy(here[key])
        here = here[key]
    del here[last]
    return changed


def notices(check: Callable[[Template], None], template: Template) -> bool:
    """Return True if a check fails."""
    try:
        check(template)
    except AssertionError:
        return True
    return False


def _kind(id: str, resource: Mapping[str, Any]) -> str:
    """Return a resource's type, and what distinguishes it from others of the type."""
    type, properties = resource["Type"], resource.get("Properties", {})
    match type:
        case "AWS::CloudWatch::Alarm":
            queues = [
                f":{_queue_name(d['Value']['Fn::GetAtt'][0])}"
                for d in properties["Dimensions"]
                if d["Name"] == "QueueName"
            ]
            return f"{type}:{properties['MetricName']}{''.join(queues)}"
        case "AWS::IAM::Role":
            (statement,) = properties["AssumeRolePolicyDocument"]["Statement"]
            return f"{type}:{statement['Principal']['Service']}"
        case "AWS::SNS::Subscription":
            return f"{type}:{properties['Protocol']}"
        case "AWS::SQS::Queue":
            return f"{type}:{_queue_name(id)}"
    return str(type)


def _queue_name(id: str) -> str:
    return without_hash(id).removeprefix("Failures")


def _parts(
    template: Template, name: str, path: tuple[str | int, ...], value: Any
) -> Iterator[Part]:
    yield Part(name, path)
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _parts(template, f"{name}/{_item(template, item)}", (*path, index), item)
    elif isinstance(value, Mapping) and not _is_function(value):
        for key, inner in value.items():
            yield from _parts(template, f"{name}/{key}", (*path, key), inner)


def _item(template: Template, item: Any) -> str:
    """Return what an item of a list is called."""
    if isinstance(item, Mapping) and "Effect" in item:
        actions = item["Action"] if isinstance(item["Action"], list) else [item["Action"]]
        service = item.get("Principal", {})
        whose = f" for {service['Service']}" if "Service" in service and len(actions) > 1 else ""
        return f"{item['Effect']} {', '.join(actions)}{whose}"
    if isinstance(item, str) and item in template["Resources"]:
        return str(template["Resources"][item]["Type"])
    return "item"


def _is_function(value: Mapping[str, Any]) -> bool:
    return len(value) == 1 and next(iter(value)).startswith(("Ref", "Fn::"))


def _get(value: Any, *keys: str) -> Any:
    for key in keys:
        assert isinstance(value, Mapping), f"no {'.'.join(keys)}"
        assert key in value, f"no {'.'.join(keys)}"
        value = value[key]
    return value


def _at(template: Template, id: str, *keys: str) -> Any:
    return _get(template, "Resources", id, *keys)


def _of_type(template: Template, type: str) -> list[str]:
    return [id for id, r in template["Resources"].items() if r["Type"] == type]


def _some(template: Template, type: str) -> list[str]:
    found = _of_type(template, type)
    assert found, f"no {type}"
    return found


def _resource(template: Template, reference: Any) -> str:
    """Return the logical id that a reference leads to."""
    id = reference.get("Ref") or reference.get("Fn::GetAtt", [None])[0]
    assert id in template["Resources"], f"{reference} leads nowhere"
    return str(id)


def _referred(template: Template, reference: Any, type: str) -> str:
    id = _resource(template, reference)
    assert _at(template, id, "Type") == type
    return id


def _arn(id: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [id, "Arn"]}


def _called(template: Template) -> list[tuple[str, Any]]:
    """Return the function and qualifier of everything that can be called asynchronously."""
    called: list[tuple[str, Any]] = []
    named = set()
    for id in _of_type(template, "AWS::Lambda::Alias"):
        function = _referred(
            template, _at(template, id, "Properties", "FunctionName"), "AWS::Lambda::Function"
        )
        version = _at(template, id, "Properties", "FunctionVersion")
        named.add(_referred(template, version, "AWS::Lambda::Version"))
        _at(template, id, "Properties", "Name")
        name = {"Fn::Select": [7, {"Fn::Split": [":", {"Ref": id}]}]}
        called.append((function, name))
    for id in _of_type(template, "AWS::Lambda::Version"):
        function = _referred(
            template, _at(template, id, "Properties", "FunctionName"), "AWS::Lambda::Function"
        )
        if id not in named:
            called.append((function, {"Fn::GetAtt": [id, "Version"]}))
    qualified = {function for function, _ in called}
    called += [
        (id, "$LATEST") for id in _some(template, "AWS::Lambda::Function") if id not in qualified
    ]
    return called


def _on_failure(config: Any) -> Any:
    return _get(config, "DestinationConfig", "OnFailure", "Destination")


def _destinations(template: Template) -> set[str]:
    """Return the topics that Lambda sends failures to."""
    return {
        _referred(template, _on_failure(_at(template, id, "Properties")), "AWS::SNS::Topic")
        for id in _some(template, "AWS::Lambda::EventInvokeConfig")
    }


def _subscriptions_of(template: Template, topic: str) -> list[str]:
    ids = []
    for id in _some(template, "AWS::SNS::Subscription"):
        of_topic = _referred(
            template, _at(template, id, "Properties", "TopicArn"), "AWS::SNS::Topic"
        )
        if of_topic == topic:
            ids.append(id)
    assert ids, f"nobody subscribes to {topic}"
    return ids


def _subscribed_queues(template: Template) -> list[str]:
    ids = []
    for topic in sorted(_destinations(template)):
        subscription = _check_queue_subscribed(template, topic)
        endpoint = _at(template, subscription, "Properties", "Endpoint")
        ids.append(_referred(template, endpoint, "AWS::SQS::Queue"))
    return ids


def _mailboxes(template: Template, topic: str) -> set[str]:
    properties = [_at(template, id, "Properties") for id in _subscriptions_of(template, topic)]
    return {_get(p, "Endpoint") for p in properties if _get(p, "Protocol") == "email"}


def _check_queue_subscribed(template: Template, topic: str) -> str:
    """Assert that one queue gets each record as Lambda wrote it; return the subscription."""
    queues = [
        id
        for id in _subscriptions_of(template, topic)
        if _at(template, id, "Properties", "Protocol") == "sqs"
    ]
    assert len(queues) == 1, f"{len(queues)} queues subscribe to {topic}"
    properties = _at(template, queues[0], "Properties")
    assert _get(properties, "RawMessageDelivery") is True
    queue = _referred(template, _get(properties, "Endpoint"), "AWS::SQS::Queue")
    policy = _check_sns_may_send(template, topic, queue)
    # SNS does not retry what it may not deliver yet.
    assert policy in _at(template, queues[0], "DependsOn"), f"{queues[0]} does not wait"
    return queues[0]


def _check_sns_may_send(template: Template, topic: str, queue: str) -> str:
    """Assert that the policies of a queue and its key let the topic in; return the first."""
    policies = [
        id
        for id, s in _resource_statements(template, "AWS::SQS::QueuePolicy", "Queues", queue)
        if _allows(s, ["sqs:SendMessage"], _arn(queue))
        and s.get("Principal") == {"Service": SNS}
        and s.get("Condition", {"ArnEquals": {"aws:SourceArn": {"Ref": topic}}})
        == {"ArnEquals": {"aws:SourceArn": {"Ref": topic}}}
    ]
    assert policies, f"{topic} may not send to {queue}"
    _check_service_uses_key_of(template, SNS, queue)
    return policies[0]


def _resource_statements(
    template: Template, type: str, member: str, id: str
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for policy in _of_type(template, type):
        properties = _at(template, policy, "Properties")
        if {"Ref": id} in _get(properties, member):
            for statement in _get(properties, "PolicyDocument", "Statement"):
                yield policy, statement


def _allows(statement: Mapping[str, Any], actions: Iterable[str], resource: Any) -> bool:
    allowed = statement.get("Action", [])
    allowed = [allowed] if isinstance(allowed, str) else allowed
    return (
        statement.get("Effect") == "Allow"
        and set(actions) <= {a.replace("GenerateDataKey*", "GenerateDataKey") for a in allowed}
        and statement.get("Resource") == resource
    )


def _condition_keys(statement: Mapping[str, Any]) -> set[str]:
    return {key for block in statement.get("Condition", {}).values() for key in block}


def _check_assumed_by(template: Template, role: str, service: str) -> None:
    statements = _at(template, role, "Properties", "AssumeRolePolicyDocument", "Statement")
    assert any(
        s.get("Effect") == "Allow"
        and s.get("Action") == "sts:AssumeRole"
        and s.get("Principal") == {"Service": service}
        for s in statements
    ), f"{service} may not take {role}"


def _check_role(template: Template, role: str, actions: list[str], resource: Any) -> str:
    """Assert that a role may do something; return the resource whose policy allows it."""
    policies = [
        (role, _get(policy, "PolicyDocument", "Statement"))
        for policy in _at(template, role, "Properties").get("Policies", [])
    ]
    for id in _of_type(template, "AWS::IAM::Policy"):
        properties = _at(template, id, "Properties")
        if {"Ref": role} in _get(properties, "Roles"):
            policies.append((id, _get(properties, "PolicyDocument", "Statement")))
    letting = [id for id, ss in policies if any(_allows(s, actions, resource) for s in ss)]
    assert letting, f"{role} may not {actions} {resource}"
    return letting[0]


def _key_of(template: Template, id: str) -> str | None:
    """Return the key of a queue or topic."""
    key = template["Resources"][id].get("Properties", {}).get("KmsMasterKeyId")
    return None if key is None else _referred(template, key, "AWS::KMS::Key")


def _check_role_uses_key_of(template: Template, role: str, id: str) -> None:
    if (key := _key_of(template, id)) is not None:
        _check_role(template, role, USE_KEY, _arn(key))


def _check_service_uses_key_of(template: Template, service: str, id: str) -> None:
    if (key := _key_of(template, id)) is not None:
        statements = _at(template, key, "Properties", "KeyPolicy", "Statement")
        assert any(
            _allows(s, USE_KEY, "*") and s.get("Principal") == {"Service": service}
            for s in statements
        ), f"{service} may not use {key}"


def _queue_dimension(id: str) -> dict[str, Any]:
    return {"QueueName": {"Fn::GetAtt": [id, "QueueName"]}}


def _handler_dimensions(function: str, qualifier: Any) -> dict[str, Any]:
    dimensions: dict[str, Any] = {"FunctionName": {"Ref": function}}
    if qualifier == "$LATEST":
        return dimensions
    return {**dimensions, "Resource": qualifier}


def _check_notified_of_events_in(template: Template, queue: str) -> None:
    _check_alarm(
        template,
        "AWS/SQS",
        "ApproximateNumberOfMessagesVisible",
        _queue_dimension(queue),
        "Maximum",
    )


def _check_alarm(
    template: Template, namespace: str, metric: str, dimensions: Mapping[str, Any], statistic: str
) -> Any:
    """Assert that an alarm notifies the mailboxes; return its properties."""
    alarms = []
    for id in _of_type(template, "AWS::CloudWatch::Alarm"):
        alarm = _at(template, id, "Properties")
        if (_get(alarm, "Namespace"), _get(alarm, "MetricName")) == (namespace, metric) and (
            _same_dimensions(template, _get(alarm, "Dimensions"), dimensions)
        ):
            alarms.append(alarm)
    assert len(alarms) == 1, f"{len(alarms)} alarms on {metric} of {dimensions}"
    (alarm,) = alarms
    assert _get(alarm, "ComparisonOperator") == "GreaterThanOrEqualToThreshold"
    assert _get(alarm, "Statistic") == statistic
    assert _get(alarm, "EvaluationPeriods") == 1
    assert _get(alarm, "Period") in (60, 300)
    assert _get(alarm, "Threshold") >= 1
    actions = _get(alarm, "AlarmActions")
    assert actions, f"the alarm on {metric} notifies nobody"
    topic = _referred(template, actions[0], "AWS::SNS::Topic")
    assert any(
        _allows(s, ["sns:Publish"], {"Ref": topic})
        and s.get("Principal") == {"Service": CLOUDWATCH}
        for _, s in _resource_statements(template, "AWS::SNS::TopicPolicy", "Topics", topic)
    ), f"CloudWatch may not publish to {topic}"
    _check_service_uses_key_of(template, CLOUDWATCH, topic)
    notified = _mailboxes(template, topic)
    assert notified, f"{topic} notifies nobody"
    for destination in _destinations(template):
        assert _mailboxes(template, destination) == notified
    return alarm


def _same_dimensions(template: Template, given: Any, wanted: Mapping[str, Any]) -> bool:
    dimensions = {_get(d, "Name"): _get(d, "Value") for d in given}
    if "Resource" in wanted:
        # FunctionName:qualifier, with the alias's name written out.
        qualifier = _qualifier(template, wanted["Resource"])
        function = wanted["FunctionName"]
        written = [f":{qualifier}"] if isinstance(qualifier, str) else [":", qualifier]
        wanted = {**wanted, "Resource": {"Fn::Join": ["", [function, *written]]}}
    return dimensions == wanted


def _qualifier(template: Template, qualifier: Any) -> Any:
    if "Fn::Select" in qualifier:
        alias = qualifier["Fn::Select"][1]["Fn::Split"][1]["Ref"]
        return _at(template, alias, "Properties", "Name")
    return qualifier
