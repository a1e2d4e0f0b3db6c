"""Copies a handler's CloudFormation condition to its asynchronous configuration.

Without it, a template whose condition is false refers to a function that it does not define.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/conditions-section-structure.html
"""

from __future__ import annotations

from typing import Any

from aws_cdk import CfnCondition, CfnResource
from constructs import Construct

from ..called import Called


def copy_condition(called: Called, config: Construct) -> None:
    """Copy the condition of a handler or its function, unless the configuration has one.

    A configuration cannot refer to a condition in another stack.
    """
    condition = _condition_of(called.handler)
    if condition is None and called.function is not called.handler:
        condition = _condition_of(called.function)
    if condition is None:
        return
    resource = config if isinstance(config, CfnResource) else config.node.default_child
    if not isinstance(resource, CfnResource) or resource.stack is not condition.stack:
        return
    if resource.cfn_options.condition is None:
        resource.cfn_options.condition = condition


def _condition_of(construct: Any) -> CfnCondition | None:
    resource = construct.node.default_child
    return resource.cfn_options.condition if isinstance(resource, CfnResource) else None
