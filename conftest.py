"""What every test and every example in the docs needs: Node, engines, and documents as tests."""

from __future__ import annotations

import doctest
import os
import signal
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser
from sybil.parsers.rest import DocTestParser
from xdist.scheduler import LoadFileScheduling

from failure_destinations.testing import LocalCloud
from failure_destinations.testing.node import find_node

# Both must be set before aws_cdk is imported. An unactivated environment's node is not on PATH,
# and synth's own validation costs two seconds once; tests/test_examples.py leaves it on.
os.environ.setdefault("JSII_NODE", str(find_node()))
os.environ.setdefault("CDK_VALIDATION", "false")
# A job in the background, and one of nohup's, ignores what tests stop programs with.
signal.signal(signal.SIGINT, signal.default_int_handler)
if sys.platform != "win32":
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session")
def localemu() -> Iterator[LocalCloud]:
    """The faithful engine, shared by the whole session."""
    with LocalCloud(engine="localemu") as cloud:
        yield cloud


@pytest.fixture(scope="session")
def ministack() -> Iterator[LocalCloud]:
    """The quick engine, shared by the whole session."""
    with LocalCloud(engine="ministack") as cloud:
        yield cloud


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what needs the faithful engine: it takes longest."""
    items.sort(key=lambda item: scope_of(item.nodeid) != "localemu")


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling:
    """Leave what needs the faithful engine to one process, and of the rest each file."""
    config.option.loadscopereorder = False
    return Scheduling(config, log)


class Scheduling(LoadFileScheduling):
    """Hands out what belongs together."""

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)


def scope_of(nodeid: str) -> str:
    """Return what a test shares with others that run in the same process."""
    if nodeid.startswith("tests/integration/") or "[localemu" in nodeid:
        return "localemu"
    return nodeid.partition("::")[0]


_markdown = Sybil(
    parsers=[PythonCodeBlockParser(doctest_optionflags=doctest.ELLIPSIS)],
    patterns=["README.md", "docs/*.md", "docs/*/*.md"],
)
_docstrings = Sybil(parsers=[DocTestParser()], pattern="src/failure_destinations/**/*.py")
pytest_collect_file = (_markdown + _docstrings).pytest()
