"""What doctor finds in a deployed channel: healthy, and with each fault that an engine takes."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Sequence
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
from failure_destinations.doctor.render import sentence
from failure_destinations.testing import LocalCloud

from ..cli.conftest import clean_environment, run_cli
from ..conftest import define_handler
from ..templates import without_hash
from .conftest import Examiner, kinds_of

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("credentials")]

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
        self.iam: Any = cloud.client("iam")

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

    def role_session(self) -> str:
        """Return what SQS names as the sender when Lambda sends a copy for the function."""
        role = self.iam.get_role(RoleName=self.ids["OrdersServiceRole"])["Role"]
        return f"{role['RoleId']}:{self.function}"

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
    elsewhere = cdk.Stack(app, "Elsewhere")
    other.notify_failures_of(define_handler(elsewhere, "Parcels", function_name="parcels"))
    ministack.deploy(app)
    found = Deployed(ministack)
    found.lambda_.update_function_configuration(
        FunctionName=found.function,
        DeadLetterConfig={"TargetArn": found.attribute(found.copies, "QueueArn")},
    )
    return found


@pytest.fixture
def doctor(deployed: Deployed) -> Examiner:
    """Examines the channel `Failures`; SQS names the function's role as the sender of copies."""
    examiner = Examiner(deployed.cloud, STACK, "Failures")
    examiner.send_as(deployed.role_session())
    return examiner


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
    iam = deployed.iam
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


def test_finds_nothing_to_fix(deployed: Deployed) -> None:
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
    assert result.stderr.splitlines()[-1] == "nothing to fix"


@pytest.mark.soak
def test_prints_commands_as_they_are_in_json(deployed: Deployed) -> None:
    """Each on a line of its own, complete with the Region; the exit status says that there are."""
    deployed.send_record(deployed.dead_letters, str(uuid4()))
    text = deployed.doctor("--problems", "--channel", "Failures")
    found = deployed.doctor("--problems", "--channel", "Failures", "--json")
    (finding,) = [json.loads(line) for line in found.stdout.splitlines()]
    assert text.stdout.splitlines()[-1].strip() == finding["fix"]
    assert finding["commands"] == [finding["fix"].split()]
    assert finding["fix"] == (
        "failure-destinations replay --stack Kept --channel Failures --from dead-letter "
        "--region eu-west-1"
    )
    assert (text.exit_code, found.exit_code) == (1, 1)


@pytest.mark.soak
def test_looks_at_keys_aliases_and_replayers(deployed: Deployed, doctor: Examiner) -> None:
    """A key, an alias, a handler of another stack, a replayer that was deployed switched off."""
    # The engine switches it on nonetheless.
    function = deployed.ids["ReplayerFunction"]
    listed = deployed.lambda_.list_event_source_mappings(FunctionName=function)
    (mapping,) = listed["EventSourceMappings"]
    deployed.lambda_.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    problems = doctor.problems("Inner/Other")
    assert kinds_of(problems) == [("info", "nobody-subscribed"), ("info", "replayer-off")]
    handlers = [
        finding.subject.name
        for finding in doctor.findings("Inner/Other")
        if finding.kind.id == "handler"
    ]
    assert handlers == [f"{deployed.ids['Invoices']}:live", "parcels"]
    (enabled,) = doctor.fix(problems[1])
    assert enabled.parameters == {"UUID": mapping["UUID"], "Enabled": True}
    assert kinds_of(doctor.problems("Inner/Other")) == [("info", "nobody-subscribed")]


@pytest.mark.soak
def test_looks_at_every_channel_of_a_stack(deployed: Deployed) -> None:
    """Without --channel."""
    result = deployed.doctor("--json", "--quick")
    channels = {json.loads(line)["channel"] for line in result.stdout.splitlines()}
    assert channels == {"Failures", "Inner/Other"}


@pytest.mark.soak
def test_gives_every_message_back(deployed: Deployed, doctor: Examiner) -> None:
    """Copies and records can be received afterwards."""
    deployed.send_copy("6f1d0c0e-5a7b-4f0f-9a53-0c6a3d1c7b11")
    deployed.send_record(deployed.queue, "6f1d0c0e-5a7b-4f0f-9a53-0c6a3d1c7b11")
    doctor.findings()
    for url in (deployed.queue, deployed.copies):
        assert deployed.attribute(url, "ApproximateNumberOfMessages") == "1"


