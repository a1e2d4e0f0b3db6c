"""Find the files of nested stacks' templates."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from .files import Files, TemplateError
from .values import intrinsic

EXTENSIONS = (".yaml", ".yml", ".json", ".template")
# A path that leaves the folder, or a name of which only the extension is known.
_HIDDEN = re.compile(r"(^|/)\.")
# The maximum number of names in a path that are compared.
_MAX_FOLDERS = 10


def nested_file(files: Files, template: Path, url: Any) -> Path | None:
    """Return the file of a nested stack's template, or None.

    A template's address in S3 often ends with its path beside the template that names it.

    Raises:
        TemplateError: The URL is a path outside the folder that must contain the files.
    """
    found = files.find(template, url)
    if found is not None:
        return found
    path = _end_of(url)
    while path:
        try:
            found = None if _HIDDEN.search(path) else files.find(template, path)
        except TemplateError:
            return None
        if found is not None:
            return found
        path = path.partition("/")[2]
    return None


def _end_of(url: Any) -> str:
    """Return the path at the end of a template's address in S3, without what is not known of it."""
    name, argument = intrinsic(url) or ("", url)
    if name == "Fn::Sub" and isinstance(argument, list):
        argument = next(iter(argument), "")
    elif name == "Fn::Join":
        separator, pieces = _join_of(argument)
        argument = separator.join(one if isinstance(one, str) else "${}" for one in pieces)
    if not isinstance(argument, str) or name not in ("", "Fn::Sub", "Fn::Join"):
        return ""
    end = argument.partition("?")[0].rpartition("}")[2].rpartition("://")[2].lstrip("/")
    end = "/".join(end.rsplit("/", _MAX_FOLDERS)[-_MAX_FOLDERS:])
    return end if end.lower().endswith(EXTENSIONS) else ""


def _join_of(argument: Any) -> tuple[str, list[Any]]:
    """Return the separator and the pieces of an Fn::Join; no pieces if it is malformed."""
    if isinstance(argument, list) and len(argument) == 2:  # noqa: PLR2004 - separator, pieces
        separator, pieces = argument
        if isinstance(separator, str) and isinstance(pieces, list):
            return separator, pieces
    return "", []
