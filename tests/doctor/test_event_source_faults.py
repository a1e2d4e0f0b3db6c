"""What doctor finds of event sources on an engine, once a part is broken, and the fixes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from aws_cdk.aws_lambda_event_sources import (
    DynamoEventSource,
    KinesisEventSource,
    SqsEventSource,
)

from failure_destinations import FailureChannel, FailureMonitoring
from failure_destinations.doctor.findings import Finding
from failure_destinations.doctor.render import as_text
from failure_destinations.permissions import (
    COMPARE,
    EXAMINE,
    EXAMINE_EVENT_SOURCES,
    READ_STACK,
)
from failure_destinations.testing import LocalCloud

from ..conftest import define_handler
from ..templates import without_hash
from ..waiting import eventually
from .conftest import Examiner, kinds_of, use_credentials

# Its stacks take long to deploy.
pytestmark = [pytest.mark.integration, pytest.mark.soak]

STACK = "Polled"
# About the topic and the copies of a channel to which nobody is subscribed.
_ELSEWHERE = ("nobody-subscribed", "copies-not-compared", "alarm-muted", "alarm-ringing")


class Deployed:
    """A stack with a stream and a queue whose failures come to a channel."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud = cloud
        app = cdk.App(context={"aws:cdk:enable-path-metadata": True})
        stack = cdk.Stack(app, STACK)
        channel = FailureChannel(stack, "Failures")
        stream = kinesis.Stream(
            stack, "Clicks", shard_count=1, stream_mode=kinesis.StreamMode.PROVISIONED
        )
        clicks = KinesisEventSource(
            stream,
            starting_position=lambda_.StartingPosition.TRIM_HORIZON,
            retry_attempts=1,
            on_failure=channel.event_source_destination,
        )
        define_handler(stack, "Count").add_event_source(clicks)
        queue = sqs.Queue(stack, "Orders", visibility_timeout=cdk.Duration.seconds(180))
        channel.dead_letter_queue_for(queue)
        define_handler(stack, "Ship").add_event_source(SqsEventSource(queue))
        FailureMonitoring(stack, "Monitoring", channel=channel)
        FailureChannel(stack, "Other")
        self._define_elsewhere(
            app, FailureChannel(stack, "Sealed", encryption_key=kms.Key(stack, "Key"))
        )
        cloud.deploy(app)
        template = app.synth().get_stack_by_name(STACK).template
        self.alarms = sum(
            each["Type"] == "AWS::CloudWatch::Alarm" for each in template["Resources"].values()
        )
        self.ids = {without_hash(id): physical for id, physical in cloud.resources(STACK).items()}
        self.bucket = self.ids["FailuresEventSourceFailuresBatches"]
        self.rule = self.ids["FailuresEventSourceFailuresRule"]
        self.queue = self.ids["Orders"]
        self.dead_letters = self.ids["FailuresSourceDeadLettersOrders"]

    @staticmethod
    def _define_elsewhere(app: cdk.App, channel: FailureChannel) -> None:
        """Define a table and a FIFO queue in another stack whose failures come to a channel."""
        stack = cdk.Stack(app, "Elsewhere")
        table = dynamodb.Table(
            stack,
            "Table",
            partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING),
            stream=dynamodb.StreamViewType.NEW_IMAGE,
        )
        changes = DynamoEventSource(
            table,
            starting_position=lambda_.StartingPosition.TRIM_HORIZON,
            retry_attempts=1,
            on_failure=channel.event_source_destination,
        )
        define_handler(stack, "Audit").add_alias("live").add_event_source(changes)
        jobs = sqs.Queue(stack, "Jobs", fifo=True, visibility_timeout=cdk.Duration.seconds(180))
        channel.dead_letter_queue_for(jobs)
        define_handler(stack, "Work").add_event_source(SqsEventSource(jobs))

    def client(self, service: str) -> Any:
        """Return a client of the engine."""
        return self.cloud.client(service)

    def mapping(self, function: str) -> str:
        """Return the event source mapping of a function."""
        listed = self.client("lambda").list_event_source_mappings(FunctionName=self.ids[function])
        (mapping,) = listed["EventSourceMappings"]
        return str(mapping["UUID"])

    def update(self, function: str, **settings: Any) -> None:
        """Change the event source mapping of a function."""
        self.update_mapping(self.mapping(function), **settings)

    def update_mapping(self, uuid: str, **settings: Any) -> None:
        """Change an event source mapping, and wait until that is done: it is off meanwhile."""
        lambda_client = self.client("lambda")
        lambda_client.update_event_source_mapping(UUID=uuid, **settings)
        eventually(
            lambda: lambda_client.get_event_source_mapping(UUID=uuid)["State"],
            lambda state: state in ("Enabled", "Disabled"),
        )

    def set(self, url: str, **attributes: str) -> None:
        """Change attributes of a queue."""
        self.client("sqs").set_queue_attributes(QueueUrl=url, Attributes=attributes)

    def disable_mapping(self) -> None:
        """Switch the stream's mapping off."""
        self.update("Count", Enabled=False)

    def remove_destination(self) -> None:
        """Remove the mapping's failure destination."""
        self.update("Count", DestinationConfig={"OnFailure": {}})

    def retry_forever(self) -> None:
        """Retry without limit."""
        self.update("Count", MaximumRetryAttempts=-1)

    def take_permissions(self) -> None:
        """Remove the policies of the function's role."""
        iam, role = self.client("iam"), self.ids["CountServiceRole"]
        for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
            iam.delete_role_policy(RoleName=role, PolicyName=name)

    def silence_bucket(self) -> None:
        """Have the bucket send nothing to EventBridge."""
        self.client("s3").put_bucket_notification_configuration(
            Bucket=self.bucket, NotificationConfiguration={}
        )

    def shorten_lifecycle(self) -> None:
        """Have the bucket delete batches after a day."""
        rule = {
            "ID": "short",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "Expiration": {"Days": 1},
        }
        self.client("s3").put_bucket_lifecycle_configuration(
            Bucket=self.bucket, LifecycleConfiguration={"Rules": [rule]}
        )

    def disable_rule(self) -> None:
        """Disable the rule."""
        self.client("events").disable_rule(Name=self.rule)

    def change_pattern(self) -> None:
        """Have the rule match something else."""
        pattern = json.dumps({"source": ["aws.s3"], "detail-type": ["Object Deleted"]})
        self.client("events").put_rule(Name=self.rule, EventPattern=pattern)

    def remove_target(self) -> None:
        """Remove the rule's target."""
        events = self.client("events")
        ids = [each["Id"] for each in events.list_targets_by_rule(Rule=self.rule)["Targets"]]
        events.remove_targets(Rule=self.rule, Ids=ids)

    def delete_rule(self) -> None:
        """Delete the rule."""
        self.remove_target()
        self.client("events").delete_rule(Name=self.rule)

    def stop_forwarder(self) -> None:
        """Switch the forwarder's mapping off."""
        self.update_mapping(self.ids["FailuresEventSourceFailuresEventSource"], Enabled=False)

    def remove_queue_policy(self) -> None:
        """Remove the policy of the announcement queue."""
        self.set(self.ids["FailuresEventSourceFailuresAnnouncements"], Policy="")

    def remove_redrive(self) -> None:
        """Have the source queue move nothing."""
        self.set(self.queue, RedrivePolicy="")

    def deny_redrive(self) -> None:
        """Let no queue use the dead-letter queue."""
        self.set(self.dead_letters, RedriveAllowPolicy='{"redrivePermission": "denyAll"}')

    def shorten_visibility(self) -> None:
        """Show a message again while the function still works on it."""
        self.set(self.queue, VisibilityTimeout="1")

    def shorten_retention(self) -> None:
        """Have the dead-letter queue keep messages for an hour."""
        self.set(self.dead_letters, MessageRetentionPeriod="3600")

    def disable_reader(self) -> None:
        """Switch the queue's mapping off."""
        self.update("Ship", Enabled=False)


