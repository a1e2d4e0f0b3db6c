"""What all tests and the examples in the docs share: Node, engines, and documents as tests."""

from __future__ import annotations

import doctest
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser
from sybil.parsers.rest import DocTestParser
from xdist.scheduler import LoadFileScheduling

from failure_destinations.cache import cache_directory
from failure_destinations.testing import LocalCloud
from failure_destinations.testing.engines import ENGINES
from failure_destinations.testing.environments import python_for
from failure_destinations.testing.node import find_node

# Both must be set before aws_cdk is imported. An unactivated environment's node is not on PATH,
# and synth's own validation costs two seconds once; tests/test_examples.py leaves it on.
os.environ.setdefault("JSII_NODE", str(find_node()))
os.environ.setdefault("CDK_VALIDATION", "false")
# Runs keep their journals in a folder of their own, not in that of who runs the tests.
_STATE = tempfile.TemporaryDirectory(prefix="failure-destinations-state-")
os.environ["FAILURE_DESTINATIONS_STATE"] = _STATE.name
# Each app, also those of programs that tests start, gets the flags that `cdk init` writes today.
if os.environ.get("CDK_FLAGS") == "recommended":
    flags = Path(__file__).parent / "tests" / "recommended_flags.json"
    os.environ["CDK_CONTEXT_JSON"] = flags.read_text()
# What must pass before a change lands tries the same generated cases each time; any other run tries
# new ones.
settings.register_profile("same cases", derandomize=True)
if os.environ.get("GENERATED_CASES") == "same":
    settings.load_profile("same cases")
# A job in the background, and one of nohup's, ignores what tests stop programs with.
signal.signal(signal.SIGINT, signal.default_int_handler)
if sys.platform != "win32":
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


SECRET = "a secret of the person who runs the tests"  # noqa: S105


@pytest.fixture(scope="session")
def secret() -> str:
    """What no Lambda function of an engine may see of the person who started it."""
    return SECRET


@pytest.fixture(scope="session")
def localemu(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """The faithful engine, shared by the whole session."""
    yield from start_beside_secrets("localemu", tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """The quick engine, shared by the whole session."""
    yield from start_beside_secrets("ministack", tmp_path_factory.mktemp("home"))


def start_beside_secrets(engine: str, home: Path) -> Iterator[LocalCloud]:
    """Start an engine from an environment and a home directory with credentials in them.

    tests/hostile/test_engines.py looks whether they reach Lambda functions.
    """
    # It is built first, because uv looks for Pythons below the home directory.
    python_for(ENGINES[engine], print)
    (home / ".aws").mkdir()
    (home / ".aws" / "credentials").write_text(f"[default]\naws_secret_access_key = {SECRET}\n")
    cloud = LocalCloud(engine=engine)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FAILURE_DESTINATIONS_CACHE", str(cache_directory()))
        patch.setenv("HOME", str(home))
        for name in ("DEPLOY_TOKEN", "AWS_SECRET_ACCESS_KEY", "PYTHONSECRET", "NODE_AUTH_TOKEN"):
            patch.setenv(name, SECRET)
        cloud.start()
    with cloud:
        yield cloud


@pytest.fixture
def share_engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the LocalCloud() of a document be the session's: localemu takes long to start."""
    if scope_of(request.node.nodeid) == "localemu":
        cloud = request.getfixturevalue("localemu")
        monkeypatch.setattr(
            "failure_destinations.testing.LocalCloud", lambda: nullcontext(cloud), raising=False
        )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests that need the faithful engine first: they take longest.

    A docstring that starts an engine is among the long tests.
    """
    for item in items:
        if item.nodeid.startswith("src/failure_destinations/testing/local_cloud.py"):
            item.add_marker(pytest.mark.soak)
    items.sort(key=lambda item: scope_of(item.nodeid) != "localemu")


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling:
    """Give all tests that need the faithful engine to one process, and other tests by file.

    The long tests go by file alone: one process for them all would take longer than its engine
    saves.
    """
    config.option.loadscopereorder = False
    return (LoadFileScheduling if config.option.markexpr == "soak" else Scheduling)(config, log)


class Scheduling(LoadFileScheduling):
    """Keeps tests together that share something."""

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)


def scope_of(nodeid: str) -> str:
    """Return the group of tests that run in the same process as this one.

    All that need localemu are one group, because it takes seconds to start: the files and
    parameters named after it, tests/integration but for what is named after ministack, and the
    documents that start it.
    """
    file = nodeid.partition("::")[0]
    if "ministack" in file:
        return file
    needs_localemu = "localemu" in nodeid or file.startswith(
        ("tests/integration/", "README.md", "src/failure_destinations/testing/local_cloud.py")
    )
    return "localemu" if needs_localemu else file


_markdown = Sybil(
    parsers=[PythonCodeBlockParser(doctest_optionflags=doctest.ELLIPSIS)],
    patterns=["README.md", "docs/*.md", "docs/*/*.md"],
    fixtures=["share_engine"],
)
_docstrings = Sybil(
    parsers=[DocTestParser()],
    pattern="src/failure_destinations/**/*.py",
    fixtures=["share_engine"],
)
pytest_collect_file = (_markdown + _docstrings).pytest()
