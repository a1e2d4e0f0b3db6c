"""Run the AWS SAM transform with AWS's own translator, as CloudFormation would."""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from .documents import PLACES
from .files import TemplateError
from .values import items, mapping, member

_TRANSFORM = "AWS::Serverless-2016-10-31"
_PROBLEM_LENGTH = 300
# The code's location does not matter here, but the translator requires one in S3.
_CODE = {
    "AWS::Serverless::Function": "CodeUri",
    "AWS::Serverless::LayerVersion": "ContentUri",
    "AWS::Serverless::Api": "DefinitionUri",
    "AWS::Serverless::HttpApi": "DefinitionUri",
    "AWS::Serverless::StateMachine": "DefinitionUri",
    "AWS::Serverless::GraphQLApi": "SchemaUri",
}
_ELSEWHERE = "s3://bucket/key"
_APPLICATION = "AWS::Serverless::Application"


def is_sam(template: Mapping[str, Any]) -> bool:
    """Return whether a template needs SAM's transform."""
    return _TRANSFORM in list(items(template.get("Transform")))


def transform(path: Path, template: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the template that CloudFormation would deploy.

    Raises:
        TemplateError: The translator is not installed, or refuses the template.
    """
    try:
        from samtranslator.model.exceptions import InvalidDocumentException  # type: ignore[import-untyped]  # noqa: PLC0415 - an extra
        from samtranslator.parser.parser import Parser  # type: ignore[import-untyped]  # noqa: PLC0415 - an extra
        from samtranslator.translator.translator import Translator  # type: ignore[import-untyped]  # noqa: PLC0415 - an extra
    except ImportError:
        raise TemplateError(
            f"{path}: is an AWS SAM template: pip install 'failure-destinations[sam]'"
        ) from None
    # The translator needs only the Region of a boto3 session, so no profile is required.
    session = SimpleNamespace(region_name="us-east-1")
    logging.getLogger("samtranslator").setLevel(logging.CRITICAL)
    try:
        local = copy.deepcopy(dict(template))
        loops = _remove_loops(local)
        places = _replace_code_locations(local)
        translated = Translator({}, Parser(), boto_session=session).translate(
            local, _parameters(local)
        )
    except InvalidDocumentException as error:
        causes = "; ".join(str(cause.message) for cause in error.causes) or error.message
        raise TemplateError(f"{path}: AWS SAM rejects it: {_one_line(causes)}") from None
    except Exception as error:
        raise TemplateError(
            f"{path}: AWS SAM cannot translate it: {_one_line(f'{type(error).__name__}: {error}')}"
        ) from None
    resources = mapping(mapping(translated).get("Resources"))
    for logical_id, place in places.items():
        _restore_location(mapping(resources.get(logical_id)), place)
    return {**translated, "Resources": {**resources, **loops}}


def _remove_loops(template: dict[str, Any]) -> dict[str, Any]:
    """Remove Fn::ForEach, which CloudFormation expands before the translator runs."""
    resources = template.get("Resources")
    if not isinstance(resources, dict):
        return {}
    names = [name for name in resources if isinstance(name, str) and name.startswith("Fn::")]
    return {name: resources.pop(name) for name in names}


def _restore_location(resource: Mapping[str, Any], place: str) -> None:
    """Restore the location of a definition."""
    type, properties = resource.get("Type"), resource.get("Properties")
    if isinstance(type, str) and type in PLACES and isinstance(properties, dict):
        name, _ = PLACES[type]
        if name in properties:
            properties[name] = place


def _replace_code_locations(template: dict[str, Any]) -> dict[str, str]:
    """Replace code locations by ones that the translator accepts; return those of definitions."""
    places: dict[str, str] = {}
    for logical_id, resource in mapping(template.get("Resources")).items():
        type = mapping(resource).get("Type")
        if type == _APPLICATION:
            # For this nested stack, the translator would request the template from a service.
            resource["Type"] = "AWS::CloudFormation::Stack"
            resource["Properties"] = {"TemplateURL": member(resource, "Properties", "Location")}
        properties = mapping(resource).get("Properties")
        if not isinstance(properties, dict) or not isinstance(type, str):
            continue
        name = _CODE.get(type)
        if type == "AWS::Serverless::Function":
            if not {"InlineCode", "ImageUri"} & set(properties) and not _is_image(
                properties, template
            ):
                properties["CodeUri"] = _ELSEWHERE
        elif name is not None and isinstance(properties.get(name), str):
            places[logical_id] = properties[name]
            properties[name] = _ELSEWHERE
    return places


def _is_image(properties: Mapping[str, Any], template: Mapping[str, Any]) -> bool:
    """Return whether a function is a container image, and if so set an image URI."""
    defaults = mapping(mapping(template.get("Globals")).get("Function"))
    if properties.get("PackageType", defaults.get("PackageType")) != "Image":
        return False
    if isinstance(properties, dict) and "ImageUri" not in defaults:
        properties["ImageUri"] = "111122223333.dkr.ecr.us-east-1.amazonaws.com/image:latest"
    return True


def _parameters(template: Mapping[str, Any]) -> dict[str, Any]:
    # A value that is only known at deployment stays unknown: a parameter's name is not an ARN. An
    # empty default means that a value is optional.
    return {
        name: default if (default := mapping(parameter).get("Default")) not in (None, "") else name
        for name, parameter in mapping(template.get("Parameters")).items()
    }


def _one_line(text: str) -> str:
    return " ".join(text.split())[:_PROBLEM_LENGTH]
