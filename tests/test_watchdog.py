"""FailureWatchdog: its function and code, permissions, schedule, topic and alarms."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import boto3
import pytest
from aws_cdk import aws_chatbot as chatbot
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Annotations, Match
from aws_cdk.aws_lambda_event_sources import KinesisEventSource
from aws_cdk.aws_sns_subscriptions import EmailSubscription

from failure_destinations import (
    FailureChannel,
    FailureDestinationCheck,
    FailureMonitoring,
    FailureNotifier,
    FailureWatchdog,
    find_uncovered_functions,
    permissions,
)

from .conftest import define_handler
from .templates import (
    assert_does_not_warn,
    assert_warns,
    listed,
    logical_id,
    only,
    resources_of,
    template_of,
)
from .test_refusals import refusal

ROOT = Path(__file__).parents[1]
MAILBOX = "developer@example.com"


@pytest.fixture
def channel(stack: cdk.Stack) -> FailureChannel:
    """A channel."""
    return FailureChannel(stack, "Channel", emails=[MAILBOX])


def function_of(stack: cdk.Stack, watchdog: FailureWatchdog) -> Any:
    """Return the properties of the watchdog's function."""
    return resources_of(stack)[logical_id(stack, watchdog.function)]["Properties"]


def statements(stack: cdk.Stack) -> list[dict[str, Any]]:
    """Return the statements of the policy of the watchdog's function."""
    policies = resources_of(stack, "AWS::IAM::Policy").values()
    (policy,) = (
        each["Properties"]["PolicyDocument"]
        for each in policies
        if "cloudformation:GetTemplate" in json.dumps(each)
    )
    return list(policy["Statement"])


def test_runs_every_hour(stack: cdk.Stack, channel: FailureChannel) -> None:
    """Unless it is told otherwise."""
    watchdog = FailureWatchdog(stack, "Watchdog", channel=channel)
    _, schedule = only(stack, "AWS::Scheduler::Schedule")
    assert schedule["ScheduleExpression"] == "rate(1 hour)"
    assert schedule["State"] == "ENABLED"
    function = {"Fn::GetAtt": [logical_id(stack, watchdog.function), "Arn"]}
    assert schedule["Target"]["Arn"] == function


@pytest.mark.parametrize(
    ("every", "rate", "period"),
    [
        (cdk.Duration.minutes(1), "rate(1 minute)", 60),
        (cdk.Duration.minutes(90), "rate(90 minutes)", 5400),
        (cdk.Duration.seconds(120), "rate(2 minutes)", 120),
        (cdk.Duration.days(1), "rate(1 day)", 86_400),
    ],
)
def test_runs_as_often_as_told(
    stack: cdk.Stack, channel: FailureChannel, every: cdk.Duration, rate: str, period: int
) -> None:
    """And the alarm waits for twice as long."""
    watchdog = FailureWatchdog(stack, "Watchdog", channel=channel, every=every)
    _, schedule = only(stack, "AWS::Scheduler::Schedule")
    assert schedule["ScheduleExpression"] == rate
    alarm = resources_of(stack)[logical_id(stack, watchdog.stopped_alarm)]["Properties"]
    assert (alarm["Period"], alarm["EvaluationPeriods"]) == (period, 2)


def test_knows_what_to_examine(stack: cdk.Stack, channel: FailureChannel) -> None:
    """The stack and channel that `doctor` would be told."""
    watchdog = FailureWatchdog(stack, "Watchdog", channel=channel)
    properties = function_of(stack, watchdog)
    (table,) = resources_of(stack, "AWS::DynamoDB::Table")
    assert properties["Environment"]["Variables"] == {
        "STACK": "Stack",
        "CHANNEL": "Channel",
        "TOPIC_ARN": {"Ref": logical_id(stack, watchdog.topic)},
        "TABLE_NAME": {"Ref": table},
    }


def test_knows_what_to_examine_in_a_stage() -> None:
    """The deployed name of a stack begins with its stage's, and the path does not."""
    stage = cdk.Stage(cdk.App(), "Prod")
    stack = cdk.Stack(stage, "Shop")
    scope = cdk.aws_ssm.StringParameter(stack, "Scope", string_value="x")
    channel = FailureChannel(scope, "Channel")
    other = cdk.Stack(stage, "Other")
    FailureWatchdog(other, "Watchdog", channel=channel)
    template = cdk.assertions.Template.from_stack(other).to_json()
    (function,) = (
        each for each in template["Resources"].values() if each["Type"] == "AWS::Lambda::Function"
    )
    variables = function["Properties"]["Environment"]["Variables"]
    assert (variables["STACK"], variables["CHANNEL"]) == ("Prod-Shop", "Scope/Channel")


