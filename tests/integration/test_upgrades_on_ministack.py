"""Stacks that people deployed with a released version, updated in place with the real CDK CLI."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from failure_destinations.testing import LocalCloud

from ..released.app import HERE, STACKS, define_app
from ..test_upgrades import VERSIONS

pytestmark = [pytest.mark.integration, pytest.mark.soak]

KEPT = ("AWS::SQS::Queue", "AWS::SNS::Topic", "AWS::Lambda::Function")

PhysicalIds = Mapping[str, str]


def kept(cloud: LocalCloud, stack: str) -> dict[str, str]:
    """Return the physical ids of a stack's queues, topics and functions."""
    pages = cloud.client("cloudformation").get_paginator("list_stack_resources")
    return {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"]
        for page in pages.paginate(StackName=stack)
        for resource in page["StackResourceSummaries"]
        if resource["ResourceType"] in KEPT
    }


@pytest.mark.parametrize("version", VERSIONS)
def test_updates_a_deployed_version_in_place(ministack: LocalCloud, version: str) -> None:
    """No queue, topic or function is replaced, and waiting events stay in their queues."""
    client = ministack.client("cloudformation")
    for stack in STACKS:
        template = json.loads((HERE / version / f"{stack}.template.json").read_text())
        client.create_stack(
            StackName=stack,
            TemplateBody=json.dumps(template, separators=(",", ":")),
            Capabilities=["CAPABILITY_IAM"],
        )
        client.get_waiter("stack_create_complete").wait(
            StackName=stack, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )
    before = {stack: kept(ministack, stack) for stack in STACKS}
    queues = {url for ids in before.values() for id, url in ids.items() if "/" in url}
    assert queues
    for url in queues:
        ministack.client("sqs").send_message(QueueUrl=url, MessageBody="from before")

    app = define_app()
    ministack.deploy(app)

    for stack, ids in before.items():
        now = kept(ministack, stack)
        assert {id: now.get(id) for id in ids} == ids
        assert set(now) > set(ids), "nothing was updated"
    bodies = {url: [m.body for m in ministack.messages(url)] for url in queues}
    assert [url for url in queues if "from before" not in bodies[url]] == []
    ministack.destroy(app)
