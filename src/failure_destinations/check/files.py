"""Read files: a template that the user gave, and the files that it names.

Whoever writes a template chooses the paths in it. So only regular files of a bounded size are
read, below one folder, and what a template becomes with them is bounded too.
"""

from __future__ import annotations

import bisect
import json
import os
import re
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml

from failure_destinations.errors import FailureDestinationsError

from .json_values import load_json
from .yaml_loader import TemplateLoader

T = TypeVar("T")
# CloudFormation takes templates of 1 MB; what the CDK writes about an app is larger.
MAX_BYTES = 64 * 1024 * 1024
# The texts, numbers, lists and mappings of a stack with its nested stacks and documents.
MAX_VALUES = 2_000_000
# How deep lists and mappings may be nested.
MAX_DEPTH = 200
_DEFINITION = re.compile(r'"([A-Za-z0-9]{1,255})"\s*:\s*\{')
_PROBLEM_LENGTH = 200
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)


class TemplateError(FailureDestinationsError):
    """A file that cannot be checked; the message is one line for people."""


class TooLargeError(TemplateError):
    """A template that is too large together with the files that it names."""


class TemplateFile:
    """A template that was read from a file.

    Attributes:
        path: The file.
        template: The template.
        has_includes: Whether it may name other files to include.
    """

    def __init__(self, path: Path, root: Path | None = None) -> None:
        """Read a file.

        Args:
            path: The file.
            root: The folder that it must be in. Default: any.

        Raises:
            TemplateError: It cannot be read, or is not a template.
        """
        self.path = path
        self._text = read_text(path, root)
        self._lines: dict[str, int] | None = None
        loaded, self._is_json = _load(path, self._text)
        self.template = _template(path, loaded)
        self.has_includes = "AWS::Include" in self._text

    def line_of(self, logical_id: str) -> int | None:
        """Return the line in which a resource begins, counted from 1; None if it is not known."""
        if self._lines is None:
            read = _json_lines if self._is_json else _yaml_lines
            self._lines = read(self._text)
        return self._lines.get(logical_id)


class Files:
    """The files of one stack: each is read once, however often it is named.

    Args:
        root: The folder that files must be in. Default: any.
    """

    def __init__(self, root: Path | None = None) -> None:
        self.root = root
        self._templates: dict[Path, TemplateFile | TemplateError] = {}
        self._documents: dict[Path, Any] = {}
        self._found: dict[tuple[Path, str], Path | None] = {}
        self._reals: dict[Path, Path] = {}
        self._sizes: dict[Path, tuple[Any, int]] = {}
        self._values = 0

    def start(self) -> None:
        """Count the values of the next stack."""
        self._values = 0

    def find(self, template: Path, location: Any) -> Path | None:
        """Return the file that a template names; None if it names none, or one that is missing.

        Args:
            template: The template's file.
            location: What the template says.

        Raises:
            TemplateError: It is outside the folder that files must be in.
        """
        if not isinstance(location, str) or "://" in location:
            return None
        named = (template.parent, location)
        if named not in self._found:
            self._found[named] = self._find(template.parent / location)
        return self._found[named]

    def _find(self, path: Path) -> Path | None:
        try:
            _check_root(path, path.resolve(), self.root)
            return path if path.exists() and not path.is_dir() else None
        except (OSError, ValueError, RuntimeError):
            # Too long a name, a character that none can have, or links in a circle.
            return None

    def real(self, path: Path) -> Path:
        """Return a file that `find` found without links and `..`."""
        if path not in self._reals:
            self._reals[path] = path.resolve()
        return self._reals[path]

    def template(self, path: Path) -> TemplateFile:
        """Return the template in a file.

        Raises:
            TemplateError: It cannot be read, or is not a template.
        """
        return once(self._templates, path, lambda: TemplateFile(path, self.root))

    def document(self, path: Path) -> Any:
        """Return what is in a file, in JSON or YAML; it counts each time that it is used.

        Raises:
            TemplateError: It cannot be read.
        """
        document = once(self._documents, path, lambda: _load(path, read_text(path, self.root))[0])
        self.count(path, document)
        return document

    def json(self, path: Path) -> Mapping[str, Any]:
        """Return the JSON object in a file that the CDK wrote; it counts each time it is used.

        Raises:
            TemplateError: It cannot be read, or is not a JSON object.
        """
        loaded = once(self._documents, path, lambda: _load_json(path, read_text(path, self.root)))
        if not isinstance(loaded, Mapping):
            raise TemplateError(f"{path}: is not a JSON object")
        return loaded

    def count(self, path: Path, value: Any) -> None:
        """Count the values of a file among those of the stack.

        Raises:
            TooLargeError: There are too many.
            TemplateError: They are nested too deeply.
        """
        known = self._sizes.get(path)
        if known is None or known[0] is not value:
            known = self._sizes[path] = (value, _size(path, value, {}, 0))
        self._values += known[1]
        if self._values > MAX_VALUES:
            raise TooLargeError(
                f"{path}: makes a stack of more than {MAX_VALUES:,} values, with all that it names"
            )


