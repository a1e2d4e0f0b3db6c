"""AWS Config: custom rules."""

from __future__ import annotations

from ..resource import Resource
from ..values import items, mapping, members


def read_rule(resource: Resource) -> None:
    """Read a custom rule; all other rules are managed by AWS.

    https://docs.aws.amazon.com/lambda/latest/dg/services-config.html
    """
    for source in items(resource.properties.get("Source")):
        if resource.is_text(mapping(source).get("Owner"), "custom_lambda"):
            resource.calls(mapping(source).get("SourceIdentifier"), "config")


def read_organization_rule(resource: Resource) -> None:
    """Read an organization's custom rule."""
    for function in members(
        resource.properties, "OrganizationCustomRuleMetadata", "LambdaFunctionArn"
    ):
        resource.calls(function, "config")


CALLERS = {
    "AWS::Config::ConfigRule": read_rule,
    "AWS::Config::OrganizationConfigRule": read_organization_rule,
}
