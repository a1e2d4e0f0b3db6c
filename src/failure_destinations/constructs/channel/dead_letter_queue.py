"""The channel's dead-letter queue, which rules and topics of every stack may send to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from aws_cdk import Aws, Reference, Stack, Token, Tokenization
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs

from ..keys import QUEUE_SENDERS
from ..tree import outermost, ref


class DeadLetterQueue(sqs.Queue):
    """A queue whose policy never refers to another stack.

    For `dead_letter_queue`, CDK names the rule or topic in the queue's policy. If that rule or
    topic is in another stack, which refers to the queue, the two stacks would depend on each other.
    The policy then lets the service send for the whole account instead.
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
    """

    def add_to_resource_policy(
        self, statement: iam.PolicyStatement
    ) -> iam.AddToResourcePolicyResult:
        """Add a statement, by account if it names a rule or topic of another stack."""
        service = self._service_elsewhere(statement)
        if not service:
            return super().add_to_resource_policy(statement)
        # The policy leaves out what it has already.
        return super().add_to_resource_policy(
            iam.PolicyStatement(
                actions=list(statement.actions),
                principals=[iam.ServicePrincipal(service)],
                resources=[self.queue_arn],
                conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}},
            )
        )

    def _service_elsewhere(self, statement: iam.PolicyStatement) -> str:
        """Return the service if a statement is only for a sender of another stack, or ""."""
        services = {getattr(principal, "service", "") for principal in statement.principals}
        if len(services) != 1 or not services <= set(QUEUE_SENDERS):
            return ""
        here = outermost(self.stack)
        stacks = [Stack.of(one.target) for one in _references(statement.conditions)]
        is_elsewhere = any(
            ref(outermost(stack)) != ref(here) and stack.account == here.account for stack in stacks
        )
        return services.pop() if is_elsewhere else ""


def _references(value: Any) -> Iterator[Reference]:
    """Yield the references to resources in the values of a statement's conditions."""
    if isinstance(value, dict):
        for one in value.values():
            yield from _references(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from _references(one)
    elif isinstance(value, str) and Token.is_unresolved(value):
        for token in Tokenization.reverse_string(value).tokens:
            if Reference.is_reference(token):
                yield cast(Reference, token)
