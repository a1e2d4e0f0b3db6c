"""FailureNotifier: its queues, functions, permissions, subscribers and secrets."""

from __future__ import annotations

import json
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_chatbot as chatbot
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_ssm as ssm
from aws_cdk.assertions import Annotations, Match
from aws_cdk.aws_sns_subscriptions import UrlSubscription

from failure_destinations import (
    FailureChannel,
    FailureNotifier,
    FailureReplayer,
    Webhook,
    find_uncovered_functions,
)
from failure_destinations.constructs.notifier.notifier import MAX_SOURCE_QUEUES
from failure_destinations.runtime.notifier import TICK
from failure_destinations.runtime.notifier_state import LEASE_SECONDS
from failure_destinations.runtime.webhooks import REQUEST_SECONDS

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

KEY_ARN = "arn:aws:kms:eu-west-1:111122223333:key/0d5c9e5e-8f6f-4c6c-8a6e-7d1c2b3a4f50"
WEBHOOK_QUEUE = "NotifierWebhookjsonbQueue6B05D8B7"


@pytest.fixture
def channel(stack: cdk.Stack) -> FailureChannel:
    """A channel."""
    return FailureChannel(stack, "Channel")


@pytest.fixture
def notifier(stack: cdk.Stack, channel: FailureChannel) -> FailureNotifier:
    """The channel's notifier."""
    return FailureNotifier(stack, "Notifier", channel=channel)


def secret(stack: cdk.Stack, name: str = "team/slack") -> secretsmanager.ISecret:
    """Return a secret of the account."""
    return secretsmanager.Secret.from_secret_name_v2(stack, name.replace("/", ""), name)


def of(stack: cdk.Stack, construct: Any) -> Any:
    """Return a construct's resource."""
    return resources_of(stack)[logical_id(stack, construct)]


def environment_of(stack: cdk.Stack, function: Any) -> dict[str, Any]:
    """Return a function's environment variables."""
    variables: dict[str, Any] = of(stack, function)["Properties"]["Environment"]["Variables"]
    return variables


def arn_of(stack: cdk.Stack, construct: Any) -> dict[str, Any]:
    """Return the reference to a construct's ARN."""
    return {"Fn::GetAtt": [logical_id(stack, construct), "Arn"]}


def subscriptions_to(stack: cdk.Stack, topic: Any) -> list[Any]:
    """Return the properties of the subscriptions to a topic."""
    reference = {"Ref": logical_id(stack, topic)}
    return [
        each["Properties"]
        for each in resources_of(stack, "AWS::SNS::Subscription").values()
        if each["Properties"]["TopicArn"] == reference
    ]


def allowed(stack: cdk.Stack, function: Any) -> dict[str, list[Any]]:
    """Return what a function's role may do, and with which resources."""
    role = {"Ref": logical_id(stack, function.role)}
    found: dict[str, list[Any]] = {}
    for policy in resources_of(stack, "AWS::IAM::Policy").values():
        if role in policy["Properties"]["Roles"]:
            for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
                for action in listed(statement["Action"]):
                    found.setdefault(action, []).extend(listed(statement["Resource"]))
    return found


def test_gets_its_own_copy_of_each_record(
    stack: cdk.Stack, channel: FailureChannel, notifier: FailureNotifier
) -> None:
    """Its queue is another subscriber; what SNS cannot deliver to it does not reach the channel."""
    ours, theirs = sorted(
        subscriptions_to(stack, channel.topic),
        key=lambda each: each["Endpoint"] != arn_of(stack, notifier.queue),
    )
    assert ours["Endpoint"] == arn_of(stack, notifier.queue)
    assert (ours["Protocol"], ours["RawMessageDelivery"]) == ("sqs", True)
    dead_letters = arn_of(stack, notifier.dead_letter_queue)
    assert ours["RedrivePolicy"] == {"deadLetterTargetArn": dead_letters}
    assert theirs["Endpoint"] == arn_of(stack, channel.queue)


def test_the_subscription_waits_for_its_permission(
    stack: cdk.Stack, notifier: FailureNotifier
) -> None:
    """SNS drops what it may not deliver yet."""
    subscription = notifier.node.find_child("NoticeSubscription")
    policy = notifier.queue.node.find_child("Policy")
    assert logical_id(stack, policy) in of(stack, subscription)["DependsOn"]


