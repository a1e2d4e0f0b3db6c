"""Events that are given to Lambda asynchronously, with answers in the form of its API.

No engine runs durable executions: these answers are checked against the API's model.
"""

from __future__ import annotations

import gzip
import json
import threading
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import boto3
import botocore
import pytest
from botocore.exceptions import ReadTimeoutError
from botocore.session import Session
from botocore.stub import Stubber

from failure_destinations.deployed.location import Location
from failure_destinations.errors import CommandError
from failure_destinations.replay.asynchronous import (
    HANDED_OVER,
    STILL_RUNNING,
    AsynchronousInvoker,
    check_asynchronous_support,
    execution_name,
    qualified,
)
from failure_destinations.replay.authority import Authority
from failure_destinations.replay.invoked_functions import (
    FunctionSettings,
    InvokedFunctions,
    read_settings,
)
from failure_destinations.replay.received_message import ReceivedMessage
from failure_destinations.replay.selection import Selection
from failure_destinations.runtime import Outcome

from ..boto3_features import needs_durable_executions
from ..runtime import messages

pytestmark = needs_durable_executions

MODEL = Path(botocore.__file__).parent / "data/lambda/2015-03-31/service-2.json.gz"
PAYLOAD = '{ "n": 1.0, "n": 2 }'
MESSAGE = ReceivedMessage.of(messages.message(messages.record(PAYLOAD)))
FUNCTION = messages.FUNCTION
EXECUTION = f"{FUNCTION}:7/durable-execution/replay/0d1c"
NOW = datetime(2026, 11, 29, 12, 0, tzinfo=timezone.utc)
DURABLE = FunctionSettings(60, execution_seconds=31_622_400)
KEPT = FunctionSettings(5400, keeps_failures=True)


def lambda_(session: Session | None = None) -> Any:
    """Return a client of Lambda that never retries."""
    config = botocore.config.Config(retries={"total_max_attempts": 1})
    return boto3.Session("AKIAEXAMPLE", "secret", botocore_session=session).client(
        "lambda", region_name="eu-west-1", config=config
    )


class Lambda:
    """An invoker, and the answers that it gets."""

    def __init__(self, settings: FunctionSettings, tenant: str | None = None) -> None:
        self.client = lambda_()
        self.answers = Stubber(self.client)
        self.stopped = threading.Event()
        self.names: list[str] = []
        authority = Authority(lambda: Location.of(FUNCTION))
        self.functions = InvokedFunctions(lambda _: settings, tenant, asynchronous=True)
        self.invoker = AsynchronousInvoker(
            self.client,
            Selection(authority, functions=self.functions),
            self.functions,
            self.stopped,
            first_pause_seconds=0,
        )

    def starts(
        self,
        number: int = 0,
        request_id: str = "9d8f",
        function: str = f"{FUNCTION}:$LATEST",
        **more: Any,
    ) -> None:
        """Expect an execution to be started by the event's name of a number."""
        self.answers.add_response(
            "invoke",
            {
                "StatusCode": 202,
                "DurableExecutionArn": EXECUTION,
                "ResponseMetadata": {
                    "RequestId": request_id,
                    "HTTPHeaders": {"date": format_datetime(NOW, usegmt=True)},
                },
            },
            {
                "FunctionName": function,
                "InvocationType": "Event",
                "Payload": PAYLOAD.encode(),
                "DurableExecutionName": execution_name(MESSAGE, number),
                **more,
            },
        )

    def is_seen(self, status: str, started: datetime = NOW, **more: Any) -> None:
        """Expect the execution to be read, and answer with its state."""
        execution = {
            "DurableExecutionArn": EXECUTION,
            "DurableExecutionName": "replay",
            "FunctionArn": FUNCTION,
            "StartTimestamp": started,
            "Status": status,
            **more,
        }
        self.answers.add_response(
            "get_durable_execution", execution, {"DurableExecutionArn": EXECUTION}
        )

    def run(self, message: ReceivedMessage = MESSAGE) -> Outcome:
        """Give the event to Lambda, and return the outcome."""
        with self.answers:
            outcome = self.invoker(message)
            self.answers.assert_no_pending_responses()
        return outcome


def test_follows_a_durable_execution_to_its_end() -> None:
    """However it waits meanwhile; only then has the event succeeded."""
    aws = Lambda(DURABLE)
    aws.starts()
    for status in ("RUNNING", "PAUSING", "PAUSED", "RUNNING"):
        aws.is_seen(status)
    aws.is_seen("SUCCEEDED")
    outcome = aws.run()
    assert outcome == Outcome("succeeded")
    assert outcome is not HANDED_OVER


@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT", "STOPPED"])
def test_says_why_an_execution_failed(status: str) -> None:
    """Its message stays."""
    aws = Lambda(DURABLE)
    aws.starts()
    aws.is_seen(status, Error={"ErrorType": "OrderError", "ErrorMessage": "no such order"})
    assert aws.run() == Outcome("failed", None, "OrderError", "no such order")


