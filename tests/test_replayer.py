"""FailureReplayer: its function, permissions, times, parked queue and alarm."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import aws_cdk as cdk
import pytest
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Annotations, Match, Template

from failure_destinations import (
    FailureChannel,
    FailureMonitoring,
    FailureNotifiedFunction,
    FailureReplayer,
)
from failure_destinations.constructs import runtime_code as module
from failure_destinations.constructs.replayer import role

from .conftest import define_handler
from .templates import (
    assert_does_not_warn,
    assert_warns,
    is_reference,
    listed,
    logical_id,
    only,
    resources_of,
    template_of,
)
from .test_refusals import refusal

QUEUE_ARN = "arn:aws:sqs:eu-west-1:111122223333:failures"
KEY_ARN = "arn:aws:kms:eu-west-1:111122223333:key/0d5c9e5e-8f6f-4c6c-8a6e-7d1c2b3a4f50"
FUNCTION_ARN = "arn:aws:lambda:eu-west-1:111122223333:function:nightly-report"


@pytest.fixture
def channel(stack: cdk.Stack) -> FailureChannel:
    """A channel."""
    return FailureChannel(stack, "Channel")


@pytest.fixture
def replayer(stack: cdk.Stack, channel: FailureChannel) -> FailureReplayer:
    """The channel's replayer."""
    return FailureReplayer(stack, "Replayer", channel=channel)


def function_of(stack: cdk.Stack, replayer: FailureReplayer) -> Any:
    """Return the properties of the replayer's function."""
    return resources_of(stack)[logical_id(stack, replayer.function)]["Properties"]


def queue_of(stack: cdk.Stack, queue: Any) -> Any:
    """Return the properties of a queue."""
    return resources_of(stack)[logical_id(stack, queue)]["Properties"]


def statements_of(stack: cdk.Stack, replayer: FailureReplayer) -> list[Any]:
    """Return the statements of all the policies of the replayer's role."""
    role = {"Ref": logical_id(stack, replayer.function.role)}
    return [
        statement
        for policy in resources_of(stack, "AWS::IAM::Policy").values()
        if role in policy["Properties"]["Roles"]
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
    ]


def in_order(resources: Any) -> list[Any]:
    """Return the resources of a statement in an order that does not depend on how it lists them."""
    return sorted(listed(resources), key=str)


def invocable(stack: cdk.Stack, replayer: FailureReplayer) -> list[Any]:
    """Return what the role may invoke, by its own policies."""
    resources = [
        statement["Resource"]
        for statement in statements_of(stack, replayer)
        if statement["Action"] == "lambda:InvokeFunction"
    ]
    return [
        one
        for resource in resources
        for one in (resource if isinstance(resource, list) else [resource])
    ]


def arn_of(stack: cdk.Stack, construct: Any) -> dict[str, Any]:
    """Return the reference to a construct's ARN."""
    return {"Fn::GetAtt": [logical_id(stack, construct), "Arn"]}


def stacks_of(app: cdk.App, *ids: str) -> list[cdk.Stack]:
    """Define stacks."""
    return [cdk.Stack(app, id) for id in ids]


@pytest.mark.usefixtures("replayer")
def test_drains_the_channels_queue(stack: cdk.Stack, channel: FailureChannel) -> None:
    """Lambda passes each event to the function, and deletes those not reported as failed."""
    _, source = only(stack, "AWS::Lambda::EventSourceMapping")
    assert source["EventSourceArn"] == arn_of(stack, channel.queue)
    assert (source["BatchSize"], source["Enabled"]) == (1, True)
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert source["ScalingConfig"] == {"MaximumConcurrency": 2}


def test_can_be_switched_off(stack: cdk.Stack, channel: FailureChannel) -> None:
    """Until the bug is fixed the events wait in the queue; then many may replay at once."""
    FailureReplayer(stack, "Replayer", channel=channel, enabled=False, max_concurrency=1000)
    _, source = only(stack, "AWS::Lambda::EventSourceMapping")
    assert source["Enabled"] is False
    assert source["ScalingConfig"] == {"MaximumConcurrency": 1000}


def test_passes_the_settings_to_the_function(stack: cdk.Stack, channel: FailureChannel) -> None:
    """Attempts, backoff and queues reach the function as defined."""
    replayer = FailureReplayer(
        stack, "Replayer", channel=channel, max_attempts=5, backoff=cdk.Duration.hours(11)
    )
    function = function_of(stack, replayer)
    assert function["Environment"]["Variables"] == {
        "QUEUE_URL": {"Ref": logical_id(stack, channel.queue)},
        "PARKED_QUEUE_URL": {"Ref": logical_id(stack, replayer.parked_queue)},
        "MAX_ATTEMPTS": "5",
        "BACKOFF_SECONDS": "39600",
        "HANDLER_SECONDS": "23",
        "COPY_QUEUE_URL": {"Ref": logical_id(stack, channel.copy_queue)},
    }
    assert (function["Runtime"], function["MemorySize"]) == ("python3.14", 256)
    assert "ReservedConcurrentExecutions" not in function


