"""Checks that version, changelog and tag agree. Without a tag, unreleased changes are fine.

`python -m scripts.check_release` checks the working tree and the tags of its commit; `--tag v0.1.0`
checks that it is ready to be published under that tag; `--notes` prints what changed.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from .changelog import KINDS, Section, read_changelog, version_key

ROOT = Path(__file__).parents[1]
# The only place that has the version; pyproject.toml reads it from there.
VERSION_FILE = Path("src") / "failure_destinations" / "__init__.py"
_VERSION = re.compile(r'^__version__ = "(.*)"$', re.MULTILINE)


def find_version(text: str) -> re.Match[str]:
    """Find the version, as the only group, in the text of its file.

    Raises:
        ValueError: The text has no version.
    """
    found = _VERSION.search(text)
    if found is None:
        raise ValueError(f"{VERSION_FILE} has no __version__")
    return found


def version_of(root: Path) -> str:
    """Return the version of a project."""
    return find_version((root / VERSION_FILE).read_text(encoding="utf-8"))[1]


def find_problems(root: Path, tags: list[str]) -> list[str]:
    """Return the disagreements, one line each.

    Args:
        root: The project's folder.
        tags: The tags that the commit has or is to get.
    """
    try:
        sections = read_changelog(root)
        version = version_of(root)
        return [
            *_version_problems(version),
            *_changelog_problems(sections, version),
            *(problem for tag in tags for problem in _tag_problems(root, tag, sections, version)),
        ]
    except ValueError as error:
        return [str(error)]


def _version_problems(version: str) -> Iterator[str]:
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        yield f"the version is {version!r}: write X.Y.Z"


def _changelog_problems(sections: list[Section], version: str) -> Iterator[str]:
    if not sections or sections[0].version is not None:
        yield "CHANGELOG.md does not begin with [Unreleased]"
    for section in sections:
        name = section.version or "Unreleased"
        for kind in section.kinds:
            if kind not in KINDS:
                yield f"CHANGELOG.md has {kind!r} in [{name}]: write one of {', '.join(KINDS)}"
        if section.version and section.is_empty:
            yield f"CHANGELOG.md lists no change in [{name}]"
    released = [(s.version, s.date) for s in sections if s.version and s.date]
    for (newer, day), (older, day_before) in pairwise(released):
        if version_key(newer) <= version_key(older) or day < day_before:
            yield f"CHANGELOG.md has {newer} of {day} above {older} of {day_before}"
    if released and version_key(version) < version_key(released[0][0]):
        yield f"the version is {version}, CHANGELOG.md has {released[0][0]} already"


def _tag_problems(root: Path, tag: str, sections: list[Section], version: str) -> Iterator[str]:
    if tag != f"v{version}":
        yield f"the tag is {tag}, the version {version}"
        return
    released = [section.version for section in sections if section.version]
    if released[:1] != [version]:
        yield f"CHANGELOG.md has no [{version}] with a date: make release VERSION={version}"
    if not sections[0].is_empty:
        yield f"CHANGELOG.md lists changes in [Unreleased], which {tag} would publish"
    recorded = root / "tests" / "released" / version
    if not (recorded / "api.txt").is_file() or not list(recorded.glob("*.template.json")):
        yield f"tests/released/{version} has no API and templates: make release VERSION={version}"


def tags_of_commit(root: Path) -> list[str]:
    """Return the version tags of the checked out commit; none outside a repository."""
    command = ["git", "tag", "--points-at", "HEAD", "--list", "v[0-9]*"]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    return listed.stdout.split()


def main() -> int:
    """Print the disagreements, and return exit status 1 if there are any."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tag", help="the tag to publish; default: the tags of the commit")
    parser.add_argument("--notes", action="store_true", help="print what changed in this version")
    arguments = parser.parse_args()
    problems = find_problems(ROOT, [arguments.tag] if arguments.tag else tags_of_commit(ROOT))
    for problem in problems:
        print(f"check_release: {problem}", file=sys.stderr)
    if arguments.notes:
        version = version_of(ROOT)
        print(*(s.text for s in read_changelog(ROOT) if s.version == version))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