def test_queues_are_encrypted_and_refuse_plain_connections(
    stack: cdk.Stack, notifier: FailureNotifier
) -> None:
    """They keep what nobody can count 14 days, behind the dead-letter queue."""
    for queue in (notifier.queue, notifier.dead_letter_queue):
        properties = of(stack, queue)["Properties"]
        assert (properties["SqsManagedSseEnabled"], properties["MessageRetentionPeriod"]) == (
            True,
            1_209_600,
        )
    assert of(stack, notifier.queue)["Properties"]["RedrivePolicy"] == {
        "deadLetterTargetArn": arn_of(stack, notifier.dead_letter_queue),
        "maxReceiveCount": 20,
    }


def test_a_run_ends_before_its_messages_and_its_notice_are_taken_over(
    stack: cdk.Stack, notifier: FailureNotifier
) -> None:
    """The queue hides a batch, and the state a notice, for longer than the function runs."""
    timeout = of(stack, notifier.function)["Properties"]["Timeout"]
    hidden = of(stack, notifier.queue)["Properties"]["VisibilityTimeout"]
    _, source = only(stack, "AWS::Lambda::EventSourceMapping")
    assert timeout * 6 + source["MaximumBatchingWindowInSeconds"] <= hidden
    assert timeout < LEASE_SECONDS


def test_wakes_each_minute(stack: cdk.Stack, notifier: FailureNotifier) -> None:
    """A schedule sends to the queue, so that the function has no asynchronous events."""
    _, schedule = only(stack, "AWS::Scheduler::Schedule")
    assert schedule["ScheduleExpression"] == "rate(1 minute)"
    assert schedule["Target"]["Arn"] == arn_of(stack, notifier.queue)
    assert json.loads(schedule["Target"]["Input"]) == TICK
    assert find_uncovered_functions(template_of(stack)) == []


def test_may_do_no_more_than_it_does(
    stack: cdk.Stack, channel: FailureChannel, notifier: FailureNotifier
) -> None:
    """It cannot read or delete a failed event, nor invoke anything."""
    queue = [arn_of(stack, notifier.queue)]
    expected = {
        "logs:CreateLogStream": [arn_of(stack, notifier.log_group)],
        "logs:PutLogEvents": [arn_of(stack, notifier.log_group)],
        "sqs:ChangeMessageVisibility": queue,
        "sqs:DeleteMessage": queue,
        "sqs:GetQueueAttributes": [
            *queue,
            arn_of(stack, channel.queue),
            arn_of(stack, channel.dead_letter_queue),
        ],
        "sqs:ReceiveMessage": queue,
        "sqs:SendMessage": queue,
        "sns:Publish": [{"Ref": logical_id(stack, notifier.topic)}],
        "dynamodb:GetItem": [arn_of(stack, notifier.table)],
        "dynamodb:PutItem": [arn_of(stack, notifier.table)],
    }
    # A feature flag of the CDK merges and sorts statements.
    assert in_order(allowed(stack, notifier.function)) == in_order(expected)


def in_order(statements: dict[str, list[Any]]) -> dict[str, list[str]]:
    """Return resources in an order that does not depend on how statements are merged."""
    return {action: sorted(map(str, found)) for action, found in statements.items()}


def test_a_key_encrypts_everything(stack: cdk.Stack) -> None:
    """The channel's key is that of queues, topic, table and logs, and the roles may use it."""
    key = kms.Key(stack, "Key")
    channel = FailureChannel(stack, "Channel", encryption_key=key)
    notifier = FailureNotifier(
        stack, "Notifier", channel=channel, webhooks=[Webhook.slack(secret(stack))]
    )
    arn = arn_of(stack, key)
    assert of(stack, notifier.queue)["Properties"]["KmsMasterKeyId"] == arn
    assert of(stack, notifier.dead_letter_queue)["Properties"]["KmsMasterKeyId"] == arn
    assert of(stack, notifier.topic)["Properties"]["KmsMasterKeyId"] == arn
    assert of(stack, notifier.log_group)["Properties"]["KmsKeyId"] == arn
    sse = of(stack, notifier.table)["Properties"]["SSESpecification"]
    assert (sse["KMSMasterKeyId"], sse["SSEEnabled"]) == (arn, True)
    may = allowed(stack, notifier.function)
    assert arn in may["kms:GenerateDataKey*"]
    assert {"kms:Encrypt", "kms:DescribeKey", "kms:CreateGrant"} <= may.keys()
    assert arn in allowed(stack, notifier.webhook_function)["kms:Decrypt"]


