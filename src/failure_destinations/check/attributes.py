"""The references that return a resource's name or ARN, which are known before deployment."""

from __future__ import annotations

_HERE = "${Region}:${AccountId}:"
_ARN = "arn:${Partition}:"
# By type and attribute (empty for Ref): what precedes the name in the ARN.
ARNS = {
    ("AWS::Lambda::Function", "Arn"): f"{_ARN}lambda:{_HERE}function:",
    ("AWS::Serverless::Function", "Arn"): f"{_ARN}lambda:{_HERE}function:",
    ("AWS::SQS::Queue", "Arn"): f"{_ARN}sqs:{_HERE}",
    ("AWS::SNS::Topic", ""): f"{_ARN}sns:{_HERE}",
    ("AWS::SNS::Topic", "TopicArn"): f"{_ARN}sns:{_HERE}",
    ("AWS::Events::EventBus", "Arn"): f"{_ARN}events:{_HERE}event-bus/",
    ("AWS::Events::Rule", "Arn"): f"{_ARN}events:{_HERE}rule/",
    ("AWS::S3::Bucket", "Arn"): f"{_ARN}s3:::",
    ("AWS::IAM::Role", "Arn"): f"{_ARN}iam::${{AccountId}}:role/",
}
NAMES = {
    ("AWS::Lambda::Function", ""),
    ("AWS::Serverless::Function", ""),
    ("AWS::SQS::Queue", "QueueName"),
    ("AWS::SNS::Topic", "TopicName"),
    ("AWS::S3::Bucket", ""),
    ("AWS::IAM::Role", ""),
    ("AWS::Events::EventBus", ""),
    ("AWS::Events::EventBus", "Name"),
}
