"""Faults wherever a failure travels, and where the event is afterwards."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from failure_destinations.testing import LocalCloud

from ..waiting import eventually
from .conftest import copied_event, failed_event

pytestmark = pytest.mark.integration

NOBODY = json.dumps({"Version": "2012-10-17", "Statement": []})


@pytest.fixture
def revoked(localemu: LocalCloud, outputs: dict[str, str]) -> Iterator[None]:
    """Let nobody send to the queue until the test is over."""
    client = localemu.client("sqs")
    url = outputs["QueueUrl"]
    before = client.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]
    client.set_queue_attributes(QueueUrl=url, Attributes={"Policy": NOBODY})
    yield
    client.set_queue_attributes(QueueUrl=url, Attributes=before)


@pytest.fixture
def stopped(localemu: LocalCloud, outputs: dict[str, str]) -> Iterator[str]:
    """Give a function no concurrency until the test is over."""
    client = localemu.client("lambda")
    name = outputs["Retries1Name"]
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    yield name
    client.delete_function_concurrency(FunctionName=name)


def kill(pid_file: Path) -> None:
    """Wait for a handler that runs, and kill its process."""
    assert eventually(lambda: list(pid_file.parent.glob(pid_file.name)), bool)
    process = int(eventually(pid_file.read_text, bool))
    pid_file.unlink()
    os.kill(process, signal.SIGKILL)


def test_keeps_a_copy_of_the_event(localemu: LocalCloud, outputs: dict[str, str]) -> None:
    """The copy is the event as it was sent, with its request id and what went wrong.

    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    """
    payload = '{"città": "Zürich",  "big": 9007199254740993}'
    request_id = localemu.invoke(outputs["Retries1Name"], payload)
    copy = copied_event(localemu, outputs["CopyQueueUrl"], request_id)
    assert copy.body == payload
    assert copy.message_attributes == {
        "RequestID": request_id,
        "ErrorCode": "200",
        "ErrorMessage": "Something went wrong!",
    }
    assert failed_event(localemu, outputs["QueueUrl"], request_id)


def test_keeps_an_event_that_sns_refuses(localemu: LocalCloud, outputs: dict[str, str]) -> None:
    """This engine's SNS refuses a record over 256 KB, and the copy has the event."""
    payload = {"data": "x" * 300_000}
    request_id = localemu.invoke(outputs["Retries0Name"], payload)
    copy = copied_event(localemu, outputs["CopyQueueUrl"], request_id)
    assert copy.json() == payload
    records = [m.json() for m in localemu.messages(outputs["QueueUrl"], count=0)]
    assert request_id not in [record["requestContext"]["requestId"] for record in records]


def test_keeps_an_event_that_may_not_run(
    localemu: LocalCloud, outputs: dict[str, str], stopped: str
) -> None:
    """With a concurrency of 0 nothing runs; there are a record, without a response, and a copy."""
    request_id = localemu.invoke(stopped, {"order": 1})
    record = failed_event(localemu, outputs["QueueUrl"], request_id)
    assert record["requestPayload"] == {"order": 1}
    assert record["requestContext"]["approximateInvokeCount"] == 0
    assert "responsePayload" not in record
    copy = copied_event(localemu, outputs["CopyQueueUrl"], request_id)
    assert copy.json() == {"order": 1}
    assert request_id not in localemu.runs(stopped)


@pytest.mark.usefixtures("revoked")
def test_keeps_what_the_queue_may_not_get(localemu: LocalCloud, outputs: dict[str, str]) -> None:
    """What SNS may not send to the queue is in the dead-letter queue, and a copy is kept."""
    request_id = localemu.invoke(outputs["Retries0Name"], {"order": 2})
    record = failed_event(localemu, outputs["DeadLetterQueueUrl"], request_id)
    assert record["requestPayload"] == {"order": 2}
    assert copied_event(localemu, outputs["CopyQueueUrl"], request_id).json() == {"order": 2}
    records = [m.json() for m in localemu.messages(outputs["QueueUrl"], count=0)]
    assert request_id not in [record["requestContext"]["requestId"] for record in records]


def test_keeps_the_event_of_a_killed_process(
    localemu: LocalCloud, outputs: dict[str, str], tmp_path: Path
) -> None:
    """A process killed in the middle of its run is a failed try like any other."""
    pid_file = tmp_path / "pid"
    request_id = localemu.invoke(outputs["Retries1Name"], {"pid_file": str(pid_file)})
    kill(pid_file)
    kill(pid_file)
    record = failed_event(localemu, outputs["QueueUrl"], request_id)
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 2
    assert "signal: killed" in record["responsePayload"]["errorMessage"]
