"""What the doctor finds in a deployed channel, healthy and with each fault that an engine takes."""

from __future__ import annotations

import functools
import json
import re
import shlex
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import uuid4

import aws_cdk as cdk
import pytest
from aws_cdk import aws_kms as kms
from click.testing import CliRunner, Result
from constructs import Construct

from failure_destinations import FailureChannel, FailureReplayer
from failure_destinations.cli.group import cli
from failure_destinations.testing import LocalCloud

from ..conftest import define_handler
from ..templates import without_hash
from .conftest import clean_environment, run_cli
from .mending import mended_by

pytestmark = pytest.mark.integration

STACK = "Kept"
DOCS = Path(__file__).parents[2] / "docs" / "doctor.md"
POLICY = "Policy"


class Deployed:
    """A channel with a mailbox and a function on an engine."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud = cloud
        self.ids = {without_hash(id): physical for id, physical in cloud.resources(STACK).items()}
        self.queue = self.ids["FailuresQueue"]
        self.copies = self.ids["FailuresCopyQueue"]
        self.dead_letters = self.ids["FailuresDeadLetterQueue"]
        self.topic = self.ids["FailuresTopic"]
        self.function = self.ids["Orders"]
        self.sqs: Any = cloud.client("sqs")
        self.sns: Any = cloud.client("sns")
        self.lambda_: Any = cloud.client("lambda")

    def attribute(self, url: str, name: str) -> str:
        """Return an attribute of a queue."""
        answer = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])
        return str(answer["Attributes"][name])

    def doctor(self, *options: str) -> Result:
        """Run the command."""
        environment = clean_environment(**self.cloud.environment)
        return CliRunner().invoke(
            cli, ["doctor", "--stack", STACK, *options], env=environment, catch_exceptions=False
        )

    def problems(self, *options: str, channel: str = "Failures") -> list[tuple[str, str, str]]:
        """Return severity, check and the command that mends it of all that is not well."""
        result = self.doctor("--json", "--problems", "--channel", channel, *options)
        found = [json.loads(line) for line in result.stdout.splitlines()]
        bad = {finding["severity"] for finding in found} & {"warning", "error"}
        assert result.exit_code == (1 if bad else 0), result.output
        return [(each["severity"], each["check"], each["mend"] or "") for each in found]

    def send_copy(self, request_id: str, size: int = 2) -> None:
        """Put a copy into the copy queue, as Lambda does."""
        attributes = {"RequestID": request_id, "ErrorCode": "200", "ErrorMessage": "no data"}
        self.send(self.copies, f'"{"x" * (size - 2)}"', attributes)

    def send_record(self, url: str, request_id: str) -> None:
        """Put a record into a queue, as SNS does."""
        arn = f"arn:aws:lambda:eu-west-1:{self.cloud.account}:function:{self.function}:$LATEST"
        context = {"requestId": request_id, "functionArn": arn, "condition": "RetriesExhausted"}
        self.send(url, json.dumps({"requestContext": context, "requestPayload": {}}))

    def send(self, url: str, body: str, attributes: dict[str, str] | None = None) -> None:
        """Put a message into a queue."""
        self.sqs.send_message(
            QueueUrl=url,
            MessageBody=body,
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value}
                for name, value in (attributes or {}).items()
            },
        )


@pytest.fixture(scope="module")
def deployed(ministack: LocalCloud) -> Deployed:
    """Deploy it once; what the engine leaves out of the template is set by hand."""
    app = cdk.App(context={"aws:cdk:enable-path-metadata": True})
    stack = cdk.Stack(app, STACK)
    channel = FailureChannel(stack, "Failures", emails=["developer@example.com"])
    channel.notify_failures_of(define_handler(stack, "Orders"), retries=0)
    other = FailureChannel(
        Construct(stack, "Inner"), "Other", encryption_key=kms.Key(stack, "Key"), keep_copies=False
    )
    other.notify_failures_of(define_handler(stack, "Invoices").add_alias("live"))
    FailureReplayer(stack, "Replayer", channel=other, enabled=False)
    ministack.deploy(app)
    found = Deployed(ministack)
    found.lambda_.update_function_configuration(
        FunctionName=found.function,
        DeadLetterConfig={"TargetArn": found.attribute(found.copies, "QueueArn")},
    )
    return found


@pytest.fixture(autouse=True)
def whole(deployed: Deployed) -> Iterator[None]:
    """Begin each test with empty queues, and leave the channel as it was deployed."""
    for url in (deployed.queue, deployed.copies, deployed.dead_letters):
        received = functools.partial(
            deployed.sqs.receive_message, QueueUrl=url, MaxNumberOfMessages=10
        )
        while messages := received().get("Messages"):
            for message in messages:
                deployed.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    iam: Any = deployed.cloud.client("iam")
    role = deployed.ids["OrdersServiceRole"]
    (name,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    policy = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
    config = {"OnFailure": {"Destination": deployed.topic}}
    yield
    deployed.lambda_.put_function_event_invoke_config(
        FunctionName=deployed.function, Qualifier="$LATEST", DestinationConfig=config
    )
    for other in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        iam.delete_role_policy(RoleName=role, PolicyName=other)
    iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(policy))


@contextmanager
def attributes(deployed: Deployed, url: str, **changed: str) -> Iterator[None]:
    """Change attributes of a queue for a while."""
    before = {name: deployed.attribute(url, name) for name in changed}
    deployed.sqs.set_queue_attributes(QueueUrl=url, Attributes=changed)
    yield
    deployed.sqs.set_queue_attributes(QueueUrl=url, Attributes=before)


def test_finds_nothing_to_mend(deployed: Deployed) -> None:
    """A healthy channel with a record and its copy: all is well, exit status 0."""
    deployed.send_copy("6f1d0c0e-5a7b-4f0f-9a53-0c6a3d1c7b11")
    deployed.send_record(deployed.queue, "6f1d0c0e-5a7b-4f0f-9a53-0c6a3d1c7b11")
    result = run_cli(
        ["doctor", "--stack", STACK, "--channel", "Failures"],
        clean_environment(**deployed.cloud.environment),
    )
    assert result.returncode == 0, result.stdout
    lines = result.stdout.splitlines()
    assert lines[0] == "Failures"
    severities = [line.split()[0] for line in lines[1:] if not line.startswith(" " * 10)]
    assert severities == [*["ok"] * 7, "info", "ok"]
    assert "the copy has its record" in lines[-1]
    assert result.stderr.splitlines()[-1] == "nothing to mend"


def test_looks_at_keys_aliases_and_replayers(deployed: Deployed) -> None:
    """A channel with a key, an alias on it, and a replayer that was deployed switched off."""
    # The engine switches it on nonetheless.
    function = deployed.ids["ReplayerFunction"]
    listed = deployed.lambda_.list_event_source_mappings(FunctionName=function)
    (mapping,) = listed["EventSourceMappings"]
    deployed.lambda_.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    found = deployed.problems(channel="Inner/Other")
    assert [each[:2] for each in found] == [("info", "nobody-subscribed"), ("info", "replayer-off")]
    result = deployed.doctor("--json", "--channel", "Inner/Other")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    handlers = [each["resource"] for each in lines if each["check"] == "handler"]
    assert handlers == [f"{deployed.ids['Invoices']}:live"]


def test_looks_at_every_channel_of_a_stack(deployed: Deployed) -> None:
    """Without --channel."""
    result = deployed.doctor("--json", "--quick")
    channels = {json.loads(line)["channel"] for line in result.stdout.splitlines()}
    assert channels == {"Failures", "Inner/Other"}


def test_looking_takes_nothing_out(deployed: Deployed) -> None:
    """Copies and records can be received afterwards."""
    deployed.send_copy("6f1d0c0e-5a7b-4f0f-9a53-0c6a3d1c7b11")
    deployed.send_record(deployed.queue, "6f1d0c0e-5a7b-4f0f-9a53-0c6a3d1c7b11")
    deployed.doctor()
    for url in (deployed.queue, deployed.copies):
        assert deployed.attribute(url, "ApproximateNumberOfMessages") == "1"


def test_receives_nothing_when_it_shall_be_quick(deployed: Deployed, called: Counter[str]) -> None:
    """Only the counts are told."""
    deployed.send_copy("6f1d0c0e-5a7b-4f0f-9a53-0c6a3d1c7b11")
    assert [found[:2] for found in deployed.problems("--quick")] == [
        ("info", "copies-not-compared")
    ]
    assert "sqs:ReceiveMessage" not in called


def test_finds_a_queue_that_sns_may_not_send_to(deployed: Deployed) -> None:
    """The statement is missing; the command puts it back beside the others."""
    policy = json.loads(deployed.attribute(deployed.queue, POLICY))
    tls_only = {**policy, "Statement": policy["Statement"][:1]}
    with attributes(deployed, deployed.queue, Policy=json.dumps(tls_only)):
        ((severity, check, mend),) = deployed.problems()
        assert (severity, check) == ("error", "queue-policy")
        mended_by(deployed.cloud, mend)
        assert deployed.problems() == []
        mended = json.loads(deployed.attribute(deployed.queue, POLICY))
        assert mended["Statement"][:1] == tls_only["Statement"]


def test_finds_a_dead_letter_queue_that_sns_may_not_send_to(deployed: Deployed) -> None:
    """What cannot be delivered would be lost."""
    with attributes(deployed, deployed.dead_letters, Policy='{"Statement": []}'):
        assert [found[:2] for found in deployed.problems()] == [("error", "queue-policy")]


def test_finds_who_unsubscribed(deployed: Deployed) -> None:
    """A mailbox and the queue: the commands subscribe them as they were."""
    for name in ("FailuresEmaildeveloperexamplecom", "FailuresQueueSubscription"):
        deployed.sns.unsubscribe(SubscriptionArn=deployed.ids[name])
    found = deployed.problems()
    assert [each[:2] for each in found] == [("error", "subscription-deleted")] * 2
    for _, _, mend in found:
        parameters = mended_by(deployed.cloud, mend)
        assert "RedrivePolicy" in parameters["Attributes"]
    assert deployed.problems() == []


def test_finds_records_in_an_envelope_and_no_dead_letter_queue(deployed: Deployed) -> None:
    """The subscription's settings are as they were after the commands."""
    (arn,) = [
        known["SubscriptionArn"]
        for known in deployed.sns.list_subscriptions_by_topic(TopicArn=deployed.topic)[
            "Subscriptions"
        ]
        if known["Protocol"] == "sqs"
    ]
    for name, value in (("RawMessageDelivery", "false"), ("RedrivePolicy", "{}")):
        deployed.sns.set_subscription_attributes(
            SubscriptionArn=arn, AttributeName=name, AttributeValue=value
        )
    found = deployed.problems()
    assert [each[:2] for each in found] == [
        ("warning", "subscription-not-raw"),
        ("error", "subscription-no-dead-letters"),
    ]
    for _, _, mend in found:
        mended_by(deployed.cloud, mend)
    assert deployed.problems() == []


