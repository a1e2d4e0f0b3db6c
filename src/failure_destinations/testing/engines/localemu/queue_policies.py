"""A patch that makes localemu's SNS deliver only to queues whose policy allows it.

It applies to subscribed queues and to the dead-letter queues of subscriptions. localemu 1.3.2 does
not evaluate queue policies.
https://docs.aws.amazon.com/sns/latest/dg/subscribe-sqs-queue-to-sns-topic.html
"""

# localemu is installed where this module runs, not where it is type-checked.
# mypy: disable-error-code="import-not-found"

from __future__ import annotations

import functools
import json
from typing import Any

from localemu.aws.api import CommonServiceException
from localemu.services.iam_enforcement.action_matcher import matches_action
from localemu.services.iam_enforcement.condition_evaluator import matches_conditions
from localemu.services.iam_enforcement.resource_matcher import matches_resource
from localemu.services.sqs.provider import SqsProvider

_SNS = "sns.amazonaws.com"
# arn:aws:sns:region:account:topic, followed by an id for a subscription.
_TOPIC_ARN_PARTS = 6


def apply() -> None:
    """Patch localemu."""
    for operation in ("send_message", "send_message_batch"):
        setattr(SqsProvider, operation, _allowed_by_policy(getattr(SqsProvider, operation)))


def _allowed_by_policy(operation: Any) -> Any:
    @functools.wraps(operation)
    def send(provider: Any, context: Any, queue_url: str, *args: Any, **kwargs: Any) -> Any:
        sender = context.internal_request_params or {}
        if sender.get("service_principal") == "sns":
            queue = provider._resolve_queue(context, queue_url=queue_url)
            if not _allows_sns_to_send(queue, sender["source_arn"]):
                raise CommonServiceException(
                    "AccessDenied",
                    f"the policy of queue {queue.arn} does not allow SNS to send",
                    403,
                )
        return operation(provider, context, queue_url, *args, **kwargs)

    return send


def _allows_sns_to_send(queue: Any, source_arn: str) -> bool:
    topic = ":".join(source_arn.split(":")[:_TOPIC_ARN_PARTS])
    facts = {
        "aws:SourceArn": topic,
        "aws:SourceAccount": topic.split(":")[-2],
        "aws:SecureTransport": "true",
    }
    policy = json.loads(queue.attributes.get("Policy") or "{}")
    effects = {
        statement["Effect"]
        for statement in policy.get("Statement", ())
        if _names_sns(statement.get("Principal"))
        and matches_action(statement, "sqs:SendMessage")
        and matches_resource(statement, queue.arn, facts)
        and matches_conditions(statement, facts)
    }
    return effects == {"Allow"}


def _names_sns(principal: Any) -> bool:
    if not isinstance(principal, dict):
        return bool(principal == "*")
    named = [principal.get("Service"), principal.get("AWS")]
    flat = [name for names in named for name in (names if isinstance(names, list) else [names])]
    return _SNS in flat or "*" in flat
