"""Reads template files: JSON, and YAML with the short forms of intrinsic functions."""

from __future__ import annotations

import bisect
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from failure_destinations.errors import FailureDestinationsError

_BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DEFINITION = re.compile(r'"([A-Za-z0-9]{1,255})"\s*:\s*\{')
_PROBLEM_LENGTH = 200


class TemplateError(FailureDestinationsError):
    """A file that cannot be checked; the message is for people, and one line."""


class _Loader(_BASE):  # type: ignore[misc]
    """Reads CloudFormation's tags, `!Ref` and so on, and dates as the text that they are."""


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


_Loader.add_multi_constructor("!", _construct_tag)
for _tag in ("timestamp", "value"):
    # Dates, and a lone `=`.
    _Loader.add_constructor(f"tag:yaml.org,2002:{_tag}", _BASE.construct_yaml_str)


class TemplateFile:
    """A template that was read from a file.

    Attributes:
        path: The file.
        template: What is in it.
        has_includes: Whether it may name other files to include.
    """

    def __init__(self, path: Path) -> None:
        """Read a file.

        Raises:
            TemplateError: It cannot be read, or is nott a template.
        """
        self.path = path
        self._text = _text(path)
        self._lines: dict[str, int] | None = None
        loaded, self._is_json = _load(path, self._text)
        self.template = _template(path, loaded)
        self.has_includes = "AWS::Include" in self._text

    def line_of(self, logical_id: str) -> int | None:
        """Return the line in which a resource begins, from 1 on, or None where it has none."""
        if self._lines is None:
            read = _json_lines if self._is_json else _yaml_lines
            self._lines = read(self._text)
        return self._lines.get(logical_id)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise TemplateError(f"{path}: there is no such file") from None
    except OSError as error:
        raise TemplateError(f"{path}: {error.strerror}") from None
    except ValueError:
        raise TemplateError(f"{path}: is not text in UTF-8") from None


def is_file(path: Path) -> bool:
    """Tell whether there is a file, and nothing else, behind what a template says is a path."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        # Too long a name, or a character that none can have.
        return False


def read_document(path: Path) -> Any:
    """Return what is in a file that a template refers to, in JSON or YAML.

    Raises:
        TemplateError: It cannot be read.
    """
    return _load(path, _text(path))[0]


def _load(path: Path, text: str) -> tuple[Any, bool]:
    """Return what is in a text, and whether that is JSON."""
    try:
        if not text.lstrip().startswith("{"):
            return _load_yaml(path, text), False
        try:
            return json.loads(text), True
        except json.JSONDecodeError as error:
            try:
                # With comments, or a comma too many, it is YAML all the same.
                return _load_yaml(path, text), False
            except TemplateError:
                raise TemplateError(f"{path}:{error.lineno}: is not JSON: {error.msg}") from None
    except RecursionError:
        raise TemplateError(f"{path}: is nested too deeply to be a template") from None


def _load_yaml(path: Path, text: str) -> Any:
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        problem = " ".join(str(error.problem).split())[:_PROBLEM_LENGTH]
        raise TemplateError(f"{path}{line}: is not YAML: {problem}") from None
    except (yaml.YAMLError, ValueError, TypeError) as error:
        problem = " ".join(str(error).split())[:_PROBLEM_LENGTH]
        raise TemplateError(f"{path}: is not YAML: {problem}") from None


def _template(path: Path, loaded: Any) -> Mapping[str, Any]:
    if isinstance(loaded, Mapping) and isinstance(loaded.get("Resources"), Mapping):
        return loaded
    if isinstance(loaded, Mapping) and "service" in loaded and "provider" in loaded:
        raise TemplateError(
            f"{path}: is Serverless Framework's own file: run `serverless package`, and check "
            ".serverless/cloudformation-template-update-stack.json"
        )
    raise TemplateError(f"{path}: is not a CloudFormation template: it has no Resources")


def _json_lines(text: str) -> dict[str, int]:
    newlines = [found.start() for found in re.finditer("\n", text)]
    lines: dict[str, int] = {}
    for found in _DEFINITION.finditer(text, max(text.find('"Resources"'), 0)):
        lines.setdefault(found.group(1), bisect.bisect(newlines, found.start()) + 1)
    return lines


def _yaml_lines(text: str) -> dict[str, int]:
    root = yaml.compose(text, Loader=_Loader)
    for key, resources in root.value if isinstance(root, yaml.MappingNode) else ():
        if key.value == "Resources" and isinstance(resources, yaml.MappingNode):
            return {str(id.value): id.start_mark.line + 1 for id, _ in resources.value}
    return {}
