"""`channel.dead_letter_queue_for`: dead-letter queues of SQS queues that feed functions."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from failure_destinations import FailureChannel, FailureNotifier, FailureReplayer

from .templates import (
    assert_does_not_warn,
    assert_warns,
    is_reference,
    logical_id,
    resources_of,
    template_of,
)

DAY = 24 * 60 * 60
FIFO = {"FifoQueue": True}


@pytest.fixture
def channel(stack: cdk.Stack) -> FailureChannel:
    """A channel of the stack."""
    return FailureChannel(stack, "Failures")


@pytest.fixture
def orders(stack: cdk.Stack) -> sqs.Queue:
    """A queue of the stack."""
    return sqs.Queue(stack, "Orders")


def refusal(start: str, got: str) -> Any:
    """Expect a ValueError that begins so and names what it got, and a way out after a colon."""
    return pytest.raises(ValueError, match=rf"^{start}.*got .*{re.escape(got)}.*: \w+")


def properties(stack: cdk.Stack, queue: sqs.Queue) -> dict[str, Any]:
    """Return the properties of a queue in the template."""
    found: dict[str, Any] = resources_of(stack)[logical_id(stack, queue)].get("Properties", {})
    return found


def test_sets_the_redrive_policy(
    stack: cdk.Stack, channel: FailureChannel, orders: sqs.Queue
) -> None:
    """SQS moves a message of the queue to the dead-letter queue after 5 receives."""
    dead_letters = channel.dead_letter_queue_for(orders)
    assert properties(stack, orders)["RedrivePolicy"] == {
        "deadLetterTargetArn": stack.resolve(dead_letters.queue_arn),
        "maxReceiveCount": 5,
    }
    assert dead_letters.node.path == "Stack/Failures/SourceDeadLetters-Orders"
    assert_does_not_warn(stack)


def test_adds_nothing_else(stack: cdk.Stack, channel: FailureChannel, orders: sqs.Queue) -> None:
    """The channel gets one queue and its policy, and no other resource changes."""
    plain = cdk.Stack(cdk.App(), "Stack")
    sqs.Queue(plain, "Orders")
    FailureChannel(plain, "Failures")
    before = template_of(plain)["Resources"]
    dead_letters = channel.dead_letter_queue_for(orders)
    after = template_of(stack)["Resources"]
    id = logical_id(stack, dead_letters)
    added = {name: each["Type"] for name, each in after.items() if name not in before}
    assert sorted(added.values()) == ["AWS::SQS::Queue", "AWS::SQS::QueuePolicy"]
    assert id in added
    changed = [name for name, each in before.items() if after[name] != each]
    assert changed == [logical_id(stack, orders)]


def test_dead_letters_are_kept_and_protected(
    stack: cdk.Stack, channel: FailureChannel, orders: sqs.Queue
) -> None:
    """They outlive the stack, are encrypted, and come only over TLS."""
    dead_letters = channel.dead_letter_queue_for(orders)
    id = logical_id(stack, dead_letters)
    resource = resources_of(stack)[id]
    assert resource["DeletionPolicy"] == resource["UpdateReplacePolicy"] == "Retain"
    assert resource["Properties"] == {
        "MessageRetentionPeriod": 14 * DAY,
        "SqsManagedSseEnabled": True,
    }
    (policy,) = [
        each["Properties"]
        for each in resources_of(stack, "AWS::SQS::QueuePolicy").values()
        if {"Ref": id} in each["Properties"]["Queues"]
    ]
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert statement["Effect"] == "Deny"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


@pytest.mark.parametrize(
    ("fifo", "channels", "sources", "kept"),
    [
        (False, None, None, 14 * DAY),
        (False, None, 14 * DAY, 14 * DAY),
        (False, 2 * DAY, None, 6 * DAY),
        (False, 2 * DAY, 3600, 2 * DAY + 3600),
        (False, 12 * DAY, 10 * DAY, 14 * DAY),
        (True, 2 * DAY, None, 4 * DAY),
        (True, 5 * DAY, 3600, 5 * DAY),
        (True, None, 14 * DAY, 14 * DAY),
    ],
)
def test_keeps_longer_than_its_source(
    stack: cdk.Stack, fifo: bool, channels: int | None, sources: int | None, kept: int
) -> None:
    """What spent its time in a standard queue still gets the channel's retention, if SQS can."""
    seconds = cdk.Duration.seconds
    channel = FailureChannel(
        stack, "Failures", retention=None if channels is None else seconds(channels)
    )
    queue = sqs.Queue(
        stack,
        "Orders",
        fifo=fifo or None,
        retention_period=None if sources is None else seconds(sources),
    )
    dead_letters = channel.dead_letter_queue_for(queue)
    assert properties(stack, dead_letters)["MessageRetentionPeriod"] == kept


