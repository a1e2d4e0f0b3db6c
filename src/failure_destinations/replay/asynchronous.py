"""Gives events to Lambda asynchronously, for handlers that run longer than Lambda lets one wait.

A durable execution is started by a name that is made of the event, and followed to its end: Lambda
starts a name once and afterwards returns the same execution. Any other event is handed over: if its
handler fails again, Lambda sends it through the failure destination once more.
https://docs.aws.amazon.com/lambda/latest/dg/durable-execution-idempotency.html
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from failure_destinations.deployed.aws_errors import is_access_denied, is_throttled
from failure_destinations.deployed.function_names import function_parts, without_latest
from failure_destinations.deployed.session import Aws
from failure_destinations.errors import CommandError, aws_message
from failure_destinations.runtime import FailedEvent, Outcome
from failure_destinations.runtime.replay import refused, unanswered

from .invoked_functions import InvokedFunctions
from .received_message import ReceivedMessage
from .selection import Selection

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_lambda.type_defs import GetDurableExecutionResponseTypeDef

HANDED_OVER = Outcome("succeeded")
"""Lambda has the event in its own queue: whether its handler succeeds is not known."""

STILL_RUNNING = Outcome("unknown", None, "StillRunning", "its execution has not ended yet")
"""The execution was not followed to its end; the next run finds it by its name."""

# SQS hides a message for 12 hours at most.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html
_FOLLOW_SECONDS = 11 * 3600
_MIN_PAUSE_SECONDS = 1.0
_MAX_PAUSE_SECONDS = 30.0
# Names are tried in turn: each failed execution keeps its own as long as Lambda keeps its history.
_MAX_EXECUTIONS = 100
# Lambda dates a response to the second, and this tolerates a request that took long.
_TOLERANCE = timedelta(seconds=60)
_READ_TIMEOUT_SECONDS = 60.0
_RUNNING = ("RUNNING", "PAUSING", "PAUSED")


def check_asynchronous_support(client: LambdaClient) -> None:
    """Raise CommandError if the installed boto3 cannot start and follow durable executions.

    Args:
        client: A boto3 client of Lambda.
    """
    import boto3  # noqa: PLC0415 - start-up time

    request = client.meta.service_model.operation_model("Invoke").input_shape
    if (
        request is None
        or "DurableExecutionName" not in request.members
        or not hasattr(client, "get_durable_execution")
    ):
        raise CommandError(
            f"--asynchronous needs a newer boto3, got {boto3.__version__}, whose Invoke has no "
            "DurableExecutionName: pip install --upgrade boto3"
        )


class AsynchronousInvoker:
    """Gives the event of one message to Lambda at a time, in each of several threads.

    Args:
        client: A boto3 client of Lambda that never retries, because an event that is handed over
            twice runs twice.
        selection: Decides which function an event goes to.
        functions: The functions' settings.
        stopped: Ends the following of executions.
        first_pause_seconds: How long to wait before an execution's state is read again; each
            further wait is longer, up to 30 seconds.
    """

    def __init__(
        self,
        client: LambdaClient,
        selection: Selection,
        functions: InvokedFunctions,
        stopped: threading.Event,
        *,
        first_pause_seconds: float = _MIN_PAUSE_SECONDS,
    ) -> None:
        self._client = client
        self._selection = selection
        self._functions = functions
        self._stopped = stopped
        self._first_pause_seconds = first_pause_seconds
        # One small entry for each event of the run.
        self._request_ids: set[str] = set()

    @classmethod
    def of(
        cls,
        aws: Aws,
        selection: Selection,
        functions: InvokedFunctions,
        stopped: threading.Event,
        connections: int,
    ) -> AsynchronousInvoker:
        """Return one for an account and Region.

        Args:
            aws: The account and Region of the functions.
            selection: As for the class.
            functions: As for the class.
            stopped: As for the class.
            connections: The number of threads that use it at once.
        """
        client = aws.lambda_client(connections=connections, read_timeout=_READ_TIMEOUT_SECONDS)
        return cls(client, selection, functions, stopped)

    def started(self, message: ReceivedMessage) -> bool:
        """Return whether a message is the failure of an event that this invoker handed over."""
        event = message.event
        return event is not None and event.request_id in self._request_ids

    def __call__(self, message: ReceivedMessage) -> Outcome:
        """Give an event to Lambda, and return its outcome."""
        event = message.event
        function = None if event is None else self._selection.destination(event)
        if event is None or function is None or event.obstacle is not None:
            why = None if event is None else event.obstacle
            why = why or "its message does not name the function"
            return Outcome("not-started", "refused", "NotReplayable", why)
        if event.source == "queue-dlq":
            why = "its function may name it as failed in an answer that nobody gets: leave out "
            return Outcome("not-started", "refused", "NotReplayable", f"{why}--asynchronous")
        if self._functions.settings(function).is_durable:
            return self._run_durable(message, event, qualified(function))
        answer = self._invoke(event, function)
        return answer if isinstance(answer, Outcome) else HANDED_OVER

    def _invoke(
        self, event: FailedEvent, function: str, name: str | None = None
    ) -> Mapping[str, Any] | Outcome:
        """Return Lambda's answer to an asynchronous invocation, or why it was not accepted."""
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - start-up time

        request: dict[str, Any] = {
            "FunctionName": function,
            "InvocationType": "Event",
            "Payload": event.payload_bytes,
        }
        if name is not None:
            request["DurableExecutionName"] = name
        if self._functions.tenant_id is not None:
            request["TenantId"] = self._functions.tenant_id
        invoke: Any = self._client.invoke
        try:
            answer: Mapping[str, Any] = invoke(**request)
        except ClientError as error:
            return refused(error.response)
        except BotoCoreError as error:
            return unanswered(error)
        self._request_ids.add(str(answer["ResponseMetadata"].get("RequestId")))
        return answer

    def _run_durable(self, message: ReceivedMessage, event: FailedEvent, function: str) -> Outcome:
        for number in range(_MAX_EXECUTIONS):
            answer = self._invoke(event, function, execution_name(message, number))
            if isinstance(answer, Outcome):
                return _of_named_start(answer)
            arn = answer.get("DurableExecutionArn")
            if arn is None:
                text = "Lambda did not say which execution it started"
                return Outcome("unknown", None, "NoDurableExecution", text)
            execution = self._follow(arn)
            if isinstance(execution, Outcome):
                return execution
            if execution["Status"] == "SUCCEEDED":
                return Outcome("succeeded")
            if not _ended_before(execution, answer):
                return _failure(execution)
            # An earlier run started it, and it failed: this run starts another one.
        text = f"{_MAX_EXECUTIONS} executions of it failed, which is as many as this command counts"
        return Outcome("not-started", "refused", "TooManyExecutions", text)

    def _follow(self, arn: str) -> GetDurableExecutionResponseTypeDef | Outcome:
        """Return an execution once it has ended, or the outcome if that cannot be seen."""
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - start-up time

        pause, until = self._first_pause_seconds, time.monotonic() + _FOLLOW_SECONDS
        while True:
            try:
                execution = self._client.get_durable_execution(DurableExecutionArn=arn)
            except ClientError as error:
                if is_access_denied(error):
                    # The next run finds the execution, however long this one would wait.
                    return Outcome("failed", "denied", "AccessDenied", aws_message(error))
                if not is_throttled(error) and _is_clients_fault(error.response):
                    return Outcome("failed", None, "NotFollowed", aws_message(error))
            except BotoCoreError:
                # The execution runs on.
                pass
            else:
                if execution["Status"] not in _RUNNING:
                    return execution
            if self._stopped.wait(pause) or time.monotonic() > until:
                return STILL_RUNNING
            pause = min(pause * 1.5, _MAX_PAUSE_SECONDS)