def test_looks_for_no_copies_where_none_are_kept(stack: cdk.Stack) -> None:
    """Without a copy queue, the function does not know of one."""
    channel = FailureChannel(stack, "Channel", keep_copies=False)
    replayer = FailureReplayer(stack, "Replayer", channel=channel)
    assert "COPY_QUEUE_URL" not in function_of(stack, replayer)["Environment"]["Variables"]


def test_waits_15_minutes_by_default(stack: cdk.Stack, replayer: FailureReplayer) -> None:
    """By default there are three attempts, the second after 15 minutes."""
    variables = function_of(stack, replayer)["Environment"]["Variables"]
    assert (variables["MAX_ATTEMPTS"], variables["BACKOFF_SECONDS"]) == ("3", "900")


def test_accepts_numbers_known_at_deployment(stack: cdk.Stack, channel: FailureChannel) -> None:
    """A parameter's value reaches the function and the event source."""
    number = cdk.CfnParameter(stack, "Number", type="Number")
    replayer = FailureReplayer(
        stack,
        "Replayer",
        channel=channel,
        max_attempts=number.value_as_number,  # type: ignore[arg-type]
        backoff=cdk.Duration.seconds(number.value_as_number),
        max_concurrency=number.value_as_number,  # type: ignore[arg-type]
        parked_alarm_threshold=number.value_as_number,  # type: ignore[arg-type]
    )
    variables = function_of(stack, replayer)["Environment"]["Variables"]
    _, source = only(stack, "AWS::Lambda::EventSourceMapping")
    value = {"Ref": "Number"}
    assert (variables["MAX_ATTEMPTS"], variables["BACKOFF_SECONDS"]) == (value, value)
    assert source["ScalingConfig"] == {"MaximumConcurrency": value}
    _, alarm = only(stack, "AWS::CloudWatch::Alarm")
    assert alarm["Threshold"] == value


def test_keeps_parked_events(stack: cdk.Stack, replayer: FailureReplayer) -> None:
    """The parked queue keeps events 14 days, is encrypted and outlives its stack."""
    resource = resources_of(stack)[logical_id(stack, replayer.parked_queue)]
    assert resource["Properties"] == {
        "MessageRetentionPeriod": 1_209_600,
        "SqsManagedSseEnabled": True,
    }
    assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_parks_over_tls_only(stack: cdk.Stack, replayer: FailureReplayer) -> None:
    """The parked queue refuses connections without TLS."""
    queue = {"Ref": logical_id(stack, replayer.parked_queue)}
    (policy,) = (
        policy["Properties"]["PolicyDocument"]["Statement"]
        for policy in resources_of(stack, "AWS::SQS::QueuePolicy").values()
        if queue in policy["Properties"]["Queues"]
    )
    assert policy[0]["Effect"] == "Deny"
    assert policy[0]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_deletes_the_parked_queue_when_asked(stack: cdk.Stack, channel: FailureChannel) -> None:
    """The parked queue of a temporary stack can be deleted with it."""
    replayer = FailureReplayer(
        stack, "Replayer", channel=channel, removal_policy=cdk.RemovalPolicy.DESTROY
    )
    resource = resources_of(stack)[logical_id(stack, replayer.parked_queue)]
    assert resource["DeletionPolicy"] == "Delete"


def test_alarms_on_parked_events(stack: cdk.Stack, replayer: FailureReplayer) -> None:
    """One parked event sets off an alarm until the parked queue is empty."""
    _, alarm = only(stack, "AWS::CloudWatch::Alarm")
    queue = {"Fn::GetAtt": [logical_id(stack, replayer.parked_queue), "QueueName"]}
    assert alarm["Dimensions"] == [{"Name": "QueueName", "Value": queue}]
    assert alarm["MetricName"] == "ApproximateNumberOfMessagesVisible"
    assert (alarm["Threshold"], alarm["Statistic"], alarm["Period"]) == (1, "Maximum", 60)
    assert alarm["TreatMissingData"] == "ignore"
    assert "AlarmActions" not in alarm


def test_alarms_only_on_many_parked_events(app: cdk.App) -> None:
    """The alarm can wait for more events, also in the stack of a separate monitoring."""
    stack, own = stacks_of(app, "Stack", "Own")
    channel = FailureChannel(stack, "Channel")
    replayer = FailureReplayer(stack, "Replayer", channel=channel, parked_alarm_threshold=10)
    FailureMonitoring(own, "Monitoring", channel=channel)
    alarm = resources_of(stack)[logical_id(stack, replayer.parked_alarm)]["Properties"]
    assert alarm["Threshold"] == 10
    (told,) = (
        alarm["Properties"]["Threshold"]
        for id, alarm in resources_of(own, "AWS::CloudWatch::Alarm").items()
        if "ParkedEvents" in id
    )
    assert told == 10