def test_knows_what_to_examine_in_a_nested_stack(app: cdk.App) -> None:
    """`doctor` finds the channel by the stack around it, and has to read both."""
    stack = cdk.Stack(cdk.Stage(app, "Prod"), "Shop")
    nested = cdk.NestedStack(stack, "Nested")
    FailureWatchdog(nested, "Watchdog", channel=FailureChannel(nested, "Channel"))
    template = cdk.assertions.Template.from_stack(nested).to_json()["Resources"]
    (function,) = (each for each in template.values() if each["Type"] == "AWS::Lambda::Function")
    variables = function["Properties"]["Environment"]["Variables"]
    assert (variables["STACK"], variables["CHANNEL"]) == ("Prod-Shop", "Nested/Channel")
    policies = (each for each in template.values() if each["Type"] == "AWS::IAM::Policy")
    (stacks,) = (
        statement["Resource"]
        for policy in policies
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if "cloudformation:GetTemplate" in statement["Action"]
    )
    ends = [each["Fn::Join"][1][-1] for each in stacks]
    assert ends == [":stack/Prod-Shop/*", ":stack/Prod-Shop-*/*"]


def test_may_read_and_write_nothing_but_its_state(
    stack: cdk.Stack, channel: FailureChannel
) -> None:
    """The policy that docs/doctor.md gives for --quick, its own table, topic, log and queue."""
    watchdog = FailureWatchdog(stack, "Watchdog", channel=channel)
    by_resource = {
        json.dumps(each["Resource"]): listed(each["Action"]) for each in statements(stack)
    }
    (table,) = resources_of(stack, "AWS::DynamoDB::Table")
    logs = logical_id(stack, watchdog.log_group)
    dead_letters = logical_id(stack, channel.dead_letter_queue)
    assert by_resource == {
        json.dumps({"Fn::GetAtt": [logs, "Arn"]}): ["logs:CreateLogStream", "logs:PutLogEvents"],
        json.dumps({"Ref": "AWS::StackId"}): list(permissions.READ_STACK),
        '"*"': list(permissions.EXAMINE),
        json.dumps({"Fn::GetAtt": [table, "Arn"]}): ["dynamodb:GetItem", "dynamodb:PutItem"],
        json.dumps({"Ref": logical_id(stack, watchdog.topic)}): ["sns:Publish"],
        json.dumps({"Fn::GetAtt": [dead_letters, "Arn"]}): ["sqs:SendMessage"],
    }


