"""What closes each way to lose an event that a function reads from a stream or a queue.

As in `losses`, which has the rows of asynchronous events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .template_facts import (
    USE_KEY,
    Template,
    allows,
    arn,
    at,
    check_alarm,
    check_assumed_by,
    check_notified_of_events_in,
    check_queue_subscribed,
    check_role,
    check_role_uses_key_of,
    check_service_uses_key_of,
    condition_keys,
    get,
    key_of,
    of_type,
    queue_dimension,
    referred,
    resource_statements,
    some,
)

TWO_WEEKS = 14 * 24 * 60 * 60
EVENTS = "events.amazonaws.com"


def check_batches(template: Template) -> None:
    """Row 17: Lambda may write each batch that it gives up to a bucket that keeps it."""
    for mapping in stream_mappings(template):
        bucket = bucket_of(template, mapping)
        function, role = function_and_role(template, mapping)
        check_assumed_by(template, role, "lambda.amazonaws.com")
        policy = check_role(template, role, ["s3:PutObject"], batches_in(bucket))
        check_role(template, role, ["s3:ListBucket"], arn(bucket))
        if (key := bucket_key(template, bucket)) is not None:
            check_role(template, role, USE_KEY, arn(key))
        # Lambda refuses a destination that the role may not write to yet.
        assert policy in at(template, function, "DependsOn"), f"{function} does not wait"
        rules = at(template, bucket, "Properties", "LifecycleConfiguration", "Rules")
        days = _one(rule["ExpirationInDays"] for rule in rules if _expires(rule))
        assert days * 24 * 60 * 60 >= TWO_WEEKS
        _check_stays(template, bucket)


def check_announcements(template: Template) -> None:
    """Row 21: each object leads to a record in the channel's queue, or to a dead letter."""
    mappings = stream_mappings(template)
    for bucket in {bucket_of(template, mapping) for mapping in mappings}:
        notifications = at(template, bucket, "Properties", "NotificationConfiguration")
        assert get(notifications, "EventBridgeConfiguration", "EventBridgeEnabled") is True
        rule = _one(some(template, "AWS::Events::Rule"))
        assert at(template, rule, "Properties", "State") == "ENABLED"
        assert at(template, rule, "Properties", "EventPattern") == {
            "source": ["aws.s3"],
            "detail-type": ["Object Created"],
            "detail": {
                "bucket": {"name": [{"Ref": bucket}]},
                "object": {"key": [{"prefix": "aws/lambda/"}]},
            },
        }
        target = _one(at(template, rule, "Properties", "Targets"))
        queue = referred(template, get(target, "Arn"), "AWS::SQS::Queue")
        dead = referred(template, get(target, "DeadLetterConfig", "Arn"), "AWS::SQS::Queue")
        policies = {_check_rule_may_send(template, rule, each) for each in (queue, dead)}
        redrive = at(template, queue, "Properties", "RedrivePolicy")
        assert get(redrive, "deadLetterTargetArn") == arn(dead)
        assert get(redrive, "maxReceiveCount") >= 5
        for kept in (queue, dead):
            assert at(template, kept, "Properties", "MessageRetentionPeriod") == TWO_WEEKS
            _check_stays(template, kept)
        # Six times the forwarder's timeout.
        assert at(template, queue, "Properties", "VisibilityTimeout") >= 6 * 60
        check_notified_of_events_in(template, dead)
        check_alarm(
            template, "AWS/SQS", "ApproximateAgeOfOldestMessage", queue_dimension(queue), "Maximum"
        )
        check_alarm(
            template,
            "AWS/Events",
            "InvocationsFailedToBeSentToDlq",
            {"RuleName": {"Ref": rule}},
            "Sum",
        )
        forwarder, subscription = _check_forwarder(template, bucket, queue)
        for mapping in mappings:
            # The first batch must not come before it can be announced.
            waits = set(at(template, mapping, "DependsOn"))
            assert {*policies, rule, queue, forwarder, subscription} <= waits, mapping


