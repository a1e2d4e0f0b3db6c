"""`channel.event_source_destination` keeps the failed batches of streams, with their records."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Template

from failure_destinations import FailureChannel, FailureReplayer

from .conftest import define_handler
from .templates import (
    assert_does_not_warn,
    assert_warns,
    is_reference,
    listed,
    logical_id,
    resources_of,
    template_of,
    without_hash,
)

ESM = "AWS::Lambda::EventSourceMapping"
LATEST = lambda_.StartingPosition.LATEST
CLUSTER = (
    "arn:aws:kafka:eu-west-1:111122223333:cluster/orders/751d2973-a626-431c-9d4e-d7975eb44dd7-2"
)
STREAM = "arn:aws:kinesis:eu-west-1:111122223333:stream/orders"
# Of the channel's stack, in which nothing else is defined.
OURS = "ChannelEventSourceFailures"

Attach = Callable[[lambda_.IFunction, FailureChannel], None]


def read_kinesis(function: lambda_.IFunction, channel: FailureChannel, **settings: Any) -> None:
    """Let a function read a stream of its stack."""
    stream = kinesis.Stream(function.stack, "Stream", encryption=kinesis.StreamEncryption.MANAGED)
    settings = {"retry_attempts": 3, **settings}
    function.add_event_source(
        sources.KinesisEventSource(
            stream,
            starting_position=LATEST,
            on_failure=channel.event_source_destination,
            **settings,
        )
    )


def read_consumer(function: lambda_.IFunction, channel: FailureChannel) -> None:
    """Let a function read a stream with a fan-out of its own."""
    consumer = kinesis.StreamConsumer(
        function.stack,
        "Consumer",
        stream_consumer_name="orders",
        stream=kinesis.Stream(function.stack, "Stream"),
    )
    function.add_event_source(
        sources.KinesisConsumerEventSource(
            consumer,
            starting_position=LATEST,
            retry_attempts=3,
            on_failure=channel.event_source_destination,
        )
    )


def read_dynamodb(function: lambda_.IFunction, channel: FailureChannel) -> None:
    """Let a function read the stream of a table."""
    table = dynamodb.Table(
        function.stack,
        "Table",
        partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING),
        stream=dynamodb.StreamViewType.NEW_IMAGE,
    )
    function.add_event_source(
        sources.DynamoEventSource(
            table,
            starting_position=LATEST,
            retry_attempts=3,
            on_failure=channel.event_source_destination,
        )
    )


def read_msk(function: lambda_.IFunction, channel: FailureChannel) -> None:
    """Let a function read a topic of Amazon MSK."""
    function.add_event_source(
        sources.ManagedKafkaEventSource(
            cluster_arn=CLUSTER,
            topic="orders",
            starting_position=LATEST,
            on_failure=channel.event_source_destination,
        )
    )


def read_kafka(function: lambda_.IFunction, channel: FailureChannel) -> None:
    """Let a function read a topic of Apache Kafka."""
    function.add_event_source(
        sources.SelfManagedKafkaEventSource(
            bootstrap_servers=["kafka.example.com:9092"],
            topic="orders",
            secret=secretsmanager.Secret(function.stack, "Secret"),
            starting_position=LATEST,
            on_failure=channel.event_source_destination,
        )
    )


def map_stream(
    function: lambda_.IFunction,
    channel: FailureChannel,
    scope: cdk.Stack | None = None,
    **settings: Any,
) -> lambda_.EventSourceMapping:
    """Define a mapping by itself, in a stack."""
    settings = {"event_source_arn": STREAM, "retry_attempts": 3, **settings}
    return lambda_.EventSourceMapping(
        scope or function.stack,
        "Mapping",
        target=function,
        starting_position=LATEST,
        on_failure=channel.event_source_destination,
        **settings,
    )


EVERY_SOURCE: dict[str, Attach] = {
    "kinesis": read_kinesis,
    "consumer": read_consumer,
    "dynamodb": read_dynamodb,
    "msk": read_msk,
    "kafka": read_kafka,
    "mapping": map_stream,  # type: ignore[dict-item]
}


def mapping_of(stack: cdk.Stack) -> Any:
    """Return the one mapping of a stack that has a failure destination."""
    (mapping,) = (
        resource
        for resource in resources_of(stack, ESM).values()
        if "DestinationConfig" in resource["Properties"]
    )
    return mapping


def destination_of(stack: cdk.Stack) -> Any:
    """Return where the one mapping of a stack sends its failures."""
    return mapping_of(stack)["Properties"]["DestinationConfig"]["OnFailure"]["Destination"]


def bucket_of(channel: FailureChannel) -> Any:
    """Return the resource of a channel's bucket."""
    stack = cdk.Stack.of(channel)
    return resources_of(stack)[logical_id(stack, channel.batch_bucket)]


