"""What doctor makes of AWS's answers, also of those that no engine gives."""

from __future__ import annotations

import dataclasses
import json
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from failure_destinations.doctor.facts import Channel, Copies, Unknown
from failure_destinations.doctor.findings import Finding
from failure_destinations.doctor.gather.aws_reader import AwsReader
from failure_destinations.doctor.judge.channel import judge
from failure_destinations.doctor.policies import allows
from failure_destinations.doctor.render import commands, fix, sentence
from failure_destinations.progress import NoProgress

from . import paper
from .cases import CASES
from .fixing import parsed
from .paper import CHANNEL, DAY, LARGE, NOW, QUEUE, SCHEDULE, SMALL, TOPIC, Case


def found_in(channel: Channel) -> list[Finding]:
    """Return all findings that are not well."""
    return [finding for finding in judge(channel) if finding.severity != "ok"]


def problems(**changed: Any) -> list[tuple[str, str]]:
    """Return severity and kind of all that is not well, once some facts are others."""
    found = found_in(dataclasses.replace(CHANNEL, **changed))
    return [(finding.severity, finding.kind.id) for finding in found]


def finding(kind: str, **changed: Any) -> Finding:
    """Return the only finding of a kind, once some facts are others."""
    found = found_in(dataclasses.replace(CHANNEL, **changed))
    (only,) = [each for each in found if each.kind.id == kind]
    return only


def fix_of(kind: str, **changed: Any) -> str:
    """Return what fixes the only finding of a kind."""
    return fix(finding(kind, **changed), ["--region", "eu-west-1"]) or ""


def test_finds_nothing_in_a_healthy_channel() -> None:
    """All that is looked at is well."""
    assert problems() == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.kind)
def test_finds_exactly_what_is_wrong(case: Case) -> None:
    """One fact is other than in a healthy channel: one finding."""
    assert problems(**case.facts) == [(case.severity, case.kind)]


# SNS gives it every topic. https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-use-cases.html
OF_SNS = paper.topic_policy(
    Principal={"AWS": "*"},
    Action=["SNS:Publish", "SNS:Subscribe"],
    Condition={"StringEquals": {"AWS:SourceOwner": paper.ACCOUNT}},
)


@pytest.mark.parametrize(
    "changed",
    [
        paper.alarm(StateValue="OK"),
        paper.alarm_topic(attributes=OF_SNS),
        paper.alarm_topic(
            key=paper.key(paper.key_policy("cloudwatch.amazonaws.com", **paper.SAME_ACCOUNT))
        ),
        paper.monitoring(topic=None),
        paper.monitoring(alarms=[]),
        {"monitoring": None},
    ],
)
def test_finds_nothing_in_a_healthy_monitoring(changed: dict[str, Any]) -> None:
    """An alarm without figures is well, and so is a mailbox of alarms without a DLQ."""
    assert problems(**changed) == []


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"webhooks": []},
        {"webhooks": [dataclasses.replace(paper.SECRET, decision=None)]},
        {"topic": None},
        {"queue": None, "dead_letter_queue": None},
    ],
)
def test_finds_nothing_in_a_healthy_notifier(changed: dict[str, Any]) -> None:
    """Also without webhooks, and where another account's policy decides."""
    assert problems(**paper.notifier(**changed)) == []


@pytest.mark.parametrize(
    ("state", "receives", "limit", "said"),
    [
        ("Disabled", {1: 5}, 3, None),
        ("Disabled", {1: 5, 2: 3, 7: 1}, 3, "will park 4 messages of the queue after one failure"),
        ("Disabled", {1: 1}, 1, "will park 1 message of the queue"),
        ("Disabled", {100: 1}, None, None),
        ("Disabled", {}, 3, None),
        ("Enabled", {100: 1}, 3, None),
    ],
)
def test_warns_before_a_replayer_parks_what_was_looked_at(
    state: str, receives: dict[int, int], limit: int | None, said: str | None
) -> None:
    """Each look counts as one of its attempts; once it runs, doctor does not look."""
    (replayer,) = paper.replayer(state)["replayers"]
    changed = {
        "replayers": [dataclasses.replace(replayer, max_attempts=limit)],
        "queue": dataclasses.replace(QUEUE, seen_receives=receives),
    }
    if said is None:
        assert "replayer-parks-at-once" not in [kind for _, kind in problems(**changed)]
        return
    found = finding("replayer-parks-at-once", **changed)
    assert said in sentence(found)
    assert f"max_attempts={limit}" in fix_of("replayer-parks-at-once", **changed)


def test_wakes_a_notifier_as_it_was() -> None:
    """EventBridge Scheduler replaces a schedule as a whole."""
    (words,) = commands(
        finding("notifier-asleep", **paper.notifier(schedule={**SCHEDULE, "State": "DISABLED"})),
        [],
    )
    call = parsed(words)
    wanted = {name: SCHEDULE[name] for name in SCHEDULE if name not in ("Arn", "CreationDate")}
    assert call.parameters == {**wanted, "State": "ENABLED"}


