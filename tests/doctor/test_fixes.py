"""What the commands of fixes are: complete, understood by the AWS CLI, and never at odds."""

from __future__ import annotations

import dataclasses
import json
import shlex
import subprocess
from collections.abc import Sequence
from typing import Any

import click
import pytest

from failure_destinations.cli.group import cli
from failure_destinations.doctor.commands import in_shell
from failure_destinations.doctor.facts import Channel, Copies, Queue
from failure_destinations.doctor.fixes import (
    AddStatements,
    AwsCall,
    OwnCommand,
    combine,
    grant_to_role,
    policy_name,
)
from failure_destinations.doctor.judge.channel import judge
from failure_destinations.doctor.render import advice, commands

from ..boto3_features import KNOWS_MUTE_RULES
from . import paper
from .cases import CASES
from .fixing import Call, faults, parsed
from .paper import ACCOUNT, CHANNEL, KEY_ARN, TOPIC, Case

PLACE = ("--profile", "ops", "--region", "eu-west-1")


def commands_of(channel: Channel) -> list[list[str]]:
    """Return the commands of all findings of a channel, shown together."""
    found = list(judge(channel))
    fixes = combine([finding.fix for finding in found])
    return [
        command
        for finding, fix in zip(found, fixes, strict=True)
        for command in commands(dataclasses.replace(finding, fix=fix), PLACE)
    ]


def calls_of(channel: Channel) -> list[Call]:
    """Return what the AWS CLI calls for the fixes of a channel."""
    return [parsed(command) for command in commands_of(channel) if command[0] == "aws"]


BROKEN = dataclasses.replace(
    CHANNEL,
    queue=dataclasses.replace(
        paper.queue("queue", "q", Policy=paper.NO_POLICY), key=paper.key(paper.OWNERS_POLICY)
    ),
    dead_letter_queue=dataclasses.replace(
        paper.queue("dead-letter queue", "d", Policy=paper.NO_POLICY),
        key=paper.key(paper.OWNERS_POLICY),
    ),
    **paper.handler(denied=[paper.PUBLISH, *paper.USE_KEY, paper.SEND], config=None),
    **paper.monitoring(
        alarms=[
            dataclasses.replace(
                paper.ALARM, live={**paper.LIVE, "AlarmActions": [], "ActionsEnabled": False}
            )
        ],
        topic=dataclasses.replace(
            paper.OF_ALARMS,
            attributes=paper.topic_policy(Principal={"Service": "x"}),
            key=paper.key(paper.OWNERS_POLICY),
        ),
    ),
)
# An older boto3 does not have the model of the command that deletes a mute rule.
CHANNELS = [
    *(
        dataclasses.replace(CHANNEL, **case.facts)
        for case in CASES
        if KNOWS_MUTE_RULES or case.kind != "alarm-muted"
    ),
    BROKEN,
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.kind)
def test_every_command_names_profile_and_region(case: Case) -> None:
    """Each of several, too."""
    for command in commands_of(dataclasses.replace(CHANNEL, **case.facts)):
        assert command[-len(PLACE) :] == list(PLACE)


@pytest.mark.parametrize("channel", CHANNELS)
def test_the_aws_cli_understands_every_command(channel: Channel) -> None:
    """Service, operation, options and the shapes of their values, by the CLI's own models."""
    for call in calls_of(channel):
        assert faults(call) == ""
        assert call.place == {"--profile": "ops", "--region": "eu-west-1"}


@pytest.mark.parametrize("channel", CHANNELS)
def test_this_program_understands_every_command(channel: Channel) -> None:
    """Its own commands and their options."""
    for program, name, *words in commands_of(channel):
        if program == "aws":
            continue
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        context = command.make_context(name, list(words))
        assert (context.params["profile"], context.params["region"]) == ("ops", "eu-west-1")


def test_tests_every_operation_that_a_fix_may_call() -> None:
    """Of each service, these."""
    called = {(call.service, call.operation) for channel in CHANNELS for call in calls_of(channel)}
    assert called - {("cloudwatch", "delete-alarm-mute-rule")} == {
        ("cloudwatch", "enable-alarm-actions"),
        ("cloudwatch", "put-metric-alarm"),
        ("events", "enable-rule"),
        ("events", "put-rule"),
        ("events", "put-targets"),
        ("iam", "put-role-policy"),
        ("kms", "cancel-key-deletion"),
        ("kms", "enable-key"),
        ("kms", "put-key-policy"),
        ("lambda", "put-function-event-invoke-config"),
        ("lambda", "update-event-source-mapping"),
        ("lambda", "update-function-configuration"),
        ("lambda", "update-function-event-invoke-config"),
        ("s3", "create-bucket"),
        ("s3", "put-bucket-lifecycle-configuration"),
        ("s3", "put-bucket-notification-configuration"),
        ("scheduler", "update-schedule"),
        ("secretsmanager", "restore-secret"),
        ("sns", "set-subscription-attributes"),
        ("sns", "set-topic-attributes"),
        ("sns", "subscribe"),
        ("sqs", "create-queue"),
        ("sqs", "set-queue-attributes"),
    }


