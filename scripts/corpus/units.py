"""Find what the check can read in a folder: template files and cloud assemblies."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

_SUFFIXES = (".yaml", ".yml", ".json", ".template")
_MANIFEST = "manifest.json"
# The check itself refuses larger files.
_MAX_BYTES = 64 * 1024 * 1024


def find_units(folder: Path) -> Iterator[Path]:
    """Yield each template file and each cloud assembly below a folder, sorted by path.

    A cloud assembly is one unit, with all its templates. Of other files, those that mention
    `Resources` and have the suffix of a template are yielded; the check decides what they are.

    Args:
        folder: The folder, or a single file.
    """
    if folder.is_file():
        yield folder
        return
    for place, folders, files in os.walk(folder):
        here = Path(place)
        if _MANIFEST in files and _is_assembly(here / _MANIFEST):
            folders.clear()
            yield here
            continue
        folders.sort()
        for name in sorted(files):
            if name.lower().endswith(_SUFFIXES) and _mentions_resources(here / name):
                yield here / name


def _is_assembly(manifest: Path) -> bool:
    try:
        loaded = json.loads(manifest.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(loaded, dict) and {"version", "artifacts"} <= loaded.keys()


def _mentions_resources(path: Path) -> bool:
    try:
        if not path.is_file() or path.stat().st_size > _MAX_BYTES:
            return False
        return b"Resources" in path.read_bytes()
    except OSError:
        return False
