"""The Lambda handler that sends a notifier's messages to webhooks.

Each webhook has a queue of its own, which is subscribed to the notifier's topic. A message that a
webhook does not take is delivered again after a while, longer each time, and goes to the
dead-letter queue in the end.
"""

from __future__ import annotations

import functools
import http.client
import json
import logging
import os
import ssl
import time
import urllib.parse
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .notice_formats import FORMATS, of_text

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

PAGERDUTY_URL = "https://events.pagerduty.com/v2/enqueue"
# The time for one request in all, and for each step of it.
REQUEST_SECONDS = 10
_STEP_SECONDS = 5
_MAX_ANSWER_BYTES = 4096
# Waits before the second, third, … delivery; the last one again for each further one.
WAIT_SECONDS = (30, 60, 120, 300, 600, 900)
_LOOPBACK = ("127.0.0.1", "localhost", "::1")

_log = logging.getLogger(__name__)
_log.setLevel(logging.INFO)


class WebhookError(Exception):
    """A webhook did not take a message, or is not configured: the message is delivered again.

    Its text never holds the URL, which is a secret.
    """


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Send the records of an SQS event, and return those that Lambda must leave in the queue.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
    """
    sender = default_sender()
    left = [record["messageId"] for record in event["Records"] if not sender.finish(record)]
    return {"batchItemFailures": [{"itemIdentifier": id} for id in left]}


class WebhookSender:
    """Sends messages to webhooks.

    Args:
        webhooks: By the ARN of its queue: a webhook's `id` for the log, its `format`, the
            `queueUrl`, and the `secret` or `parameter` that holds its URL.
        sqs: A boto3 client of SQS.
        secrets_manager: A boto3 client of Secrets Manager.
        ssm: A boto3 client of Systems Manager.
        allow_loopback: Whether plain HTTP to this machine is allowed, for tests.
    """

    def __init__(
        self,
        webhooks: Mapping[str, Mapping[str, str]],
        sqs: SQSClient,
        secrets_manager: Any,
        ssm: Any,
        *,
        allow_loopback: bool = False,
    ) -> None:
        self._webhooks = webhooks
        self._sqs = sqs
        self._secrets_manager = secrets_manager
        self._ssm = ssm
        self._allow_loopback = allow_loopback

    def finish(self, record: Mapping[str, Any]) -> bool:
        """Send one record, and return whether its message may be deleted."""
        arn = str(record["eventSourceARN"])
        received = int(record["attributes"].get("ApproximateReceiveCount", 1))
        webhook = self._webhooks[arn]
        try:
            status = self._send(webhook, str(record["body"]))
        except Exception as error:
            # Neither the URL nor what it was made of is logged.
            reason = str(error) if isinstance(error, WebhookError) else type(error).__name__
            _log.error(
                "%s", json.dumps({"webhook": webhook["id"], "received": received, "error": reason})
            )
            self._sqs.change_message_visibility(
                QueueUrl=webhook["queueUrl"],
                ReceiptHandle=record["receiptHandle"],
                VisibilityTimeout=WAIT_SECONDS[min(received, len(WAIT_SECONDS)) - 1],
            )
            return False
        _log.info("%s", json.dumps({"webhook": webhook["id"], "status": status}))
        return True

    def _send(self, webhook: Mapping[str, str], message: str) -> int:
        url, key = _target(webhook["format"], self._secret(webhook))
        body = FORMATS[webhook["format"]](_facts(message))
        if key is not None:
            body["routing_key"] = key
        return post(url, json.dumps(body).encode(), allow_loopback=self._allow_loopback)

    def _secret(self, webhook: Mapping[str, str]) -> str:
        if "parameter" in webhook:
            answer = self._ssm.get_parameter(Name=webhook["parameter"], WithDecryption=True)
            return str(answer["Parameter"]["Value"])
        secret = self._secrets_manager.get_secret_value(SecretId=webhook["secret"])
        value = secret.get("SecretString")
        if value is None:
            raise WebhookError("the secret is not text")
        return str(value)


def _facts(message: str) -> dict[str, Any]:
    """Return the facts of a notice, or of another message to the topic, such as an alarm."""
    try:
        value = json.loads(message)
    except (ValueError, RecursionError):
        return of_text(message)
    if isinstance(value, dict) and value.get("version") == 1 and "headline" in value:
        return value
    if isinstance(value, dict) and "AlarmName" in value:
        parts = (value.get(name) for name in ("AlarmName", "AlarmDescription", "NewStateReason"))
        state = value.get("NewStateValue", "ALARM")
        return of_text("\n".join((str(state), *(str(part) for part in parts if part))))
    return of_text(message)


def _target(format: str, secret: str) -> tuple[str, str | None]:
    """Return the URL, and PagerDuty's routing key."""
    secret = secret.strip()
    if format != "pagerduty":
        return secret, None
    # A key alone, or a URL and a key: of PagerDuty in Europe, for example.
    url, _, key = secret.rpartition(" ")
    return url.strip() or PAGERDUTY_URL, key


