"""Mistakes are refused where users make them, in words that name the fix."""

from __future__ import annotations

import datetime
import math
import re
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk.aws_scheduler import ScheduleExpression
from aws_cdk.aws_sns_subscriptions import SqsSubscription
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from failure_destinations import (
    FailureChannel,
    FailureMonitoring,
    FailureNotifiedFunction,
    FailureReplayer,
)

from .conftest import define_handler
from .templates import resources_of

FUNCTION_ARN = "arn:aws:lambda:eu-west-1:111122223333:function:nightly-report"

many = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


def refusal(parameter: str, got: str = "") -> Any:
    """Assert a ValueError that begins with the parameter and names the value and the fix."""
    return pytest.raises(
        ValueError, match=f"(?s)^(?=.*{re.escape(got)}){re.escape(parameter)} .*got .+: .+"
    )


def notify(handler: Any, **settings: Any) -> FailureNotifiedFunction:
    """Define a FailureNotifiedFunction in a stack of its own."""
    return FailureNotifiedFunction(cdk.Stack(), "Notified", handler=handler, **settings)


@pytest.mark.parametrize("retries", [-1, 3, 185, True, False, 1.0, 1.5, "1", None, [1]])
def test_rejects_retries_outside_lambdas_bounds(handler: lambda_.Function, retries: Any) -> None:
    """Retries are an int from 0 to 2, and True is not 1."""
    with refusal("retries", repr(retries)):
        notify(handler, retries=retries)


@given(retries=st.integers() | st.floats() | st.text() | st.booleans() | st.none())
@many
def test_rejects_any_other_retries(handler: lambda_.Function, retries: Any) -> None:
    """Whatever is not 0, 1 or 2 is refused."""
    assume(type(retries) is not int or retries not in (0, 1, 2))
    with refusal("retries"):
        notify(handler, retries=retries)


@pytest.mark.parametrize(
    "age",
    [
        cdk.Duration.seconds(59),
        cdk.Duration.seconds(21_601),
        cdk.Duration.days(1),
        cdk.Duration.millis(60_500),
        60,
        "60s",
        datetime.timedelta(minutes=2),
    ],
    ids=["59 s", "6 h 1 s", "1 day", "60.5 s", "int", "text", "timedelta"],
)
def test_rejects_max_event_age_outside_lambdas_bounds(handler: lambda_.Function, age: Any) -> None:
    """max_event_age is a Duration of whole seconds, from 60 seconds to 6 hours."""
    with refusal("max_event_age"):
        notify(handler, max_event_age=age)


@given(seconds=st.integers(0, 10**9))
@many
def test_accepts_max_event_age_within_lambdas_bounds_only(seconds: int) -> None:
    """The bounds are 60 and 21,600 seconds, both allowed."""
    channel = FailureChannel(stack := cdk.Stack(), "Channel")
    age = cdk.Duration.seconds(seconds)
    if 60 <= seconds <= 21_600:
        channel.notify_failures_of(define_handler(stack), max_event_age=age)
    else:
        with refusal("max_event_age", "seconds"):
            channel.notify_failures_of(define_handler(stack), max_event_age=age)


@pytest.mark.parametrize("retention", [cdk.Duration.seconds(59), cdk.Duration.days(15), 14])
def test_rejects_retention_outside_sqs_bounds(stack: cdk.Stack, retention: Any) -> None:
    """SQS keeps a message 60 seconds to 14 days."""
    with refusal("retention"):
        FailureChannel(stack, "Channel", retention=retention)


@pytest.mark.parametrize("emails", ["a@b.c", b"a@b.c", None, 5])
def test_rejects_emails_that_are_not_a_list(stack: cdk.Stack, emails: Any) -> None:
    """One string is not a list of one."""
    with refusal("emails", repr(emails)):
        FailureChannel(stack, "Channel", emails=emails)


