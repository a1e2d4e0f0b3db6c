"""An app whose functions are called in every way that an engine supports, covered and not."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as scheduler_targets
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs

from failure_destinations import FailureChannel

STACK = "Audited"


def define_app() -> cdk.App:
    """Define the app."""
    app = cdk.App()
    stack = cdk.Stack(app, STACK)
    # Copies would cover every alias too.
    channel = FailureChannel(stack, "Failures", keep_copies=False)
    queue = sqs.Queue(stack, "Undelivered")
    hourly = events.Schedule.rate(cdk.Duration.hours(1))

    def function(id: str, **properties: object) -> lambda_.Function:
        return lambda_.Function(
            stack,
            id,
            runtime=lambda_.Runtime.PYTHON_3_13,
            handler="index.handler",
            code=lambda_.Code.from_inline("def handler(event, context): ..."),
            **properties,  # type: ignore[arg-type]
        )

    function("NobodyCalls")

    ruled = function("Ruled")
    events.Rule(stack, "Hourly", schedule=hourly, targets=[targets.LambdaFunction(ruled)])

    bus = events.EventBus(stack, "Bus")
    orders = function("Orders")
    channel.notify_failures_of(orders)
    events.Rule(
        stack,
        "Ordered",
        event_bus=bus,
        event_pattern=events.EventPattern(source=["orders"]),
        targets=[targets.LambdaFunction(orders, dead_letter_queue=queue)],
    )

    scheduled = function("Scheduled")
    scheduler.Schedule(
        stack,
        "Schedule",
        schedule=scheduler.ScheduleExpression.rate(cdk.Duration.hours(1)),
        target=scheduler_targets.LambdaInvoke(scheduled, dead_letter_queue=queue),
    )

    topic = sns.Topic(stack, "Topic")
    subscribed, dead_lettered = function("Subscribed"), function("Dead", dead_letter_queue=queue)
    topic.add_subscription(subscriptions.LambdaSubscription(subscribed))
    topic.add_subscription(subscriptions.LambdaSubscription(dead_lettered, dead_letter_queue=queue))

    bucket = s3.Bucket(stack, "Bucket")
    notified = function("Notified")
    notified.add_event_source(sources.S3EventSourceV2(bucket, events=[s3.EventType.OBJECT_CREATED]))

    aliased = function("Aliased")
    channel.notify_failures_of(aliased)
    live = aliased.add_alias("live")
    events.Rule(stack, "ThroughAlias", schedule=hourly, targets=[targets.LambdaFunction(live)])

    first = function("First", on_success=destinations.LambdaDestination(function("Second")))
    events.Rule(stack, "Chain", schedule=hourly, targets=[targets.LambdaFunction(first)])

    mailed = function("Mailed")
    mailed.add_permission("Mail", principal=iam.ServicePrincipal("ses.amazonaws.com"))
    asked = function("Asked")
    asked.add_permission("Api", principal=iam.ServicePrincipal("apigateway.amazonaws.com"))

    function("PolledQueue").add_event_source(sources.SqsEventSource(sqs.Queue(stack, "Polled")))
    redriven = sqs.Queue(
        stack,
        "Redriven",
        visibility_timeout=cdk.Duration.seconds(4),
        dead_letter_queue=sqs.DeadLetterQueue(queue=queue, max_receive_count=5),
    )
    function("PolledRedriven").add_event_source(sources.SqsEventSource(redriven))
    table = dynamodb.Table(
        stack,
        "Table",
        partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING),
        stream=dynamodb.StreamViewType.NEW_IMAGE,
    )
    function("PolledTable").add_event_source(
        sources.DynamoEventSource(table, starting_position=lambda_.StartingPosition.LATEST)
    )
    return app