def execution_name(message: ReceivedMessage, number: int) -> str:
    """Return the name by which Lambda starts a durable execution of an event once.

    It is the same for all deliveries of the event, and has at most 64 characters.

    Args:
        message: A delivery of the event.
        number: How many of its executions failed before.
    """
    return f"replay-{message.key.hex()}-{number}"


def qualified(function_arn: str) -> str:
    """Return the ARN with which Lambda lets a durable function be invoked.

    Args:
        function_arn: The function's ARN, with or without a qualifier.
    """
    parts = function_parts(function_arn)
    is_latest = parts is not None and parts.qualifier is None
    return f"{without_latest(function_arn)}:$LATEST" if is_latest else function_arn


def _of_named_start(outcome: Outcome) -> Outcome:
    """Return the outcome of a start that did not succeed; a named start may be repeated."""
    code, text = outcome.error_type, outcome.error_message
    if outcome.status == "unknown":
        return Outcome("not-started", "unavailable", code, text)
    if code == "DurableExecutionAlreadyStartedException":
        return Outcome("not-started", "refused", code, text)
    return outcome


def _ended_before(execution: GetDurableExecutionResponseTypeDef, answer: Mapping[str, Any]) -> bool:
    """Return whether an execution was started well before Lambda answered the invocation."""
    date = answer["ResponseMetadata"].get("HTTPHeaders", {}).get("date")
    now = datetime.now(timezone.utc) if date is None else parsedate_to_datetime(date)
    return execution["StartTimestamp"] < now - _TOLERANCE


def _failure(execution: GetDurableExecutionResponseTypeDef) -> Outcome:
    error = execution.get("Error", {})
    kind = error.get("ErrorType") or execution["Status"]
    return Outcome("failed", None, kind, error.get("ErrorMessage") or None)


def _is_clients_fault(response: Mapping[str, Any]) -> bool:
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
    return 400 <= int(status) < 500  # noqa: PLR2004 - HTTP's own classes
