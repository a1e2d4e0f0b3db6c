"""How each AWS service calls a function, by the service's principal.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-services.html and the services' own pages.
"""

from __future__ import annotations

import re

from .model import Waits

# Lambda queues the event, and the service learns nothing more.
_ASYNCHRONOUS = frozenset(
    {
        "codecommit",
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
# Queued too, but the service waits for an answer by other means, and fails without it.
_FOR_CALLBACK = frozenset({"cloudformation", "codedeploy", "codepipeline"})
# The service gets the answer or the error, and handles it in its own way.
_SYNCHRONOUS = frozenset(
    {
        "alexa-appkit",
        "alexa-connectedhome",
        "apigateway",
        "appflow",
        "appsync",
        "batchoperations.s3",
        "bedrock",
        "bedrock-agentcore",
        "clientvpn",
        "cloudfront",
        # But not for custom senders, which a user pool names.
        "cognito-idp",
        "cognito-sync",
        # Its asynchronous mode too loads the result.
        # https://docs.aws.amazon.com/connect/latest/adminguide/invoke-lambda-function-block.html
        "connect",
        "dynamodb",
        "ecs",
        "edgelambda",
        "elasticloadbalancing",
        "firehose",
        "healthlake",
        "hooks.cloudformation",
        "iotanalytics",
        "iottwinmaker",
        "kafka",
        "kendra",
        "kinesis",
        "kinesisanalytics",
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_MultiDataSources-Connect-Custom.html
        "lambda.datasource.cloudwatch",
        "lex",
        "lexv2",
        "mq",
        "s3-object-lambda",
        "sagemaker",
        # https://docs.aws.amazon.com/lambda/latest/dg/with-secrets-manager.html
        "secretsmanager",
        "sqs",
        "states",
        "swf",
        "transfer",
        "vpc-lattice",
        "voiceconnector.chime",
    }
)


# Services that wait for a function in some of their triggers: each with the resources that do.
_WAITING_SOURCES = re.compile(
    # Topic rules do not wait. https://docs.aws.amazon.com/iot/latest/developerguide/custom-auth-lambda.html
    r"iot (authorizer|provisioningtemplate|certificateprovider|domainconfiguration)/"
    r"|iot AWS::IoT::(Authorizer|ProvisioningTemplate|CertificateProvider|DomainConfiguration)$"
)

_SUFFIXES = (
    ".amazonaws.com.cn",
    ".amazonaws.com",
    ".amazonaws.eu",
    ".amazon.com",
    ".aws.internal",
    ".c2s.ic.gov",
    ".sc2s.sgov.gov",
    # What the resolver leaves if the suffix depends on the partition.
    ".${urlsuffix}",
)
# Each Region used to have a principal of its own: logs.eu-west-1.amazonaws.com.
_REGION = re.compile(r"\.([a-z]+(-[a-z]+)+-[0-9]+|\$\{region\})$")


def service_of(principal: str) -> str:
    """Return the service of a principal: `events` of `events.amazonaws.com`.

    If the end of the principal is not known, the result has an unknown end too: `events.`.
    """
    name = principal.lower().rstrip(".")
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    return _REGION.sub("", name)


def waits(service: str, source: str = "") -> Waits:
    """Return whether a service waits for a function's answer.

    Args:
        service: The service.
        source: What of the service calls, if that is known: the resource part of an ARN, such as
            `authorizer/orders`, or a resource's type.
    """
    if source and _WAITING_SOURCES.match(f"{service} {source}"):
        return Waits.YES
    if service in _ASYNCHRONOUS:
        return Waits.NO
    if service in _FOR_CALLBACK:
        return Waits.FOR_CALLBACK
    return Waits.YES if service in _SYNCHRONOUS else Waits.UNKNOWN
