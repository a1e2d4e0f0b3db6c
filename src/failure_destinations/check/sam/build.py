"""What a template of SAM gets from `sam build` and from its deployment, filled in.

The translator needs it as texts of a certain form, and none of it matters here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..documents import PLACES
from ..values import mapping, member, scalar

FUNCTION = "AWS::Serverless::Function"
_LAYER = "AWS::Serverless::LayerVersion"
_APPLICATION = "AWS::Serverless::Application"
# The property with the code's location, which the translator requires in S3.
_CODE = {
    FUNCTION: "CodeUri",
    _LAYER: "ContentUri",
    "AWS::Serverless::Api": "DefinitionUri",
    "AWS::Serverless::HttpApi": "DefinitionUri",
    "AWS::Serverless::StateMachine": "DefinitionUri",
    "AWS::Serverless::GraphQLApi": "SchemaUri",
}
# The beginning of a document, by the kind of API.
_DOCUMENTS = {
    "AWS::Serverless::Api": {"swagger": "2.0"},
    "AWS::Serverless::HttpApi": {"openapi": "3.0.1"},
}
_CODE_OF_FUNCTION = ("CodeUri", "ImageUri", "InlineCode")
_HAVE_CODE = {"Runtime", "ImageUri", "PackageType"}
_ELSEWHERE = "s3://bucket/key"
_IMAGE = "111122223333.dkr.ecr.us-east-1.amazonaws.com/image:latest"


def fill_in(template: dict[str, Any]) -> dict[str, str]:
    """Fill in what a build would; return the locations of definitions, to restore them later."""
    _fill_in_aliases(template)
    _fill_in_paths(template)
    return _replace_code_locations(template) | _replace_includes(template)


def remove_parts(template: Mapping[str, Any]) -> dict[str, Any]:
    """Remove and return the functions of a part of a template whose defaults are in another part.

    A build joins the parts. The defaults may hold a failure destination, so these functions cannot
    be judged. Without `Transform` and a runtime, a function is such a part.
    """
    if "Transform" in template:
        return {}
    resources = template.get("Resources")
    defaults = mapping(mapping(template.get("Globals")).get("Function"))
    parts = [
        logical_id
        for logical_id, resource in mapping(resources).items()
        if mapping(resource).get("Type") == FUNCTION
        and not _HAVE_CODE & {*defaults, *mapping(mapping(resource).get("Properties"))}
    ]
    if not isinstance(resources, dict):
        return {}
    return {logical_id: resources.pop(logical_id) for logical_id in parts}


def restore_location(resource: Mapping[str, Any], place: str) -> None:
    """Restore the location of a definition."""
    type, properties = resource.get("Type"), resource.get("Properties")
    if isinstance(type, str) and type in PLACES and isinstance(properties, dict):
        name, _ = PLACES[type]
        properties[name] = place


def parameters(template: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a template's parameters."""
    # A value that is only known at deployment stays unknown: a parameter's name is not an ARN. An
    # empty default means that a value is optional; that of a stored parameter is its path.
    return {
        name: name if _is_open(mapping(parameter)) else mapping(parameter)["Default"]
        for name, parameter in mapping(template.get("Parameters")).items()
    }


def _is_open(parameter: Mapping[str, Any]) -> bool:
    type = parameter.get("Type")
    is_stored = isinstance(type, str) and type.startswith("AWS::SSM::Parameter::")
    return is_stored or parameter.get("Default") in (None, "")


def _fill_in_aliases(template: Mapping[str, Any]) -> None:
    """Fill in parameters that name an alias, as AWS::LanguageExtensions would before SAM runs."""
    given = parameters(template)
    for resource in mapping(template.get("Resources")).values():
        properties = mapping(resource).get("Properties")
        alias = mapping(properties).get("AutoPublishAlias")
        name = mapping(alias).get("Ref")
        if isinstance(properties, dict) and isinstance(name, str) and name in given:
            properties["AutoPublishAlias"] = given[name]


def _fill_in_paths(template: Mapping[str, Any]) -> None:
    """Replace paths of APIs that are not texts: SAM needs one, and it does not matter which."""
    for logical_id, resource in mapping(template.get("Resources")).items():
        events = mapping(mapping(mapping(resource).get("Properties")).get("Events"))
        for name, event in events.items():
            properties = mapping(event).get("Properties")
            if isinstance(properties, dict) and isinstance(properties.get("Path"), Mapping):
                properties["Path"] = f"/{logical_id}/{name}"


def _replace_includes(template: Mapping[str, Any]) -> dict[str, str]:
    """Replace APIs' documents that are included from S3, and return their locations.

    CloudFormation includes them before SAM runs, which then adds to the document.
    """
    places: dict[str, str] = {}
    for logical_id, resource in mapping(template.get("Resources")).items():
        type = scalar(mapping(resource).get("Type"))
        properties = mapping(resource).get("Properties")
        body = mapping(mapping(properties).get("DefinitionBody"))
        if type in _DOCUMENTS and isinstance(properties, dict) and "Fn::Transform" in body:
            location = member(body, "Fn::Transform", "Parameters", "Location")
            places[logical_id] = location if isinstance(location, str) else _ELSEWHERE
            properties["DefinitionBody"] = {**_DOCUMENTS[type], "paths": {}}
    return places


def _replace_code_locations(template: dict[str, Any]) -> dict[str, str]:
    """Replace code locations by ones that the translator accepts; return those of definitions."""
    places: dict[str, str] = {}
    defaults = _remove_code_defaults(template)
    for logical_id, resource in mapping(template.get("Resources")).items():
        type = mapping(resource).get("Type")
        if type == _APPLICATION:
            # For this nested stack, the translator would request the template from a service.
            given = mapping(resource.get("Properties"))
            resource["Type"] = "AWS::CloudFormation::Stack"
            resource["Properties"] = {
                "TemplateURL": member(given, "Location"),
                **{name: given[name] for name in ("Parameters",) if name in given},
            }
        if not isinstance(type, str) or type not in _CODE:
            continue
        if type == FUNCTION and mapping(resource).get("Properties") is None:
            resource["Properties"] = {}
        properties = mapping(resource).get("Properties")
        if not isinstance(properties, dict):
            continue
        if type == FUNCTION:
            _replace_code(properties, defaults)
            continue
        name = _CODE[type]
        location = properties.get(name)
        if isinstance(location, str):
            places[logical_id] = location
        # Another value than a bucket and key is only known at deployment.
        is_in_s3 = isinstance(location, Mapping) and "Bucket" in location
        if not is_in_s3 and (location is not None or type == _LAYER):
            properties[name] = _ELSEWHERE
    return places


def _remove_code_defaults(template: Mapping[str, Any]) -> dict[str, Any]:
    """Remove the defaults that say where the code is, and return all defaults of functions.

    A function has one of them, whatever the defaults are.
    """
    functions = mapping(template.get("Globals")).get("Function")
    defaults = dict(mapping(functions))
    if isinstance(functions, dict):
        for name in _CODE_OF_FUNCTION:
            functions.pop(name, None)
    return defaults


def _replace_code(properties: dict[str, Any], defaults: Mapping[str, Any]) -> None:
    """Give a function code that the translator accepts."""
    if properties.get("PackageType", defaults.get("PackageType")) == "Image":
        for name in _CODE_OF_FUNCTION:
            properties.pop(name, None)
        properties["ImageUri"] = _IMAGE
    elif "ImageUri" in properties:
        properties |= {"ImageUri": _IMAGE, "PackageType": "Image"}
    elif "InlineCode" not in properties:
        properties["CodeUri"] = _ELSEWHERE
