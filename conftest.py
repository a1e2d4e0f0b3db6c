"""What every test and every example in the docs needs: Node, engines, and documents as tests."""

from __future__ import annotations

import doctest
import os
from collections.abc import Iterator

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser
from sybil.parsers.rest import DocTestParser

from failure_destinations.testing import LocalCloud
from failure_destinations.testing.node import find_node

# Both must be set before aws_cdk is imported. An unactivated environment's node is not on PATH,
# and synth's own validation costs two seconds once; tests/test_examples.py leaves it on.
os.environ.setdefault("JSII_NODE", str(find_node()))
os.environ.setdefault("CDK_VALIDATION", "false")


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


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the groups in the same hook.
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave what shares the faithful engine to one process, which begins with it: it takes long."""
    for item in items:
        file = item.nodeid.partition("::")[0]
        item.add_marker(pytest.mark.xdist_group("localemu" if _uses_localemu(item) else file))
    items.sort(key=lambda item: not _uses_localemu(item))


def _uses_localemu(item: pytest.Item) -> bool:
    return "localemu" in getattr(item, "fixturenames", ()) or "[localemu" in item.name


_markdown = Sybil(
    parsers=[PythonCodeBlockParser(doctest_optionflags=doctest.ELLIPSIS)],
    patterns=["README.md", "docs/*.md", "docs/*/*.md"],
)
_docstrings = Sybil(parsers=[DocTestParser()], pattern="src/failure_destinations/*.py")
pytest_collect_file = (_markdown + _docstrings).pytest()