def test_warns_of_a_key_whose_policy_cannot_be_changed(stack: cdk.Stack) -> None:
    """CloudWatch Logs needs an imported key too."""
    key = kms.Key.from_key_arn(stack, "Key", KEY_ARN)
    channel = FailureChannel(stack, "Channel", encryption_key=key)
    FailureNotifier(stack, "Notifier", channel=channel)
    assert_warns(stack, "notifier's log groups")


def test_says_when_and_what(stack: cdk.Stack, channel: FailureChannel) -> None:
    """The times and whether payloads are in messages are the function's settings."""
    notifier = FailureNotifier(
        stack,
        "Notifier",
        channel=channel,
        every=cdk.Duration.minutes(15),
        reminder=cdk.Duration.hours(8),
        payload=False,
    )
    variables = environment_of(stack, notifier.function)
    assert {name: variables[name] for name in ("EVERY_SECONDS", "REMINDER_SECONDS", "PAYLOAD")} == {
        "EVERY_SECONDS": "900",
        "REMINDER_SECONDS": "28800",
        "PAYLOAD": "false",
    }


def test_defaults(stack: cdk.Stack, notifier: FailureNotifier) -> None:
    """Five minutes, a day, with payloads; the stack's name is what the command takes."""
    variables = environment_of(stack, notifier.function)
    names = ("EVERY_SECONDS", "REMINDER_SECONDS", "PAYLOAD", "STACK", "CHANNEL", "CHAT")
    assert [variables[name] for name in names] == [
        *("300", "86400", "true", "Stack", "Stack/Channel", "false")
    ]


def test_takes_times_that_are_known_at_deployment(
    stack: cdk.Stack, channel: FailureChannel
) -> None:
    """A parameter of the stack may say how often."""
    parameter = cdk.CfnParameter(stack, "Every", type="Number")
    every = cdk.Duration.seconds(parameter.value_as_number)
    notifier = FailureNotifier(stack, "Notifier", channel=channel, every=every)
    assert environment_of(stack, notifier.function)["EVERY_SECONDS"] == {"Ref": "Every"}


def test_mailboxes_get_messages_rather_than_records(
    stack: cdk.Stack, channel: FailureChannel
) -> None:
    """They are subscribed to the notifier's topic, with its dead-letter queue behind."""
    notifier = FailureNotifier(stack, "Notifier", channel=channel, emails=["team@example.com"])
    notifier.add_email("boss@example.com")
    dead_letters = {"deadLetterTargetArn": arn_of(stack, notifier.dead_letter_queue)}
    found = subscriptions_to(stack, notifier.topic)
    assert [each["Endpoint"] for each in found] == ["team@example.com", "boss@example.com"]
    assert all(each["RedrivePolicy"] == dead_letters for each in found)
    assert len(subscriptions_to(stack, channel.topic)) == 2


def test_other_subscribers(stack: cdk.Stack, notifier: FailureNotifier) -> None:
    """Anything that subscribes to a topic can."""
    notifier.add_subscription(UrlSubscription("https://example.com/failures"))
    (found,) = subscriptions_to(stack, notifier.topic)
    assert (found["Protocol"], found["Endpoint"]) == ("https", "https://example.com/failures")


def test_chats_of_amazon_q(stack: cdk.Stack, channel: FailureChannel) -> None:
    """Slack and Teams configurations, as constructs or resources, get the topic."""
    slack = chatbot.SlackChannelConfiguration(
        stack,
        "Slack",
        slack_channel_configuration_name="team",
        slack_workspace_id="T0123456789",
        slack_channel_id="C0123456789",
    )
    teams = chatbot.CfnMicrosoftTeamsChannelConfiguration(
        stack,
        "Teams",
        configuration_name="team",
        iam_role_arn="arn:aws:iam::111122223333:role/chat",
        team_id="11111111-1111-1111-1111-111111111111",
        teams_channel_id="19%3ab6ef35dc342d56ba5654e6fc6d25a071%40thread.tacv2",
        teams_tenant_id="11111111-1111-1111-1111-111111111111",
        sns_topic_arns=["arn:aws:sns:eu-west-1:111122223333:other"],
    )
    notifier = FailureNotifier(stack, "Notifier", channel=channel, chat=[slack, teams])
    topic = {"Ref": logical_id(stack, notifier.topic)}
    _, found = only(stack, "AWS::Chatbot::SlackChannelConfiguration")
    assert found["SnsTopicArns"] == [topic]
    _, found = only(stack, "AWS::Chatbot::MicrosoftTeamsChannelConfiguration")
    assert found["SnsTopicArns"] == ["arn:aws:sns:eu-west-1:111122223333:other", topic]
    assert environment_of(stack, notifier.function)["CHAT"] == "true"


