"""How each AWS service calls a function, by the principal that a permission names.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-services.html and the services' own pages.
"""

from __future__ import annotations

from .model import Waits

# Queued by Lambda: the service hears that it was queued, and of nothing else.
_ASYNCHRONOUS = frozenset(
    {
        "codecommit",
        "codepipeline",
        "config",
        "events",
        "iot",
        "iotevents",
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-actions-Lambda.html
        "lambda.alarms.cloudwatch",
        "logs",
        "s3",
        "scheduler",
        "ses",
        "sns",
    }
)
# The service gets the answer, or the error, and has a way of its own to deal with it.
_SYNCHRONOUS = frozenset(
    {
        "alexa-appkit",
        "alexa-connectedhome",
        "apigateway",
        "appsync",
        "batchoperations.s3",
        "bedrock",
        "bedrock-agentcore",
        "cloudfront",
        "cognito-idp",
        "cognito-sync",
        "connect",
        "dynamodb",
        "edgelambda",
        "elasticloadbalancing",
        "firehose",
        "hooks.cloudformation",
        "kafka",
        "kinesis",
        "kinesisanalytics",
        "lex",
        "lexv2",
        "mq",
        "s3-object-lambda",
        # https://docs.aws.amazon.com/lambda/latest/dg/with-secrets-manager.html
        "secretsmanager",
        "sqs",
        "states",
        "transfer",
        "vpc-lattice",
        "voiceconnector.chime",
    }
)


def service_of(principal: str) -> str:
    """Return the service of a principal: `events` of `events.amazonaws.com`."""
    name = principal.lower()
    for suffix in (".amazonaws.com.cn", ".amazonaws.com", ".amazon.com", ".aws.internal"):
        name = name.removesuffix(suffix)
    # Once, each Region had its own: logs.eu-west-1.amazonaws.com.
    first, _, rest = name.partition(".")
    return first if first == "logs" or (first in _ASYNCHRONOUS and "-" in rest) else name


def waits(service: str) -> Waits:
    """Tell whether a service waits for the answer of a function."""
    if service in _ASYNCHRONOUS:
        return Waits.NO
    return Waits.YES if service in _SYNCHRONOUS else Waits.UNKNOWN
