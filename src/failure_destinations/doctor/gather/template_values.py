"""Resolves the values of a template as CloudFormation does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from failure_destinations.deployed.stacks import DeployedStack

from ..facts import name_of


class TemplateValues:
    """Resolves the values of a stack's template, as far as they are known.

    Args:
        stack: The stack.
        region: Its Region.
    """

    def __init__(self, stack: DeployedStack, region: str) -> None:
        self._stack = stack
        self._region = region
        self._known: list[tuple[Any, str]] = []

    def know(self, value: Any, text: str) -> None:
        """Remember the resolved text of a value.

        Args:
            value: The value in the template, such as `{"Ref": "Topic"}`.
            text: The text that CloudFormation resolves it to.
        """
        self._known.append((value, text))

    def all(self, value: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return properties with all values resolved; None if one is not known."""
        filled = {name: self._filled(part) for name, part in value.items()}
        return None if any(part is None for part in filled.values()) else filled

    def text(self, value: Any) -> str | None:
        """Return the text of a value, resolving references; None if it is not known."""
        known = next((text for each, text in self._known if each == value), None)
        if known is not None or not isinstance(value, Mapping):
            return known or (value if isinstance(value, str) else None)
        if "Fn::Join" in value:
            separator, parts = value["Fn::Join"]
            texts = [self.text(part) for part in parts]
            return None if None in texts else separator.join(texts)
        if value.get("Ref") == "AWS::Region":
            return self._region
        found = self._stack.resolve(value)
        if found is not None and "Fn::GetAtt" in value:
            return self._attribute(found, value["Fn::GetAtt"][1])
        return found

    def _attribute(self, id: str, attribute: str) -> str | None:
        if attribute in ("QueueName", "TopicName"):
            return name_of(id)
        return id if attribute != "Arn" or id.startswith("arn:") else None

    def _filled(self, value: Any) -> Any:
        if isinstance(value, list):
            parts = [self._filled(part) for part in value]
            return None if any(part is None for part in parts) else parts
        if not isinstance(value, Mapping):
            return value
        if any(name == "Ref" or name.startswith("Fn::") for name in value):
            return self.text(value)
        return self.all(value)