@pytest.mark.soak
def test_receives_nothing_when_quick(deployed: Deployed, doctor: Examiner) -> None:
    """Messages are only counted."""
    deployed.send_copy("6f1d0c0e-5a7b-4f0f-9a53-0c6a3d1c7b11")
    assert kinds_of(doctor.problems(quick=True)) == [("info", "copies-not-compared")]
    assert "sqs:ReceiveMessage" not in doctor.called


@pytest.mark.soak
def test_receives_nothing_where_sqs_moves_messages_away(
    deployed: Deployed, doctor: Examiner
) -> None:
    """It only reads: what it does not compare is said."""
    deployed.send_copy(str(uuid4()))
    arn = deployed.attribute(deployed.dead_letters, "QueueArn")
    redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 3})
    deployed.sqs.set_queue_attributes(
        QueueUrl=deployed.copies, Attributes={"RedrivePolicy": redrive}
    )
    (unknown,) = doctor.problems()
    deployed.sqs.set_queue_attributes(QueueUrl=deployed.copies, Attributes={"RedrivePolicy": ""})
    assert (unknown.severity, unknown.kind.id) == ("unknown", "copies")
    assert "moves messages away after a number of receives" in sentence(unknown)
    assert "sqs:ReceiveMessage" not in doctor.called


def test_finds_a_queue_that_sns_may_not_send_to(deployed: Deployed, doctor: Examiner) -> None:
    """The statement is missing; the command puts it back beside the others."""
    policy = json.loads(deployed.attribute(deployed.queue, POLICY))
    tls_only = {**policy, "Statement": policy["Statement"][:1]}
    with attributes(deployed, deployed.queue, Policy=json.dumps(tls_only)):
        (found,) = doctor.problems()
        assert (found.severity, found.kind.id) == ("error", "queue-policy")
        doctor.fix(found)
        assert doctor.problems() == []
        fixed = json.loads(deployed.attribute(deployed.queue, POLICY))
        assert fixed["Statement"][:1] == tls_only["Statement"]


@pytest.mark.soak
def test_finds_a_dead_letter_queue_that_sns_may_not_send_to(
    deployed: Deployed, doctor: Examiner
) -> None:
    """What cannot be delivered would be lost."""
    with attributes(deployed, deployed.dead_letters, Policy='{"Statement": []}'):
        (found,) = doctor.problems()
        assert (found.severity, found.kind.id) == ("error", "queue-policy")
        doctor.fix(found)
        assert doctor.problems() == []


def test_finds_who_unsubscribed(deployed: Deployed, doctor: Examiner) -> None:
    """A mailbox and the queue: the commands subscribe them as they were."""
    for name in ("FailuresEmaildeveloperexamplecom", "FailuresQueueSubscription"):
        deployed.sns.unsubscribe(SubscriptionArn=deployed.ids[name])
    found = doctor.problems()
    assert kinds_of(found) == [("error", "subscription-deleted")] * 2
    for each in found:
        (call,) = doctor.fix(each)
        assert "RedrivePolicy" in call.parameters["Attributes"]
    assert doctor.problems() == []


@pytest.mark.soak
def test_finds_records_in_an_envelope_and_no_dead_letter_queue(
    deployed: Deployed, doctor: Examiner
) -> None:
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
    found = doctor.problems()
    assert kinds_of(found) == [
        ("warning", "subscription-not-raw"),
        ("error", "subscription-no-dead-letters"),
    ]
    for each in found:
        doctor.fix(each)
    assert doctor.problems() == []


@pytest.mark.soak
def test_finds_a_handler_without_destination(deployed: Deployed, doctor: Examiner) -> None:
    """Its configuration exists, but sends failures nowhere; the engine cannot update it."""
    deployed.lambda_.put_function_event_invoke_config(
        FunctionName=deployed.function, Qualifier="$LATEST", MaximumRetryAttempts=0
    )
    (found,) = doctor.problems()
    assert (found.severity, found.kind.id) == ("error", "handler-destination")
    (command,) = doctor.commands(found)
    assert command[2] == "update-function-event-invoke-config"