def test_lets_the_notifier_read_a_secret() -> None:
    """One secret, and nothing where a policy denies it explicitly."""
    (words,) = commands(finding("webhook-permission", **paper.webhook(decision="implicitDeny")), [])
    policy = json.loads(parsed(words).parameters["PolicyDocument"])
    assert policy["Statement"] == [
        {
            "Effect": "Allow",
            "Action": ["secretsmanager:GetSecretValue"],
            "Resource": paper.SECRET_ARN,
        }
    ]
    denied = finding("webhook-permission", **paper.webhook(decision="explicitDeny"))
    assert commands(denied, []) == []


def test_shows_no_secret() -> None:
    """Only where it is."""
    for kind, facts in (
        ("webhook-secret", paper.webhook(live=None)),
        ("webhook-permission", paper.webhook(decision="implicitDeny")),
    ):
        assert "team/slack" in sentence(finding(kind, **facts))


def test_confirms_mailboxes_so_that_no_link_unsubscribes_them() -> None:
    """Whether one is lost, waits, or was confirmed by a link."""
    mailboxes = {
        "subscription-by-link": paper.BY_LINK,
        "subscription-pending": paper.PENDING,
        "subscription-deleted": dataclasses.replace(paper.OF_MAILBOX, attributes=None),
    }
    for kind, mailbox in mailboxes.items():
        known = paper.topic(subscriptions=[paper.OF_QUEUE, mailbox])
        said = sentence(finding(kind, **known)) + fix_of(kind, **known)
        assert f"failure-destinations confirm --topic {paper.TOPIC}:" in said


def test_finds_a_fifo_topic() -> None:
    """Lambda does not accept it."""
    config = {"DestinationConfig": {"OnFailure": {"Destination": paper.FIFO}}}
    found = problems(**paper.topic(arn=paper.FIFO), **paper.handler(config=config))
    assert ("error", "topic-fifo") in found


def test_warns_before_sqs_deletes_events() -> None:
    """From 80 % of the retention on, by CloudWatch or by what was received, the older of both."""
    waiting = paper.queue("queue", "q", ApproximateNumberOfMessages="3", oldest_seconds=11.21 * DAY)
    assert problems(queue=waiting) == [("warning", "events-expire"), ("info", "events-waiting")]
    assert "--backup" in fix_of("events-expire", queue=waiting)
    younger = dataclasses.replace(waiting, oldest_seconds=11.1 * DAY)
    assert problems(queue=younger) == [("info", "events-waiting")]
    seen = dataclasses.replace(waiting, oldest_seconds=None, seen_seconds=13.0 * DAY)
    assert problems(queue=seen) == [("warning", "events-expire"), ("info", "events-waiting")]


def test_ignores_an_old_age_of_an_empty_queue() -> None:
    """CloudWatch is minutes behind."""
    assert problems(queue=dataclasses.replace(QUEUE, oldest_seconds=1_209_000.0)) == []


@pytest.mark.parametrize(("minutes", "lost"), [(-6, False), (-4, True), (9, True), (11, False)])
def test_takes_failed_deliveries_for_a_loss_only_near_the_copy(minutes: int, lost: bool) -> None:
    """CloudWatch counts per 5 minutes, and Lambda sends the copy about then."""
    failure = NOW - timedelta(minutes=minutes)
    found = problems(copies=Copies([SMALL], 1), **paper.handler(delivery_failures=[failure]))
    assert found == [
        ("error", "copies-lost-on-the-way") if lost else ("info", "copies-without-record")
    ]


def test_knows_that_copies_of_a_durable_function_have_no_record() -> None:
    """So nobody removes the only copy, taking its event for one that was replayed."""
    assert isinstance(paper.HANDLER.settings, dict)
    settings = paper.HANDLER.settings | {"DurableConfig": {"ExecutionTimeout": 3600}}
    durable = {"copies": Copies([SMALL], 1), **paper.handler(settings=settings)}
    assert problems(**durable) == [
        ("error", "handler-destination"),
        ("error", "copies-lost-on-the-way"),
    ]
    assert "durable function" in sentence(finding("copies-lost-on-the-way", **durable))


def test_replays_a_lost_copy_to_the_alias_that_failed() -> None:
    """The copy does not name it; the channel has one handler of that function."""
    assert fix_of("copies-lost-on-the-way", copies=Copies([LARGE, SMALL], 2)) == (
        "failure-destinations replay --stack Reports --channel Failures --from copies "
        f"--function-name orders:live --id {LARGE.request_id} --yes --region eu-west-1"
    )


def test_calls_no_copy_forged_while_handlers_are_not_known() -> None:
    """A handler that could not be listed may have sent it."""
    found = problems(copies=Copies([paper.FORGED, LARGE], 2), unlisted=paper.DENIED)
    assert found == [
        ("unknown", "no-handlers"),
        ("error", "copies-lost-on-the-way"),
        ("unknown", "copies-not-trusted"),
    ]


