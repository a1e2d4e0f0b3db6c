"""Load YAML with CloudFormation's short forms in linear time."""

from __future__ import annotations

from typing import Any

import yaml

from .json_values import MAX_DIGITS

# No real template merges more pairs.
_MAX_MERGED = 100_000
_MERGE = "tag:yaml.org,2002:merge"
_BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class TemplateLoader(_BASE):  # type: ignore[misc]
    """Reads CloudFormation's tags, such as `!Ref`, and keeps dates as text.

    Numbers that take more than linear time stay text: those of more than 1,000 characters, and
    sexagesimal ones such as `1:59:59`.
    """

    def __init__(self, stream: Any) -> None:
        """Load a text."""
        super().__init__(stream)
        self._merged = 0

    def flatten_mapping(self, node: Any) -> None:
        """Merge mappings that `<<` names into one, up to a limit."""
        merged: list[Any] = []
        own: list[Any] = []
        for key, value in node.value:
            if key.tag != _MERGE:
                own.append((key, value))
                continue
            many = isinstance(value, yaml.SequenceNode)
            for part in reversed(value.value) if many else [value]:
                if not isinstance(part, yaml.MappingNode):
                    raise yaml.constructor.ConstructorError(
                        None, None, "expected a mapping to merge", part.start_mark
                    )
                self.flatten_mapping(part)
                self._merged += len(part.value)
                if self._merged > _MAX_MERGED:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"merges more than {_MAX_MERGED:,} pairs", node.start_mark
                    )
                merged += part.value
        node.value = merged + own


def _construct_tag(loader: Any, suffix: str, node: Any) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


def _construct_integer(loader: Any, node: Any) -> Any:
    text = loader.construct_scalar(node)
    return text if _is_slow(text) else loader.construct_yaml_int(node)


def _construct_float(loader: Any, node: Any) -> Any:
    text = loader.construct_scalar(node)
    return text if _is_slow(text) else loader.construct_yaml_float(node)


def _is_slow(number: str) -> bool:
    return ":" in number or len(number) > MAX_DIGITS


TemplateLoader.add_multi_constructor("!", _construct_tag)
TemplateLoader.add_constructor("tag:yaml.org,2002:int", _construct_integer)
TemplateLoader.add_constructor("tag:yaml.org,2002:float", _construct_float)
for _tag in ("timestamp", "value"):
    # Dates, and a single `=`.
    TemplateLoader.add_constructor(f"tag:yaml.org,2002:{_tag}", _BASE.construct_yaml_str)