@pytest.mark.parametrize(
    "address",
    [
        *("a@b.c,d@e.f", "a@b.c;d@e.f", "<a@b.c>", "mailto:a@b.c", "a@b@c", "a@b.c."),
        *("", " ", "a", "a.b.c", "a b@c.d", "a@b.c\n", "\ta@b.c", "a\u00a0@b.c", "a@", "@b.c", "@"),
        *("a@\ud800", "${Token[", None, 5, ["a@b.c"]),
    ],
)
def test_rejects_a_bad_address(stack: cdk.Stack, address: Any) -> None:
    """An address has no white space, and text on both sides of the @."""
    with refusal("emails", repr(address)):
        FailureChannel(stack, "Channel", emails=["first@example.com", address])
    with refusal("address", repr(address)):
        FailureChannel(stack, "Channel2").add_email(address)


@given(address=st.text(max_size=40))
@many
def test_rejects_any_text_without_an_at_sign(address: str) -> None:
    """Text without an @ between two other characters is refused."""
    assume(not re.fullmatch(r"[^\s@,;:<>]+@[^\s@,;:<>]+", address))
    with refusal("emails"):
        FailureChannel(cdk.Stack(), "Channel", emails=[address])


def test_rejects_an_address_given_twice(stack: cdk.Stack) -> None:
    """Upper and lower case are one mailbox, which would get each mail twice."""
    with refusal("emails", "'A@Example.com' twice"):
        FailureChannel(stack, "Channel", emails=["a@example.com", "A@Example.com"])


def test_rejects_an_address_added_twice(stack: cdk.Stack) -> None:
    """An address can be added to a channel only once, also later."""
    channel = FailureChannel(stack, "Channel", emails=["a@example.com"])
    with refusal("address", "'A@EXAMPLE.com' twice"):
        channel.add_email("A@EXAMPLE.com")


def test_rejects_a_fifo_queue(stack: cdk.Stack) -> None:
    """Failures cannot reach a FIFO queue, though CDK defines it silently."""
    queue = sqs.Queue(stack, "Orders", fifo=True)
    with refusal("queue", "FIFO queue 'Stack/Orders'"):
        FailureChannel(stack, "Channel", queue=queue)


def test_rejects_an_imported_fifo_queue(stack: cdk.Stack) -> None:
    """The name of an imported queue shows that it is FIFO."""
    queue = sqs.Queue.from_queue_arn(
        stack, "Orders", "arn:aws:sqs:eu-west-1:111122223333:orders.fifo"
    )
    with refusal("queue", "FIFO queue"):
        FailureChannel(stack, "Channel", queue=queue)


def test_rejects_a_fifo_topic(stack: cdk.Stack) -> None:
    """Lambda cannot send to a FIFO topic, though CDK defines it silently."""
    topic = sns.Topic(stack, "Orders", fifo=True)
    with refusal("topic", "FIFO topic 'Stack/Orders'"):
        FailureChannel(stack, "Channel", topic=topic)


def test_rejects_an_imported_fifo_topic(stack: cdk.Stack) -> None:
    """The name of an imported topic shows that it is FIFO."""
    topic = sns.Topic.from_topic_arn(
        stack, "Orders", "arn:aws:sns:eu-west-1:111122223333:orders.fifo"
    )
    with refusal("topic", "FIFO topic"):
        FailureChannel(stack, "Channel", topic=topic)


def test_rejects_a_queue_with_sqs_own_key(stack: cdk.Stack) -> None:
    """SNS may not use the key that AWS manages for SQS."""
    queue = sqs.Queue(stack, "Orders", encryption=sqs.QueueEncryption.KMS_MANAGED)
    with refusal("queue", "'Stack/Orders'"):
        FailureChannel(stack, "Channel", queue=queue)


@pytest.mark.parametrize("parameter", ["queue", "topic"])
def test_rejects_names_instead_of_constructs(stack: cdk.Stack, parameter: str) -> None:
    """A queue or topic is a construct, not its ARN."""
    given_: Any = {parameter: "arn:aws:sqs:eu-west-1:111122223333:orders"}
    with refusal(parameter, "'arn:aws:sqs"):
        FailureChannel(stack, "Channel", **given_)


