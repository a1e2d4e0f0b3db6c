"""The virtual environments of the engines: one each, created on first use and kept.

The engines pin versions of botocore that exclude each other, and the user's program has its own.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

import uv

from failure_destinations.cache import cache_directory

from .errors import LocalCloudError, last_lines
from .processes import run

Progress = Callable[[str], None]
"""Gets a line about everything that takes longer than two seconds, and how long it took."""

# These would make uv work in another place, with other versions or with another interpreter.
_MISLEADING = {
    "CONDA_PREFIX", "UV_CONSTRAINT", "UV_EXCLUDE_NEWER", "UV_OVERRIDE", "UV_PREFIX", "UV_PYTHON",
    "UV_REQUIRE_HASHES", "UV_SYSTEM_PYTHON", "UV_TARGET", "VIRTUAL_ENV",
}  # fmt: skip


class Program(Protocol):
    """A program that is installed into an environment of its own, such as an engine.

    Attributes:
        name: Its name.
        version: The version that runs.
        pythons: The versions of Python that run it, the best one first.
        install_hint: What its installation costs, for the progress line.
    """

    name: str
    version: str
    pythons: tuple[str, ...]
    install_hint: str

    @property
    def requirements(self) -> Path:
        """The file that pins every package of its environment, with hashes."""


_PYTHON = "bin/python"


class NoPythonError(LocalCloudError):
    """No Python on this machine runs the engine."""


def clean_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return environment variables without those that make Python or uv use other places.

    Settings that say where packages come from stay.

    Args:
        environment: The variables to start from.
    """
    return {
        name: value
        for name, value in environment.items()
        if name not in _MISLEADING and not name.startswith("PYTHON")
    }


def python_for(engine: Program, progress: Progress) -> Path:
    """Return the interpreter of an engine's environment, which is created if there is none.

    Args:
        engine: The engine.
        progress: Gets lines about an installation.

    Raises:
        NoPythonError: No Python runs the engine and none can be downloaded.
        LocalCloudError: The installation failed.
    """
    for version in _versions(engine):
        # Quicker than to look for that Python again.
        python = _environment(engine, version) / _PYTHON
        if python.exists():
            return python
    version, base = _find_python(engine, progress)

    def build(directory: Path) -> None:
        python = directory / _PYTHON
        _uv("venv", "--quiet", "--clear", "--no-project", "--python", base, str(directory))
        _uv("pip", "install", "--quiet", "--no-deps", "--require-hashes", "--python", str(python),
            "--requirements", str(engine.requirements))  # fmt: skip

    what = f"{engine.name} {engine.version} ({engine.install_hint})"
    return cached(_environment(engine, version), _PYTHON, what, build, progress) / _PYTHON


def _versions(engine: Program) -> list[str]:
    """Return the versions of Python that run the engine: this Python's, then the best ones."""
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    return sorted(engine.pythons, key=lambda version: version != own)


def _environment(engine: Program, version: str) -> Path:
    digest = hashlib.sha256(engine.requirements.read_bytes()).hexdigest()[:10]
    name = f"{engine.name}-{engine.version}-py{version}-{digest}"
    return cache_directory() / "engines" / name


def cached(
    directory: Path,
    witness: str,
    what: str,
    build: Callable[[Path], None],
    progress: Progress,
) -> Path:
    """Return a directory of the cache, which is built first if it does not exist.

    It is built under a temporary name and renamed at the end, so that a half-built one is never
    used, and under a lock, so that two processes do not build it at once.

    Args:
        directory: The directory.
        witness: A file that a finished one contains; a broken link does not count.
        what: What is installed there, for the progress line.
        build: Fills an empty directory.
        progress: Gets a line at the start and at the end.

    Raises:
        LocalCloudError: The cache cannot be written, or the build failed.
    """
    if (directory / witness).exists():
        return directory
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        with _lock(directory.with_name(f"{directory.name}.lock"), progress):
            if (directory / witness).exists():
                return directory
            for leftover in directory.parent.glob(f"{directory.name}*.tmp"):
                shutil.rmtree(leftover, ignore_errors=True)
            shutil.rmtree(directory, ignore_errors=True)
            started = time.monotonic()
            progress(f"installing {what} in {directory}, once")
            new = Path(tempfile.mkdtemp(prefix=directory.name, suffix=".tmp", dir=directory.parent))
            try:
                build(new)
                new.rename(directory)
            finally:
                shutil.rmtree(new, ignore_errors=True)
            progress(f"installed in {time.monotonic() - started:.1f} s")
    except OSError as error:
        raise LocalCloudError(
            f"cannot write to the cache {directory.parent} ({error.strerror}); "
            "set FAILURE_DESTINATIONS_CACHE to a directory you own"
        ) from error
    return directory


@contextmanager
def _lock(path: Path, progress: Progress) -> Iterator[None]:
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress(f"waiting for another process that fills {path.with_suffix('')}")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _find_python(engine: Program, progress: Progress) -> tuple[str, str]:
    """Return the version and the path of a Python that runs the engine."""
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    find = ("python", "find", "--no-project", "--no-python-downloads", "--system")
    for version in _versions(engine):
        if version == own:
            return own, sys.executable
        with suppress(LocalCloudError):
            return version, _uv(*find, version)
    wanted = engine.pythons[0]
    try:
        progress(f"downloading Python {wanted} for {engine.name}, once")
        _uv("python", "install", "--quiet", wanted)
        return wanted, _uv(*find, wanted)
    except LocalCloudError as error:
        raise NoPythonError(
            f"{engine.name} needs Python {' or '.join(engine.pythons)} and this is Python {own}; "
            f"install one beside it, for example with `uv python install {wanted}`"
        ) from error


def _uv(*arguments: str) -> str:
    environment = clean_environment()
    environment["PATH"] = os.pathsep.join([environment.get("PATH", os.defpath), *_pyenv_pythons()])
    command = [uv.find_uv_bin(), *arguments]
    # In another directory uv would read the settings of the user's project.
    status, output = run(command, environment=environment, directory=Path(tempfile.gettempdir()))
    if status:
        raise LocalCloudError(
            f"`uv {' '.join(arguments[:2])}` failed; check that this machine reaches its package "
            f"index{last_lines(output)}"
        )
    # uv warns before it answers, for example about each broken shim of pyenv.
    return output.strip().rpartition("\n")[2]


def _pyenv_pythons() -> list[str]:
    """Return the directories of pyenv's Pythons, which are on PATH as shims at best."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    return sorted(str(path) for path in root.glob("versions/*/bin"))