def allowed(stack: cdk.Stack) -> set[tuple[str, str]]:
    """Return what the policies of a stack's users allow, without those of the channel itself."""
    return {
        (action, str(statement["Resource"]))
        for id, policy in resources_of(stack, "AWS::IAM::Policy").items()
        if not id.startswith(OURS)
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        for action in listed(statement["Action"])
        if action.startswith(("s3:", "kms:"))
    }


@pytest.mark.parametrize("source", EVERY_SOURCE)
def test_sends_failures_of_every_source_to_the_bucket(
    source: str, stack: cdk.Stack, handler: lambda_.Function
) -> None:
    """Whatever of the CDK takes an `on_failure` for an event source."""
    channel = FailureChannel(stack, "Channel")
    EVERY_SOURCE[source](handler, channel)
    bucket = logical_id(stack, channel.batch_bucket)
    assert destination_of(stack) == {"Fn::GetAtt": [bucket, "Arn"]}
    assert allowed(stack) >= {
        ("s3:PutObject", str({"Fn::Join": ["", [_arn(bucket), "/aws/lambda/*"]]})),
        ("s3:ListBucket", str(_arn(bucket))),
    }
    assert_does_not_warn(stack)


def _arn(id: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [id, "Arn"]}


@pytest.mark.parametrize("source", EVERY_SOURCE)
def test_no_mapping_starts_before_its_failures_are_announced(
    source: str, stack: cdk.Stack, handler: lambda_.Function
) -> None:
    """The rule, the queues with their policies, the forwarder and the subscription exist before."""
    channel = FailureChannel(stack, "Channel")
    EVERY_SOURCE[source](handler, channel)
    waits = {without_hash(id) for id in mapping_of(stack)["DependsOn"]}
    assert waits >= {
        f"{OURS}BatchesPolicy",
        f"{OURS}Rule",
        f"{OURS}Announcements",
        f"{OURS}AnnouncementsPolicy",
        f"{OURS}EventSource",
        "ChannelQueueSubscription",
        "ChannelDeadLetterQueue",
        "ChannelDeadLetterQueuePolicy",
    }
    # What the mapping refers to needs no mention: cfn-lint would report it.
    assert f"{OURS}Batches" not in waits


def test_ids_are_a_contract(stack: cdk.Stack, handler: lambda_.Function) -> None:
    """A changed id would replace the bucket of a deployed stack."""
    channel = FailureChannel(stack, "Channel")
    before = set(resources_of(cdk.Stack(cdk.App(), "Empty")))
    read_kinesis(handler, channel)
    ids = {without_hash(id) for id in resources_of(stack) if id.startswith(OURS)}
    assert before == set()
    assert ids == {
        f"{OURS}{id}"
        for id in (
            "Announcements",
            "AnnouncementsPolicy",
            "Batches",
            "BatchesPolicy",
            "EventSource",
            "Forwarder",
            "Logs",
            "Role",
            "RoleDefaultPolicy",
            "Rule",
        )
    }


def test_defines_nothing_until_it_is_used() -> None:
    """A channel whose destination is only read, or not at all, has the template that it had."""

    def template(id: str, *, reads: bool) -> Mapping[str, Any]:
        stack = cdk.Stack(cdk.App(), id)
        channel = FailureChannel(stack, "Channel")
        channel.notify_failures_of(define_handler(stack))
        if reads:
            assert channel.event_source_destination is channel.event_source_destination
        assert channel.batch_bucket is None
        return template_of(stack)

    assert template("Stack", reads=True) == template("Stack", reads=False)


