"""The IAM actions that `doctor` needs: the one list of its docs, of FailureWatchdog and of tests.

Standard library only, so that constructs and tools without the CDK read the same list.
"""

from __future__ import annotations

READ_STACK = (
    "cloudformation:GetTemplate",
    "cloudformation:ListStackResources",
)
"""To read the stack of the channel."""

EXAMINE = (
    "cloudwatch:DescribeAlarms",
    "cloudwatch:GetAlarmMuteRule",
    "cloudwatch:GetMetricData",
    "cloudwatch:ListAlarmMuteRules",
    "iam:GetRole",
    "iam:SimulatePrincipalPolicy",
    "kms:DescribeKey",
    "kms:GetKeyPolicy",
    "lambda:GetEventSourceMapping",
    "lambda:GetFunctionConfiguration",
    "lambda:GetFunctionEventInvokeConfig",
    "lambda:ListEventSourceMappings",
    "lambda:ListFunctionEventInvokeConfigs",
    "lambda:ListFunctions",
    "scheduler:GetSchedule",
    "secretsmanager:DescribeSecret",
    "sns:GetSubscriptionAttributes",
    "sns:GetTopicAttributes",
    "sns:ListSubscriptionsByTopic",
    "sqs:GetQueueAttributes",
    "sqs:GetQueueUrl",
    "ssm:DescribeParameters",
)
"""To examine the channel and its handlers, in whichever stack they are."""

READ_STREAMS = ("kinesis:DescribeStreamSummary",)
"""To examine event source mappings: how long their streams keep records."""

READ_BUCKET = (
    "s3:GetBucketNotification",
    "s3:GetBucketPolicy",
    "s3:GetEncryptionConfiguration",
    "s3:GetLifecycleConfiguration",
)
"""To examine the bucket for failed batches, and never an object in it."""

READ_RULE = ("events:DescribeRule", "events:ListTargetsByRule")
"""To examine the rule that announces the bucket's objects."""

READ_SOURCE_QUEUES = ("sqs:ListDeadLetterSourceQueues",)
"""To examine the dead-letter queues of source queues."""

EXAMINE_EVENT_SOURCES = (*READ_RULE, *READ_STREAMS, *READ_BUCKET, *READ_SOURCE_QUEUES)
"""To examine a channel for event sources: its bucket, its rule, its source queues."""

COMPARE = ("sqs:ChangeMessageVisibility", "sqs:ReceiveMessage")
"""To compare copies with records: without `--quick`."""