@pytest.mark.parametrize("given_", ["https://example.com", ["https://example.com"], 5])
def test_rejects_what_is_not_a_subscription(stack: cdk.Stack, given_: Any) -> None:
    """Subscriptions are a list of CDK subscriptions."""
    with refusal("subscriptions", "https" if given_ != 5 else "5"):
        FailureChannel(stack, "Channel", subscriptions=given_)


def test_rejects_s3_as_success_destination(stack: cdk.Stack, handler: lambda_.Function) -> None:
    """Lambda sends only failures to S3, though CDK defines it silently."""
    on_success = destinations.S3Destination(s3.Bucket(stack, "Bucket"))
    with refusal("on_success"):
        FailureNotifiedFunction(stack, "Notified", handler=handler, on_success=on_success)


@pytest.mark.parametrize("where", ["same stack", "other stack", "imported"])
@pytest.mark.parametrize("kind", ["queue", "topic"])
def test_rejects_fifo_as_success_destination(app: cdk.App, kind: str, where: str) -> None:
    """Lambda cannot send to FIFO queues and topics, though CDK defines it silently."""
    stack, other = cdk.Stack(app, "Stack"), cdk.Stack(app, "Other")
    scope = other if where == "other stack" else stack
    on_success: lambda_.IDestination
    if kind == "queue":
        queue: sqs.IQueue = sqs.Queue(scope, "Orders", fifo=True)
        if where == "imported":
            arn = "arn:aws:sqs:eu-west-1:111122223333:orders.fifo"
            queue = sqs.Queue.from_queue_arn(stack, "Imported", arn)
        on_success = destinations.SqsDestination(queue)
    else:
        topic: sns.ITopic = sns.Topic(scope, "Orders", fifo=True)
        if where == "imported":
            arn = "arn:aws:sns:eu-west-1:111122223333:orders.fifo"
            topic = sns.Topic.from_topic_arn(stack, "Imported", arn)
        on_success = destinations.SnsDestination(topic)
    with refusal("on_success", "FIFO"):
        FailureNotifiedFunction(
            stack, "Notified", handler=define_handler(stack), on_success=on_success
        )


def test_rejects_fifo_as_success_destination_of_a_handler_of_another_stack(app: cdk.App) -> None:
    """The same goes for a configuration that is not beside the handler."""
    handlers = cdk.Stack(app, "Handlers")
    on_success = destinations.SqsDestination(sqs.Queue(handlers, "Orders", fifo=True))
    with refusal("on_success", "FIFO 'Handlers/Orders'"):
        FailureNotifiedFunction(
            cdk.Stack(app, "Stack"),
            "Notified",
            handler=define_handler(handlers),
            on_success=on_success,
        )


def test_rejects_what_is_not_a_success_destination(
    stack: cdk.Stack, handler: lambda_.Function
) -> None:
    """A queue must be wrapped in a destination."""
    with refusal("on_success"):
        notify(handler, on_success=sqs.Queue(stack, "Queue"))


@pytest.mark.parametrize("handler_", ["nightly-report", None, FUNCTION_ARN])
def test_rejects_a_handler_that_is_not_a_function(handler_: Any) -> None:
    """A handler is a construct, not its name or ARN."""
    with refusal("handler", repr(handler_)):
        notify(handler_)


def test_rejects_what_stands_for_a_function(stack: cdk.Stack, handler: lambda_.Function) -> None:
    """What is nearly a handler is told how to become one: an L1, a list, a name."""
    resource = lambda_.CfnFunction(
        stack, "L1", code={"zipFile": "x"}, role="arn:aws:iam::111122223333:role/role"
    )
    alias = lambda_.CfnAlias(stack, "A", function_name="a", function_version="1", name="live")
    channel = FailureChannel(stack, "Channel")
    ways_out: list[tuple[Any, str]] = [
        (resource, "from_function_attributes(…) its attr_arn"),
        (alias, "from_alias_attributes"),
        ([handler], "one function at a time"),
        ("nightly-report", "not its name or ARN"),
    ]
    for value, way_out in ways_out:
        with refusal("handler", way_out):
            channel.notify_failures_of(value)


