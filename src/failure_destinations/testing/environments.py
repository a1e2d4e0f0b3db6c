"""The engines' virtual environments, one for each engine, created on first use and kept.

The engines pin incompatible versions of botocore, and the user's program has its own.
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
"""Gets lines about everything that takes longer than two seconds, with the time it took."""

# These would make uv use another place, other versions or another interpreter.
_MISLEADING = {
    "CONDA_PREFIX", "UV_CONSTRAINT", "UV_EXCLUDE_NEWER", "UV_OVERRIDE", "UV_PREFIX", "UV_PYTHON",
    "UV_REQUIRE_HASHES", "UV_SYSTEM_PYTHON", "UV_TARGET", "VIRTUAL_ENV",
}  # fmt: skip


class Program(Protocol):
    """A program with its own environment, such as an engine.

    Attributes:
        name: Its name.
        version: The pinned version.
        pythons: The Python versions that can run it, the best one first.
        install_hint: The size and time of its installation, for the progress line.
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
    """No Python on this machine can run the engine."""


def clean_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return environment variables without those that redirect Python or uv.

    Settings of package indexes are kept.

    Args:
        environment: The variables to start from.
    """
    return {
        name: value
        for name, value in environment.items()
        if name not in _MISLEADING and not name.startswith("PYTHON")
    }


def python_for(engine: Program, progress: Progress) -> Path:
    """Return the interpreter of an engine's environment, which is created if it does not exist.

    Args:
        engine: The engine.
        progress: Gets lines about the installation.

    Raises:
        NoPythonError: No Python can run the engine, and none can be downloaded.
        LocalCloudError: The installation failed.
    """
    for version in _versions(engine):
        # Faster than searching for that Python again.
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
    """Return the Python versions that can run the engine, this Python's first."""
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
    """Return a directory of the cache, building it if it does not exist.

    It is built under a temporary name and then renamed, so that a partial one is never used. A lock
    keeps two processes from building it at once.

    Args:
        directory: The directory.
        witness: A file that a complete directory contains; a broken link does not count.
        what: The name of what is installed there, for the progress line.
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
    """Return the version and path of a Python that can run the engine."""
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
    # In the current directory, uv would read the settings of the user's project.
    status, output = run(command, environment=environment, directory=Path(tempfile.gettempdir()))
    if status:
        raise LocalCloudError(
            f"`uv {' '.join(arguments[:2])}` failed; check that this machine reaches its package "
            f"index{last_lines(output)}"
        )
    # uv may print warnings before its answer, for example about broken pyenv shims.
    return output.strip().rpartition("\n")[2]


def _pyenv_pythons() -> list[str]:
    """Return the directories of pyenv's Pythons, of which PATH has only shims."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    return sorted(str(path) for path in root.glob("versions/*/bin"))