def test_an_execution_that_failed_without_an_error_has_its_state() -> None:
    """Such as one that was stopped."""
    aws = Lambda(DURABLE)
    aws.starts()
    aws.is_seen("STOPPED")
    assert aws.run() == Outcome("failed", None, "STOPPED")


def test_finds_the_execution_of_an_earlier_run() -> None:
    """Lambda returns it for the same name: it succeeded after that run was killed."""
    aws = Lambda(DURABLE)
    aws.starts()
    aws.is_seen("SUCCEEDED", NOW - timedelta(days=3))
    assert aws.run() == Outcome("succeeded")


def test_starts_another_execution_if_those_of_earlier_runs_failed() -> None:
    """A name starts once, so each has its number."""
    aws = Lambda(DURABLE)
    for number in range(2):
        aws.starts(number)
        aws.is_seen("FAILED", NOW - timedelta(hours=1))
    aws.starts(2)
    aws.is_seen("RUNNING")
    aws.is_seen("SUCCEEDED")
    assert aws.run() == Outcome("succeeded")


def test_stops_following_when_the_run_stops() -> None:
    """The execution runs on, and the next run finds it."""
    aws = Lambda(DURABLE)
    aws.starts()
    aws.is_seen("RUNNING")
    aws.stopped.set()
    assert aws.run() is STILL_RUNNING


@pytest.mark.parametrize("code", ["TooManyRequestsException", "ServiceException"])
def test_reads_again_after_an_error_that_passes(code: str) -> None:
    """The execution runs on meanwhile."""
    aws = Lambda(DURABLE)
    aws.starts()
    status = 429 if code == "TooManyRequestsException" else 500
    aws.answers.add_client_error("get_durable_execution", code, http_status_code=status)
    aws.is_seen("SUCCEEDED")
    assert aws.run() == Outcome("succeeded")


def test_says_that_it_may_not_read_executions() -> None:
    """Each further one would be started in vain, so the run stops."""
    aws = Lambda(DURABLE)
    aws.starts()
    aws.answers.add_client_error(
        "get_durable_execution", "AccessDeniedException", "no", http_status_code=403
    )
    outcome = aws.run()
    assert (outcome.status, outcome.reason) == ("failed", "denied")


def test_a_lost_answer_to_a_named_start_is_asked_for_again() -> None:
    """Lambda starts the name once, so nothing runs twice."""
    aws = Lambda(DURABLE)

    def lose(**_given: Any) -> None:
        raise ReadTimeoutError(endpoint_url="https://lambda")

    aws.client.meta.events.register("before-call.lambda.Invoke", lose)
    outcome = aws.invoker(MESSAGE)
    assert (outcome.status, outcome.may_try_again) == ("not-started", True)


def test_does_not_repeat_a_name_with_another_payload() -> None:
    """Lambda refuses it, and would again."""
    aws = Lambda(DURABLE)
    code = "DurableExecutionAlreadyStartedException"
    aws.answers.add_client_error("invoke", code, http_status_code=409)
    outcome = aws.run()
    assert (outcome.status, outcome.reason, outcome.error_type) == ("not-started", "refused", code)


def test_names_fit_and_are_those_of_the_event() -> None:
    """Two deliveries of one event have one name; Lambda takes 64 letters, digits and dashes."""
    again = ReceivedMessage.of({**MESSAGE.message, "MessageId": "another"})
    other = ReceivedMessage.of(messages.message(messages.record('{"another": 1}')))
    assert execution_name(again, 0) == execution_name(MESSAGE, 0)
    assert execution_name(other, 0) != execution_name(MESSAGE, 0)
    assert len(execution_name(MESSAGE, 99)) <= 64


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (FUNCTION, f"{FUNCTION}:$LATEST"),
        (f"{FUNCTION}:$LATEST", f"{FUNCTION}:$LATEST"),
        (f"{FUNCTION}:live", f"{FUNCTION}:live"),
        (f"{FUNCTION}:7", f"{FUNCTION}:7"),
    ],
)
def test_qualifies_a_durable_function(given: str, expected: str) -> None:
    """Lambda rejects an invocation without a qualifier."""
    assert qualified(given) == expected


def test_hands_any_other_event_over() -> None:
    """Lambda has accepted it, and sends its failure to where it did before."""
    aws = Lambda(KEPT)
    metadata = {"ResponseMetadata": {"RequestId": "handed-over"}}
    asked = {"FunctionName": FUNCTION, "InvocationType": "Event", "Payload": PAYLOAD.encode()}
    aws.answers.add_response("invoke", {"StatusCode": 202, **metadata}, asked)
    assert aws.run() is HANDED_OVER
    record = messages.record(PAYLOAD).replace(messages.REQUEST_ID, "handed-over")
    returned = ReceivedMessage.of(messages.message(record))
    assert aws.invoker.started(returned)
    assert not aws.invoker.started(MESSAGE)


