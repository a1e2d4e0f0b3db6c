"""A test's view of a running engine: messages, e-mails, runs and logs."""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from .errors import LocalCloudError

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient

_POLL_SECONDS = 0.2
_START_LINE = re.compile(r"^START RequestId: (\S+)", re.MULTILINE)

Seen = TypeVar("Seen", bound="Sequence[object] | Mapping[str, int]")


@dataclass(frozen=True)
class Message:
    """A message in a queue.

    Attributes:
        message_id: The id that SQS assigned.
        body: Its text.
        attributes: The attributes that SQS set, such as `SentTimestamp` and
            `ApproximateReceiveCount`.
        message_attributes: The text of each message attribute that the sender set.
    """

    message_id: str
    body: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    message_attributes: Mapping[str, str] = field(default_factory=dict)

    def json(self) -> Any:
        """Return the parsed JSON of the body."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Mail:
    """An e-mail that the engine would have sent.

    Attributes:
        to: The address.
        subject: The subject; empty if the engine does not keep it.
        body: The text.
    """

    to: str
    subject: str
    body: str


def text_attributes(attributes: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return the text values of message attributes by name.

    Args:
        attributes: The `MessageAttributes` of a message from SQS.
    """
    return {name: str(value.get("StringValue", "")) for name, value in attributes.items()}


def fetch_json(
    url: str,
    *,
    body: object = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = 30,
) -> Any:
    """Return the JSON response of an engine's page.

    Args:
        url: The page on 127.0.0.1.
        body: The value to post as JSON. Default: send a GET request.
        headers: Headers to send.
        timeout: Seconds to wait for the response.
    """
    # Requests to this machine must not go through a proxy from the environment.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, dict(headers or {}))  # noqa: S310
    with opener.open(request, timeout=timeout) as answer:
        return json.load(answer)


def wait_for(look: Callable[[], Seen], enough: Callable[[Seen], bool], timeout: float) -> Seen:
    """Poll until there is enough or the timeout ends, and return the latest result.

    Args:
        look: Returns the current result.
        enough: Returns whether a result is enough.
        timeout: Seconds to poll.
    """
    deadline = time.monotonic() + timeout
    while True:
        started = time.monotonic()
        seen = look()
        now = time.monotonic()
        if enough(seen) or now >= deadline:
            return seen
        # Polling a queue of thousands of messages must not slow down the engine.
        time.sleep(max(_POLL_SECONDS, now - started))


def missing(what: str, expected: int, found: Sequence[object], timeout: float) -> LocalCloudError:
    """Return the error for a timeout, with the items that were found.

    Args:
        what: The items that the test waited for, and where.
        expected: The number of items that it waited for.
        found: The items that it found.
        timeout: The number of seconds that it waited.
    """
    listing = "".join(f"\n  {str(item)[:300]}" for item in found)
    return LocalCloudError(
        f"expected {expected} {what} within {timeout:g} seconds, found {len(found)}"
        f"; wait longer with timeout=, or check the function's logs(){listing}"
    )


def log_groups(lambda_client: LambdaClient, function_name: str) -> list[str]:
    """Return the log groups that a function may write to: the configured one and the default one.

    localemu writes to the default one, whatever the function's configuration says.

    Args:
        lambda_client: A boto3 client.
        function_name: The function's name or ARN.
    """
    configuration = lambda_client.get_function_configuration(FunctionName=function_name)
    default = f"/aws/lambda/{configuration['FunctionName']}"
    own = configuration.get("LoggingConfig", {}).get("LogGroup") or default
    return list(dict.fromkeys([own, default]))


def log_text(logs_client: CloudWatchLogsClient, group: str) -> str:
    """Return the text of a log group, oldest line first; empty if it does not exist.

    Args:
        logs_client: A boto3 client.
        group: The log group's name.
    """
    pages = logs_client.get_paginator("filter_log_events").paginate(logGroupName=group)
    try:
        events = [event for page in pages for event in page["events"]]
    except logs_client.exceptions.ResourceNotFoundException:
        return ""
    events.sort(key=lambda event: event["timestamp"])
    return "".join(event["message"].rstrip("\n") + "\n" for event in events)


def count_runs(text: str) -> dict[str, int]:
    """Return the number of runs in a function's log, by request id.

    Args:
        text: The log.
    """
    return dict(Counter(_START_LINE.findall(text)))