def check_source_queues(template: Template) -> None:
    """Row 24: what a function cannot handle moves to a queue that keeps it, and people know."""
    forwarders = _forwarders(template)
    sources = [id for id in queue_mappings(template) if id not in forwarders]
    assert sources, "no function reads a queue"
    for mapping in sources:
        source = at(template, mapping, "Properties", "EventSourceArn")
        queue = referred(template, source, "AWS::SQS::Queue")
        _, role = function_and_role(template, mapping)
        check_assumed_by(template, role, "lambda.amazonaws.com")
        check_role(template, role, ["sqs:ReceiveMessage", "sqs:DeleteMessage"], arn(queue))
        redrive = at(template, queue, "Properties", "RedrivePolicy")
        assert get(redrive, "maxReceiveCount") >= 5
        dead = referred(template, get(redrive, "deadLetterTargetArn"), "AWS::SQS::Queue")
        assert at(template, dead, "Properties", "MessageRetentionPeriod") == TWO_WEEKS
        _check_stays(template, dead)
        check_notified_of_events_in(template, dead)
        for each in (queue, dead):
            dimensions = queue_dimension(each)
            check_alarm(template, "AWS/SQS", "ApproximateAgeOfOldestMessage", dimensions, "Maximum")


def check_sources(template: Template) -> None:
    """Row 18: people are notified before records expire in their source."""
    for mapping in stream_mappings(template):
        function, _ = function_and_role(template, mapping)
        dimensions = {"FunctionName": {"Ref": function}}
        check_alarm(template, "AWS/Lambda", "IteratorAge", dimensions, "Maximum")
        check_alarm(template, "AWS/Lambda", "DestinationDeliveryFailures", dimensions, "Sum")


def check_access(template: Template) -> None:
    """Nobody else writes or reads: TLS, encryption, no public, each service for its resource."""
    for bucket in some(template, "AWS::S3::Bucket"):
        properties = at(template, bucket, "Properties")
        rule = _one(get(properties, "BucketEncryption", "ServerSideEncryptionConfiguration"))
        assert get(rule, "ServerSideEncryptionByDefault", "SSEAlgorithm") in ("AES256", "aws:kms")
        assert get(properties, "PublicAccessBlockConfiguration") == {
            "BlockPublicAcls": True,
            "BlockPublicPolicy": True,
            "IgnorePublicAcls": True,
            "RestrictPublicBuckets": True,
        }
        owners = get(properties, "OwnershipControls", "Rules")
        assert [get(owner, "ObjectOwnership") for owner in owners] == ["BucketOwnerEnforced"]
        assert get(properties, "VersioningConfiguration", "Status") == "Enabled"
        policy = _one(some(template, "AWS::S3::BucketPolicy"))
        assert at(template, policy, "Properties", "Bucket") == {"Ref": bucket}
        statement = _one(at(template, policy, "Properties", "PolicyDocument", "Statement"))
        assert statement.get("Effect") == "Deny"
        assert statement.get("Action") == "s3:*"
        assert statement.get("Principal") in ("*", {"AWS": "*"})
        assert statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
        all_of = {"Fn::Join": ["", [arn(bucket), "/*"]]}
        assert statement.get("Resource") == [arn(bucket), all_of]
        assert bucket_key(template, bucket) == _channel_key(template)
    users = {_source(template, mapping) for mapping in queue_mappings(template)}
    users -= {_source(template, mapping) for mapping in _forwarders(template)}
    for queue in some(template, "AWS::SQS::Queue"):
        if queue in users:
            continue
        statements = [
            s for _, s in resource_statements(template, "AWS::SQS::QueuePolicy", "Queues", queue)
        ]
        assert any(
            s.get("Effect") == "Deny"
            and s.get("Action")
            and s.get("Principal") in ("*", {"AWS": "*"})
            and s.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
            and s.get("Resource") == arn(queue)
            for s in statements
        ), queue
        for s in statements:
            if s.get("Effect") != "Deny":
                assert condition_keys(s) == {"aws:SourceArn"}, queue
        managed = at(template, queue, "Properties").get("SqsManagedSseEnabled")
        assert managed or key_of(template, queue), f"{queue} is not encrypted"
    for key in of_type(template, "AWS::KMS::Key"):
        for s in at(template, key, "Properties", "KeyPolicy", "Statement"):
            if "AWS" not in s.get("Principal", {}):
                assert condition_keys(s) <= {
                    "aws:SourceAccount",
                    "kms:EncryptionContext:aws:logs:arn",
                }, key
                assert condition_keys(s), key