@pytest.mark.parametrize("first", ["monitoring", "replayer"])
def test_notifies_people_through_the_monitoring(
    stack: cdk.Stack, channel: FailureChannel, first: str
) -> None:
    """The alarm about parked events notifies the alarm topic, whichever was defined first."""
    if first == "monitoring":
        monitoring = FailureMonitoring(stack, "Monitoring", channel=channel)
    replayer = FailureReplayer(stack, "Replayer", channel=channel)
    if first == "replayer":
        monitoring = FailureMonitoring(stack, "Monitoring", channel=channel)
    alarm = resources_of(stack)[logical_id(stack, replayer.parked_alarm)]["Properties"]
    assert alarm["AlarmActions"] == [{"Ref": logical_id(stack, monitoring.alarm_topic)}]
    assert replayer.parked_alarm in monitoring.alarms


@pytest.mark.parametrize("where", ["Own", "Channel", "Replayer"])
def test_notifies_people_through_a_monitoring_of_another_stack(app: cdk.App, where: str) -> None:
    """The alarm notifies people in every division of stacks, without a cycle."""
    stacks = dict(zip(("Channel", "Replayer", "Own"), stacks_of(app, "A", "B", "C"), strict=True))
    channel = FailureChannel(stacks["Channel"], "Channel")
    replayer = FailureReplayer(stacks["Replayer"], "Replayer", channel=channel)
    FailureMonitoring(stacks[where], "Monitoring", channel=channel)
    alarm = resources_of(stacks["Replayer"])[logical_id(stacks["Replayer"], replayer.parked_alarm)][
        "Properties"
    ]
    assert len(alarm["AlarmActions"]) == 1


def test_is_watched_where_its_stack_cannot_refer_to_the_topic(app: cdk.App) -> None:
    """A monitoring in its own stack has the alarm if the replayer is beside the channel."""
    stack, own = stacks_of(app, "Stack", "Own")
    channel = FailureChannel(stack, "Channel")
    replayer = FailureReplayer(stack, "Replayer", channel=channel)
    monitoring = FailureMonitoring(own, "Monitoring", channel=channel)
    told = [
        alarm["Properties"]
        for id, alarm in resources_of(own, "AWS::CloudWatch::Alarm").items()
        if "ParkedEvents" in id
    ]
    assert [alarm["AlarmActions"] for alarm in told] == [
        [{"Ref": logical_id(own, monitoring.alarm_topic)}]
    ]
    assert (
        "AlarmActions"
        not in resources_of(stack)[logical_id(stack, replayer.parked_alarm)]["Properties"]
    )


def test_may_do_what_it_needs_and_nothing_else(
    stack: cdk.Stack, channel: FailureChannel, replayer: FailureReplayer
) -> None:
    """The role reads one queue, sends to one, writes one log and invokes the handlers."""
    one, other = define_handler(stack, "One"), define_handler(stack, "Other")
    channel.notify_failures_of(one)
    channel.notify_failures_of(other)
    define_handler(stack, "OfNoChannel")
    # A handler may have a log group of its own, by a flag of the CDK.
    (log_group,) = (
        id for id in resources_of(stack, "AWS::Logs::LogGroup") if id.startswith("Replayer")
    )
    statements = statements_of(stack, replayer)
    # A flag of the CDK sorts resources.
    assert [(s["Action"], in_order(s["Resource"]), s["Effect"]) for s in statements] == [
        (
            ["logs:CreateLogStream", "logs:PutLogEvents"],
            in_order({"Fn::GetAtt": [log_group, "Arn"]}),
            "Allow",
        ),
        (
            [
                "sqs:ChangeMessageVisibility",
                "sqs:DeleteMessage",
                "sqs:GetQueueAttributes",
                "sqs:ReceiveMessage",
            ],
            in_order([arn_of(stack, channel.queue), arn_of(stack, channel.copy_queue)]),
            "Allow",
        ),
        ("sqs:SendMessage", in_order(arn_of(stack, replayer.parked_queue)), "Allow"),
        ("lambda:InvokeFunction", in_order([arn_of(stack, one), arn_of(stack, other)]), "Allow"),
    ]
    role = resources_of(stack)[logical_id(stack, replayer.function.role)]["Properties"]
    assert "ManagedPolicyArns" not in role
    assert "Policies" not in role


def test_keeps_its_log_a_month(stack: cdk.Stack, replayer: FailureReplayer) -> None:
    """The function writes to its own log group, which is deleted with the stack."""
    (id, resource), *_ = resources_of(stack, "AWS::Logs::LogGroup").items()
    assert resource["Properties"] == {"RetentionInDays": 30}
    assert resource["DeletionPolicy"] == "Delete"
    assert function_of(stack, replayer)["LoggingConfig"] == {"LogGroup": {"Ref": id}}