def test_a_webhook_has_a_queue_of_its_own(stack: cdk.Stack, channel: FailureChannel) -> None:
    """What one does not take does not delay another, and ends in the dead-letter queue."""
    notifier = FailureNotifier(
        stack, "Notifier", channel=channel, webhooks=[Webhook.slack(secret(stack))]
    )
    queue = notifier.add_webhook(Webhook.teams(secret(stack, "team/teams")))
    arns = [each["Endpoint"] for each in subscriptions_to(stack, notifier.topic)]
    assert len(arns) == 2
    assert arns[1] == arn_of(stack, queue)
    properties = of(stack, queue)["Properties"]
    assert properties["RedrivePolicy"] == {
        "deadLetterTargetArn": arn_of(stack, notifier.dead_letter_queue),
        "maxReceiveCount": 12,
    }
    timeout = of(stack, notifier.webhook_function)["Properties"]["Timeout"]
    assert timeout > REQUEST_SECONDS
    assert timeout * 6 <= properties["VisibilityTimeout"]
    sources = resources_of(stack, "AWS::Lambda::EventSourceMapping").values()
    mapped = [each["Properties"]["EventSourceArn"] for each in sources]
    assert mapped == [arn_of(stack, notifier.queue), *arns]


def test_a_url_is_in_no_template(stack: cdk.Stack, channel: FailureChannel) -> None:
    """Only where it is kept; the function may read that secret and that parameter, no more."""
    parameter = ssm.StringParameter.from_secure_string_parameter_attributes(
        stack, "Parameter", parameter_name="/team/json"
    )
    notifier = FailureNotifier(
        stack,
        "Notifier",
        channel=channel,
        webhooks=[Webhook.pagerduty(secret(stack)), Webhook.json(parameter)],
    )
    template = json.dumps(template_of(stack))
    assert "resolve:secretsmanager" not in template
    assert "resolve:ssm" not in template
    may = allowed(stack, notifier.webhook_function)
    (read,) = may["secretsmanager:GetSecretValue"]
    assert "secret:team/slack-??????" in json.dumps(read)
    (read,) = may["ssm:GetParameter"]
    assert "parameter/team/json" in json.dumps(read)
    assert "secretsmanager:GetSecretValue" not in allowed(stack, notifier.function)


def test_without_webhooks_there_is_one_function(
    stack: cdk.Stack, notifier: FailureNotifier
) -> None:
    """What posts is defined with the first webhook."""
    assert notifier.webhook_function is None
    assert len(resources_of(stack, "AWS::Lambda::Function")) == 1


def test_events_of_a_replayer_wait_too(
    stack: cdk.Stack, channel: FailureChannel, notifier: FailureNotifier
) -> None:
    """It is not over while events are parked, whichever is defined first."""
    replayer = FailureReplayer(stack, "Replayer", channel=channel)
    urls = environment_of(stack, notifier.function)["WAITING_QUEUE_URLS"]
    parts = [part for part in urls["Fn::Join"][1] if part != " "]
    queues = (channel.queue, channel.dead_letter_queue, replayer.parked_queue)
    assert parts == [{"Ref": logical_id(stack, queue)} for queue in queues]
    counted = allowed(stack, notifier.function)["sqs:GetQueueAttributes"]
    assert arn_of(stack, replayer.parked_queue) in counted


@pytest.mark.parametrize("where", ["same stack", "another stack"])
def test_looks_into_dead_letter_queues_of_sources(
    app: cdk.App, stack: cdk.Stack, channel: FailureChannel, where: str
) -> None:
    """It may count their messages and ask what they come from, and no more."""
    first = channel.dead_letter_queue_for(sqs.Queue(stack, "Orders"))
    place = stack if where == "same stack" else cdk.Stack(app, "Notifying")
    notifier = FailureNotifier(place, "Notifier", channel=channel)
    later = channel.dead_letter_queue_for(sqs.Queue(cdk.Stack(app, "User"), "Invoices"))
    app.synth()
    names = environment_of(place, notifier.function)["SOURCE_DEAD_LETTER_QUEUES"]
    assert len(names["Fn::Join"][1]) == 3
    may = allowed(place, notifier.function)
    arns = [place.resolve(queue.queue_arn) for queue in (first, later)]
    assert may["sqs:ListDeadLetterSourceQueues"] == arns
    assert [each for each in may["sqs:GetQueueAttributes"] if each in arns] == arns
    assert [*stack.dependencies] == []


