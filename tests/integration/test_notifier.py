"""FailureNotifier deployed to an engine: what people get when real handlers fail."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import jsonschema
import pytest
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_ssm as ssm

from failure_destinations import FailureChannel, FailureNotifier, Webhook
from failure_destinations.testing import LocalCloud

from ..runtime.notices import record
from ..runtime.webhook_schemas import SCHEMAS
from ..waiting import PATIENCE, eventually
from ..webhook_sink import Sink, running_sink
from .notifier_bench import failures_in

pytestmark = pytest.mark.integration

# Each fails in its own way, with ids in its message.
PYTHON = """
import json, os, signal, time, uuid

def missing(id): {}[id]
def number(id): int("x" + id)
def attribute(id): id.total
def module(id): import orders_of_nobody
def file(id): open(f"/tmp/{id}")
def parse(id): json.loads('{"order": x' + id)
def stock(id): raise ValueError(f"no stock for order {id}")
def mail(id): raise ValueError(f"mail to {id}@example.com bounced")
def timeout(id): time.sleep(30)
def killed(id): os.kill(os.getpid(), signal.SIGKILL)

def handler(event, context):
    globals()[event["kind"]](str(uuid.uuid4()))
"""
NODE = """
exports.handler = async (event) => {
  const id = crypto.randomUUID();
  if (event.kind === "undefined") return event.order.lines[id];
  throw new RangeError(`order ${id} has no lines`);
};
"""
KINDS = {
    "python": [
        *("missing", "number", "attribute", "module", "file"),
        *("parse", "stock", "mail", "timeout", "killed"),
    ],
    "node": ["undefined", "range"],
}
TIMES = 3
TWELVE = Path(__file__).parent / "mails" / "twelve.txt"
EVERY_SECONDS = 60
STORM = 10_000


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    """A receiver of webhooks on loopback."""
    with running_sink() as running:
        yield running


@pytest.fixture(scope="module")
def outputs(localemu: LocalCloud, sink: Sink) -> dict[str, str]:
    """Deploy two handlers on a channel with a notifier, and return the stack's outputs."""
    secrets = localemu.client("secretsmanager")
    values = {name: f"{sink.url}/{name}" for name in ("slack", "teams")}
    values["pagerduty"] = f"{sink.url}/pagerduty {'R' * 32}"
    arns = {
        name: secrets.create_secret(Name=f"notifier/{name}", SecretString=value)["ARN"]
        for name, value in values.items()
    }
    localemu.client("ssm").put_parameter(
        Name="/notifier/json", Value=f"{sink.url}/json", Type="SecureString"
    )
    app = cdk.App()
    stack = cdk.Stack(app, "Notified")
    channel = FailureChannel(stack, "Failures", keep_copies=False)
    for name, runtime, code in (
        ("python", lambda_.Runtime.PYTHON_3_14, PYTHON),
        ("node", lambda_.Runtime.NODEJS_22_X, NODE),
    ):
        function = lambda_.Function(
            stack,
            name,
            function_name=f"notified-{name}",
            runtime=runtime,
            handler="index.handler",
            code=lambda_.Code.from_inline(code),
            timeout=cdk.Duration.seconds(4),
        )
        channel.notify_failures_of(function, retries=0)
    notifier = FailureNotifier(
        stack,
        "Notifier",
        channel=channel,
        emails=["team@example.com"],
        every=cdk.Duration.seconds(EVERY_SECONDS),
    )
    queues = {
        name: notifier.add_webhook(
            Webhook(name, secretsmanager.Secret.from_secret_complete_arn(stack, name, arn))
        )
        for name, arn in arns.items()
    }
    parameter = ssm.StringParameter.from_secure_string_parameter_attributes(
        stack, "json", parameter_name="/notifier/json"
    )
    notifier.add_webhook(Webhook.json(parameter))
    assert notifier.webhook_function is not None
    notifier.webhook_function.add_environment("ALLOW_LOOPBACK", "yes")
    for name, value in {
        "ChannelTopic": channel.topic.topic_arn,
        "QueueUrl": channel.queue.queue_url,
        "NoticeQueueUrl": notifier.queue.queue_url,
        "DeadLetterQueueUrl": notifier.dead_letter_queue.queue_url,
        "SlackQueueUrl": queues["slack"].queue_url,
        "Topic": notifier.topic.topic_arn,
    }.items():
        cdk.CfnOutput(stack, name, value=value)
    return localemu.deploy(app)["Notified"]


