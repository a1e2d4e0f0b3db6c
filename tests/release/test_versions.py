"""Version, changelog and tag agree, and preparing a release keeps them so."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import pytest

from scripts.check_release import VERSION_FILE, find_problems, tags_of_commit, version_of
from scripts.release import refuse_unless_new, set_version

ROOT = Path(__file__).parents[2]
DAY = dt.date(2026, 11, 25)
RELEASED = "## [0.1.0] - 2026-11-25\n\n### Added\n\n- Something.\n"
UNRELEASED = "## [Unreleased]\n\n### Added\n\n- Something.\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project at version 0.1.0 with one unreleased change."""
    (tmp_path / VERSION_FILE).parent.mkdir(parents=True)
    text = (ROOT / VERSION_FILE).read_text()
    (tmp_path / VERSION_FILE).write_text(text.replace(version_of(ROOT), "0.1.0"))
    write_changelog(tmp_path, UNRELEASED)
    return tmp_path


def write_changelog(project: Path, text: str) -> None:
    """Write the project's changelog."""
    (project / "CHANGELOG.md").write_text(f"# Changelog\n\n{text}")


def leave_records(project: Path, version: str) -> None:
    """Create the files that a release records in tests/released."""
    folder = project / "tests" / "released" / version
    folder.mkdir(parents=True)
    (folder / "api.txt").touch()
    (folder / "Own.template.json").touch()


def test_repository_agrees() -> None:
    """The checked-out version, changelog and tags agree."""
    assert find_problems(ROOT, tags_of_commit(ROOT)) == []


def test_accepts_unreleased_changes_without_a_tag(project: Path) -> None:
    """Between releases, unreleased changes are fine."""
    assert find_problems(project, []) == []


def test_rejects_a_tag_on_unreleased_changes(project: Path) -> None:
    """Changes without a dated section, or without a record, are not published."""
    problems = " ".join(find_problems(project, ["v0.1.0"]))
    assert "no [0.1.0] with a date" in problems
    assert "lists changes in [Unreleased]" in problems
    assert "no API and templates" in problems


def test_rejects_a_tag_of_another_version(project: Path) -> None:
    """The tag must name the version that is built."""
    assert find_problems(project, ["v0.2.0"]) == ["the tag is v0.2.0, the version 0.1.0"]


@pytest.mark.parametrize("version", ["0.1", "1.0.0rc1", "v0.1.0"])
def test_rejects_another_form_of_version(project: Path, version: str) -> None:
    """A version is three numbers."""
    (project / VERSION_FILE).write_text(f'__version__ = "{version}"\n')
    assert find_problems(project, []) == [f"the version is {version!r}: write X.Y.Z"]


def test_rejects_a_package_without_a_version(project: Path) -> None:
    """The version's only place must have it."""
    (project / VERSION_FILE).write_text("")
    assert find_problems(project, []) == [f"{VERSION_FILE} has no __version__"]


@pytest.mark.parametrize(
    ("changelog", "problem"),
    [
        (RELEASED, "does not begin with [Unreleased]"),
        (UNRELEASED.replace("Added", "Improved"), "'Improved' in [Unreleased]"),
        ("## [Unreleased]\n\n## [0.1.0] - 2026-11-25\n", "lists no change in [0.1.0]"),
        ("## [Unreleased]\n\n## 0.1.0\n", "heading '0.1.0'"),
        (f"{UNRELEASED}\n{RELEASED.replace('0.1.0', '0.2.0')}", "has 0.2.0 already"),
        (f"{UNRELEASED}\n{RELEASED}\n{RELEASED}", "has 0.1.0 of 2026-11-25 above 0.1.0"),
    ],
)
def test_rejects_another_form_of_changelog(project: Path, changelog: str, problem: str) -> None:
    """The changelog keeps the form of Keep a Changelog, newest first."""
    write_changelog(project, changelog)
    assert problem in " ".join(find_problems(project, []))


def test_prepares_a_release(project: Path) -> None:
    """The version is set and the unreleased changes are listed under it."""
    set_version(project, "0.2.0", DAY)
    leave_records(project, "0.2.0")
    assert find_problems(project, ["v0.2.0"]) == []
    assert "## [Unreleased]\n\n## [0.2.0] - 2026-11-25\n" in (project / "CHANGELOG.md").read_text()


@pytest.mark.parametrize(
    ("version", "changelog", "problem"),
    [
        ("0.2", UNRELEASED, "must be X.Y.Z, got '0.2'"),
        ("0.1.0", f"{UNRELEASED}\n{RELEASED}", "must be above 0.1.0, the last release"),
        ("0.2.0", f"## [Unreleased]\n\n{RELEASED}", "nothing to release"),
    ],
)
def test_rejects_a_release_of_nothing_new(
    project: Path, version: str, changelog: str, problem: str
) -> None:
    """A release needs a new version and at least one change."""
    write_changelog(project, changelog)
    with pytest.raises(ValueError, match=re.escape(problem)):
        refuse_unless_new(project, version)