@pytest.mark.soak
def test_finds_a_handler_without_configuration(deployed: Deployed, doctor: Examiner) -> None:
    """Lambda would retry twice and then forget the event."""
    deployed.lambda_.delete_function_event_invoke_config(
        FunctionName=deployed.function, Qualifier="$LATEST"
    )
    (found,) = doctor.problems()
    assert (found.severity, found.kind.id) == ("error", "handler-destination")
    doctor.fix(found)
    assert doctor.problems() == []


@pytest.mark.soak
def test_finds_a_role_that_may_not_publish(deployed: Deployed, doctor: Examiner) -> None:
    """IAM's own simulation says so; the commands grant both, and neither undoes the other."""
    role = deployed.ids["OrdersServiceRole"]
    for name in deployed.iam.list_role_policies(RoleName=role)["PolicyNames"]:
        deployed.iam.delete_role_policy(RoleName=role, PolicyName=name)
    found = doctor.problems()
    assert kinds_of(found) == [
        ("error", "handler-permission"),
        ("warning", "handler-copy-permission"),
    ]
    doctor.fix(found[0])
    assert kinds_of(doctor.problems()) == [("warning", "handler-copy-permission")]
    doctor.fix(found[1])
    assert doctor.problems() == []
    doctor.fix(found[0])
    assert doctor.problems() == []


@pytest.mark.soak
def test_finds_a_function_without_copies(deployed: Deployed, doctor: Examiner) -> None:
    """The function's own dead-letter queue was taken away."""
    client, name = deployed.lambda_, deployed.function
    client.update_function_configuration(FunctionName=name, DeadLetterConfig={"TargetArn": ""})
    (found,) = doctor.problems()
    assert (found.severity, found.kind.id) == ("warning", "handler-copies")
    doctor.fix(found)
    assert doctor.problems() == []


@pytest.mark.soak
def test_finds_dead_letters(deployed: Deployed, doctor: Examiner) -> None:
    """They wait to be replayed; a record that SNS could not deliver is not lost."""
    id = str(uuid4())
    deployed.send_copy(id)
    deployed.send_record(deployed.dead_letters, id)
    (found,) = doctor.problems()
    assert (found.severity, found.kind.id) == ("warning", "dead-letters")
    (command,) = doctor.commands(found)
    assert command[1:8] == [
        "replay",
        "--stack",
        STACK,
        "--channel",
        "Failures",
        "--from",
        "dead-letter",
    ]


@pytest.mark.soak
def test_finds_a_copy_without_a_record(deployed: Deployed, doctor: Examiner) -> None:
    """Replayed or removed, as far as anybody can tell: nothing to fix."""
    deployed.send_copy(str(uuid4()))
    (found,) = doctor.problems()
    assert (found.severity, found.kind.id, found.fix) == ("info", "copies-without-record", ())


@pytest.mark.soak
def test_finds_a_copy_of_what_sns_cannot_hold(deployed: Deployed, doctor: Examiner) -> None:
    """Its record was never sent: the command replays the copy, and only that."""
    deployed.send_copy(str(uuid4()), 300_000)
    deployed.send_copy(str(uuid4()))
    lost, other = doctor.problems()
    assert kinds_of([lost, other]) == [
        ("error", "copies-lost-on-the-way"),
        ("info", "copies-without-record"),
    ]
    (command,) = doctor.commands(lost)
    # On the engine SQS does not say that the function's role sent it.
    replayed = run_cli(
        [*command[1:], "--any-sender", "--json"], clean_environment(**deployed.cloud.environment)
    )
    assert json.loads(replayed.stdout)["failed"] == 1


@pytest.mark.soak
def test_finds_a_copy_from_when_lambda_could_not_deliver(
    deployed: Deployed, doctor: Examiner
) -> None:
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
    assert kinds_of(doctor.problems()) == [("error", "copies-lost-on-the-way")]


