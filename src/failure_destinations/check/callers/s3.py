"""S3: bucket notifications, as a property and as the CDK's custom resource."""

from __future__ import annotations

from ..resource import Resource
from ..values import members
from . import custom_resources


def read_bucket(resource: Resource) -> None:
    """Read a bucket's notifications: S3 queues the event with Lambda.

    https://docs.aws.amazon.com/lambda/latest/dg/with-s3.html
    """
    for function in members(
        resource.properties, "NotificationConfiguration", "LambdaConfigurations", "Function"
    ):
        resource.calls(function, "s3")


def read_custom_notifications(resource: Resource) -> None:
    """Read the notifications that the CDK's custom resource sets."""
    custom_resources.read(resource)
    for function in members(
        resource.properties,
        "NotificationConfiguration",
        "LambdaFunctionConfigurations",
        "LambdaFunctionArn",
    ):
        resource.calls(function, "s3")


CALLERS = {
    "AWS::S3::Bucket": read_bucket,
    "Custom::S3BucketNotifications": read_custom_notifications,
}