def post(url: str, body: bytes, *, allow_loopback: bool = False) -> int:
    """Send JSON to a URL within `REQUEST_SECONDS`, and return the status, which is 2xx.

    Redirects are not followed: the URL is a secret, and so is the message.

    Args:
        url: An HTTPS URL.
        body: The JSON.
        allow_loopback: Whether plain HTTP to this machine is allowed, for tests.

    Raises:
        WebhookError: The URL is not one, or the answer is not 2xx, or too late.
    """
    try:
        parts = urllib.parse.urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urllib.parse.urlsplit("")
    is_local = allow_loopback and parts.scheme == "http" and host in _LOOPBACK
    if not host or not (parts.scheme == "https" or is_local) or not url.isprintable():
        raise WebhookError("the secret does not hold an https URL")
    started = time.monotonic()
    if is_local:
        connection = http.client.HTTPConnection(host, port, timeout=_STEP_SECONDS)
    else:
        connection = http.client.HTTPSConnection(
            host, port, timeout=_STEP_SECONDS, context=ssl.create_default_context()
        )
    path = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
    headers = {"Content-Type": "application/json", "User-Agent": "failure-destinations"}
    try:
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        said = _read(answer.read1, started)
    except (OSError, http.client.HTTPException) as error:
        raise WebhookError(
            f"{type(error).__name__} after {time.monotonic() - started:.0f} s"
        ) from None
    finally:
        connection.close()
    if not 200 <= answer.status < 300:  # noqa: PLR2004
        words = "".join(char if char.isprintable() else " " for char in said)
        raise WebhookError(f"status {answer.status}: {words[:200]}")
    return answer.status


def _read(read: Callable[[int], bytes], started: float) -> str:
    """Read the beginning of an answer, and give up on one that comes too slowly."""
    said = b""
    while len(said) < _MAX_ANSWER_BYTES and (part := read(_MAX_ANSWER_BYTES)):
        said += part
        if time.monotonic() - started > REQUEST_SECONDS:
            raise TimeoutError
    return said.decode(errors="replace")


def webhooks_in(environment: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return the webhooks of environment variables, by the ARN of their queues.

    Each has a variable of its own, because its value has tokens, which CloudFormation resolves.
    """
    found = [json.loads(environment[name]) for name in environment if name.startswith("WEBHOOK_")]
    return {webhook["queueArn"]: webhook for webhook in found}


@functools.cache
def default_sender() -> WebhookSender:
    """Return the sender of this process, configured by the function's environment variables."""
    import boto3  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415

    session = boto3.Session()
    short = Config(
        connect_timeout=2, read_timeout=4, retries={"mode": "standard", "total_max_attempts": 2}
    )
    webhooks = webhooks_in(os.environ)
    return WebhookSender(
        webhooks,
        session.client("sqs", config=short),
        session.client("secretsmanager", config=short),
        session.client("ssm", config=short),
        allow_loopback=os.environ.get("ALLOW_LOOPBACK") == "yes",
    )