@pytest.mark.parametrize("whose", ["channel", "queue"])
def test_a_retention_known_at_deployment_is_the_channels(stack: cdk.Stack, whose: str) -> None:
    """A token cannot be added to: the dead-letter queue then keeps what the channel keeps."""
    token = cdk.Duration.seconds(cdk.CfnParameter(stack, "Kept", type="Number").value_as_number)
    days = cdk.Duration.days(3)
    channel = FailureChannel(stack, "Failures", retention=token if whose == "channel" else days)
    queue = sqs.Queue(stack, "Orders", retention_period=token if whose == "queue" else days)
    dead_letters = channel.dead_letter_queue_for(queue)
    kept = properties(stack, dead_letters)["MessageRetentionPeriod"]
    assert kept == ({"Ref": "Kept"} if whose == "channel" else 3 * DAY)


@pytest.mark.parametrize("how", ["fifo", "resource"])
def test_a_fifo_queue_gets_a_fifo_queue(
    stack: cdk.Stack, channel: FailureChannel, how: str
) -> None:
    """SQS accepts no standard queue behind a FIFO queue; CloudFormation ends its name in .fifo."""
    queue = sqs.Queue(stack, "Orders", fifo=True if how == "fifo" else None)
    if how == "resource":
        queue.node.default_child.fifo_queue = True  # type: ignore[union-attr]
    dead_letters = channel.dead_letter_queue_for(queue)
    assert properties(stack, dead_letters) == {
        **FIFO,
        "MessageRetentionPeriod": 14 * DAY,
        "SqsManagedSseEnabled": True,
    }


def test_has_the_channels_key_and_removal_policy(stack: cdk.Stack, orders: sqs.Queue) -> None:
    """A channel's key and removal policy are those of all its queues."""
    key = kms.Key(stack, "Key")
    channel = FailureChannel(
        stack, "Failures", encryption_key=key, removal_policy=cdk.RemovalPolicy.DESTROY
    )
    dead_letters = channel.dead_letter_queue_for(orders)
    resource = resources_of(stack)[logical_id(stack, dead_letters)]
    assert resource["Properties"]["KmsMasterKeyId"] == stack.resolve(key.key_arn)
    assert resource["DeletionPolicy"] == "Delete"


@pytest.mark.parametrize("place", ["another stack", "a nested stack", "the channel's is nested"])
def test_the_queues_stack_refers_to_the_channels(app: cdk.App, place: str) -> None:
    """Of two stacks, that of the queue refers to that of the channel, and only so."""
    shared = cdk.Stack(app, "Shared")
    other = cdk.Stack(app, "Other")
    if place == "another stack":
        of_channel, of_queue = shared, other
    elif place == "a nested stack":
        of_channel, of_queue = shared, cdk.NestedStack(shared, "Nested")
    else:
        of_channel, of_queue = cdk.NestedStack(shared, "Nested"), shared
    channel = FailureChannel(of_channel, "Failures")
    orders = sqs.Queue(of_queue, "Orders")
    channel.dead_letter_queue_for(orders)
    app.synth()
    target = properties(of_queue, orders)["RedrivePolicy"]["deadLetterTargetArn"]
    if place == "another stack":
        assert is_reference(target)
        assert of_queue in [*other.dependencies, other]
        assert [each.node.path for each in other.dependencies] == ["Shared"]
        assert [*shared.dependencies] == []
    else:
        assert target != properties(of_channel, channel.dead_letter_queue_for(orders))


def test_ids_of_queues_in_several_stacks_differ(app: cdk.App) -> None:
    """Queues of one id in several stacks have dead-letter queues of their own."""
    channel = FailureChannel(cdk.Stack(app, "Shared"), "Failures")
    queues = [sqs.Queue(cdk.Stack(app, name), "Orders") for name in ("A", "B")]
    queues.append(sqs.Queue(cdk.Stack.of(channel), "Orders"))
    ids = [channel.dead_letter_queue_for(queue).node.id for queue in queues]
    assert ids == [
        "SourceDeadLetters-A--Orders",
        "SourceDeadLetters-B--Orders",
        "SourceDeadLetters-Orders",
    ]


