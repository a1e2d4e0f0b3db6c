"""An audit of a deployed stack reports what the check reports of its template."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import boto3
import pytest

from failure_destinations.audit import ACTIONS, Auditor
from failure_destinations.check import find_uncovered_functions
from failure_destinations.testing import LocalCloud

from ..audit.covered_and_not import STACK, define_app

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def template(localemu: LocalCloud) -> dict[str, Any]:
    """Deploy the app, and return its template."""
    app = define_app()
    template: dict[str, Any] = app.synth().get_stack_by_name(STACK).template
    localemu.deploy(app)
    # What CDK's custom resource does on AWS; the engine does not run it.
    function = physical_names(localemu, template)
    s3 = localemu.client("s3")
    (bucket,) = [one["Name"] for one in s3.list_buckets()["Buckets"] if "bucket83" in one["Name"]]
    arn = f"arn:aws:lambda:{localemu.region}:{localemu.account}:function:"
    (notified,) = [name for id, name in function.items() if id.startswith("Notified")]
    s3.put_bucket_notification_configuration(
        Bucket=bucket,
        NotificationConfiguration={
            "LambdaFunctionConfigurations": [
                {"LambdaFunctionArn": f"{arn}{notified}", "Events": ["s3:ObjectCreated:*"]}
            ]
        },
    )
    return template


def physical_names(cloud: LocalCloud, template: dict[str, Any]) -> dict[str, str]:
    """Return the names of the functions by their logical ids."""
    resources = cloud.client("cloudformation").describe_stack_resources(StackName=STACK)
    return {
        one["LogicalResourceId"]: one["PhysicalResourceId"]
        for one in resources["StackResources"]
        if template["Resources"][one["LogicalResourceId"]]["Type"] == "AWS::Lambda::Function"
    }


def session_of(cloud: LocalCloud) -> boto3.Session:
    """Return a session for the engine."""
    environment = cloud.environment
    return boto3.Session(
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        region_name=cloud.region,
    )


@pytest.mark.soak
def test_says_what_the_check_says(
    localemu: LocalCloud, template: dict[str, Any], tmp_path: Path
) -> None:
    """The same functions, qualifiers and kinds; and it calls only what its policy allows."""
    session = session_of(localemu)
    called = set()
    session.events.register(
        "before-call", lambda model, **_: called.add((model.service_model.service_name, model.name))
    )
    auditor = Auditor(session, [localemu.region], endpoint_url=localemu.url)
    auditor.begin()
    journal = auditor.journal(tmp_path / "state")
    findings = auditor.run(journal).findings
    journal.close()

    names = physical_names(localemu, template)
    expected = {
        (names[one.logical_id], one.qualifier, one.kind)
        for one in find_uncovered_functions(template)
        if one.logical_id in names and one.kind != "custom-resource"
    }
    ours = set(names.values())
    actual = {
        (one.logical_id, one.qualifier, one.kind) for one in findings if one.logical_id in ours
    }
    assert expected == actual
    assert len(expected) == 12
    (notified,) = [one for one in findings if "Notified" in one.logical_id]
    assert any(caller.startswith("arn:aws:s3:::") for caller in notified.invoked_by)
    ids = {name: id for id, name in names.items()}
    assert {
        (re.sub("[0-9A-F]{8}$", "", ids[one.function]).removeprefix("Polled"), one.kind)
        for one in findings
        if one.resource.type == "AWS::Lambda::EventSourceMapping"
    } == {
        ("Queue", "no-redrive"),
        ("Redriven", "visibility-margin"),
        ("Redriven", "unwatched"),
        ("Table", "endless-retries"),
    }
    assert called <= set(operations(session))


def operations(session: boto3.Session) -> Iterable[tuple[str, str]]:
    """Yield the operations of the one list of actions, as botocore names them."""
    for action in ACTIONS:
        client = session.client(action.service)  # type: ignore[call-overload]
        yield action.service, client.meta.method_to_api_mapping[action.operation]


@pytest.mark.soak
def test_audits_from_the_command(
    localemu: LocalCloud, template: dict[str, Any], tmp_path: Path
) -> None:
    """It exits with 1 if something is lost, and with 0 once that is accepted."""
    command = [sys.executable, "-m", "failure_destinations", "audit"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment = {**kept, **localemu.environment, "FAILURE_DESTINATIONS_CACHE": str(tmp_path)}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, *arguments],
            env=environment,
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )

    listed = run("--json", "--write-baseline", str(tmp_path / "accepted.json"))
    assert listed.returncode == 0, listed.stderr
    found = run("--json")
    assert found.returncode == 1, found.stderr
    names = physical_names(localemu, template)
    written = json.loads(found.stdout)
    assert written["functions"] >= len(names)
    assert {one["stack"] for one in written["findings"] if one["kind"] == "uncovered"} == {
        localemu.region
    }
    accepted = run("--baseline", str(tmp_path / "accepted.json"))
    assert accepted.returncode == 0, accepted.stdout
    assert "accepted" in accepted.stdout
    assert list((tmp_path / "audits").iterdir()) == []
