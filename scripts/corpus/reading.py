"""A second, simpler reading of templates, to compare the check with. It shares no code with it.

It reads one file at a time, as it is written: SAM is not translated, conditions are ignored, and a
value refers to every resource that is named anywhere in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

LATEST = "$LATEST"
# A qualifier that cannot be read: it may be any.
ANY = "?"
_FUNCTIONS = ("AWS::Lambda::Function", "AWS::Serverless::Function")
_PLACEHOLDER = re.compile(r"\$\{([A-Za-z0-9]+)(?:\.([A-Za-z0-9.]+))?\}(?::([\w$-]+))?")
_ARN = re.compile(r"^arn:[^:]*:lambda:[^:]*:[^:]*:function:([\w-]+)(?::([\w$-]+))?$")
# Services that queue an event with Lambda, by principal.
_SERVICES = (
    "codecommit", "config", "events", "iot", "lambda.alarms.cloudwatch", "logs", "s3", "scheduler",
    "ses", "sns",
)  # fmt: skip
_PRINCIPAL = re.compile(rf"^({'|'.join(map(re.escape, _SERVICES))})\.([a-z0-9-]+\.)?(amazonaws|\$)")
_SAM_EVENTS = (
    "CloudWatchEvent", "CloudWatchLogs", "EventBridgeRule", "IoTRule", "S3", "SNS", "Schedule",
    "ScheduleV2",
)  # fmt: skip
# Resource types with the paths to functions that they call.
_CALLERS = (
    ("AWS::CloudWatch::Alarm", "AlarmActions"),
    ("AWS::CodeCommit::Repository", "Triggers.DestinationArn"),
    ("AWS::Config::ConfigRule", "Source.SourceIdentifier"),
    ("AWS::Events::Rule", "Targets.Arn"),
    ("AWS::IoT::TopicRule", "TopicRulePayload.Actions.Lambda.FunctionArn"),
    ("AWS::Lambda::EventInvokeConfig", "DestinationConfig"),
    ("AWS::Logs::SubscriptionFilter", "DestinationArn"),
    ("AWS::S3::Bucket", "NotificationConfiguration.LambdaConfigurations.Function"),
    ("AWS::SNS::Topic", "Subscription.Endpoint"),
    ("AWS::Scheduler::Schedule", "Target.Arn"),
    ("AWS::Serverless::Function", "EventInvokeConfig.DestinationConfig"),
    (
        "Custom::S3BucketNotifications",
        "NotificationConfiguration.LambdaFunctionConfigurations.LambdaFunctionArn",
    ),
)
# The same where it depends on another value: type, path to the parts, the value's path in a part,
# the values of a caller that does not wait, and the function's path in a part.
_CALLERS_OF_A_KIND: tuple[tuple[str, str, str, tuple[str | None, ...], str], ...] = (
    ("AWS::SNS::Subscription", "", "Protocol", ("lambda",), "Endpoint"),
    (
        "AWS::SES::ReceiptRule",
        "Rule.Actions.LambdaAction",
        "InvocationType",
        ("Event", None),
        "FunctionArn",
    ),
    (
        "AWS::Pipes::Pipe",
        "",
        "TargetParameters.LambdaFunctionParameters.InvocationType",
        ("FIRE_AND_FORGET",),
        "Target",
    ),
)
_HEADER = "integration.request.header.X-Amz-Invocation-Type"
_BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_BASE):  # type: ignore[misc]
    pass


def _tag(loader: Any, suffix: str, node: Any) -> Any:
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix == "Ref" else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _tag)

# A function's logical id and the qualifier through which it is called.
Target = tuple[str, str]


@dataclass
class _Template:
    resources: Mapping[str, Mapping[str, Any]]
    defaults: Mapping[str, Any]
    parameters: Mapping[str, Any]
    names: dict[str, str] = field(default_factory=dict)

    def of_type(self, *types: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield the logical ids and properties of resources."""
        for id, resource in self.resources.items():
            if resource.get("Type") in types:
                properties = _map(resource.get("Properties"))
                if resource["Type"] == "AWS::Serverless::Function":
                    properties = {**self.defaults, **properties}
                if properties.get("State") != "DISABLED":
                    yield id, properties

    def targets(self, value: Any) -> set[Target]:
        """Return the functions that a value names."""
        found: set[Target] = set()
        for id, attribute, qualifier in references(value):
            found |= self._target(id, attribute, qualifier)
        for text in _texts(value):
            match = _ARN.match(text)
            name, qualifier = (match[1], match[2]) if match else (text, LATEST)
            if name in self.names:
                found.add((self.names[name], qualifier or LATEST))
        return found

    def _target(self, id: str, attribute: str, qualifier: str) -> set[Target]:
        resource = self.resources.get(id, {})
        type, properties = resource.get("Type"), _map(resource.get("Properties"))
        if type in _FUNCTIONS:
            alias = {**self.defaults, **properties}.get("AutoPublishAlias")
            if attribute == "Alias":
                return {(id, alias if isinstance(alias, str) else ANY)}
            return {(id, ANY if attribute == "Version" else qualifier or LATEST)}
        if type in ("AWS::Lambda::Alias", "AWS::Lambda::Version"):
            name = properties.get("Name")
            functions = self.targets(properties.get("FunctionName"))
            return {(of, name if isinstance(name, str) else ANY) for of, _ in functions}
        if id in self.parameters:
            default = _map(self.parameters[id]).get("Default")
            return self.targets([default]) if isinstance(default, str) else set()
        # SAM names the alias that it defines after the function and the alias.
        owner, _, alias = id.rpartition("Alias")
        is_alias = not resource and self.resources.get(owner, {}).get("Type") in _FUNCTIONS
        return {(owner, alias)} if is_alias else set()


