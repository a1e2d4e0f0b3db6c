"""Read files: a template that the user names, and the files that it refers to.

The paths in a template are untrusted. So only regular files of a bounded size below one folder are
read, and the size of the template together with them is bounded too.
"""

from __future__ import annotations

import bisect
import json
import os
import re
import stat
from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import yaml

from failure_destinations.errors import FailureDestinationsError

from .json_values import load_json
from .yaml_loader import TemplateLoader

T = TypeVar("T")
# CloudFormation accepts templates of up to 1 MB; the CDK's own files about an app are larger.
MAX_BYTES = 64 * 1024 * 1024
# The most texts, numbers, lists and mappings in a stack, its nested stacks and documents.
MAX_VALUES = 2_000_000
# The maximum nesting depth of lists and mappings.
MAX_DEPTH = 200
_DEFINITION = re.compile(r'"([A-Za-z0-9]{1,255})"\s*:\s*\{')
# Every template has this section, even if it cannot be parsed.
_RESOURCES = re.compile(r"""(?:^|[\s{,"'])Resources["']?\s*:""")
_KEY_IN_LOOP = re.compile(
    r"""(?<![A-Za-z0-9}])((?:[A-Za-z0-9]|[$&]\{[A-Za-z0-9]{1,255}\})+)["']?\s{0,9}:"""
)
_IDENTIFIER = re.compile(r"[$&]\{[A-Za-z0-9]+\}")
_MAX_LOOPS = 200
# Matching takes time with each more.
_MAX_IDENTIFIERS = 3
_MAX_ID = 255
_PROBLEM_LENGTH = 200
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)


class TemplateError(FailureDestinationsError):
    """A file that cannot be checked; the message is one line for people."""


class NotATemplateError(TemplateError):
    """A file that is something else than a template, in whatever format."""


class TooLargeError(TemplateError):
    """A template that is too large, together with the files that it refers to."""


class TemplateFile:
    """A template that was read from a file.

    Attributes:
        path: The file.
        template: The template.
        has_includes: Whether it may include other files.
    """

    def __init__(self, path: Path, root: Path | None = None) -> None:
        """Read a file.

        Args:
            path: The file.
            root: The folder that must contain it. Default: any folder.

        Raises:
                TemplateError: It cannot be read, or is not a template.
        """
        self.path = path
        self._text = read_text(path, root)
        self._lines: dict[str, int] | None = None
        self._lines_in_loops: list[tuple[re.Pattern[str], int]] = []
        try:
            loaded, self._is_json = _load(path, self._text)
        except TemplateError as error:
            if _RESOURCES.search(self._text):
                raise
            raise NotATemplateError(str(error)) from None
        self.template = _template(path, loaded)
        self.has_includes = "AWS::Include" in self._text

    def line_of(self, logical_id: str) -> int | None:
        """Return the line on which a resource begins, counted from 1; None if it is not known.

        Args:
            logical_id: Its logical id; in YAML also `event Nightly of Report` for an event of SAM.
        """
        if self._lines is None:
            read = _json_lines if self._is_json else _yaml_lines
            self._lines = read(self._text)
            self._lines_in_loops = _lines_in_loops(self._text)
        if logical_id in self._lines or len(logical_id) > _MAX_ID:
            return self._lines.get(logical_id)
        found = (line for key, line in self._lines_in_loops if key.fullmatch(logical_id))
        return next(found, None)


