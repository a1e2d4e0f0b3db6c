"""Attaches an existing function through the alias that its callers use.

The function `orders`, its alias `live` and its role `orders-role` must exist. Lambda ignores the
configuration of the function itself for events that come through the alias.
"""

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_

from failure_destinations import FailureChannel

app = cdk.App()
stack = cdk.Stack(app, "ExistingFunction")
function = lambda_.Function.from_function_attributes(
    stack,
    "Function",
    function_arn=stack.format_arn(
        service="lambda",
        resource="function",
        resource_name="orders",
        arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
    ),
    role=iam.Role.from_role_name(stack, "Role", "orders-role"),
    same_environment=True,
)
# The alias may lead to any version: CDK only asks this one for the function.
version = lambda_.Version.from_version_attributes(
    stack, "Version", lambda_=function, version="$LATEST"
)
alias = lambda_.Alias.from_alias_attributes(
    stack, "Alias", alias_name="live", alias_version=version
)
channel = FailureChannel(stack, "Failures", emails=["developer@example.com"])
channel.notify_failures_of(alias, retries=1)
cdk.CfnOutput(stack, "QueueUrl", value=channel.queue.queue_url)

app.synth()
