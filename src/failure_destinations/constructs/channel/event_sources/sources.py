"""What an event source mapping reads, and whether Lambda can send its failures anywhere."""

from __future__ import annotations

import re
from typing import Any

from aws_cdk import CfnResource, Reference, Tokenization
from aws_cdk import aws_lambda as lambda_

# The services in ARNs, and the types of resources in references.
_BY_SERVICE = {
    "kinesis": "kinesis",
    "dynamodb": "dynamodb",
    "kafka": "kafka",
    "sqs": "sqs",
    "mq": "mq",
    "rds": "documentdb",
    "docdb-elastic": "documentdb",
}
_BY_TYPE = {
    "AWS::Kinesis::": "kinesis",
    "AWS::DynamoDB::": "dynamodb",
    "AWS::MSK::": "kafka",
    "AWS::SQS::": "sqs",
    "AWS::AmazonMQ::": "mq",
    "AWS::DocDB": "documentdb",
    "AWS::RDS::": "documentdb",
}
STREAMS = frozenset({"kinesis", "dynamodb"})
# Lambda takes a failure destination for Kinesis, DynamoDB streams, Amazon MSK and self-managed
# Kafka only.
# https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
WITHOUT_DESTINATION = {
    "sqs": (
        "an SQS queue: Lambda has no failure destination for it; "
        "give the queue a dead-letter queue with channel.dead_letter_queue_for(queue)"
    ),
    "mq": (
        "an Amazon MQ broker: Lambda has no failure destination for it; "
        "give the broker's queue a dead-letter queue in the broker"
    ),
    "documentdb": (
        "an Amazon DocumentDB change stream: Lambda has no failure destination for it; "
        "catch errors in the function, and send what failed to a queue there"
    ),
}
# partition, service: what is before them are tokens or `arn`.
_ARN = re.compile(r"arn:[^:]+:(?P<service>[a-z0-9-]+):")
_TOKEN = re.compile(r"\$\{Token\[[^]]*\]\}")


def source_kind(mapping: lambda_.CfnEventSourceMapping) -> str | None:
    """Return what a mapping reads; None if only deployment knows.

    Returns:
        `kinesis`, `dynamodb`, `kafka`, `sqs`, `mq` or `documentdb`.
    """
    if mapping.self_managed_event_source is not None:
        return "kafka"
    arn = mapping.event_source_arn
    if arn is None:
        return None
    token: Any = Tokenization.reverse_string(arn).first_token
    if token is not None and Reference.is_reference(token):
        target: Any = token.target
        if isinstance(target, CfnResource):
            type = target.cfn_resource_type
            return next((_BY_TYPE[start] for start in _BY_TYPE if type.startswith(start)), None)
    found = _ARN.match(_TOKEN.sub("token", arn))
    return None if found is None else _BY_SERVICE.get(found["service"])
