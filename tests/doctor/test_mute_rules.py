"""Which mute rules doctor reads, with answers in the form of CloudWatch's API."""

from __future__ import annotations

import dataclasses
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from failure_destinations.doctor.facts import MuteRule, NotOffered, Unknown
from failure_destinations.doctor.gather.aws_reader import AwsReader
from failure_destinations.doctor.gather.mute_rules import read_mute_rules
from failure_destinations.doctor.judge.channel import judge
from failure_destinations.doctor.render import fix, sentence
from failure_destinations.progress import NO_PROGRESS

from ..boto3_features import needs_mute_rules
from .paper import CHANNEL, NIGHTLY, WATCH, monitoring

ARN = "arn:aws:cloudwatch:eu-west-1:111122223333:alarm-mute-rule:"


@pytest.fixture
def cloudwatch() -> Any:
    """A client of CloudWatch."""
    return boto3.client(
        "cloudwatch",
        region_name="eu-west-1",
        aws_access_key_id="id",
        aws_secret_access_key="secret",
    )


def read(cloudwatch: Any) -> Any:
    """Return what is read with a client."""
    return read_mute_rules(AwsReader(NO_PROGRESS), cloudwatch)


def list_rules(answers: Stubber, *names: str) -> None:
    """Expect the rules to be listed, each on a page of its own."""
    for number, name in enumerate(names, 1):
        more = {} if number == len(names) else {"NextToken": str(number)}
        asked = {} if number == 1 else {"NextToken": str(number - 1)}
        answers.add_response(
            "list_alarm_mute_rules",
            {"AlarmMuteRuleSummaries": [{"AlarmMuteRuleArn": f"{ARN}{name}"}], **more},
            {"Statuses": ["ACTIVE", "SCHEDULED"], **asked},
        )


def rule(status: str, *alarms: str) -> dict[str, Any]:
    """Return a rule as CloudWatch does."""
    schedule = {"Expression": "cron(0 2 * * *)", "Duration": "PT4H"}
    return {
        "Status": status,
        "Rule": {"Schedule": schedule},
        "MuteTargets": {"AlarmNames": [*alarms]},
    }


@needs_mute_rules
def test_reads_the_rules_that_mute_now_or_later(cloudwatch: Any) -> None:
    """A name may have colons; a rule that is deleted meanwhile is none."""
    with Stubber(cloudwatch) as answers:
        list_rules(answers, "Nightly", "a:b", "Gone")
        asked = [{"AlarmMuteRuleName": name} for name in ("Nightly", "a:b", "Gone")]
        answers.add_response("get_alarm_mute_rule", rule("ACTIVE", WATCH), asked[0])
        answers.add_response("get_alarm_mute_rule", rule("SCHEDULED"), asked[1])
        answers.add_client_error("get_alarm_mute_rule", "ResourceNotFoundException")
        found = read(cloudwatch)
    assert found == [NIGHTLY, MuteRule("a:b", False, "cron(0 2 * * *)", "PT4H", [])]


@needs_mute_rules
@pytest.mark.parametrize("operation", ["list_alarm_mute_rules", "get_alarm_mute_rule"])
def test_names_the_missing_permission(cloudwatch: Any, operation: str) -> None:
    """Of either request."""
    with Stubber(cloudwatch) as answers:
        if operation == "get_alarm_mute_rule":
            list_rules(answers, "Nightly")
        answers.add_client_error(operation, "AccessDenied")
        found = read(cloudwatch)
    action = "".join(word.capitalize() for word in operation.split("_"))
    assert found == Unknown(f"cloudwatch:{action}")


@needs_mute_rules
@pytest.mark.parametrize(
    ("code", "status"),
    [("InvalidAction", 400), ("UnknownOperationException", 400), ("Failed", 501)],
)
def test_says_that_cloudwatch_knows_no_mute_rules(cloudwatch: Any, code: str, status: int) -> None:
    """An engine, or a Region without them."""
    with Stubber(cloudwatch) as answers:
        answers.add_client_error(
            "list_alarm_mute_rules", service_error_code=code, http_status_code=status
        )
        assert read(cloudwatch) == NotOffered("CloudWatch here")


def test_says_that_boto3_knows_no_mute_rules() -> None:
    """The lowest version that is supported does not."""
    found = read(object())
    assert found == NotOffered("the installed boto3")
    channel = dataclasses.replace(CHANNEL, **monitoring(mute_rules=found))
    (said,) = [sentence(each) for each in judge(channel) if each.kind.id == "alarm-muted"]
    assert said == (
        "whether a mute rule mutes its alarms was not checked: the installed boto3 knows no mute "
        "rules"
    )


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, "aws cloudwatch delete-alarm-mute-rule --alarm-mute-rule-name Nightly"),
        (
            {"alarms": [WATCH, "Another"]},
            "take the alarm out of mute rule 'Nightly', which mutes others too",
        ),
        ({"active": False}, None),
    ],
)
def test_deletes_only_a_rule_that_mutes_nothing_else(
    changed: dict[str, Any], expected: str | None
) -> None:
    """Others may mute their alarms on purpose."""
    facts = monitoring(mute_rules=[NIGHTLY._replace(**changed)])
    channel = dataclasses.replace(CHANNEL, **facts)
    (finding,) = [each for each in judge(channel) if each.kind.id == "alarm-muted"]
    assert fix(finding, []) == expected


def test_ignores_rules_of_other_alarms() -> None:
    """Most rules of an account are about something else."""
    facts = monitoring(mute_rules=[NIGHTLY._replace(alarms=["Another"])])
    channel = dataclasses.replace(CHANNEL, **facts)
    assert [each for each in judge(channel) if each.kind.id == "alarm-muted"] == []
