"""The EventBridge Scheduler schedule that starts a handler, with its role and dead-letter queue."""

from __future__ import annotations

import functools
from typing import Any, cast

from aws_cdk import Annotations, Aws, Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as targets
from constructs import Construct

from . import keys
from .channel.wiring import Wiring
from .payload import Payload
from .refusals import check_age, checked_count, is_token, shown
from .suppressions import DATA_KEYS, acknowledge

# https://docs.aws.amazon.com/scheduler/latest/APIReference/API_RetryPolicy.html
MAX_DELIVERY_RETRIES = 185
MIN_DELIVERY_AGE_SECONDS = 60
MAX_DELIVERY_AGE_SECONDS = 86_400

# An SNS message holds 256 KiB; the invocation record wraps the payload and the error.
# https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
_SNS_SAFE_PAYLOAD_BYTES = 240 * 1024


class Delivery:
    """How EventBridge Scheduler starts a handler: first checked, then defined."""

    def __init__(
        self,
        schedule: scheduler.ScheduleExpression,
        *,
        payload: Any,
        delivery_retries: int | None,
        max_delivery_age: Duration | None,
    ) -> None:
        """Raise ValueError for settings that Scheduler or Lambda would reject or misinterpret."""
        if not isinstance(schedule, scheduler.ScheduleExpression):
            raise ValueError(
                f"schedule must be an aws_scheduler.ScheduleExpression, got {shown(schedule)}: "
                "write for example ScheduleExpression.rate(Duration.minutes(1))"
            )
        self._retries: float | None = None
        if delivery_retries is not None:
            self._retries = checked_count(
                "delivery_retries",
                delivery_retries,
                MAX_DELIVERY_RETRIES,
                "EventBridge Scheduler's limit for handing an event to Lambda",
            )
        check_age(
            "max_delivery_age", max_delivery_age, MIN_DELIVERY_AGE_SECONDS, MAX_DELIVERY_AGE_SECONDS
        )
        self._schedule = schedule
        self._payload = None if payload is None else Payload(payload)
        self._max_age = max_delivery_age
        # CDK's target would mistake a token for a number below 0.
        self._overrides: dict[str, float] = {}
        if is_token(self._retries):
            self._overrides["MaximumRetryAttempts"] = cast(float, self._retries)
            self._retries = None
        if max_delivery_age is not None and max_delivery_age.is_unresolved():
            self._max_age = None
            self._overrides["MaximumEventAgeInSeconds"] = max_delivery_age.to_seconds()

    def define(
        self, scope: Construct, handler: lambda_.IFunction, wiring: Wiring
    ) -> scheduler.Schedule:
        """Define the schedule, and a role that may start this handler and nothing else."""
        if self._payload is not None and self._payload.size > _SNS_SAFE_PAYLOAD_BYTES:
            kept = "would be lost" if wiring.copy_queue is None else "would be in its copy only"
            Annotations.of(scope).add_warning_v2(
                "failure-destinations:payload-over-sns-limit",
                f"payload has {self._payload.size:,} bytes: Lambda sends no invocation record "
                f"of over 256 KiB to SNS with its payload, so that of a failed run {kept}, and "
                "perhaps nobody is notified. Keep the payload in S3 and pass its key.",
            )
        role = iam.Role(
            scope,
            "ScheduleRole",
            assumed_by=_scheduler_service(),
            inline_policies={"Deliver": _delivery_policy(handler, wiring)},
        )
        if wiring.key is not None:
            acknowledge(role, DATA_KEYS)
        schedule = scheduler.Schedule(
            scope,
            "Schedule",
            schedule=self._schedule,
            target=targets.LambdaInvoke(
                handler,
                # The role's single policy is complete; CDK's own grants would add every version.
                role=role.without_policy_updates(),
                input=None if self._payload is None else self._payload.target_input(scope),
                dead_letter_queue=wiring.dead_letter_queue,
                retry_attempts=self._retries,
                max_event_age=self._max_age,
            ),
        )
        for name, value in self._overrides.items():
            resource = cast(scheduler.CfnSchedule, schedule.node.default_child)
            resource.add_property_override(f"Target.RetryPolicy.{name}", value)
        wiring.schedules.append(schedule)
        return schedule


def _delivery_policy(handler: lambda_.IFunction, wiring: Wiring) -> iam.PolicyDocument:
    statements: list[dict[str, Any]] = [
        {"Action": "lambda:InvokeFunction", "Resource": handler.function_arn},
        {"Action": "sqs:SendMessage", "Resource": wiring.dead_letter_queue.queue_arn},
    ]
    if wiring.key is not None:
        statements.append({"Action": list(keys.SEND), "Resource": wiring.key.key_arn})
    # One call to Node instead of one for each statement.
    return iam.PolicyDocument.from_json(
        {"Statement": [{"Effect": "Allow", **statement} for statement in statements]}
    )


@functools.cache
def _scheduler_service() -> iam.ServicePrincipal:
    """Return the principal of Scheduler, restricted to this account's default schedule group.

    https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
    """
    group = f"arn:{Aws.PARTITION}:scheduler:{Aws.REGION}:{Aws.ACCOUNT_ID}:schedule-group/default"
    return iam.ServicePrincipal(
        "scheduler.amazonaws.com",
        conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID, "aws:SourceArn": group}},
    )