@pytest.mark.soak
@pytest.mark.parametrize("sender", ["AIDAEXAMPLEUSER", "AROAANOTHERROLE:{function}"])
def test_does_not_trust_a_copy_that_no_handler_sent(
    deployed: Deployed, doctor: Examiner, sender: str
) -> None:
    """A user's, or one of another role under the function's name: no command replays it."""
    doctor.send_as(sender.format(function=deployed.function))
    deployed.send_copy(str(uuid4()), 300_000)
    (found,) = doctor.problems()
    assert (found.severity, found.kind.id) == ("warning", "copies-not-trusted")
    (command,) = doctor.commands(found)
    assert command[:2] == ["failure-destinations", "list"]


@pytest.mark.soak
def test_finds_a_queue_that_is_gone(deployed: Deployed, doctor: Examiner) -> None:
    """What SNS cannot deliver would be lost; the commands make the queue as it was."""
    deployed.sqs.delete_queue(QueueUrl=deployed.dead_letters)
    (found,) = doctor.problems()
    assert (found.severity, found.kind.id) == ("error", "queue-missing")
    doctor.fix(found)
    (found,) = doctor.problems()
    assert (found.severity, found.kind.id) == ("error", "queue-policy")
    doctor.fix(found)
    assert doctor.problems() == []


@pytest.mark.soak
def test_finds_a_shortened_retention(deployed: Deployed, doctor: Examiner) -> None:
    """The template says 14 days."""
    with attributes(deployed, deployed.queue, MessageRetentionPeriod="3600"):
        (found,) = doctor.problems()
        assert (found.severity, found.kind.id) == ("warning", "retention-shortened")
        doctor.fix(found)
        assert doctor.problems() == []


@pytest.mark.soak
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--stack", STACK, "--channel", "X"], "Error: stack 'Kept' has no channel 'X'"),
        (["--stack", "CDKToolkit"], "Error: stack 'CDKToolkit' has no failure channel"),
        (["--stack", "nope"], "Error: stack 'nope' does not exist in eu-west-1"),
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


@pytest.mark.soak
def test_goes_on_without_a_permission(deployed: Deployed, doctor: Examiner) -> None:
    """What cannot be read is unknown, and names the action; the rest is judged."""
    for action in ("iam:SimulatePrincipalPolicy", "cloudwatch:GetMetricData"):
        doctor.deny(action)
    deployed.send_copy(str(uuid4()), 300_000)
    found = doctor.problems()
    assert {each.action for each in found if each.severity == "unknown"} == {
        "iam:SimulatePrincipalPolicy",
        "cloudwatch:GetMetricData",
    }
    assert ("error", "copies-lost-on-the-way") in kinds_of(found)


@pytest.mark.soak
def test_says_that_there_may_be_handlers_that_it_cannot_list(doctor: Examiner) -> None:
    """Those of its own stack are examined all the same."""
    doctor.deny("lambda:ListFunctions")
    found = doctor.findings("Inner/Other", quick=True)
    unknown = [(each.kind.id, each.action) for each in found if each.severity == "unknown"]
    assert unknown == [("no-handlers", "lambda:ListFunctions")]
    assert len([each for each in found if each.kind.id == "handler"]) == 1


@pytest.mark.soak
def test_trusts_no_copy_without_knowing_the_role(deployed: Deployed, doctor: Examiner) -> None:
    """Whether the function's role sent it cannot be known without reading the role."""
    doctor.deny("iam:GetRole")
    deployed.send_copy(str(uuid4()), 300_000)
    (found,) = doctor.problems()
    assert (found.severity, found.kind.id) == ("unknown", "copies-not-trusted")
    assert (found.action, doctor.commands(found)) == ("iam:GetRole", [])


@pytest.mark.soak
def test_asks_for_no_more_than_documented(deployed: Deployed, doctor: Examiner) -> None:
    """Every call of a whole run is in the policy that docs/doctor.md gives."""
    deployed.send_copy("6f1d0c0e-5a7b-4f0f-9a53-0c6a3d1c7b11")
    deployed.send_record(deployed.queue, "6f1d0c0e-5a7b-4f0f-9a53-0c6a3d1c7b11")
    doctor.findings()
    (policy,) = re.findall(r"```json\n(.*?)```", DOCS.read_text(), re.DOTALL)
    (statement,) = json.loads(policy)["Statement"]
    assert doctor.called.keys() - set(statement["Action"]) == set()