def test_rejects_l1_resources(stack: cdk.Stack) -> None:
    """A topic, queue or key given as an L1 is told how to import it."""
    given_: list[tuple[str, Any]] = [
        ("topic", sns.CfnTopic(stack, "Topic")),
        ("queue", sqs.CfnQueue(stack, "Queue")),
        ("encryption_key", kms.CfnKey(stack, "Key", key_policy={})),
    ]
    for name, resource in given_:
        with refusal(name, ".from_"):
            FailureChannel(stack, "Channel", **{name: resource})


@pytest.mark.parametrize(
    "properties",
    [
        {"retry_attempts": 0},
        {"max_event_age": cdk.Duration.hours(1)},
        {"on_failure": destinations.EventBridgeDestination()},
        {"on_success": destinations.EventBridgeDestination()},
    ],
    ids=lambda properties: next(iter(properties)),
)
def test_rejects_a_handler_configured_already(stack: cdk.Stack, properties: dict[str, Any]) -> None:
    """A function has one asynchronous configuration; the message says where to remove it."""
    handler = define_handler(stack, "Configured", **properties)
    with refusal("handler", "'Stack/Configured'") as refused:
        FailureNotifiedFunction(stack, "Notified", handler=handler)
    assert next(iter(properties)) in str(refused.value)


def test_rejects_a_handler_configured_by_call(stack: cdk.Stack, handler: lambda_.Function) -> None:
    """The same goes for configure_async_invoke."""
    handler.configure_async_invoke(retry_attempts=1)
    with refusal("handler", "configure_async_invoke"):
        FailureNotifiedFunction(stack, "Notified", handler=handler)


def test_rejects_an_alias_configured_already(stack: cdk.Stack, handler: lambda_.Function) -> None:
    """The same goes for an alias, while its function is free."""
    alias = handler.add_alias("live", retry_attempts=1)
    with refusal("handler", "live"):
        FailureNotifiedFunction(stack, "Notified", handler=alias)
    FailureNotifiedFunction(stack, "NotifiedFunction", handler=handler)


def test_rejects_a_handler_of_two_channels(stack: cdk.Stack, handler: lambda_.Function) -> None:
    """A handler sends its failures to one channel."""
    FailureChannel(stack, "One").notify_failures_of(handler)
    with refusal("handler", "'Stack/Handler'"):
        FailureChannel(stack, "Other").notify_failures_of(handler)


def test_rejects_a_handler_of_two_channels_of_other_stacks(app: cdk.App) -> None:
    """The same goes when nothing about the handler is defined in its own stack."""
    handler = define_handler(cdk.Stack(app, "Handlers"))
    FailureNotifiedFunction(cdk.Stack(app, "One"), "Notified", handler=handler)
    with refusal("handler", "'Handlers/Handler'"):
        FailureNotifiedFunction(cdk.Stack(app, "Other"), "Notified", handler=handler)


@pytest.mark.parametrize(
    ("kind", "theirs"),
    [
        ("Region", {"account": "111122223333", "region": "us-east-1"}),
        ("account", {"account": "444455556666", "region": "eu-west-1"}),
    ],
)
def test_rejects_a_handler_of_a_stack_of_another_environment(
    app: cdk.App, kind: str, theirs: dict[str, str]
) -> None:
    """Lambda sends failures to topics of its own account and Region only."""
    here = cdk.Environment(account="111122223333", region="eu-west-1")
    channel = FailureChannel(cdk.Stack(app, "Here", env=here), "Channel")
    handler = define_handler(cdk.Stack(app, "There", env=cdk.Environment(**theirs)))
    with refusal("handler", "'There/Handler'") as refused:
        channel.notify_failures_of(handler)
    assert f"the same {kind}" in str(refused.value)


