"""Reads what a template keeps in files beside it: definitions, OpenAPI documents and includes.

`sam build`, `sam package` and `aws cloudformation package` put them where CloudFormation finds
them; before that, a name stands in the template.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .files import TemplateError, is_file, read_document
from .values import items, mapping

# Where the name is, and where the content would be.
PLACES = {
    "AWS::StepFunctions::StateMachine": ("DefinitionS3Location", "Definition"),
    "AWS::ApiGateway::RestApi": ("BodyS3Location", "Body"),
}
_INCLUDE = "AWS::Include"
# Deeper, it can only be something that contains itself.
_MAX_DEPTH = 100


def include(path: Path, template: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a template with the files in it that AWS::Include names.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/create-reusable-transform-function-snippets-and-add-to-your-template-with-aws-include-transform.html
    """
    return mapping(_included(path, template, {}, 0))


def _included(path: Path, value: Any, known: dict[int, Any], depth: int) -> Any:
    if not isinstance(value, (Mapping, list)) or depth > _MAX_DEPTH:
        return value
    if id(value) not in known:
        # YAML's aliases may repeat a value, or contain it in itself.
        known[id(value)] = value
        known[id(value)] = _fresh(path, value, known, depth + 1)
    return known[id(value)]


def _fresh(path: Path, value: Any, known: dict[int, Any], depth: int) -> Any:
    if isinstance(value, list):
        return [_included(path, item, known, depth) for item in value]
    fresh = {name: _included(path, inner, known, depth) for name, inner in value.items()}
    transform = mapping(value.get("Fn::Transform"))
    if transform.get("Name") == _INCLUDE:
        content = _document(path, mapping(transform.get("Parameters")).get("Location"))
        if isinstance(content, Mapping):
            del fresh["Fn::Transform"]
            fresh |= content
    return fresh


def attach(path: Path, template: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a template with the documents that are files beside it in their places."""
    attached = {}
    for logical_id, resource in mapping(template.get("Resources")).items():
        type = mapping(resource).get("Type")
        name, place = PLACES.get(type, ("", "")) if isinstance(type, str) else ("", "")
        properties = mapping(mapping(resource).get("Properties"))
        for location in items(properties.get(name)):
            content = _document(path, location)
            if isinstance(content, Mapping):
                rest = {key: value for key, value in properties.items() if key != name}
                attached[logical_id] = {**resource, "Properties": {**rest, place: content}}
    if not attached:
        return template
    return {**template, "Resources": {**template["Resources"], **attached}}


def _document(path: Path, location: Any) -> Any:
    if not isinstance(location, str) or "://" in location or not is_file(path.parent / location):
        return None
    try:
        return read_document(path.parent / location)
    except TemplateError:
        return None
