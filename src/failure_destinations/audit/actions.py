"""Every operation that an audit calls, and the IAM policy that allows them all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Action:
    """A read-only operation.

    Attributes:
        service: The boto3 name of the service.
        operation: The boto3 name of the operation.
        permission: The IAM action that allows it.
        answers: What is not known without it; completes the sentence `Not known: …`.
        items: The member of the answer that holds a list; empty if the answer has no pages.
        token: The parameter that asks for the next page.
        next_token: The member of the answer that holds the token.
    """

    service: str
    operation: str
    permission: str
    answers: str
    items: str = ""
    token: str = "NextToken"  # noqa: S105 - not a secret
    next_token: str = "NextToken"  # noqa: S105


GET_CALLER_IDENTITY = Action(
    "sts", "get_caller_identity", "sts:GetCallerIdentity", "which account it is"
)
DESCRIBE_REGIONS = Action(
    "ec2", "describe_regions", "ec2:DescribeRegions", "which Regions are enabled", "Regions"
)
LIST_FUNCTIONS = Action(
    "lambda",
    "list_functions",
    "lambda:ListFunctions",
    "which functions there are",
    "Functions",
    "Marker",
    "NextMarker",
)
LIST_CONFIGS = Action(
    "lambda",
    "list_function_event_invoke_configs",
    "lambda:ListFunctionEventInvokeConfigs",
    "where the failures of functions go",
    "FunctionEventInvokeConfigs",
    "Marker",
    "NextMarker",
)
LIST_ALIASES = Action(
    "lambda",
    "list_aliases",
    "lambda:ListAliases",
    "which aliases functions have, and who may call these",
    "Aliases",
    "Marker",
    "NextMarker",
)
LIST_MAPPINGS = Action(
    "lambda",
    "list_event_source_mappings",
    "lambda:ListEventSourceMappings",
    "which streams and queues functions read",
    "EventSourceMappings",
    "Marker",
    "NextMarker",
)
GET_QUEUE_URL = Action(
    "sqs", "get_queue_url", "sqs:GetQueueUrl", "whether queues of event source mappings exist"
)
GET_QUEUE = Action(
    "sqs",
    "get_queue_attributes",
    "sqs:GetQueueAttributes",
    "which dead-letter queues the queues of event source mappings have",
)
LIST_DEAD_LETTER_SOURCES = Action(
    "sqs",
    "list_dead_letter_source_queues",
    "sqs:ListDeadLetterSourceQueues",
    "which queues are dead-letter queues of others",
    "queueUrls",
)
DESCRIBE_STREAM = Action(
    "kinesis",
    "describe_stream_summary",
    "kinesis:DescribeStreamSummary",
    "how long streams keep their records",
)
DESCRIBE_ALARMS = Action(
    "cloudwatch",
    "describe_alarms",
    "cloudwatch:DescribeAlarms",
    "which dead-letter queues alarms watch",
    "MetricAlarms",
)
GET_POLICY = Action("lambda", "get_policy", "lambda:GetPolicy", "which services may call functions")
LIST_BUSES = Action(
    "events",
    "list_event_buses",
    "events:ListEventBuses",
    "which event buses there are",
    "EventBuses",
)
LIST_RULES = Action("events", "list_rules", "events:ListRules", "which rules there are", "Rules")
LIST_TARGETS = Action(
    "events",
    "list_targets_by_rule",
    "events:ListTargetsByRule",
    "which functions rules call",
    "Targets",
)
LIST_SCHEDULES = Action(
    "scheduler",
    "list_schedules",
    "scheduler:ListSchedules",
    "which functions schedules call",
    "Schedules",
)
GET_SCHEDULE = Action(
    "scheduler",
    "get_schedule",
    "scheduler:GetSchedule",
    "which functions schedules call, and where undelivered events go",
)
LIST_SUBSCRIPTIONS = Action(
    "sns",
    "list_subscriptions",
    "sns:ListSubscriptions",
    "which functions topics call",
    "Subscriptions",
)
GET_SUBSCRIPTION = Action(
    "sns",
    "get_subscription_attributes",
    "sns:GetSubscriptionAttributes",
    "where undelivered messages of subscriptions go",
)
LIST_BUCKETS = Action(
    "s3",
    "list_buckets",
    "s3:ListAllMyBuckets",
    "which buckets there are",
    "Buckets",
    "ContinuationToken",
    "ContinuationToken",
)
GET_BUCKET_LOCATION = Action(
    "s3", "get_bucket_location", "s3:GetBucketLocation", "in which Region buckets are"
)
GET_NOTIFICATION = Action(
    "s3",
    "get_bucket_notification_configuration",
    "s3:GetBucketNotification",
    "which functions buckets call",
)
LIST_PIPES = Action("pipes", "list_pipes", "pipes:ListPipes", "which pipes there are", "Pipes")
DESCRIBE_PIPE = Action(
    "pipes", "describe_pipe", "pipes:DescribePipe", "which functions pipes call without waiting"
)
LIST_PIPELINES = Action(
    "codepipeline",
    "list_pipelines",
    "codepipeline:ListPipelines",
    "which pipelines there are",
    "pipelines",
    "nextToken",
    "nextToken",
)
GET_PIPELINE = Action(
    "codepipeline",
    "get_pipeline",
    "codepipeline:GetPipeline",
    "which functions pipelines call",
)
LIST_STATE_MACHINES = Action(
    "stepfunctions",
    "list_state_machines",
    "states:ListStateMachines",
    "which state machines there are",
    "stateMachines",
    "nextToken",
    "nextToken",
)
DESCRIBE_STATE_MACHINE = Action(
    "stepfunctions",
    "describe_state_machine",
    "states:DescribeStateMachine",
    "which functions state machines call without waiting",
)
LIST_USER_POOLS = Action(
    "cognito-idp",
    "list_user_pools",
    "cognito-idp:ListUserPools",
    "which functions user pools call without waiting",
    "UserPools",
)
LIST_METRICS = Action(
    "cloudwatch",
    "list_metrics",
    "cloudwatch:ListMetrics",
    "which functions received asynchronous events",
    "Metrics",
)
GET_METRICS = Action(
    "cloudwatch",
    "get_metric_data",
    "cloudwatch:GetMetricData",
    "how many asynchronous events functions received",
    "MetricDataResults",
)

ACTIONS: tuple[Action, ...] = tuple(one for one in vars().values() if isinstance(one, Action))
"""All of them."""


def policy() -> dict[str, Any]:
    """Return the IAM policy that an audit needs. It is read-only."""
    statement = {
        "Sid": "FailureDestinationsAudit",
        "Effect": "Allow",
        "Action": sorted(action.permission for action in ACTIONS),
        # Most list operations cannot be limited to a resource.
        "Resource": "*",
    }
    return {"Version": "2012-10-17", "Statement": [statement]}
