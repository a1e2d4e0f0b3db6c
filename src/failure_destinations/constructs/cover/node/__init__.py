"""Reads an app in Node, where the CDK runs: one call instead of one for each resource."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, TypedDict, cast

import aws_cdk  # noqa: F401 - jsii must load what the package depends on first
import jsii
from aws_cdk import CfnResource, Stack, Stage
from constructs import IConstruct

from .archive import packed

with packed() as archive:
    jsii.kernel.load("failure-destinations", "1.0.0", str(archive))


class ReadResource(TypedDict, total=False):
    """A resource. The last three keys are present only for the types in `called`.

    Attributes:
        id: Its logical id.
        type: Its CloudFormation type.
        properties: Its resolved properties, with the CDK's names.
        element: The resource itself.
        construct: The construct that defines it.
        accepted: The ids of the findings that are acknowledged on the resource or a parent.
    """

    id: str
    type: str
    properties: dict[str, Any]
    element: CfnResource
    construct: IConstruct
    accepted: list[str]


class ReadStack(TypedDict):
    """A stack.

    Attributes:
        path: Its path.
        outer: The path of the outermost stack that it is deployed with: its own unless nested.
        name: Its name in CloudFormation.
        account: Its account; empty if that is only known at deployment.
        region: Its Region; empty if that is only known at deployment.
        stack: The stack itself.
        resources: The resources that it defines.
        exports: The values that other stacks import from it, by export name.
        outputs: The values that other stacks get from it with `Fn::GetStackOutput`, by logical id.
    """

    path: str
    outer: str
    name: str
    account: str
    region: str
    stack: Stack
    resources: list[ReadResource]
    exports: dict[str, Any]
    outputs: dict[str, Any]


class ReadApp(TypedDict):
    """A stage or an app.

    Attributes:
        stacks: Its stacks and nested stacks, without those of stages inside it.
        hasConditions: Whether any stack defines a condition.
    """

    stacks: list[ReadStack]
    hasConditions: bool


class AppReader(metaclass=jsii.JSIIMeta, jsii_type="failure-destinations.AppReader"):
    """Reads an app before it is synthesised."""

    @classmethod
    def read(cls, stage: Stage, types: Collection[str], called: Collection[str]) -> ReadApp:
        """Return the resources of some types that a stage or app defines.

        Property overrides (`add_property_override` and similar) are not read.

        Args:
            stage: The stage or app.
            types: The CloudFormation types to read; custom resources are always read.
            called: The types whose resources are returned with their constructs.
        """
        return cast(ReadApp, jsii.sinvoke(cls, "read", [stage, sorted(types), sorted(called)]))

    @classmethod
    def before(cls, stacks: Iterable[Stack]) -> list[str]:
        """Return the paths of the outermost stacks that are deployed before some stacks.

        Dependencies between stacks and references between them count. References in property
        overrides, and dependencies between single constructs, do not.
        """
        return cast(list[str], jsii.sinvoke(cls, "before", [list(stacks)]))
