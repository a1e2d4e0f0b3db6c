"""Errors of LocalCloud: one sentence that says how to go on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import aws_cdk as cdk
import pytest

from failure_destinations.testing import LocalCloud, LocalCloudError
from failure_destinations.testing.node import find_node


def test_rejects_unknown_engine() -> None:
    """The error names the engines that exist."""
    with pytest.raises(LocalCloudError, match=r"'best' or one of 'localemu', 'ministack', got 'x'"):
        LocalCloud(engine="x")


@pytest.mark.parametrize("package", ["boto3", "uv"])
def test_rejects_missing_extra_in_one_line(package: str) -> None:
    """Without the extra the import says how to install it."""
    program = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "try:\n"
        "    from failure_destinations.testing import LocalCloud\n"
        "except ImportError as error:\n"
        "    print(error)"
    )
    printed = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    expected = f"LocalCloud needs {package}: pip install 'failure-destinations[testing]'\n"
    assert printed == expected


def test_package_is_light_without_local_cloud() -> None:
    """The package loads neither boto3 nor CDK: an engine's environment does not have them."""
    program = (
        "import sys, failure_destinations.testing\n"
        "print(sorted({'boto3', 'aws_cdk', 'uv'} & {*sys.modules}))"
    )
    printed = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    assert printed == "[]\n"


def test_rejects_machine_without_node(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without any Node the error names the extra that installs one."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(LocalCloudError, match=r"pip install 'failure-destinations\[node\]'"):
        find_node({"PATH": str(tmp_path)})


def test_jsii_node_comes_first(tmp_path: Path) -> None:
    """The Node that JSII_NODE names wins over all others."""
    own = tmp_path / "my-node"
    own.symlink_to(sys.executable)
    assert find_node({"JSII_NODE": str(own), "PATH": os.defpath}) == own


@pytest.mark.integration
def test_rejects_app_with_syntax_error(ministack: LocalCloud, tmp_path: Path) -> None:
    """The error ends with the CLI's output, which shows Python's own message."""
    app = tmp_path / "app.py"
    app.write_text("import aws_cdk as cdk\napp = cdk.App(\n")
    with pytest.raises(LocalCloudError, match=r"cdk deploy .* failed(.|\n)*was never closed"):
        ministack.deploy(app)


@pytest.mark.integration
@pytest.mark.parametrize("engine", ["localemu", "ministack"])
def test_rejects_failing_resource_by_name_and_reason(
    engine: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """The first line names the resource, its type, its stack and the engine's reason."""
    cloud: LocalCloud = request.getfixturevalue(engine)
    app = cdk.App(outdir=str(tmp_path))
    cdk.CfnResource(
        cdk.Stack(app, "Broken"),
        "Config",
        type="AWS::Lambda::EventInvokeConfig",
        properties={"FunctionName": "nobody", "Qualifier": "$LATEST", "MaximumRetryAttempts": 1},
    )
    with pytest.raises(LocalCloudError) as raised:
        cloud.deploy(app)
    first_line = str(raised.value).splitlines()[0]
    assert "Config " in first_line
    assert "function" in first_line
    assert first_line.endswith("(AWS::Lambda::EventInvokeConfig in Broken)")


@pytest.mark.integration
def test_rejects_a_folder_without_an_app(ministack: LocalCloud, tmp_path: Path) -> None:
    """A folder without cdk.json is refused before the CLI runs."""
    with pytest.raises(LocalCloudError, match=r"app must be a folder with cdk\.json"):
        ministack.deploy(tmp_path)