def test_finds_a_handler_without_destination(deployed: Deployed) -> None:
    """Its configuration is there, but sends failures nowhere."""
    deployed.lambda_.put_function_event_invoke_config(
        FunctionName=deployed.function, Qualifier="$LATEST", MaximumRetryAttempts=0
    )
    assert [each[:2] for each in deployed.problems()] == [("error", "handler-destination")]


def test_finds_a_handler_without_configuration(deployed: Deployed) -> None:
    """Lambda would retry twice and then forget the event."""
    deployed.lambda_.delete_function_event_invoke_config(
        FunctionName=deployed.function, Qualifier="$LATEST"
    )
    ((severity, check, mend),) = deployed.problems()
    assert (severity, check) == ("error", "handler-destination")
    mended_by(deployed.cloud, mend)
    assert deployed.problems() == []


def test_finds_a_role_that_may_not_publish(deployed: Deployed) -> None:
    """IAM's own simulation says so; the command's policy mends it."""
    iam = deployed.cloud.client("iam")
    role = deployed.ids["OrdersServiceRole"]
    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        iam.delete_role_policy(RoleName=role, PolicyName=name)
    found = deployed.problems()
    assert [each[:2] for each in found] == [
        ("error", "handler-permission"),
        ("warning", "handler-copy-permission"),
    ]
    mended_by(deployed.cloud, found[0][2])
    assert [each[1] for each in deployed.problems()] == ["handler-copy-permission"]


