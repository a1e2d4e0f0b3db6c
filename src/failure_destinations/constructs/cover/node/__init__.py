"""Reads an app in Node, where the CDK is: one call instead of one for each resource.

`package/` is JavaScript, which jsii loads from the archive beside it, as it does the CDK's own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, TypedDict, cast

import aws_cdk  # noqa: F401 - what it needs is loaded before it
import jsii
from aws_cdk import CfnResource, Stack, Stage
from constructs import IConstruct

_ARCHIVE = Path(__file__).with_name("failure-destinations@1.0.0.jsii.tgz")
jsii.kernel.load("failure-destinations", "1.0.0", str(_ARCHIVE))


class ReadResource(TypedDict, total=False):
    """A resource. Only of the types that were asked for so, it has the last three.

    Attributes:
        id: Its logical id.
        type: Its CloudFormation type.
        properties: Its properties, resolved, with names as CDK has them.
        element: The resource itself.
        construct: The construct around it.
        accepted: The ids of the findings that are accepted of that construct, or around it.
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
        outer: The path of the stack that it is deployed with: its own, unless it is nested.
        stack: The stack itself.
        resources: What it defines.
        exports: What it exports and other stacks import from it, by the names of the exports.
    """

    path: str
    outer: str
    stack: Stack
    resources: list[ReadResource]
    exports: dict[str, Any]


class ReadApp(TypedDict):
    """A stage or an app.

    Attributes:
        stacks: Its stacks, nested ones too, but for those of stages in it.
        hasConditions: Whether a stack has conditions.
    """

    stacks: list[ReadStack]
    hasConditions: bool


class AppReader(metaclass=jsii.JSIIMeta, jsii_type="failure-destinations.AppReader"):
    """Reads an app before it is synthesised."""

    @classmethod
    def read(cls, stage: Stage, types: Collection[str], called: Collection[str]) -> ReadApp:
        """Return what the stacks of a stage or app define of some types.

        What `add_property_override` and its like change is not seen.

        Args:
            stage: The stage or app.
            types: The CloudFormation types; custom resources are read too.
            called: Which of these are to come with their constructs.
        """
        return cast(ReadApp, jsii.sinvoke(cls, "read", [stage, sorted(types), sorted(called)]))

    @classmethod
    def before(cls, stacks: Iterable[Stack]) -> list[str]:
        """Return the paths of the outermost stacks that are deployed before some stacks.

        They follow from dependencies of stacks, and from references to one another. What
        `add_property_override` and its like refer to, and dependencies of single constructs, are
        not seen.
        """
        return cast(list[str], jsii.sinvoke(cls, "before", [list(stacks)]))