@pytest.mark.parametrize("how", ["arn", "name", "alias"])
def test_rejects_an_imported_handler_without_role(stack: cdk.Stack, how: str) -> None:
    """Without the role, no policy can let the function publish."""
    function = lambda_.Function.from_function_arn(stack, "Imported", FUNCTION_ARN)
    handlers: dict[str, lambda_.IFunction] = {
        "arn": function,
        "name": lambda_.Function.from_function_name(stack, "Named", "nightly-report"),
        "alias": lambda_.Alias(
            stack,
            "Alias",
            alias_name="live",
            version=lambda_.Version(stack, "Version", lambda_=function),
        ),
    }
    with refusal("handler", "role=…"):
        FailureNotifiedFunction(stack, "Notified", handler=handlers[how])


@pytest.mark.parametrize("qualifier", ["live", "7"])
def test_rejects_a_function_imported_by_a_qualified_arn(stack: cdk.Stack, qualifier: str) -> None:
    """The function would get the configuration, and its alias's failures would be lost."""
    function = lambda_.Function.from_function_attributes(
        stack,
        "Imported",
        function_arn=f"{FUNCTION_ARN}:{qualifier}",
        role=iam.Role.from_role_name(stack, "Role", "nightly-report"),
        same_environment=True,
    )
    with refusal("handler", "Alias.from_alias_attributes"):
        FailureNotifiedFunction(stack, "Notified", handler=function)


def test_rejects_the_latest_version(stack: cdk.Stack, handler: lambda_.Function) -> None:
    """To Lambda $LATEST is the function, which could then be configured twice."""
    with refusal("handler", "latest_version"):
        FailureNotifiedFunction(stack, "Notified", handler=handler.latest_version)


def test_rejects_an_imported_alias_attached_from_another_stack_twice(app: cdk.App) -> None:
    """An imported alias cannot have a marker child; the second attempt is still refused."""
    handlers = cdk.Stack(app, "Handlers")
    function = lambda_.Function.from_function_attributes(
        handlers,
        "Imported",
        function_arn=FUNCTION_ARN,
        role=iam.Role.from_role_name(handlers, "Role", "nightly-report"),
        same_environment=True,
    )
    version = lambda_.Version.from_version_attributes(
        handlers, "Version", lambda_=function, version="7"
    )
    alias = lambda_.Alias.from_alias_attributes(
        handlers, "Alias", alias_name="live", alias_version=version
    )
    FailureNotifiedFunction(cdk.Stack(app, "One"), "Notified", handler=alias)
    with refusal("handler", "asynchronous configuration"):
        FailureNotifiedFunction(cdk.Stack(app, "Other"), "Notified", handler=alias)


def environment(app: cdk.App, id: str, region: str, account: str = "111122223333") -> cdk.Stack:
    """Define a stack with an account and Region."""
    return cdk.Stack(app, id, env=cdk.Environment(account=account, region=region))


@pytest.mark.parametrize(
    ("region", "account"), [("us-east-1", "111122223333"), ("eu-west-1", "444455556666")]
)
def test_rejects_a_handler_of_another_environment(app: cdk.App, region: str, account: str) -> None:
    """Its failures could not reach the channel, or a namesake's would reach it instead."""
    handler = define_handler(
        environment(app, "Handlers", region, account), function_name="nightly-report"
    )
    stack = environment(app, "Stack", "eu-west-1")
    with refusal("handler", region if region != "eu-west-1" else account):
        FailureNotifiedFunction(stack, "Notified", handler=handler)


@pytest.mark.parametrize("parameter", ["topic", "queue", "encryption_key"])
def test_rejects_resources_of_another_region(app: cdk.App, parameter: str) -> None:
    """Topic, queue and key are in the channel's account and Region."""
    stack = environment(app, "Stack", "us-east-1")
    arn = "arn:aws:{}:eu-west-1:111122223333:{}"
    given_: dict[str, Any] = {
        "topic": sns.Topic.from_topic_arn(stack, "Topic", arn.format("sns", "failures")),
        "queue": sqs.Queue.from_queue_arn(stack, "Queue", arn.format("sqs", "failures")),
        "encryption_key": kms.Key.from_key_arn(
            stack, "Key", arn.format("kms", "key/12345678-1234-1234-1234-123456789012")
        ),
    }
    with refusal(parameter, "eu-west-1"):
        FailureChannel(stack, "Channel", **{parameter: given_[parameter]})