def test_finds_a_function_without_copies(deployed: Deployed) -> None:
    """The function's own dead-letter queue was taken away."""
    client, name = deployed.lambda_, deployed.function
    client.update_function_configuration(FunctionName=name, DeadLetterConfig={"TargetArn": ""})
    ((severity, check, mend),) = deployed.problems()
    assert (severity, check) == ("warning", "handler-copies")
    mended_by(deployed.cloud, mend)
    assert deployed.problems() == []


def test_finds_dead_letters(deployed: Deployed) -> None:
    """They wait to be replayed; a record that SNS could not deliver is not lost."""
    id = str(uuid4())
    deployed.send_copy(id)
    deployed.send_record(deployed.dead_letters, id)
    ((severity, check, mend),) = deployed.problems()
    assert (severity, check) == ("warning", "dead-letters")
    assert mend.startswith(
        "failure-destinations replay --stack Kept --channel Failures --from dead"
    )


def test_finds_a_copy_without_a_record(deployed: Deployed) -> None:
    """Replayed or removed, as far as anybody can tell: nothing to mend."""
    deployed.send_copy(str(uuid4()))
    assert deployed.problems() == [("info", "copies-without-record", "")]


def test_finds_a_copy_of_what_sns_cannot_hold(deployed: Deployed) -> None:
    """Its record was never sent: the command replays the copy, and only that."""
    lost = str(uuid4())
    deployed.send_copy(lost, 300_000)
    deployed.send_copy(str(uuid4()))
    (severity, check, mend), other = deployed.problems()
    assert (severity, check) == ("error", "copies-lost-on-the-way")
    assert other[1] == "copies-without-record"
    replayed = run_cli(
        [*shlex.split(mend)[1:], "--json"], clean_environment(**deployed.cloud.environment)
    )
    assert json.loads(replayed.stdout)["failed"] == 1


