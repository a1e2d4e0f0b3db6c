"""API Gateway, AppSync and Chime: they wait for functions unless configured otherwise."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..causes import Open
from ..model import Waits
from ..resource import Resource
from ..values import items, mapping, member, members

# https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-integration-async.html
_HEADER = "integration.request.header.x-amz-invocation-type"
_URI = re.compile(r"/functions/(.*)/invocations")
# https://docs.aws.amazon.com/appsync/latest/devguide/resolver-reference-lambda-js.html
_EVENT = re.compile(r"""invocationType["']?\s*:\s*["']Event["']""", re.IGNORECASE)
_CODE = ("Code", "CodeHandlers", "RequestMappingTemplate")


def read_integration(resource: Resource) -> None:
    """Read an API Gateway integration, which a header can make asynchronous."""
    _read(resource, resource.properties.get("Integration"), "Uri", "RequestParameters")


def read_v2_integration(resource: Resource) -> None:
    """Read an integration of a WebSocket or HTTP API."""
    _read(resource, resource.properties, "IntegrationUri", "RequestParameters")


def read_api(resource: Resource) -> None:
    """Read the integrations in an OpenAPI document."""
    for found in resource.walk(resource.properties.get("Body")):
        _read(resource, found.get("x-amazon-apigateway-integration"), "uri", "requestParameters")
    for _ in items(resource.properties.get("BodyS3Location")):
        resource.leaves_open(Open.DOCUMENT_NOT_GIVEN)


def _read(resource: Resource, integration: Any, uri: str, parameters: str) -> None:
    for one in items(integration):
        if not isinstance(one, Mapping):
            continue
        for header, value in mapping(member(one, parameters)).items():
            if isinstance(header, str) and header.lower() == _HEADER:
                # If the client sends the invocation type, it may be `Event`.
                if resource.is_always(value, "'requestresponse'", "'dryrun'"):
                    continue
                for text in resource.known_texts(one.get(uri)):
                    function = _URI.search(text)
                    if function is not None:
                        resource.calls_text(function.group(1), "apigateway")


def read_channel_namespace(resource: Resource) -> None:
    """Read the handlers of an AppSync Events channel.

    https://docs.aws.amazon.com/appsync/latest/eventapi/channel-namespace-handlers.html
    """
    for handler in ("OnPublish", "OnSubscribe"):
        for integration in members(resource.properties, "HandlerConfigs", handler, "Integration"):
            type = mapping(member(integration, "LambdaConfig")).get("InvokeType")
            waits = resource.waits(resource.known_texts(type), "event")
            if type is None and _is_event_in_code(resource):
                waits = Waits.NO
            if waits is not Waits.YES:
                _call_data_source(resource, mapping(integration).get("DataSourceName"), waits)


def read_resolver(resource: Resource) -> None:
    """Read an AppSync resolver or function; its code decides whether it waits."""
    if _is_event_in_code(resource):
        _call_data_source(resource, resource.properties.get("DataSourceName"))


def _is_event_in_code(resource: Resource) -> bool:
    return any(
        _EVENT.search(text)
        for name in _CODE
        for text in resource.known_texts(resource.properties.get(name))
    )


def _call_data_source(resource: Resource, name: Any, waits: Waits = Waits.NO) -> None:
    for text in resource.known_texts(name):
        for properties in _data_sources(resource, text):
            for function in members(properties, "LambdaConfig", "LambdaFunctionArn"):
                resource.calls(function, "appsync", waits=waits)


def _data_sources(resource: Resource, name: str) -> list[Mapping[str, Any]]:
    mark = resource.marks.only(name)
    if mark is not None and mark.kind == "attribute":
        return [mapping(mapping(mark.scope.resources.get(mark.what)).get("Properties"))]
    return resource.index("AWS::AppSync::DataSource", "Name").get(name, [])


def read_channel_flow(resource: Resource) -> None:
    """Read a Chime channel flow, which calls its processors asynchronously."""
    for function in members(
        resource.properties, "Processors", "Configuration", "Lambda", "ResourceArn"
    ):
        resource.calls(function, "messaging.chime")


CALLERS = {
    "AWS::ApiGateway::Method": read_integration,
    "AWS::ApiGateway::RestApi": read_api,
    "AWS::ApiGatewayV2::Integration": read_v2_integration,
    "AWS::AppSync::ChannelNamespace": read_channel_namespace,
    "AWS::AppSync::Resolver": read_resolver,
    "AWS::AppSync::FunctionConfiguration": read_resolver,
    "AWS::Chime::ChannelFlow": read_channel_flow,
}
