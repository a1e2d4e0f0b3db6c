"""Load YAML with CloudFormation's short forms, in time that grows linearly with its length."""

from __future__ import annotations

from typing import Any

import yaml

from .json_values import MAX_DIGITS

# More pairs cannot come from a template that a person wrote.
_MAX_MERGED = 100_000
_MERGE = "tag:yaml.org,2002:merge"
_BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class TemplateLoader(_BASE):  # type: ignore[misc]
    """Reads CloudFormation's tags, `!Ref` and so on, and dates as the texts that they are.

    Numbers that would take more than linear time stay texts: those of more than 1,000 characters
    and those to the base of 60, `1:59:59`.
    """

    def __init__(self, stream: Any) -> None:
        """Load a text."""
        super().__init__(stream)
        self._merged = 0

    def flatten_mapping(self, node: Any) -> None:
        """Merge mappings into one, as `<<` says, but not without end."""
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