def test_uses_the_channels_key(stack: cdk.Stack) -> None:
    """The key encrypts the parked queue and the log; the role and the log may use it."""
    key = kms.Key(stack, "Key")
    channel = FailureChannel(stack, "Channel", encryption_key=key)
    replayer = FailureReplayer(stack, "Replayer", channel=channel)
    arn = arn_of(stack, key)
    _, log_group = only(stack, "AWS::Logs::LogGroup")
    assert queue_of(stack, replayer.parked_queue)["KmsMasterKeyId"] == arn
    assert log_group["KmsKeyId"] == arn
    assert [s for s in statements_of(stack, replayer) if "kms" in str(s["Action"])] == [
        {"Action": ["kms:Decrypt", "kms:GenerateDataKey*"], "Effect": "Allow", "Resource": arn}
    ]
    _, properties = only(stack, "AWS::KMS::Key")
    *_, statement = properties["KeyPolicy"]["Statement"]
    assert statement["Principal"]["Service"]["Fn::Join"][1][0] == "logs."
    (pattern,) = statement["Condition"]["ArnLike"].values()
    assert pattern["Fn::Join"][1][-1] == ":log-group:*"


def test_warns_of_an_imported_key_for_the_log(stack: cdk.Stack) -> None:
    """The policy of an imported key has to let CloudWatch Logs use it."""
    key = kms.Key.from_key_arn(stack, "Key", KEY_ARN)
    channel = FailureChannel(stack, "Channel", encryption_key=key)
    FailureReplayer(stack, "Replayer", channel=channel)
    assert_warns(stack, "replayer's log group")


def test_reads_a_given_queue_with_its_key(stack: cdk.Stack) -> None:
    """The role may use the key of a queue given to the channel, to read only."""
    key = kms.Key(stack, "Key")
    queue = sqs.Queue(
        stack, "Queue", encryption_master_key=key, visibility_timeout=cdk.Duration.hours(2)
    )
    channel = FailureChannel(stack, "Channel", queue=queue)
    replayer = FailureReplayer(stack, "Replayer", channel=channel)
    assert [s for s in statements_of(stack, replayer) if "kms" in str(s["Action"])] == [
        {"Action": "kms:Decrypt", "Effect": "Allow", "Resource": arn_of(stack, key)}
    ]


def test_invokes_what_is_called(
    stack: cdk.Stack, channel: FailureChannel, replayer: FailureReplayer
) -> None:
    """The role may invoke an attached alias or version, not its function."""
    live = define_handler(stack, "One").latest_version.add_alias("live")
    version = define_handler(stack, "Other").current_version
    channel.notify_failures_of(live)
    channel.notify_failures_of(version)
    of_alias, of_version = invocable(stack, replayer)
    assert of_alias == {"Ref": logical_id(stack, live)}
    version_id, _ = only(stack, "AWS::Lambda::Version")
    assert of_version == {"Ref": version_id}


def test_starts_only_once_it_may_invoke(
    stack: cdk.Stack, channel: FailureChannel, replayer: FailureReplayer
) -> None:
    """The function gets events only once it may invoke the handlers."""
    channel.notify_failures_of(define_handler(stack))
    (source,) = resources_of(stack, "AWS::Lambda::EventSourceMapping").values()
    (policy,) = (id for id in resources_of(stack, "AWS::IAM::Policy") if "InvokePolicy" in id)
    assert policy in source["DependsOn"]
    function = resources_of(stack)[logical_id(stack, replayer.function)]
    assert policy not in function["DependsOn"]


def test_a_handler_may_refer_to_the_replayer(
    stack: cdk.Stack, channel: FailureChannel, replayer: FailureReplayer
) -> None:
    """A handler that refers to the replayer's function makes no cycle."""
    handler = define_handler(stack)
    handler.add_environment("REPLAYER", replayer.function.function_name)
    channel.notify_failures_of(handler)
    template = template_of(stack)
    function = logical_id(stack, replayer.function)
    assert logical_id(stack, handler) not in reachable(template, function)


def reachable(template: Mapping[str, Any], start: str) -> set[str]:
    """Return the resources that a resource refers to or depends on, directly or not."""
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        resource = template["Resources"].get(waiting.pop())
        for id in template["Resources"]:
            if resource and id not in seen and f'"{id}"' in json.dumps(resource):
                seen.add(id)
                waiting.append(id)
    return seen