def test_docs_give_its_permissions() -> None:
    """docs/doctor.md lists them, with those that only a comparison of copies needs."""
    page = (ROOT / "docs" / "doctor.md").read_text(encoding="utf-8")
    (policy,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    (statement,) = json.loads(policy)["Statement"]
    known = (
        *permissions.READ_STACK,
        *permissions.EXAMINE,
        *permissions.EXAMINE_EVENT_SOURCES,
        *permissions.COMPARE,
    )
    assert statement["Action"] == sorted(known)


def test_only_reads() -> None:
    """By the verbs of the actions; IAM simulates without doing anything."""
    known = (
        *permissions.READ_STACK,
        *permissions.EXAMINE,
        *permissions.EXAMINE_EVENT_SOURCES,
    )
    verbs = {action.partition(":")[2] for action in known}
    assert {re.match("[A-Z][a-z]+", verb).group() for verb in verbs} == {  # type: ignore[union-attr]
        "Describe",
        "Get",
        "List",
        "Simulate",
    }


def test_has_the_code_that_doctor_needs(
    stack: cdk.Stack, channel: FailureChannel, tmp_path: Path
) -> None:
    """It starts with the standard library and boto3 alone."""
    watchdog = FailureWatchdog(stack, "Watchdog", channel=channel)
    assembly = Path(stack.node.root.synth().directory)  # type: ignore[attr-defined]
    assets = json.loads((assembly / "Stack.assets.json").read_text())["files"]
    key = function_of(stack, watchdog)["Code"]["S3Key"].partition(".")[0]
    code = assembly / assets[key]["source"]["path"]
    assert {path.name for path in code.iterdir()} == {"failure_destinations"}
    assert {path.suffix for path in code.rglob("*") if path.is_file()} == {".py"}
    program = f"""
import sys
sys.path[:] = [path for path in sys.path if "site-packages" not in path and path]
sys.path[:0] = [{str(code)!r}, {str(tmp_path)!r}]
import failure_destinations.watchdog.handler as handler
import boto3
assert callable(handler.handler), handler
assert handler.__file__.startswith({str(code)!r}), handler.__file__
"""
    # What Lambda's Python has besides the standard library.
    installed = Path(boto3.__file__).parents[1]
    for name in ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six.py", "urllib3"):
        (tmp_path / name).symlink_to(installed / name)
    handler = function_of(stack, watchdog)["Handler"]
    assert handler == "failure_destinations.watchdog.handler.handler"
    subprocess.run([sys.executable, "-I", "-S", "-c", program], check=True)


def test_notifies_the_channels_mailboxes(stack: cdk.Stack, channel: FailureChannel) -> None:
    """Through a topic of its own, also those that are added later."""
    watchdog = FailureWatchdog(stack, "Watchdog", channel=channel)
    channel.add_email("later@example.com")
    topic = {"Ref": logical_id(stack, watchdog.topic)}
    subscribed = [
        each["Properties"]["Endpoint"]
        for each in resources_of(stack, "AWS::SNS::Subscription").values()
        if each["Properties"]["TopicArn"] == topic
    ]
    assert subscribed == [MAILBOX, "later@example.com"]


def test_uses_a_given_topic(stack: cdk.Stack, channel: FailureChannel) -> None:
    """That of a monitoring, for example: its alarms notify it once."""
    monitoring = FailureMonitoring(stack, "Monitoring", channel=channel)
    watchdog = FailureWatchdog(stack, "Watchdog", channel=channel, topic=monitoring.alarm_topic)
    assert watchdog.topic is monitoring.alarm_topic
    topic = {"Ref": logical_id(stack, monitoring.alarm_topic)}
    assert function_of(stack, watchdog)["Environment"]["Variables"]["TOPIC_ARN"] == topic
    for alarm in watchdog.alarms:
        properties = resources_of(stack)[logical_id(stack, alarm)]["Properties"]
        assert properties["AlarmActions"] == [topic]


def test_uses_a_notifier(stack: cdk.Stack, channel: FailureChannel) -> None:
    """Its people get notices and alarms; CloudWatch and the function may publish to its topic."""
    notifier = FailureNotifier(stack, "Notifier", channel=channel)
    watchdog = FailureWatchdog(stack, "Watchdog", channel=channel, notifier=notifier)
    assert watchdog.topic is notifier.topic
    topic = {"Ref": logical_id(stack, notifier.topic)}
    assert topic in [each["Resource"] for each in statements(stack)]
    policies = resources_of(stack, "AWS::SNS::TopicPolicy").values()
    (policy,) = (each for each in policies if each["Properties"]["Topics"] == [topic])
    services = [each["Principal"] for each in policy["Properties"]["PolicyDocument"]["Statement"]]
    assert {"Service": "cloudwatch.amazonaws.com"} in services
    for alarm in watchdog.alarms:
        properties = resources_of(stack)[logical_id(stack, alarm)]["Properties"]
        assert properties["AlarmActions"] == [topic]


def test_writes_for_a_notifiers_chat(stack: cdk.Stack, channel: FailureChannel) -> None:
    """Also one that is added later: chats show nothing that is not in their format."""
    notifier = FailureNotifier(stack, "Notifier", channel=channel)
    watchdog = FailureWatchdog(stack, "Watchdog", channel=channel, notifier=notifier)
    notifier.add_chat(
        chatbot.SlackChannelConfiguration(
            stack,
            "Slack",
            slack_channel_configuration_name="failures",
            slack_workspace_id="T0123456789",
            slack_channel_id="C0123456789",
        )
    )
    assert function_of(stack, watchdog)["Environment"]["Variables"]["CHAT"] == "true"


def test_alarms_when_it_has_not_run(stack: cdk.Stack, channel: FailureChannel) -> None:
    """No data means that it did not run; people also get to know that it runs again."""
    watchdog = FailureWatchdog(stack, "Watchdog", channel=channel)
    alarm = resources_of(stack)[logical_id(stack, watchdog.stopped_alarm)]["Properties"]
    topic = [{"Ref": logical_id(stack, watchdog.topic)}]
    wanted = {
        "MetricName": "Invocations",
        "ComparisonOperator": "LessThanThreshold",
        "Threshold": 1,
        "TreatMissingData": "breaching",
        "AlarmActions": topic,
        "OKActions": topic,
    }
    assert {name: alarm[name] for name in wanted} == wanted
    assert alarm["Dimensions"][0]["Value"] == {"Ref": logical_id(stack, watchdog.function)}


def test_alarms_when_it_fails(stack: cdk.Stack, channel: FailureChannel) -> None:
    """Whatever the reason, also a time-out."""
    watchdog = FailureWatchdog(stack, "Watchdog", channel=channel)
    alarm = resources_of(stack)[logical_id(stack, watchdog.failed_alarm)]["Properties"]
    wanted = {"MetricName": "Errors", "Threshold": 1, "TreatMissingData": "notBreaching"}
    assert {name: alarm[name] for name in wanted} == wanted
    assert alarm["AlarmActions"] == [{"Ref": logical_id(stack, watchdog.topic)}]


@pytest.mark.parametrize("first", ["monitoring", "watchdog"])
def test_monitoring_notifies_of_its_alarms_too(
    stack: cdk.Stack, channel: FailureChannel, first: str
) -> None:
    """In whichever order they are defined: the watchdog's own topic may be what is broken."""
    if first == "watchdog":
        watchdog = FailureWatchdog(stack, "Watchdog", channel=channel)
    monitoring = FailureMonitoring(stack, "Monitoring", channel=channel)
    if first == "monitoring":
        watchdog = FailureWatchdog(stack, "Watchdog", channel=channel)
    assert set(watchdog.alarms) <= set(monitoring.alarms)
    both = [
        {"Ref": logical_id(stack, watchdog.topic)},
        {"Ref": logical_id(stack, monitoring.alarm_topic)},
    ]
    for alarm in watchdog.alarms:
        properties = resources_of(stack)[logical_id(stack, alarm)]["Properties"]
        assert properties["AlarmActions"] == both


def test_alarms_in_the_monitorings_stack_where_references_would_be_circular() -> None:
    """The monitoring's stack refers to the channel's, where the watchdog is."""
    app = cdk.App()
    stack, above = cdk.Stack(app, "Stack"), cdk.Stack(app, "Above")
    channel = FailureChannel(stack, "Channel")
    monitoring = FailureMonitoring(above, "Monitoring", channel=channel)
    watchdog = FailureWatchdog(stack, "Watchdog", channel=channel)
    assert len(set(watchdog.alarms) & set(monitoring.alarms)) == 0
    metrics = [
        each["Properties"]["MetricName"]
        for each in resources_of(above, "AWS::CloudWatch::Alarm").values()
    ]
    assert {"Invocations", "Errors"} <= set(metrics)


def test_encrypts_as_the_channel(stack: cdk.Stack) -> None:
    """Its topic and log, and its role may use the key."""
    key = kms.Key(stack, "Key")
    channel = FailureChannel(stack, "Channel", encryption_key=key, emails=[MAILBOX])
    watchdog = FailureWatchdog(stack, "Watchdog", channel=channel)
    arn = {"Fn::GetAtt": [logical_id(stack, key), "Arn"]}
    found = resources_of(stack)
    topic = found[logical_id(stack, watchdog.topic)]["Properties"]
    assert topic["KmsMasterKeyId"] == arn
    assert found[logical_id(stack, watchdog.log_group)]["Properties"]["KmsKeyId"] == arn
    assert {
        "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
        "Effect": "Allow",
        "Resource": arn,
    } in (statements(stack))
    assert_does_not_warn(stack)


def test_publishes_to_an_encrypted_topic(stack: cdk.Stack, channel: FailureChannel) -> None:
    """A given topic may have a key of its own."""
    key = kms.Key(stack, "Key")
    topic = sns.Topic(stack, "Topic", master_key=key)
    FailureWatchdog(stack, "Watchdog", channel=channel, topic=topic)
    used = {"Fn::GetAtt": [logical_id(stack, key), "Arn"]}
    assert used in [each["Resource"] for each in statements(stack)]


@pytest.mark.parametrize("subscribed", [False, True])
def test_notes_that_nobody_is_subscribed(stack: cdk.Stack, subscribed: bool) -> None:
    """A channel without mailboxes has none for the watchdog's own topic either."""
    channel = FailureChannel(stack, "Channel")
    watchdog = FailureWatchdog(stack, "Watchdog", channel=channel)
    if subscribed:
        watchdog.topic.add_subscription(EmailSubscription(MAILBOX))
    text = Match.string_like_regexp("nobody is subscribed to this watchdog's topic")
    found = Annotations.from_stack(stack).find_info("/Stack/Watchdog", text)
    assert len(found) == (0 if subscribed else 1)


def test_warns_of_an_imported_topic(stack: cdk.Stack, channel: FailureChannel) -> None:
    """Its policy cannot be changed here."""
    topic = sns.Topic.from_topic_arn(stack, "Topic", "arn:aws:sns:eu-west-1:111122223333:people")
    FailureWatchdog(stack, "Watchdog", channel=channel, topic=topic)
    assert_warns(stack, "topic is imported, so its policy cannot be changed here")


def test_is_covered_itself(stack: cdk.Stack, channel: FailureChannel) -> None:
    """The check finds nothing about a function that is called asynchronously, as this one is."""
    channel.notify_failures_of(define_handler(stack))
    FailureMonitoring(stack, "Monitoring", channel=channel)
    FailureWatchdog(stack, "Watchdog", channel=channel)
    assert find_uncovered_functions(template_of(stack)) == []
    cdk.Validations.of(stack).add_plugins(FailureDestinationCheck())
    Annotations.from_stack(stack).has_no_error("*", Match.any_value())


def test_changes_nothing_of_the_channel() -> None:
    """The channel's resources are the same with and without it."""

    def template(*, watched: bool) -> dict[str, Any]:
        stack = cdk.Stack(cdk.App(), "Stack")
        channel = FailureChannel(stack, "Channel", emails=[MAILBOX])
        channel.notify_failures_of(define_handler(stack))
        if watched:
            FailureWatchdog(stack, "Watchdog", channel=channel)
        return {
            id: each for id, each in resources_of(stack).items() if not id.startswith("Watchdog")
        }

    assert template(watched=True) == template(watched=False)


@pytest.mark.parametrize(
    ("every", "got"),
    [
        ("1 hour", "'1 hour'"),
        (60, "60"),
        (True, "True"),
        (cdk.Duration.seconds(30), "30 seconds"),
        (cdk.Duration.days(2), "172800 seconds"),
        (cdk.Duration.seconds(90), "90 seconds"),
        (cdk.Duration.millis(60_500), "60.5 seconds"),
        (cdk.Duration.seconds(cdk.Token.as_number({"Ref": "Every"})), ""),
    ],
)
def test_rejects_an_interval(
    stack: cdk.Stack, channel: FailureChannel, every: Any, got: str
) -> None:
    """EventBridge Scheduler takes whole minutes, which must be known: the alarm depends on them."""
    with refusal("every", got):
        FailureWatchdog(stack, "Watchdog", channel=channel, every=every)
    assert stack.node.try_find_child("Watchdog") is None


def test_rejects_the_channels_topic(stack: cdk.Stack, channel: FailureChannel) -> None:
    """Its messages would be taken for failed events."""
    with refusal("topic", "Stack/Channel/Topic"):
        FailureWatchdog(stack, "Watchdog", channel=channel, topic=channel.topic)


@pytest.mark.parametrize("topic", ["arn:aws:sns:eu-west-1:111122223333:people", 1])
def test_rejects_what_is_not_a_topic(stack: cdk.Stack, channel: FailureChannel, topic: Any) -> None:
    """Text has no subscriptions."""
    with refusal("topic", str(topic)):
        FailureWatchdog(stack, "Watchdog", channel=channel, topic=topic)


def test_rejects_what_is_not_a_notifier(stack: cdk.Stack, channel: FailureChannel) -> None:
    """A topic is passed as such."""
    topic: Any = sns.Topic(stack, "Topic")
    with refusal("notifier"):
        FailureWatchdog(stack, "Watchdog", channel=channel, notifier=topic)


def test_rejects_a_topic_beside_a_notifier(stack: cdk.Stack, channel: FailureChannel) -> None:
    """Either says where the messages go."""
    notifier = FailureNotifier(stack, "Notifier", channel=channel)
    with refusal("topic"):
        FailureWatchdog(
            stack, "Watchdog", channel=channel, notifier=notifier, topic=sns.Topic(stack, "Topic")
        )


def test_rejects_a_notifier_that_refers_to_its_stack(
    app: cdk.App, stack: cdk.Stack, channel: FailureChannel
) -> None:
    """CDK's own error about the circle would name neither."""
    above = cdk.Stack(app, "Above")
    notifier = FailureNotifier(above, "Notifier", channel=channel)
    with refusal("notifier", "Above/Notifier"):
        FailureWatchdog(stack, "Watchdog", channel=channel, notifier=notifier)
    FailureWatchdog(above, "Watchdog", channel=channel, notifier=notifier)
    app.synth()


def test_rejects_a_fifo_topic(stack: cdk.Stack, channel: FailureChannel) -> None:
    """No mailbox can subscribe to it."""
    with refusal("topic", "FIFO"):
        FailureWatchdog(
            stack, "Watchdog", channel=channel, topic=sns.Topic(stack, "Topic", fifo=True)
        )


def test_rejects_a_second_watchdog(stack: cdk.Stack, channel: FailureChannel) -> None:
    """Everything would be said twice."""
    FailureWatchdog(stack, "Watchdog", channel=channel)
    with refusal("channel", "Stack/Watchdog"):
        FailureWatchdog(stack, "Second", channel=channel)


def test_rejects_another_region() -> None:
    """A function sees its own Region only."""
    app = cdk.App()
    here = cdk.Stack(app, "Here", env=cdk.Environment(account="111122223333", region="eu-west-1"))
    there = cdk.Stack(app, "There", env=cdk.Environment(account="111122223333", region="us-east-1"))
    channel = FailureChannel(here, "Channel")
    with refusal("channel", "eu-west-1"):
        FailureWatchdog(there, "Watchdog", channel=channel)


def test_rejects_what_is_not_a_channel(stack: cdk.Stack) -> None:
    """A topic is none."""
    topic: Any = sns.Topic(stack, "Topic")
    with refusal("channel"):
        FailureWatchdog(stack, "Watchdog", channel=topic)


def test_may_examine_source_queues(stack: cdk.Stack, channel: FailureChannel) -> None:
    """Which queues use the dead-letter queues that the channel has for them, and no others."""
    FailureWatchdog(stack, "Watchdog", channel=channel)
    dead_letters = channel.dead_letter_queue_for(sqs.Queue(stack, "Orders"))
    arn = {"Fn::GetAtt": [logical_id(stack, dead_letters), "Arn"]}
    granted = [(each["Resource"], listed(each["Action"])) for each in statements(stack)]
    assert (arn, list(permissions.READ_SOURCE_QUEUES)) in granted


@pytest.mark.parametrize("first", ["event source", "watchdog"])
def test_may_examine_what_keeps_failed_batches(
    stack: cdk.Stack, channel: FailureChannel, first: str
) -> None:
    """Once the channel has event sources: bucket, rule, and how long streams keep records."""

    def use_stream() -> None:
        stream = kinesis.Stream(stack, "Stream")
        source = KinesisEventSource(
            stream,
            starting_position=lambda_.StartingPosition.LATEST,
            retry_attempts=1,
            on_failure=channel.event_source_destination,
        )
        define_handler(stack).add_event_source(source)

    if first == "event source":
        use_stream()
    watchdog = FailureWatchdog(stack, "Watchdog", channel=channel)
    if first == "watchdog":
        use_stream()
    role = logical_id(stack, watchdog.function.role)
    granted = [
        (statement["Resource"], listed(statement["Action"]))
        for policy in resources_of(stack, "AWS::IAM::Policy").values()
        if policy["Properties"]["Roles"] == [{"Ref": role}]
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
    ]
    (bucket,) = resources_of(stack, "AWS::S3::Bucket")
    (rule,) = resources_of(stack, "AWS::Events::Rule")
    for wanted in (
        ({"Fn::GetAtt": [bucket, "Arn"]}, list(permissions.READ_BUCKET)),
        ({"Fn::GetAtt": [rule, "Arn"]}, list(permissions.READ_RULE)),
        ("*", list(permissions.READ_STREAMS)),
        ("*", list(permissions.EXAMINE)),
    ):
        assert wanted in granted
    assert_does_not_warn(stack)