CHECKS: Mapping[str, Callable[[Template], None]] = {
    "17": check_batches,
    "21": check_announcements,
    "24": check_source_queues,
    "18": check_sources,
    "access": check_access,
}

# Names of the parts that close each row: its check must notice when one is removed.
CLOSED_BY: Mapping[str, list[str]] = {
    "17": [
        "AWS::IAM::Policy/*/Allow s3:PutObject*",
        "AWS::S3::Bucket/DeletionPolicy",
        "AWS::S3::Bucket/UpdateReplacePolicy",
        "AWS::S3::Bucket/Properties/LifecycleConfiguration/Rules/item/ExpirationInDays",
        "AWS::Lambda::EventSourceMapping/Properties/DestinationConfig*",
    ],
    "18": ["*Alarm:IteratorAge*", "*Alarm:DestinationDeliveryFailures*"],
    "21": [
        "AWS::S3::Bucket/Properties/NotificationConfiguration*",
        "AWS::Events::Rule",
        "AWS::Events::Rule/Properties/EventPattern*",
        "AWS::Events::Rule/Properties/State",
        "AWS::Events::Rule/Properties/Targets*",
        "AWS::SQS::Queue:EventSourceFailuresAnnouncements",
        "AWS::SQS::Queue:EventSourceFailuresAnnouncements/[DU]*Policy",
        "AWS::SQS::Queue:EventSourceFailuresAnnouncements/Properties/[MRV]*",
        "AWS::IAM::Policy/*/Allow s3:GetObject*",
        "AWS::IAM::Policy/*/Allow sns:Publish*",
        "AWS::Lambda::Function/Properties/Environment*",
        "AWS::Lambda::EventSourceMapping/Properties/FunctionResponseTypes*",
        "AWS::Lambda::EventSourceMapping/DependsOn/AWS::Events::Rule",
        "AWS::Lambda::EventSourceMapping/DependsOn/AWS::Lambda::EventSourceMapping",
        "AWS::Lambda::EventSourceMapping/DependsOn/AWS::SNS::Subscription",
        "*Alarm:InvocationsFailedToBeSentToDlq*",
        "*Alarm:ApproximateAgeOfOldestMessage:EventSourceFailuresAnnouncements*",
    ],
    "24": [
        "AWS::SQS::Queue:Orders/Properties/RedrivePolicy*",
        "AWS::SQS::Queue:SourceDeadLetters*/[DU]*Policy",
        "AWS::SQS::Queue:SourceDeadLetters*/MessageRetentionPeriod",
        "*Alarm:ApproximateNumberOfMessagesVisible:SourceDeadLetters*",
        "*Alarm:ApproximateAgeOfOldestMessage:SourceDeadLetters*",
        "*Alarm:ApproximateAgeOfOldestMessage:Orders*",
    ],
    "access": [
        "AWS::SQS::Queue:*/SqsManagedSseEnabled",
        "AWS::SQS::Queue:*/KmsMasterKeyId",
        "AWS::S3::BucketPolicy*",
        "AWS::S3::Bucket/Properties/BucketEncryption*",
        "AWS::S3::Bucket/Properties/PublicAccessBlockConfiguration*",
        "AWS::S3::Bucket/Properties/OwnershipControls*",
        "AWS::S3::Bucket/Properties/VersioningConfiguration*",
    ],
}

