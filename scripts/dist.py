"""Builds wheel and sdist reproducibly, and checks them: `make dist`.

`python -m scripts.dist FOLDER` builds into another folder than dist/python, where publib looks.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import shutil
import subprocess
import sys
from pathlib import Path

from .changelog import read_changelog
from .check_release import version_of

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent


def source_date(root: Path) -> int | None:
    """Return the time to write into archives, in seconds since 1970, UTC.

    It is SOURCE_DATE_EPOCH if set; otherwise the day of the release, so that building from a
    release's sdist and from its commit gives the same bytes; otherwise the time of the last commit,
    or None outside a repository.
    """
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(given)
    version = version_of(root)
    for section in read_changelog(root):
        if section.date and section.version == version:
            midnight = dt.datetime.combine(section.date, dt.time(), dt.timezone.utc)
            return int(midnight.timestamp())
    if not (root / ".git").exists():
        return None
    command = ["git", "log", "-1", "--format=%ct"]
    logged = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    return int(logged.stdout)


def build(root: Path, folder: Path) -> list[Path]:
    """Build into a folder, which is emptied first.

    Returns:
        The wheel and the sdist.

    Raises:
        subprocess.CalledProcessError: The build failed.
    """
    shutil.rmtree(folder, ignore_errors=True)
    date = source_date(root)
    environment = {} if date is None else {"SOURCE_DATE_EPOCH": str(date)}
    # The recorded version of the build backend: another one may write other bytes. The wheel is
    # built from the sdist.
    backend = ["--no-build-isolation", "--python", sys.executable]
    _run(root, "uv", "build", "--quiet", *backend, "--out-dir", str(folder), ".", **environment)
    # uv adds it, and publib publishes everything in the folder.
    (folder / ".gitignore").unlink(missing_ok=True)
    return sorted(folder.iterdir(), key=lambda path: path.suffix != ".whl")


def check(root: Path, wheel: Path, sdist: Path) -> None:
    """Run the packaging tools' checks on wheel and sdist.

    Raises:
        subprocess.CalledProcessError: A check failed; the tool has printed why.
    """
    _run(root, "validate-pyproject", "pyproject.toml", VALIDATE_PYPROJECT_NO_NETWORK="1")
    _run(root, "twine", "check", "--strict", str(wheel), str(sdist))
    _run(root, "check-wheel-contents", str(wheel))


def _run(root: Path, tool: str, *arguments: str, **environment: str) -> None:
    command = [str(BIN / tool), *arguments]
    subprocess.run(command, cwd=root, env=os.environ | environment, check=True)


def main() -> int:
    """Build and check, and return exit status 1 if anything is wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", nargs="?", default=ROOT / "dist" / "python", type=Path)
    try:
        wheel, sdist = build(ROOT, parser.parse_args().folder.resolve())
        check(ROOT, wheel, sdist)
    except subprocess.CalledProcessError as error:
        print(f"dist: {Path(error.cmd[0]).name} has failed", file=sys.stderr)
        return 1
    for path in (wheel, sdist):
        print(f"dist: {path} ({path.stat().st_size:,} bytes)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