def test_sets_a_lost_destination_of_what_is_invoked() -> None:
    """The alias, and not the function; where successes go stays."""
    config = {"DestinationConfig": {"OnSuccess": {"Destination": "arn:done"}}}
    (command,) = commands(finding("handler-destination", **paper.handler(config=config)), [])
    assert command[:7] == [
        *("aws", "lambda", "update-function-event-invoke-config"),
        *("--function-name", "orders", "--qualifier", "live"),
    ]
    assert (
        f'"OnSuccess": {{"Destination": "arn:done"}}, "OnFailure": {{"Destination": "{TOPIC}"}}'
        in (command[-1])
    )


@pytest.mark.parametrize(
    "stormy",
    [
        paper.topic(subscriptions=[paper.OF_QUEUE, paper.PENDING], peak=40.0),
        paper.alarm_topic(subscriptions=paper.of_alarms(PendingConfirmation="true"), peak=40.0),
    ],
)
def test_says_that_a_storm_may_have_suspended_a_mailbox(stormy: dict[str, Any]) -> None:
    """A pending subscription and a burst go together."""
    text = sentence(finding("subscription-pending", **stormy))
    assert "SNS may have suspended it, after 40 messages within a minute" in text


def test_knows_since_when_an_alarm_rings() -> None:
    """Since its state changed, not since CloudWatch looked again."""
    found = finding("alarm-ringing", **paper.alarm(StateValue="ALARM"))
    assert sentence(found) == (
        "is in state ALARM since 2026-11-02 03:03 UTC: Failed events wait in the queue"
    )


@pytest.mark.parametrize(
    ("own", "said"), [(True, "give the monitoring another id"), (False, "another topic")]
)
def test_says_how_to_replace_a_topic(own: bool, said: str) -> None:
    """A new id makes a new topic, unless that is somebody else's."""
    facts = paper.alarm_topic(attributes=None)
    missing = {"monitoring": dataclasses.replace(facts["monitoring"], own_topic=own)}
    assert said in fix_of("topic-missing", **missing)


@pytest.mark.parametrize(
    ("statement", "allowed"),
    [
        ({}, True),
        ({"Principal": "*"}, True),
        ({"Principal": {"Service": ["events.amazonaws.com"]}}, False),
        ({"Action": "SQS:*"}, True),
        ({"NotAction": "sqs:SendMessage"}, False),
        ({"Resource": "arn:aws:sqs:*:*:other"}, False),
        ({"Resource": "arn:aws:sqs:*:?:[q]"}, False),
        ({"Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:*:Failures*"}}}, True),
        ({"Condition": {"StringEquals": {"AWS:SourceAccount": "9"}}}, False),
        ({"Condition": {"StringNotEquals": {"aws:SourceAccount": "9"}}}, True),
        ({"Condition": {"StringEqualsIfExists": {"aws:PrincipalTag/a": "9"}}}, True),
        ({"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}, None),
        ({"Effect": "Deny"}, False),
    ],
)
def test_reads_policies(statement: dict[str, Any], allowed: bool | None) -> None:
    """Principals, patterns and conditions; None where only AWS can judge."""
    given = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": "arn:aws:sqs:eu-west-1:1:q",
        **statement,
    }
    if "NotAction" in given:
        del given["Action"]
    answer = allows(
        {"Statement": given},
        principal="sns.amazonaws.com",
        action="sqs:SendMessage",
        resource="arn:aws:sqs:eu-west-1:1:q",
        context={"aws:SourceArn": TOPIC, "aws:SourceAccount": paper.ACCOUNT},
    )
    assert answer is allowed


def test_a_denial_outweighs() -> None:
    """A statement that denies without TLS does not concern SNS; one without condition does."""
    allow = {"Effect": "Allow", "Principal": "*", "Action": "*"}
    tls = {"Bool": {"aws:SecureTransport": "false"}}
    deny = {"Effect": "Deny", "Principal": "*", "Action": "*"}

    def answer(*statements: Any) -> bool | None:
        return allows(
            {"Statement": list(statements)},
            principal="sns.amazonaws.com",
            action="sqs:SendMessage",
            resource="q",
            context={"aws:SecureTransport": "true"},
        )

    assert answer(allow, {**deny, "Condition": tls}) is True
    assert answer(allow, deny) is False
    assert answer(allow, {**deny, "Condition": {"Null": {"aws:x": "true"}}}) is None


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("NotFound", None),
        ("AuthorizationError", Unknown("sns:GetTopicAttributes")),
        (
            "InternalFailure",
            Unknown(
                "sns:GetTopicAttributes",
                "An error occurred (InternalFailure) when calling the GetTopicAttributes "
                "operation: no",
            ),
        ),
    ],
)
def test_distinguishes_what_does_not_exist_from_what_cannot_be_read(
    code: str, expected: Unknown | None
) -> None:
    """What does not exist is a fact; what could not be read is not known, in AWS's own words."""

    def call() -> None:
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, "GetTopicAttributes")

    assert AwsReader(NoProgress()).read("sns:GetTopicAttributes", call) == expected


def test_a_durable_function_with_its_own_queue_is_well() -> None:
    """It has no destination and no copies, because Lambda supports neither for it."""
    assert problems(**paper.durable()) == []
