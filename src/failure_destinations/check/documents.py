"""Read the files that a template refers to: definitions, OpenAPI documents and includes.

`sam build`, `sam package` and `aws cloudformation package` upload them for CloudFormation; until
then, the template names a local file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .files import Files, TemplateError, TooLargeError
from .values import items, mapping

# The property that names the file, and the one that holds its content.
PLACES = {
    "AWS::StepFunctions::StateMachine": ("DefinitionS3Location", "Definition"),
    "AWS::ApiGateway::RestApi": ("BodyS3Location", "Body"),
}
_INCLUDE = "AWS::Include"
# A value that is nested deeper must contain itself.
_MAX_DEPTH = 100


class Documents:
    """Reads the documents that a template refers to.

    Args:
        files: The reader of files.
        path: The template's file.
        refuse: Called with the problem of each document that cannot be read.
    """

    def __init__(self, files: Files, path: Path, refuse: Callable[[TemplateError], None]) -> None:
        self._files = files
        self._path = path
        self._refuse = refuse

    def include(self, template: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a template with the files that AWS::Include names inserted.

        https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/create-reusable-transform-function-snippets-and-add-to-your-template-with-aws-include-transform.html
        """
        return mapping(self._included(template, {}, 0))

    def attach(self, template: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a template with its definitions and OpenAPI documents in place of their names."""
        attached = {}
        for logical_id, resource in mapping(template.get("Resources")).items():
            type = mapping(resource).get("Type")
            name, place = PLACES.get(type, ("", "")) if isinstance(type, str) else ("", "")
            properties = mapping(mapping(resource).get("Properties"))
            for location in items(properties.get(name)):
                content = self._document(location)
                if isinstance(content, Mapping):
                    rest = {key: value for key, value in properties.items() if key != name}
                    attached[logical_id] = {**resource, "Properties": {**rest, place: content}}
        if not attached:
            return template
        return {**template, "Resources": {**template["Resources"], **attached}}

    def _included(self, value: Any, known: dict[int, Any], depth: int) -> Any:
        if not isinstance(value, (Mapping, list)) or depth > _MAX_DEPTH:
            return value
        if id(value) not in known:
            # YAML aliases can repeat a value, or make it contain itself.
            known[id(value)] = value
            known[id(value)] = self._fresh(value, known, depth + 1)
        return known[id(value)]

    def _fresh(self, value: Any, known: dict[int, Any], depth: int) -> Any:
        if isinstance(value, list):
            return [self._included(item, known, depth) for item in value]
        fresh = {name: self._included(inner, known, depth) for name, inner in value.items()}
        transform = mapping(value.get("Fn::Transform"))
        if transform.get("Name") == _INCLUDE:
            content = self._document(mapping(transform.get("Parameters")).get("Location"))
            if isinstance(content, Mapping):
                del fresh["Fn::Transform"]
                fresh |= content
        return fresh

    def _document(self, location: Any) -> Any:
        try:
            path = self._files.find(self._path, location)
            return None if path is None else self._files.document(path)
        except TooLargeError:
            raise
        except TemplateError as error:
            self._refuse(error)
            return None
