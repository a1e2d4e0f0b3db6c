"""Dead letters of rules that transform events, with EventBridge's own answers.

No engine that runs here sends dead letters of a rule with an input transformer as AWS does.
"""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from failure_destinations.replay.received_message import ReceivedMessage
from failure_destinations.replay.rule_inputs import RuleInputs, passes_as_it_is
from failure_destinations.replay.selection import Selection

from ..runtime import messages
from .test_selection import AUTHORITY

TARGET = messages.RULE_DLQ["TARGET_ARN"]
RULE = messages.RULE_DLQ["RULE_ARN"]
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html
EVENT = json.dumps(
    {
        "version": "0",
        "id": "6f1d0c0e-5a7b-4f0f-9a53-0c6a3d1c7b11",
        "detail-type": "order",
        "source": "shop",
        "account": "111122223333",
        "time": "2026-11-02T03:03:11Z",
        "region": "eu-west-1",
        "resources": [],
        "detail": {"order": 1},
    }
)


@pytest.fixture(scope="module")
def client() -> Any:
    """A client of EventBridge."""
    return boto3.Session("id", "secret", region_name="eu-west-1").client("events")


def asked(client: Any, *targets: dict[str, Any], rule: str = RULE) -> bool | None:
    """Ask about a rule with these targets."""
    _, *bus, name = rule.split("/")
    expected = {"Rule": name, "EventBusName": bus[0] if bus else "default"}
    answer = {"Targets": list(targets)} if targets else {}
    with Stubber(client) as stub:
        stub.add_response("list_targets_by_rule", answer, expected)
        return passes_as_it_is(client, rule, TARGET)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, True),
        ({"InputPath": "$"}, True),
        ({"InputPath": "$.detail"}, False),
        ({"Input": "{}"}, False),
        ({"InputTransformer": {"InputTemplate": "{}"}}, False),
    ],
)
def test_knows_which_targets_get_the_event_itself(
    client: Any, settings: dict[str, Any], expected: bool
) -> None:
    """The whole event is the default, and the path `$`."""
    other = {"Id": "1", "Arn": messages.FUNCTION, "Input": "{}"}
    assert asked(client, other, {"Id": "2", "Arn": TARGET, **settings}) is expected


def test_asks_for_the_rule_on_its_bus(client: Any) -> None:
    """Its ARN names the bus, unless it is the default one."""
    rule = RULE.replace("rule/", "rule/shop/")
    assert asked(client, {"Id": "1", "Arn": TARGET}, rule=rule) is True


def test_does_not_know_a_rule_that_has_no_such_target(client: Any) -> None:
    """It may have been changed since."""
    assert asked(client) is None


@pytest.mark.parametrize("code", ["ResourceNotFoundException", "AccessDeniedException"])
def test_does_not_know_a_rule_that_cannot_be_read(client: Any, code: str) -> None:
    """It is gone, or the operator may not see it."""
    with Stubber(client) as stub:
        stub.add_client_error("list_targets_by_rule", code)
        assert passes_as_it_is(client, RULE, TARGET) is None


@pytest.mark.parametrize("rule", ["", "nightly", RULE.replace("1111", "9999"), f"{RULE}\n"])
def test_asks_for_no_rule_elsewhere(client: Any, rule: str) -> None:
    """A rule of the same name in another account is another rule."""
    with Stubber(client):
        assert passes_as_it_is(client, rule, TARGET) is None


@pytest.mark.parametrize(
    ("payload", "passed_on", "verdict"),
    [
        (EVENT, True, "replay"),
        (EVENT, False, "transformed"),
        (EVENT, None, "rule-unknown"),
        # It does not look as it came from the bus, so it was transformed already.
        ('{"order": 1}', False, "replay"),
        ('"order 1"', None, "replay"),
    ],
)
def test_leaves_an_event_that_its_function_would_not_have_got(
    payload: str, passed_on: bool | None, verdict: str
) -> None:
    """Where the operator names the function for all events, they go as they are."""
    asked_for: list[tuple[str, str]] = []

    def read(rule: str, target: str) -> bool | None:
        asked_for.append((rule, target))
        return passed_on

    rules = RuleInputs(read)
    message = ReceivedMessage.of(messages.message(payload, messages.RULE_DLQ))
    assert Selection(AUTHORITY, rules=rules).verdict(message) == verdict
    assert Selection(AUTHORITY, rules=rules).verdict(message) == verdict
    assert len(asked_for) == (1 if payload == EVENT else 0)
    assert Selection(AUTHORITY, to=messages.FUNCTION, rules=rules).verdict(message) == "replay"