class Files:
    """The files of one stack; each is read only once.

    Args:
        root: The folder that must contain the files. Default: any folder.
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
        """Begin to count the values of another stack."""
        self._values = 0

    def find(self, template: Path, location: Any) -> Path | None:
        """Return the file that a template refers to; None if there is none, or it is missing.

        Args:
            template: The template's file.
            location: The template's reference to it.

        Raises:
            TemplateError: It is outside the folder that must contain the files.
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
            # The name is too long or has an invalid character, or links form a loop.
            return None

    def real(self, path: Path) -> Path:
        """Return the path of a file that `find` returned, without links and `..`."""
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
        """Return the content of a JSON or YAML file, and count its values on each use.

        Raises:
            TemplateError: It cannot be read.
        """
        document = once(self._documents, path, lambda: _load(path, read_text(path, self.root))[0])
        self.count(path, document)
        return document

    def json(self, path: Path) -> Mapping[str, Any]:
        """Return the JSON object in a file of the CDK, and count its values on each use.

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
                f"{path}: has more than {MAX_VALUES:,} values, with the files that it names"
            )


def once(known: dict[Path, T | TemplateError], path: Path, make: Callable[[], T]) -> T:
    """Return the cached result for a path; compute it if it is new, and cache errors too.

    Raises:
        TemplateError: The result is this error.
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
        path: The file; links are followed.
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
            # Some files, such as those in /proc, are larger than their reported size.
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise TemplateError(f"{path}: does not exist") from None
    except OSError as error:
        raise TemplateError(f"{path}: {error.strerror or 'cannot be read'}") from None
    except (ValueError, RuntimeError):
        raise TemplateError(f"{path}: is not a valid file name") from None
    if len(content) > MAX_BYTES:
        raise _too_large(path)
    try:
        return content.decode("utf-8-sig")
    except ValueError:
        raise NotATemplateError(f"{path}: is not text in UTF-8") from None


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
    """Return the number of values in a value, including those that YAML aliases repeat."""
    if not isinstance(value, (Mapping, list)):
        return 1
    size = known.get(id(value))
    if size is None:
        if depth > MAX_DEPTH:
            raise TemplateError(f"{path}: is nested too deeply to be a template")
        # A value that contains itself has no end.
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
    """Return the parsed text, and whether it is JSON."""
    try:
        if not text.lstrip().startswith("{"):
            return _load_yaml(path, text), False
        try:
            return load_json(text), True
        except json.JSONDecodeError as error:
            try:
                # JSON with comments or trailing commas is YAML.
                return _load_yaml(path, text), False
            except TemplateError:
                raise TemplateError(f"{path}:{error.lineno}: is not JSON: {error.msg}") from None
    except RecursionError:
        raise TemplateError(f"{path}: is nested too deeply to be a template") from None


def _load_yaml(path: Path, text: str) -> Any:
    try:
        _check_depth(path, text)
        return yaml.load(text, Loader=TemplateLoader)  # noqa: S506 - a safe loader's subclass
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise _not_yaml(f"{path}{line}", error.problem) from None
    except (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError) as error:
        # A value that does not fit its tag can raise any error.
        raise _not_yaml(str(path), error) from None


def _check_depth(path: Path, text: str) -> None:
    """Raise TemplateError for YAML that nests too deeply: libyaml's loader would crash on it."""
    depth = 0
    for event in yaml.parse(text, Loader=TemplateLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise TemplateError(f"{path}: is nested too deeply to be a template")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


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
    said = f"{path}: is not a CloudFormation template: it has no Resources"
    if isinstance(loaded, Mapping) and "Resources" in loaded:
        raise TemplateError(said)
    raise NotATemplateError(said)


def _lines_in_loops(text: str) -> list[tuple[re.Pattern[str], int]]:
    """Return what the logical ids of resources in loops look like, with their lines."""
    if "Fn::ForEach" not in text:
        return []
    newlines = [found.start() for found in re.finditer("\n", text)]
    keys = (
        found
        for found in _KEY_IN_LOOP.finditer(text)
        if 0 < found.group(1).count("{") <= _MAX_IDENTIFIERS
    )
    return [
        (
            re.compile(_IDENTIFIER.sub("[A-Za-z0-9]+?", found.group(1))),
            bisect.bisect(newlines, found.start()) + 1,
        )
        for found in islice(keys, _MAX_LOOPS)
    ]


def _json_lines(text: str) -> dict[str, int]:
    newlines = [found.start() for found in re.finditer("\n", text)]
    lines: dict[str, int] = {}
    for found in _DEFINITION.finditer(text, max(text.find('"Resources"'), 0)):
        lines.setdefault(found.group(1), bisect.bisect(newlines, found.start()) + 1)
    return lines


def _yaml_lines(text: str) -> dict[str, int]:
    lines: dict[str, int] = {}
    resources = _yaml_member(yaml.compose(text, Loader=TemplateLoader), "Resources")
    for id, resource in _yaml_members(resources):
        for event, _ in _yaml_members(_yaml_member(_yaml_member(resource, "Properties"), "Events")):
            lines[f"event {event.value} of {id.value}"] = event.start_mark.line + 1
        lines[str(id.value)] = id.start_mark.line + 1
    return lines


def _yaml_members(node: Any) -> list[tuple[Any, Any]]:
    return node.value if isinstance(node, yaml.MappingNode) else []


def _yaml_member(node: Any, name: str) -> Any:
    return next((value for key, value in _yaml_members(node) if key.value == name), None)
