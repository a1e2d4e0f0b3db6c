"""The library's JavaScript reads from an app what the CDK synthesises."""

from __future__ import annotations

import io
import tarfile
from typing import Any

import aws_cdk as cdk
import jsii
import pytest
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from failure_destinations.constructs.cover.node import AppReader, ReadResource
from failure_destinations.constructs.cover.node.archive import pack

TYPE = "Custom::Example"


@jsii.implements(cdk.IStableAnyProducer)
class Nothing:
    """Produces nothing."""

    def produce(self) -> Any:
        """Called by CDK."""
        return None


def example(scope: Construct, properties: dict[str, Any]) -> cdk.CfnResource:
    """Define a custom resource: those are always read."""
    return cdk.CfnResource(scope, "Example", type=TYPE, properties=properties)


def read(app: cdk.App, path: str) -> dict[str, ReadResource]:
    """Return the resources that are read of a stack, by logical id."""
    ((resources),) = (
        stack["resources"]
        for stack in AppReader.read(app, [], [])["stacks"]
        if stack["path"] == path
    )
    return {resource["id"]: resource for resource in resources}


def test_archive_does_not_depend_on_place_and_time() -> None:
    """The same sources give the same bytes, so that jsii unpacks them once on a machine."""
    with tarfile.open(fileobj=io.BytesIO(pack())) as archive:
        members = archive.getmembers()
    assert [member.name for member in members] == [
        "package/index.js",
        "package/.jsii",
        "package/package.json",
    ]
    assert {(m.mtime, m.uid, m.gid, m.uname, m.mode) for m in members} == {(0, 0, 0, "", 0o644)}


def test_reads_what_cdk_resolves(app: cdk.App, stack: cdk.Stack) -> None:
    """Joined strings, lists, numbers and empty values are resolved like the CDK does."""
    queue = sqs.Queue(stack, "Queue")
    names = cdk.CfnParameter(stack, "Names", type="List<String>")
    age = cdk.CfnParameter(stack, "Age", type="Number")
    properties = {
        "Text": "plain",
        "Arn": queue.queue_arn,
        "Joined": f"{queue.queue_arn}/{queue.queue_name}:{cdk.Aws.REGION}",
        "Known": f"{cdk.Lazy.string(Name())}-{cdk.Lazy.string(Name())}",
        "JoinedByCdk": cdk.Fn.join("", ["a", queue.queue_arn, "b"]),
        "JoinedTwice": f"x{cdk.Fn.join('', ['a', queue.queue_arn])}y",
        "JoinedOtherwise": f"x{cdk.Fn.join(',', ['a', queue.queue_arn])}",
        "Among": [{"Arn": queue.queue_arn}, 7, 0.5, True],
        "List": names.value_as_list,
        "Number": age.value_as_number,
        "Nothing": cdk.Lazy.any(Nothing()),
        "Empty": {"List": [], "Mapping": {}, "Text": ""},
    }
    example(stack, properties)

    (resource,) = read(app, stack.node.path).values()

    assert resource["type"] == TYPE
    assert resource["properties"] == stack.resolve(properties)


@jsii.implements(cdk.IStableStringProducer)
class Name:
    """Produces a known string."""

    def produce(self) -> str:
        """Called by CDK."""
        return "name"


def test_imports_what_another_stack_defines(app: cdk.App, stack: cdk.Stack) -> None:
    """A reference to another stack is an import, even if both define that logical id."""
    other = cdk.Stack(app, "Other")
    queues = [sqs.Queue(each, "Queue") for each in (stack, other)]
    example(stack, {"Own": queues[0].queue_arn, "Others": queues[1].queue_arn})

    properties = read(app, stack.node.path)["Example"]["properties"]

    own = stack.resolve(queues[0].queue_arn)
    (exports,) = (
        each["exports"] for each in AppReader.read(app, [], [])["stacks"] if each["path"] == "Other"
    )
    ((name, exported),) = exports.items()
    assert exported == own
    assert properties == {"Own": own, "Others": {"Fn::ImportValue": name}}


def test_reads_nested_stacks_but_not_nested_stages(app: cdk.App, stack: cdk.Stack) -> None:
    """A nested stack is read with its parent; a stage is synthesised on its own."""
    nested = cdk.NestedStack(stack, "Nested")
    cdk.Stack(cdk.Stage(app, "Stage"), "Stack")
    stacks = AppReader.read(app, [], [])["stacks"]
    assert [(each["path"], each["outer"]) for each in stacks] == [
        (stack.node.path, stack.node.path),
        (nested.node.path, stack.node.path),
    ]


@pytest.mark.parametrize("by", ["reference", "dependency", "nested reference"])
def test_finds_the_stacks_that_are_deployed_before(app: cdk.App, stack: cdk.Stack, by: str) -> None:
    """Dependencies are followed over any number of stacks, without the stack itself."""
    first, second, after = (cdk.Stack(app, id) for id in ("First", "Second", "After"))
    queues = {each: sqs.Queue(each, "Queue") for each in (stack, first, second)}
    example(after, {"Arn": queues[stack].queue_arn})
    example(second, {"Arn": queues[first].queue_arn})
    if by == "dependency":
        stack.add_dependency(second)
    else:
        scope = stack if by == "reference" else cdk.NestedStack(stack, "Nested")
        example(scope, {"Arn": queues[second].queue_arn, "Own": queues[stack].queue_arn})
    assert sorted(AppReader.before([stack])) == ["First", "Second"]