@pytest.mark.parametrize("first", ["replayer", "handler"])
def test_a_handler_of_another_stack_lets_it_in(app: cdk.App, first: str) -> None:
    """The permission is beside the handler, so its stack refers to the replayer's stack."""
    stack, handlers = stacks_of(app, "Stack", "Handlers")
    channel = FailureChannel(stack, "Channel")
    live = define_handler(handlers).add_alias("live")
    if first == "handler":
        channel.notify_failures_of(live)
    replayer = FailureReplayer(stack, "Replayer", channel=channel)
    if first == "replayer":
        channel.notify_failures_of(live)
    _, permission = only(handlers, "AWS::Lambda::Permission")
    assert permission["Action"] == "lambda:InvokeFunction"
    assert permission["FunctionName"] == {"Ref": logical_id(handlers, live)}
    assert is_reference(permission["Principal"])
    assert "ReplayerRole" in str(permission["Principal"])
    assert invocable(stack, replayer) == []
    assert stack.dependencies == []


def test_serves_a_channel_from_a_third_stack(app: cdk.App) -> None:
    """Its role covers handlers of the channel's stack; handlers of others let it in."""
    stack, handlers, own = stacks_of(app, "Stack", "Handlers", "Own")
    channel = FailureChannel(stack, "Channel")
    channel.notify_failures_of(define_handler(stack, "Beside"))
    channel.notify_failures_of(define_handler(handlers, "Afar"))
    replayer = FailureReplayer(own, "Replayer", channel=channel)
    assert len(invocable(own, replayer)) == 1
    assert len(resources_of(handlers, "AWS::Lambda::Permission")) == 1
    assert resources_of(stack, "AWS::Lambda::Permission") == {}
    assert own.dependencies == [stack]


@pytest.mark.parametrize("where", ["Stack", "Own", "Notified"])
def test_a_notified_function_in_another_stack_than_its_handler(app: cdk.App, where: str) -> None:
    """The handler's stack gets nothing, in whichever stack the replayer is."""
    stacks = {id: cdk.Stack(app, id) for id in ("Stack", "Own", "Notified", "Handlers")}
    channel = FailureChannel(stacks["Stack"], "Channel")
    replayer = FailureReplayer(stacks[where], "Replayer", channel=channel)
    handler = define_handler(stacks["Handlers"])
    FailureNotifiedFunction(stacks["Notified"], "Notified", handler=handler, channel=channel)
    permissions = len(resources_of(stacks["Notified"], "AWS::Lambda::Permission"))
    assert permissions + len(invocable(stacks[where], replayer)) == 1
    assert (permissions == 0) is (where == "Notified")
    assert resources_of(stacks["Handlers"], "AWS::Lambda::Permission") == {}
    assert stacks["Handlers"].dependencies == []


def test_replays_in_a_stage(app: cdk.App) -> None:
    """In a stage, stacks refer to each other as they do in an app."""
    stage = cdk.Stage(app, "Production")
    stack, handlers = cdk.Stack(stage, "Stack"), cdk.Stack(stage, "Handlers")
    channel = FailureChannel(stack, "Channel")
    FailureReplayer(stack, "Replayer", channel=channel)
    channel.notify_failures_of(define_handler(handlers))
    assert len(resources_of(handlers, "AWS::Lambda::Permission")) == 1


def test_an_imported_function_in_the_replayers_stack(
    stack: cdk.Stack, channel: FailureChannel, replayer: FailureReplayer
) -> None:
    """An imported function may be invoked by its ARN; Lambda's longest timeout is assumed."""
    imported = lambda_.Function.from_function_attributes(
        stack,
        "Imported",
        function_arn=FUNCTION_ARN,
        role=iam.Role.from_role_name(stack, "ImportedRole", "nightly-report-role"),
        same_environment=True,
    )
    channel.notify_failures_of(imported)
    assert invocable(stack, replayer) == [FUNCTION_ARN]
    assert function_of(stack, replayer)["Timeout"] == 900
    assert queue_of(stack, channel.queue)["VisibilityTimeout"] == 5400


@pytest.mark.parametrize(
    ("timeouts", "expected"),
    [([], 33), ([None], 33), ([60, 20], 90), ([10, 300], 330), ([871], 900), ([900], 900)],
    ids=str,
)
def test_takes_its_times_from_the_handlers(
    stack: cdk.Stack, channel: FailureChannel, timeouts: list[int | None], expected: int
) -> None:
    """The function waits for the slowest handler; SQS hides an event for six times that."""
    replayer = FailureReplayer(stack, "Replayer", channel=channel)
    for number, timeout in enumerate(timeouts):
        settings = {} if timeout is None else {"timeout": cdk.Duration.seconds(timeout)}
        channel.notify_failures_of(define_handler(stack, f"Handler{number}", **settings))
    function = function_of(stack, replayer)
    assert function["Timeout"] == expected
    assert function["Environment"]["Variables"]["HANDLER_SECONDS"] == str(expected - 10)
    assert queue_of(stack, channel.queue)["VisibilityTimeout"] == 6 * expected