# Parts that close no row, and why.
INDIFFERENT: Mapping[str, str] = {
    "AWS::CloudWatch::Alarm:*/DependsOn*": "it waits as its mapping does",
    "AWS::CloudWatch::Alarm:*/AlarmDescription": "the alarm goes off without it",
    "AWS::CloudWatch::Alarm:*/TreatMissingData": "the alarm goes off without it",
    "AWS::DynamoDB::Table*": "the user's",
    "AWS::Events::Rule/Properties/Description": "a label",
    "AWS::Events::Rule/Properties/Targets/item/Id": "a label",
    "AWS::IAM::Policy/*/Allow dynamodb:*": "lets the mapping read",
    "AWS::IAM::Policy/*/Allow kinesis:*": "lets the mapping read",
    "AWS::IAM::Policy/*/Allow logs:*": "lets the function write its log",
    "AWS::IAM::Policy/*/Allow sqs:ReceiveMessage, sqs:Change*/Action/item": "CDK chooses",
    "AWS::IAM::Role:*/ManagedPolicyArns*": "lets the function write its log",
    "AWS::Kinesis::Stream*": "the user's",
    "AWS::Lambda::EventSourceMapping": "without the user's, nothing is read",
    "AWS::Lambda::EventSourceMapping/DependsOn/AWS::S3::BucketPolicy": "it only refuses",
    "AWS::Lambda::EventSourceMapping/DependsOn/AWS::SQS::*": "the rule and the topic need them too",
    "AWS::Lambda::EventSourceMapping/Properties/BatchSize": "how much is read at once",
    "AWS::Lambda::EventSourceMapping/Properties/EventSourceArn": "the user's",
    "AWS::Lambda::EventSourceMapping/Properties/MaximumRetryAttempts": "the user's",
    "AWS::Lambda::Function/DependsOn*": "the deployment fails otherwise, and nothing is lost",
    "AWS::Lambda::Function/Properties/[CDHLMRT]*": "what the function is",
    "AWS::Logs::LogGroup*": "the log",
    "AWS::S3::Bucket/*/AbortIncompleteMultipartUpload*": "what Lambda did not finish",
    "AWS::S3::Bucket/*/BucketKeyEnabled": "how often S3 asks for the key",
    "AWS::S3::Bucket/*/ExpiredObjectDeleteMarker": "what is left of a deleted object",
    "AWS::S3::Bucket/*/NoncurrentVersionExpiration*": "what was deleted stays longer",
    "AWS::S3::Bucket/Properties/LifecycleConfiguration/Rules/item": "each of them is above",
    "AWS::S3::Bucket/Properties/LifecycleConfiguration/Rules/item/Status": "likewise",
    "AWS::SQS::Queue:Orders": "the user's",
    "AWS::SQS::Queue:Orders/[DU]*Policy": "the user's",
    "*/PolicyName": "a label",
    "*/Version": "a label",
}


def batches_in(bucket: str) -> dict[str, Any]:
    """Return the reference to whatever Lambda writes to a bucket."""
    return {"Fn::Join": ["", [arn(bucket), "/aws/lambda/*"]]}


def stream_mappings(template: Template) -> list[str]:
    """Return the mappings that read a stream, of which there must be one."""
    found = [
        id
        for id in some(template, "AWS::Lambda::EventSourceMapping")
        if "StartingPosition" in at(template, id, "Properties")
    ]
    assert found, "no function reads a stream"
    return found


def queue_mappings(template: Template) -> list[str]:
    """Return the mappings that read a queue."""
    return [
        id
        for id in of_type(template, "AWS::Lambda::EventSourceMapping")
        if "StartingPosition" not in at(template, id, "Properties")
    ]


def bucket_of(template: Template, mapping: str) -> str:
    """Return the bucket that a mapping sends its failures to."""
    config = at(template, mapping, "Properties", "DestinationConfig")
    return referred(template, get(config, "OnFailure", "Destination"), "AWS::S3::Bucket")


def bucket_key(template: Template, bucket: str) -> str | None:
    """Return the key of a bucket, if it has one."""
    encryption = at(template, bucket, "Properties", "BucketEncryption")
    rule = _one(get(encryption, "ServerSideEncryptionConfiguration"))
    key = get(rule, "ServerSideEncryptionByDefault").get("KMSMasterKeyID")
    return None if key is None else referred(template, key, "AWS::KMS::Key")


