"""Event source mappings of every kind, as small templates with real properties."""

from __future__ import annotations

from typing import Any

from .callers import ARN, FUNCTION, Resources, one, role

MAPPING = "AWS::Lambda::EventSourceMapping"
STREAM_ARN = {"Fn::GetAtt": ["Stream", "Arn"]}
TABLE_ARN = {"Fn::GetAtt": ["Table", "StreamArn"]}
BUCKET_ARN = {"Fn::GetAtt": ["Bucket", "Arn"]}
SOURCE_ARN = {"Fn::GetAtt": ["Source", "Arn"]}
DEAD_LETTERS_ARN = {"Fn::GetAtt": ["DeadLetters", "Arn"]}
LIMITED = {"MaximumRetryAttempts": 3}


def may(*actions: Any, **statement: Any) -> dict[str, Any]:
    """Return a policy that allows actions."""
    allows = {"Effect": "Allow", "Action": list(actions), "Resource": "*", **statement}
    document = {"Version": "2012-10-17", "Statement": [allows]}
    return {"PolicyName": "Send", "PolicyDocument": document}


SENDS = may("s3:PutObject", "s3:ListBucket", "sqs:SendMessage", "sns:Publish")
SOURCES: Resources = {
    "FunctionRole": role("lambda.amazonaws.com", policies=[SENDS]),
    "Stream": one("AWS::Kinesis::Stream", {"ShardCount": 1}),
    "Table": one(
        "AWS::DynamoDB::Table",
        {
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "BillingMode": "PAY_PER_REQUEST",
            "StreamSpecification": {"StreamViewType": "NEW_IMAGE"},
        },
    ),
    "Bucket": {"Type": "AWS::S3::Bucket"},
}


def mapping(source: Any = None, function: Any = ARN, **properties: Any) -> Resources:
    """Return a mapping of a source; None for one without an ARN."""
    arn = {} if source is None else {"EventSourceArn": source}
    return {"Mapping": one(MAPPING, {"FunctionName": function, **arn, **properties})}


def stream(source: Any = STREAM_ARN, **properties: Any) -> Resources:
    """Return a mapping of a stream."""
    return mapping(source, **{"StartingPosition": "LATEST", **properties})


def to(destination: Any, source: Any = STREAM_ARN, **properties: Any) -> Resources:
    """Return a mapping of a stream with a failure destination, and with a limit of retries."""
    config = {"OnFailure": {"Destination": destination}}
    return stream(source, **{**LIMITED, "DestinationConfig": config, **properties})


def kafka(**properties: Any) -> Resources:
    """Return a mapping of a Kafka cluster of the user's own."""
    endpoints = {"KafkaBootstrapServers": ["kafka.example.com:9092"]}
    return stream(
        None,
        **{"SelfManagedEventSource": {"Endpoints": endpoints}, "Topics": ["orders"], **properties},
    )


def queue(id: str = "Source", **properties: Any) -> Resources:
    """Return a queue."""
    return {id: one("AWS::SQS::Queue", properties)}


def redriven(target: Any = DEAD_LETTERS_ARN, **properties: Any) -> Resources:
    """Return a queue whose redrive policy moves messages to another one."""
    policy = {"deadLetterTargetArn": target, "maxReceiveCount": 5}
    return queue(**{"RedrivePolicy": policy, **properties})


def function(**properties: Any) -> Resources:
    """Return the function with other properties."""
    return {"Function": one("AWS::Lambda::Function", {**FUNCTION["Properties"], **properties})}


ALARM: Resources = {
    "Alarm": one(
        "AWS::CloudWatch::Alarm",
        {
            "Namespace": "AWS/SQS",
            "MetricName": "ApproximateNumberOfMessagesVisible",
            "Dimensions": [
                {"Name": "QueueName", "Value": {"Fn::GetAtt": ["DeadLetters", "QueueName"]}}
            ],
            "Statistic": "Maximum",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 0,
            "ComparisonOperator": "GreaterThanThreshold",
        },
    )
}
DEAD_LETTERS: Resources = {**queue("DeadLetters"), **ALARM}
# Nothing can be said against it.
SOUND: Resources = {
    **queue("DeadLetters", MessageRetentionPeriod=1_209_600),
    **ALARM,
    **redriven(VisibilityTimeout=18),
    **mapping(SOURCE_ARN),
}
