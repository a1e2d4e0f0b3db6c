"""Queues of failed events, functions to replay them with, and the command."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError
from botocore.model import OperationModel

from failure_destinations.deployed.session import Aws
from failure_destinations.testing import LocalCloud

HANDLER = """
import time

def handler(event, context):
    time.sleep(event.get("seconds", 0))
    if event.get("fail"):
        raise ValueError("no such order")
"""
CLI = [sys.executable, "-m", "failure_destinations"]


def clean_environment(**more: str) -> dict[str, str]:
    """Return an environment without any AWS configuration."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    nowhere = {"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}
    return {**kept, **nowhere, "AWS_EC2_METADATA_DISABLED": "true", **more}


def run_cli(
    arguments: Sequence[str], environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command as a process, in a pipe."""
    return subprocess.run(
        [*CLI, *arguments],
        env=environment or clean_environment(),
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )


@dataclass
class Orders:
    """A queue of failed events of the function `orders`."""

    cloud: LocalCloud
    url: str
    function: str

    @property
    def name(self) -> str:
        """The queue's name."""
        return self.url.rpartition("/")[2]

    @property
    def environment(self) -> dict[str, str]:
        """The environment that leads the command to the engine."""
        return clean_environment(**self.cloud.environment)

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command on this queue."""
        return run_cli([*arguments, "--queue", self.name], self.environment)

    def cloud_cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command on the engine, and on no queue."""
        return run_cli(arguments, self.environment)

    def record(self, payload: str, request_id: str, error: str = "RuntimeError") -> str:
        """Write the invocation record of a payload, as Lambda does."""
        context = {
            "requestId": request_id,
            "functionArn": f"{self.function}:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        }
        response = {"errorType": error, "errorMessage": "[red]no data[/red]\x1b[31m"}
        return (
            '{"version": "1.0", "timestamp": "2026-11-02T03:03:11.412Z", '
            f'"requestContext": {json.dumps(context)}, "requestPayload": {payload}, '
            f'"responsePayload": {json.dumps(response)}}}'
        )

    def send(self, *payloads: str, error: str = "RuntimeError", request_id: str = "") -> None:
        """Put failed events into the queue."""
        for payload in payloads:
            self.send_text(self.record(payload, request_id or str(uuid4()), error))

    def send_text(self, body: str, attributes: dict[str, str] | None = None) -> None:
        """Put any message into the queue."""
        self.cloud.client("sqs").send_message(
            QueueUrl=self.url,
            MessageBody=body,
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value}
                for name, value in (attributes or {}).items()
            },
        )

    def bodies(self) -> list[str]:
        """Return the bodies of the visible messages."""
        return [message.body for message in self.cloud.messages(self.url, count=0)]

    def runs(self) -> int:
        """Return how often the function ran so far."""
        return sum(self.cloud.runs("jobs").values())


@pytest.fixture(scope="session")
def orders_function(ministack: LocalCloud) -> str:
    """Create the function, and return its ARN."""
    return create_function(ministack, "jobs")


def create_function(
    cloud: LocalCloud, name: str, *, handler: str = HANDLER, **settings: Any
) -> str:
    """Create a function that fails when its event says so, and return its ARN."""
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}}
    policy = {"Version": "2012-10-17", "Statement": [{**trust, "Action": "sts:AssumeRole"}]}
    cloud.client("iam").create_role(
        RoleName=f"{name}-role", AssumeRolePolicyDocument=json.dumps(policy)
    )
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("index.py", handler)
    created = cloud.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.13",
        Handler="index.handler",
        Role=f"arn:aws:iam::{cloud.account}:role/{name}-role",
        Code={"ZipFile": archive.getvalue()},
        **settings,
    )
    return str(created["FunctionArn"])


@pytest.fixture
def orders(ministack: LocalCloud, orders_function: str) -> Iterator[Orders]:
    """An empty queue of its own for each test."""
    with empty_queue(ministack, orders_function) as queue:
        yield queue


@contextmanager
def empty_queue(cloud: LocalCloud, function: str) -> Iterator[Orders]:
    """Create a queue for failed events of a function, and delete it at the end."""
    sqs = cloud.client("sqs")
    url = sqs.create_queue(QueueName=f"failures-{uuid4().hex[:8]}")["QueueUrl"]
    yield Orders(cloud, url, function)
    sqs.delete_queue(QueueUrl=url)


def limit_receives(orders: Orders, count: int) -> None:
    """Have the queue move a message away after so many receives."""
    sqs: Any = orders.cloud.client("sqs")
    away = sqs.create_queue(QueueName=f"{orders.name}-away")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=away, AttributeNames=["QueueArn"])["Attributes"]
    policy = {"deadLetterTargetArn": arn["QueueArn"], "maxReceiveCount": count}
    sqs.set_queue_attributes(QueueUrl=orders.url, Attributes={"RedrivePolicy": json.dumps(policy)})


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count the IAM actions of the requests to AWS."""
    counted: Counter[str] = Counter()

    def count(model: OperationModel) -> None:
        service = model.service_model.signing_name
        service = {"monitoring": "cloudwatch"}.get(service, service)
        counted[f"{service}:{model.name.removesuffix('Batch')}"] += 1

    _before_requests(monkeypatch, count)
    return counted


@pytest.fixture
def denied(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Have AWS deny operations that the test names."""
    operations: set[str] = set()

    def deny(model: OperationModel) -> None:
        if model.name in operations:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, model.name)

    _before_requests(monkeypatch, deny)
    return operations.add


def _before_requests(
    monkeypatch: pytest.MonkeyPatch, notify: Callable[[OperationModel], None]
) -> None:
    """Have botocore call a function before each request of a client of `Aws`."""
    make_client: Any = Aws.client

    def client(aws: Aws, service: str, **options: Any) -> Any:
        made = make_client(aws, service, **options)
        # One client may be handed out several times.
        made.meta.events.register(
            "before-parameter-build", lambda model, **_: notify(model), unique_id=id(notify)
        )
        return made

    monkeypatch.setattr(Aws, "client", client)
