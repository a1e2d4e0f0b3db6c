"""Importing the package."""

from __future__ import annotations

import subprocess
import sys

import failure_destinations


def run_python(code: str) -> str:
    """Run code in a fresh interpreter and return what it prints."""
    return subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.strip()


def test_exports_what_it_says() -> None:
    """Every exported name exists and dir() lists it."""
    exported = {name: getattr(failure_destinations, name) for name in failure_destinations.__all__}
    assert set(exported) <= set(dir(failure_destinations))
    assert [name for name, value in exported.items() if value is None] == []


def test_rejects_an_unknown_name() -> None:
    """An unknown name raises AttributeError, as in any module."""
    assert not hasattr(failure_destinations, "FailureChanel")


def test_imports_nothing_of_cdk_by_itself() -> None:
    """Importing the package loads neither the CDK nor Node."""
    code = "import sys, failure_destinations; print([m for m in sys.modules if 'jsii' in m])"
    assert run_python(code) == "[]"


def test_imports_the_testing_part_without_cdk() -> None:
    """Importing failure_destinations.testing does not load the CDK."""
    code = (
        "import sys, failure_destinations.testing; print([m for m in sys.modules if 'jsii' in m])"
    )
    assert run_python(code) == "[]"


def test_checks_templates_with_the_standard_library() -> None:
    """The check loads neither the CDK nor the command's dependencies."""
    code = (
        "import sys\n"
        "from failure_destinations import find_uncovered_functions\n"
        "find_uncovered_functions({'Resources': {'F': {'Type': 'AWS::Lambda::Function'}}})\n"
        "print([m for m in ('jsii', 'yaml', 'click', 'boto3') if m in sys.modules])"
    )
    assert run_python(code) == "[]"


def test_has_the_installed_version() -> None:
    """The installed distribution has the module's version."""
    code = "from importlib.metadata import version; print(version('failure-destinations'))"
    assert run_python(code) == failure_destinations.__version__
