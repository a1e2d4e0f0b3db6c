"""Gives an asynchronous configuration the condition of what it is of.

Without it, a template whose condition is false refers to a function that it does not define.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/conditions-section-structure.html
"""

from __future__ import annotations

from typing import Any

from aws_cdk import CfnCondition, CfnResource
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from .handler import function_and_qualifier


def copy_condition(handler: lambda_.IFunction, config: Construct) -> None:
    """Set the condition of a handler, or of its function, unless the configuration has one.

    A condition of another stack cannot be named in the configuration's.
    """
    function, _ = function_and_qualifier(handler)
    condition = _condition_of(handler)
    if condition is None and function is not handler:
        condition = _condition_of(function)
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