def test_ids_do_not_depend_on_the_stage(app: cdk.App) -> None:
    """A stage has the same construct ids below its channel as an app."""
    stage = cdk.Stage(app, "Production")
    channel = FailureChannel(cdk.Stack(stage, "Shared"), "Failures")
    queue = sqs.Queue(cdk.Stack(stage, "Orders"), "Queue")
    assert channel.dead_letter_queue_for(queue).node.id == "SourceDeadLetters-Orders--Queue"


def test_asking_twice_gives_the_same_queue(channel: FailureChannel, orders: sqs.Queue) -> None:
    """A second call with the same arguments changes nothing."""
    assert channel.dead_letter_queue_for(orders) is channel.dead_letter_queue_for(orders)


def test_takes_a_count_known_at_deployment(
    stack: cdk.Stack, channel: FailureChannel, orders: sqs.Queue
) -> None:
    """A token may stand for the count."""
    count = cdk.CfnParameter(stack, "Receives", type="Number").value_as_number
    channel.dead_letter_queue_for(orders, max_receive_count=count)  # type: ignore[arg-type]
    policy = properties(stack, orders)["RedrivePolicy"]
    assert policy["maxReceiveCount"] == {"Ref": "Receives"}
    assert_does_not_warn(stack)


def test_warns_of_few_receives(
    stack: cdk.Stack, channel: FailureChannel, orders: sqs.Queue
) -> None:
    """With fewer than 5, throttling alone may move a message."""
    channel.dead_letter_queue_for(orders, max_receive_count=4)
    assert_warns(stack, "max_receive_count is 4, where AWS recommends at least 5")


def test_lets_a_grantee_read_them(
    stack: cdk.Stack, channel: FailureChannel, orders: sqs.Queue
) -> None:
    """Who may read failed events may read these messages too, whichever is defined first."""
    role = iam.Role(stack, "Operator", assumed_by=iam.AccountRootPrincipal())
    first = channel.dead_letter_queue_for(orders)
    channel.grant_consume_failures(role)
    later = channel.dead_letter_queue_for(sqs.Queue(stack, "Later"))
    allowed = {
        str(resource)
        for policy in resources_of(stack, "AWS::IAM::Policy").values()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if "sqs:ReceiveMessage" in statement["Action"]
        for resource in (
            statement["Resource"]
            if isinstance(statement["Resource"], list)
            else [statement["Resource"]]
        )
    }
    for queue in (first, later):
        assert str(stack.resolve(queue.queue_arn)) in allowed


@pytest.mark.parametrize("count", [0, 1001, -1, True, 5.5, "5", None])
def test_rejects_a_count_out_of_bounds(
    channel: FailureChannel, orders: sqs.Queue, count: Any
) -> None:
    """SQS accepts 1 to 1,000 receives."""
    with refusal("max_receive_count", repr(count)):
        channel.dead_letter_queue_for(orders, max_receive_count=count)


def test_rejects_another_count_for_the_same_queue(
    channel: FailureChannel, orders: sqs.Queue
) -> None:
    """A queue has one redrive policy."""
    channel.dead_letter_queue_for(orders)
    with refusal("max_receive_count must be the same", "6"):
        channel.dead_letter_queue_for(orders, max_receive_count=6)


@pytest.mark.parametrize(
    "queue",
    [
        "orders",
        None,
        sqs.Queue,
        lambda stack: sqs.Queue.from_queue_arn(stack, "Given", "arn:aws:sqs:eu-west-1:1:orders"),
        lambda stack: sqs.CfnQueue(stack, "Resource"),
    ],
)
def test_rejects_what_is_not_a_queue_of_the_app(
    stack: cdk.Stack, channel: FailureChannel, queue: Any
) -> None:
    """Only a queue that the app defines can get a redrive policy."""
    given = queue(stack) if callable(queue) and queue is not sqs.Queue else queue
    with refusal("queue must be an aws_sqs.Queue that this app defines", ""):
        channel.dead_letter_queue_for(given)


def test_rejects_a_queue_with_a_dead_letter_queue(
    stack: cdk.Stack, channel: FailureChannel, orders: sqs.Queue
) -> None:
    """The one that it has is the user's decision."""
    own = sqs.DeadLetterQueue(queue=orders, max_receive_count=3)
    queue = sqs.Queue(stack, "Invoices", dead_letter_queue=own)
    with refusal("queue must have no dead-letter queue yet", "'Stack/Invoices'"):
        channel.dead_letter_queue_for(queue)