def test_without_source_queues_nothing_changes(stack: cdk.Stack, notifier: FailureNotifier) -> None:
    """Neither a variable nor a permission is there before one is defined."""
    assert "SOURCE_DEAD_LETTER_QUEUES" not in environment_of(stack, notifier.function)
    assert "sqs:ListDeadLetterSourceQueues" not in allowed(stack, notifier.function)


def test_warns_of_more_source_queues_than_it_can_look_at(
    stack: cdk.Stack, channel: FailureChannel, notifier: FailureNotifier
) -> None:
    """Environment variables hold 4 KB; the others are named, not left out silently."""
    for number in range(MAX_SOURCE_QUEUES + 2):
        channel.dead_letter_queue_for(sqs.Queue(stack, f"Queue{number}"))
    assert_warns(stack, "first 20 queues .* and not of Stack/Queue20 and those after it")
    annotations = Annotations.from_stack(stack)
    assert len(annotations.find_warning("*", Match.string_like_regexp("first 20 queues"))) == 1
    names = environment_of(stack, notifier.function)["SOURCE_DEAD_LETTER_QUEUES"]
    assert names["Fn::Join"][1].count(" ") == MAX_SOURCE_QUEUES - 1


def test_knows_log_groups_of_other_names(
    stack: cdk.Stack, channel: FailureChannel, notifier: FailureNotifier
) -> None:
    """The link to a function's log is right, wherever it logs to."""
    group = logs.LogGroup(stack, "Logs")
    handler = define_handler(stack, log_group=group)
    channel.notify_failures_of(handler)
    found = environment_of(stack, notifier.function)["LOG_GROUPS"]
    refs = [part for part in found["Fn::Join"][1] if isinstance(part, dict)]
    assert refs == [{"Ref": logical_id(stack, handler)}, {"Ref": logical_id(stack, group)}]


def test_commands_do_not_name_the_only_channel(
    app: cdk.App, stack: cdk.Stack, notifier: FailureNotifier
) -> None:
    """A channel of another stack does not count."""
    FailureChannel(cdk.Stack(app, "Other"), "Channel")
    assert "CHANNEL_OPTION" not in environment_of(stack, notifier.function)


def test_commands_name_a_channel_among_others(stack: cdk.Stack, notifier: FailureNotifier) -> None:
    """Its path below the stack, as `--channel` takes it; also if others come later."""
    FailureChannel(stack, "Another")
    assert environment_of(stack, notifier.function)["CHANNEL_OPTION"] == "Channel"


def test_may_be_in_another_stack(app: cdk.App, channel: FailureChannel) -> None:
    """Its stack refers to the channel's, never the other way round."""
    other = cdk.Stack(app, "Other")
    notifier = FailureNotifier(other, "Notifier", channel=channel)
    assert is_reference(subscriptions_to_any(other)[0]["TopicArn"])
    assert environment_of(other, notifier.function)["STACK"] == "Stack"
    assert channel.node.scope is not None
    assert other not in cdk.Stack.of(channel).dependencies


def subscriptions_to_any(stack: cdk.Stack) -> list[Any]:
    """Return the properties of a stack's subscriptions."""
    found = resources_of(stack, "AWS::SNS::Subscription").values()
    return [each["Properties"] for each in found]


def test_the_table_can_be_kept(stack: cdk.Stack, channel: FailureChannel) -> None:
    """By default it goes with its stack."""
    notifier = FailureNotifier(
        stack, "Notifier", channel=channel, removal_policy=cdk.RemovalPolicy.RETAIN
    )
    assert of(stack, notifier.table)["DeletionPolicy"] == "Retain"


