"""Replays one failed event: invokes the same function and qualifier with the same payload."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from .batch_response import BatchResult, read_response
from .failed_event import FailedEvent

if TYPE_CHECKING:
    import boto3
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_lambda.type_defs import InvocationRequestTypeDef

Status = Literal["succeeded", "failed", "not-started", "unknown"]
"""`unknown`: the response was lost, so the handler may have run or may still be running."""

Reason = Literal["throttled", "unavailable", "gone", "denied", "refused"]
"""Why a handler was not started. Retry if it is `throttled` or `unavailable`."""

# A synchronous invocation may take 30 minutes.
# https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
SYNCHRONOUS_SECONDS = 1800
READ_TIMEOUT_SECONDS = SYNCHRONOUS_SECONDS + 30
_CONNECT_TIMEOUT_SECONDS = 10

# Errors that Lambda returns before it starts the function. It may return 500 at any time.
# https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html#API_Invoke_Errors
_REASONS: dict[int, Reason] = {
    401: "denied",
    403: "denied",
    404: "gone",
    408: "unavailable",
    409: "unavailable",
    429: "throttled",
    502: "unavailable",
}
_AMBIGUOUS_STATUSES = (410, 500, 503, 504)
_BAD_GATEWAY = 502
# Base64-encoded. Lambda passes it on for synchronous invocations.
# https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
MAX_CLIENT_CONTEXT_BYTES = 3583
# Names and ids of AWS are shorter, but a message may say anything.
_MAX_CONTEXT_VALUE = 100
BATCH_ITEM_FAILURES = "BatchItemFailures"
_NO_CONNECTION = ("EndpointConnectionError", "ConnectTimeoutError", "ProxyConnectionError")


@dataclass(frozen=True)
class Outcome:
    """The outcome of one replay.

    Attributes:
        status: `succeeded`, `failed` (the handler ran and raised, timed out or crashed, or
            reported records of its batch that failed), `not-started` (it did not run) or `unknown`
            (no response: it may have run).
        reason: Why it was not started; None otherwise.
        error_type: The class of the handler's error, or Lambda's error code; `BatchItemFailures` if
            it reported records that failed. None if it succeeded.
        error_message: The error's text; None if it succeeded.
        batch: What its response says about the batch that it got. None if the event is not of a
            stream, of Kafka or of a queue, or the handler did not return.
    """

    status: Status
    reason: Reason | None = None
    error_type: str | None = None
    error_message: str | None = None
    batch: BatchResult | None = None

    @property
    def succeeded(self) -> bool:
        """Whether the handler succeeded, so that the message may be deleted."""
        return self.status == "succeeded"

    @property
    def may_try_again(self) -> bool:
        """Whether the handler did not run and the reason is temporary."""
        return self.reason in ("throttled", "unavailable")


def replay(
    event: FailedEvent,
    client: LambdaClient,
    function: str | None = None,
    *,
    tenant_id: str | None = None,
    run: str = "replay",
    edited: bool = False,
) -> Outcome:
    """Invoke the handler again with the same payload, and wait for it to finish.

    The invocation is synchronous: a second failure is returned here and does not go through the
    failure destination again. A batch succeeds only if the handler's response reports no record of
    it as failed. The handler finds `client_context` in its invocation's context, which no
    asynchronous invocation has.

    Args:
        event: The failed event.
        client: A boto3 client from `lambda_client`.
        function: Name or ARN of the function to invoke instead. Needed for an event from a
            function's dead-letter queue, which does not name it. Default: the function and
            qualifier that failed.
        tenant_id: The tenant to invoke it for, if the function isolates tenants. The event does
            not name it. Default: none.
        run: The name of the run, for the handler.
        edited: Whether the payload is not the one that failed, for the handler.

    Returns:
        The outcome. Lambda and network errors are returned as outcomes, never raised.

    https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
    https://docs.aws.amazon.com/lambda/latest/dg/tenant-isolation-invoke.html
    """
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    if event.obstacle is not None:
        return Outcome("not-started", "refused", "NotReplayable", event.obstacle)
    target = function or event.function
    if target is None:
        return Outcome(
            "not-started", "refused", "NotReplayable", "its message does not name the function"
        )
    request: InvocationRequestTypeDef = {
        "FunctionName": target,
        "InvocationType": "RequestResponse",
        "Payload": event.payload_bytes,
        "ClientContext": client_context(event, run, edited=edited),
    }
    if function is None and event.qualifier is not None:
        request["Qualifier"] = event.qualifier
    if tenant_id is not None:
        request["TenantId"] = tenant_id
    try:
        answer = client.invoke(**request)
        response = answer["Payload"].read()
    except ClientError as error:
        return refused(error.response)
    except BotoCoreError as error:
        return unanswered(error)
    if "FunctionError" not in answer:
        return _answered(event, response)
    kind, text = _error(response)
    return Outcome("failed", None, kind or answer["FunctionError"], text)


def _answered(event: FailedEvent, response: bytes) -> Outcome:
    """Return the outcome of a handler that returned."""
    if event.source not in ("event-source", "queue-dlq"):
        return Outcome("succeeded")
    result = read_response(response, event.payload)
    if result.succeeded:
        return Outcome("succeeded", batch=result)
    return Outcome("failed", None, BATCH_ITEM_FAILURES, result.message, result)


def hand_over(event: FailedEvent, client: LambdaClient) -> Outcome:
    """Have Lambda run the handler again with the same payload, without waiting for it.

    If it fails again, Lambda sends it through the failure destination or dead-letter queue once
    more, with a new request id.

    Args:
        event: The failed event, which names its function.
        client: A boto3 client from `lambda_client`.

    Returns:
        `succeeded` if Lambda has accepted the event. Errors are returned as outcomes.

    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async.html
    """
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    request: InvocationRequestTypeDef = {
        "FunctionName": event.function or "",
        "InvocationType": "Event",
        "Payload": event.payload_bytes,
    }
    if event.qualifier is not None:
        request["Qualifier"] = event.qualifier
    try:
        client.invoke(**request)
    except ClientError as error:
        return refused(error.response)
    except BotoCoreError as error:
        return unanswered(error)
    return Outcome("succeeded")


def client_context(event: FailedEvent, run: str, *, edited: bool = False) -> str:
    """Return what lets a handler see that it replays an event, base64-encoded.

    In Python, the handler finds it as `context.client_context.custom`:
    `failure_destinations_replay` is the name of the run, `failure_destinations_request_id` the
    request id of the invocation that failed, if known, and `failure_destinations_edited` is `true`
    if the payload was edited.

    Every value is a string: runtimes with static types, such as Java's and Go's, reject others.

    Args:
        event: The failed event.
        run: The name of the run.
        edited: Whether the payload is not the one that failed.

    https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
    """
    custom = {"failure_destinations_replay": run[:_MAX_CONTEXT_VALUE]}
    if event.request_id is not None and len(event.request_id) <= _MAX_CONTEXT_VALUE:
        custom["failure_destinations_request_id"] = event.request_id
    if edited:
        custom["failure_destinations_edited"] = "true"
    # It fits even if each character is escaped as a surrogate pair.
    return base64.b64encode(json.dumps({"custom": custom}).encode()).decode()


def lambda_client(
    session: boto3.Session | None = None,
    *,
    connections: int = 10,
    read_timeout: float = READ_TIMEOUT_SECONDS,
    **arguments: Any,
) -> LambdaClient:
    """Return a Lambda client that never starts a handler twice for one call.

    It never retries a request, because the handler may still be running after a lost response.

    Args:
        session: A `boto3.Session`. Default: a new one.
        connections: The number of threads that use it at once. Default: 10.
        read_timeout: The number of seconds to wait for a response. Default: 1,830, longer than
            any synchronous invocation takes.
        **arguments: For `boto3.Session.client`, such as `endpoint_url`; not `config`.
    """
    import boto3  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415

    config = Config(
        connect_timeout=_CONNECT_TIMEOUT_SECONDS,
        read_timeout=read_timeout,
        retries={"mode": "standard", "total_max_attempts": 1},
        tcp_keepalive=True,
        max_pool_connections=connections,
    )
    return (session or boto3.Session()).client("lambda", config=config, **arguments)


def refused(response: Mapping[str, Any]) -> Outcome:
    """Return the outcome of an invocation that Lambda answered with an error.

    Args:
        response: The `response` of boto3's `ClientError`.
    """
    error = response.get("Error", {})
    code = str(error.get("Code", "Unknown"))
    message = str(error.get("Message", "")) or None
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    # A proxy's 502 does not have one of Lambda's error codes.
    if status in _AMBIGUOUS_STATUSES or (status == _BAD_GATEWAY and not code.endswith("Exception")):
        return Outcome("unknown", None, code, message)
    return Outcome("not-started", _REASONS.get(status, "refused"), code, message)


def unanswered(error: Exception) -> Outcome:
    """Return the outcome of an invocation that Lambda did not answer.

    Args:
        error: A `BotoCoreError`.
    """
    from botocore import exceptions  # noqa: PLC0415

    kind = type(error).__name__
    text = " ".join(str(error).split())
    if kind in _NO_CONNECTION:
        return Outcome("not-started", "unavailable", kind, text)
    if isinstance(
        error,
        (exceptions.ConnectionError, exceptions.HTTPClientError, exceptions.IncompleteReadError),
    ):
        return Outcome("unknown", None, kind, text)
    # These are raised before anything is sent.
    credentials = any(word in kind for word in ("Credential", "Token", "SSO"))
    return Outcome("not-started", "denied" if credentials else "refused", kind, text)


def _error(response: bytes) -> tuple[str | None, str | None]:
    """Return the type and message of the error in a runtime's response."""
    try:
        error = json.loads(response)
    except (ValueError, RecursionError):
        error = None
    if not isinstance(error, dict):
        return None, response.decode(errors="replace") or None
    kind, text = error.get("errorType"), error.get("errorMessage")
    return (None if kind is None else str(kind)), (None if text is None else str(text))
