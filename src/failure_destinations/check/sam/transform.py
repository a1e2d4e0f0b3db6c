"""Run the transform, and tell what SAM generates from what its author wrote."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any, NamedTuple

from ..files import TemplateError
from ..scope import role_of
from ..values import mapping, scalar
from .build import FUNCTION, fill_in, parameters, remove_parts, restore_location
from .rejections import RejectedError, one_line, remove_rejected

# SAM names all resources that it rejects at once, but others may refer to them.
_MAX_ATTEMPTS = 10
# The maximum length of a logical id.
_MAX_ID = 255


class NotInstalledError(TemplateError):
    """The translator is not installed."""


class Transformed(NamedTuple):
    """A template after SAM's transform.

    Attributes:
        template: The template.
        written_as: How SAM's template names its functions, and what SAM generates for them, their
            events and asynchronous configurations, by logical id.
    """

    template: Mapping[str, Any]
    written_as: Mapping[str, str] = MappingProxyType({})


def is_sam(template: Mapping[str, Any]) -> bool:
    """Return whether a template has resources that need SAM's transform.

    Without `Transform`, CloudFormation refuses it. But a build may still add that.
    """
    return any(
        scalar(mapping(resource).get("Type")).startswith("AWS::Serverless::")
        for resource in mapping(template.get("Resources")).values()
    )


def transform(
    path: Path, template: Mapping[str, Any], refuse: Callable[[TemplateError], None]
) -> Transformed:
    """Return the template that CloudFormation would deploy, with the names in SAM's template.

    Args:
        path: The template's file.
        template: The template.
        refuse: Called with the problem if SAM rejects some resources. These stay as they are, and
            the others are transformed.

    Raises:
        TemplateError: The translator is not installed, or refuses the whole template.
    """
    try:
        return _transformed(path, template, refuse)
    except TemplateError:
        raise
    except Exception as error:
        said = one_line(f"{type(error).__name__}: {error}")
        raise TemplateError(f"{path}: AWS SAM cannot translate it: {said}") from None


def _transformed(
    path: Path, template: Mapping[str, Any], refuse: Callable[[TemplateError], None]
) -> Transformed:
    local = copy.deepcopy(dict(template))
    untransformed = _remove_loops(local) | remove_parts(local)
    places = fill_in(local)
    beginnings = _beginnings(local)
    problem: TemplateError | None = None
    if not is_sam(local):
        return Transformed(
            {**local, "Resources": {**mapping(local.get("Resources")), **untransformed}}
        )
    for _ in range(_MAX_ATTEMPTS):
        try:
            translated = _translate(path, local)
            break
        except RejectedError as error:
            problem = problem or error
            if error.whole or not remove_rejected(local, error, untransformed):
                raise problem from None
    else:
        raise problem or TemplateError(f"{path}: AWS SAM rejects it")
    if problem is not None:
        refuse(problem)
    resources = mapping(translated.get("Resources"))
    for logical_id, place in places.items():
        restore_location(mapping(resources.get(logical_id)), place)
    found = {**resources, **untransformed}
    return Transformed(
        {**translated, "Resources": found},
        _written_as(beginnings, mapping(template.get("Resources")), found),
    )


def _translate(path: Path, template: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        from samtranslator.model.exceptions import InvalidDocumentException  # type: ignore[import-untyped]  # noqa: PLC0415 - an extra
        from samtranslator.parser.parser import Parser  # type: ignore[import-untyped]  # noqa: PLC0415 - an extra
        from samtranslator.translator.translator import Translator  # type: ignore[import-untyped]  # noqa: PLC0415 - an extra
    except ImportError:
        raise NotInstalledError(
            f"{path}: is an AWS SAM template: pip install 'failure-destinations[sam]'"
        ) from None
    # The translator needs only the Region of a boto3 session, so no profile is required.
    session = SimpleNamespace(region_name="us-east-1")
    logging.getLogger("samtranslator").setLevel(logging.CRITICAL)
    try:
        # It changes the template.
        own = copy.deepcopy(dict(template))
        translator = Translator({}, Parser(), boto_session=session)
        return mapping(translator.translate(own, parameters(own)))
    except InvalidDocumentException as error:
        raise RejectedError(path, list(error.causes), str(error.message)) from None


def _beginnings(template: Mapping[str, Any]) -> dict[str, str]:
    """Return how the logical ids begin that SAM generates for functions, each with what it is."""
    beginnings: dict[str, str] = {}
    for logical_id, resource in mapping(template.get("Resources")).items():
        if mapping(resource).get("Type") == FUNCTION:
            beginnings[f"{logical_id}"] = ""
            beginnings[f"{logical_id}EventInvokeConfig"] = f"EventInvokeConfig of {logical_id}"
            beginnings[f"{logical_id}Role"] = role_of(logical_id)
            for event in mapping(mapping(mapping(resource).get("Properties")).get("Events")):
                beginnings[f"{logical_id}{event}"] = f"event {event} of {logical_id}"
    return beginnings


def _written_as(
    beginnings: Mapping[str, str], written: Mapping[str, Any], generated: Mapping[str, Any]
) -> dict[str, str]:
    """Return how a template of SAM names its functions and what SAM generates from them.

    Args:
        beginnings: How generated logical ids begin.
        written: The resources of SAM's template.
        generated: Those of the template after the transform.
    """
    names: dict[str, str] = {}
    for logical_id in generated:
        if logical_id in written:
            if logical_id in beginnings:
                names[logical_id] = logical_id
        elif isinstance(logical_id, str):
            ends = range(min(len(logical_id), _MAX_ID), 0, -1)
            begins = (logical_id[:end] for end in ends if logical_id[:end] in beginnings)
            name = beginnings.get(next(begins, ""))
            if name:
                names[logical_id] = name
    return names


def _remove_loops(template: dict[str, Any]) -> dict[str, Any]:
    """Remove Fn::ForEach, which CloudFormation expands before the translator runs."""
    resources = template.get("Resources")
    if not isinstance(resources, dict):
        return {}
    names = [name for name in resources if isinstance(name, str) and name.startswith("Fn::")]
    return {name: resources.pop(name) for name in names}