def wait_for_notices(
    sink: Sink, seen: Callable[[list[dict[str, Any]]], bool], seconds: float = PATIENCE
) -> list[dict[str, Any]]:
    """Wait until what the webhook for plain JSON got is enough."""
    notices: list[dict[str, Any]] = eventually(lambda: sink.at("/json"), seen, timeout=seconds)
    return notices


@pytest.fixture(scope="module")
def twelve(localemu: LocalCloud, outputs: dict[str, str], sink: Sink) -> list[dict[str, Any]]:
    """Let every handler fail three times in each of its ways, and return the notices."""
    assert outputs
    for _ in range(TIMES):
        for name, kinds in KINDS.items():
            for kind in kinds:
                localemu.invoke(f"notified-{name}", {"kind": kind})
    return wait_for_notices(sink, lambda seen: failures_in(seen) >= 12 * TIMES)


def test_twelve_errors_are_twelve_groups(twelve: list[dict[str, Any]]) -> None:
    """Of real handlers, with ids in the messages: not thirty-six, and not one."""
    totals = {group["id"]: group["total"] for notice in twelve for group in notice["groups"]}
    assert totals == dict.fromkeys(totals, TIMES)
    assert len(totals) == 12


def test_the_mails_say_so(localemu: LocalCloud, twelve: list[dict[str, Any]]) -> None:
    """Each group as tests/integration/mails/twelve.txt shows it, without ids and times."""
    mails = eventually(lambda: localemu.mails(count=0), lambda seen: len(_of(seen)) >= len(twelve))
    blocks: dict[str, str] = {}
    for mail in _of(mails):
        for block in re.split(r"\n\n(?=\d+\. )|\n\nQueue:", mail.body)[1:]:
            if block[0].isdigit():
                scrubbed = scrub(block)
                blocks[scrubbed.partition("failures")[0]] = scrubbed
    assert TWELVE.read_text() == "\n\n".join(sorted(blocks.values())) + "\n"


def _of(mails: Any) -> list[Any]:
    return [mail for mail in mails if "notified-" in mail.body]


def scrub(block: str) -> str:
    """Remove from a mail's text what differs each time."""
    block = re.sub(r"^\d+\. ", "", block)
    block = re.sub(r"  \(new\)", "", block)
    block = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "<uuid>", block)
    block = re.sub(r"\d+ \w{3} \d\d:\d\d:\d\d UTC", "<time>", block)
    block = re.sub(r"   at    <time>", "   first <time>\n   last  <time>", block)
    return re.sub(r"   \d+ failures?(, 3 so far)?", "   3 failures", block)


def test_the_command_in_a_mail_finds_the_group(
    localemu: LocalCloud, twelve: list[dict[str, Any]]
) -> None:
    """`list` shows the events of the group, and no others."""
    group = twelve[-1]["groups"][0]
    program, *arguments = group["listCommand"].split()
    assert program == "failure-destinations"
    listed = subprocess.run(
        [sys.executable, "-m", "failure_destinations", *arguments, "--json"],
        env={**os.environ, **localemu.environment},
        check=True,
        capture_output=True,
        text=True,
    )
    events = [json.loads(line) for line in listed.stdout.splitlines()]
    assert len(events) == TIMES


