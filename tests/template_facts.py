"""What a template must say so that a failure arrives: who may send where, and who is notified."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .templates import listed

Template = Mapping[str, Any]

# CDK writes GenerateDataKey with a star.
USE_KEY = ["kms:Decrypt", "kms:GenerateDataKey"]
SNS = "sns.amazonaws.com"
CLOUDWATCH = "cloudwatch.amazonaws.com"


def get(value: Any, *keys: str) -> Any:
    """Return a value within a value, or fail the check."""
    for key in keys:
        assert isinstance(value, Mapping), f"no {'.'.join(keys)}"
        assert key in value, f"no {'.'.join(keys)}"
        value = value[key]
    return value


def at(template: Template, id: str, *keys: str) -> Any:
    """Return a value within a resource, or fail the check."""
    return get(template, "Resources", id, *keys)


def of_type(template: Template, type: str) -> list[str]:
    """Return the logical ids of a type's resources."""
    return [id for id, r in template["Resources"].items() if r["Type"] == type]


def some(template: Template, type: str) -> list[str]:
    """Return the logical ids of a type's resources, of which there must be one."""
    found = of_type(template, type)
    assert found, f"no {type}"
    return found


def resource(template: Template, reference: Any) -> str:
    """Return the logical id that a reference leads to."""
    id = reference.get("Ref") or reference.get("Fn::GetAtt", [None])[0]
    assert id in template["Resources"], f"{reference} leads nowhere"
    return str(id)


def referred(template: Template, reference: Any, type: str) -> str:
    """Return the logical id that a reference leads to, which must be of a type."""
    id = resource(template, reference)
    assert at(template, id, "Type") == type
    return id


def arn(id: str) -> dict[str, Any]:
    """Return the reference to a resource's ARN."""
    return {"Fn::GetAtt": [id, "Arn"]}


def subscriptions_of(template: Template, topic: str) -> list[str]:
    """Return the logical ids of a topic's subscriptions, of which there must be one."""
    ids = []
    for id in some(template, "AWS::SNS::Subscription"):
        of_topic = referred(template, at(template, id, "Properties", "TopicArn"), "AWS::SNS::Topic")
        if of_topic == topic:
            ids.append(id)
    assert ids, f"nobody subscribes to {topic}"
    return ids


def mailboxes(template: Template, topic: str) -> set[str]:
    """Return the addresses that a topic sends to."""
    properties = [at(template, id, "Properties") for id in subscriptions_of(template, topic)]
    return {get(p, "Endpoint") for p in properties if get(p, "Protocol") == "email"}


def check_queue_subscribed(template: Template, topic: str) -> str:
    """Assert that one queue gets each record as Lambda wrote it; return the subscription."""
    queues = [
        id
        for id in subscriptions_of(template, topic)
        if at(template, id, "Properties", "Protocol") == "sqs"
    ]
    assert len(queues) == 1, f"{len(queues)} queues subscribe to {topic}"
    properties = at(template, queues[0], "Properties")
    assert get(properties, "RawMessageDelivery") is True
    queue = referred(template, get(properties, "Endpoint"), "AWS::SQS::Queue")
    policy = check_sns_may_send(template, topic, queue)
    # SNS does not retry what it may not deliver yet.
    assert policy in at(template, queues[0], "DependsOn"), f"{queues[0]} does not wait"
    return queues[0]


def check_sns_may_send(template: Template, topic: str, queue: str) -> str:
    """Assert that the policies of a queue and its key let the topic in; return the first."""
    policies = [
        id
        for id, s in resource_statements(template, "AWS::SQS::QueuePolicy", "Queues", queue)
        if allows(s, ["sqs:SendMessage"], arn(queue))
        and s.get("Principal") == {"Service": SNS}
        and s.get("Condition", {"ArnEquals": {"aws:SourceArn": {"Ref": topic}}})
        == {"ArnEquals": {"aws:SourceArn": {"Ref": topic}}}
    ]
    assert policies, f"{topic} may not send to {queue}"
    check_service_uses_key_of(template, SNS, queue)
    return policies[0]


