"""Posting to webhooks: what is sent where, and what happens if they do not take it."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from failure_destinations.runtime import webhooks
from failure_destinations.runtime.notice_formats import FORMATS, facts
from failure_destinations.runtime.webhooks import (
    PAGERDUTY_URL,
    WAIT_SECONDS,
    WebhookError,
    WebhookSender,
    post,
    webhooks_in,
)

from ..webhook_sink import Sink, running_sink
from .notices import PLACE, Clock, occurrence

QUEUE_ARN = "arn:aws:sqs:eu-west-1:111122223333:Webhook1Queue"
QUEUE_URL = "https://sqs.eu-west-1.amazonaws.com/111122223333/Webhook1Queue"
SECRET = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:team/slack-AbCdEf"
KEY = "R" * 32


def notice() -> dict[str, Any]:
    """Return the facts of a notice."""
    clock = Clock()
    clock.fail(occurrence())
    return facts(clock.sent[0], PLACE)


@pytest.fixture
def sink() -> Iterator[Sink]:
    """A receiver on loopback."""
    with running_sink() as running:
        yield running


class Lambda:
    """A sender whose AWS answers as a test says."""

    def __init__(self, format: str, url: str | None, *, parameter: bool = False) -> None:
        options: dict[str, Any] = {
            "region_name": "eu-west-1",
            "aws_access_key_id": "x",
            "aws_secret_access_key": "x",
        }
        self.clients = {
            name: boto3.client(name, **options) for name in ("sqs", "secretsmanager", "ssm")
        }
        self.stubs = {name: Stubber(client) for name, client in self.clients.items()}
        for stub in self.stubs.values():
            stub.activate()
        where = {"parameter": "/team/url"} if parameter else {"secret": SECRET}
        settings = {"id": "1", "format": format, "queueUrl": QUEUE_URL, **where}
        self.sender = WebhookSender(
            {QUEUE_ARN: settings},
            self.clients["sqs"],
            self.clients["secretsmanager"],
            self.clients["ssm"],
            allow_loopback=True,
        )
        secrets, ssm = self.stubs["secretsmanager"], self.stubs["ssm"]
        if url is None:
            secrets.add_client_error("get_secret_value", "ResourceNotFoundException")
        elif parameter:
            found = {"Parameter": {"Name": "/team/url", "Value": url}}
            ssm.add_response("get_parameter", found, {"Name": "/team/url", "WithDecryption": True})
        else:
            secrets.add_response("get_secret_value", {"SecretString": url}, {"SecretId": SECRET})

    def finish(self, body: str, received: int = 1, *, hides: int | None = None) -> bool:
        """Deliver a message; expect it to be hidden for some seconds, or not at all."""
        if hides is not None:
            expected = {"QueueUrl": QUEUE_URL, "ReceiptHandle": "r", "VisibilityTimeout": hides}
            self.stubs["sqs"].add_response("change_message_visibility", {}, expected)
        done = self.sender.finish(
            {
                "messageId": "m",
                "receiptHandle": "r",
                "body": body,
                "attributes": {"ApproximateReceiveCount": str(received)},
                "eventSourceARN": QUEUE_ARN,
            }
        )
        for stub in self.stubs.values():
            stub.assert_no_pending_responses()
        return done


@pytest.mark.parametrize("format", ["slack", "teams", "json"])
def test_posts_in_the_webhooks_format(sink: Sink, format: str) -> None:
    """The message's facts become what the receiver documents."""
    said = notice()
    assert Lambda(format, f"{sink.url}/hook?sig=x\n").finish(json.dumps(said))
    assert sink.received == [("/hook?sig=x", FORMATS[format](said))]


def test_pagerduty_gets_its_key_in_the_event(sink: Sink) -> None:
    """The secret may hold another address too, as of PagerDuty in Europe."""
    said = notice()
    assert Lambda("pagerduty", f"{sink.url}/v2/enqueue {KEY}").finish(json.dumps(said))
    assert sink.received == [("/v2/enqueue", {**FORMATS["pagerduty"](said), "routing_key": KEY})]


