"""CloudFormation: functions behind custom resources, CDK triggers and CDK SDK calls.

CloudFormation calls the function asynchronously, but waits for its answer at a URL, and the
deployment fails without one, so the failure is visible. Such a function therefore gets only an
`info` finding, and the CDK's own functions, which users cannot change, get none. If the custom
resource names a topic, SNS calls the function through an ordinary subscription.
https://docs.aws.amazon.com/lambda/latest/dg/services-cloudformation.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..model import Waits
from ..resource import Resource
from ..values import mapping

_SDK_CALLS = ("Create", "Update", "Delete")
_LAMBDA = ("lambda", "@aws-sdk/client-lambda")


def read(resource: Resource) -> None:
    """Read which function a custom resource calls."""
    resource.calls(
        resource.properties.get("ServiceToken"),
        "cloudformation",
        waits=Waits.FOR_CALLBACK,
        only_arns=True,
        is_sure=False,
    )


def read_trigger(resource: Resource) -> None:
    """Read a CDK trigger, which may call a user's function without waiting.

    https://docs.aws.amazon.com/cdk/api/v2/docs/aws-cdk-lib.triggers-readme.html
    """
    read(resource)
    type = resource.properties.get("InvocationType")
    waits = resource.waits(resource.known_texts(type), "event")
    if waits is not Waits.YES:
        handler = resource.properties.get("HandlerArn")
        resource.calls(handler, "triggers", waits=waits, only_arns=True)


def read_sdk_calls(resource: Resource) -> None:
    """Read a CDK `AwsCustomResource`, which holds its SDK calls as JSON text.

    https://docs.aws.amazon.com/cdk/api/v2/docs/aws-cdk-lib.custom_resources.AwsCustomResource.html
    """
    read(resource)
    for name in _SDK_CALLS:
        for text in resource.known_texts(resource.properties.get(name)):
            _read_sdk_call(resource, mapping(resource.parse_json(text)))


def _read_sdk_call(resource: Resource, call: Mapping[str, Any]) -> None:
    service, action = call.get("service"), call.get("action")
    if not isinstance(service, str) or not isinstance(action, str):
        return
    action = action.lower().removesuffix("command")
    if service.lower() not in _LAMBDA or action not in ("invoke", "invokeasync"):
        return
    parameters = mapping(call.get("parameters"))
    name, type, qualifier = (
        value if isinstance(value, str) else ""
        for value in map(parameters.get, ("FunctionName", "InvocationType", "Qualifier"))
    )
    waits = Waits.NO if action == "invokeasync" else resource.waits([type], "event")
    if name and waits is not Waits.YES:
        resource.calls_text(name, "sdk", waits=waits, qualifier=qualifier)


CALLERS = {
    "AWS::CloudFormation::CustomResource": read,
    "Custom::AWS": read_sdk_calls,
    "Custom::Trigger": read_trigger,
}
