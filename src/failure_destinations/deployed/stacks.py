"""A deployed stack: its resources, their construct paths, and what they refer to."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from failure_destinations.errors import CommandError

from .aws_errors import NO_SUCH_STACK, error_code, is_access_denied
from .construct_path import construct_path
from .session import Aws

_NESTED = "AWS::CloudFormation::Stack"
# How CDK names the resource of a nested stack: `Inner.NestedStack/Inner.NestedStackResource`.
_NESTED_PATH = re.compile(r"(.+)NestedStack(.+)NestedStackResource")


class DeployedStack:
    """The resources of a deployed stack by logical id.

    Args:
        aws: The account and Region of the stack.
        name: Its name or id.
        parent: For a nested stack, the stack that it is nested in.
        parent_id: For a nested stack, its logical id in that stack.

    Attributes:
        name: Its name.
        root_name: The name of the stack around all others; its own if it is not nested.
        physical_ids: Physical ids by logical id.
        types: Types by logical id.
        template: The resources of its template by logical id; empty if the template is YAML.

    Raises:
        CommandError: The stack does not exist.
    """

    def __init__(
        self, aws: Aws, name: str, parent: DeployedStack | None = None, parent_id: str = ""
    ) -> None:
        from botocore.exceptions import ClientError  # noqa: PLC0415 - start-up time

        client = aws.client("cloudformation")
        try:
            pages = list(client.get_paginator("list_stack_resources").paginate(StackName=name))
        except ClientError as error:
            if error_code(error) != NO_SUCH_STACK:
                raise
            raise CommandError(
                f"stack {name!r} does not exist in {client.meta.region_name}: "
                "look at --stack, --region and --profile"
            ) from None
        resources = [
            resource
            for page in pages
            for resource in page["StackResourceSummaries"]
            if resource.get("PhysicalResourceId")
        ]
        self.name = name.rpartition(":stack/")[2].partition("/")[0]
        self.physical_ids = {r["LogicalResourceId"]: r["PhysicalResourceId"] for r in resources}
        self.types = {r["LogicalResourceId"]: r["ResourceType"] for r in resources}
        self.template = _resources(client.get_template(StackName=name)["TemplateBody"])
        self.root_name: str = self.name if parent is None else parent.root_name
        self._aws = aws
        self._parent = parent
        self._parent_id = parent_id

    def with_nested(self) -> Iterator[DeployedStack]:
        """Yield this stack, and all stacks nested in it.

        Nested stacks that are gone, or that the caller may not read, are left out.
        """
        from botocore.exceptions import ClientError  # noqa: PLC0415 - start-up time

        yield self
        for id in self.of_type(_NESTED):
            try:
                nested = DeployedStack(self._aws, self.physical_ids[id], self, id)
            except CommandError:
                continue
            except ClientError as error:
                if not is_access_denied(error):
                    raise
                continue
            yield from nested.with_nested()

    def of_type(self, type: str) -> Iterator[str]:
        """Yield the logical ids of the resources of a type, in the order of their paths.

        Args:
            type: CloudFormation's name of the type, such as `AWS::SQS::Queue`.
        """
        yield from sorted((id for id in self.types if self.types[id] == type), key=self.path)

    def properties(self, id: str) -> Mapping[str, Any]:
        """Return the properties of a resource in the template."""
        properties: Mapping[str, Any] = self.template.get(id, {}).get("Properties", {})
        return properties

    def path(self, id: str) -> str:
        """Return the path of a resource's construct below the stack.

        For a nested stack, that is below the stack around all others.
        """
        resource = self.template.get(id, {})
        path = construct_path(id, resource, self.root_name)
        if self._parent is None or "aws:cdk:path" in resource.get("Metadata", {}):
            return path
        # Without the CDK CLI's metadata, the resource does not know of the stacks around it.
        around = self._parent.path(self._parent_id)
        named = _NESTED_PATH.fullmatch(around)
        return f"{named[1] if named and named[1].endswith(named[2]) else around}{path}"

    def sibling(self, path: str, name: str, type: str) -> str | None:
        """Return the physical id of a resource in a construct; None if there is none.

        Args:
            path: The construct's path below the stack.
            name: The construct id of the resource in it.
            type: CloudFormation's name of the resource's type.
        """
        # Without the CDK CLI's metadata, paths have no slashes.
        wanted = (f"{path}/{name}", f"{path}{name}")
        found = (id for id in self.of_type(type) if self.path(id) in wanted)
        return next((self.physical_ids[id] for id in found), None)

    def resolve(self, value: Any) -> str | None:
        """Return the physical id that a property refers to; None if it is not in this stack.

        A reference resolves to the resource's physical id, whatever attribute it names; for
        example, to a queue's URL rather than its ARN.
        """
        if isinstance(value, str):
            return value
        if not isinstance(value, Mapping):
            return None
        if "Fn::Select" in value:
            return self._select(*value["Fn::Select"])
        if "Fn::GetAtt" in value:
            id, attribute = value["Fn::GetAtt"]
            found = self.physical_ids.get(id)
            # A version's physical id is its ARN.
            return found.rpartition(":")[2] if found and attribute == "Version" else found
        name = str(value.get("Ref"))
        return self.physical_ids.get(name) or self._parameter(name)

    def _parameter(self, name: str) -> str | None:
        """Return what the stack around this one passes as a parameter; None if it is not known."""
        if self._parent is None:
            return None
        passed = self._parent.properties(self._parent_id).get("Parameters") or {}
        return self._parent.resolve(passed.get(name))

    def _select(self, index: Any, parts: Any) -> str | None:
        if not isinstance(parts, Mapping) or "Fn::Split" not in parts:
            return None
        separator, whole = parts["Fn::Split"]
        text = self.resolve(whole)
        split = text.split(separator) if text else []
        return split[int(index)] if int(index) < len(split) else None


def _resources(template: Any) -> dict[str, Any]:
    if isinstance(template, str):
        try:
            template = json.loads(template)
        except ValueError:
            # YAML, so not from the CDK: the logical ids serve as paths.
            return {}
    resources: dict[str, Any] = template.get("Resources", {})
    return resources
