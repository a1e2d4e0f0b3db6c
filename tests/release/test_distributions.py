"""Wheel and sdist are reproducible and hold exactly what is needed."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("twine", reason="the release's tools are in .venv only")

from scripts.check_release import VERSION_FILE, version_of
from scripts.dist import build, check, source_date

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "failure_destinations"
COVERED_APP = """
import aws_cdk as cdk
from aws_cdk import aws_events as events, aws_events_targets as targets, aws_lambda as lambda_
from aws_cdk.assertions import Template
import failure_destinations
from failure_destinations import FailureChannel

app = cdk.App()
stack = cdk.Stack(app, "Orders")
function = lambda_.Function(
    stack,
    "Order",
    runtime=lambda_.Runtime.PYTHON_3_13,
    handler="index.handler",
    code=lambda_.Code.from_inline("def handler(event, context): ..."),
)
nightly = events.Schedule.rate(cdk.Duration.days(1))
events.Rule(stack, "Nightly", schedule=nightly, targets=[targets.LambdaFunction(function)])
FailureChannel(cdk.Stack(app, "Failures"), "Channel").cover(app)
app.synth()
Template.from_stack(stack).resource_count_is("AWS::Lambda::EventInvokeConfig", 1)
print(failure_destinations.__file__)
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a wheel and sdist that `make dist` built and checked."""
    folder = tmp_path_factory.mktemp("dist") / "python"
    check(ROOT, *build(ROOT, folder))
    return folder


@pytest.fixture(scope="module")
def unpacked(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An unpacked sdist whose files have other times and modes."""
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        archive.extractall(folder)
    (project,) = folder.iterdir()
    for path in project.rglob("*.py"):
        path.chmod(0o600)
        path.touch()
    return project


def files_of(wheel: Path) -> set[str]:
    """Return the file names in a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.mark.soak
def test_builds_what_publib_publishes(built: Path) -> None:
    """The folder holds a wheel and an sdist, and nothing else."""
    assert sorted(path.suffix for path in built.iterdir()) == [".gz", ".whl"]


@pytest.mark.soak
def test_builds_the_same_bytes_from_the_sdist(
    built: Path, unpacked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Place, time zone, file times and modes change no byte."""
    # An sdist knows the day of its release, but not its commit.
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(source_date(ROOT)))
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    build(unpacked, tmp_path)
    for path in built.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def test_dates_archives_by_the_release(tmp_path: Path) -> None:
    """A release's archives carry the date in the changelog, wherever they are built."""
    version = version_of(ROOT)
    (tmp_path / VERSION_FILE).parent.mkdir(parents=True)
    (tmp_path / VERSION_FILE).write_text(f'__version__ = "{version}"')
    (tmp_path / "CHANGELOG.md").write_text(f"## [{version}] - 2026-11-25\n\n- Something.\n")
    assert source_date(tmp_path) == 1_795_564_800


@pytest.mark.soak
def test_wheel_has_each_file_of_the_package(built: Path) -> None:
    """The wheel has the package's files, the type marker and its metadata."""
    packed = files_of(next(built.glob("*.whl")))
    written = {
        str(path.relative_to(PACKAGE.parent))
        for path in PACKAGE.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert {name for name in packed if ".dist-info/" not in name} == written
    assert "failure_destinations/py.typed" in packed
    assert {name.partition(".dist-info/")[2] for name in packed - written} == {
        "METADATA",
        "RECORD",
        "WHEEL",
        "entry_points.txt",
        "licenses/LICENSE",
    }


@pytest.mark.soak
def test_sdist_has_its_tests(unpacked: Path) -> None:
    """The sdist has what `make test` needs."""
    needed = [
        "Makefile",
        "conftest.py",
        "requirements/dev.txt",
        "package-lock.json",
        "scripts/setup.sh",
    ]
    assert [name for name in needed if not (unpacked / name).is_file()] == []


@pytest.mark.soak
def test_writes_metadata_that_publib_accepts(built: Path) -> None:
    """The metadata version is one that publib's twine accepts."""
    with zipfile.ZipFile(next(built.glob("*.whl"))) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        assert archive.read(name).startswith(b"Metadata-Version: 2.4\n")


@pytest.mark.soak
def test_wheel_covers_an_app(built: Path, tmp_path: Path) -> None:
    """Two processes that use the installed wheel at the same time load its JavaScript."""
    installed, temporary = tmp_path / "installed", tmp_path / "temporary"
    temporary.mkdir()
    uv = str(Path(sys.executable).with_name("uv"))
    install = [uv, "pip", "install", "--quiet", "--no-deps", "--target", str(installed)]
    subprocess.run([*install, str(next(built.glob("*.whl")))], check=True)
    environment = os.environ | {"PYTHONPATH": str(installed), "TMPDIR": str(temporary)}
    apps = [
        subprocess.Popen(
            [sys.executable, "-c", COVERED_APP],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    outputs = [app.communicate() for app in apps]
    assert [app.returncode for app in apps] == [0, 0], outputs
    for stdout, _ in outputs:
        assert Path(stdout.strip()).is_relative_to(installed)
    assert list(temporary.glob("failure-destinations-*")) == []