def function_and_role(template: Template, mapping: str) -> tuple[str, str]:
    """Return the function that a mapping invokes, and that one's role."""
    name = at(template, mapping, "Properties", "FunctionName")
    function = referred(template, name, "AWS::Lambda::Function")
    role = at(template, function, "Properties", "Role")
    return function, referred(template, role, "AWS::IAM::Role")


def _one(values: Iterable[Any]) -> Any:
    """Return the only one of several values, or fail the check."""
    found = list(values)
    assert len(found) == 1, f"{len(found)} instead of one"
    return found[0]


def _check_stays(template: Template, id: str) -> None:
    """Assert that a resource outlives its stack and its replacement."""
    for removal in ("DeletionPolicy", "UpdateReplacePolicy"):
        assert at(template, id, removal) == "Retain", f"{removal} of {id}"


def _expires(rule: Mapping[str, Any]) -> bool:
    return "ExpirationInDays" in rule and rule.get("Status") == "Enabled"


def _channel_key(template: Template) -> str | None:
    """Return the key of the channel's topic, with which all of the channel is encrypted."""
    return next(
        filter(None, (key_of(template, id) for id in some(template, "AWS::SNS::Topic"))), None
    )


def _source(template: Template, mapping: str) -> str:
    source = at(template, mapping, "Properties", "EventSourceArn")
    return referred(template, source, "AWS::SQS::Queue")


def _forwarders(template: Template) -> set[str]:
    """Return the mappings of this library's own functions."""
    return {
        id
        for id in queue_mappings(template)
        if at(template, function_and_role(template, id)[0], "Properties")
        .get("Handler", "")
        .startswith("runtime.")
    }


def _check_rule_may_send(template: Template, rule: str, queue: str) -> str:
    """Assert that a rule may send to a queue, and return the policy that lets it."""
    policies = [
        id
        for id, s in resource_statements(template, "AWS::SQS::QueuePolicy", "Queues", queue)
        if allows(s, ["sqs:SendMessage"], arn(queue))
        and s.get("Principal") == {"Service": EVENTS}
        and s.get("Condition", {"ArnEquals": {"aws:SourceArn": arn(rule)}})
        == {"ArnEquals": {"aws:SourceArn": arn(rule)}}
    ]
    assert policies, f"{rule} may not send to {queue}"
    check_service_uses_key_of(template, EVENTS, queue)
    return policies[0]


def _check_forwarder(template: Template, bucket: str, queue: str) -> tuple[str, str]:
    """Assert that a function sends on what is announced.

    Returns:
        Its mapping, and the subscription of the channel's queue.
    """
    mapping = _one(id for id in _forwarders(template) if _source(template, id) == queue)
    types = at(template, mapping, "Properties", "FunctionResponseTypes")
    assert types == ["ReportBatchItemFailures"]
    function, role = function_and_role(template, mapping)
    check_assumed_by(template, role, "lambda.amazonaws.com")
    variables = at(template, function, "Properties", "Environment", "Variables")
    assert get(variables, "BUCKET") == {"Ref": bucket}
    topic = referred(template, get(variables, "TOPIC_ARN"), "AWS::SNS::Topic")
    kept = referred(template, get(variables, "QUEUE_URL"), "AWS::SQS::Queue")
    subscription = check_queue_subscribed(template, topic)
    receive = ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
    check_role(template, role, receive, arn(queue))
    check_role(template, role, ["s3:GetObject", "s3:GetObjectVersion"], batches_in(bucket))
    check_role(template, role, ["s3:ListBucket"], arn(bucket))
    check_role(template, role, ["sns:Publish"], {"Ref": topic})
    check_role(template, role, ["sqs:SendMessage"], arn(kept))
    check_role_uses_key_of(template, role, topic)
    # A record that arrives before the subscription would be lost.
    assert subscription in at(template, mapping, "DependsOn"), f"{mapping} does not wait"
    return mapping, subscription