def test_keeps_an_event_that_lambda_does_not_accept() -> None:
    """And tries again after a throttle."""
    aws = Lambda(KEPT)
    aws.answers.add_client_error("invoke", "TooManyRequestsException", http_status_code=429)
    outcome = aws.run()
    assert (outcome.status, outcome.may_try_again) == ("not-started", True)


def test_an_event_that_may_have_been_accepted_is_not_handed_over_again() -> None:
    """Without a name, it would run twice."""
    aws = Lambda(KEPT)
    aws.answers.add_client_error("invoke", "ServiceException", http_status_code=500)
    outcome = aws.run()
    assert (outcome.status, outcome.may_try_again) == ("unknown", False)


def test_names_the_tenant() -> None:
    """For functions that isolate tenants."""
    aws = Lambda(DURABLE, "blue")
    aws.starts(TenantId="blue")
    aws.is_seen("SUCCEEDED")
    assert aws.run().succeeded


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (FunctionSettings(3), "without-destination"),
        (FunctionSettings(3, keeps_failures=False), "without-destination"),
        (FunctionSettings(5400, keeps_failures=True), None),
        (DURABLE, None),
    ],
)
def test_hands_over_only_what_cannot_be_lost(
    settings: FunctionSettings, expected: str | None
) -> None:
    """A second failure needs somewhere to go; a durable one is followed."""
    functions = InvokedFunctions(lambda _: settings, asynchronous=True)
    assert functions.refusal(FUNCTION) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"), [(900, None), (901, "too-long"), (31_622_400, "too-long")]
)
def test_waits_for_a_durable_execution_that_ends_in_time(
    seconds: int, expected: str | None
) -> None:
    """A synchronous one ends after 15 minutes."""
    functions = InvokedFunctions(lambda _: FunctionSettings(3, execution_seconds=seconds))
    assert functions.refusal(FUNCTION) == expected


ON_FAILURE = {"DestinationConfig": {"OnFailure": {"Destination": "arn:aws:sns:eu-west-1:1:t"}}}
DEAD_LETTERS = {"DeadLetterConfig": {"TargetArn": "arn:aws:sqs:eu-west-1:1:q"}}


@pytest.mark.parametrize(
    ("configuration", "config", "expected"),
    [
        ({}, ON_FAILURE, True),
        ({}, {"MaximumRetryAttempts": 0}, False),
        ({}, "ResourceNotFoundException", False),
        ({}, "AccessDeniedException", None),
        (DEAD_LETTERS, None, True),
    ],
)
def test_reads_whether_failures_are_kept(
    configuration: dict[str, Any], config: Any, expected: bool | None
) -> None:
    """Of the qualifier that is invoked, or by the function's dead-letter queue."""
    with Stubber(client := lambda_()) as stubber:
        stubber.add_response("get_function_configuration", {"Timeout": 5400, **configuration})
        if isinstance(config, str):
            stubber.add_client_error("get_function_event_invoke_config", config)
        elif config is not None:
            asked = {"FunctionName": FUNCTION, "Qualifier": "live"}
            stubber.add_response("get_function_event_invoke_config", config, asked)
        settings = read_settings(client, f"{FUNCTION}:live", with_destination=True)
        stubber.assert_no_pending_responses()
    assert settings == FunctionSettings(5400, keeps_failures=expected)


def test_reads_how_long_a_durable_execution_may_take() -> None:
    """Its timeout is that of one invocation."""
    answer = {"Timeout": 60, "DurableConfig": {"ExecutionTimeout": 3600}}
    with Stubber(client := lambda_()) as stubber:
        stubber.add_response("get_function_configuration", answer)
        settings = read_settings(client, FUNCTION, with_destination=True)
    assert settings == FunctionSettings(60, execution_seconds=3600)
    assert settings.run_seconds == 3600


def test_accepts_a_boto3_that_knows_durable_executions() -> None:
    """The newest one does."""
    check_asynchronous_support(lambda_())


def test_rejects_a_boto3_that_does_not_know_them(tmp_path: Path) -> None:
    """With the API's model as it was before."""
    model = json.loads(gzip.decompress(MODEL.read_bytes()))
    request = model["operations"]["Invoke"]["input"]["shape"]
    model["shapes"][request]["members"].pop("DurableExecutionName")
    folder = tmp_path / "lambda" / "2015-03-31"
    folder.mkdir(parents=True)
    (folder / "service-2.json").write_text(json.dumps(model))
    session = Session()
    session.get_component("data_loader").search_paths.insert(0, str(tmp_path))
    with pytest.raises(CommandError, match=r"--asynchronous needs a newer boto3, got \d"):
        check_asynchronous_support(lambda_(session))


def test_does_not_invoke_what_lost_its_payload() -> None:
    """Nothing is sent, and the outcome says why."""
    record = messages.record(PAYLOAD).replace(f'"requestPayload": {PAYLOAD}, ', "")
    outcome = Lambda(DURABLE).run(ReceivedMessage.of(messages.message(record)))
    assert (outcome.status, outcome.reason) == ("not-started", "refused")
    assert "payload" in str(outcome.error_message)
