"""The roles, functions and schedule of a notifier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import Aws, Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as targets
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from failure_destinations.runtime.notifier import TICK

from .. import keys
from ..channel.wiring import Wiring
from ..log_group import define_log_group
from ..runtime_code import RUNTIME, runtime_code
from ..suppressions import DATA_KEYS, acknowledge, suppress_for_notifier_function

# SQS's own advice for a queue that feeds a function.
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
VISIBILITY_FACTOR = 6
_READ_QUEUE = (
    "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
)


class NotifierFunction:
    """A function of `runtime/`, with a log group and a role that may do what is added and no more.

    Args:
        scope: The construct to define it in.
        id: The function's id; the role's and log group's begin with `prefix`.
        wiring: The channel's wiring, for its key.
        prefix: What the ids of role and log group begin with.
        handler: Its handler, such as `runtime.notifier.handler`.
        description: What it does.
        timeout: Its timeout in seconds.
        memory: Its memory in MB.

    Attributes:
        function: The function.
        role: Its role.
        log_group: Its log group.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        wiring: Wiring,
        *,
        prefix: str,
        handler: str,
        description: str,
        timeout: int,
        memory: int,
    ) -> None:
        self.log_group = define_log_group(scope, wiring, "notifier's log groups", f"{prefix}Logs")
        self.role = iam.Role(
            scope, f"{prefix}Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com")
        )
        self.allow(["logs:CreateLogStream", "logs:PutLogEvents"], self.log_group.log_group_arn)
        if wiring.key is not None:
            self.role.add_to_policy(keys.statement(keys.SEND, wiring.key))
            acknowledge(self.role, DATA_KEYS)
        self.function = lambda_.Function(
            scope,
            id,
            description=description[:256],
            runtime=RUNTIME,
            handler=handler,
            code=runtime_code(),
            role=self.role,
            log_group=self.log_group,
            timeout=Duration.seconds(timeout),
            memory_size=memory,
        )
        suppress_for_notifier_function(
            self.function, self.log_group, encrypted=wiring.key is not None
        )

    def allow(self, actions: Sequence[str], resource: str) -> iam.PolicyStatement:
        """Let the function do something with one resource, and return the statement."""
        statement = iam.PolicyStatement(actions=list(actions), resources=[resource])
        self.role.add_to_policy(statement)
        return statement

    def let_receive(self, queue: sqs.IQueue) -> None:
        """Let the function receive from a queue, and hide and delete messages."""
        self.allow(_READ_QUEUE, queue.queue_arn)

    def set_environment(self, values: Mapping[str, str]) -> None:
        """Set environment variables."""
        for name, value in values.items():
            self.function.add_environment(name, value)


def define_schedule(
    scope: Construct, id: str, role_id: str, queue: sqs.IQueue, wiring: Wiring
) -> scheduler.Schedule:
    """Define the schedule that sends a tick to a queue each minute, and its role."""
    statements: list[dict[str, Any]] = [{"Action": "sqs:SendMessage", "Resource": queue.queue_arn}]
    if wiring.key is not None:
        statements.append({"Action": list(keys.SEND), "Resource": wiring.key.key_arn})
    group = f"arn:{Aws.PARTITION}:scheduler:{Aws.REGION}:{Aws.ACCOUNT_ID}:schedule-group/default"
    role = iam.Role(
        scope,
        role_id,
        # https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
        assumed_by=iam.ServicePrincipal(
            "scheduler.amazonaws.com",
            conditions={
                "StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID, "aws:SourceArn": group}
            },
        ),
        inline_policies={
            "Tick": iam.PolicyDocument.from_json(
                {"Statement": [{"Effect": "Allow", **each} for each in statements]}
            )
        },
    )
    if wiring.key is not None:
        acknowledge(role, DATA_KEYS)
    return scheduler.Schedule(
        scope,
        id,
        schedule=scheduler.ScheduleExpression.rate(Duration.minutes(1)),
        target=targets.SqsSendMessage(
            queue,
            role=role.without_policy_updates(),
            input=scheduler.ScheduleTargetInput.from_object(TICK),
            # The next tick is a minute away.
            retry_attempts=0,
            max_event_age=Duration.seconds(60),
        ),
    )
