"""FailureReplayer of a channel with event sources: what it may read, and whom it may invoke."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk.assertions import Template

from failure_destinations import FailureChannel, FailureReplayer

from .conftest import define_handler
from .templates import is_reference, listed, logical_id, only, resources_of
from .test_replayer import function_of, invocable, stacks_of, statements_of

SECONDS = cdk.Duration.seconds


def read_stream(
    handler: lambda_.IFunction, channel: FailureChannel, stack: cdk.Stack, id: str = "Stream"
) -> None:
    """Let a handler read a stream, whose failed batches go to a channel."""
    handler.add_event_source(
        sources.KinesisEventSource(
            kinesis.Stream(stack, id),
            starting_position=lambda_.StartingPosition.LATEST,
            retry_attempts=2,
            on_failure=channel.event_source_destination,
        )
    )


def reads(stack: cdk.Stack, replayer: FailureReplayer) -> dict[str, Any]:
    """Return what the replayer's role may read in S3, by the actions."""
    return {
        " ".join(listed(statement["Action"])): statement["Resource"]
        for statement in statements_of(stack, replayer)
        if "s3:" in str(statement["Action"])
    }


def variables(stack: cdk.Stack, replayer: FailureReplayer) -> dict[str, Any]:
    """Return the environment of the replayer's function."""
    found: dict[str, Any] = function_of(stack, replayer)["Environment"]["Variables"]
    return found


@pytest.mark.parametrize("first", ["replayer", "stream"])
def test_reads_only_the_channels_batches(stack: cdk.Stack, first: str) -> None:
    """In whichever order they are defined; and nothing of any stream."""
    channel = FailureChannel(stack, "Channel")
    handler = define_handler(stack)
    if first == "stream":
        read_stream(handler, channel, stack)
    replayer = FailureReplayer(stack, "Replayer", channel=channel)
    if first == "replayer":
        read_stream(handler, channel, stack)
    (bucket,) = resources_of(stack, "AWS::S3::Bucket")
    arn = {"Fn::GetAtt": [bucket, "Arn"]}
    assert reads(stack, replayer) == {
        "s3:GetObject s3:GetObjectVersion": {"Fn::Join": ["", [arn, "/aws/lambda/*"]]},
        "s3:ListBucket": arn,
    }
    assert "kinesis" not in str(statements_of(stack, replayer))
    assert variables(stack, replayer)["BATCH_BUCKET"] == {"Ref": bucket}
    assert function_of(stack, replayer)["MemorySize"] == 512
    assert variables(stack, replayer)["BATCH_BUCKET_OWNER"] == {"Ref": "AWS::AccountId"}
    assert invocable(stack, replayer) == [{"Fn::GetAtt": [logical_id(stack, handler), "Arn"]}]


def test_reads_which_alias_a_mapping_invokes(stack: cdk.Stack) -> None:
    """AWS does not say whether the record of a batch names it."""
    channel = FailureChannel(stack, "Channel")
    read_stream(define_handler(stack), channel, stack)
    replayer = FailureReplayer(stack, "Replayer", channel=channel)
    (allowed,) = [
        statement["Resource"]
        for statement in statements_of(stack, replayer)
        if statement["Action"] == "lambda:GetEventSourceMapping"
    ]
    assert str(allowed).endswith(":event-source-mapping:*']]}")


def test_reads_no_bucket_without_event_sources(stack: cdk.Stack) -> None:
    """Its template is what it was."""
    channel = FailureChannel(stack, "Channel")
    channel.notify_failures_of(define_handler(stack))
    replayer = FailureReplayer(stack, "Replayer", channel=channel)
    assert reads(stack, replayer) == {}
    assert function_of(stack, replayer)["MemorySize"] == 256
    assert not [name for name in variables(stack, replayer) if "BATCH" in name]