def test_pagerduty_has_an_address_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a key alone, events go to the one that PagerDuty documents."""
    urls = []

    def post(url: str, _body: bytes, **_more: bool) -> int:
        urls.append(url)
        return 202

    monkeypatch.setattr(webhooks, "post", post)
    assert Lambda("pagerduty", KEY).finish(json.dumps(notice()))
    assert urls == [PAGERDUTY_URL]
    assert PAGERDUTY_URL.startswith("https://")


def test_a_url_may_be_in_a_parameter(sink: Sink) -> None:
    """A SecureString is decrypted."""
    assert Lambda("json", f"{sink.url}/hook", parameter=True).finish(json.dumps(notice()))
    assert len(sink.at("/hook")) == 1


@pytest.mark.parametrize("body", ["fix the mailbox", '{"AlarmName": "Old", "NewStateValue": "OK"}'])
def test_posts_messages_of_others(sink: Sink, body: str) -> None:
    """A watchdog's or an alarm's, which are not notices."""
    assert Lambda("slack", f"{sink.url}/hook").finish(body)
    ((_, posted),) = sink.received
    assert ("fix the mailbox" if body[0] == "f" else "Old") in json.dumps(posted)


@pytest.mark.parametrize("status", [301, 307, 400, 401, 404, 429, 500, 503])
def test_a_webhook_that_refuses_gets_it_again(
    sink: Sink, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """The message stays in its queue, hidden for longer each time; no redirect is followed."""
    sink.statuses["/hook"] = status
    for received, seconds in ((1, 30), (2, 60), (6, 900), (11, 900)):
        sender = Lambda("json", f"{sink.url}/hook")
        assert not sender.finish(json.dumps(notice()), received, hides=seconds)
    assert sink.at("/elsewhere") == []
    assert f"status {status}" in caplog.text
    assert "\x1b" not in caplog.text
    assert sink.url not in caplog.text


def test_waits_longer_each_time() -> None:
    """Up to a quarter of an hour, so that twelve deliveries take about two hours."""
    assert list(WAIT_SECONDS) == sorted(WAIT_SECONDS)
    waits = [WAIT_SECONDS[min(each, len(WAIT_SECONDS)) - 1] for each in range(1, 12)]
    assert 3600 < sum(waits) < 2.5 * 3600


@pytest.mark.parametrize("how", ["hanging", "dripping"])
def test_a_webhook_that_hangs_is_given_up(
    sink: Sink, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it says nothing or a byte now and then."""
    monkeypatch.setattr(webhooks, "_STEP_SECONDS", 0.3)
    monkeypatch.setattr(webhooks, "REQUEST_SECONDS", 0.5)
    getattr(sink, how).add("/hook")
    assert not Lambda("json", f"{sink.url}/hook").finish(json.dumps(notice()), hides=30)


def test_a_webhook_that_is_gone_gets_it_again(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody listens there."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/hook"
    assert not Lambda("json", url).finish(json.dumps(notice()), hides=30)
    assert "ConnectionRefusedError" in caplog.text


def test_a_missing_secret_keeps_the_message(caplog: pytest.LogCaptureFixture) -> None:
    """Once somebody creates it again, the message is sent."""
    assert not Lambda("slack", None).finish(json.dumps(notice()), hides=30)
    assert "ResourceNotFoundException" in caplog.text


@pytest.mark.parametrize(
    "url",
    [
        *("", "hooks.slack.com/x", "http://hooks.slack.com/x", "ftp://hooks.slack.com/x"),
        *("https://", "https:///x", "file:///etc/passwd", "http://127.0.0.1.evil.example/x"),
        *("http://169.254.169.254/latest", "https://[::1", "https://a\nb/x", "https://a:99999/"),
        *("http://127.0.0.1@evil.example/", "javascript:alert(1)"),
    ],
)
def test_rejects_what_is_not_an_https_url(url: str) -> None:
    """Plain HTTP would show the message and the secret; the error does not repeat it."""
    with pytest.raises(WebhookError) as raised:
        post(url, b"{}", allow_loopback=True)
    assert str(raised.value) == "the secret does not hold an https URL"


def test_rejects_plain_http_to_this_machine(sink: Sink) -> None:
    """Unless a test asks for it."""
    with pytest.raises(WebhookError):
        post(f"{sink.url}/hook", b"{}")
    assert sink.received == []


def test_rejects_a_server_that_nobody_vouches_for(sink: Sink) -> None:
    """HTTPS to something that is not."""
    with pytest.raises(WebhookError, match="SSL"):
        post(f"https://127.0.0.1:{sink.server_address[1]}/hook", b"{}")


def test_reads_its_settings_from_the_environment() -> None:
    """One variable for each webhook, beside Lambda's own."""
    settings = {"id": "1 (slack)", "format": "slack", "secret": SECRET, "queueArn": QUEUE_ARN}
    environment = {"WEBHOOK_1": json.dumps(settings), "PATH": "/bin", "AWS_REGION": "eu-west-1"}
    assert webhooks_in(environment) == {QUEUE_ARN: settings}