# What each operation writes as a whole is named by these parameters.
WRITES = {
    "put-role-policy": ("RoleName", "PolicyName"),
    "put-key-policy": ("KeyId",),
    "set-topic-attributes": ("TopicArn", "AttributeName"),
    "put-metric-alarm": ("AlarmName",),
    "update-function-configuration": ("FunctionName",),
    "put-function-event-invoke-config": ("FunctionName", "Qualifier"),
}


def test_no_fix_undoes_another() -> None:
    """All together, two commands that write the same thing write the same into it."""
    written: dict[tuple[Any, ...], dict[str, Any]] = {}
    calls = calls_of(BROKEN)
    assert len([call for call in calls if call.operation == "put-key-policy"]) == 3
    for call in calls:
        if call.operation in WRITES:
            target = (call.operation, *(call.parameters[name] for name in WRITES[call.operation]))
            assert written.setdefault(target, call.parameters) == call.parameters
    (alarm,) = [call.parameters for call in calls if call.operation == "put-metric-alarm"]
    assert alarm["ActionsEnabled"] is True


def test_grants_each_resource_in_a_policy_of_its_own() -> None:
    """Topic, key and copy queue: three names, and each grants just what is needed of it."""
    granted = {}
    for call in calls_of(BROKEN):
        if call.operation == "put-role-policy":
            (statement,) = json.loads(call.parameters["PolicyDocument"])["Statement"]
            granted[call.parameters["PolicyName"]] = (statement["Action"], statement["Resource"])
            assert call.parameters["RoleName"] == "orders-role"
    assert sorted(granted.values()) == [
        (["kms:Decrypt", "kms:GenerateDataKey"], KEY_ARN),
        (["sns:Publish"], TOPIC),
        (["sqs:SendMessage"], paper.COPIES.arn),
    ]


def test_grants_all_that_a_resource_takes() -> None:
    """Also what the role has elsewhere: the same policy may be of another handler of the role."""
    lacks_one = dataclasses.replace(CHANNEL, **paper.handler(denied=paper.USE_KEY[:1]))
    (call,) = calls_of(lacks_one)
    (statement,) = json.loads(call.parameters["PolicyDocument"])["Statement"]
    assert statement["Action"] == ["kms:Decrypt", "kms:GenerateDataKey"]


def test_names_policies_as_iam_takes_them() -> None:
    """At most 128 characters of those that IAM knows, and another name for each resource."""
    arns = [
        TOPIC,
        TOPIC.replace("eu-west-1", "eu-west-2"),
        f"{TOPIC}{'x' * 200}",
        f"{TOPIC}{'x' * 201}",
        KEY_ARN,
        f"arn:aws-cn:sqs:cn-north-1:{ACCOUNT}:Failures-CopyQueue",
    ]
    names = [policy_name(arn) for arn in arns]
    assert len(set(names)) == len(names)
    for name in names:
        assert len(name) <= 128
        assert set(name) <= set(
            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+=,.@-"
        )
    assert names[0].startswith("failure-destinations-sns-Failures-Topic-")


def test_combines_what_a_policy_lacks() -> None:
    """Two fixes for one key: each writes both statements, in the same order."""
    sns, cloudwatch = {"Sid": "sns"}, {"Sid": "cloudwatch"}
    policy = {"Version": "2012-10-17", "Statement": {"Sid": "owner"}}
    fixes = combine(
        [
            (AddStatements("key", KEY_ARN, policy, (sns,)),),
            (grant_to_role("r", ["kms:Decrypt"], KEY_ARN),),
            (AddStatements("key", KEY_ARN, policy, (cloudwatch,)),),
            (AddStatements("key", "other", policy, (sns,)),),
        ]
    )
    documents = [
        json.loads(step.call().parameters["Policy"])["Statement"]
        for fix in fixes
        for step in fix
        if isinstance(step, AddStatements)
    ]
    both = [{"Sid": "owner"}, sns, cloudwatch]
    assert documents == [both, both, [{"Sid": "owner"}, sns]]


