"""Whatever a template holds, the check ends, and soon."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from failure_destinations.check import find_lost_events

from . import callers
from .callers import ALIAS, ARN, CALLERS, config, one, template
from .event_sources import SOUND, SOURCES, kafka, mapping, stream, to

QUICK = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

NAMES = st.sampled_from(
    ["Function", "Alias", "Version", "Queue", "Caller", "Missing", "AWS::NoValue", "AWS::Region"]
)
TEXTS = NAMES | st.text(max_size=20) | st.sampled_from(["${Function.Arn}", "${", "\ue0000\ue001"])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS
INTRINSICS = st.sampled_from(
    [
        "Ref",
        "Fn::GetAtt",
        "Fn::Sub",
        "Fn::Join",
        "Fn::Split",
        "Fn::Select",
        "Fn::If",
        "Fn::FindInMap",
        "Fn::ImportValue",
        "Fn::GetStackOutput",
        "Fn::ToJsonString",
        "Fn::Length",
        "Fn::ForEach::Loop",
        "Fn::Base64",
        "Condition",
    ]
)
JUNK: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(INTRINSICS, inner, min_size=1, max_size=1)
        | st.dictionaries(TEXTS, inner, max_size=4)
    ),
    max_leaves=15,
)


@QUICK
@given(JUNK)
def test_survives_junk_as_sections(junk: Any) -> None:
    """Every section may be anything."""
    for section in ("Resources", "Parameters", "Outputs", "Mappings", "Transform"):
        find_lost_events(template(callers.rule(ARN)) | {section: junk})


@QUICK
@given(JUNK, JUNK, JUNK)
@example("Name", ["A"], {"Fn::Sub": "Function"})
@example("Name", ["A"], {"Ref": "Name"})
def test_survives_junk_as_loops(identifier: Any, collection: Any, output: Any) -> None:
    """Every part of a loop may be anything."""
    for loop in ([identifier, collection, output], ["Name", ["A", "B"], output], output):
        resources = {"Fn::ForEach::Loop": loop, "Function": callers.FUNCTION}
        find_lost_events(
            {"Transform": "AWS::LanguageExtensions", "Resources": resources, "Outputs": resources}
        )


@QUICK
@given(st.dictionaries(TEXTS, JUNK, max_size=5))
def test_survives_junk_as_resources(resources: dict[str, Any]) -> None:
    """Every resource may be anything."""
    find_lost_events({"Resources": resources})


def polled(function: Any) -> callers.Resources:
    """Event source mappings of a stream, a Kafka cluster and a queue."""
    return {
        **SOURCES,
        **SOUND,
        "Stream": stream(function=function)["Mapping"],
        "Kept": to(callers.QUEUE_ARN, function=function)["Mapping"],
        "Kafka": kafka(function=function)["Mapping"],
    }


@QUICK
@given(st.sampled_from([*CALLERS, polled]), JUNK, st.data())
def test_survives_junk_as_properties(caller: Any, junk: Any, data: st.DataObject) -> None:
    """Every value inside a resource may be anything."""
    checked = copy.deepcopy(template(ALIAS, caller(ARN), config()))
    place: Any = checked["Resources"]
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        inner = place[key]
        if not (isinstance(inner, (dict, list)) and inner) or data.draw(st.booleans()):
            break
        place = inner
    place[key] = junk
    find_lost_events(checked)


def deep(depth: int, value: Any, wrap: Any) -> Any:
    """Return a value wrapped many times."""
    for _ in range(depth):
        value = wrap(value)
    return value


@pytest.mark.parametrize(
    "wrap",
    [
        lambda value: {"Fn::Join": ["", [value]]},
        lambda value: {"Fn::If": ["Condition", value, value]},
        lambda value: {"Fn::Sub": ["${A}", {"A": value}]},
        lambda value: {"Fn::Select": [0, {"Fn::Split": [",", value]}]},
        lambda value: {"Fn::GetAtt": [value, "Arn"]},
        lambda value: [value],
        lambda value: {"Lambda": value},
    ],
    ids=["Join", "If", "Sub", "Split", "GetAtt", "list", "mapping"],
)
def test_survives_deep_nesting(wrap: Any) -> None:
    """A value of thousands of levels counts as unknown."""
    value = deep(3_000, ARN, wrap)
    for caller in (*CALLERS, polled):
        find_lost_events(template(caller(value)))
    find_lost_events(template(SOURCES, mapping(value), to(value), SOUND))
    names = ("RedrivePolicy", "VisibilityTimeout", "MessageRetentionPeriod", "QueueName")
    source = one("AWS::SQS::Queue", dict.fromkeys(names, value))
    alarm = one("AWS::CloudWatch::Alarm", {"Dimensions": value, "Metrics": value})
    find_lost_events(template(SOUND, {"Source": source, "DeadLetters": source, "Alarm": alarm}))
    broken = {"Function": {"Type": value, "Metadata": value}, "Fifo": one("AWS::SQS::Queue", value)}
    fifo = one("AWS::SQS::Queue", {"FifoQueue": value, "QueueName": value})
    find_lost_events(template(callers.rule(ARN), {"Queue": fifo}, config()))
    find_lost_events(template(callers.rule(ARN), broken, config()))


def test_survives_wide_branches() -> None:
    """Conditions in conditions in a list do not multiply without end."""
    either = {"Fn::If": ["A", "b", "c"]}
    joined = {"Fn::Join": ["", [either] * 100]}
    find_lost_events(template(callers.rule(joined), config(destination=joined)))


def test_survives_values_that_repeat_themselves() -> None:
    """YAML's aliases may expand a short text to a very long one."""
    value: Any = "lol"
    for _ in range(30):
        value = {"Fn::Join": ["", [value] * 10]}
    find_lost_events(template(callers.subscription(value)))


def test_survives_values_that_contain_themselves() -> None:
    """YAML's aliases may make a value a part of itself."""
    value: dict[str, Any] = {}
    value["Fn::Join"] = ["", [value]]
    nodes: list[Any] = []
    nodes.append(nodes)
    machine = one("AWS::StepFunctions::StateMachine", {"Definition": {"States": nodes}})
    find_lost_events(template(callers.subscription(value), {"Machine": machine}))


@pytest.mark.parametrize(
    "resources",
    [
        {"Alias": one("AWS::Lambda::Alias", {"FunctionName": {"Ref": "Alias"}, "Name": "a"})},
        {
            "Alias": one("AWS::Lambda::Alias", {"FunctionName": {"Ref": "Other"}, "Name": "a"}),
            "Other": one("AWS::Lambda::Alias", {"FunctionName": {"Ref": "Alias"}, "Name": "b"}),
        },
    ],
)
def test_survives_references_in_a_circle(resources: Any) -> None:
    """What refers to itself is not known."""
    found = find_lost_events(template(resources, callers.rule({"Ref": "Alias"})))
    assert {finding.severity for finding in found} <= {"info", "warning"}


@pytest.mark.parametrize(
    "text",
    [
        "a" * 1_000_000,
        "${" * 500_000,
        "${Function}" * 100_000,
        ":" * 1_000_000,
        "\ue000" * 1_000_000,
    ],
    ids=["plain", "open", "references", "colons", "marks"],
)
def test_survives_long_texts(text: str) -> None:
    """A megabyte of text is read once."""
    find_lost_events(
        template(
            callers.rule({"Fn::Sub": text}),
            config(text, destination={"Fn::Split": [":", text]}),
            {"Subscription": one("AWS::SNS::Subscription", {"Protocol": text, "Endpoint": text})},
            Parameters={"A": {"Type": text, "Default": text}},
        )
    )
