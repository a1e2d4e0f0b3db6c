"""Serverless Framework: its custom resources, which connect functions at deployment.

They configure what CloudFormation cannot change, such as an existing bucket, so the template has
neither a notification nor a permission.
https://www.serverless.com/framework/docs/providers/aws/events/s3#using-existing-buckets
"""

from __future__ import annotations

from ..model import NOWHERE
from ..resource import Resource
from . import custom_resources


def read_bucket(resource: Resource) -> None:
    """Read the notifications of an existing bucket."""
    custom_resources.read(resource)
    if "BucketConfigs" in resource.properties:
        resource.calls(resource.properties.get("FunctionName"), "s3")


def read_rule(resource: Resource) -> None:
    """Read a rule with `useCloudFormation: false`, which cannot have a dead-letter queue."""
    custom_resources.read(resource)
    if "EventBridgeConfig" in resource.properties:
        resource.calls(resource.properties.get("FunctionName"), "events", dead_letter=NOWHERE)


CALLERS = {"Custom::S3": read_bucket, "Custom::EventBridge": read_rule}