@pytest.mark.parametrize("attached", ["before", "after"])
def test_refuses_a_handler_that_outlives_the_replayer(
    stack: cdk.Stack, channel: FailureChannel, attached: str
) -> None:
    """Also if its timeout grows after it was attached; an alias stands for its function."""
    if attached == "after":
        FailureReplayer(stack, "Replayer", channel=channel)
    handler = define_handler(stack, timeout=cdk.Duration.seconds(60))
    channel.notify_failures_of(handler.add_alias("live"))
    if attached == "before":
        FailureReplayer(stack, "Replayer", channel=channel)
    cast(lambda_.CfnFunction, handler.node.default_child).timeout = 901
    with pytest.raises(RuntimeError) as error:
        Template.from_stack(stack)
    for words in ("must be at most 900 seconds, got 901", "channel without a FailureReplayer"):
        assert words in str(error.value)


def test_refuses_a_handler_that_isolates_tenants(
    stack: cdk.Stack, channel: FailureChannel, replayer: FailureReplayer
) -> None:
    """No record names its tenant, and Lambda rejects an invocation without one."""
    isolated = define_handler(stack, tenancy_config=lambda_.TenancyConfig.PER_TENANT)
    channel.notify_failures_of(isolated)
    with pytest.raises(RuntimeError) as error:
        Template.from_stack(stack)
    for words in (f"{isolated.node.path} must not have tenancy_config", "replay --tenant-id"):
        assert words in str(error.value)
    assert replayer.node.path in str(error.value)


def test_allows_lambdas_longest_timeout_for_a_token(
    stack: cdk.Stack, channel: FailureChannel, replayer: FailureReplayer
) -> None:
    """For a timeout known only at deployment, Lambda's longest is assumed."""
    seconds = cdk.CfnParameter(stack, "Seconds", type="Number").value_as_number
    channel.notify_failures_of(define_handler(stack, timeout=cdk.Duration.seconds(seconds)))
    assert function_of(stack, replayer)["Timeout"] == 900


def test_leaves_a_channel_without_replayer_alone(stack: cdk.Stack, channel: FailureChannel) -> None:
    """Only a replayer sets the visibility timeout."""
    assert "VisibilityTimeout" not in queue_of(stack, channel.queue)


@pytest.mark.parametrize("seconds", [None, 539])
def test_warns_of_a_given_queue_that_hides_too_briefly(
    stack: cdk.Stack, seconds: int | None
) -> None:
    """The warning names the seconds for the slowest handler, also one defined later."""
    timeout = None if seconds is None else cdk.Duration.seconds(seconds)
    queue = sqs.Queue(stack, "Queue", visibility_timeout=timeout)
    channel = FailureChannel(stack, "Channel", queue=queue)
    FailureReplayer(stack, "Replayer", channel=channel)
    channel.notify_failures_of(define_handler(stack, timeout=cdk.Duration.seconds(60)))
    assert_warns(stack, f"is {seconds or 30} seconds: set it to 540 seconds.*less than 90 seconds")


def test_accepts_a_given_queue_that_hides_long_enough(stack: cdk.Stack) -> None:
    """Six times the function's timeout is enough, and the queue is left as it is."""
    queue = sqs.Queue(stack, "Queue", visibility_timeout=cdk.Duration.seconds(540))
    channel = FailureChannel(stack, "Channel", queue=queue)
    FailureReplayer(stack, "Replayer", channel=channel)
    channel.notify_failures_of(define_handler(stack, timeout=cdk.Duration.seconds(60)))
    assert queue_of(stack, queue)["VisibilityTimeout"] == 540
    assert_does_not_warn(stack)


def test_warns_of_an_imported_queue_that_may_hide_too_briefly(stack: cdk.Stack) -> None:
    """The visibility timeout of an imported queue is not known."""
    queue = sqs.Queue.from_queue_arn(stack, "Queue", QUEUE_ARN)
    FailureReplayer(stack, "Replayer", channel=FailureChannel(stack, "Channel", queue=queue))
    assert_warns(stack, "is not known here: set it to 198 seconds")


@pytest.mark.parametrize(("max_attempts", "receives"), [(3, 3), (3, 103), (50, 150)])
def test_warns_of_a_given_queue_that_gives_events_up(
    stack: cdk.Stack, max_attempts: int, receives: int
) -> None:
    """A redrive policy must leave the replayer all the receives that it may need."""
    queue = queue_with_redrive(stack, receives)
    channel = FailureChannel(stack, "Channel", queue=queue)
    FailureReplayer(stack, "Replayer", channel=channel, max_attempts=max_attempts)
    assert_warns(
        stack, f"after {receives} receives: .*maxReceiveCount of {max_attempts + 101} or more"
    )


def test_warns_of_a_redrive_policy_set_later(stack: cdk.Stack) -> None:
    """The queue is read once the app is complete, also what is set on its resource."""
    queue = sqs.Queue(stack, "Queue", visibility_timeout=cdk.Duration.hours(2))
    FailureReplayer(stack, "Replayer", channel=FailureChannel(stack, "Channel", queue=queue))
    resource: Any = queue.node.default_child
    resource.redrive_policy = {"deadLetterTargetArn": QUEUE_ARN, "maxReceiveCount": "5"}
    assert_warns(stack, "after 5 receives")