def test_rejects_a_queue_of_two_channels(
    stack: cdk.Stack, channel: FailureChannel, orders: sqs.Queue
) -> None:
    """The message names the channel that has it."""
    FailureChannel(stack, "Other").dead_letter_queue_for(orders)
    with refusal("queue must have no dead-letter queue yet", "which the channel 'Stack/Other'"):
        channel.dead_letter_queue_for(orders)


OWN_QUEUES: dict[str, Callable[[FailureChannel, sqs.Queue], Any]] = {
    "queue": lambda channel, _: channel.queue,
    "dead-letter queue": lambda channel, _: channel.dead_letter_queue,
    "copy queue": lambda channel, _: channel.copy_queue,
    "a source's dead-letter queue": lambda channel, orders: channel.dead_letter_queue_for(orders),
    "parked queue": lambda channel, orders: (
        FailureReplayer(orders.stack, "Replayer", channel=channel).parked_queue
    ),
    "notifier's queue": lambda channel, orders: (
        FailureNotifier(orders.stack, "Notifier", channel=channel).dead_letter_queue
    ),
}


@pytest.mark.parametrize("whose", ["its own", "another"])
@pytest.mark.parametrize("which", OWN_QUEUES)
def test_rejects_the_queues_of_channels(
    stack: cdk.Stack, channel: FailureChannel, orders: sqs.Queue, which: str, whose: str
) -> None:
    """What a channel keeps must not be moved on by receives of operators and functions."""
    owner = channel if whose == "its own" else FailureChannel(stack, "Other")
    queue = OWN_QUEUES[which](owner, orders)
    with refusal("queue must be a queue that feeds a function", queue.node.path):
        channel.dead_letter_queue_for(queue)


def test_rejects_the_queue_that_a_channel_was_given(stack: cdk.Stack, orders: sqs.Queue) -> None:
    """It holds the channel's events although somebody else defined it."""
    channel = FailureChannel(stack, "Failures", queue=orders)
    with refusal("queue must be a queue that feeds a function", "'Stack/Orders'"):
        channel.dead_letter_queue_for(orders)


@pytest.mark.parametrize(
    ("region", "account"), [("eu-west-1", "444455556666"), ("us-east-1", "111122223333")]
)
def test_rejects_a_queue_of_another_environment(app: cdk.App, region: str, account: str) -> None:
    """A dead-letter queue is in the account and Region of its source."""

    def stack_in(id: str, region: str, account: str) -> cdk.Stack:
        return cdk.Stack(app, id, env=cdk.Environment(region=region, account=account))

    channel = FailureChannel(stack_in("Shared", "eu-west-1", "111122223333"), "Failures")
    queue = sqs.Queue(stack_in("Elsewhere", region, account), "Orders")
    with refusal("queue must be in the same (account|Region)", "'Elsewhere/Orders'"):
        channel.dead_letter_queue_for(queue)


def test_rejects_a_queue_of_another_stage(app: cdk.App) -> None:
    """Stages cannot refer to each other."""
    channel = FailureChannel(cdk.Stack(app, "Shared"), "Failures")
    queue = sqs.Queue(cdk.Stack(cdk.Stage(app, "Production"), "Orders"), "Queue")
    with refusal("queue must be in the channel's app or stage", "'Production/Orders/Queue'"):
        channel.dead_letter_queue_for(queue)


def test_rejects_queues_of_one_id(app: cdk.App) -> None:
    """One in the channel's stack may have the path of one in another stack."""
    shared, orders = cdk.Stack(app, "Shared"), cdk.Stack(app, "Orders")
    channel = FailureChannel(shared, "Failures")
    channel.dead_letter_queue_for(sqs.Queue(Construct(shared, "Orders"), "Queue"))
    queue = sqs.Queue(orders, "Queue")
    with refusal("queue must have a path of its own", "'Orders/Queue'"):
        channel.dead_letter_queue_for(queue)
    assert channel.dead_letter_queue_for(sqs.Queue(orders, "Other"))


@pytest.mark.parametrize("how", ["reference", "dependency"])
def test_rejects_a_queue_of_a_stack_deployed_before(app: cdk.App, how: str) -> None:
    """Two stacks that refer to each other could not be deployed; CDK's own error names no way."""
    orders, shared = cdk.Stack(app, "Orders"), cdk.Stack(app, "Shared")
    channel = FailureChannel(shared, "Failures")
    queue = sqs.Queue(orders, "Queue")
    channel.dead_letter_queue_for(queue)
    if how == "reference":
        cdk.CfnOutput(shared, "Name", value=queue.queue_name)
    else:
        shared.add_dependency(orders)
    with pytest.raises(RuntimeError, match="queue must not be in a stack that is deployed before"):
        app.synth()
