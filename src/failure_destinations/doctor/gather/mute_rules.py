"""Reads the rules that mute alarms."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from failure_destinations.deployed.aws_errors import is_not_offered

from ..facts import MuteRule, NotOffered, Unknown
from .aws_reader import AwsReader

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient

_RULE_ARN = ":alarm-mute-rule:"


def read_mute_rules(
    reader: AwsReader, cloudwatch: CloudWatchClient
) -> Sequence[MuteRule] | Unknown | NotOffered:
    """Return the mute rules that mute any alarm of the account and Region, now or later.

    Few accounts have any, so all are listed, instead of those of each alarm.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListAlarmMuteRules.html

    Args:
        reader: The reader of AWS.
        cloudwatch: A boto3 client of CloudWatch.
    """
    if not hasattr(cloudwatch, "list_alarm_mute_rules"):
        return NotOffered("the installed boto3")
    names = reader.read("cloudwatch:ListAlarmMuteRules", lambda: _names(cloudwatch))
    if isinstance(names, (Unknown, NotOffered)):
        return names
    rules: list[MuteRule] = []
    for name in names or ():
        rule = reader.read(
            "cloudwatch:GetAlarmMuteRule", functools.partial(_rule, cloudwatch, name)
        )
        if isinstance(rule, Unknown):
            return rule
        # Somebody may delete a rule between the two requests.
        if rule is not None:
            rules.append(rule)
    return rules


def _names(cloudwatch: CloudWatchClient) -> list[str] | NotOffered:
    from botocore.exceptions import ClientError  # noqa: PLC0415 - start-up time

    try:
        return list(_listed(cloudwatch))
    except ClientError as error:
        if not is_not_offered(error):
            raise
        return NotOffered("CloudWatch here")


def _listed(cloudwatch: CloudWatchClient) -> Iterator[str]:
    pages = cloudwatch.get_paginator("list_alarm_mute_rules")
    for page in pages.paginate(Statuses=["ACTIVE", "SCHEDULED"]):
        for rule in page.get("AlarmMuteRuleSummaries", []):
            yield rule["AlarmMuteRuleArn"].partition(_RULE_ARN)[2]


def _rule(cloudwatch: CloudWatchClient, name: str) -> MuteRule:
    rule = cloudwatch.get_alarm_mute_rule(AlarmMuteRuleName=name)
    schedule = rule["Rule"]["Schedule"]
    return MuteRule(
        name=name,
        active=rule["Status"] == "ACTIVE",
        schedule=schedule["Expression"],
        duration=schedule["Duration"],
        alarms=rule.get("MuteTargets", {}).get("AlarmNames", []),
    )