def test_rejects_an_alias_of_a_key(stack: cdk.Stack) -> None:
    """Permissions for an alias let nobody use its key."""
    alias = kms.Alias.from_alias_name(stack, "Alias", "alias/failures")
    with refusal("encryption_key", "alias/failures"):
        FailureChannel(stack, "Channel", encryption_key=alias)


@pytest.mark.parametrize("key", ["alias/failures", 5, kms.Key])
def test_rejects_what_is_not_a_key(stack: cdk.Stack, key: Any) -> None:
    """A key is a construct, not its ARN or its class."""
    with refusal("encryption_key"):
        FailureChannel(stack, "Channel", encryption_key=key)


@pytest.mark.parametrize("removal_policy", [None, "destroy"])
def test_rejects_what_is_not_a_removal_policy(stack: cdk.Stack, removal_policy: Any) -> None:
    """None would mean to CDK: delete the queues, with the events in them."""
    with refusal("removal_policy", repr(removal_policy)):
        FailureChannel(stack, "Channel", removal_policy=removal_policy)


def test_rejects_fifo_queues_and_topics_by_an_arn_with_tokens(stack: cdk.Stack) -> None:
    """CDK takes them for standard queues and topics."""
    queue = sqs.Queue.from_queue_arn(stack, "Q", f"arn:aws:sqs:{cdk.Aws.REGION}:1:orders.fifo")
    topic = sns.Topic.from_topic_arn(stack, "T", f"arn:aws:sns:{cdk.Aws.REGION}:1:orders.fifo")
    with refusal("queue", "FIFO"):
        FailureChannel(stack, "Channel", queue=queue)
    with refusal("topic", "FIFO"):
        FailureChannel(stack, "Channel", topic=topic)


def test_rejects_a_subscription_of_a_fifo_queue(stack: cdk.Stack) -> None:
    """A standard topic cannot send to it."""
    subscription = SqsSubscription(sqs.Queue(stack, "Orders", fifo=True))
    with refusal("subscriptions", "'Stack/Orders'"):
        FailureChannel(stack, "Channel", subscriptions=[subscription])


def test_rejects_destinations_and_subscriptions_for_each_other(
    stack: cdk.Stack, handler: lambda_.Function
) -> None:
    """Both have a bind method, one for a function, the other for a topic."""
    queue = sqs.Queue(stack, "Queue")
    with refusal("subscriptions"):
        FailureChannel(
            stack,
            "Channel",
            subscriptions=[destinations.SqsDestination(queue)],  # type: ignore[list-item]
        )
    with refusal("on_success"):
        notify(handler, on_success=SqsSubscription(queue))


@pytest.mark.parametrize("wrapped", ["topic", "queue"])
def test_rejects_successes_among_the_failures(
    stack: cdk.Stack, handler: lambda_.Function, wrapped: str
) -> None:
    """The queue of failed events would fill with successful events."""
    channel = FailureChannel(stack, "Channel")
    on_success: lambda_.IDestination = destinations.SnsDestination(channel.topic)
    if wrapped == "queue":
        on_success = destinations.SqsDestination(channel.queue)
    with refusal("on_success", "'Stack/Channel'"):
        channel.notify_failures_of(handler, on_success=on_success)
    channel.notify_failures_of(handler)


def test_rejects_a_list_known_at_deployment(stack: cdk.Stack) -> None:
    """The number of mailboxes must be known at synthesis."""
    everybody = cdk.CfnParameter(stack, "Everybody", type="CommaDelimitedList")
    with refusal("emails", "Fn.select"):
        FailureChannel(stack, "Channel", emails=everybody.value_as_list)


@pytest.mark.parametrize("parameter", ["retries", "delivery_retries"])
def test_rejects_text_known_at_deployment_as_a_count(parameter: str) -> None:
    """A number comes from the parameter's value_as_number."""
    stack = cdk.Stack()
    text = cdk.CfnParameter(stack, "Count").value_as_string
    with refusal(parameter):
        schedule_it(**{parameter: text})


