"""Failed events on an engine: attempts, payloads, records, mails and replay."""

from __future__ import annotations

import json
from typing import Any

import pytest

from failure_destinations.testing import LocalCloud

from ..boto3_features import needs_durable_executions
from ..cli.conftest import clean_environment, run_cli
from .conftest import failed_event, first, runs_of

pytestmark = pytest.mark.integration

PAYLOADS: dict[str, Any] = {
    "article": {"veryImportantData": "this should not be lost !!!"},
    "nested": {"a": {"b": [{"c": [1, 2.5, None, True, {"d": []}]}]}},
    "non-ascii": {"città": "Zürich 🎉", "日本": "語", "quotes": '"\\\n\t\u2028'},
    "numbers": {"big": 2**53 + 1, "small": 1e-7, "negative": -0.1},
    "text": "just text",
    "200 KB": {"data": "x" * 200_000},
    "non-ascii, 60 KB": {"data": "ü" * 30_000},
}


@pytest.mark.parametrize(
    "retries", [pytest.param(0, marks=pytest.mark.soak), 1, pytest.param(2, marks=pytest.mark.soak)]
)
def test_runs_the_handler_once_and_each_retry(
    localemu: LocalCloud, outputs: dict[str, str], retries: int
) -> None:
    """With 0, 1 and 2 retries the handler runs 1, 2 and 3 times, then the event is in the queue."""
    function = outputs[f"Retries{retries}Name"]
    request_id = localemu.invoke(function, {"retries": retries})
    record = failed_event(localemu, outputs["QueueUrl"], request_id)
    assert runs_of(localemu, function, request_id, retries + 1) == retries + 1
    assert record["requestContext"]["approximateInvokeCount"] == retries + 1


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_keeps_the_payload_unchanged(
    localemu: LocalCloud, outputs: dict[str, str], payload: Any
) -> None:
    """What the handler was invoked with is in the queue, to the last character."""
    request_id = localemu.invoke(outputs["Retries0Name"], payload)
    record = failed_event(localemu, outputs["QueueUrl"], request_id)
    assert record["requestPayload"] == payload


def test_keeps_the_record_as_lambda_wrote_it(localemu: LocalCloud, outputs: dict[str, str]) -> None:
    """The message is the invocation record that AWS documents, without an envelope.

    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    """
    request_id = localemu.invoke(outputs["Retries0Name"], {"a": 1})
    record = failed_event(localemu, outputs["QueueUrl"], request_id)
    assert set(record) == {
        "version",
        "timestamp",
        "requestContext",
        "requestPayload",
        "responseContext",
        "responsePayload",
    }
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["functionArn"].endswith(f"{outputs['Retries0Name']}:$LATEST")
    assert record["responsePayload"]["errorType"] == "RuntimeError"
    assert record["responsePayload"]["errorMessage"] == "Something went wrong!"


def test_sends_a_mail_about_each_failure(localemu: LocalCloud, outputs: dict[str, str]) -> None:
    """The mail holds the record, and with it what failed and why."""
    request_id = localemu.invoke(outputs["Retries0Name"], {"a": 1})
    mail = first(
        lambda count: localemu.mails("developer@example.com", count=count),
        lambda mail: request_id in mail.body,
    )
    assert "Something went wrong!" in mail.body


def test_replays_the_record_as_lambda_wrote_it(
    localemu: LocalCloud, outputs: dict[str, str]
) -> None:
    """The operator names a stack and a request; the handler runs again, fails again, and stays."""
    function = outputs["Retries0Name"]
    request_id = localemu.invoke(function, {"a": 1})
    failed_event(localemu, outputs["QueueUrl"], request_id)
    environment = clean_environment(**localemu.environment)
    chosen = ["--stack", "Failures", "--id", request_id, "--json"]
    listed = json.loads(run_cli(["list", *chosen], environment).stdout)
    assert (listed["error_type"], listed["attempts"]) == ("RuntimeError", 1)
    before = sum(localemu.runs(function).values())
    replayed = run_cli(["replay", "--yes", *chosen], environment)
    tally = json.loads(replayed.stdout)
    assert (tally["succeeded"], tally["failed"], replayed.returncode) == (0, 1, 1)
    assert tally["errors"][0]["error"] == "RuntimeError: Something went wrong!"
    localemu.runs(function, count=before + 1)
    failed_event(localemu, outputs["QueueUrl"], request_id)


@needs_durable_executions
def test_hands_an_event_over_whose_second_failure_comes_back(
    localemu: LocalCloud, outputs: dict[str, str]
) -> None:
    """The message is gone once Lambda has the event; the same payload fails again and returns."""
    function, payload = outputs["Retries0Name"], {"handed": "over", "n": 1.5}
    request_id = localemu.invoke(function, payload)
    failed_event(localemu, outputs["QueueUrl"], request_id)
    chosen = ["--stack", "Failures", "--id", request_id, "--json"]
    environment = clean_environment(**localemu.environment)
    replayed = run_cli(["replay", "--yes", "--asynchronous", *chosen], environment)
    tally = json.loads(replayed.stdout)
    # The second failure may be back before the run has ended, which then leaves it in the queue.
    assert (tally["handed_over"], tally["failed"]) == (1, 0)
    assert replayed.returncode == tally["returned"]
    returned = first(
        lambda count: localemu.messages(outputs["QueueUrl"], count=count),
        lambda message: (
            message.json()["requestPayload"] == payload
            and message.json()["requestContext"]["requestId"] != request_id
        ),
    ).json()
    assert returned["requestContext"]["condition"] == "RetriesExhausted"
    assert run_cli(["list", *chosen], environment).stdout == ""