@pytest.mark.parametrize("format", ["slack", "teams", "pagerduty", "json"])
def test_webhooks_get_their_formats(twelve: list[dict[str, Any]], sink: Sink, format: str) -> None:
    """Each receiver gets every notice, in what it documents."""
    bodies = eventually(lambda: sink.at(f"/{format}"), lambda seen: len(seen) >= len(twelve))
    for body in bodies:
        jsonschema.validate(body, SCHEMAS[format], jsonschema.Draft202012Validator)


def publish(localemu: LocalCloud, outputs: dict[str, str], kind: str, count: int = 1) -> None:
    """Publish records to the channel's topic, as Lambda does."""
    sns = localemu.client("sns")
    for start in range(0, count, 10):
        sns.publish_batch(
            TopicArn=outputs["ChannelTopic"],
            PublishBatchRequestEntries=[
                {"Id": str(each), "Message": record(f"no stock for order {start + each}", kind)}
                for each in range(min(10, count - start))
            ],
        )


@pytest.mark.soak
@pytest.mark.usefixtures("twelve")
@pytest.mark.parametrize("fault", ["secret gone", "hangs", "500"])
def test_a_broken_webhook_gets_its_messages_later(
    localemu: LocalCloud, outputs: dict[str, str], sink: Sink, fault: str
) -> None:
    """They wait in its queue until it works again, and everybody else gets theirs."""
    secrets = localemu.client("secretsmanager")
    if fault == "secret gone":
        secrets.delete_secret(SecretId="notifier/slack", RecoveryWindowInDays=7)
    elif fault == "hangs":
        sink.hanging.add("/slack")
    else:
        sink.statuses["/slack"] = 500
    kind = f"Fault{fault.title()}".replace(" ", "")

    def arrives_at(path: str) -> None:
        eventually(lambda: sink.at(path), lambda seen: kind in json.dumps(seen))

    try:
        publish(localemu, outputs, kind)
        for path in ("/json", "/teams", "/pagerduty"):
            arrives_at(path)
        eventually(
            lambda: localemu.messages(outputs["SlackQueueUrl"], count=0),
            lambda seen: any(_was_tried(each, kind) for each in seen),
        )
    finally:
        if fault == "secret gone":
            secrets.restore_secret(SecretId="notifier/slack")
        sink.hanging.clear()
        sink.statuses.clear()
        # What hangs or refused got it too, as far as it knows.
        sink.received[:] = [each for each in sink.received if each[0] != "/slack"]
    arrives_at("/slack")
    assert localemu.messages(outputs["DeadLetterQueueUrl"], count=0) == []


def _was_tried(message: Any, kind: str) -> bool:
    return kind in message.body and int(message.attributes["ApproximateReceiveCount"]) > 0


@pytest.mark.soak
@pytest.mark.usefixtures("twelve")
def test_ten_thousand_at_once_are_a_handful_of_messages(
    localemu: LocalCloud, outputs: dict[str, str], sink: Sink
) -> None:
    """Exact counts, a message for each new group and each `every`, and no storm of mails."""
    before = len(sink.at("/json"))
    mails = len(localemu.mails(count=0))
    started = time.time()
    publish(localemu, outputs, "StormError", STORM)
    counts = wait_for_notices(sink, lambda seen: _stormed(seen) >= STORM, 900)
    minutes = (time.time() - started) / 60
    assert _stormed(counts) == STORM
    messages = [each for each in counts[before:] if each["kind"] == "failures"]
    allowed = -(-minutes * 60 // EVERY_SECONDS) + 1
    assert len(messages) <= allowed
    assert len({each["id"] for each in messages}) == len(messages)
    assert len(localemu.mails(count=0)) - mails <= allowed + 1
    assert localemu.messages(outputs["DeadLetterQueueUrl"], count=0) == []
    assert len(localemu.messages(outputs["QueueUrl"], count=0)) >= STORM


def _stormed(notices: list[dict[str, Any]]) -> int:
    return sum(
        group["failures"]
        for notice in notices
        for group in notice["groups"]
        if group["errorType"] == "StormError" and notice["kind"] == "failures"
    )
