"""The role of the replayer's function: access to its queues, its log group and the handlers."""

from __future__ import annotations

from aws_cdk import Annotations, ArnFormat, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from .. import keys
from ..channel.wiring import Wiring
from ..suppressions import DATA_KEYS, acknowledge, acknowledge_mappings

# A warning from 80 on leaves room: with names of 64 characters 87 fit into the 10,240 characters
# that all policies of a role may have together, fewer with qualifiers or in another partition.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
MAX_INVOCABLE = 80
_RECEIVE = [
    "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
]


class ReplayerRole:
    """Defines the role, and lets it invoke handlers as they are attached.

    Args:
        scope: The replayer.
        wiring: The wiring of its channel.
        parked_queue: The queue to which it sends the events that it gives up on.
        log_group: The log group to which it writes.

    Attributes:
        role: The role.
    """

    def __init__(
        self,
        scope: Construct,
        wiring: Wiring,
        parked_queue: sqs.IQueue,
        log_group: logs.ILogGroup,
    ) -> None:
        self._scope = scope
        self._may_invoke: iam.PolicyStatement | None = None
        self._invocable: set[str] = set()
        self.role = iam.Role(scope, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        # The copies are for records without their payload.
        copies = [] if wiring.copy_queue is None else [wiring.copy_queue_arn]
        for actions, resources in (
            (["logs:CreateLogStream", "logs:PutLogEvents"], [log_group.log_group_arn]),
            (_RECEIVE, [wiring.queue.queue_arn, *copies]),
            (["sqs:SendMessage"], [parked_queue.queue_arn]),
        ):
            self.role.add_to_policy(iam.PolicyStatement(actions=actions, resources=resources))
        queue_key = wiring.queue.encryption_master_key
        if wiring.key is not None:
            self.role.add_to_policy(keys.statement(keys.SEND, wiring.key))
            acknowledge(self.role, DATA_KEYS)
        if queue_key is not None and (wiring.key is None or not wiring.owns_queue):
            self.role.add_to_policy(keys.statement(keys.RECEIVE, queue_key))

    def let_read_mappings(self) -> None:
        """Let the role read which alias or version an event source mapping invokes."""
        arn = Stack.of(self._scope).format_arn(
            service="lambda",
            resource="event-source-mapping",
            resource_name="*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        self.role.add_to_policy(
            iam.PolicyStatement(actions=["lambda:GetEventSourceMapping"], resources=[arn])
        )
        acknowledge_mappings(self.role, arn)

    def let_invoke(self, arn: str) -> bool:
        """Let the role invoke another handler; return whether that defined `invoke_policy`.

        Args:
            arn: The ARN that callers use: a permission for a function does not cover its aliases.
                https://docs.aws.amazon.com/lambda/latest/dg/lambda-api-permissions-ref.html
        """
        if arn in self._invocable:
            # Asynchronous events and batches of one handler.
            return False
        self._invocable.add(arn)
        if len(self._invocable) == MAX_INVOCABLE + 1:
            Annotations.of(self._scope).add_warning_v2(
                "failure-destinations:many-handlers",
                f"more than {MAX_INVOCABLE} handlers are in the replayer's policy, and IAM "
                "allows at most 10,240 characters: that is about 87 handlers with names of "
                "64 characters. Define further handlers in other stacks, where each one gets a "
                "permission of its own for the replayer, or give them another channel and "
                "replayer.",
            )
        if self._may_invoke is not None:
            self._may_invoke.add_resources(arn)
            return False
        self._may_invoke = iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=[arn])
        # A separate policy, because the function depends on the role's own one: it would depend on
        # every handler, and no handler could refer to it.
        self.invoke_policy = iam.Policy(
            self._scope, "InvokePolicy", roles=[self.role], statements=[self._may_invoke]
        )
        return True
