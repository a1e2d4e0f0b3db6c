"""Every example is deployed, updated and destroyed, with the real CDK CLI."""

from __future__ import annotations

import io
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from failure_destinations.testing import LocalCloud

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
# One in every run, and all of them in the long tests.
EXAMPLES = [
    pytest.param(path.parent, marks=[] if path.parent.name == "article" else [pytest.mark.soak])
    for path in sorted(ROOT.glob("examples/*/app.py"))
]
KEPT = ("AWS::SQS::Queue", "AWS::SNS::Topic", "AWS::Lambda::Function")


@pytest.fixture(scope="module")
def existing_function(ministack: LocalCloud) -> Iterator[None]:
    """Create what examples/existing_function finds: a function, its role and its alias."""
    ministack.client("iam").create_role(RoleName="orders-role", AssumeRolePolicyDocument="{}")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("index.py", "def handler(event, context): ...")
    client = ministack.client("lambda")
    client.create_function(
        FunctionName="orders",
        Runtime="python3.13",
        Handler="index.handler",
        Role=f"arn:aws:iam::{ministack.account}:role/orders-role",
        Code={"ZipFile": archive.getvalue()},
    )
    version = client.publish_version(FunctionName="orders")["Version"]
    client.create_alias(FunctionName="orders", Name="live", FunctionVersion=version)
    yield
    client.delete_function(FunctionName="orders")


def copy_of(example: Path, folder: Path) -> Path:
    """Copy an example, with a way to the repository's node_modules, to change the copy."""
    copy = folder / example.name
    shutil.copytree(example, copy)
    (folder / "node_modules").symlink_to(ROOT / "node_modules")
    return copy


def physical_ids(cloud: LocalCloud, stack: str) -> dict[str, str]:
    """Return the physical ids of what an update must not replace."""
    summaries = cloud.client("cloudformation").list_stack_resources(StackName=stack)
    return {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"]
        for resource in summaries["StackResourceSummaries"]
        if resource["ResourceType"] in KEPT
    }


def mailboxes(cloud: LocalCloud, stack: str) -> set[str]:
    """Return the addresses that are subscribed to the stack's topic."""
    subscriptions: list[dict[str, Any]] = cloud.client("sns").list_subscriptions()["Subscriptions"]
    return {
        s["Endpoint"]
        for s in subscriptions
        if s["Protocol"] == "email" and f":{stack}-" in s["TopicArn"]
    }


@pytest.mark.soak
@pytest.mark.usefixtures("existing_function")
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_deploys_updates_and_is_destroyed(
    ministack: LocalCloud, example: Path, tmp_path: Path
) -> None:
    """Another mailbox replaces no queue, topic or function; the queue outlives its stack."""
    app = copy_of(example, tmp_path)
    ((stack, outputs),) = ministack.deploy(app).items()
    before = physical_ids(ministack, stack)
    assert mailboxes(ministack, stack) == {"developer@example.com"}

    code = (app / "app.py").read_text()
    (app / "app.py").write_text(
        code.replace('["developer@example.com"]', '["developer@example.com", "boss@example.com"]')
    )
    assert ministack.deploy(app)[stack] == outputs
    assert physical_ids(ministack, stack) == before
    assert mailboxes(ministack, stack) == {"developer@example.com", "boss@example.com"}

    ministack.destroy(app)
    assert mailboxes(ministack, stack) == set()
    sqs = ministack.client("sqs")
    assert sqs.get_queue_attributes(QueueUrl=outputs["QueueUrl"])["ResponseMetadata"]