def test_accepts_a_redrive_policy_with_receives_to_spare(stack: cdk.Stack) -> None:
    """With enough receives, the replayer gives an event up before SQS does."""
    queue = queue_with_redrive(stack, 104)
    FailureReplayer(stack, "Replayer", channel=FailureChannel(stack, "Channel", queue=queue))
    assert_does_not_warn(stack)


def test_warns_of_an_imported_queue_that_may_give_events_up(stack: cdk.Stack) -> None:
    """The redrive policy of an imported queue is not known."""
    queue = sqs.Queue.from_queue_arn(stack, "Queue", QUEUE_ARN)
    FailureReplayer(stack, "Replayer", channel=FailureChannel(stack, "Channel", queue=queue))
    assert_warns(
        stack, "known here whether it has a redrive policy: .*maxReceiveCount of 104 or more"
    )


def queue_with_redrive(stack: cdk.Stack, receives: int) -> sqs.Queue:
    """Define a queue that gives a message up after some receives."""
    return sqs.Queue(
        stack,
        "Queue",
        visibility_timeout=cdk.Duration.hours(2),
        dead_letter_queue=sqs.DeadLetterQueue(
            queue=sqs.Queue(stack, "GivenUp"), max_receive_count=receives
        ),
    )


@pytest.mark.parametrize("first", ["replayer", "handler"])
def test_warns_of_successes_that_a_replay_does_not_report(
    stack: cdk.Stack, channel: FailureChannel, first: str
) -> None:
    """Lambda sends records of asynchronous invocations only, and a replay is synchronous."""
    if first == "replayer":
        FailureReplayer(stack, "Replayer", channel=channel)
    successes = destinations.SqsDestination(sqs.Queue(stack, "Successes"))
    channel.notify_failures_of(define_handler(stack, "One"), on_success=successes)
    channel.notify_failures_of(define_handler(stack, "Other"))
    if first == "handler":
        FailureReplayer(stack, "Replayer", channel=channel)
    assert_warns(stack, "Stack/One has on_success, .*synchronous")
    Annotations.from_stack(stack).has_no_warning("*", Match.string_like_regexp("Stack/Other"))