def test_rejects_another_unit_known_at_deployment(stack: cdk.Stack) -> None:
    """CloudFormation cannot multiply."""
    minutes = cdk.CfnParameter(stack, "Minutes", type="Number").value_as_number
    with refusal("retention", "Duration.seconds"):
        FailureChannel(stack, "Channel", retention=cdk.Duration.minutes(minutes))


@pytest.mark.parametrize("parameter", ["handler", "queue", "topic"])
def test_rejects_classes(stack: cdk.Stack, parameter: str) -> None:
    """A class is not an instance."""
    classes: dict[str, Any] = {"handler": lambda_.Function, "queue": sqs.Queue, "topic": sns.Topic}
    with refusal(parameter):
        if parameter == "handler":
            notify(lambda_.Function)
        else:
            FailureChannel(stack, "Channel", **{parameter: classes[parameter]})


def test_rejects_emails_beside_a_shared_channel(
    stack: cdk.Stack, handler: lambda_.Function
) -> None:
    """The channel notifies people; a second list of people could contradict the first."""
    channel = FailureChannel(stack, "Channel")
    with refusal("emails", "['a@example.com']"):
        notify(handler, channel=channel, emails=["a@example.com"])


def test_rejects_a_channel_that_is_not_one(stack: cdk.Stack, handler: lambda_.Function) -> None:
    """A topic is not a channel."""
    with refusal("channel"):
        notify(handler, channel=sns.Topic(stack, "Topic"))


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("payload", {"a": 1}),
        ("payload", ""),
        ("payload", 0),
        ("delivery_retries", 3),
        ("max_delivery_age", cdk.Duration.hours(1)),
    ],
)
def test_rejects_schedule_settings_without_schedule(
    handler: lambda_.Function, parameter: str, value: Any
) -> None:
    """Settings that only a schedule reads would be ignored without one."""
    with refusal(f"{parameter} needs a schedule,", parameter):
        notify(handler, **{parameter: value})


@pytest.mark.parametrize(
    "schedule",
    ["rate(1 minute)", cdk.Duration.minutes(1), events.Schedule.rate(cdk.Duration.minutes(1))],
    ids=["text", "duration", "rule"],
)
def test_rejects_a_schedule_of_another_kind(handler: lambda_.Function, schedule: Any) -> None:
    """A schedule is one of EventBridge Scheduler, neither text nor a rule's schedule."""
    with refusal("schedule"):
        notify(handler, schedule=schedule)


def schedule_it(**settings: Any) -> FailureNotifiedFunction:
    """Define a scheduled FailureNotifiedFunction in a stack of its own."""
    stack = cdk.Stack()
    return FailureNotifiedFunction(
        stack,
        "Notified",
        handler=define_handler(stack),
        schedule=ScheduleExpression.rate(cdk.Duration.minutes(1)),
        **settings,
    )


@pytest.mark.parametrize("delivery_retries", [-1, 186, True, 1.5, "3"])
def test_rejects_delivery_retries_outside_schedulers_bounds(delivery_retries: Any) -> None:
    """EventBridge Scheduler retries 0 to 185 times."""
    with refusal("delivery_retries", repr(delivery_retries)):
        schedule_it(delivery_retries=delivery_retries)


@pytest.mark.parametrize("age", [cdk.Duration.seconds(59), cdk.Duration.hours(25), 3600])
def test_rejects_max_delivery_age_outside_schedulers_bounds(age: Any) -> None:
    """EventBridge Scheduler retries for 60 seconds to 24 hours."""
    with refusal("max_delivery_age"):
        schedule_it(max_delivery_age=age)


class Unknown:
    """Something that JSON has no word for."""

    def __repr__(self) -> str:
        return "Unknown()"


CIRCULAR: list[Any] = []
CIRCULAR.append(CIRCULAR)