def test_finds_a_copy_from_when_lambda_could_not_deliver(deployed: Deployed) -> None:
    """CloudWatch counted a failed delivery at that time."""
    deployed.cloud.client("cloudwatch").put_metric_data(
        Namespace="AWS/Lambda",
        MetricData=[
            {
                "MetricName": "DestinationDeliveryFailures",
                "Dimensions": [{"Name": "FunctionName", "Value": deployed.function}],
                "Timestamp": datetime.now(timezone.utc) - timedelta(minutes=1),
                "Value": 1,
            }
        ],
    )
    deployed.send_copy(str(uuid4()))
    assert [found[:2] for found in deployed.problems()] == [("error", "copies-lost-on-the-way")]


def test_finds_a_queue_that_is_gone(deployed: Deployed) -> None:
    """What SNS cannot deliver would be lost; the command makes the queue anew."""
    deployed.sqs.delete_queue(QueueUrl=deployed.dead_letters)
    ((severity, check, mend),) = deployed.problems()
    assert (severity, check) == ("error", "queue-missing")
    mended_by(deployed.cloud, mend)
    assert [found[:2] for found in deployed.problems()] == [("error", "queue-policy")]
    mended_by(deployed.cloud, deployed.problems()[0][2])


def test_finds_a_shortened_retention(deployed: Deployed) -> None:
    """The template says 14 days."""
    with attributes(deployed, deployed.queue, MessageRetentionPeriod="3600"):
        assert [found[:2] for found in deployed.problems()] == [("warning", "retention-shortened")]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--stack", STACK, "--channel", "X"], "Error: stack 'Kept' has no channel 'X'"),
        (["--stack", "CDKToolkit"], "Error: stack 'CDKToolkit' has no failure channel"),
        (["--stack", "nope"], "Error: there is no stack 'nope' in eu-west-1"),
    ],
)
def test_rejects_what_names_no_channel(
    deployed: Deployed, arguments: Sequence[str], said: str
) -> None:
    """One line, and the exit status of not having looked."""
    environment = clean_environment(**deployed.cloud.environment)
    result = CliRunner().invoke(cli, ["doctor", *arguments], env=environment)
    assert result.stderr.startswith(said)
    assert result.stderr.count("\n") == 1
    assert result.exit_code == 2


def test_goes_on_without_a_permission(deployed: Deployed, denied: Callable[[str], None]) -> None:
    """What cannot be looked at is not known, and names the action; the rest is judged."""
    denied("SimulatePrincipalPolicy")
    denied("GetMetricData")
    deployed.send_copy(str(uuid4()), 300_000)
    result = deployed.doctor("--json")
    found = [json.loads(line) for line in result.stdout.splitlines()]
    unknown = {each["action"] for each in found if each["severity"] == "unknown"}
    assert unknown == {"iam:SimulatePrincipalPolicy", "cloudwatch:GetMetricData"}
    assert "copies-lost-on-the-way" in {each["check"] for each in found}
    assert result.exit_code == 1


def test_tells_when_not_all_could_be_looked_at(
    deployed: Deployed, denied: Callable[[str], None]
) -> None:
    """Exit status 2, unless that is allowed."""
    denied("SimulatePrincipalPolicy")
    assert deployed.doctor().exit_code == 2
    assert deployed.doctor("--allow-unknown").exit_code == 0


def test_asks_for_no_more_than_documented(deployed: Deployed, called: Counter[str]) -> None:
    """Every call of a whole run is in the policy that docs/doctor.md gives."""
    deployed.send_copy("6f1d0c0e-5a7b-4f0f-9a53-0c6a3d1c7b11")
    deployed.send_record(deployed.queue, "6f1d0c0e-5a7b-4f0f-9a53-0c6a3d1c7b11")
    called.clear()
    deployed.doctor()
    (policy,) = re.findall(r"```json\n(.*?)```", DOCS.read_text(), re.DOTALL)
    (statement,) = json.loads(policy)["Statement"]
    assert called.keys() - set(statement["Action"]) == set()