def resource_statements(
    template: Template, type: str, member: str, id: str
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the statements about a queue, topic or bucket, each with its policy."""
    for policy in of_type(template, type):
        properties = at(template, policy, "Properties")
        if {"Ref": id} in get(properties, member):
            for statement in get(properties, "PolicyDocument", "Statement"):
                yield policy, statement


def allows(statement: Mapping[str, Any], actions: Iterable[str], resource: Any) -> bool:
    """Return whether a statement allows actions on a resource."""
    allowed = statement.get("Action", [])
    allowed = [allowed] if isinstance(allowed, str) else allowed
    return (
        statement.get("Effect") == "Allow"
        and set(actions) <= {a.replace("GenerateDataKey*", "GenerateDataKey") for a in allowed}
        and statement.get("Resource") == resource
    )


def condition_keys(statement: Mapping[str, Any]) -> set[str]:
    """Return the keys of a statement's conditions."""
    return {key for block in statement.get("Condition", {}).values() for key in block}


def check_assumed_by(template: Template, role: str, service: str) -> None:
    """Assert that a service may take a role."""
    statements = at(template, role, "Properties", "AssumeRolePolicyDocument", "Statement")
    assert any(
        s.get("Effect") == "Allow"
        and s.get("Action") == "sts:AssumeRole"
        and s.get("Principal") == {"Service": service}
        for s in statements
    ), f"{service} may not take {role}"


def check_role(template: Template, role: str, actions: list[str], resource: Any) -> str:
    """Assert that a role may do something; return the resource whose policy allows it."""
    policies = [
        (role, get(policy, "PolicyDocument", "Statement"))
        for policy in at(template, role, "Properties").get("Policies", [])
    ]
    for id in of_type(template, "AWS::IAM::Policy"):
        properties = at(template, id, "Properties")
        if {"Ref": role} in get(properties, "Roles"):
            policies.append((id, get(properties, "PolicyDocument", "Statement")))
    letting = [id for id, ss in policies if any(allows(s, actions, resource) for s in ss)]
    assert letting, f"{role} may not {actions} {resource}"
    return letting[0]


def key_of(template: Template, id: str) -> str | None:
    """Return the key of a queue or topic."""
    key = template["Resources"][id].get("Properties", {}).get("KmsMasterKeyId")
    return None if key is None else referred(template, key, "AWS::KMS::Key")


def check_role_uses_key_of(template: Template, role: str, id: str) -> None:
    """Assert that a role may send to what is encrypted, if it is."""
    if (key := key_of(template, id)) is not None:
        check_role(template, role, USE_KEY, arn(key))


def check_service_uses_key_of(template: Template, service: str, id: str) -> None:
    """Assert that a service may send to what is encrypted, if it is."""
    if (key := key_of(template, id)) is not None:
        statements = at(template, key, "Properties", "KeyPolicy", "Statement")
        assert any(
            allows(s, USE_KEY, "*") and service in listed(s.get("Principal", {}).get("Service"))
            for s in statements
        ), f"{service} may not use {key}"


def queue_dimension(id: str) -> dict[str, Any]:
    """Return the dimension of a queue's metrics."""
    return {"QueueName": {"Fn::GetAtt": [id, "QueueName"]}}


def check_notified_of_events_in(template: Template, queue: str) -> None:
    """Assert that people are notified of what is in a queue."""
    check_alarm(
        template,
        "AWS/SQS",
        "ApproximateNumberOfMessagesVisible",
        queue_dimension(queue),
        "Maximum",
    )


def check_alarm(
    template: Template, namespace: str, metric: str, dimensions: Mapping[str, Any], statistic: str
) -> Any:
    """Assert that an alarm notifies the mailboxes; return its properties."""
    alarms = []
    for id in of_type(template, "AWS::CloudWatch::Alarm"):
        alarm = at(template, id, "Properties")
        if (get(alarm, "Namespace"), get(alarm, "MetricName")) == (namespace, metric) and (
            _same_dimensions(template, get(alarm, "Dimensions"), dimensions)
        ):
            alarms.append(alarm)
    assert len(alarms) == 1, f"{len(alarms)} alarms on {metric} of {dimensions}"
    (alarm,) = alarms
    assert get(alarm, "ComparisonOperator") == "GreaterThanOrEqualToThreshold"
    assert get(alarm, "Statistic") == statistic
    assert get(alarm, "EvaluationPeriods") == 1
    assert get(alarm, "Period") in (60, 300)
    assert get(alarm, "Threshold") >= 1
    actions = get(alarm, "AlarmActions")
    assert actions, f"the alarm on {metric} notifies nobody"
    topic = referred(template, actions[0], "AWS::SNS::Topic")
    assert any(
        allows(s, ["sns:Publish"], {"Ref": topic}) and s.get("Principal") == {"Service": CLOUDWATCH}
        for _, s in resource_statements(template, "AWS::SNS::TopicPolicy", "Topics", topic)
    ), f"CloudWatch may not publish to {topic}"
    check_service_uses_key_of(template, CLOUDWATCH, topic)
    notified = mailboxes(template, topic)
    assert notified, f"{topic} notifies nobody"
    for other in some(template, "AWS::SNS::Topic"):
        assert mailboxes(template, other) == notified
    return alarm


def _same_dimensions(template: Template, given: Any, wanted: Mapping[str, Any]) -> bool:
    dimensions = {get(d, "Name"): get(d, "Value") for d in given}
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
        return at(template, alias, "Properties", "Name")
    return qualifier