def test_warns_of_more_handlers_than_a_policy_holds(
    stack: cdk.Stack, channel: FailureChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """IAM would refuse the policy only at deployment."""
    monkeypatch.setattr(role, "MAX_INVOCABLE", 2)
    FailureReplayer(stack, "Replayer", channel=channel)
    for id in ("One", "Two", "Three", "Four"):
        channel.notify_failures_of(define_handler(stack, id))
    assert_warns(stack, "more than 2 handlers .*10,240 characters")


def test_accepts_as_many_handlers_as_a_policy_holds(
    app: cdk.App, stack: cdk.Stack, channel: FailureChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of another stack do not count."""
    monkeypatch.setattr(role, "MAX_INVOCABLE", 1)
    FailureReplayer(stack, "Replayer", channel=channel)
    channel.notify_failures_of(define_handler(stack))
    channel.notify_failures_of(define_handler(cdk.Stack(app, "Handlers")))
    assert_does_not_warn(stack)


def test_lets_others_read_what_is_parked(stack: cdk.Stack, replayer: FailureReplayer) -> None:
    """A role can be allowed to read and delete parked events."""
    operator = iam.Role(stack, "Operator", assumed_by=iam.AccountRootPrincipal())
    replayer.grant_consume_parked(operator)
    (statement,) = (
        statement
        for id, policy in resources_of(stack, "AWS::IAM::Policy").items()
        if id.startswith("Operator")
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
    )
    assert statement["Resource"] == arn_of(stack, replayer.parked_queue)


CODE = sorted(path.name for path in (module.PACKAGE / "runtime").glob("*.py"))


def asset_of(folder: Path) -> Path:
    """Return the asset of the one function with a handler in the package."""
    (asset,) = (path for path in folder.glob("asset.*") if (path / "runtime").is_dir())
    return asset


def synthesised(folder: Path) -> Path:
    """Synthesise an app with a replayer and return the asset."""
    app = cdk.App(outdir=str(folder))
    stack = cdk.Stack(app, "Stack")
    FailureReplayer(stack, "Replayer", channel=FailureChannel(stack, "Channel"))
    app.synth()
    return asset_of(folder)


def test_deploys_the_runtime_alone_from_the_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The asset is runtime/*.py alone, and the same from an installed wheel."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        check=True,
        capture_output=True,
        cwd=Path(__file__).parents[1],
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    package = tmp_path / "installed" / "failure_destinations"
    for name in ("__pycache__/failed_event.pyc", "notes.txt", ".hidden.py.swp"):
        file = package / "runtime" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("not for Lambda")
    here = synthesised(tmp_path / "here")
    monkeypatch.setattr(module, "PACKAGE", package)
    installed = synthesised(tmp_path / "there")
    files = sorted(path.relative_to(installed).as_posix() for path in installed.rglob("*.*"))
    assert files == [f"runtime/{name}" for name in CODE]
    assert installed.name == here.name


def test_the_asset_runs_without_the_library(tmp_path: Path) -> None:
    """The handler imports from the asset alone, and loads neither CDK nor the library."""
    asset = synthesised(tmp_path)
    code = (
        "import sys\n"
        f"sys.path.insert(0, {str(asset)!r})\n"
        "from runtime.replayer import handler\n"
        "print([m for m in sys.modules if 'jsii' in m or m.startswith('failure_destinations.')])"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("channel", [None, "Channel", sns.Topic, object()])
def test_rejects_what_is_not_a_channel(stack: cdk.Stack, channel: Any) -> None:
    """A channel's queue, topic or name is not a channel."""
    with refusal("channel"):
        FailureReplayer(stack, "Replayer", channel=channel)


@pytest.mark.usefixtures("replayer")
def test_rejects_a_second_replayer(stack: cdk.Stack, channel: FailureChannel) -> None:
    """Two replayers would share the attempts of each event."""
    with refusal("channel", "Stack/Replayer"):
        FailureReplayer(stack, "Another", channel=channel)


def test_rejects_a_channel_of_another_region(app: cdk.App) -> None:
    """Lambda reads queues of its own Region only."""
    here = cdk.Stack(app, "Here", env=cdk.Environment(region="eu-west-1"))
    there = cdk.Stack(app, "There", env=cdk.Environment(region="us-east-1"))
    channel = FailureChannel(there, "Channel")
    with refusal("channel", "us-east-1"):
        FailureReplayer(here, "Replayer", channel=channel)


@pytest.mark.parametrize("value", [0, -1, 101, True, 1.0, "3", None])
def test_rejects_max_attempts_outside_its_bounds(
    stack: cdk.Stack, channel: FailureChannel, value: Any
) -> None:
    """max_attempts is 1 to 100, and True is not 1."""
    with refusal("max_attempts", repr(value)):
        FailureReplayer(stack, "Replayer", channel=channel, max_attempts=value)


@pytest.mark.parametrize(
    "value",
    [
        cdk.Duration.seconds(0),
        cdk.Duration.millis(1500),
        cdk.Duration.seconds(39_601),
        60,
    ],
    ids=["0 s", "1.5 s", "11 h 1 s", "int"],
)
def test_rejects_backoff_outside_its_bounds(
    stack: cdk.Stack, channel: FailureChannel, value: Any
) -> None:
    """SQS hides a message for whole seconds, and not longer than 12 hours."""
    with refusal("backoff"):
        FailureReplayer(stack, "Replayer", channel=channel, backoff=value)


@pytest.mark.parametrize("value", [0, 1, 1001, True, 2.0, "2", None])
def test_rejects_max_concurrency_outside_lambdas_bounds(
    stack: cdk.Stack, channel: FailureChannel, value: Any
) -> None:
    """Lambda's bounds are 2 and 1,000."""
    with refusal("max_concurrency", repr(value)):
        FailureReplayer(stack, "Replayer", channel=channel, max_concurrency=value)


@pytest.mark.parametrize("value", [0, -1, 1_000_001, True, 1.0, "1", None])
def test_rejects_a_parked_alarm_threshold_outside_its_bounds(
    stack: cdk.Stack, channel: FailureChannel, value: Any
) -> None:
    """With a threshold of 0 the alarm would always be on."""
    with refusal("parked_alarm_threshold", repr(value)):
        FailureReplayer(stack, "Replayer", channel=channel, parked_alarm_threshold=value)


@pytest.mark.parametrize("value", [None, 0, 1, "false"])
def test_rejects_enabled_that_is_not_a_bool(
    stack: cdk.Stack, channel: FailureChannel, value: Any
) -> None:
    """A text such as 'false' would count as true."""
    with refusal("enabled", repr(value)):
        FailureReplayer(stack, "Replayer", channel=channel, enabled=value)


def test_rejects_a_bad_removal_policy(stack: cdk.Stack, channel: FailureChannel) -> None:
    """A removal policy is one of CDK's, not its name."""
    with refusal("removal_policy", "'destroy'"):
        FailureReplayer(stack, "Replayer", channel=channel, removal_policy="destroy")  # type: ignore[arg-type]


def test_a_refused_replayer_leaves_nothing(stack: cdk.Stack, channel: FailureChannel) -> None:
    """After a refusal the channel can have a replayer."""
    with refusal("max_attempts"):
        FailureReplayer(stack, "Replayer", channel=channel, max_attempts=0)
    FailureReplayer(stack, "Replayer", channel=channel)
