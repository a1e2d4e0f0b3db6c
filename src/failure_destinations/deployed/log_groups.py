"""The log group of a function."""

from __future__ import annotations

from .function_names import bare_name
from .session import Aws


def log_group(aws: Aws, function_arn: str) -> str:
    """Return the name of a function's log group; the default one if it may not be read.

    Args:
        aws: The account and Region of the function.
        function_arn: Its ARN, with or without a qualifier.

    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-loggroups.html
    """
    from botocore.exceptions import ClientError  # noqa: PLC0415 - start-up time

    default = f"/aws/lambda/{bare_name(function_arn)}"
    try:
        answer = aws.client("lambda").get_function_configuration(FunctionName=function_arn)
    except ClientError:
        return default
    return answer.get("LoggingConfig", {}).get("LogGroup") or default