def test_keeps_batches_safely(stack: cdk.Stack, handler: lambda_.Function) -> None:
    """The bucket is encrypted, versioned, private, closed to plain HTTP, and stays."""
    channel = FailureChannel(stack, "Channel")
    read_kinesis(handler, channel)
    bucket = bucket_of(channel)
    properties = bucket["Properties"]
    encryption = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert encryption == [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
    assert properties["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    assert (bucket["DeletionPolicy"], bucket["UpdateReplacePolicy"]) == ("Retain", "Retain")
    (policy,) = resources_of(stack, "AWS::S3::BucketPolicy").values()
    (statement,) = policy["Properties"]["PolicyDocument"]["Statement"]
    assert statement["Effect"] == "Deny"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_announces_batches_without_a_custom_resource(
    stack: cdk.Stack, handler: lambda_.Function
) -> None:
    """The bucket tells EventBridge of each object, and the rule tells the queue."""
    channel = FailureChannel(stack, "Channel")
    read_kinesis(handler, channel)
    bucket = bucket_of(channel)["Properties"]
    assert bucket["NotificationConfiguration"] == {
        "EventBridgeConfiguration": {"EventBridgeEnabled": True}
    }
    (rule,) = resources_of(stack, "AWS::Events::Rule").values()
    assert rule["Properties"]["EventPattern"] == {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {
            "bucket": {"name": [{"Ref": logical_id(stack, channel.batch_bucket)}]},
            "object": {"key": [{"prefix": "aws/lambda/"}]},
        },
    }
    (target,) = rule["Properties"]["Targets"]
    queue = resources_of(stack)[target["Arn"]["Fn::GetAtt"][0]]
    dead_letters = _arn(logical_id(stack, channel.dead_letter_queue))
    assert target["DeadLetterConfig"] == {"Arn": dead_letters}
    assert queue["Properties"]["RedrivePolicy"] == {
        "deadLetterTargetArn": dead_letters,
        "maxReceiveCount": 5,
    }
    assert not [type for type in _types(stack) if type.startswith("Custom::")]


def _types(stack: cdk.Stack) -> set[str]:
    return {resource["Type"] for resource in resources_of(stack).values()}


@pytest.mark.parametrize("encrypted", [False, True])
def test_only_the_rule_may_announce(
    encrypted: bool, stack: cdk.Stack, handler: lambda_.Function
) -> None:
    """Also to an encrypted queue, where CDK's own target would let in every rule."""
    key = kms.Key(stack, "Key") if encrypted else None
    read_kinesis(handler, FailureChannel(stack, "Channel", encryption_key=key))
    (rule,) = resources_of(stack, "AWS::Events::Rule")
    (policy,) = (
        resource["Properties"]["PolicyDocument"]["Statement"]
        for id, resource in resources_of(stack, "AWS::SQS::QueuePolicy").items()
        if id.startswith(OURS)
    )
    (statement,) = (each for each in policy if each["Effect"] == "Allow")
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert statement["Action"] == "sqs:SendMessage"
    assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": _arn(rule)}}


def test_the_forwarder_may_do_no_more(stack: cdk.Stack, handler: lambda_.Function) -> None:
    """It reads batches, receives announcements, and sends to the topic and the queue."""
    channel = FailureChannel(stack, "Channel")
    read_kinesis(handler, channel)
    (policy,) = (
        resource["Properties"]["PolicyDocument"]["Statement"]
        for id, resource in resources_of(stack, "AWS::IAM::Policy").items()
        if id.startswith(OURS)
    )
    bucket = _arn(logical_id(stack, channel.batch_bucket))
    batches = {"Fn::Join": ["", [bucket, "/aws/lambda/*"]]}
    (announcements,) = (
        id
        for id in resources_of(stack, "AWS::SQS::Queue")
        if without_hash(id) == f"{OURS}Announcements"
    )
    may = {
        (action, str(statement["Resource"]))
        for statement in policy
        for action in listed(statement["Action"])
        if not action.startswith("logs:")
    }
    assert may == {
        ("s3:GetObject", str(batches)),
        ("s3:GetObjectVersion", str(batches)),
        ("s3:ListBucket", str(bucket)),
        ("sqs:DeleteMessage", str(_arn(announcements))),
        ("sqs:GetQueueAttributes", str(_arn(announcements))),
        ("sqs:ReceiveMessage", str(_arn(announcements))),
        ("sqs:SendMessage", str(_arn(logical_id(stack, channel.queue)))),
        ("sns:Publish", str({"Ref": logical_id(stack, channel.topic)})),
    }


def test_needs_no_environment_and_takes_one(app: cdk.App) -> None:
    """Stacks with a known account and Region are warned of nothing."""
    env = cdk.Environment(account="111122223333", region="eu-west-1")
    stack = cdk.Stack(app, "Known", env=env)
    read_kinesis(define_handler(stack), FailureChannel(stack, "Channel"))
    assert_does_not_warn(stack)


@pytest.mark.parametrize("kind", ["singleton", "durable"])
def test_serves_other_kinds_of_functions(kind: str, stack: cdk.Stack) -> None:
    """A function that is defined once in a stack, and a durable one, which Lambda waits for."""
    channel = FailureChannel(stack, "Channel")
    settings: dict[str, Any] = {
        "runtime": lambda_.Runtime.PYTHON_3_13,
        "handler": "index.handler",
        "code": lambda_.Code.from_inline("def handler(event, context): raise RuntimeError"),
    }
    if kind == "singleton":
        function: lambda_.IFunction = lambda_.SingletonFunction(
            stack, "Handler", uuid="f7d4f730-4ee1-11e8-9c2d-fa7ae01bbebc", **settings
        )
    else:
        config = lambda_.DurableConfig(execution_timeout=cdk.Duration.minutes(5))
        function = lambda_.Function(stack, "Handler", durable_config=config, **settings)
    read_kinesis(function, channel)
    assert destination_of(stack) == _arn(logical_id(stack, channel.batch_bucket))
    assert ("s3:ListBucket", str(_arn(logical_id(stack, channel.batch_bucket)))) in allowed(stack)


def test_several_mappings_share_one_bucket(stack: cdk.Stack, handler: lambda_.Function) -> None:
    """Of one function and of several; the role's policy names the bucket once."""
    channel = FailureChannel(stack, "Channel")
    read_kinesis(handler, channel)
    read_dynamodb(handler, channel)
    map_stream(define_handler(stack, "Other"), channel)
    assert len(resources_of(stack, "AWS::S3::Bucket")) == 1
    policies = [
        policy["Properties"]["PolicyDocument"]["Statement"]
        for id, policy in resources_of(stack, "AWS::IAM::Policy").items()
        if id.startswith("Handler")
    ]
    (statements,) = policies
    assert len([each for each in statements if "s3:PutObject" in listed(each["Action"])]) == 1


def test_each_channel_has_its_own_bucket(stack: cdk.Stack, handler: lambda_.Function) -> None:
    """One function's streams may go to different channels."""
    read_kinesis(handler, FailureChannel(stack, "Channel"))
    map_stream(handler, FailureChannel(stack, "Another"))
    buckets = resources_of(stack, "AWS::S3::Bucket")
    destinations = {
        str(mapping["Properties"]["DestinationConfig"]["OnFailure"]["Destination"])
        for mapping in resources_of(stack, ESM).values()
        if "DestinationConfig" in mapping["Properties"]
    }
    assert destinations == {str(_arn(id)) for id in buckets}
    assert len(buckets) == 2


def test_serves_functions_of_another_stack(app: cdk.App) -> None:
    """Their stack refers to the channel's, and never the other way round."""
    shared, other = cdk.Stack(app, "Shared"), cdk.Stack(app, "Other")
    channel = FailureChannel(shared, "Channel")
    read_kinesis(define_handler(other), channel)
    assert is_reference(destination_of(other))
    assert other.dependencies == [shared]
    assert shared.dependencies == []


def test_serves_a_mapping_beside_the_channel(app: cdk.App) -> None:
    """A mapping in the channel's stack brings the policy for a function of another stack."""
    shared, other = cdk.Stack(app, "Shared"), cdk.Stack(app, "Other")
    function = define_handler(other)
    channel = FailureChannel(shared, "Channel")
    mapping = map_stream(function, channel, shared)
    policy = logical_id(shared, mapping.node.find_child("HandlerPolicy"))
    assert policy in mapping_of(shared)["DependsOn"]
    assert is_reference(resources_of(shared)[policy]["Properties"]["Roles"][0])
    assert shared.dependencies == [other]
    assert other.dependencies == []


def test_serves_a_function_whose_role_is_in_another_stack(app: cdk.App) -> None:
    """The role's stack does not refer to the channel's."""
    roles, shared = cdk.Stack(app, "Roles"), cdk.Stack(app, "Shared")
    role = iam.Role(roles, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    channel = FailureChannel(shared, "Channel")
    mapping = map_stream(define_handler(shared, role=role), channel)
    policy = logical_id(shared, mapping.node.find_child("HandlerPolicy"))
    assert policy in mapping_of(shared)["DependsOn"]
    Template.from_stack(roles)
    assert roles.dependencies == []


def test_serves_nested_stacks(stack: cdk.Stack) -> None:
    """A channel in one nested stack, a function in another."""
    channel = FailureChannel(cdk.NestedStack(stack, "Shared"), "Channel")
    nested = cdk.NestedStack(stack, "Functions")
    map_stream(define_handler(nested), channel)
    assert "Ref" in destination_of(nested)


@pytest.mark.parametrize("kind", ["alias", "version"])
def test_serves_aliases_and_versions(kind: str, stack: cdk.Stack) -> None:
    """The mapping invokes them; the function's role writes."""
    function = define_handler(stack)
    handler: Any = function.current_version
    if kind == "alias":
        handler = lambda_.Alias(stack, "Live", alias_name="live", version=handler)
    channel = FailureChannel(stack, "Channel")
    map_stream(handler, channel)
    assert ("s3:ListBucket", str(_arn(logical_id(stack, channel.batch_bucket)))) in allowed(stack)
    # Lambda rejects a destination that the role may not write to.
    policies = resources_of(stack, "AWS::IAM::Policy")
    assert [id for id in mapping_of(stack)["DependsOn"] if id in policies] != []
    assert_does_not_warn(stack)


def imported(stack: cdk.Stack, role: iam.IRole | None) -> lambda_.IFunction:
    """Import a function."""
    return lambda_.Function.from_function_attributes(
        stack,
        "Imported",
        function_arn="arn:aws:lambda:eu-west-1:111122223333:function:imported",
        role=role,
        same_environment=True,
    )


def test_serves_an_imported_function(stack: cdk.Stack) -> None:
    """If its role is imported with it; the mapping waits for the policy."""
    channel = FailureChannel(stack, "Channel")
    role = iam.Role.from_role_name(stack, "ImportedRole", "imported-role")
    map_stream(imported(stack, role), channel)
    assert ("s3:ListBucket", str(_arn(logical_id(stack, channel.batch_bucket)))) in allowed(stack)
    policies = resources_of(stack, "AWS::IAM::Policy")
    assert [id for id in mapping_of(stack)["DependsOn"] if id in policies] != []
    assert_does_not_warn(stack)


@pytest.mark.parametrize("encrypted", [False, True])
def test_warns_of_a_role_that_cannot_be_changed(encrypted: bool, stack: cdk.Stack) -> None:
    """Lambda would reject the mapping."""
    key = kms.Key(stack, "Key") if encrypted else None
    channel = FailureChannel(stack, "Channel", encryption_key=key)
    role = iam.Role.from_role_name(stack, "ImportedRole", "imported-role", mutable=False)
    map_stream(imported(stack, role), channel)
    assert_warns(stack, "s3:PutObject and s3:ListBucket on the channel's bucket")
    if encrypted:
        assert_warns(stack, "kms:Decrypt and kms:GenerateDataKey.* on its key")


@pytest.mark.parametrize("kind", ["role", "lazy role", "role without updates"])
def test_serves_a_role_of_the_users(kind: str, stack: cdk.Stack) -> None:
    """Its policy is changed, unless the user forbids that."""
    principal = iam.ServicePrincipal("lambda.amazonaws.com")
    if kind == "lazy role":
        role: iam.IRole = iam.LazyRole(stack, "Role", assumed_by=principal)
    else:
        role = iam.Role(stack, "Role", assumed_by=principal)
    if kind == "role without updates":
        role = role.without_policy_updates()  # type: ignore[attr-defined]
    map_stream(define_handler(stack, role=role), FailureChannel(stack, "Channel"))
    may_write = any(action == "s3:PutObject" for action, _ in allowed(stack))
    if kind == "role without updates":
        assert not may_write
        assert_warns(stack, "the role of the mapping's function cannot be changed here")
    else:
        assert may_write
        assert_does_not_warn(stack)


def test_rejects_a_function_without_role(stack: cdk.Stack) -> None:
    """Nobody could let Lambda write its batches."""
    channel = FailureChannel(stack, "Channel")
    with pytest.raises(RuntimeError, match="handler must have a role, got 'Stack/Imported'"):
        map_stream(imported(stack, None), channel)
    assert channel.batch_bucket is None


def test_rejects_a_function_elsewhere(app: cdk.App) -> None:
    """A bucket of another Region is none of a mapping's destinations."""
    here = cdk.Stack(app, "Here", env=cdk.Environment(account="111122223333", region="eu-west-1"))
    there = cdk.Stack(app, "There", env=cdk.Environment(account="111122223333", region="us-east-1"))
    with pytest.raises(RuntimeError, match="handler must be in the same Region as the channel"):
        map_stream(define_handler(there), FailureChannel(here, "Channel"))


def test_rejects_a_function_of_another_stage(app: cdk.App) -> None:
    """Stages cannot refer to each other; CDK's own error names no way."""
    channel = FailureChannel(cdk.Stack(app, "Shared"), "Channel")
    handler = define_handler(cdk.Stack(cdk.Stage(app, "Production"), "Stack"))
    with pytest.raises(RuntimeError, match="handler must be in the channel's app or stage, got "):
        map_stream(handler, channel)
    assert channel.batch_bucket is None


def test_rejects_the_destinations_of_each_other(stack: cdk.Stack) -> None:
    """Both are an `on_failure`: mixed up, no batch would be kept with its records."""
    channel = FailureChannel(stack, "Channel")
    both: Any = channel
    with pytest.raises(RuntimeError, match=r"must be channel\.destination here, got .*'Stack/"):
        define_handler(stack, on_failure=both.event_source_destination)
    assert channel.batch_bucket is None
    with pytest.raises(RuntimeError, match=r"must be channel\.event_source_destination for"):
        lambda_.EventSourceMapping(
            stack,
            "Mapping",
            target=define_handler(stack, "Other"),
            event_source_arn=STREAM,
            starting_position=LATEST,
            on_failure=both.destination,
        )


@pytest.mark.parametrize("where", ["same stack", "other stack", "imported"])
def test_uses_the_channels_key(where: str, app: cdk.App) -> None:
    """For the bucket, the queue and the log; roles and services may use it."""
    stack, keys = cdk.Stack(app, "Stack"), cdk.Stack(app, "Keys")
    key: kms.IKey = kms.Key(keys if where == "other stack" else stack, "Key")
    if where == "imported":
        key = kms.Key.from_key_arn(
            stack, "ImportedKey", "arn:aws:kms:eu-west-1:111122223333:key/4d1ad2b9"
        )
    channel = FailureChannel(stack, "Channel", encryption_key=key)
    read_kinesis(define_handler(stack), channel)
    (rule,) = bucket_of(channel)["Properties"]["BucketEncryption"][
        "ServerSideEncryptionConfiguration"
    ]
    arn = rule["ServerSideEncryptionByDefault"]["KMSMasterKeyID"]
    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    assert {("kms:Decrypt", str(arn)), ("kms:GenerateDataKey*", str(arn))} <= allowed(stack)
    (announcements,) = (
        queue["Properties"]
        for id, queue in resources_of(stack, "AWS::SQS::Queue").items()
        if id.startswith(OURS)
    )
    assert announcements["KmsMasterKeyId"] == arn
    if where == "other stack":
        Template.from_stack(keys)
        assert keys.dependencies == []
        (policy,) = resources_of(keys, "AWS::KMS::Key").values()
        services = [
            service
            for statement in policy["Properties"]["KeyPolicy"]["Statement"]
            for service in listed(statement["Principal"].get("Service", []))
        ]
        assert services.count("events.amazonaws.com") == 1
        assert "sns.amazonaws.com" in services
    if where == "imported":
        assert_warns(stack, "allow events.amazonaws.com to use .*, or failed batches stay")
        # No token of CDK, which nobody can read.
        assert_warns(stack, r"allow logs\.REGION\.amazonaws\.com to use .* of its batch forwarder")


UNSUPPORTED = {
    "sqs": ("arn:aws:sqs:eu-west-1:111122223333:orders", "dead_letter_queue_for"),
    "mq": ("arn:aws:mq:eu-west-1:111122223333:broker:b:b-1", "an Amazon MQ broker"),
    "documentdb": ("arn:aws:rds:eu-west-1:111122223333:cluster:docs", "Amazon DocumentDB"),
}


@pytest.mark.parametrize("source", UNSUPPORTED)
def test_rejects_sources_without_a_destination(
    source: str, stack: cdk.Stack, handler: lambda_.Function
) -> None:
    """Lambda has failure destinations for Kinesis, DynamoDB and Kafka only."""
    arn, way_out = UNSUPPORTED[source]
    map_stream(handler, FailureChannel(stack, "Channel"), event_source_arn=arn)
    with pytest.raises(RuntimeError, match=rf"on_failure must be left out .*{way_out}"):
        template_of(stack)


def test_rejects_a_queue_by_reference(stack: cdk.Stack, handler: lambda_.Function) -> None:
    """Whose ARN only deployment knows."""
    queue = sqs.Queue(stack, "Queue")
    map_stream(handler, FailureChannel(stack, "Channel"), event_source_arn=queue.queue_arn)
    with pytest.raises(RuntimeError, match="'Stack/Mapping' for an SQS queue"):
        template_of(stack)


def test_rejects_a_queue_by_an_arn_with_tokens(stack: cdk.Stack, handler: lambda_.Function) -> None:
    """As `format_arn` writes it."""
    arn = stack.format_arn(service="sqs", resource="orders")
    map_stream(handler, FailureChannel(stack, "Channel"), event_source_arn=arn)
    with pytest.raises(RuntimeError, match="for an SQS queue"):
        template_of(stack)


def test_takes_a_source_that_only_deployment_knows(
    stack: cdk.Stack, handler: lambda_.Function
) -> None:
    """It may be a stream."""
    source = cdk.CfnParameter(stack, "Source").value_as_string
    map_stream(handler, FailureChannel(stack, "Channel"), event_source_arn=source)
    assert destination_of(stack)


@pytest.mark.parametrize(
    ("settings", "warns"),
    [
        ({"retry_attempts": None}, True),
        ({"retry_attempts": -1}, True),
        ({"retry_attempts": 0}, False),
        ({"retry_attempts": None, "max_record_age": cdk.Duration.hours(1)}, False),
        ({"retry_attempts": -1, "max_record_age": cdk.Duration.hours(1)}, False),
    ],
)
def test_warns_of_a_blocked_shard(
    settings: dict[str, Any], warns: bool, stack: cdk.Stack, handler: lambda_.Function
) -> None:
    """A mapping without a limit retries a failing batch until it expires."""
    read_kinesis(handler, FailureChannel(stack, "Channel"), **settings)
    if warns:
        assert_warns(stack, "Set retry_attempts or max_record_age")
    else:
        assert_does_not_warn(stack)


def test_does_not_warn_of_retries_that_only_deployment_knows(
    stack: cdk.Stack, handler: lambda_.Function
) -> None:
    """A parameter may limit them."""
    retries = cdk.CfnParameter(stack, "Retries", type="Number").value_as_number
    read_kinesis(handler, FailureChannel(stack, "Channel"), retry_attempts=retries)
    assert_does_not_warn(stack)


def days_of(channel: FailureChannel) -> tuple[int, int]:
    """Return after how many days a bucket deletes batches, and versions of replaced ones."""
    rules = bucket_of(channel)["Properties"]["LifecycleConfiguration"]["Rules"]
    return (
        rules[0]["ExpirationInDays"],
        rules[0]["NoncurrentVersionExpiration"]["NoncurrentDays"],
    )


@pytest.mark.parametrize(
    ("settings", "days"),
    [
        ({}, 28),
        ({"retention": cdk.Duration.days(4)}, 8),
        ({"retention": cdk.Duration.minutes(1)}, 1),
        ({"retention": cdk.Duration.hours(30)}, 3),
        ({"batch_retention": cdk.Duration.days(90)}, 90),
        ({"batch_retention": cdk.Duration.hours(24)}, 1),
        ({"batch_retention": cdk.Duration.days(2), "retention": cdk.Duration.days(14)}, 2),
    ],
)
def test_keeps_batches_as_long_as_events_can_wait(
    settings: dict[str, Any], days: int, stack: cdk.Stack, handler: lambda_.Function
) -> None:
    """Twice as long as a queue, since a replayer may keep an event as long again."""
    channel = FailureChannel(stack, "Channel", **settings)
    read_kinesis(handler, channel)
    assert days_of(channel) == (days, 7)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (14, r"batch_retention must be a Duration"),
        (cdk.Duration.hours(23), r"batch_retention must be a Duration from 86400"),
        (cdk.Duration.hours(36), r"batch_retention must be whole days.*write Duration.days\(2\)"),
        (cdk.Duration.days(3_651), r"batch_retention must be a Duration"),
    ],
)
def test_rejects_a_retention_that_s3_does_not_have(
    given: Any, message: str, stack: cdk.Stack
) -> None:
    """S3 counts whole days."""
    with pytest.raises(ValueError, match=message):
        FailureChannel(stack, "Channel", batch_retention=given)


def test_removal_policy_is_the_channels(stack: cdk.Stack, handler: lambda_.Function) -> None:
    """For the bucket and the queue."""
    channel = FailureChannel(stack, "Channel", removal_policy=cdk.RemovalPolicy.DESTROY)
    read_kinesis(handler, channel)
    policies = {
        id: resource["DeletionPolicy"]
        for id, resource in resources_of(stack).items()
        if id.startswith(OURS) and resource["Type"] in ("AWS::S3::Bucket", "AWS::SQS::Queue")
    }
    assert set(policies.values()) == {"Delete"}
    assert len(policies) == 2


@pytest.mark.parametrize("first", ["grant", "mapping"])
@pytest.mark.parametrize("where", ["Stack", "Operators"])
def test_who_consumes_failures_reads_batches(first: str, where: str, app: cdk.App) -> None:
    """Whether the grant or the first mapping is defined first, and in whichever stack."""
    stack = cdk.Stack(app, "Stack")
    operators = stack if where == "Stack" else cdk.Stack(app, "Operators")
    role = iam.Role(operators, "Operator", assumed_by=iam.AccountRootPrincipal())
    channel = FailureChannel(stack, "Channel", encryption_key=kms.Key(stack, "Key"))
    steps: list[Callable[[], object]] = [
        lambda: channel.grant_consume_failures(role),
        lambda: read_kinesis(define_handler(stack), channel),
    ]
    for step in steps if first == "grant" else reversed(steps):
        step()
    (policy,) = (
        policy["Properties"]["PolicyDocument"]["Statement"]
        for id, policy in resources_of(operators, "AWS::IAM::Policy").items()
        if id.startswith("Operator")
    )
    reading = [each for each in policy if "s3:GetObject" in listed(each["Action"])]
    assert len(reading) == 1


def test_serves_a_channel_with_its_own_parts(stack: cdk.Stack, handler: lambda_.Function) -> None:
    """A given queue and its key: the forwarder may send there."""
    key = kms.Key(stack, "Key")
    queue = sqs.Queue(stack, "Queue", encryption_master_key=key)
    channel = FailureChannel(stack, "Channel", queue=queue, keep_copies=False)
    read_kinesis(handler, channel)
    FailureReplayer(stack, "Replayer", channel=channel)
    (statements,) = (
        resource["Properties"]["PolicyDocument"]["Statement"]
        for id, resource in resources_of(stack, "AWS::IAM::Policy").items()
        if id.startswith(OURS)
    )
    arn = _arn(logical_id(stack, key))
    assert {"kms:Decrypt", "kms:GenerateDataKey*"} <= {
        action
        for statement in statements
        if statement["Resource"] == arn
        for action in listed(statement["Action"])
    }


def test_works_in_a_vpc_of_kafka(stack: cdk.Stack, handler: lambda_.Function) -> None:
    """A cluster in a VPC reads its settings as ever."""
    vpc = ec2.Vpc(stack, "Vpc")
    channel = FailureChannel(stack, "Channel")
    handler.add_event_source(
        sources.SelfManagedKafkaEventSource(
            bootstrap_servers=["kafka.internal:9092"],
            topic="orders",
            vpc=vpc,
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS),
            security_group=ec2.SecurityGroup(stack, "Group", vpc=vpc),
            starting_position=LATEST,
            on_failure=channel.event_source_destination,
        )
    )
    assert destination_of(stack) == _arn(logical_id(stack, channel.batch_bucket))
