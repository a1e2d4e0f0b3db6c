"""AWS IoT: topic rules, IoT Events, and functions that IoT waits for."""

from __future__ import annotations

from ..model import Waits
from ..resource import Resource
from ..values import items, mapping, members


def read_topic_rule(resource: Resource) -> None:
    """Read a topic rule's actions: IoT queues the message with Lambda.

    https://docs.aws.amazon.com/iot/latest/developerguide/lambda-rule-action.html
    """
    for payload in items(resource.properties.get("TopicRulePayload")):
        is_disabled = resource.is_certainly(mapping(payload).get("RuleDisabled"), "true")
        for action in ("Actions", "ErrorAction"):
            for function in members(payload, action, "Lambda", "FunctionArn"):
                resource.calls(function, "iot", is_disabled=is_disabled)


def read_events(resource: Resource) -> None:
    """Read an IoT Events detector or alarm model, which has actions in many places.

    https://docs.aws.amazon.com/lambda/latest/dg/services-iotevents.html
    """
    for found in resource.walk(resource.properties):
        for function in members(found.get("Lambda"), "FunctionArn"):
            resource.calls(function, "iotevents")


def read_synchronous(resource: Resource) -> None:
    """Read authorizers, certificate providers and provisioning hooks: IoT waits for them."""
    for name in ("AuthorizerFunctionArn", "LambdaFunctionArn"):
        resource.calls(resource.properties.get(name), "iot", waits=Waits.YES)
    for function in members(resource.properties, "PreProvisioningHook", "TargetArn"):
        resource.calls(function, "iot", waits=Waits.YES)


CALLERS = {
    "AWS::IoT::TopicRule": read_topic_rule,
    "AWS::IoTEvents::DetectorModel": read_events,
    "AWS::IoTEvents::AlarmModel": read_events,
    "AWS::IoT::Authorizer": read_synchronous,
    "AWS::IoT::CertificateProvider": read_synchronous,
    "AWS::IoT::ProvisioningTemplate": read_synchronous,
}
