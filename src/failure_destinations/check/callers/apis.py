"""API Gateway, AppSync and Chime: they wait for functions unless configured otherwise."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..causes import Open
from ..model import Waits
from ..resource import Resource
from ..scripts import texts_in_vtl, values_in_javascript, values_in_vtl
from ..values import items, mapping, member, members

# https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-integration-async.html
_HEADER = "integration.request.header.x-amz-invocation-type"
_URI = re.compile(r"/functions/(.*)/invocations")
# An older operation, which never waits. https://docs.aws.amazon.com/lambda/latest/api/API_InvokeAsync.html
_ASYNC_URI = re.compile(r"/functions/(.*)/invoke-async")
# https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-override-request-response-parameters.html
_OVERRIDE = "requestoverride"
_OVERRIDDEN = "x-amz-invocation-type"
# https://docs.aws.amazon.com/appsync/latest/devguide/resolver-reference-lambda-js.html
_TYPE = "invocationType"
_CODE = {
    "Code": values_in_javascript,
    "CodeHandlers": values_in_javascript,
    "RequestMappingTemplate": values_in_vtl,
}


# In `#set($context.requestOverride.header['X-Amz-Invocation-Type'] = "'Event'")`, as many words at
# most lie between the override and the header, and between the header and the end of its value.
_BEFORE, _AFTER = 6, 5


class _Names(NamedTuple):
    """The names of an integration's properties."""

    uri: str
    parameters: str
    templates: str


_METHOD = _Names("Uri", "RequestParameters", "RequestTemplates")
_V2 = _Names("IntegrationUri", "RequestParameters", "RequestTemplates")
_OPENAPI = _Names("uri", "requestParameters", "requestTemplates")


def read_integration(resource: Resource) -> None:
    """Read an API Gateway integration, which a header can make asynchronous."""
    _read(resource, resource.properties.get("Integration"), _METHOD)


def read_v2_integration(resource: Resource) -> None:
    """Read an integration of a WebSocket or HTTP API."""
    _read(resource, resource.properties, _V2)


def read_api(resource: Resource) -> None:
    """Read the integrations in an OpenAPI document."""
    for found in resource.walk(resource.properties.get("Body")):
        _read(resource, found.get("x-amazon-apigateway-integration"), _OPENAPI)
    for _ in items(resource.properties.get("BodyS3Location")):
        resource.leaves_open(Open.DOCUMENT_NOT_GIVEN)


def _read(resource: Resource, integration: Any, names: _Names) -> None:
    for one in items(integration):
        if not isinstance(one, Mapping):
            continue
        for text in resource.known_texts(one.get(names.uri)):
            asynchronous = _ASYNC_URI.search(text)
            function = asynchronous or _URI.search(text)
            if function is not None:
                waits = Waits.NO if asynchronous else _waits(resource, one, names)
                resource.calls_text(function.group(1), "apigateway", waits=waits)


def _waits(resource: Resource, integration: Mapping[str, Any], names: _Names) -> Waits:
    """Return whether an integration waits: a parameter or a mapping template may set the header."""
    for header, value in mapping(member(integration, names.parameters)).items():
        is_type = isinstance(header, str) and header.lower() == _HEADER
        # If the client sends the invocation type, it may be `Event`.
        if is_type and not resource.is_always(value, "'requestresponse'", "'dryrun'"):
            return Waits.NO
    for template in mapping(member(integration, names.templates)).values():
        for text in resource.known_texts(template):
            if _OVERRIDE in text.lower() and _overrides_type(text):
                return Waits.NO
    return Waits.YES


def _overrides_type(template: str) -> bool:
    """Return whether a mapping template sets the header, to anything but a call that waits."""
    words = [word.lower() for word in texts_in_vtl(template)]
    for i, word in enumerate(words):
        if word == _OVERRIDDEN and _OVERRIDE in words[max(i - _BEFORE, 0) : i]:
            value = words[i + 1 : i + _AFTER]
            if not {"requestresponse", "'requestresponse'"} & set(value):
                return True
    return False


def read_channel_namespace(resource: Resource) -> None:
    """Read the handlers of an AppSync Events channel.

    https://docs.aws.amazon.com/appsync/latest/eventapi/channel-namespace-handlers.html
    """
    for handler in ("OnPublish", "OnSubscribe"):
        for integration in members(resource.properties, "HandlerConfigs", handler, "Integration"):
            type = mapping(member(integration, "LambdaConfig")).get("InvokeType")
            waits = resource.waits(resource.known_texts(type), "event")
            if type is None:
                waits = _waits_in_code(resource)
            if waits is not Waits.YES:
                _call_data_source(resource, mapping(integration).get("DataSourceName"), waits)


def read_resolver(resource: Resource) -> None:
    """Read an AppSync resolver or function; its code decides whether it waits."""
    waits = _waits_in_code(resource)
    if waits is not Waits.YES:
        _call_data_source(resource, resource.properties.get("DataSourceName"), waits)


def _waits_in_code(resource: Resource) -> Waits:
    """Return whether the requests in a resource's code wait; a computed type is not known."""
    types = [
        value
        for name, values in _CODE.items()
        for text in resource.known_texts(resource.properties.get(name))
        for value in values(text, _TYPE)
    ]
    if any(type is not None and type.lower() == "event" for type in types):
        return Waits.NO
    is_known = all(type and "$" not in type and resource.marks.is_known(type) for type in types)
    return Waits.YES if is_known else Waits.UNKNOWN


def _call_data_source(resource: Resource, name: Any, waits: Waits) -> None:
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
    """Read a Chime channel flow, whose processors answer with another API.

    A message whose processor does not answer fails, or goes on unprocessed if the processor's
    fallback is `CONTINUE`: then nobody notices.
    https://docs.aws.amazon.com/chime-sdk/latest/APIReference/API_messaging-chime_Processor.html
    """
    for processor in items(resource.properties.get("Processors")):
        fallback = mapping(processor).get("FallbackAction")
        waits = Waits.FOR_CALLBACK if resource.is_always(fallback, "abort") else Waits.NO
        for function in members(processor, "Configuration", "Lambda", "ResourceArn"):
            resource.calls(function, "messaging.chime", waits=waits)


CALLERS = {
    "AWS::ApiGateway::Method": read_integration,
    "AWS::ApiGateway::RestApi": read_api,
    "AWS::ApiGatewayV2::Integration": read_v2_integration,
    "AWS::AppSync::ChannelNamespace": read_channel_namespace,
    "AWS::AppSync::Resolver": read_resolver,
    "AWS::AppSync::FunctionConfiguration": read_resolver,
    "AWS::Chime::ChannelFlow": read_channel_flow,
}