def test_restores_a_key_that_waits_to_be_deleted_in_two_commands() -> None:
    """Each complete: a shell runs them one after the other."""
    facts = paper.keyed(paper.key_policy(), "PendingDeletion")
    assert [call.operation for call in calls_of(dataclasses.replace(CHANNEL, **facts))] == [
        "cancel-key-deletion",
        "enable-key",
    ]


def test_creates_a_queue_as_the_template_has_it() -> None:
    """With its retention and its key."""
    declared = {"MessageRetentionPeriod": "86400", "KmsMasterKeyId": KEY_ARN}
    gone = Queue("copy queue", paper.COPIES.url, None, declared=declared)
    (call,) = calls_of(dataclasses.replace(CHANNEL, copy_queue=gone))
    assert call.parameters == {"QueueName": "Failures-CopyQueue", "Attributes": declared}


HOSTILE = ["-orders", "--yes", "a b", "a'b", "a\nb", "\x1b[31m", "\u202egnp", "\x85", "$(id)", "\\"]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_from_outside_are_values_of_options(name: str) -> None:
    """Never options themselves, whatever they begin with."""
    call = AwsCall("lambda", "UpdateFunctionConfiguration", {"FunctionName": name})
    own = OwnCommand("list", [("queue", name)])
    finding = next(judge(CHANNEL))
    aws, ours = commands(dataclasses.replace(finding, fix=(call, own)), PLACE)
    assert parsed(aws).parameters == {"FunctionName": name}
    assert ours[2:-4] == ([f"--queue={name}"] if name[0] == "-" else ["--queue", name])


@pytest.mark.parametrize("name", HOSTILE)
def test_shells_read_commands_as_they_are_meant(name: str) -> None:
    """One printable line, of which bash makes the same words again."""
    words = ["printf", "%s\\0", name, f"--queue={name}", "it's"]
    line = in_shell(words)
    assert line.isprintable()
    said = subprocess.run(["bash", "-c", line], check=True, capture_output=True)
    assert said.stdout.decode().split("\0")[:-1] == words[2:]


def test_writes_plain_words_as_every_shell_reads_them() -> None:
    """Nothing of bash is needed where nothing is special."""
    words = ["aws", "sqs", "create-queue", "--queue-name", "orders", "--attributes", '{"a": "b"}']
    assert in_shell(words) == shlex.join(words)


def forged_by(session: str | None) -> Sequence[str]:
    """Return the commands for a forged copy from a session."""
    role = None if session is None else "AROASOMEBODY"
    copies = Copies([paper.copy(7, 262_000, role=role, session=session)], 1)
    (command,) = commands_of(dataclasses.replace(CHANNEL, copies=copies))
    return command


@pytest.mark.parametrize("session", [None, "orders", "grant-admin", "--yes"])
def test_never_replays_a_copy_that_no_handler_sent(session: str | None) -> None:
    """Neither for a user's copy, nor for one under a handler's name: only where to look."""
    assert forged_by(session)[:3] == ["failure-destinations", "list", "--stack"]


def test_a_forged_copy_does_not_hide_a_genuine_one() -> None:
    """Both are said, and only the genuine one is replayed."""
    forged = dataclasses.replace(paper.FORGED, request_id=paper.LARGE.request_id)
    copies = Copies([forged, paper.LARGE], 2)
    replay, look = commands_of(dataclasses.replace(CHANNEL, copies=copies))
    assert (replay[1], look[1]) == ("replay", "list")


def test_permissions_are_of_one_resource() -> None:
    """No fix grants anything on all resources."""
    for channel in CHANNELS:
        for call in calls_of(channel):
            if call.operation == "put-role-policy":
                assert '"*"' not in call.parameters["PolicyDocument"]


DENY = {"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}
DENYING = {"Version": "2012-10-17", "Statement": [DENY]}


@pytest.mark.parametrize(
    "facts",
    [
        {"queue": paper.queue("queue", "q", Policy=json.dumps(DENYING))},
        paper.keyed(DENYING),
        paper.alarm_topic(attributes={"Policy": json.dumps(DENYING)}),
        paper.handler(denied=[dataclasses.replace(paper.PUBLISH, explicit=True)]),
        paper.handler(denied=[dataclasses.replace(paper.SEND, explicit=True)]),
    ],
)
def test_adds_nothing_where_something_denies(facts: paper.Facts) -> None:
    """One statement more would not help: it says what to remove."""
    channel = dataclasses.replace(CHANNEL, **facts)
    (problem,) = [finding for finding in judge(channel) if finding.severity != "ok"]
    assert problem.fix == ()
    assert "the statement" in (advice(problem) or "")