@pytest.fixture(scope="module")
def deployed(localemu: LocalCloud) -> Deployed:
    """The stack, deployed once."""
    return Deployed(localemu)


@pytest.fixture
def doctor(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> Examiner:
    """Examines the channel of the stack."""
    use_credentials(deployed.cloud, monkeypatch)
    return Examiner(deployed.cloud, STACK, "Failures")


def problems(doctor: Examiner) -> list[Finding]:
    """Return what is not well, without what a channel for streams alone does not have."""
    found = doctor.problems(quick=True)
    return [each for each in found if each.kind.id not in _ELSEWHERE]


def only_problem(doctor: Examiner) -> Finding:
    """Return the one thing that is not well."""
    found = problems(doctor)
    assert len(found) == 1, as_text(found, [])
    return found[0]


def test_finds_event_sources_well(deployed: Deployed, doctor: Examiner) -> None:
    """Each part and alarm, with the documented permissions, and the mappings are listed once."""
    findings = doctor.findings(quick=True)
    assert problems(doctor) == [], as_text(findings, [])
    found = {(each.kind.id, each.subject.noun) for each in findings}
    assert found >= {
        ("event-source", "event source"),
        ("bucket", "bucket"),
        ("announcements", "announcement rule"),
        ("queue", "announcement queue"),
        ("source-queue", "source queue"),
        ("queue", "source dead-letter queue"),
    }
    (alarms,) = (each for each in findings if each.kind.id == "alarms")
    assert alarms.facts["count"] == deployed.alarms
    assert doctor.called["lambda:ListEventSourceMappings"] == 2
    known = {*READ_STACK, *EXAMINE, *EXAMINE_EVENT_SOURCES, *COMPARE}
    assert doctor.called.keys() <= known


def test_finds_an_encrypted_channel_well(doctor: Examiner) -> None:
    """Its event sources are in another stack: an alias that reads a table, and a FIFO queue."""
    findings = doctor.findings("Sealed", quick=True)
    assert not [each for each in findings if each.severity in ("error", "warning", "unknown")], (
        as_text(findings, [])
    )
    found = {(each.kind.id, each.subject.noun) for each in findings}
    assert found >= {
        ("event-source", "event source"),
        ("bucket", "bucket"),
        ("announcements", "announcement rule"),
        ("source-queue", "source queue"),
    }
    (source,) = (each for each in findings if each.kind.id == "event-source")
    assert ":live from Elsewhere-Table" in source.subject.name


def test_asks_nothing_else_about_a_channel_without_event_sources(doctor: Examiner) -> None:
    """One list of mappings, and no request of the other services."""
    doctor.findings("Other", quick=True)
    assert doctor.called["lambda:ListEventSourceMappings"] == 1
    assert doctor.called.keys() & set(EXAMINE_EVENT_SOURCES) == set()
    assert doctor.called["lambda:GetEventSourceMapping"] == 0


FAULTS = [
    (Deployed.disable_mapping, ("warning", "event-source-off")),
    (Deployed.silence_bucket, ("error", "bucket-silent")),
    (Deployed.disable_rule, ("error", "announcements-off")),
    (Deployed.remove_redrive, ("error", "source-queue-redrive")),
    (Deployed.remove_destination, ("error", "event-source-destination")),
    (Deployed.retry_forever, ("warning", "event-source-retries-forever")),
    (Deployed.take_permissions, ("error", "event-source-permission")),
    (Deployed.shorten_lifecycle, ("warning", "bucket-lifecycle")),
    (Deployed.change_pattern, ("error", "announcements-pattern")),
    (Deployed.remove_target, ("error", "announcements-target")),
    (Deployed.delete_rule, ("error", "announcements-missing")),
    (Deployed.stop_forwarder, ("error", "announcements-off")),
    (Deployed.remove_queue_policy, ("error", "queue-policy")),
    (Deployed.deny_redrive, ("error", "source-queue-denied")),
    (Deployed.shorten_visibility, ("error", "source-queue-visibility")),
    (Deployed.disable_reader, ("warning", "event-source-off")),
]


@pytest.mark.parametrize(
    ("break_it", "expected"),
    FAULTS,
    ids=lambda case: getattr(case, "__name__", None),
)
def test_finds_and_fixes(
    deployed: Deployed,
    doctor: Examiner,
    break_it: Callable[[Deployed], None],
    expected: tuple[str, str],
) -> None:
    """One fault is one finding, and its commands leave none."""
    break_it(deployed)
    found = only_problem(doctor)
    assert (found.severity, found.kind.id) == expected
    doctor.fix(found)
    # A mapping that is being updated is off for a moment.
    eventually(lambda: kinds_of(problems(doctor)), lambda left: left == [])


def test_finds_dead_letters_of_a_source_queue(deployed: Deployed, doctor: Examiner) -> None:
    """They wait to be replayed."""
    deployed.client("sqs").send_message(QueueUrl=deployed.dead_letters, MessageBody="{}")
    found = only_problem(doctor)
    assert (found.severity, found.kind.id) == ("warning", "source-dead-letters")
    deployed.client("sqs").purge_queue(QueueUrl=deployed.dead_letters)


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        ("s3:GetBucketNotification", "bucket-silent"),
        ("s3:GetBucketPolicy", "bucket-policy"),
        ("s3:GetLifecycleConfiguration", "bucket-lifecycle"),
        ("s3:GetEncryptionConfiguration", "key"),
        ("events:DescribeRule", "announcements"),
        ("events:ListTargetsByRule", "announcements-target"),
        ("sqs:ListDeadLetterSourceQueues", "source-queue-redrive"),
    ],
)
def test_says_what_is_not_permitted(doctor: Examiner, action: str, kind: str) -> None:
    """And goes on."""
    doctor.deny(action)
    found = only_problem(doctor)
    assert (found.severity, found.kind.id, found.action) == ("unknown", kind, action)


def test_finds_a_queue_that_nobody_reads(deployed: Deployed, doctor: Examiner) -> None:
    """The function's event source is gone: what is sent waits until SQS deletes it."""
    deployed.client("lambda").delete_event_source_mapping(UUID=deployed.mapping("Ship"))
    found = only_problem(doctor)
    assert (found.severity, found.kind.id) == ("warning", "source-queue-unread")


def test_finds_a_bucket_that_is_gone(deployed: Deployed, doctor: Examiner) -> None:
    """The commands make it again, so that it announces what it gets."""
    deployed.client("s3").delete_bucket(Bucket=deployed.bucket)
    missing = [each for each in problems(doctor) if each.subject.noun == "bucket"]
    assert kinds_of(missing) == [("error", "bucket-missing")]
    doctor.fix(missing[0])
    found = [each for each in doctor.findings(quick=True) if each.subject.noun == "bucket"]
    assert kinds_of(found) == [("ok", "bucket")]
