"""Compares FailureNotifiedFunction with the same resources written by hand.

Both sides define N functions' worth of topic, queues, subscriptions, schedule and asynchronous
configuration, in one process, alternating, each time in a fresh app. The handlers are defined
before the clock starts. The template of both sides must hold the same resources.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

os.environ["CDK_VALIDATION"] = "false"

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as targets
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Template
from constructs import Construct

from failure_destinations import FailureChannel, FailureNotifiedFunction

PAYLOAD = {"veryImportantData": "this should not be lost !!!"}
EMAILS = ["developer@example.com", "operator@example.com"]


def define_by_hand(stack: cdk.Stack, id: str, handler: lambda_.Function) -> None:
    """Write what the library defines, with CDK's L2 classes, as its documentation shows them."""
    scope = Construct(stack, id)
    topic = sns.Topic(scope, "Topic", enforce_ssl=True)
    dead_letter_queue = sqs.Queue(
        scope,
        "DeadLetterQueue",
        retention_period=cdk.Duration.days(14),
        enforce_ssl=True,
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        removal_policy=cdk.RemovalPolicy.RETAIN,
    )
    queue = sqs.Queue(
        scope,
        "Queue",
        retention_period=cdk.Duration.days(14),
        enforce_ssl=True,
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        removal_policy=cdk.RemovalPolicy.RETAIN,
    )
    topic.add_subscription(
        subscriptions.SqsSubscription(
            queue, raw_message_delivery=True, dead_letter_queue=dead_letter_queue
        )
    )
    for email in EMAILS:
        topic.add_subscription(
            subscriptions.EmailSubscription(email, dead_letter_queue=dead_letter_queue)
        )
    handler.configure_async_invoke(
        on_failure=destinations.SnsDestination(topic), retry_attempts=1
    )
    role = iam.Role(
        scope,
        "ScheduleRole",
        assumed_by=iam.ServicePrincipal(
            "scheduler.amazonaws.com",
            conditions={"StringEquals": {"aws:SourceAccount": stack.account}},
        ),
        inline_policies={
            "Deliver": iam.PolicyDocument(
                statements=[
                    iam.PolicyStatement(
                        actions=["lambda:InvokeFunction"], resources=[handler.function_arn]
                    ),
                    iam.PolicyStatement(
                        actions=["sqs:SendMessage"], resources=[dead_letter_queue.queue_arn]
                    ),
                ]
            )
        },
    )
    scheduler.Schedule(
        scope,
        "Schedule",
        schedule=scheduler.ScheduleExpression.rate(cdk.Duration.minutes(1)),
        target=targets.LambdaInvoke(
            handler,
            role=role.without_policy_updates(),
            input=scheduler.ScheduleTargetInput.from_object(PAYLOAD),
            dead_letter_queue=dead_letter_queue,
        ),
    )


def define_with_library(stack: cdk.Stack, id: str, handler: lambda_.Function) -> None:
    """Write the same with the library."""
    FailureNotifiedFunction(
        stack,
        id,
        handler=handler,
        schedule=scheduler.ScheduleExpression.rate(cdk.Duration.minutes(1)),
        payload=PAYLOAD,
        retries=1,
        emails=EMAILS,
    )
