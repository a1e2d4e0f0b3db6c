"""Whether a rule's dead letter may be something else than its function would have got.

A rule may transform an event for its target. AWS does not document whether the dead letter then
holds the event before or after that; before, by what people report. So an event that looks as it
came from the bus is only replayed if its rule passes events on as they are.
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from failure_destinations.deployed.location import Location
from failure_destinations.runtime import FailedEvent
from failure_destinations.runtime.json_text import inner_members

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

RuleRefusal = Literal["transformed", "rule-unknown"]
"""`transformed`: the rule does not pass the event on as it is; `rule-unknown`: it may not."""

_RULE = re.compile(
    r"arn:[\w-]+:events:[\w-]+:\d{12}:rule/(?:(?P<bus>[\w./-]+)/)?(?P<name>[\w.-]+)", re.ASCII
)
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html
_EVENT = {"version", "id", "detail-type", "source", "account", "time", "region", "detail"}
_WHOLE_EVENT = "$"
_DEFAULT_BUS = "default"


class RuleInputs:
    """Knows what rules pass to their targets. Reads each rule once.

    Args:
        read: Returns whether a rule passes events to a target as they are, by the rule's and the
            target's ARN; None if it cannot be seen.
    """

    def __init__(self, read: Callable[[str, str], bool | None]) -> None:
        self._read = read
        self._known: dict[tuple[str, str], bool | None] = {}

    def refusal(self, event: FailedEvent) -> RuleRefusal | None:
        """Return why the payload may not be what the function would have got; None if it is."""
        if event.source != "rule-dlq" or not set(inner_members(event.payload)) >= _EVENT:
            return None
        key = (event.rule or "", event.function_arn or "")
        if key not in self._known:
            self._known[key] = self._read(*key)
        passed_on = self._known[key]
        if passed_on is None:
            return "rule-unknown"
        return None if passed_on else "transformed"


AS_THEY_ARE = RuleInputs(lambda _rule, _target: True)


def passes_as_it_is(client: EventBridgeClient, rule_arn: str, target_arn: str) -> bool | None:
    """Return whether a rule passes events to a target as they are; None if it cannot be seen.

    Args:
        client: A boto3 client of EventBridge.
        rule_arn: The rule's ARN.
        target_arn: The target's ARN.

    https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_ListTargetsByRule.html
    """
    from botocore.exceptions import ClientError  # noqa: PLC0415 - start-up time

    rule = _RULE.fullmatch(rule_arn)
    if rule is None or Location.of(rule_arn) != Location.of(target_arn):
        return None
    bus = rule["bus"] or _DEFAULT_BUS
    try:
        paginator = client.get_paginator("list_targets_by_rule")
        pages = paginator.paginate(Rule=rule["name"], EventBusName=bus)
        targets = [target for page in pages for target in page.get("Targets", ())]
    except ClientError:
        # The rule may be gone, or the operator may lack this permission.
        return None
    ours = [target for target in targets if target["Arn"] == target_arn]
    if not ours:
        return None
    return not any(
        "Input" in target
        or "InputTransformer" in target
        or target.get("InputPath", _WHOLE_EVENT) != _WHOLE_EVENT
        for target in ours
    )