def test_lets_others_publish_and_look(stack: cdk.Stack, notifier: FailureNotifier) -> None:
    """A watchdog may use its topic, and an operator read its dead letters."""
    other = define_handler(stack)
    notifier.grant_publish(other)
    notifier.grant_consume_dead_letters(other)
    may = allowed(stack, other)
    assert may["sns:Publish"] == [{"Ref": logical_id(stack, notifier.topic)}]
    assert may["sqs:ReceiveMessage"] == [arn_of(stack, notifier.dead_letter_queue)]


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("metric_failed_runs", ("AWS/Lambda", "Errors")),
        ("metric_oldest_record_age", ("AWS/SQS", "ApproximateAgeOfOldestMessage")),
        ("metric_dead_letters", ("AWS/SQS", "ApproximateNumberOfMessagesVisible")),
        ("metric_messages_sent", ("AWS/SNS", "NumberOfMessagesPublished")),
        ("metric_messages_failed", ("AWS/SNS", "NumberOfNotificationsFailed")),
    ],
)
def test_metrics(notifier: FailureNotifier, metric: str, expected: tuple[str, str]) -> None:
    """Each has the name that CloudWatch uses."""
    found = getattr(notifier, metric)()
    assert (found.namespace, found.metric_name) == expected


def storm(stack: cdk.Stack) -> list[Any]:
    """Return the infos about storms of mails."""
    return Annotations.from_stack(stack).find_info("*", Match.string_like_regexp("storm"))


def test_says_what_a_storm_does_to_mailboxes(stack: cdk.Stack) -> None:
    """A channel of several handlers with mailboxes names the notifier, once."""
    channel = FailureChannel(stack, "Channel", emails=["a@example.com"])
    for id in ("A", "B", "C"):
        channel.notify_failures_of(define_handler(stack, id))
    (info,) = storm(stack)
    assert "10 e-mails a second" in info.entry.data
    assert "define a FailureNotifier" in info.entry.data
    assert_does_not_warn(stack)


@pytest.mark.parametrize("what", ["one handler", "no mailbox"])
def test_says_nothing_of_storms_otherwise(stack: cdk.Stack, what: str) -> None:
    """A mailbox of one function is the tutorial's way."""
    emails = [] if what == "no mailbox" else ["a@example.com"]
    channel = FailureChannel(stack, "Channel", emails=emails)
    for id in ("A",) if what == "one handler" else ("A", "B"):
        channel.notify_failures_of(define_handler(stack, id))
    assert storm(stack) == []


def test_says_so_beside_a_notifier_too(stack: cdk.Stack) -> None:
    """The mailboxes of the channel still get each record."""
    channel = FailureChannel(stack, "Channel", emails=["a@example.com"])
    FailureNotifier(stack, "Notifier", channel=channel, emails=["a@example.com"])
    for id in ("A", "B"):
        channel.notify_failures_of(define_handler(stack, id))
    (info,) = storm(stack)
    assert "channel's FailureNotifier" in info.entry.data


def silence(stack: cdk.Stack) -> list[Any]:
    """Return the infos about a notifier that nobody hears."""
    return Annotations.from_stack(stack).find_info("*", Match.string_like_regexp("nobody"))


def test_says_that_nobody_is_notified(stack: cdk.Stack, channel: FailureChannel) -> None:
    """A notifier without mailboxes, chats, webhooks and other subscribers."""
    FailureNotifier(stack, "Notifier", channel=channel)
    (info,) = silence(stack)
    assert "emails" in info.entry.data
    assert_does_not_warn(stack)


@pytest.mark.parametrize("who", ["email", "webhook", "subscription"])
def test_says_nothing_if_somebody_is_notified(
    stack: cdk.Stack, notifier: FailureNotifier, who: str
) -> None:
    """Whoever is added later counts too."""
    if who == "email":
        notifier.add_email("a@example.com")
    elif who == "webhook":
        notifier.add_webhook(Webhook.json(secret(stack)))
    else:
        notifier.add_subscription(UrlSubscription("https://example.com/failures"))
    assert silence(stack) == []


