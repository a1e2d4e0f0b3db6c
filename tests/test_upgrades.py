"""An upgrade of a deployed stack replaces no topic, queue or function, and deletes nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import aws_cdk as cdk
import constructs
import pytest

import failure_destinations

from .released.app import HERE, STACKS, define_app, stack_of
from .templates import Resource, resources_of

VERSIONS = sorted(folder.name for folder in HERE.iterdir() if folder.name[0].isdigit())

# Properties whose change replaces a resource, from the pages of the resource types.
# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/
REPLACED_FOR = {
    "AWS::CloudWatch::Alarm": {"AlarmName"},
    "AWS::CloudWatch::Dashboard": {"DashboardName"},
    "AWS::DynamoDB::Table": {
        "ImportSourceSpecification",
        "KeySchema",
        "LocalSecondaryIndexes",
        "TableName",
    },
    "AWS::IAM::Policy": {"PolicyName"},
    "AWS::IAM::Role": {"RoleName", "Path"},
    "AWS::KMS::Key": set(),
    "AWS::Lambda::Alias": {"FunctionName", "Name"},
    "AWS::Lambda::EventInvokeConfig": {"FunctionName", "Qualifier"},
    "AWS::Lambda::EventSourceMapping": {"EventSourceArn", "StartingPosition"},
    "AWS::Lambda::Function": {"FunctionName", "PackageType"},
    "AWS::Logs::LogGroup": {"LogGroupName"},
    "AWS::SNS::Subscription": {"Endpoint", "Protocol", "TopicArn"},
    "AWS::SNS::Topic": {"FifoTopic", "TopicName"},
    "AWS::SNS::TopicPolicy": set(),
    "AWS::SQS::Queue": {"FifoQueue", "QueueName"},
    "AWS::SQS::QueuePolicy": set(),
    "AWS::Scheduler::Schedule": {"Name"},
}
# A published version never changes; a later one replaces it, and the alias leads there.
PUBLISHED_ANEW = "AWS::Lambda::Version"


@pytest.fixture(scope="module")
def app() -> cdk.App:
    """Define today's stacks, once."""
    return define_app()


@pytest.fixture(scope="module")
def now(app: cdk.App) -> dict[str, dict[str, Resource]]:
    """Synthesise today's stacks, once."""
    return {name: resources_of(stack_of(app, name)) for name in STACKS}


def released(version: str, stack: str) -> Mapping[str, Any]:
    """Return the resources of a stack as a released version defined them."""
    text = (HERE / version / f"{stack}.template.json").read_text()
    resources: Mapping[str, Any] = json.loads(text)["Resources"]
    return resources


def identity(resource: Mapping[str, Any]) -> Any:
    """Return the properties that a resource cannot change without being replaced."""
    properties = resource.get("Properties", {})
    names = sorted(REPLACED_FOR[resource["Type"]])
    return resource["Type"], {name: properties.get(name) for name in names}


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("version", VERSIONS)
def test_replaces_nothing_of_a_released_version(
    now: dict[str, dict[str, Resource]], version: str, stack: str
) -> None:
    """Each released resource is still there and would not be replaced."""
    before = {
        id: identity(resource)
        for id, resource in released(version, stack).items()
        if resource["Type"] != PUBLISHED_ANEW
    }
    after = {id: identity(now[stack][id]) for id in before if id in now[stack]}
    assert after == before


def test_app_has_every_construct(app: cdk.App) -> None:
    """The recorded stacks contain every public construct."""
    exported = {getattr(failure_destinations, name) for name in failure_destinations.__all__}
    offered = {
        kind
        for kind in exported
        if isinstance(kind, type) and issubclass(kind, constructs.Construct)
    }
    assert offered - {type(construct) for construct in app.node.find_all()} == set()


def test_knows_what_replaces_each_resource(now: dict[str, dict[str, Resource]]) -> None:
    """Every resource type here is known, with the properties that replace it."""
    types = {resource["Type"] for resources in now.values() for resource in resources.values()}
    assert types - set(REPLACED_FOR) - {PUBLISHED_ANEW} == set()