def read_uncovered(path: Path) -> set[str]:
    """Return the logical ids of functions with an asynchronous caller and nothing that covers it.

    Empty for a file that is not a template.
    """
    template = _load(path)
    if template is None:
        return set()
    covered = _covered(template)
    return {
        id
        for id, qualifier in _called(template)
        if not {(id, qualifier), (id, ANY), (id, "")} & covered
        and not (qualifier == ANY and any(function == id for function, _ in covered))
    }


def _load(path: Path) -> _Template | None:
    try:
        text = path.read_text(encoding="utf-8-sig")
        try:
            loaded = json.loads(text)
        except ValueError:
            loaded = yaml.load(text, Loader=_Loader)
    except (OSError, ValueError, yaml.YAMLError, RecursionError, TypeError, AttributeError):
        return None
    resources = {
        id: resource
        for id, resource in _map(_map(loaded).get("Resources")).items()
        if isinstance(resource, Mapping)
    }
    template = _Template(
        resources,
        _map(_map(_map(loaded).get("Globals")).get("Function")),
        _map(_map(loaded).get("Parameters")),
    )
    for id, properties in template.of_type(*_FUNCTIONS):
        if isinstance(name := properties.get("FunctionName"), str):
            template.names[name] = id
    return template


def _covered(template: _Template) -> set[Target]:
    """Return what is covered; a function's own dead-letter queue covers the qualifier `""`."""
    covered: set[Target] = set()
    for id, properties in template.of_type("AWS::Lambda::Function"):
        if _map(properties.get("DeadLetterConfig")).get("TargetArn"):
            covered.add((id, ""))
    for id, properties in template.of_type("AWS::Serverless::Function"):
        if _map(properties.get("DeadLetterQueue")).get("TargetArn"):
            covered.add((id, ""))
        if _keeps(properties.get("EventInvokeConfig")) and "DurableConfig" not in properties:
            covered.add((id, _sam_qualifier(properties)))
    for _, properties in template.of_type("AWS::Lambda::EventInvokeConfig"):
        if _keeps(properties):
            for id, _ in template.targets(properties.get("FunctionName")):
                # Of a durable function, only the dead-letter queue keeps failures.
                if "DurableConfig" not in _map(template.resources[id].get("Properties")):
                    covered |= {(id, one) for one in _qualifiers(template, properties)}
    return covered


def _keeps(config: Any) -> bool:
    on_failure = _map(_map(_map(config).get("DestinationConfig")).get("OnFailure"))
    # SAM defines the destination if it is not given.
    return bool(on_failure.get("Destination") or on_failure.get("Type") in ("SQS", "SNS"))


def _qualifiers(template: _Template, config: Mapping[str, Any]) -> set[str]:
    value = config.get("Qualifier", LATEST)
    if isinstance(value, str):
        return {value}
    named = {
        properties.get("Name")
        for id, _, _ in references(value)
        for one, properties in template.of_type("AWS::Lambda::Alias")
        if one == id
    }
    return {name if isinstance(name, str) else ANY for name in named} or {ANY}


def _sam_qualifier(properties: Mapping[str, Any]) -> str:
    alias = properties.get("AutoPublishAlias")
    if not alias:
        return LATEST
    return alias if isinstance(alias, str) else ANY


