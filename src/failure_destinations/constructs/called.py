"""A handler and where it is defined. Each fact takes a call to Node, so it is read once."""

from __future__ import annotations

import functools
from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Node

from .refusals import has_member

# The construct id of the role that CDK defines for a function without one.
_ROLE_ID = "ServiceRole"


class Called:
    """A function, or an alias or a version of one."""

    def __init__(
        self,
        handler: lambda_.IFunction,
        *,
        stack: Stack | None = None,
        resource: lambda_.CfnFunction | None = None,
    ) -> None:
        """Wrap a handler.

        Args:
            handler: The function, alias or version.
            stack: Its stack, if known.
            resource: The function's own resource, if known.
        """
        self.handler = handler
        self._known_stack = stack
        self._known_resource = resource

    @functools.cached_property
    def node(self) -> Node:
        """Its node in the construct tree."""
        return self.handler.node

    @functools.cached_property
    def stack(self) -> Stack:
        """The stack that it is defined in, or was imported into."""
        return self._known_stack or self.handler.stack

    @functools.cached_property
    def function(self) -> lambda_.IFunction:
        """The function itself."""
        return function_and_qualifier(self.handler)[0]

    @functools.cached_property
    def resource(self) -> lambda_.CfnFunction | None:
        """The resource of the function itself; None if it is not defined in this app."""
        if self._known_resource is not None:
            return self._known_resource
        function = self.function
        if isinstance(function, lambda_.SingletonFunction):
            # The actual function is a construct elsewhere in the stack.
            node = function.permissions_node
        elif isinstance(function, lambda_.Function):
            node = self.node if function is self.handler else function.node
        else:
            return None
        resource = node.default_child
        return resource if isinstance(resource, lambda_.CfnFunction) else None

    @property
    def isolates_tenants(self) -> bool:
        """Whether each invocation must name a tenant; False if the function is not in this app.

        https://docs.aws.amazon.com/lambda/latest/dg/tenant-isolation-invoke.html
        """
        return self.resource is not None and self.resource.tenancy_config is not None

    @property
    def is_durable(self) -> bool:
        """Whether it is a durable function; False if the function is not in this app.

        https://docs.aws.amazon.com/lambda/latest/dg/durable-invoking.html
        """
        return self.resource is not None and self.resource.durable_config is not None

    @property
    def run_seconds(self) -> Any:
        """How many seconds a run may take: a number or a token; None if the template does not say.

        For a durable function this is the whole execution, of several invocations.
        """
        if self.resource is None:
            return None
        if self.is_durable:
            return getattr(self.resource.durable_config, "execution_timeout", None)
        return self.resource.timeout

    @functools.cached_property
    def custom_role(self) -> iam.IRole | None:
        """The handler's role; None if it has none, or has CDK's default role as its child."""
        if self.node.try_find_child(_ROLE_ID) is not None:
            return None
        return self.handler.role


def function_and_qualifier(handler: Any) -> tuple[lambda_.IFunction, str]:
    """Return the function and the name of the version or alias that callers use."""
    if has_member(handler, "alias_name"):
        return handler.version.lambda_, handler.alias_name
    if has_member(handler, "version"):
        return handler.lambda_, handler.version
    return handler, "$LATEST"
