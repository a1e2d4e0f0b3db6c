"""Serverless Framework: its custom resources, which connect functions at deployment.

They configure what CloudFormation cannot change, such as an existing bucket, so the template has
neither a notification nor a permission.
https://www.serverless.com/framework/docs/providers/aws/events/s3#using-existing-buckets
"""

from __future__ import annotations

from ..model import NOWHERE, Waits
from ..resource import Resource
from ..values import items, mapping, members
from . import custom_resources
from .cognito import CUSTOM_SENDERS


def read_bucket(resource: Resource) -> None:
    """Read the notifications of an existing bucket."""
    custom_resources.read(resource)
    if "BucketConfigs" in resource.properties:
        resource.calls(resource.properties.get("FunctionName"), "s3")


def read_rule(resource: Resource) -> None:
    """Read a rule with `useCloudFormation: false`, which cannot have a dead-letter queue."""
    custom_resources.read(resource)
    for config in items(resource.properties.get("EventBridgeConfig")):
        resource.calls(
            resource.properties.get("FunctionName"),
            "events",
            dead_letter=NOWHERE,
            is_disabled=resource.is_certainly(mapping(config).get("State"), "disabled"),
        )


def read_user_pool(resource: Resource) -> None:
    """Read the triggers of an existing user pool; Cognito does not wait for custom senders."""
    custom_resources.read(resource)
    for trigger in members(resource.properties, "UserPoolConfigs", "Trigger"):
        waits = Waits.NO if resource.is_text(trigger, *CUSTOM_SENDERS) else Waits.YES
        resource.calls(resource.properties.get("FunctionName"), "cognito-idp", waits=waits)


CALLERS = {
    "Custom::S3": read_bucket,
    "Custom::EventBridge": read_rule,
    "Custom::CognitoUserPool": read_user_pool,
}