def test_rejects_a_second_notifier(channel: FailureChannel, notifier: FailureNotifier) -> None:
    """People would hear everything twice."""
    with refusal("channel", "Stack/Notifier"):
        FailureNotifier(notifier, "Second", channel=channel)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("channel", "a channel"),
        ("emails", "team@example.com"),
        ("emails", ["team"]),
        ("emails", ["a@example.com", "A@example.com"]),
        ("chat", "slack"),
        ("chat", ["arn:aws:chatbot::111122223333:chat-configuration/slack-channel/team"]),
        ("chat", [chatbot.SlackChannelConfiguration]),
        ("webhooks", 1),
        ("every", cdk.Duration.seconds(59)),
        ("every", cdk.Duration.days(2)),
        ("every", 300),
        ("reminder", cdk.Duration.minutes(4)),
        ("reminder", cdk.Duration.days(15)),
        ("payload", "no"),
        ("payload", 0),
        ("removal_policy", "retain"),
    ],
)
def test_rejects_what_it_cannot_use(
    stack: cdk.Stack, channel: FailureChannel, parameter: str, value: Any
) -> None:
    """The message names the parameter, the value and the way out."""
    with refusal(parameter):
        FailureNotifier(stack, "Notifier", **{"channel": channel, parameter: value})
    assert stack.node.try_find_child("Notifier") is None


URL = "https://hooks.slack.com/services/T000/B000/XXXX"


def test_rejects_a_webhook_by_its_url(stack: cdk.Stack, channel: FailureChannel) -> None:
    """A URL in code would be in the template; the message does not repeat it."""
    for wrong in (
        lambda: FailureNotifier(stack, "Notifier", channel=channel, webhooks=[URL]),  # type: ignore[list-item]
        lambda: Webhook.slack(URL),  # type: ignore[arg-type]
    ):
        with pytest.raises(ValueError, match=r"must .*got a value of type str: .+") as raised:
            wrong()
        assert "hooks" not in str(raised.value).replace("webhooks", "")


def test_rejects_a_url_in_a_plain_parameter(stack: cdk.Stack) -> None:
    """The value of a parameter that the app defines is in its template."""
    parameter = ssm.StringParameter(stack, "Parameter", string_value=URL)
    with refusal("url", "Stack/Parameter"):
        Webhook.slack(parameter)


def test_rejects_another_format(stack: cdk.Stack) -> None:
    """There are four."""
    with refusal("format", "'discord'"):
        Webhook("discord", secret(stack))


def test_rejects_a_sixth_webhook(stack: cdk.Stack, notifier: FailureNotifier) -> None:
    """Their settings would not fit into a function's environment."""
    for number in range(5):
        notifier.add_webhook(Webhook.json(secret(stack, f"team/{number}")))
    with pytest.raises(ValueError, match="at most 5 webhooks"):
        notifier.add_webhook(Webhook.json(secret(stack, "team/6")))


def test_rejects_a_repeated_webhook(stack: cdk.Stack, notifier: FailureNotifier) -> None:
    """It would post everything twice."""
    webhook = Webhook.json(secret(stack))
    notifier.add_webhook(webhook)
    with refusal("webhooks", "Stack/teamslack"):
        notifier.add_webhook(webhook)


@pytest.mark.parametrize("order", [("a", "b"), ("b", "a"), ("b",)])
def test_a_webhooks_resources_do_not_depend_on_others(
    stack: cdk.Stack, channel: FailureChannel, order: tuple[str, ...]
) -> None:
    """Removing one replaces nothing of another."""
    webhooks = [Webhook.json(secret(stack, each)) for each in order]
    FailureNotifier(stack, "Notifier", channel=channel, webhooks=webhooks)
    queues = [id for id in resources_of(stack, "AWS::SQS::Queue") if "jsonb" in id]
    assert queues == [WEBHOOK_QUEUE]


def test_rejects_a_repeated_mailbox(notifier: FailureNotifier) -> None:
    """Upper and lower case are the same mailbox."""
    notifier.add_email("team@example.com")
    with refusal("address", "'Team@example.com'"):
        notifier.add_email("Team@example.com")


def test_rejects_a_channel_elsewhere(app: cdk.App) -> None:
    """A topic cannot send to a queue whose messages another Region's function reads."""
    there = cdk.Stack(app, "There", env=cdk.Environment(region="us-east-1"))
    here = cdk.Stack(app, "Here", env=cdk.Environment(region="eu-west-1"))
    with refusal("channel", "There/Channel"):
        FailureNotifier(here, "Notifier", channel=FailureChannel(there, "Channel"))


def test_runs_on_the_runtime_of_the_replayer(
    stack: cdk.Stack, channel: FailureChannel, notifier: FailureNotifier
) -> None:
    """One asset holds the code of all functions of this library."""
    replayer = FailureReplayer(stack, "Replayer", channel=channel)
    code = [of(stack, each.function)["Properties"]["Code"] for each in (notifier, replayer)]
    assert code[0] == code[1]
    assert isinstance(notifier.function, lambda_.Function)