@pytest.mark.parametrize(
    ("payload", "got"),
    [
        ({1: "a"}, "1 at payload"),
        ({"a": {None: 1}}, "None at payload['a']"),
        ({"a": [1, {2}]}, "{2} at payload['a'][1]"),
        (b"bytes", "b'bytes'"),
        (Unknown(), "Unknown"),
        (math.nan, "nan"),
        ([math.inf], "inf at payload[0]"),
        ({"a": -math.inf}, "-inf"),
        ("\ud800", "surrogate pair"),
        ({"\udfff": 1}, "surrogate pair"),
        (datetime.date(2026, 11, 2), "datetime.date"),
        (CIRCULAR, "nested too deeply"),
    ],
    ids=str,
)
def test_rejects_a_payload_that_json_cannot_hold(payload: Any, got: str) -> None:
    """The handler would not get it unchanged; the message says where in the payload it is."""
    with refusal("payload", got):
        schedule_it(payload=payload)


def test_rejects_a_payload_over_1_mb() -> None:
    """Lambda takes 1 MB; the limit applies to the JSON text, with its quotes."""
    limit = 1024 * 1024
    assert schedule_it(payload="x" * (limit - 2)).schedule is not None
    with refusal("payload", "1,048,577"):
        schedule_it(payload="x" * (limit - 1))


def test_defines_nothing_when_it_refuses(stack: cdk.Stack, handler: lambda_.Function) -> None:
    """After a refusal the id is still free, and no part of a channel is left."""
    before = len(stack.node.find_all())
    with refusal("retries"):
        FailureNotifiedFunction(stack, "Notified", handler=handler, retries=9)
    with refusal("emails"):
        FailureChannel(stack, "Notified", emails=["nobody"])
    assert len(stack.node.find_all()) == before
    FailureNotifiedFunction(stack, "Notified", handler=handler)


def test_refuses_everything_before_defining(stack: cdk.Stack, handler: lambda_.Function) -> None:
    """Bad emails for a function's own channel also leave nothing behind."""
    with refusal("emails"):
        FailureNotifiedFunction(stack, "Notified", handler=handler, emails=["nobody"])
    assert resources_of(stack, "AWS::SNS::Topic") == {}


def test_defines_nothing_when_a_bound_destination_is_refused(
    stack: cdk.Stack, handler: lambda_.Function
) -> None:
    """The handler can then be attached with a destination that Lambda supports."""
    channel = FailureChannel(stack, "Channel")
    fifo = destinations.SqsDestination(sqs.Queue(stack, "Orders", fifo=True))
    with refusal("on_success"):
        channel.notify_failures_of(handler, on_success=fifo)
    channel.notify_failures_of(handler)


@pytest.mark.parametrize("scope", [None, "Stack", cdk.App()], ids=["None", "name", "app"])
@pytest.mark.parametrize(
    "define",
    [
        lambda scope, _stack: FailureChannel(scope, "Channel"),
        lambda scope, stack: FailureNotifiedFunction(scope, "N", handler=define_handler(stack)),
        lambda scope, stack: FailureMonitoring(scope, "M", channel=FailureChannel(stack, "C")),
        lambda scope, stack: FailureReplayer(scope, "R", channel=FailureChannel(stack, "C")),
    ],
    ids=["channel", "notified function", "monitoring", "replayer"],
)
def test_rejects_a_scope_outside_a_stack(stack: cdk.Stack, define: Any, scope: Any) -> None:
    """Resources cannot be defined in an app, or in something that is not a construct."""
    with refusal("scope", repr(scope)):
        define(scope, stack)


@pytest.mark.parametrize("grantee", [None, "operator-role", 1])
def test_rejects_what_is_not_a_grantee(stack: cdk.Stack, grantee: Any) -> None:
    """A role's name is not a grantee."""
    channel = FailureChannel(stack, "Channel")
    replayer = FailureReplayer(stack, "Replayer", channel=channel)
    for grant in (channel.grant_consume_failures, replayer.grant_consume_parked):
        with refusal("grantee", repr(grantee)):
            grant(grantee)