def _called(template: _Template) -> Iterator[Target]:
    """Yield the functions that are called asynchronously."""
    for value in _callers(template):
        yield from template.targets(value)
    for id, properties in template.of_type("AWS::Serverless::Function"):
        for event in _map(properties.get("Events")).values():
            type, given = _map(event).get("Type"), _map(_map(event).get("Properties"))
            is_enabled = given.get("Enabled") is not False and given.get("State") != "DISABLED"
            if type in _SAM_EVENTS and is_enabled and not given.get("SqsSubscription"):
                yield id, _sam_qualifier(properties)


def _callers(template: _Template) -> Iterator[Any]:
    """Yield the values that name a function which is called asynchronously."""
    for type, *paths in _CALLERS:
        for _, properties in template.of_type(type):
            for path in paths:
                yield from _each(properties, *path.split("."))
    for type, path, where, expected, name in _CALLERS_OF_A_KIND:
        for _, properties in template.of_type(type):
            for one in _each(properties, *path.split(".")) if path else (properties,):
                if any(value in expected for value in _each(one, *where.split("."))):
                    yield from _each(one, *name.split("."))
    for _, one in template.of_type("AWS::ApiGateway::Method", "AWS::ApiGateway::RestApi"):
        yield from _integrations(one)
    yield from _permitted(template)


def _permitted(template: _Template) -> Iterator[Any]:
    """Yield the functions of permissions, but not where another resource tells who calls."""
    authorizers = set()
    for _, one in template.of_type("AWS::IoT::Authorizer", "AWS::IoT::ProvisioningTemplate"):
        authorizers |= template.targets([*_each(one, "PreProvisioningHook"), *one.values()])
    for _, one in template.of_type("AWS::Lambda::Permission"):
        sources = {id for id, _, _ in references(one.get("SourceArn"))}
        types = {template.resources.get(id, {}).get("Type") for id in sources}
        is_for_iot = "iot.amazonaws.com" in _texts(one.get("Principal"))
        if types & {"AWS::Events::Rule", "AWS::CloudWatch::Alarm", "AWS::IoT::TopicRule"} or (
            is_for_iot and template.targets(one.get("FunctionName")) <= authorizers
        ):
            continue
        if any(_PRINCIPAL.match(text) for text in _texts(one.get("Principal"))):
            yield one.get("FunctionName")


def _integrations(value: Any) -> Iterator[Any]:
    """Yield the functions that API Gateway calls with the header for asynchronous calls."""
    if isinstance(value, list):
        for item in value:
            yield from _integrations(item)
    elif isinstance(value, Mapping):
        for names in (("RequestParameters", "Uri"), ("requestParameters", "uri")):
            header = _map(value.get(names[0])).get(_HEADER)
            if header == "'Event'":
                yield value.get(names[1])
        for inner in value.values():
            yield from _integrations(inner)


def _each(value: Any, *path: str) -> Iterator[Any]:
    """Yield the values at a path, through lists and the branches of Fn::If."""
    if isinstance(value, list):
        for item in value:
            yield from _each(item, *path)
    elif isinstance(value, Mapping) and "Fn::If" in value:
        yield from _each(list(value["Fn::If"])[1:], *path)
    elif not path:
        yield value
    elif isinstance(value, Mapping):
        yield from _each(value.get(path[0]), *path[1:])


def load_resources(path: Path) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return the resources in a file, and SAM's defaults of functions; empty for another file."""
    template = _load(path)
    return ({}, {}) if template is None else (template.resources, template.defaults)


def references(value: Any) -> Iterator[tuple[str, str, str]]:
    """Yield each logical id in a value, with the attribute and the qualifier that follow it."""
    if isinstance(value, list):
        for item in value:
            yield from references(item)
    if not isinstance(value, Mapping):
        return
    for name, inner in value.items():
        if name == "Ref" and isinstance(inner, str):
            yield inner, "", ""
        elif name == "Fn::GetAtt":
            parts = inner.split(".", 1) if isinstance(inner, str) else inner
            if isinstance(parts, list) and all(isinstance(part, str) for part in parts):
                yield parts[0], ".".join(parts[1:]), ""
        elif name == "Fn::Sub":
            text = inner[0] if isinstance(inner, list) and inner else inner
            yield from _PLACEHOLDER.findall(str(text))
            yield from references(inner)
        elif name == "Fn::Join" and isinstance(inner, list) and len(inner) > 1:
            yield from _joined(inner[1])
        else:
            yield from references(inner)


def _joined(parts: Any) -> Iterator[tuple[str, str, str]]:
    found = list(references(parts))
    last = parts[-1] if isinstance(parts, list) and parts else ""
    qualifier = last.strip(":") if isinstance(last, str) and len(parts) > 1 else ""
    for id, attribute, inner in found:
        yield id, attribute, inner or (qualifier if re.fullmatch(r"[\w-]+", qualifier) else "")


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
