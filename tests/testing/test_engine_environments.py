"""The environments of the engines: pinned, built once and never used half-built."""

from __future__ import annotations

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from failure_destinations.cache import cache_directory
from failure_destinations.testing import LocalCloud, LocalCloudError
from failure_destinations.testing.engines import ENGINES, LocalEmu
from failure_destinations.testing.environments import NoPythonError, clean_environment, python_for


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("FAILURE_DESTINATIONS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize("name", ENGINES)
def test_pins_every_package_with_hashes(name: str) -> None:
    """The requirements pin one version of each package, with hashes and without an address."""
    engine = ENGINES[name]
    text = engine.requirements.read_text().replace("\\\n", "")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    pin = re.compile(r"([a-z0-9.-]+==[\w.]+)( ; [^:]*)?( +--hash=sha256:[0-9a-f]{64})+ *")
    assert [line for line in lines if not pin.fullmatch(line)] == []
    assert f"{name}=={engine.version}" in [line.split()[0] for line in lines]
    assert "://" not in text


@pytest.mark.parametrize("name", ENGINES)
def test_differences_are_documented(name: str) -> None:
    """The page about LocalCloud lists each sentence about the engine."""
    page = (Path(__file__).parents[2] / "docs" / "local-cloud.md").read_text()
    listed = " ".join(page.split())
    assert [text for text in ENGINES[name].differences if f"- {text}" not in listed] == []


def test_cache_directory_follows_the_users_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library's own variable wins over the one that all programs share."""
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("FAILURE_DESTINATIONS_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/shared")
    assert cache_directory() == Path("/shared/failure-destinations")
    monkeypatch.setenv("FAILURE_DESTINATIONS_CACHE", "/own")
    assert cache_directory() == Path("/own")


def test_index_settings_stay_and_misleading_ones_go() -> None:
    """The user's package index is used; another interpreter or target is not."""
    environment = {"UV_DEFAULT_INDEX": "x", "UV_PYTHON": "3.9", "PYTHONPATH": "/y", "HOME": "/z"}
    assert clean_environment(environment) == {"UV_DEFAULT_INDEX": "x", "HOME": "/z"}


@pytest.mark.integration
def test_two_processes_build_an_environment_once(cache: Path) -> None:
    """The second process waits for the first and uses what it built."""
    program = (
        "from failure_destinations.testing import environments, engines\n"
        "engine = engines.ENGINES['ministack']\n"
        "print(environments.python_for(engine, lambda line: print(line)))"
    )

    def build(_number: int) -> list[str]:
        command = [sys.executable, "-c", program]
        run = subprocess.run(command, capture_output=True, text=True, check=True)
        return run.stdout.splitlines()

    with ThreadPoolExecutor() as pool:
        one, other = pool.map(build, range(2))
    assert one[-1] == other[-1]
    assert sum(line.startswith("installing") for line in [*one, *other]) == 1
    assert cache.exists()


@pytest.mark.integration
def test_half_built_environment_is_built_again(cache: Path) -> None:
    """What an interrupted installation leaves is never used, and is removed."""
    python = python_for(ENGINES["ministack"], lambda _line: None)
    environment = python.parents[1]
    leftover = environment.with_name(f"{environment.name}abc.tmp")
    leftover.mkdir()
    python.unlink()
    again = python_for(ENGINES["ministack"], lambda _line: None)
    subprocess.run([again, "-I", "-c", "import ministack"], check=True)
    assert not leftover.exists()
    assert cache in again.parents


def test_rejects_cache_that_cannot_be_written(cache: Path) -> None:
    """The error names the directory and the variable that moves it."""
    cache.write_text("a file")
    with pytest.raises(LocalCloudError, match="set FAILURE_DESTINATIONS_CACHE to a directory"):
        python_for(ENGINES["ministack"], lambda _line: None)


@pytest.fixture
def no_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have localemu need a Python that nobody has."""
    monkeypatch.setattr(LocalEmu, "pythons", ("3.99",))


@pytest.mark.usefixtures("no_python")
def test_rejects_engine_that_no_python_runs() -> None:
    """Asked for by name, an engine without its Python is an error with the way out."""
    with pytest.raises(NoPythonError, match=r"needs Python 3\.99 and this is .*`uv python install"):
        LocalCloud(engine="localemu").start()


@pytest.mark.integration
@pytest.mark.usefixtures("no_python")
def test_best_engine_falls_back_with_a_warning() -> None:
    """Where no Python runs localemu, the best engine is ministack and a warning says why."""
    cloud = LocalCloud()
    with pytest.warns(UserWarning, match=r"localemu needs Python 3\.99.*using ministack instead"):
        cloud.start()
    name = cloud.engine.name
    cloud.stop()
    assert name == "ministack"