def test_decrypts_with_the_channels_key(stack: cdk.Stack) -> None:
    """Which the bucket has too."""
    channel = FailureChannel(stack, "Channel", encryption_key=kms.Key(stack, "Key"))
    read_stream(define_handler(stack), channel, stack)
    replayer = FailureReplayer(stack, "Replayer", channel=channel)
    _, key = only(stack, "AWS::S3::Bucket")
    (rule,) = key["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    used = rule["ServerSideEncryptionByDefault"]["KMSMasterKeyID"]
    keys = [s for s in statements_of(stack, replayer) if "kms:Decrypt" in listed(s["Action"])]
    assert used in [statement["Resource"] for statement in keys]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_waits_for_the_slowest_handler_of_batches(stack: cdk.Stack, asynchronous: bool) -> None:
    """Also if it hands other events over: Lambda would ignore which records failed."""
    channel = FailureChannel(stack, "Channel")
    replayer = FailureReplayer(stack, "Replayer", channel=channel, asynchronous=asynchronous)
    read_stream(define_handler(stack, timeout=SECONDS(300)), channel, stack)
    assert function_of(stack, replayer)["Timeout"] == 330
    assert variables(stack, replayer)["HANDLER_SECONDS"] == "320"


@pytest.mark.parametrize("asynchronous", [False, True])
def test_refuses_a_handler_of_batches_that_outlives_it(
    stack: cdk.Stack, asynchronous: bool
) -> None:
    """Handing over is not a way out."""
    channel = FailureChannel(stack, "Channel")
    FailureReplayer(stack, "Replayer", channel=channel, asynchronous=asynchronous)
    handler = define_handler(stack, timeout=SECONDS(60))
    read_stream(handler, channel, stack)
    resource = handler.node.default_child
    assert isinstance(resource, lambda_.CfnFunction)
    resource.timeout = 901
    with pytest.raises(RuntimeError, match="must be at most 900 seconds, got 901") as error:
        Template.from_stack(stack)
    assert "channel without a FailureReplayer" in str(error.value)
    assert "asynchronous" not in str(error.value)


def test_names_a_handler_of_both_kinds_once(stack: cdk.Stack) -> None:
    """It may be invoked asynchronously and read a stream, or two."""
    channel = FailureChannel(stack, "Channel")
    replayer = FailureReplayer(stack, "Replayer", channel=channel)
    handler = define_handler(stack)
    channel.notify_failures_of(handler)
    read_stream(handler, channel, stack)
    read_stream(handler, channel, stack, "Other")
    assert invocable(stack, replayer) == [{"Fn::GetAtt": [logical_id(stack, handler), "Arn"]}]


def test_invokes_the_alias_that_reads(stack: cdk.Stack) -> None:
    """Not its function."""
    channel = FailureChannel(stack, "Channel")
    replayer = FailureReplayer(stack, "Replayer", channel=channel)
    live = define_handler(stack).add_alias("live")
    read_stream(live, channel, stack)
    assert invocable(stack, replayer) == [{"Ref": logical_id(stack, live)}]


@pytest.mark.parametrize("first", ["replayer", "stream"])
def test_a_handler_of_another_stack_lets_it_in(app: cdk.App, first: str) -> None:
    """As a handler of asynchronous events does."""
    stack, handlers = stacks_of(app, "Stack", "Handlers")
    channel = FailureChannel(stack, "Channel")
    handler = define_handler(handlers)
    if first == "stream":
        read_stream(handler, channel, handlers)
    replayer = FailureReplayer(stack, "Replayer", channel=channel)
    if first == "replayer":
        read_stream(handler, channel, handlers)
    _, permission = only(handlers, "AWS::Lambda::Permission")
    assert permission["FunctionName"] == {"Fn::GetAtt": [logical_id(handlers, handler), "Arn"]}
    assert is_reference(permission["Principal"])
    assert invocable(stack, replayer) == []
    assert stack.dependencies == []


def test_serves_a_channel_of_another_stack(app: cdk.App) -> None:
    """The bucket is in the channel's stack, which does not refer back."""
    stack, own = stacks_of(app, "Stack", "Own")
    channel = FailureChannel(stack, "Channel")
    read_stream(define_handler(stack), channel, stack)
    replayer = FailureReplayer(own, "Replayer", channel=channel)
    assert len(invocable(own, replayer)) == 1
    assert is_reference(variables(own, replayer)["BATCH_BUCKET"])
    assert (stack.dependencies, own.dependencies) == ([], [stack])
