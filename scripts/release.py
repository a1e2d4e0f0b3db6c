"""Prepares a release in the working tree, for you to review, commit and tag.

`make release VERSION=0.2.0` sets the version, moves the unreleased changes in CHANGELOG.md under
it, and records its API and templates in `tests/released`. Later versions are compared with them.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from . import public_api
from .changelog import read_changelog, version_key
from .check_release import VERSION_FILE, find_problems, find_version

ROOT = Path(__file__).parents[1]
UNRELEASED = "## [Unreleased]\n"


def refuse_unless_new(root: Path, version: str) -> None:
    """Raise ValueError if a version cannot be released.

    Args:
        root: The project's folder.
        version: X.Y.Z, above every released one.

    Raises:
        ValueError: The version is malformed or too low, or nothing has changed.
    """
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise ValueError(f"version must be X.Y.Z, got {version!r}")
    sections = read_changelog(root)
    released = [section.version for section in sections if section.version]
    if released and version_key(version) <= version_key(released[0]):
        raise ValueError(f"version must be above {released[0]}, the last release, got {version}")
    if not sections or sections[0].version is not None or sections[0].is_empty:
        raise ValueError(
            "CHANGELOG.md lists no change in [Unreleased]: there is nothing to release"
        )


def set_version(root: Path, version: str, day: dt.date) -> None:
    """Set the version of a project and move the unreleased changes under it."""
    changelog = root / "CHANGELOG.md"
    text = changelog.read_text(encoding="utf-8")
    heading = f"{UNRELEASED}\n## [{version}] - {day}\n"
    changelog.write_text(text.replace(UNRELEASED, heading, 1), encoding="utf-8")
    file = root / VERSION_FILE
    text = file.read_text(encoding="utf-8")
    old = find_version(text)
    file.write_text(text[: old.start(1)] + version + text[old.end(1) :], encoding="utf-8")


def record(root: Path, version: str) -> None:
    """Record the API and the templates of a version in `tests/released`."""
    released = root / "tests" / "released"
    environment = os.environ | {"CDK_VALIDATION": "false", "PYTHONPATH": str(root / "src")}
    command = [sys.executable, str(released / "app.py"), version]
    subprocess.run(command, cwd=root, env=environment, check=True)
    public_api.RECORD.write_text(public_api.to_text(public_api.read_api()), encoding="utf-8")
    shutil.copy(public_api.RECORD, released / version / "api.txt")


def main() -> int:
    """Prepare the release, or print one line that says why it cannot be."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("version", help="X.Y.Z, above every released one")
    version = parser.parse_args().version
    try:
        refuse_unless_new(ROOT, version)
        record(ROOT, version)
        set_version(ROOT, version, dt.datetime.now(dt.timezone.utc).date())
    except ValueError as error:
        print(f"release: {error}", file=sys.stderr)
        return 1
    for problem in (problems := find_problems(ROOT, [f"v{version}"])):
        print(f"release: {problem}", file=sys.stderr)
    if problems:
        return 1
    print(
        f"release: {version} is prepared. Look at `git diff`, then\n"
        "  git add CHANGELOG.md src tests/released\n"
        f"  git commit -m 'release: {version}'\n"
        f"  git tag v{version}\n"
        f"  git push origin main v{version}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
