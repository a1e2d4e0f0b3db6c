"""What a test can see of a running engine: messages, mails, runs and logs."""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from .errors import LocalCloudError

_POLL_SECONDS = 0.2
_START_LINE = re.compile(r"^START RequestId: (\S+)", re.MULTILINE)

Seen = TypeVar("Seen", bound="Sequence[object] | Mapping[str, int]")


@dataclass(frozen=True)
class Message:
    """A message in a queue.

    Attributes:
        message_id: What the queue calls it.
        body: Its text.
        attributes: What the queue noted, such as `SentTimestamp` and `ApproximateReceiveCount`.
        message_attributes: The text of each message attribute that the sender set.
    """

    message_id: str
    body: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    message_attributes: Mapping[str, str] = field(default_factory=dict)

    def json(self) -> Any:
        """Returns the body as the JSON value it holds."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Mail:
    """An e-mail that the engine would have sent.

    Attributes:
        to: The address.
        subject: The subject; empty where the engine does not keep it.
        body: The text.
    """

    to: str
    subject: str
    body: str


def text_attributes(attributes: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Returns the texts of message attributes in the form that SQS writes them.

    Args:
        attributes: What SQS returns as `MessageAttributes`.
    """
    return {name: str(value.get("StringValue", "")) for name, value in attributes.items()}


def fetch_json(
    url: str,
    *,
    body: object = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = 30,
) -> Any:
    """Returns what an engine's own page answers.

    Args:
        url: The page on 127.0.0.1.
        body: What to post, as JSON. Default: it is a GET.
        headers: Headers to send.
        timeout: Seconds to wait for it.
    """
    # A proxy in the environment must not get between us and this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, dict(headers or {}))  # noqa: S310
    with opener.open(request, timeout=timeout) as answer:
        return json.load(answer)


def wait_for(look: Callable[[], Seen], enough: Callable[[Seen], bool], timeout: float) -> Seen:
    """Looks until there is enough to see or the time is over, and returns the last look.

    Args:
        look: Returns what there is now.
        enough: Whether that is all that was waited for.
        timeout: Seconds.
    """
    deadline = time.monotonic() + timeout
    while True:
        started = time.monotonic()
        seen = look()
        now = time.monotonic()
        if enough(seen) or now >= deadline:
            return seen
        # Looks at a queue of thousands must not keep the engine from its work.
        time.sleep(max(_POLL_SECONDS, now - started))


def missing(what: str, expected: int, found: Sequence[object], timeout: float) -> LocalCloudError:
    """Returns the error that names what was found when time was over.

    Args:
        what: What was waited for and where.
        expected: How many of it.
        found: What there was.
        timeout: The seconds waited.
    """
    listing = "".join(f"\n  {str(item)[:300]}" for item in found)
    return LocalCloudError(
        f"expected {expected} {what} within {timeout:g} seconds, found {len(found)}"
        f"; wait longer with timeout=, or look at logs() of the function{listing}"
    )


def log_groups(lambda_client: Any, function_name: str) -> list[str]:
    """Returns the log groups that a function may write to: its own, and the one it has by default.

    localemu writes to the latter, whatever the function is configured to.

    Args:
        lambda_client: A boto3 client.
        function_name: The function's name or ARN.
    """
    configuration = lambda_client.get_function_configuration(FunctionName=function_name)
    logging: Mapping[str, str] = configuration.get("LoggingConfig", {})
    default = f"/aws/lambda/{configuration['FunctionName']}"
    return list(dict.fromkeys([logging.get("LogGroup") or default, default]))


def log_text(logs_client: Any, group: str) -> str:
    """Returns all that is in a log group, oldest line first; nothing if there is no such group.

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
    """Counts the runs in a function's log by their request id.

    Args:
        text: The log.
    """
    return dict(Counter(_START_LINE.findall(text)))