def once(known: dict[Path, T | TemplateError], path: Path, make: Callable[[], T]) -> T:
    """Return what is known of a file; make it, or find out why it cannot be made, once.

    Raises:
        TemplateError: It cannot be made.
    """
    if path not in known:
        try:
            known[path] = make()
        except TemplateError as error:
            known[path] = error
    found = known[path]
    if isinstance(found, TemplateError):
        raise found
    return found


def read_text(path: Path, root: Path | None = None) -> str:
    """Return the text of a regular file of at most `MAX_BYTES`.

    Args:
        path: The file; a link leads to what it names.
        root: The folder that it must be in. Default: any.

    Raises:
        TemplateError: It cannot be read.
    """
    try:
        real = path.resolve(strict=True)
        _check_root(path, real, root)
        # Opening a device may already have an effect.
        _check_kind(path, real.stat())
        descriptor = os.open(real, _FLAGS)
        with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor
            _check_kind(path, os.fstat(descriptor))
            # Some files, as those in /proc, are larger than they say.
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise TemplateError(f"{path}: does not exist") from None
    except OSError as error:
        raise TemplateError(f"{path}: {error.strerror or 'cannot be read'}") from None
    except (ValueError, RuntimeError):
        raise TemplateError(f"{path}: cannot be the name of a file") from None
    if len(content) > MAX_BYTES:
        raise _too_large(path)
    try:
        return content.decode("utf-8-sig")
    except ValueError:
        raise TemplateError(f"{path}: is not text in UTF-8") from None


def _check_root(path: Path, real: Path, root: Path | None) -> None:
    if root is not None and not real.is_relative_to(root.resolve()):
        raise TemplateError(f"{path}: is outside {root}: allow a folder with --root")


def _check_kind(path: Path, found: os.stat_result) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise TemplateError(f"{path}: is a folder")
    if not stat.S_ISREG(found.st_mode):
        raise TemplateError(f"{path}: is not a regular file")
    if found.st_size > MAX_BYTES:
        raise _too_large(path)


def _too_large(path: Path) -> TemplateError:
    return TemplateError(f"{path}: is larger than {MAX_BYTES // 1024 // 1024} MB")


def _size(path: Path, value: Any, known: dict[int, int], depth: int) -> int:
    """Return the number of values in a value, counting what YAML's aliases repeat."""
    if not isinstance(value, (Mapping, list)):
        return 1
    size = known.get(id(value))
    if size is None:
        if depth > MAX_DEPTH:
            raise TemplateError(f"{path}: is nested too deeply to be a template")
        # What contains itself has no end.
        known[id(value)] = MAX_VALUES + 1
        inner = value.values() if isinstance(value, Mapping) else value
        size = 1 + sum(_size(path, one, known, depth + 1) for one in inner)
        known[id(value)] = size = min(size, MAX_VALUES + 1)
    return size


def _load_json(path: Path, text: str) -> Any:
    try:
        return load_json(text)
    except (ValueError, RecursionError):
        raise TemplateError(f"{path}: is not JSON that the CDK wrote") from None


def _load(path: Path, text: str) -> tuple[Any, bool]:
    """Return what is in a text, and whether that is JSON."""
    try:
        if not text.lstrip().startswith("{"):
            return _load_yaml(path, text), False
        try:
            return load_json(text), True
        except json.JSONDecodeError as error:
            try:
                # With comments or trailing commas, it is YAML.
                return _load_yaml(path, text), False
            except TemplateError:
                raise TemplateError(f"{path}:{error.lineno}: is not JSON: {error.msg}") from None
    except RecursionError:
        raise TemplateError(f"{path}: is nested too deeply to be a template") from None


def _load_yaml(path: Path, text: str) -> Any:
    try:
        return yaml.load(text, Loader=TemplateLoader)  # noqa: S506 - a safe loader's subclass
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise _not_yaml(f"{path}{line}", error.problem) from None
    except (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError) as error:
        # Values that are not what their tags say raise anything.
        raise _not_yaml(str(path), error) from None


def _not_yaml(place: str, problem: object) -> TemplateError:
    said = " ".join(str(problem).split())[:_PROBLEM_LENGTH]
    return TemplateError(f"{place}: is not YAML: {said}")


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
    root = yaml.compose(text, Loader=TemplateLoader)
    for key, resources in root.value if isinstance(root, yaml.MappingNode) else ():
        if key.value == "Resources" and isinstance(resources, yaml.MappingNode):
            return {str(id.value): id.start_mark.line + 1 for id, _ in resources.value}
    return {}
